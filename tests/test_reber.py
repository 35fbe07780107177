"""The embedded Reber grammar: the claim at a small size, how strings are counted, the script."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scripts

import minigrad as mg
from minigrad.data import REBER, reber_next


@pytest.fixture(scope="module")
def example():
    """The script as a module."""
    return scripts.load("reber.py")


class Fixed:
    """In place of a net: likes one symbol at each step best, by a function of the string so far."""

    def __init__(self, choose):
        self.choose = choose

    def __call__(self, x, lengths):
        scores = np.zeros(x.shape, np.float32)
        for b, length in enumerate(lengths):
            string = "".join(REBER[k] for k in x[:length, b].argmax(axis=-1))
            for t in range(length):
                scores[t, b, REBER.index(self.choose(string[: t + 1]))] = 1.0
        return mg.tensor(scores)


def completions(example):
    """A few strings, and for each beginning of them what may follow."""
    some = example.strings(60)
    return some, {string[: t + 1]: legal for string in some for t, legal in enumerate(reber_next(string))}


def test_an_lstm_learns_the_grammar(example):
    threads = mg.get_num_threads()
    mg.set_num_threads(1)
    known = example.strings(2000)
    asked = example.strings(1000, known)
    curve = example.learn(example.Speller("LSTM"), known, asked, 800)
    mg.set_num_threads(threads)
    assert [step for step, _ in curve] == list(range(0, 801, 80)) and curve[0][1] < 0.1
    assert curve[-1][1] > 0.98  # of 1000 strings that it has not seen, each with all of its predictions legal


def test_strings_asked_are_new_and_different(example):
    known = example.strings(500)
    asked = example.strings(300, known)
    assert len(set(asked)) == 300 and not set(asked) & set(known)


def test_a_batch_is_the_symbols_and_their_next_ones(example):
    some = ["BTBTXSETE", "BPBPVVEPE", "BTBTSXSETE"]
    x, following, lengths = example.batch(some)
    assert x.shape == (9, 3, 7) and following.shape == (9, 3) and lengths.tolist() == [8, 8, 9]
    for b, string in enumerate(some):
        assert "".join(REBER[k] for k in x[: lengths[b], b].argmax(axis=-1)) == string[:-1]
        assert "".join(REBER[k] for k in following[: lengths[b], b]) == string[1:]
        assert (x[: lengths[b], b].sum(axis=-1) == 1.0).all() and not x[lengths[b] + 1 :, b].any()  # behind it E alone, not read
        assert (following[lengths[b] :, b] == example.PAD).all()


def test_a_string_is_right_if_all_of_it_is(example):
    some, legal = completions(example)
    assert example.share_right(Fixed(lambda begun: legal[begun][-1]), some) == 1.0
    forgetful = example.share_right(Fixed(lambda begun: "T" if set(legal[begun]) <= set("TP") else legal[begun][0]), some)
    inner = [string for string in some if string[1] == "T"]
    assert forgetful <= len(inner) / len(some)  # who always says T at the end
    assert example.share_right(Fixed(lambda begun: "E"), some) == 0.0


def test_guessing_by_hand(example):
    assert example.guessing(["BTBTXSETE"]) == pytest.approx(2 * 2 * 2 * 2 / 7**8)  # four steps with two ways, four with one


def test_the_script_prints_baselines_beside_seeds(tmp_path):
    done = scripts.run("reber.py", "--quick", "--steps", 2, "--out", tmp_path)
    for kind in ("LSTM", "tanh RNN"):
        (mean, shares) = re.search(rf"^{kind} +([\d.]+) \+- +[\d.]+ +seeds: +(.*)$", done.stdout, re.MULTILINE).groups()
        assert float(mean) == pytest.approx(np.mean([float(share) for share in shares.split()]), abs=0.1)
        assert len(shares.split()) == 2
    assert re.search(r"^no memory of the first +50\.0$", done.stdout, re.MULTILINE)
    assert re.search(r"^guessing +0\.0$", done.stdout, re.MULTILINE)
    assert (tmp_path / "reber.png").stat().st_size > 10_000


@pytest.mark.parametrize("words", [["--steps", "0"], ["--seeds", "0"], ["--out", "file"]], ids=" ".join)
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path, words):
    (tmp_path / "file").write_text("")
    done = scripts.run("reber.py", *words, code=2, cwd=tmp_path)
    assert done.stderr.startswith("reber.py: ") and done.stderr.count("\n") == 1
