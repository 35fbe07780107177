"""Masks inside a step (variational dropout, recurrent dropout, zoneout, weight drop) and a look at what a step has named (trace=True)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import inside
from minigrad.scan import settings

compiled = pytest.mark.skipif(mg.config.kernels() is None, reason="the compiled loop needs the compiled kernels")
I_, H, T, B = 3, 4, 5, 3
NOISES: dict[str, dict[str, Any]] = {
    "variational": {"variational": 0.4},
    "variational, parts": {"variational": (0.0, 0.5, 0.3)},
    "recurrent dropout": {"recurrent_dropout": 0.4},
    "zoneout": {"zoneout": 0.3},
    "weight drop": {"weight_drop": 0.4},
    "all": {"variational": 0.2, "recurrent_dropout": 0.2, "zoneout": 0.2, "weight_drop": 0.2},
}


@nn.cell(states="h c", W="2H I", U="2H H")
def own(carry, x, W, U):
    h, c = carry
    f, n = (mg.linear(x, W) + mg.linear(h, U)).split(2, axis=-1)
    f = mg.name("f", mg.sigmoid(f))
    c = f * c + (1.0 - f) * mg.name("n", mg.tanh(n))
    h = mg.tanh(c)
    return (h, c), h


KINDS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU, "four gates": nn.FourGateLSTM, "own": own}


def sigma(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def made(kind: str, noise: str, *args: Any, **settings: Any) -> Any:
    """The layer with that noise; an RNN has no gates whose candidate could be dropped."""
    noises = {key: p for key, p in NOISES[noise].items() if (kind, key) != ("RNN", "recurrent_dropout")}
    if not noises:
        with pytest.raises(ValueError, match="use variational"):
            nn.RNN(I_, H, recurrent_dropout=0.4)
        pytest.skip("an RNN has no candidate")
    return KINDS[kind](I_, H, *args, dtype=np.float64, **noises, **settings)


def run(layer: Any, x: Any, seed: int, second: bool = False, **how: Any) -> list[Any]:
    """Results and gradients, with the generator at `seed`."""
    layer.zero_grad()
    mg.manual_seed(seed)
    leaf = mg.tensor(x, requires_grad=True)
    output, last = layer(leaf, **how)[:2]
    loss = (output * output * mg.tensor(np.random.default_rng(5).standard_normal(output.shape))).sum()
    for state in last if isinstance(last, tuple) else (last,):
        loss = loss + (state * state).sum()
    inputs = [leaf, *layer.parameters()]
    loss.backward(create_graph=second)
    if second:
        total: Any = 0.0
        for tensor in inputs:
            total = total + (tensor.grad * tensor.grad).sum()
            tensor.grad = None
        total.backward()
    return [output.numpy(), *[tensor.grad.numpy().copy() for tensor in inputs]]


@compiled
@pytest.mark.parametrize("padded", [False, True], ids=["even", "padded"])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_the_same_in_every_replay(kind: str, noise: str, padded: bool, monkeypatch: Any) -> None:
    """Compiled, as a loop, and for second derivatives: one draw for a call, and equal results to rounding."""
    layer = made(kind, noise, 2, bidirectional=True)
    x = np.random.default_rng(0).standard_normal((T, B, I_))
    how = {"lengths": [5, 0, 3]} if padded else {}
    for second in (False, True):
        fast = run(layer, x, 1, second, **how)
        assert mg.scan_report().compiled, mg.scan_report()
        assert not np.array_equal(fast[0], run(layer, x, 2, second, **how)[0])
        monkeypatch.setattr(settings, "mode", "eager")
        loop = run(layer, x, 1, second, **how)
        monkeypatch.undo()
        for a, b in zip(fast, loop, strict=True):
            assert np.abs(a - b).max() <= 1e-10 * max(1.0, np.abs(b).max())


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("kind", KINDS)
def test_eval_is_the_plain_layer_but_for_zoneout(kind: str, noise: str) -> None:
    layer = made(kind, noise).eval()
    plain = KINDS[kind](I_, H, dtype=np.float64)
    plain.load_state_dict(layer.state_dict())
    x = np.random.default_rng(0).standard_normal((T, B, I_))
    output = layer(x)[0].numpy()
    assert np.array_equal(layer(x)[0].numpy(), output)
    assert np.array_equal(output, plain(x)[0].numpy()) == ("zoneout" not in NOISES[noise])


def test_the_lstm_with_every_mask_by_hand(monkeypatch: Any) -> None:
    drawn: list[Any] = []

    def kept(shape: Any, p: float, dtype: Any) -> Any:
        drawn.append((np.random.default_rng(len(drawn)).random(shape) >= p) / (1.0 - p))
        return mg.tensor(drawn[-1])

    monkeypatch.setattr(inside, "kept", kept)
    layer = nn.LSTM(I_, H, dtype=np.float64, variational=(0.2, 0.3, 0.4), recurrent_dropout=0.5, weight_drop=0.25)
    x = np.random.default_rng(9).standard_normal((T, B, I_))
    output, (h_n, c_n) = layer(x)
    entry, W_mask, hidden, candidate, out = drawn
    assert [mask.shape for mask in drawn] == [(B, I_), (4 * H, H), (B, H), (B, H), (B, H)]
    w = {name.removesuffix("_l0"): p.numpy() for name, p in layer.named_parameters()}
    h = c = np.zeros((B, H))
    for t in range(T):
        a = (x[t] * entry) @ w["weight_ih"].T + w["bias_ih"] + w["bias_hh"] + (h * hidden) @ (w["weight_hh"] * W_mask).T
        i, f, g, o = np.split(a, 4, axis=-1)
        c = sigma(f) * c + sigma(i) * (np.tanh(g) * candidate)
        h = sigma(o) * np.tanh(c)
        assert np.allclose(output.numpy()[t], h * out, atol=1e-12)
    assert np.allclose(h_n.numpy()[0], h) and np.allclose(c_n.numpy()[0], c)


def test_zoneout_keeps_places_of_the_states() -> None:
    layer = nn.LSTM(I_, 50, dtype=np.float64, zoneout=(0.5, 0.25))
    x = np.random.default_rng(0).standard_normal((T, B, I_))
    _, _, (h, c) = layer(x, all_states=True)
    for states, share in ((h.numpy()[0], 0.5), (c.numpy()[0], 0.25)):
        before = np.concatenate([np.zeros((1, B, 50)), states[:-1]])
        assert abs(np.mean(states == before) - share) < 0.06
    still = nn.GRU(I_, H, zoneout=1.0)
    start = mg.ones(1, B, H)
    assert np.array_equal(still(x.astype("f"), start)[1].numpy(), start.numpy())
    half = nn.RNN(I_, H, dtype=np.float64, zoneout=0.5).eval()
    w = {name: p.numpy() for name, p in half.named_parameters()}
    h = np.zeros((B, H))
    for t in range(T):
        h = 0.5 * h + 0.5 * np.tanh(x[t] @ w["weight_ih_l0"].T + h @ w["weight_hh_l0"].T + w["bias_ih_l0"] + w["bias_hh_l0"])
    assert np.allclose(half(x)[1].numpy()[0], h)


# ---- trace


GATES = {
    "RNN": set(),
    "LSTM": {"i", "f", "g", "o", "c"},
    "GRU": {"r", "z", "n"},
    "four gates": set("NifVU") | {"LTM", "STM"},
    "own": {"f", "n"},
}


@pytest.mark.parametrize("padded", [False, True], ids=["even", "padded"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_trace_changes_no_result_and_shows_all_names(kind: str, batch_first: bool, padded: bool) -> None:
    layer = KINDS[kind](I_, H, 2, bidirectional=True, batch_first=batch_first, dtype=np.float64)
    x = np.random.default_rng(0).standard_normal((B, T, I_) if batch_first else (T, B, I_))
    how = {"lengths": [5, 0, 3]} if padded else {}
    plain = run(layer, x, 0, **how)
    traced = run(layer, x, 0, **how, trace=True)
    for a, b in zip(traced, plain, strict=True):
        assert np.array_equal(a, b)
    seen = layer(x, **how, trace=True)[2]
    assert set(seen) == {gate + suffix for gate in GATES[kind] for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse")}
    assert all(value.shape == (*x.shape[:2], H) and not value.requires_grad for value in seen.values())


def test_traced_values_and_their_gradients() -> None:
    """Against the equations run one operation at a time, with the gradient of every gate retained."""
    layer = nn.LSTM(I_, H, dtype=np.float64)
    x = np.random.default_rng(0).standard_normal((T, B, I_))
    seed = np.random.default_rng(1).standard_normal((T, B, H))
    output, _, seen = layer(x, lengths=[5, 2, 4], trace=True)
    (output * seed).sum().backward()
    for b, length in enumerate([5, 2, 4]):
        w = {name.removesuffix("_l0"): p.detach().requires_grad_() for name, p in layer.named_parameters()}
        h, c = mg.zeros(1, H, dtype=np.float64), mg.zeros(1, H, dtype=np.float64)
        loss: Any = 0.0
        gates: dict[str, list[Any]] = {name: [] for name in "ifgoc"}
        for t in range(length):
            a = mg.linear(mg.tensor(x[t, b : b + 1]), w["weight_ih"], w["bias_ih"] + w["bias_hh"]) + mg.linear(h, w["weight_hh"])
            i, f, g, o = a.split(4, axis=-1)
            i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
            c = f * c + i * g
            for name, value in zip("ifgoc", (i, f, g, o, c), strict=True):
                value.retain_grad()
                gates[name].append(value)
            h = o * c.tanh()
            loss = loss + (h * seed[t, b]).sum()
        loss.backward()
        for name, values in gates.items():
            shown = seen[name + "_l0"]
            assert not shown.numpy()[length:, b].any() and not shown.grad.numpy()[length:, b].any()
            for t, value in enumerate(values):
                assert np.allclose(shown.numpy()[t, b], value.numpy()[0], atol=1e-12)
                assert np.allclose(shown.grad.numpy()[t, b], value.grad.numpy()[0], atol=1e-12), (name, t)


def test_trace_without_gradients_and_mistakes() -> None:
    layer = nn.GRU(I_, H)
    with mg.no_grad():
        seen = layer(np.zeros((T, B, I_), "f"), trace=True)[2]
    assert set(seen) == {"r_l0", "z_l0", "n_l0"} and all(value.grad is None for value in seen.values())

    @nn.cell(W="H I")
    def twice(h, x, W):
        h = mg.name("a", mg.name("a", mg.linear(x, W)) + h)
        return h, h

    with pytest.raises(ValueError, match="names two things 'a'"):
        twice(I_, H)(np.zeros((T, B, I_), "f"), trace=True)
    with pytest.raises(ValueError, match="zoneout is one probability or 2"):
        nn.LSTM(I_, H, zoneout=(0.1, 0.2, 0.3))
    with pytest.raises(ValueError, match="use variational"):
        nn.Recurrent(nn.RNNCell(I_, H), recurrent_dropout=0.2)
    with pytest.raises(ValueError, match="LSTM: variational: p is the probability"):
        nn.LSTM(I_, H, variational=1.5)


def test_masks_that_a_cell_has_no_place_for() -> None:
    """They would change nothing, and nobody would notice."""

    @nn.cell(W="H I", u="H")
    def bare(h, x, W, u):
        h = mg.tanh(mg.linear(x, W) + u * h)
        return h, h

    x = np.zeros((T, B, I_), "f")
    with pytest.raises(ValueError, match=r"^bare: recurrent_dropout acts on .* names none of them: write mg.name\(\"n\", ...\) around it$"):
        bare(I_, H, recurrent_dropout=0.2)(x)
    with pytest.raises(ValueError, match="^bare: weight_drop acts on matrices that multiply the state, and there are none$"):
        bare(I_, H, weight_drop=0.2)(x)
    bare(I_, H, recurrent_dropout=0.2, weight_drop=0.2).eval()(x)
