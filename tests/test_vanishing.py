"""The vanishing gradient: what is measured against NumPy, the claims of the page at their full size before training, the script."""

from __future__ import annotations

import re
import runpy
import sys

import numpy as np
import pytest
import scripts

import minigrad as mg
from minigrad import nn

KINDS = ["tanh RNN", "GRU", "LSTM, bias 0", "LSTM, bias 1", "LSTM, bias 5"]
COLUMNS = ["way", "before", "after", "error"]


@pytest.fixture(scope="module")
def example():
    """The script as a module."""
    return scripts.load("vanishing.py")


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The folder of a quick run, and what it printed."""
    out = tmp_path_factory.mktemp("vanishing")
    return out, scripts.run("vanishing.py", "--quick", "--out", out).stdout


def table(text):
    """kind -> for each column (mean, least, most)."""
    column = r" +([^ ]+) ([^ ]+) to ([^ ]+)"
    found = re.findall(rf"^({'|'.join(KINDS)}) {column * 4} *$", text, re.MULTILINE)
    assert [line[0] for line in found] == KINDS
    return {kind: dict(zip(COLUMNS, np.array(numbers, float).reshape(4, 3), strict=True)) for kind, *numbers in found}


def test_before_training_only_the_lstm_of_bias_5_has_a_gradient_left(quick):
    left = {kind: columns["before"][0] for kind, columns in table(quick[1]).items()}
    assert left["tanh RNN"] < 1e-17 and left["GRU"] < 1e-16 and left["LSTM, bias 0"] < 1e-16
    assert 1e-10 < left["LSTM, bias 1"] < 1e-4 and 0.1 < left["LSTM, bias 5"] < 50.0


def test_the_way_is_about_the_gate_of_the_bias_to_the_power_of_the_steps(quick):
    way = {kind: columns["way"][0] for kind, columns in table(quick[1]).items()}
    for kind, bias in (("LSTM, bias 0", 0), ("LSTM, bias 1", 1), ("LSTM, bias 5", 5)):
        assert abs(np.log10(way[kind]) - 99 * np.log10(1 / (1 + np.exp(-bias)))) < 1.5
    assert way["tanh RNN"] > 1e-3  # tanh' alone would not do it


def test_what_is_left_in_an_rnn_is_a_matter_of_w_hh(example):
    """About its largest eigenvalue to the power of the steps, which is why seeds are powers of ten apart."""
    eigenvalues, left = [], []
    for seed in range(8):
        mg.manual_seed(seed)
        net = example.Net("tanh RNN")
        left.append(np.log10(example.measure(net)["loss"][0]))
        eigenvalues.append(np.log10(abs(np.linalg.eigvals(net.layer.weight_hh_l0.numpy())).max()))
    assert np.ptp(left) > 2.0 and np.corrcoef(left, eigenvalues)[0, 1] > 0.9
    np.testing.assert_allclose(left, 99 * np.array(eigenvalues), rtol=0, atol=3.5)


def test_the_more_input_an_rnn_has_the_less_is_left(example):
    """As docs/articles.md has it: its tanh is further from 0."""
    left = []
    for inputs in (2, 16):
        norms = []
        for seed in range(40):
            mg.manual_seed(seed)
            layer = nn.RNN(inputs, 64, dtype=np.float64)
            h, w = mg.tensor(np.zeros((1, 8, 64)), requires_grad=True), mg.random.generator.normal(size=(1, 8, 64))
            (layer(mg.random.generator.normal(size=(99, 8, inputs)), h)[1] * w).sum().backward()
            norms.append(np.linalg.norm(h.grad.numpy()) / np.linalg.norm(w))
        left.append(np.log10(example.geometric(norms)))
    np.testing.assert_allclose(left, [-23.0, -26.2], rtol=0, atol=1.0)


def test_what_has_no_gradient_can_learn_all_the_same(example):
    """A GRU for half of the script's steps; there the LSTM of bias 0 does too."""
    threads = mg.get_num_threads()
    mg.set_num_threads(1)
    net = example.Net("GRU")
    before = example.measure(net)
    example.learn(net, 400)
    after = example.measure(net)
    mg.set_num_threads(threads)
    assert before["loss"][0] < 1e-16 and before["error"] > 0.9
    assert after["loss"][0] > 1e-3 and after["error"] < 0.3


def test_the_mark_says_which_number(example):
    for gap in (None, 99, 1):
        x, marked = example.signals(500, gap)
        assert x.shape == (100, 500, 2) and x.dtype == np.float32
        assert (x[..., 1].sum(axis=0) == 1.0).all() and abs(x[..., 0]).max() <= 1.0
        at = x[..., 1].argmax(axis=0)
        np.testing.assert_array_equal(marked, x[at, np.arange(500), 0])
        gaps = 99 - at
        assert (gaps == gap).all() if gap else (gaps.min() == 1 and gaps.max() > 90 and 5 < np.median(gaps) < 20)
    assert marked.var() == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_the_factors_are_the_gates_by_numpy(example, kind):
    net = example.Net(kind)
    x, _ = example.signals(4)
    layer = net.layer
    h = layer(x)[0].numpy().astype(float)
    before = np.concatenate([np.zeros((1, 4, 64)), h[:-1]])
    W, R, b = layer.weight_ih_l0.numpy(), layer.weight_hh_l0.numpy(), layer.bias_ih_l0.numpy() + layer.bias_hh_l0.numpy()
    a = x @ W.T + before @ R.T + b
    want = 1 - np.tanh(a) ** 2 if kind == "tanh RNN" else 1 / (1 + np.exp(-a[..., 64:128]))
    np.testing.assert_allclose(example.factors(layer, x), want, rtol=0, atol=1e-5)


