"""The lesson on gates: its claim at a small size, its measurements against NumPy, its script by what a user sees."""

from __future__ import annotations

import re
import runpy
import sys

import numpy as np
import pytest
import scripts

import minigrad as mg


@pytest.fixture(scope="module")
def example():
    """The script as a module."""
    return scripts.load("memory.py")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a quick run, and what it printed."""
    out = tmp_path_factory.mktemp("memory")
    return out, scripts.run("memory.py", "--quick", "--out", out).stdout


def rows(text):
    """The table of right answers, and that of the gradients: kind -> numbers."""
    found = re.findall(r"^(tanh RNN|LSTM|GRU|chance) +(\d.*)$", text, re.MULTILINE)
    right = {kind: list(map(float, line.split())) for kind, line in found[:4]}
    return right, {kind: list(map(float, line.split())) for kind, line in found[4:]}


def test_gated_nets_learn_a_gap_that_a_tanh_rnn_does_not(trained):
    right, gradients = rows(trained[1])
    near, _, *far = range(5)  # gaps of 1, 5, 40, 80, 160 words
    assert right["tanh RNN"][near] > 99.0  # it does learn ...
    assert all(right["tanh RNN"][i] < 40.0 for i in far)  # ... what is near
    assert all(right[kind][i] >= 99.0 for kind in ("LSTM", "GRU") for i in (near, *far))
    assert right["chance"] == [12.5] * 5
    assert gradients["tanh RNN"][0] < 1e-6 and min(gradients["LSTM"] + gradients["GRU"]) > 1e-2


def test_a_tanh_rnn_can_hold_what_short_gaps_have_taught_it(example):
    """What --mixed shows: so it is the gradient that fails it, not the memory."""
    threads = mg.get_num_threads()
    mg.set_num_threads(1)
    net = example.Reader("tanh RNN")
    example.learn(net, [1, 2, 4, 8, 16, 40], 1000)
    assert example.accuracy(net, 40) > 0.9 and example.accuracy(net, 160) > 0.9
    mg.set_num_threads(threads)


def test_a_run_says_what_came_out_and_leaves_a_picture(trained):
    out, text = trained
    reached = {
        kind: max(gap for gap, share in zip((1, 5, 40, 80, 160), shares, strict=True) if share > 90)
        for kind, shares in rows(text)[0].items()
        if kind != "chance"
    }
    assert "up to: " + ", ".join(f"{kind} {gap}" for kind, gap in reached.items()) + "." in text
    assert [path.name for path in out.iterdir()] == ["memory.png"]
    assert (out / "memory.png").read_bytes().startswith(b"\x89PNG") and (out / "memory.png").stat().st_size > 20_000


def test_a_seed_is_a_run(tmp_path):
    first, again, other = (scripts.run("memory.py", "--quick", "--steps", 2, "--seed", s, "--out", tmp_path).stdout for s in (1, 1, 2))
    assert first == again != other


def test_only_the_first_word_tells(example):
    words, country = example.sentences(4000, 3)
    assert words.shape == (5, 4000)
    assert (words[0] == country).all() and set(country) == set(range(8))
    assert set(words[1:-1].ravel()) == set(range(8, 8 + len(example.FILLER)))  # no country among them
    assert (words[-1] == example.WORDS.index("speaks")).all()
    assert len(set(example.WORDS)) == len(example.WORDS) and len(set(example.LANGUAGES.values())) == 8
    for k in range(8):  # and what stands between is the same for each country: of 24 words each about a 24th
        share = np.bincount(words[1:-1, country == k].ravel(), minlength=len(example.WORDS))[8:-1] / (3 * (country == k).sum())
        assert abs(share - 1 / 24).max() < 0.03


def test_gates_start_open_for_as_long_as_they_should(example):
    def share(layer, gate):
        return 1 / (1 + np.exp(-layer.bias_ih_l0.numpy().reshape(-1, layer.hidden_size)[gate]))

    lstm, gru, rnn = mg.nn.LSTM(3, 4), mg.nn.GRU(3, 4), mg.nn.RNN(3, 4)
    before = rnn.bias_ih_l0.numpy().copy()
    for layer in (lstm, gru, rnn):
        example.gates(layer, 100)
    np.testing.assert_allclose(share(lstm, 1), 0.99, rtol=1e-5)
    np.testing.assert_allclose(share(lstm, 0), 0.01, rtol=1e-5)
    np.testing.assert_allclose(share(gru, 1), 0.99, rtol=1e-5)
    np.testing.assert_array_equal(rnn.bias_ih_l0.numpy(), before)


def test_the_gradients_norm_is_that_of_the_product_of_jacobians(example):
    """In an RNN: W_hh' diag(1 - h^2) for each step between, by NumPy alone."""
    net = example.Reader("tanh RNN", units=5)
    mg.manual_seed(3)
    words, country = example.sentences(64, 6)
    layer, E = net.layer, net.embedding.weight.numpy().astype(float)
    W_ih, W_hh, b, V, c = (
        np.asarray(array, float)
        for array in (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0 + layer.bias_hh_l0, net.head.weight, net.head.bias)
    )
    h, states = np.zeros((64, 5)), []
    for word in words:
        h = np.tanh(E[word] @ W_ih.T + b + h @ W_hh.T)
        states.append(h)
    p = np.exp(h @ V.T + c)
    g = (p / p.sum(axis=1, keepdims=True) - np.eye(8)[country]) @ V
    norms = []
    for h in reversed(states):
        norms.append(np.linalg.norm(g, axis=1).mean())
        g = (g * (1 - h**2)) @ W_hh
    mg.manual_seed(3)
    np.testing.assert_allclose(example.gradient_norms(net, 6), np.array(norms[::-1]) / norms[0], rtol=1e-4)


