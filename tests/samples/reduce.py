"""Samples of the operations that reduce axes or work along one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .making import Sample, laid, spaced


def reduction(tied: bool = False, empty: str = "", tuples: bool = True) -> list[Sample]:
    """An operation over `axis` with `keepdims`. `empty` is the kind of a sample that reduces nothing, if that has a value."""
    axes: list[Any] = [None, 0, 1, -1, -3]
    if tuples:
        axes += [(0, 2), (-1, 0), (1,), (), [0, 1]]
    found = [Sample((spaced(2, 3, 4),), {"axis": axis, "keepdims": keep}) for axis in axes for keep in (False, True)]
    found += [Sample((spaced(5),)), Sample((spaced(5),), {"axis": -1}), Sample((spaced(1, 1),), {"axis": 0})]
    found += [Sample((spaced(),)), Sample((spaced(),), {"axis": -1})]
    found += laid(spaced(3, 4), axis=0, tied=tied) + laid(spaced(3, 4), axis=-1) + laid(spaced(3, 4), tied=tied)
    found += [Sample((spaced(0, 3),), {"axis": 1}), Sample((spaced(2, 0, 3),), {"axis": 0, "keepdims": True})]
    ties = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    found += [Sample((ties,), {"axis": axis}, "kink" if tied else "smooth") for axis in (None, -1, 0)]
    if empty:
        found += [Sample((spaced(0),), kind=empty), Sample((spaced(2, 0),), {"axis": 1}, empty)]
    rows = np.array([[-np.inf] * 3, [1e38, -1e38, 0.0], [np.inf, 1.0, 2.0], [np.nan, 1.0, np.inf], [-np.inf, 0.0, 750.0]])
    return found + [Sample((rows,), {"axis": axis}, "extreme") for axis in (None, 0, -1)]


def along(found: list[Sample]) -> list[Sample]:
    """The samples of a reduction for an operation that has one axis and no keepdims."""
    return [
        dataclasses.replace(sample, settings={"axis": sample.settings["axis"]} if "axis" in sample.settings else {})
        for sample in found
        if isinstance(sample.settings.get("axis", 0), int) and not sample.settings.get("keepdims")
    ]


CLASSES = np.array([3, 0, 3])

LOGITS = np.array([[1e38, -1e38, 0.0, 1.0], [-np.inf, -np.inf, 2.0, 3.0], [750.0, -750.0, 0.0, 700.0]])

TABLES = [Sample((spaced(n, c), np.arange(n) % max(c, 1))) for n, c in ((5, 3), (1, 1), (0, 3), (2, 1))] + laid(spaced(3, 4), CLASSES)
TABLES += [Sample((spaced(3, 4), CLASSES.astype(np.int32))), Sample((LOGITS, CLASSES), kind="extreme")]

SAMPLES: dict[str, list[Sample]] = {
    "argmax": reduction(tied=True, tuples=False),
    "cross_entropy_grad": [Sample((spaced(len(s.args[1])), *s.args), {}, s.kind, s.layout) for s in TABLES],
    "cross_entropy_rows": TABLES,
    "log_softmax": along(reduction(empty="smooth")),
    "logsumexp": reduction(empty="extreme"),
    "max": reduction(tied=True),
    "mean": reduction(empty="extreme"),
    "softmax": along(reduction(empty="smooth")),
    "sum": reduction(empty="smooth"),
}  # fmt: skip
