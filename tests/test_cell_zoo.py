"""Cells of the user's own: each is its paper's equations in NumPy, runs compiled, and has gradients of first and second order."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scripts

import minigrad as mg
from minigrad.scan import COMPILED
from minigrad.testing import check_grads

ZOO = scripts.load("cell_zoo.py")
CELLS = ZOO.ABLATIONS | ZOO.OTHERS
T, B, I_, H = 5, 3, 2, 4
tanh = np.tanh


def s(a: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-a))


def relu(a: Any) -> Any:
    return np.where(a > 0.0, a, 0.0)


def lstm(w: Any, order: str, i: Any = None, f: Any = None, o: Any = None, g: Any = tanh, out: Any = tanh) -> Callable[..., Any]:
    """Greff's vanilla LSTM (peepholes where there are weights for them); i, f, o given in place of gates, g and out of activations."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        a = dict(zip(order, np.split(x @ w["W"].T + h @ w["R"].T + w["b"], len(order), axis=1), strict=True))

        def gate(name: str, given: Any, state: Any) -> Any:
            return s(a[name] + w.get("p_" + name, 0.0) * state) if given is None else given

        entry = gate("i", i, c)
        forget = 1.0 - entry if f == "coupled" else gate("f", f, c)
        c = g(a["z"]) * entry + c * forget
        h = out(c) * gate("o", o, c)
        return (h, c), h

    return step


def fgr(w: Any) -> Callable[..., Any]:
    def step(carry: Any, x: Any) -> Any:
        h, c, i, f, o = carry
        (zx, ix, fx, ox), (zh, ih, fh, oh) = np.split(x @ w["W"].T + w["b"], 4, axis=1), np.split(h @ w["R"].T, 4, axis=1)
        G = w["G"].reshape(3, H, 3, H)  # to gate, unit, from gate, unit
        gi, gf, go = (i @ G[k, :, 0].T + f @ G[k, :, 1].T + o @ G[k, :, 2].T for k in range(3))
        new_i, new_f = s(ix + ih + gi + w["p_i"] * c), s(fx + fh + gf + w["p_f"] * c)
        c = tanh(zx + zh) * new_i + c * new_f
        new_o = s(ox + oh + go + w["p_o"] * c)
        h = tanh(c) * new_o
        return (h, c, new_i, new_f, new_o), h

    return step


def mgu(w: Any) -> Callable[..., Any]:
    def step(h: Any, x: Any) -> Any:
        f = s(x @ w["W"][:H].T + h @ w["U_f"].T + w["b"][:H])
        n = tanh(x @ w["W"][H:].T + (f * h) @ w["U_n"].T + w["b"][H:])
        h = h + f * (n - h)
        return h, h

    return step


def janet(w: Any) -> Callable[..., Any]:
    def step(c: Any, x: Any) -> Any:
        a = x @ w["W"].T + c @ w["R"].T + w["b"]
        c = s(a[:, :H]) * c + (1.0 - s(a[:, :H] - 1.0)) * tanh(a[:, H:])
        return c, c

    return step


def ligru(w: Any) -> Callable[..., Any]:
    def step(h: Any, x: Any) -> Any:
        a = x @ w["W"].T + h @ w["R"].T + w["b"]
        h = relu(a[:, H:]) + s(a[:, :H]) * (h - relu(a[:, H:]))
        return h, h

    return step


def indrnn(w: Any) -> Callable[..., Any]:
    def step(h: Any, x: Any) -> Any:
        h = relu(x @ w["W"].T + h * w["u"] + w["b"])
        return h, h

    return step


def sru(w: Any) -> Callable[..., Any]:
    def step(c: Any, x: Any) -> Any:
        n, f, r, skip = np.split(x @ w["W"].T + w["b"], 4, axis=1)
        f, r = s(f + w["v_f"] * c), s(r + w["v_r"] * c)
        c = n + f * (c - n)
        return c, skip + r * (c - skip)

    return step


PLAIN: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "NIG": lambda w: lstm(w, "zfo", i=1.0),
    "NFG": lambda w: lstm(w, "zio", f=1.0),
    "NOG": lambda w: lstm(w, "zif", o=1.0),
    "NIAF": lambda w: lstm(w, "zifo", g=lambda a: a),
    "NOAF": lambda w: lstm(w, "zifo", out=lambda a: a),
    "NP": lambda w: lstm(w, "zifo"),
    "CIFG": lambda w: lstm(w, "zio", f="coupled"),
    "FGR": fgr,
    "MGU": mgu,
    "JANET": janet,
    "LiGRU": ligru,
    "IndRNN": indrnn,
    "SRU": sru,
}


def filled(cell: Any) -> Any:
    """A layer in float64, with other numbers in each weight."""
    layer, rng = cell(I_, H, dtype=np.float64), np.random.default_rng(7)
    for parameter in layer.parameters():
        parameter.assign_(0.7 * rng.standard_normal(parameter.shape))
    return layer


def test_the_zoo_has_greffs_eight_and_five_others():
    assert list(ZOO.ABLATIONS) == ["NIG", "NFG", "NOG", "NIAF", "NOAF", "NP", "CIFG", "FGR"]
    assert list(CELLS) == list(PLAIN)


