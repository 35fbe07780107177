"""Padded batches (lengths=, mask=) through recurrent layers, against each sequence by itself: the same bits, whatever the padding holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DtypeError, ShapeError
from minigrad.nn.sequences import packing

compiled = pytest.mark.skipif(mg.config.kernels() is None, reason="bits of rows are a promise of the compiled kernels")
I_, H = 3, 4


@nn.cell(states="h c", init={"b": nn.init.zeros_}, W="2H I", U="2H H", b="2H")
def two_states(carry, x, W, U, b):
    h, c = carry
    a, n = (mg.linear(x, W, b) + mg.linear(h, U)).split(2, axis=-1)
    a = mg.sigmoid(a)
    c = a * c + (1.0 - a) * mg.tanh(n)
    h = mg.tanh(c)
    return (h, c), h


KINDS: dict[str, Any] = {
    "RNN": nn.RNN,
    "LSTM": nn.LSTM,
    "GRU": nn.GRU,
    "GRU before write": lambda *a, **k: nn.GRU(*a, reset="before", update="write", **k),
    "LSTM peephole": lambda *a, **k: nn.LSTM(*a, peephole=True, **k),
    "LSTM coupled clip": lambda *a, **k: nn.LSTM(*a, coupled=True, cell_clip=0.5, **k),
    "LSTM norm": lambda *a, **k: nn.LSTM(*a, layer_norm=True, **k),
    "LSTM projection": lambda *a, **k: nn.LSTM(*a, proj_size=2, **k),
    "four gates": nn.FourGateLSTM,
    "own": two_states,
    "wrapped": lambda i, h, n=1, **k: nn.Recurrent(nn.LSTMCell(i, h, dtype=k.pop("dtype")), n, **k),
}


def masks(seed: int, steps: int, batch: int, holes: bool) -> Any:
    """(T, B): lengths with zeros and repeats, or any pattern."""
    rng = np.random.default_rng(seed)
    if holes:
        return rng.random((steps, batch)) < rng.random(batch)
    return np.arange(steps)[:, None] < rng.integers(0, steps + 1, batch)


def tensors(state: Any) -> list[Any]:
    return list(state) if isinstance(state, tuple) else [state]


def states_of(layer: Any, batch: int, rng: Any, dtype: Any) -> list[Any]:
    count = layer.num_layers * (1 + layer.bidirectional)
    return [rng.standard_normal((count, batch, width)).astype(dtype) for width in layer.widths()]


def played(layer: Any, x: Any, states: list[Any], seeds: tuple[Any, list[Any]], **how: Any) -> dict[str, Any]:
    """Output, last state and all gradients."""
    layer.zero_grad()
    leaf = mg.tensor(x, requires_grad=True)
    first = [mg.tensor(state, requires_grad=True) for state in states]
    output, last = layer(leaf, tuple(first) if len(first) > 1 else first[0], **how)
    loss = (output * mg.tensor(seeds[0])).sum()
    for end, seed in zip(tensors(last), seeds[1], strict=True):
        loss = loss + (end * mg.tensor(seed)).sum()
    loss.backward()
    found = {"output": output.numpy(), "dx": leaf.grad.numpy() if leaf.grad is not None else np.zeros(x.shape, x.dtype)}
    for k, (end, start) in enumerate(zip(tensors(last), first, strict=True)):
        found |= {f"last {k}": end.numpy(), f"d first {k}": start.grad.numpy()}
    weights = {name: p.grad.numpy().copy() if p.grad is not None else np.zeros(p.shape, p.dtype) for name, p in layer.named_parameters()}
    return found | {"weights": weights}


def against_each_alone(layer: Any, mask: Any, seed: int, dtype: Any, by_lengths: bool) -> None:
    rng = np.random.default_rng([seed, 1])
    steps, batch = mask.shape
    x = rng.standard_normal((steps, batch, I_)).astype(dtype)
    x[~mask] = np.nan
    states = states_of(layer, batch, rng, dtype)
    width = layer.widths()[0] * (1 + layer.bidirectional)
    seeds = rng.standard_normal((steps, batch, width)).astype(dtype), [rng.standard_normal(state.shape).astype(dtype) for state in states]
    how = {"lengths": mask.sum(axis=0)} if by_lengths else {"mask": mask}
    got = played(layer, x, states, seeds, **how)
    assert mg.scan_report().compiled or not mask.any(), mg.scan_report()
    total: dict[str, Any] = {}
    for b in range(batch):
        valid = mask[:, b]
        assert not got["output"][~valid, b].any() and not got["dx"][~valid, b].any()
        if not valid.any():
            for k, state in enumerate(states):
                assert np.array_equal(got[f"last {k}"][:, b], state[:, b])
                assert np.array_equal(got[f"d first {k}"][:, b], seeds[1][k][:, b])
            continue
        one = [state[:, b : b + 1] for state in states]
        alone = played(layer, x[valid, b : b + 1], one, (seeds[0][valid, b : b + 1], [s[:, b : b + 1] for s in seeds[1]]))
        for key in ("output", "dx"):
            assert np.array_equal(got[key][valid, b], alone[key][:, 0]), (key, b)
        for key in got:
            if key.startswith(("last", "d first")):
                assert np.array_equal(got[key][:, b], alone[key][:, 0]), (key, b)
        for name, g in alone["weights"].items():
            total[name] = total.get(name, 0.0) + g
    for name, want in total.items():
        bound = 1e-12 if dtype == np.float64 else 2e-6
        assert np.abs(got["weights"][name] - want).max() <= bound * max(1.0, np.abs(want).max()), name


@compiled
@pytest.mark.parametrize("holes", [False, True], ids=["lengths", "holes"])
@pytest.mark.parametrize("shape", [(1, False), (2, True), (3, False)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_each_sequence_has_the_bits_it_has_alone(kind: str, shape: tuple[int, bool], holes: bool) -> None:
    layers, both = shape
    for seed, dtype in enumerate((np.float64, np.float32)):
        mg.manual_seed(seed)
        layer = KINDS[kind](I_, H, layers, bidirectional=both, dtype=dtype)
        against_each_alone(layer, masks(seed, 6, 7, holes), seed, dtype, not holes)


@pytest.mark.parametrize("batch_first", [False, True])
def test_forms_of_the_output(batch_first: bool) -> None:
    rng = np.random.default_rng(0)
    lengths = [4, 0, 2]
    x = rng.standard_normal((3, 5, I_)).astype("f")
    layer = nn.GRU(I_, H, 2, bidirectional=True, batch_first=batch_first)
    given = x if batch_first else x.swapaxes(0, 1)
    output, h_n, states = layer(given, lengths=lengths, all_states=True)
    output = output.numpy() if batch_first else output.numpy().swapaxes(0, 1)
    states = states.numpy() if batch_first else states.numpy().swapaxes(1, 2)
    assert states.shape == (4, 3, 5, H)
    assert np.array_equal(np.concatenate([states[2], states[3]], axis=-1), output)
    assert np.array_equal(h_n.numpy()[2, 0], output[0, 3, :H]) and np.array_equal(h_n.numpy()[3, 2], output[2, 0, H:])
    edge = nn.GRU(I_, H, 2, bidirectional=True, batch_first=batch_first, return_sequences=False, return_state=False)
    edge.load_state_dict(layer.state_dict())
    last = edge(given, lengths=lengths).numpy()
    assert np.array_equal(last[0], np.concatenate([output[0, 3, :H], output[0, 0, H:]])) and not last[1].any()
    whole = edge(given).numpy()
    full = layer(given)[0].numpy()
    full = full if batch_first else full.swapaxes(0, 1)
    assert np.array_equal(whole, np.concatenate([full[:, -1, :H], full[:, 0, H:]], axis=-1))
    assert not np.array_equal(whole, full[:, -1])  # the last place in time is not the last step of the backward direction


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
def test_merges_and_residuals(merge: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 2, I_)).astype("f")
    cell = nn.LSTMCell(I_, H)
    one = nn.Recurrent(cell, bidirectional=True, merge=merge)
    assert one.weight_ih_l0 is cell.weight_ih
    assert {name for name, _ in one.named_parameters()} == {f"{w}_l0{d}" for w in cell.weight_names for d in ("", "_reverse")}
    same = nn.LSTM(I_, H, bidirectional=True)
    same.load_state_dict(one.state_dict())
    a, b = np.split(same(x)[0].numpy(), 2, axis=-1)
    got = one(x)[0]
    if merge is None:
        assert np.array_equal(got[0].numpy(), a) and np.array_equal(got[1].numpy(), b)
    else:
        want = {"concat": np.concatenate([a, b], -1), "sum": a + b, "mul": a * b, "ave": (a + b) / 2}[merge]
        assert np.allclose(got.numpy(), want, atol=1e-7)
    deep = nn.GRU(I_, H, 2, residual=True)
    plain = nn.GRU(I_, H, 2)
    plain.load_state_dict(deep.state_dict())
    first = nn.GRU(I_, H)
    first.load_state_dict({key: value for key, value in plain.state_dict().items() if key.endswith("l0")})
    assert np.allclose(deep(x)[0].numpy(), plain(x)[0].numpy() + first(x)[0].numpy(), atol=1e-6)


def test_time_is_spent_on_valid_steps_alone() -> None:
    """As many rows go through the loop as there are valid steps."""
    found = packing("LSTM", (50, 6), [1, 0, 3, 3, 50, 2], None, False)
    assert found is not None
    assert found.batch_sizes.tolist() == [5, 4, 3, *[1] * 47]
    assert found.pack(mg.zeros(50, 6, I_)).shape == (59, I_)
    assert packing("LSTM", (50, 2), [50, 50], None, False) is None


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ({"lengths": [1, 2]}, ShapeError, r"LSTM: lengths has shape \(2,\), expected \(3,\)"),
        ({"lengths": [1, 2, 6]}, ShapeError, r"LSTM: lengths\[2\] is 6, but the input has 5 time steps"),
        ({"lengths": [1, -2, 5]}, ShapeError, r"LSTM: lengths\[1\] is -2"),
        ({"lengths": [1.0, 2.0, 3.0]}, DtypeError, "LSTM: lengths are whole numbers"),
        ({"mask": np.ones((3, 5), bool)}, ShapeError, r"LSTM: mask has shape \(3, 5\), expected \(5, 3\) = time, batch"),
        ({"mask": np.full((5, 3), 0.5)}, DtypeError, "LSTM: a mask is True where a step counts"),
        ({"mask": np.ones((5, 3), bool), "lengths": [1, 1, 1]}, TypeError, "give one of them"),
    ],
)
def test_mistakes_get_sentences(how: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        nn.LSTM(I_, H)(mg.zeros(5, 3, I_), **how)
    with pytest.raises(ShapeError, match="is one sequence"):
        nn.LSTM(I_, H)(mg.zeros(5, I_), lengths=[3])


def test_a_cell_says_what_is_wrong_with_its_function() -> None:
    with pytest.raises(TypeError, match="W='HxI' is no shape"):
        nn.cell(W="HxI")
    with pytest.raises(TypeError, match=r"takes \(h, x, W\), expected .*\(carry, x\)"):
        nn.cell()(lambda h, x, W: (h, h))
    with pytest.raises(TypeError, match=r"takes \(h\), expected .*\(carry, x, W\)"):
        nn.cell(W="H")(lambda h: (h, h))

    def step(h, x, W, *, gain=1.0):
        h = mg.tanh(h + gain * mg.linear(x, W))
        return h, h

    made = nn.cell(W="H I")(step)
    assert made(I_, H, gain=2.0).gain == 2.0
    with pytest.raises(TypeError, match="has the options gain"):
        made(I_, H, loss=1.0)
    with pytest.raises(TypeError, match="init names V"):
        nn.cell(init={"V": nn.init.zeros_}, W="H I")
    x = np.random.default_rng(0).standard_normal((4, 2, I_)).astype("f")
    layer, one = made(I_, H, gain=2.0), made.Cell(I_, H, gain=2.0)
    one.load_state_dict({"W": layer.W_l0.numpy()})
    h = None
    for t in range(4):
        h = one(x[t], h)
    assert np.allclose(layer(x)[1].numpy()[0], h.numpy(), atol=1e-6)
    layer(x)
    assert mg.scan_report().cached or not mg.scan_report().compiled
