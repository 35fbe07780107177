"""memory=: a scan in segments has the results and the gradients of the scan in one piece, bit by bit."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import MutationError
from minigrad.ops import all_ops
from minigrad.scan import COMPILED, segments_of, settings

compiled = pytest.mark.skipif(not COMPILED, reason="a scan that runs as a loop remembers everything")
T, B, N, H = 23, 5, 6, 7
ENDING = [5, 5, 5, 4, 4, 3, 3, 3, 3, 1, 1, 1]  # rows that run at each time


def user_scan(memory: Any, dtype: Any, reverse: bool, sizes: Any, used: str, draw: bool = False) -> list[Any]:
    """Results and gradients of a scan of a user's step: a weight that is computed, a peephole, biases, a number, masks."""
    mg.manual_seed(0)
    rng = np.random.default_rng(1)

    def leaf(*shape: int) -> mg.Tensor:
        return mg.tensor((rng.normal(size=shape) * 0.5).astype(dtype), requires_grad=True)

    W, U, bias, peephole, number, h, c = leaf(4 * H, N), leaf(4 * H, H), leaf(4 * H), leaf(H), leaf(), leaf(B, H), leaf(B, H)
    V, shift = leaf(3, N), leaf(3)
    x = leaf(T, B, N) if sizes is None else leaf(sum(sizes), N)

    def step(carry: Any, x: mg.Tensor) -> Any:
        h, c = carry
        a = mg.linear(x, W * 1.5, bias) + mg.linear(h, U)
        i, f, g, o = (a[:, k * H : (k + 1) * H] for k in range(4))
        if draw:
            g = g * (mg.rand(B, H, dtype=dtype) > 0.3).astype(dtype)
        c = mg.sigmoid(f + peephole * c) * c + mg.sigmoid(i) * mg.tanh(g) * number
        h = mg.sigmoid(o) * mg.tanh(c)
        return (h, c), (h, c * 2.0, mg.linear(x, V, shift))

    (h_n, c_n), (y, z, v) = mg.scan(step, (h, c), x, reverse=reverse, batch_sizes=sizes, memory=memory)
    assert mg.scan_report().compiled == COMPILED
    ends = {"y": y, "z": z[3:7], "v": v, "c": c_n}
    loss = sum((ends[name] * mg.tensor(rng.normal(size=ends[name].shape).astype(dtype))).sum() for name in used)
    loss.backward()  # type: ignore[union-attr]
    gradients = [tensor.grad for tensor in (W, U, V, bias, shift, peephole, number, h, c, x)]
    return [one if one is None else one.numpy() for one in (y, z, v, h_n, c_n, *gradients)]


