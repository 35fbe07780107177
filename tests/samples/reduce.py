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


def having(found: list[Sample], **settings: Any) -> list[Sample]:
    """The same samples with more settings."""
    return [dataclasses.replace(sample, settings={**sample.settings, **settings}) for sample in found]


def spreads() -> list[Sample]:
    """Variances: of few elements and with any ddof; what has one element, or equal ones, is for the value alone or a kink."""
    found = [dataclasses.replace(s, kind="kink") if s.kind == "smooth" and flat(s) else s for s in reduction(tied=True, empty="extreme")]
    one = Sample((spaced(3, 1),), {"axis": 1, "ddof": 1}, "extreme")
    return [*found, *having(laid(spaced(3, 4), axis=1) + laid(spaced(3, 4)), ddof=1), Sample((spaced(5),), {"ddof": 1.5}), one]


def flat(sample: Sample) -> bool:
    """True where something is reduced that is one number, over and over."""
    x = sample.arrays(np.float64)[0]
    axis = sample.settings.get("axis")
    return bool(x.size) and bool(np.any(np.ptp(x, axis=tuple(axis) if isinstance(axis, list) else axis) == 0)) if x.ndim else True


ZEROS = np.array([[0.0, 2.0, -1.5], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [1.5, -2.0, 0.5]])


def multiplied() -> list[Sample]:
    """Products, with one zero among the factors, several, and none."""
    found = [Sample((ZEROS[:, [0, 1, 2, 2, 0]],), {"axis": axis, "keepdims": keep}) for axis in (None, 0, 1, -1) for keep in (False, True)]
    found += [Sample((np.array(row),)) for row in ([3.0, 0.0, -2.0, 0.5], [0.0], [1.0, 0.0, 0.0, 2.0], [0.0, 2.0])]
    return reduction(empty="smooth") + found


def lengths() -> list[Sample]:
    """Norms of every order; the zero vector, zeros among the elements and ties are kinks."""
    zeros = [Sample((ZEROS,), {"axis": axis, "ord": ord}, "kink") for axis in (None, 0, 1) for ord in (1, 1.5, 2, 3, np.inf)]
    found = reduction(empty="extreme") + having(reduction(empty="extreme"), ord=1) + having(reduction(), ord=3.5)
    found += [dataclasses.replace(s, kind="kink") if s.kind == "smooth" else s for s in having(reduction(), ord=np.inf)]  # -x ties with x
    found += laid(spaced(3, 4, positive=True), axis=1, ord=np.inf) + having(laid(spaced(3, 4), axis=1), ord=1.5)
    huge = np.array([[3e200, 4e200], [3e-200, 4e-200], [np.inf, 1.0], [np.nan, 1.0]])
    return [*found, *zeros, *[Sample((huge,), {"axis": 1, "ord": ord}, "extreme") for ord in (1, 2, 3, np.inf)]]


def truths() -> list[Sample]:
    """Elements that are all true, some of them, none; booleans and whole numbers."""
    mask = np.array([[True, False, True], [True, True, True], [False, False, False]])
    found = [Sample((array,), {"axis": axis}) for array in (mask, mask.astype(int), ZEROS) for axis in (None, 0, 1)]
    return reduction(tied=True, empty="smooth") + found


CLASSES = np.array([3, 0, 3])

LOGITS = np.array([[1e38, -1e38, 0.0, 1.0], [-np.inf, -np.inf, 2.0, 3.0], [750.0, -750.0, 0.0, 700.0]])

TABLES = [Sample((spaced(n, c), np.arange(n) % max(c, 1))) for n, c in ((5, 3), (1, 1), (0, 3), (2, 1))] + laid(spaced(3, 4), CLASSES)
TABLES += [Sample((spaced(3, 4), CLASSES.astype(np.int32))), Sample((LOGITS, CLASSES), kind="extreme")]

SAMPLES: dict[str, list[Sample]] = {
    "all": truths(),
    "any": truths(),
    "argmax": reduction(tied=True, tuples=False),
    "argmin": reduction(tied=True, tuples=False),
    "cross_entropy_grad": [Sample((spaced(len(s.args[1])), *s.args), {}, s.kind, s.layout) for s in TABLES],
    "cross_entropy_rows": TABLES,
    "log_softmax": along(reduction(empty="smooth")),
    "logsumexp": reduction(empty="extreme"),
    "max": reduction(tied=True),
    "mean": reduction(empty="extreme"),
    "min": reduction(tied=True),
    "norm": lengths(),
    "prod": multiplied(),
    "softmax": along(reduction(empty="smooth")),
    "std": spreads(),
    "sum": reduction(empty="smooth"),
    "var": spreads(),
}  # fmt: skip
