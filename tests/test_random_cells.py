"""The campaign of random cells in short, and proof that its comparison can fail; `python campaigns/random_cells.py` is the long form."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.scan import PASSES, run

sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
import _compare
import random_cells
from _maker import cell_of
from _shrink import shrunk

COMPILED = mg.config.kernels() is not None
compiled = pytest.mark.skipif(not COMPILED, reason="there is no plan to spoil without the compiled kernels")
CELLS = 80


@pytest.fixture(scope="module")
def tally():
    return random_cells.tried(range(CELLS))


def test_random_cells_are_the_loops_they_stand_for(tally):
    assert tally.cells == CELLS
    assert not tally.seeds, "\n".join(tally.mismatches)
    assert tally.allowed <= CELLS // 20


def test_random_cells_run_compiled_or_say_why_not(tally):
    reasons = tally.counters.get("ran as a loop", {})
    if COMPILED:
        assert tally.compiled >= CELLS - 1, reasons
    else:
        assert tally.compiled == 0
        assert dict(reasons) == {"the compiled kernels are missing or switched off": CELLS}


@compiled
def test_random_cells_reach_every_operation_and_every_pass(tally):
    steps, gradients = tally.counters["operations of steps"], tally.counters["operations of gradients"]
    assert set(steps) >= random_cells.TRACEABLE
    assert set(gradients) >= random_cells.RULES
    assert set(tally.counters["cells in which a pass did something"]) == set(PASSES)
    assert {"all on", "all off", *[f"{name} off" for name in PASSES]} == set(tally.counters["cells with passes off"])


# ---- the comparison can fail


def outcome(seed=1):
    """The arrays of a cell with gradients, and what the comparison says when one of them is spoiled."""
    cell = replace(cell_of(seed), second=False)
    want = _compare.run(cell, "eager").found

    def said(name, array):
        others = lambda: [_compare.run(cell, "eager", nudge=k).found for k in range(3)]  # noqa: E731
        return _compare.differences({**want, name: array}, want, others)

    return want, said


def test_a_small_error_is_found_in_any_array():
    want, said = outcome()
    assert any("gradient" in name for name in want)
    for name, array in want.items():
        if array is not None and array.any():
            wrong, _ = said(name, array * (1 + 1e-9))
            assert len(wrong) == 1
            assert name in wrong[0]
            assert said(name, array * (1 + 1e-15)) == ([], False)


def test_none_and_zeros_are_not_the_same():
    want, said = outcome()
    name = next(name for name, array in want.items() if "gradient" in name and array is not None)
    assert said(name, None) == ([f"{name}: None, the loop gives a tensor"], False)
    wrong, _ = _compare.differences({"a": np.zeros(2)}, {"a": None}, list)
    assert wrong == ["a: zeros, the loop gives None"]


def test_another_shape_dtype_or_number_of_results_is_found():
    want, said = outcome()
    name = next(iter(want))
    assert "float32" in said(name, want[name].astype("f"))[0][0]
    assert "(1, " in said(name, want[name][None])[0][0]
    assert "other results" in _compare.differences({}, want, list)[0][0]
    assert "off by inf" in said(name, want[name] * np.nan)[0][0]


def test_the_allowance_is_for_rounding_alone():
    """A sum that cancels to 1e-17: what a unit in the last place of its inputs changes is forgiven a hundredfold, no more."""
    want, other = {"a": np.array([1e-17])}, {"a": np.array([3e-17])}
    assert _compare.differences({"a": np.array([-8e-17])}, want, lambda: [other]) == ([], True)
    assert _compare.differences({"a": np.array([8e-15])}, want, lambda: [other])[0]


def test_too_little_of_anything_fails_a_long_campaign():
    short = random_cells.Tally(cells=100, compiled=50)
    assert random_cells.shortfalls(short) == []
    long = random_cells.Tally(cells=10_000, compiled=9_899, allowed=200)
    said = "\n".join(random_cells.shortfalls(long))
    for part in ("9899 of 10000", "200 of 10000", "0 times tanh,", "0 times sum_to,", "0 times fuse,"):
        assert part in said
    long = random_cells.Tally(cells=10_000, compiled=9_900, allowed=199)
    for table, names in (("operations of steps", random_cells.TRACEABLE), ("operations of gradients", random_cells.RULES)):
        long.count(table, *[name for name in names for _ in range(500)])
    long.count("cells in which a pass did something", *[name for name in PASSES for _ in range(500)])
    assert random_cells.shortfalls(long) == []
    long.seeds.append(7)
    assert random_cells.shortfalls(long) == ["1 mismatches"]


over_time, packed, dense, zeros = run.over_time, run.packed, run.dense, run.zeros


def one_step_late(*given):
    """What runs ahead of the loop, each result at the time step after its own."""
    found = over_time(*given)
    return mg.concatenate([found[-1:], found[:-1]])


def a_little_small(matrix, packs):
    """The matrix of a product in the loop, a millionth too small."""
    return packed(matrix * (1 - 1e-6), None)


def a_little_large(array, dtype):
    """What the loop is given, constants and gradients of its results among it, a millionth too large."""
    return dense(array * (1 + 1e-6), dtype)


def not_from_nothing(shape, dtype):
    """Memory for the gradient of a constant, which is a sum over time, that does not begin with 0."""
    return zeros(shape, dtype) + 1e-6


SPOILED = {"over_time": one_step_late, "packed": a_little_small, "dense": a_little_large, "zeros": not_from_nothing}


@compiled
@pytest.mark.parametrize(("name", "instead"), SPOILED.items(), ids=SPOILED)
def test_a_wrong_plan_is_found_and_made_small(name, instead, monkeypatch):
    monkeypatch.setattr(run, name, instead)
    cells = [cell for cell in map(cell_of, range(40)) if random_cells.wrong_in(cell).wrong]
    assert len(cells) >= 3
    cell = cells[0]
    small = shrunk(cell, lambda cell: random_cells.wrong_in(cell).wrong, seconds=1.0)
    assert random_cells.wrong_in(small).wrong
    assert len(small.body) < len(cell.body)


def test_a_seed_is_a_cell():
    assert str(cell_of(5)) == str(cell_of(5)) != str(cell_of(6))
    assert all(5 <= len(cell_of(seed).body) <= 40 for seed in range(50))
