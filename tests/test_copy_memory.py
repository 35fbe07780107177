"""Copy memory: an LSTM learns it at a small size, the baseline from its definition, the script."""

from __future__ import annotations

import math
import re
from functools import partial

import numpy as np
import pytest
import scripts

import minigrad as mg
from minigrad import nn
from minigrad.data import copy_memory

COPY = scripts.load("copy_memory.py")
GOAL = scripts.load("_goal.py")


class Said(nn.Module):
    """In place of a net: the scores of what it says at each step, by a function of all that it hears."""

    def __init__(self, say):
        super().__init__()
        self.say = say

    def forward(self, x):
        return mg.tensor(np.log(self.say(x) + 1e-30))


def without_memory(x):
    """Knows when to speak, and of what, but not what it has heard."""
    chances = np.zeros((*x.shape, 10))
    chances[:-10, :, 0] = 1.0
    chances[-10:, :, 1:9] = 1 / 8
    return chances


def with_memory(x):
    """Says again what it has heard first."""
    return np.eye(10)[np.concatenate([np.zeros_like(x[:-10]), x[:10]])]


def test_the_baseline_is_that_of_a_net_without_memory():
    x, y = copy_memory(20, 3000)
    assert GOAL.mean_loss(Said(without_memory), COPY.loss, x, y) == pytest.approx(10 * math.log(8) / 40, rel=1e-6)
    assert GOAL.mean_loss(Said(with_memory), COPY.loss, x, y) == pytest.approx(0.0, abs=1e-6)


def test_a_parrots_gates_start_open_for_as_long_as_the_sequence():
    bias = COPY.Parrot("LSTM", 40).layer.gate("f", "bias_ih_l0").numpy()
    assert bias.min() >= 0.0 and math.log(30) < bias.max() <= math.log(39)


def test_an_lstm_learns_to_say_two_symbols_again():
    threads = mg.get_num_threads()
    mg.set_num_threads(1)
    sequences = partial(copy_memory, 3, count=2)
    run = GOAL.learn(COPY.Parrot("LSTM", 7), sequences, COPY.loss, goal=COPY.GOAL, steps=300, batch=32, rate=0.03, asked=1000)
    mg.set_num_threads(threads)
    baseline = 2 * math.log(8) / 7  # no net is below it that does not remember
    assert run.curve[0][1] > 2 * baseline and run.loss < 0.3 * baseline


def test_the_script_prints_the_baseline_and_leaves_a_picture(tmp_path):
    kinds = ["tanh RNN", "LSTM, bias 1"]
    done = scripts.run("copy_memory.py", "--quick", "--nets", *kinds, "--out", tmp_path)
    assert "Without a memory: 0.56712; the goal: 0.02." in done.stdout
    lines = re.findall(r"^(\S.*?) +[\d.]+ \+- [\d.]+  (?:yes|no) +((?:[\d.]+ \(\d+\) *)+)$", done.stdout, re.MULTILINE)
    assert [kind for kind, _ in lines] == kinds and all(each.count("(") == 2 for _, each in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["copy_memory.png"]
    assert (tmp_path / "copy_memory.png").stat().st_size > 10_000