def test_the_reach_ends_at_the_first_gap_that_fails(example):
    assert example.reach([1, 5, 9], [1.0, 0.9, 0.95]) == 9
    assert example.reach([1, 5, 9], [1.0, 0.8, 0.95]) == 1
    assert example.reach([1, 5, 9], [0.1, 0.8, 0.95]) == 0


def test_a_picture_of_gradients_that_are_zero(example, tmp_path):
    """Float32 ends at 1e-45: a tanh RNN may have nothing left at its first steps."""
    norms = {kind: np.array([0.0, 1e-30, 1e-3, 1.0]) for kind in example.LAYERS}
    right = {kind: [1.0, 0.5, 0.1] for kind in example.LAYERS}
    path = tmp_path / "memory.png"
    assert example.memory_poster([1, 2, 4], 1, 0.125, right, dict.fromkeys(right, 1), {"before": norms, "after": norms}, path)
    assert path.exists()


def test_without_matplotlib_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(sys, "argv", ["memory.py", "--quick", "--steps", "1", "--mixed", "--out", str(tmp_path)])
    threads = mg.get_num_threads()
    runpy.run_path(str(scripts.EXAMPLES / "memory.py"), run_name="__main__")
    mg.set_num_threads(threads)
    assert "needs matplotlib" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["--steps", "0"], ["--seed", "-1"], ["--out", "file"], ["--sted", "1"]], ids=" ".join)
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path, words):
    (tmp_path / "file").write_text("")
    done = scripts.run("memory.py", *words, code=2, cwd=tmp_path)
    assert done.stderr.startswith("memory.py: ") and done.stderr.count("\n") == 1


def test_the_readme_shows_what_the_script_prints(trained):
    """Its head and the names of its rows; the numbers are of the long run."""
    lines = (scripts.ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for kind in ("tanh RNN", "LSTM", "GRU"):
        assert sum(line.startswith(f"{kind:17} ") for line in lines) == 2
    assert any(line.startswith("words in the gap ") for line in lines) and "\nwords in the gap " in trained[1]
    sentence = next(line for line in lines if line.startswith("What is left of the gradient"))
    assert sentence.replace("100 words", "40 words") in trained[1]
