"""The adding problem: a GRU and the guide's own cell learn it at a small size, what is counted, the script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import scripts

import minigrad as mg
from minigrad import nn
from minigrad.data import adding
from minigrad.scan import COMPILED

ADDING = scripts.load("adding.py")
GOAL = scripts.load("_goal.py")
KINDS = ["GRU", "LSTM", "MGU", "tanh RNN"]
LINE = rf"^({'|'.join(KINDS)}) +([\d.]+) \+- ([\d.]+)  (yes|no) +(.+)$"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = mg.get_num_threads()
    mg.set_num_threads(1)
    yield
    mg.set_num_threads(threads)


def trained(kind):
    """What becomes of a net of this kind that is to add two of twelve numbers."""
    sequences = partial(adding, 12)
    return GOAL.learn(ADDING.Adder(kind, 12), sequences, nn.mse_loss, goal=0.02, steps=400, batch=32, rate=0.01, asked=1000)


def guide_cell():
    """The lines under the first `nn.cell` of the guide, as a user would copy them."""
    guide = (scripts.ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(>>> @nn\.cell\(.*?)\n\n```", guide, re.DOTALL)
    assert block is not None
    return [line[4:] for line in block[1].splitlines()]


def test_a_gru_learns_to_add():
    run = trained("GRU")
    assert run.loss < ADDING.BASELINE / 8 and run.curve[0][1] > 0.1 and run.compiled == COMPILED


def test_the_cell_of_the_guide_is_eight_lines_at_most_and_learns_to_add_compiled(monkeypatch):
    lines = guide_cell()
    assert 4 <= len(lines) <= 8
    names = {"mg": mg, "nn": nn}
    exec("\n".join(lines), names)
    monkeypatch.setitem(ADDING.LAYERS, "guide", names["MGU"])
    run = trained("guide")
    assert run.loss < ADDING.BASELINE / 8
    assert run.compiled == COMPILED, mg.scan_report()


def test_always_saying_one_is_the_baseline():
    class One(nn.Module):
        def forward(self, x):
            return mg.ones(x.shape[1])

    x, sums = adding(30, 20_000)
    assert GOAL.mean_loss(One(), nn.mse_loss, x, sums) == pytest.approx(ADDING.BASELINE, rel=0.03)


def test_the_mean_is_over_all_sequences_whatever_they_are_cut_into():
    x, sums = adding(7, 3000)
    net = ADDING.Adder("GRU", 7)
    with mg.no_grad():
        want = ((net(x).numpy() - sums) ** 2).mean()
    assert GOAL.mean_loss(net, nn.mse_loss, x, sums) == pytest.approx(want, rel=1e-5)


def test_who_has_reached_half_of_the_goal_stops_and_is_asked_something_else():
    given = []

    def sequences(count):
        given.append(adding(6, count))
        return given[-1]

    run = GOAL.learn(ADDING.Adder("GRU", 6), sequences, nn.mse_loss, goal=100.0, steps=400, batch=8, rate=0.01, asked=700)
    assert [step for step, _ in run.curve] == [0, 50]
    assert [len(y) for _, y in given] == [1000] + [8] * 50 + [700]
    assert run.loss != run.curve[-1][1] and len({x.tobytes() for x, _ in given}) == len(given)


def test_a_line_has_mean_and_spread_of_the_seeds():
    runs = [GOAL.Run([(0, 1.0)], loss, seconds, True) for loss, seconds in ((0.001, 10.2), (0.003, 19.9))]
    kind, mean, spread, compiled, each = re.match(LINE, GOAL.line("GRU", runs)).groups()
    assert (kind, float(mean), float(spread), compiled) == ("GRU", 0.002, 0.001, "yes")
    assert re.findall(r"([\d.]+) \((\d+)\)", each) == [("0.00100", "10"), ("0.00300", "20")]
    assert "  no " in GOAL.line("GRU", [runs[0], runs[1]._replace(compiled=False)])


def test_the_script_prints_the_baseline_and_each_seed_and_leaves_a_picture(tmp_path):
    done = scripts.run("adding.py", "--quick", "--out", tmp_path)
    lines = re.findall(LINE, done.stdout, re.MULTILINE)
    assert [line[0] for line in lines] == KINDS and "Always saying 1: 0.16667; the goal: 0.001." in done.stdout
    for _, mean, spread, compiled, each in lines:
        losses = [float(loss) for loss, _ in re.findall(r"([\d.]+) \((\d+)\)", each)]
        assert len(losses) == 2 and compiled == ("yes" if COMPILED else "no")
        assert float(mean) == pytest.approx(np.mean(losses), abs=2e-5) and float(spread) == pytest.approx(np.std(losses), abs=2e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["adding.png"]
    assert (tmp_path / "adding.png").read_bytes().startswith(b"\x89PNG") and (tmp_path / "adding.png").stat().st_size > 10_000


def test_kinds_and_seeds_can_be_chosen(tmp_path):
    done = scripts.run("adding.py", "--quick", "--steps", 1, "--nets", "MGU", "tanh RNN", "--seeds", 1, "--out", tmp_path)
    assert [line[0] for line in re.findall(LINE, done.stdout, re.MULTILINE)] == ["MGU", "tanh RNN"]


WRONG = [["--steps", "0"], ["--seeds", "0"], ["--nets", "LSTMs"], ["--out", "file"]]


@pytest.mark.parametrize("script", ["adding.py", "copy_memory.py"])
@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path, script, words):
    (tmp_path / "file").write_text("")
    done = scripts.run(script, *words, code=2, cwd=tmp_path)
    assert done.stderr.startswith(f"{script}: ") and done.stderr.count("\n") == 1