def test_the_way_is_their_product_to_the_end(example, monkeypatch):
    factors = np.random.default_rng(0).random((100, 32, 64))
    monkeypatch.setattr(example, "factors", lambda layer, x: factors)
    way = example.measure(example.Net("GRU"))["way"]
    assert way.shape == (100,) and way[99] == 1.0
    for t in (0, 40, 98):
        assert way[t] == pytest.approx(np.prod(factors[t + 1 :], axis=0).mean(), rel=1e-12)


def test_the_gradients_norm_is_that_of_the_product_of_jacobians(example):
    """In the RNN: W_hh' diag(1 - h^2) for each step between, by NumPy alone."""
    net = example.Net("tanh RNN")
    mg.manual_seed(3)
    norms = example.measure(net)["loss"]
    mg.manual_seed(3)
    x, marked = example.signals(32, 99)
    layer = net.layer
    W, R, b, V, c = (
        np.asarray(array, float)
        for array in (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0 + layer.bias_hh_l0, net.head.weight, net.head.bias)
    )
    h, states = np.zeros((32, 64)), []
    for step in x:
        h = np.tanh(step @ W.T + h @ R.T + b)
        states.append(h)
    g = (h @ V.T + c - marked[:, None]) * V
    want = []
    for h in reversed(states):
        want.append(np.linalg.norm(g, axis=1).mean())
        g = (g * (1 - h**2)) @ R
    np.testing.assert_allclose(norms, np.array(want[::-1]) / want[0], rtol=1e-3)


def seeds(kinds):
    """What `measure` would give for each kind and seed: kind -> [(loss, error), ...]."""
    return {kind: [{"way": np.ones(3), "loss": np.array([a, 0.5, 1.0]), "error": b} for a, b in runs] for kind, runs in kinds.items()}


def test_the_lesson_says_what_the_numbers_bear_out(example):
    before = seeds({"A": [(1e-22, 1.0), (1e-18, 1.0)], "B": [(1e-20, 1.0)] * 2, "C": [(2.0, 1.0)] * 2, "D": [(2.0, 1.0)] * 2})
    after = seeds({"A": [(1.0, 0.01), (1.0, 0.9)], "B": [(1e-9, 1.0)] * 2, "C": [(1.0, 0.5), (1.0, 0.1)], "D": [(1.0, 0.05)] * 2})
    text = example.lesson(before, after)
    assert "in: A; B." in text and "(error below 0.2): A, 1 of 2 seeds." in text and "not enough, in: C, 1 of 2 seeds." in text
    assert "D" not in text and "across that gap" not in example.lesson(before, before)


def test_a_line_has_means_of_exponents_and_of_errors(example):
    before, after = seeds({"GRU": [(1e-20, 1.0), (1e-24, 1.0)]})["GRU"], seeds({"GRU": [(4.0, 0.1), (1.0, 0.3)]})["GRU"]
    numbers = [float(word) for word in example.line("GRU", before, after).split() if word[0].isdigit()]
    assert numbers == [1.0, 1.0, 1.0, 1e-22, 1e-24, 1e-20, 2.0, 1.0, 4.0, 0.2, 0.1, 0.3]


def test_a_run_leaves_a_picture_and_comes_out_the_same_again(quick, tmp_path):
    out, text = quick
    assert [path.name for path in out.iterdir()] == ["vanishing.png"]
    assert (out / "vanishing.png").read_bytes().startswith(b"\x89PNG") and (out / "vanishing.png").stat().st_size > 20_000
    one, again = (scripts.run("vanishing.py", "--seeds", 1, "--steps", 2, "--out", tmp_path).stdout for _ in range(2))
    assert one == again
    for spread, span in ((table(one), 0.0), (table(text), 1e-22)):
        assert np.ptp(spread["tanh RNN"]["before"]) >= span
    assert table(one)["GRU"]["before"][0] in table(text)["GRU"]["before"]  # seed 0 is one of both


def test_without_matplotlib_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(sys, "argv", ["vanishing.py", "--quick", "--steps", "1", "--seeds", "1", "--out", str(tmp_path)])
    threads = mg.get_num_threads()
    runpy.run_path(str(scripts.EXAMPLES / "vanishing.py"), run_name="__main__")
    mg.set_num_threads(threads)
    assert "needs matplotlib" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["--steps", "0"], ["--seeds", "0"], ["--out", "file"], ["--sted", "1"]], ids=" ".join)
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path, words):
    (tmp_path / "file").write_text("")
    done = scripts.run("vanishing.py", *words, code=2, cwd=tmp_path)
    assert done.stderr.startswith("vanishing.py: ") and done.stderr.count("\n") == 1
