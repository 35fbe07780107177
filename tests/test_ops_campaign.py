"""The campaign of operations in short, and proof that its comparisons can fail; `python campaigns/ops.py` is the long form."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import CALLS

from minigrad.op import elementwise
from minigrad.ops import cos

sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
import ops


@pytest.mark.parametrize("name", sorted(CALLS))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_operations_agree_with_autograd_on_other_numbers(name: str) -> None:
    """The samples with their numbers shuffled and scaled, in other layouts, with other cotangents."""
    tally = ops.tried(name, count=10, seed=20, start=1)
    assert tally.samples >= 10 and tally.oracle == "autograd"
    assert not tally.failures, "\n".join(tally.failures)


def sine(slope: Any) -> Any:
    """An operation like sin, but for its rule."""

    @elementwise(x=slope)
    def sin(x: Any) -> Any:
        """Sine."""
        return np.sin(x)

    return sin


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("value", elementwise(x=lambda g, x: g * cos(x))(lambda x: np.sin(x) + 1e-9)),
        ("first", sine(lambda g, x: g * cos(x) * (1.0 + 1e-9))),
        ("second", sine(lambda g, x: g * cos(x.detach()))),  # a constant to the second derivative
    ],
)
def test_a_wrong_operation_is_found(what: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CALLS, "sin", wrong)
    tally = ops.tried("sin", count=10)
    assert tally.failures and all(f"sin, {what}" in failure or "sin, second" in failure for failure in tally.failures)
    assert tally.worst[what] > 1e-10


def test_what_is_not_finite_must_be_the_same() -> None:
    for got, want in ((np.nan, 1.0), (1.0, np.nan), (np.inf, -np.inf), (np.inf, 1e308), (1.0, np.inf)):
        assert ops.by_element([got], [want]) == np.inf
    assert ops.by_element([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.0]) == 0.0
    assert ops.by_element([1.0], [[1.0]]) == np.inf
