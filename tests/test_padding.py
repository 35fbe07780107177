"""The campaign of padded batches in short, every cell and option with lengths and with holes, and proof that it can fail."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn.sequences import Packing

sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
import padding

pytestmark = pytest.mark.skipif(mg.config.kernels() is None, reason="bits of rows are a promise of the compiled kernels")


@pytest.mark.parametrize("label", padding.VARIANTS)
def test_each_sequence_has_the_bits_it_has_alone(label: str) -> None:
    """Six batches of each cell."""
    tally = padding.Tally()
    for seed in range(1, 7):
        padding.compare(padding.batch_of(1000 + seed, label=label), tally)
    assert not tally.failures, "\n".join(tally.failures)
    assert tally.arrays > 100


def test_batches_are_of_every_kind() -> None:
    """What is drawn for the 500 batches of the campaign leaves out nothing."""
    batches = [padding.batch_of(seed) for seed in range(500)]
    assert {batch.label for batch in batches} == set(padding.VARIANTS)
    for name, kinds in {
        "layers": {1, 2, 3},
        "both": {True, False},
        "merge": {"concat", "sum", "mul", "ave", None},
        "residual": {True, False},
        "batch_first": {True, False},
        "dtype": set(padding.BOUNDS),
        "asked": {"outputs", "edge", "states"},
        "pattern": {"lengths", "mask of lengths", "holes", "nothing"},
        "filling": set(padding.FILLINGS),
    }.items():
        assert {getattr(batch, name) for batch in batches} == kinds, name
    lengths = [batch.mask().sum(axis=0) for batch in batches]
    assert sum((counts == 0).any() for counts in lengths) > 100
    assert sum(len(set(counts)) < len(counts) for counts in lengths) > 100


def broken_order(packing: Packing, mask: Any) -> None:
    """Two neighbouring steps of a packed batch change places."""
    if len(packing.index) > 1:
        packing.index[:2] = packing.index[1::-1].copy()


def broken_end(packing: Packing, mask: Any) -> None:
    """Last states go to the wrong sequences."""
    packing.final = np.roll(packing.final, 1)


def broken_start(packing: Packing, mask: Any) -> None:
    """First states come from the wrong sequences."""
    packing.rows = packing.rows[::-1].copy()


@pytest.mark.parametrize("fault", [broken_order, broken_end, broken_start], ids=lambda fault: fault.__name__)
def test_a_fault_is_seen(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Packing.__init__

    def wrong(self: Packing, mask: Any, *rest: Any) -> None:
        right(self, mask, *rest)
        fault(self, mask)

    monkeypatch.setattr(Packing, "__init__", wrong)
    tally = padding.Tally()
    for seed in range(1, 9):
        padding.compare(padding.batch_of(seed), tally)
    assert len(tally.failures) >= 3
