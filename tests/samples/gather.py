"""Samples of what picks and puts along one axis, of masks and of class numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import MASK
from .making import Sample, laid, spaced


def whole(*rows: Any) -> Any:
    return np.array(rows)


ALONG: list[tuple[tuple[int, ...], Any, dict[str, Any]]] = [
    ((3, 4), whole([1, 3], [0, 0], [2, -1]), {}), ((5,), whole(4, 4, 0, -5), {}), ((5,), whole(2), {"axis": 0}),
    ((3, 4), whole([2, 0, 1, 2]), {"axis": 0}), ((3, 4), whole([2, 2, 2, 2], [0, 0, 1, -3]), {"axis": 0}),
    ((3, 4), whole([1, 1, 1, 0]), {"axis": 1}), ((1, 4), whole([0, 1], [3, 3]), {"axis": 1}),
    ((3, 1), whole([0, 0, -1], [0, 0, 0]), {"axis": -2}),
    ((2, 3, 2), np.arange(8).reshape(2, 2, 2) % 3, {"axis": 1}), ((2, 3, 2), np.zeros((2, 3, 5), int), {"axis": 2}),
    ((2, 1, 2), np.arange(6).reshape(1, 3, 2) % 2, {"axis": 0}), ((3, 4), np.zeros((3, 0), int), {"axis": 1}),
    ((0, 4), np.zeros((0, 2), int), {"axis": 1}), ((3, 0), np.zeros((3, 0), int), {"axis": -1}), ((1, 1), whole([0]), {}),
    ((3, 4), whole([1, 3], [0, 0], [2, 1]).astype(np.int32), {"axis": 1}), ((3, 4), whole([1], [0], [2]).astype(np.uint8), {}),
]  # fmt: skip

ADDED: list[tuple[tuple[int, ...], Any, tuple[int, ...], dict[str, Any]]] = [
    ((3, 4), whole([1, 3], [0, 0], [2, -1]), (3, 2), {}), ((5,), whole(4, 4, 0), (3,), {}), ((5,), whole(4, 4, -5), (6,), {"axis": 0}),
    ((3, 4), whole([2, 0, 1, 2]), (1, 4), {"axis": 0}), ((3, 4), whole([2, 2], [0, 0]), (3, 5), {"axis": 0}),
    ((3, 4), whole([2, 1, 2]), (2, 3), {"axis": 1}), ((2, 3, 2), np.arange(8).reshape(2, 2, 2) % 3, (2, 2, 2), {"axis": 1}),
    ((2, 3, 2), np.zeros((1, 3, 5), int), (1, 4, 6), {"axis": -1}), ((3, 4), np.zeros((3, 0), int), (3, 2), {"axis": 1}),
    ((3, 4), np.zeros((0, 4), int), (0, 4), {"axis": 0}), ((0, 4), np.zeros((0, 2), int), (0, 2), {"axis": 1}),
    ((1,), whole(0, 0), (2,), {}),
    ((3, 4), whole([1, 3], [0, 0], [2, 1]).astype(np.int32), (3, 2), {"axis": 1}), ((2, 0), np.zeros((2, 0), int), (2, 0), {"axis": 0}),
    ((1, 3), whole([0, 2, 2, 1]), (1, 4), {"axis": 1}),
]  # fmt: skip

FILLED = [
    Sample((spaced(*shape), spaced()), {"mask": mask})
    for shape, mask in (
        ((3, 4), MASK), ((3, 4), MASK[0]), ((3, 4), MASK[:, :1]), ((3, 4), np.array(True)), ((), np.array(False)), ((4,), MASK),
        ((0, 4), MASK[:0]), ((3, 4), np.zeros((3, 4), bool)), ((2, 3, 4), MASK), ((1,), np.array([True])),
    )
]  # fmt: skip

SAMPLES: dict[str, list[Sample]] = {
    "masked_fill()": FILLED + laid(spaced(3, 4), -1.5, mask=MASK),
    "one_hot": laid(np.array([[0, 2], [1, 1]]), num_classes=3)
    + [
        Sample((indices,), {"num_classes": 4})
        for indices in (np.array([3, 0, 3]), np.array(2), np.zeros((0, 2), int), np.array([1], np.uint8))
    ],
    "scatter_add": [Sample((spaced(*x), indices, spaced(*src)), settings) for x, indices, src, settings in ADDED]
    + laid(spaced(3, 4), whole([1, 1], [0, 3], [1, 1]), spaced(3, 2)),
    "take_along_axis": [Sample((spaced(*shape), indices), settings) for shape, indices, settings in ALONG]
    + laid(spaced(3, 4), whole([1, 1], [0, 3], [1, 1]), axis=1),
}
