"""The tasks made of random numbers: what their answers must be, from their definition alone."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.data import REBER, adding, copy_memory, reber, reber_next


def inner_strings(length: int) -> set[str]:
    """All strings of the grammar up to a length, from its diagram: written as edges, apart from the library's table."""
    edges = ["0B1", "1T2", "1P3", "2S2", "2X4", "3T3", "3V5", "4X3", "4S6", "5P4", "5V6", "6E7"]
    found, open_ends = set(), {("", "0")}
    for _ in range(length):
        open_ends = {(string + edge[1], edge[2]) for string, state in open_ends for edge in edges if edge[0] == state}
        found |= {string for string, state in open_ends if state == "7"}
    return found


@pytest.mark.parametrize("length", [2, 3, 30])
def test_adding_marks_one_number_in_each_half_and_sums_them(length):
    x, y = adding(length, 400)
    assert x.shape == (length, 400, 2) and y.shape == (400,) and x.dtype == y.dtype == np.float32
    assert (x[..., 1].sum(axis=0) == 2.0).all() and (x[: length // 2, :, 1].sum(axis=0) == 1.0).all()
    assert set(np.unique(x[..., 1])) <= {0.0, 1.0} and x[..., 0].min() >= 0.0 and x[..., 0].max() < 1.0
    for b in range(400):
        first, second = np.flatnonzero(x[:, b, 1])
        assert y[b] == x[first, b, 0] + x[second, b, 0]
    assert set(np.flatnonzero(x[..., 1].any(axis=1))) == set(range(length))  # every step is marked in some


def test_always_saying_one_costs_a_sixth_in_adding():
    _, y = adding(10, 100_000)
    assert ((y - 1.0) ** 2).mean() == pytest.approx(1 / 6, abs=0.003)


def test_adding_wants_two_steps():
    with pytest.raises(ValueError, match=r"length should be at least 2"):
        adding(1, 3)


def test_copy_memory_asks_for_what_was_said():
    x, y = copy_memory(20, 300)
    assert x.shape == y.shape == (40, 300)
    np.testing.assert_array_equal(y[-10:], x[:10])
    assert set(np.unique(x[:10])) == set(range(1, 9))
    assert (x[29] == 9).all() and (x == 9).sum() == 300  # the sign: ten steps are left
    assert not x[10:29].any() and not x[30:].any() and not y[:-10].any()
    with pytest.raises(ValueError, match=r"gap=0 has no room"):
        copy_memory(0, 1)


def test_reber_strings_are_those_of_the_grammar():
    legal = inner_strings(9)
    assert len(legal) == len(set(legal)) > 20
    drawn = [reber(embedded=False) for _ in range(4000)]
    assert {string for string in drawn if len(string) <= 9} == legal  # all of them, and no other
    assert all(set(string) <= set(REBER) for string in drawn)


def test_embedded_reber_strings_end_with_what_they_began_with():
    drawn = [reber() for _ in range(500)]
    assert all(s[0] == "B" and s[-1] == "E" and s[1] == s[-2] and s[1] in "TP" for s in drawn)
    assert 0.4 < np.mean([s[1] == "T" for s in drawn]) < 0.6


def test_what_may_come_next_is_what_does_come_next():
    """By what is seen after each beginning, in all short strings."""
    strings = ["B" + branch + inner + branch + "E" for branch in "TP" for inner in inner_strings(12)]
    for string in strings[::7]:
        legal = reber_next(string)
        assert len(legal) == len(string) - 1
        for t, symbols in enumerate(legal[: min(8, len(legal))]):
            begun = string[: t + 1]
            assert {other[t + 1] for other in strings if other.startswith(begun) and len(other) > t + 1} == set(symbols), (string, t)


@pytest.mark.parametrize("string", ["", "B", "BTBTXSEPE", "BTBTXSETT", "BTBTXSTE", "BXBTXSEXE", "BTBTXSEETE"])
def test_a_string_that_is_none_is_refused(string):
    with pytest.raises(ValueError, match=r"no string of the embedded Reber grammar"):
        reber_next(string)


def test_the_seed_decides():
    def draws(seed):
        mg.manual_seed(seed)
        return adding(5, 4)[0].tolist(), copy_memory(3, 4)[0].tolist(), [reber() for _ in range(20)]

    assert draws(1) == draws(1) != draws(2)