@pytest.mark.parametrize("name", list(CELLS))
def test_each_cell_runs_compiled_and_is_its_equations(name):
    layer, rng = filled(CELLS[name]), np.random.default_rng(8)
    x = rng.standard_normal((T, B, I_))
    first = [rng.standard_normal((1, B, H)) for _ in layer.states]
    output, last = layer(x, tuple(map(mg.tensor, first)) if len(first) > 1 else mg.tensor(first[0]))
    assert mg.scan_report().compiled == COMPILED, mg.scan_report()
    step = PLAIN[name]({label.removesuffix("_l0"): p.numpy() for label, p in layer.named_parameters()})
    carry: Any = tuple(state[0] for state in first) if len(first) > 1 else first[0][0]
    for t in range(T):
        carry, y = step(carry, x[t])
        np.testing.assert_allclose(output.numpy()[t], y, rtol=0, atol=1e-12)
    ends = carry if isinstance(carry, tuple) else (carry,)
    for got, want in zip(last if isinstance(last, tuple) else (last,), ends, strict=True):
        np.testing.assert_allclose(got.numpy()[0], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", list(CELLS))
def test_gradients_of_first_and_second_order(name):
    layer = filled(CELLS[name])
    labels = list(layer.weight_names)
    rng = np.random.default_rng(9)
    first = [0.5 + np.abs(rng.standard_normal((B, H))) for _ in layer.states]  # IndRNN: h of 0 is relu's kink

    def two_steps(x: Any, states: Any, *weights: Any) -> Any:
        carry, named = (tuple(states) if len(states) > 1 else states[0]), dict(zip(labels, weights, strict=True))
        carry, y = type(layer).function(carry, x[0], **named)
        carry, z = type(layer).function(carry, x[1], **named)
        return [y, z, *(carry if isinstance(carry, tuple) else (carry,))]

    check_grads(two_steps, (mg.tensor(rng.standard_normal((2, B, I_))), [mg.tensor(f) for f in first], *layer.weights("_l0")))


@pytest.mark.parametrize("name", list(CELLS))
def test_the_gradient_of_the_compiled_loop_is_that_of_the_steps(name):
    layer, rng = filled(CELLS[name]), np.random.default_rng(10)
    x, seed = rng.standard_normal((T, B, I_)), mg.tensor(rng.standard_normal((T, B, H)))
    (layer(x)[0] * seed).sum().backward()
    got = {label: p.grad.numpy().copy() for label, p in layer.named_parameters()}
    layer.zero_grad()
    state, loss = None, 0.0
    for t in range(T):
        output, state = layer(x[t : t + 1], state)
        loss = loss + (output[0] * seed[t]).sum()
    loss.backward()
    for label, p in layer.named_parameters():
        np.testing.assert_allclose(got[label], p.grad.numpy(), rtol=0, atol=1e-12 * max(1.0, np.abs(got[label]).max()))


@pytest.mark.skipif(not COMPILED, reason="bits are a promise of the compiled loop")
def test_an_lstm_of_ones_own_has_the_bits_of_the_librarys():
    """In both directions and padded; nothing between the two knows which of them it runs."""
    own, theirs = (kind(I_, H, 2, bidirectional=True) for kind in (ZOO.NP, mg.nn.LSTM))
    for suffix in own.all_suffixes():
        i, f, g, o = np.split(theirs.state_dict()["weight_ih" + suffix].numpy(), 4)
        ih, fh, gh, oh = np.split(theirs.state_dict()["weight_hh" + suffix].numpy(), 4)
        ib, fb, gb, ob = np.split((getattr(theirs, "bias_ih" + suffix) + getattr(theirs, "bias_hh" + suffix)).numpy(), 4)
        rows = {"W": [g, i, f, o], "R": [gh, ih, fh, oh], "b": [gb, ib, fb, ob]}
        own.load_state_dict({label + suffix: np.concatenate(parts) for label, parts in rows.items()}, strict=False)
    x = np.random.default_rng(11).standard_normal((T, B, I_)).astype("f")
    (a, (h, c)), (b, (k, d)) = (layer(x, lengths=[T, 0, 2]) for layer in (own, theirs))
    for got, want in ((a, b), (h, k), (c, d)):
        np.testing.assert_array_equal(got.numpy(), want.numpy())


def test_the_vanilla_lstm_of_the_table_has_peepholes_as_greffs():
    names = {label for label, _ in ZOO.KNOWN["LSTM, peepholes"](I_, H).named_parameters()}
    assert names >= {"weight_ci_l0", "weight_cf_l0", "weight_co_l0"}


def test_a_cell_of_eight_lines_learns_to_add_on_the_compiled_path():
    """One of them, a little; the script trains all."""
    lines = inspect.getsource(ZOO.MGU.function).splitlines()
    assert len([line for line in lines if not line.strip().startswith('"""')]) <= 8
    mg.manual_seed(0)
    learned = ZOO.learn(ZOO.MGU, 250)
    assert learned["loss"] < 0.5 * ZOO.BASELINE and learned["compiled"] == COMPILED


def test_the_table(tmp_path):
    done = scripts.run("cell_zoo.py", "--quick", "--steps", 2, "--out", tmp_path / "zoo")
    assert (tmp_path / "zoo" / "cell_zoo.txt").read_text(encoding="utf-8") == done.stdout
    lines = re.findall(r"^(\S.*?) +([\d,]+) +(\d+\.\d+) +(\d+\.\d+)  (yes|no)$", done.stdout, re.MULTILINE)
    assert [line[0] for line in lines] == [*ZOO.KNOWN, *CELLS]
    assert all(line[4] == ("yes" if COMPILED else "no") for line in lines)
    sizes = {line[0]: int(line[1].replace(",", "")) for line in lines}
    assert sizes["LSTM, peepholes"] - sizes["NP"] == 3 * 32 + 4 * 32 and sizes["FGR"] - sizes["NIAF"] == (3 * 32) ** 2  # one bias, not two


@pytest.mark.parametrize("words", [["--steps", "0"], ["--out", "file"], ["--sted", "1"]], ids=" ".join)
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path, words):
    (tmp_path / "file").write_text("")
    done = scripts.run("cell_zoo.py", *words, code=2, cwd=tmp_path)
    assert done.stderr.startswith("cell_zoo.py: ") and done.stderr.count("\n") == 1
