"""Samples of the operations that read and write elements by place."""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import MASK
from .making import Sample, laid, spaced

INDEXED: list[tuple[tuple[int, ...], Any]] = [
    ((5,), [0, 2]),
    ((3, 4), 1), ((3, 4), -1), ((3, 4), np.int64(1)), ((3, 4), (2, 3)), ((3, 4), slice(None, None, -1)), ((3, 4), slice(2, 2)),
    ((3, 4), (slice(1, 3), slice(0, 4, 2))), ((3, 4), (Ellipsis, 0)), ((3, 4), (None, slice(None), None, 2)), ((3, 4), Ellipsis),
    ((3, 4), ()), ((), ()), ((), (None,)), ((0, 3), slice(None)), ((3, 4), True),
    ((3, 4), np.array([0, 2, 2, 0, 0])), ((3, 4), np.array([], int)), ((3, 4), (slice(None), np.array([[1, 1], [3, -4]]))),
    ((3, 4), (np.array([0, 0, 1]), np.array([2, 2, 3]))), ((2, 3, 4), (np.array([0, 1, 0]), slice(None), np.array([1, 1, 1]))),
    ((2, 3, 4), (1, slice(None), [0, 0])), ((3, 4), MASK), ((3, 4), (MASK[:, 0], 1)), ((3, 4), np.zeros((3, 4), bool)),
]  # fmt: skip

TAKEN: list[tuple[tuple[int, ...], Any, dict[str, Any]]] = [
    ((5, 3), np.array([0, 4]), {}), ((5, 3), np.array([1, 1, 3, 1, -4]), {}), ((5, 3), np.array([[1, 0], [1, 2]]), {"axis": 1}),
    ((2, 3, 4), np.array([0, 0, 2]), {"axis": -2}), ((5,), np.array([[4, 4, 0]]), {}), ((5, 3), np.array([3, 3], np.int32), {}),
    ((5, 3), 2, {}), ((5, 3), np.array(2), {}), ((5, 3), [1, 1], {}), ((5, 3), np.array([], np.int64), {}),
    ((3, 0), np.array([1, 1]), {}), ((0, 3), np.array([], np.int64), {}), ((2, 0, 4), np.array([0, 0]), {"axis": -1}),
]  # fmt: skip


def gathered() -> list[Sample]:
    """Slices, which are views, and integers, which are not, in every layout; then all kinds of index."""
    found = laid(spaced(3, 4), index=(slice(1, None), slice(None, None, 2))) + laid(spaced(3, 4), index=np.array([2, 2, 0]))
    return found + [Sample((spaced(*shape),), {"index": index}) for shape, index in INDEXED]


def scattered() -> list[Sample]:
    """scatter for each sample of getitem: the elements that the index would have read."""
    found = [Sample((spaced(*np.zeros(shape)[index].shape),), {"shape": shape, "index": index}) for shape, index in INDEXED]
    return found + laid(spaced(3, 4), shape=(6, 4), index=np.array([5, 5, 0]))


def rows_scattered() -> list[Sample]:
    """scatter_rows for each sample of take: the slices that it would have taken."""
    found = laid(spaced(3, 4), np.array([1, 1, 0]), shape=(2, 4))
    for shape, indices, settings in TAKEN:
        taken = np.take(np.zeros(shape), indices, settings.get("axis", 0))
        found.append(Sample((spaced(*taken.shape), indices), {"shape": shape, **settings}))
    return found


SAMPLES: dict[str, list[Sample]] = {
    "getitem": gathered(),
    "scatter": scattered(),
    "scatter_rows": rows_scattered(),
    "take": [Sample((spaced(*shape), indices), settings) for shape, indices, settings in TAKEN]
    + laid(spaced(3, 4), np.array([2, 2, 0]), axis=1),
}  # fmt: skip