def same(a: Any, b: Any) -> bool:
    """Whether two lists of arrays have the same bits."""
    return all((x is None) == (y is None) and (x is None or x.tobytes() == y.tobytes()) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("used", ["y", "c", "yc", "z", "v", "yzvc"])
@pytest.mark.parametrize("sizes", [None, ENDING], ids=["even", "ragged"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_segments_have_the_bits_of_one_piece(dtype: Any, reverse: bool, sizes: Any, used: str) -> None:
    whole = user_scan("full", dtype, reverse, sizes, used)
    for memory in ("sqrt", 2, 3, 7, 100):
        assert same(user_scan(memory, dtype, reverse, sizes, used), whole), memory


@pytest.mark.parametrize("reverse", [False, True])
def test_random_draws_in_the_step_are_replayed(reverse: bool) -> None:
    whole = user_scan("full", np.float32, reverse, None, "yc", draw=True)
    state = mg.get_rng_state()
    for memory in ("sqrt", 4):
        assert same(user_scan(memory, np.float32, reverse, None, "yc", draw=True), whole)
        assert mg.get_rng_state() == state  # what is drawn next is the same too


@compiled
@pytest.mark.parametrize("name", ["outer_sum", "sum_to"])
def test_in_the_other_order_the_bits_would_differ(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above can fail: sums that run from the first step to the last do not fit together."""
    operation = all_ops()[name]
    kernel = operation.kernel

    def turned(array: Any) -> Any:
        return np.ascontiguousarray(array[::-1]) if type(array) is np.ndarray and array.ndim == 3 else array

    def other(*args: Any, **named: Any) -> Any:
        return kernel(*map(turned, args), **named)

    monkeypatch.setattr(operation, "kernel", other)
    assert not same(user_scan(5, np.float32, False, None, "yv"), user_scan("full", np.float32, False, None, "yv"))


LAYERS: dict[str, Any] = {
    "RNN": lambda **form: nn.RNN(N, H, **form),
    "LSTM": lambda **form: nn.LSTM(N, H, **form),
    "GRU": lambda **form: nn.GRU(N, H, **form),
    "two layers, both directions": lambda **form: nn.LSTM(N, H, 2, bidirectional=True, dropout=0.3, batch_first=True, **form),
    "before": lambda **form: nn.GRU(N, H, reset="before", bidirectional=True, merge="sum", **form),
    "all options": lambda **form: nn.LSTM(N, H, peephole=True, layer_norm=True, proj_size=3, cell_clip=2.0, learned_state=True, **form),
    "coupled": lambda **form: nn.LSTM(N, H, coupled=True, **form),
    "four gates": lambda **form: nn.FourGateLSTM(N, H, **form),
    "noise": lambda **form: nn.GRU(N, H, variational=0.2, recurrent_dropout=0.2, zoneout=0.2, weight_drop=0.2, **form),
    "any cell": lambda **form: nn.Recurrent(nn.GRUCell(N, H), 2, residual=True, **form),
}


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_take_memory(name: str, padded: bool) -> None:
    found = []
    for memory in ("full", "sqrt", 3):
        mg.manual_seed(0)
        layer = LAYERS[name](memory=memory)
        rng = np.random.default_rng(2)
        x = mg.tensor(rng.normal(size=(B, T, N) if layer.batch_first else (T, B, N)).astype(np.float32), requires_grad=True)
        output, state, states = layer(x, lengths=[T, 9, 0, 4, 1] if padded else None, all_states=True)
        tensors = [*(state if isinstance(state, tuple) else (state,)), *(states if isinstance(states, tuple) else (states,))]
        loss = sum((one * mg.tensor(rng.normal(size=one.shape).astype(np.float32))).sum() for one in (output, *tensors))
        loss.backward()  # type: ignore[union-attr]
        found.append([output.numpy(), *[one.numpy() for one in tensors], *[p.grad.numpy() for p in layer.parameters()], x.grad.numpy()])  # type: ignore[union-attr]
    assert same(found[0], found[1]) and same(found[0], found[2])


@compiled
def test_two_passes_back_may_run_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As two threads would: one passes in the midst of the other. Each has sums over time of its own."""
    module = importlib.import_module("minigrad.scan.segments")
    play_onto, found = module.play_onto, []
    for nested in (False, True):
        mg.manual_seed(0)
        layer, calls = nn.GRU(N, N, memory=4), []
        loss = (layer(mg.randn(T, B, N))[0] ** 2).sum()

        def played(*args: Any, loss: Any = loss, calls: Any = calls) -> Any:
            calls.append(1)
            if len(calls) == 2:
                loss.backward(retain_graph=True)
            return play_onto(*args)

        monkeypatch.setattr(module, "play_onto", played if nested else play_onto)
        loss.backward(retain_graph=True)
        if not nested:
            loss.backward(retain_graph=True)
        found.append([p.grad.numpy() for p in layer.parameters()])  # type: ignore[union-attr]
    assert same(*found)


def test_a_shared_weight_has_the_bits_too() -> None:
    """What else has reached a weight before the scan's share comes in is part of the chain."""
    found = []
    for memory in ("full", 4):
        mg.manual_seed(0)
        layer = nn.GRU(N, N, memory=memory)
        x = mg.randn(T, B, N)
        output, _ = layer(layer(x)[0])
        (output.sum() + (layer.weight_hh_l0**2).sum()).backward()
        found.append([p.grad.numpy() for p in layer.parameters()])  # type: ignore[union-attr]
    assert same(*found)


def test_second_derivatives() -> None:
    found = []
    for memory in ("full", 4):
        mg.manual_seed(0)
        layer = nn.LSTM(N, H, dtype=np.float64, memory=memory)
        x = mg.tensor(np.random.default_rng(0).normal(size=(T, B, N)), requires_grad=True)
        output, (_, c) = layer(x)
        ((output**2).sum() + c.sum()).backward(create_graph=True)
        gradients = [x.grad, *[p.grad for p in layer.parameters()]]
        layer.zero_grad()
        x.grad = None
        sum((g**2).sum() for g in gradients).backward()  # type: ignore[misc, union-attr]
        found.append([x.grad.numpy(), *[p.grad.numpy() for p in layer.parameters()]])  # type: ignore[union-attr, attr-defined]
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_a_tape_that_is_retained_can_be_played_again() -> None:
    layer = nn.GRU(N, H, memory=4)
    x = mg.randn(T, B, N)
    loss = (layer(x)[0] ** 2).sum()
    loss.backward(retain_graph=True)
    once = [p.grad.numpy().copy() for p in layer.parameters()]  # type: ignore[union-attr]
    loss.backward()
    assert same([2 * g for g in once], [p.grad.numpy() for p in layer.parameters()])  # type: ignore[union-attr]
    with pytest.raises(mg.TapeError, match="already played back"):
        loss.backward()


def test_only_what_is_asked_for() -> None:
    """The gradient of x alone, and none for frozen weights."""
    x = mg.tensor(np.random.default_rng(0).normal(size=(T, B, N)).astype(np.float32), requires_grad=True)
    found = []
    for memory in ("full", 4):
        mg.manual_seed(0)
        layer = nn.LSTM(N, H, memory=memory)
        found.append([mg.grad(lambda x, layer=layer: (layer(x)[0] ** 2).sum())(x).numpy()])
        assert all(p.grad is None for p in layer.parameters())
        layer.weight_hh_l0.requires_grad = False
        layer(x.detach())[0].sum().backward()
        assert layer.weight_hh_l0.grad is None and layer.weight_ih_l0.grad is not None
    assert same(*found)


@compiled
def test_what_the_steps_read_must_not_change() -> None:
    layer = nn.GRU(N, H, memory=4)
    loss = layer(mg.randn(T, B, N))[0].sum()
    with mg.no_grad():
        layer.weight_hh_l0.assign_(layer.weight_hh_l0 + 1.0)
    with pytest.raises(MutationError, match=r"runs its steps again for the backward pass \(memory=\)"):
        loss.backward()


@compiled
@pytest.mark.parametrize("draw", [False, True])
def test_the_steps_can_be_looked_at(draw: bool) -> None:
    U = mg.tensor(np.eye(3) * 0.5, requires_grad=True)

    def step(h: mg.Tensor, x: mg.Tensor) -> Any:
        h = mg.tanh(x + mg.linear(h, U)) * (mg.rand(2, 3, dtype=np.float64) if draw else 1.0)
        return h, h

    x = mg.tensor(np.random.default_rng(0).normal(size=(9, 2, 3)))
    _, ys = mg.scan(step, mg.zeros((2, 3), dtype=np.float64), x, memory=3)
    loss = (ys**2).sum()
    shares = mg.ledger(loss, U)
    loss.backward()
    assert len(shares) == 9
    np.testing.assert_allclose(shares.numpy().sum(axis=0), U.grad.numpy(), rtol=1e-12, atol=1e-12)  # type: ignore[union-attr]


def test_a_first_carry_that_broadcasts() -> None:
    w = mg.tensor([0.5], requires_grad=True)
    x = mg.tensor(np.random.default_rng(0).normal(size=(T, 4)).astype(np.float32))
    found = []
    for memory in ("full", 3):
        w.grad = None
        last, _ = mg.scan(lambda h, x: (mg.tanh(h * w + x), None), mg.zeros(1), x, memory=memory)
        last.sum().backward()
        found.append([last.numpy(), w.grad.numpy()])  # type: ignore[attr-defined]
    assert same(*found)


def test_a_loop_remembers_everything_and_is_right() -> None:
    before = settings.mode
    settings.mode = "eager"
    layer = nn.GRU(N, H, memory="sqrt")
    layer(mg.randn(T, B, N))[0].sum().backward()
    settings.mode = before
    assert all(p.grad is not None for p in layer.parameters())


def test_how_many_are_stored() -> None:
    assert [segments_of("sqrt", n) for n in (0, 1, 2, 4, 5, 100, 101)] == [1, 1, 2, 2, 3, 10, 11]
    assert segments_of("full", 100) == 1 and segments_of(7, 100) == 7


@pytest.mark.parametrize("memory", ["half", 0, -1, 2.5, None, True])
def test_memory_of_another_kind_is_refused(memory: Any) -> None:
    with pytest.raises(ValueError, match=r'memory is "full", "sqrt", or how many carries to store, a whole number of 1 or more; got'):
        nn.LSTM(N, H, memory=memory)
    with pytest.raises(ValueError, match="memory is"):
        mg.scan(lambda h, x: (h + x, None), mg.zeros(2), mg.zeros((3, 2)), memory=memory)
