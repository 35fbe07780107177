"""Samples of what takes an axis as a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from .making import Sample, each, laid, spaced, views

REPEATED: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((3, 4), {"repeats": np.array(2), "axis": 0}), ((3, 4), {"repeats": np.array(3), "axis": 1}),
    ((3, 4), {"repeats": np.array([2, 0, 1]), "axis": 0}),
    ((3,), {"repeats": np.array([0, 0, 0]), "axis": 0}), ((3,), {"repeats": np.array(0), "axis": 0}),
    ((2, 3, 2), {"repeats": np.array([1, 2, 3]), "axis": 1}),
    ((2, 3), {"repeats": np.array([4]), "axis": 0}), ((1, 3), {"repeats": np.array([4]), "axis": 0}),
    ((3,), {"repeats": np.array(1), "axis": 0}),
    ((0, 3), {"repeats": np.array(2), "axis": 0}), ((0, 3), {"repeats": np.array([1, 2, 0]), "axis": 1}),
    ((2, 0), {"repeats": np.array(2), "axis": 1}),
]  # fmt: skip

SPREAD: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((3, 4), {"repeats": 2}), ((3, 4), {"repeats": 2, "axis": -1}), ((3, 4), {"repeats": [1, 0, 2, 1], "axis": -1}), ((), {"repeats": 3}),
    ((2, 2), {"repeats": [1, 2, 0, 3]}), ((2, 2), {"repeats": (2,), "axis": -2}), ((0,), {"repeats": 2}), ((0,), {"repeats": []}),
]  # fmt: skip

PADDED: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((3, 4), {"pairs": [(1, 2), (0, 3)], "value": 0.5}), ((3, 4), {"pairs": [(0, 0), (0, 0)]}), ((3,), {"pairs": [(2, 1)], "value": -1.5}),
    ((), {"pairs": []}), ((0,), {"pairs": [(1, 1)], "value": 1.5}), ((2, 0), {"pairs": [(1, 0), (0, 2)]}),
    ((2, 1, 2), {"pairs": [(1, 0), (0, 1), (2, 0)]}),
]  # fmt: skip

WIDTHS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((3, 4), {"pad_width": 1}), ((3, 4), {"pad_width": (1, 2), "constant_values": 2.5}), ((3, 4), {"pad_width": ((0, 1), (2, 0))}),
    ((3,), {"pad_width": [[1, 2]]}),
    ((3, 4), {"pad_width": 2, "mode": "reflect"}), ((3, 4), {"pad_width": ((3, 2), (0, 1)), "mode": "edge"}),
    ((3,), {"pad_width": (7, 8), "mode": "wrap"}),
    ((3,), {"pad_width": (7, 8), "mode": "symmetric"}), ((3,), {"pad_width": (7, 8), "mode": "reflect"}),
    ((1,), {"pad_width": 2, "mode": "reflect"}),
    ((2, 3), {"pad_width": ((1,), (2,)), "mode": "wrap"}), ((0, 3), {"pad_width": ((0, 0), (1, 1)), "mode": "edge"}),
    ((0,), {"pad_width": 2}), ((), {"pad_width": 3}),
    ((2, 1, 2), {"pad_width": 1, "mode": "symmetric"}),
]  # fmt: skip

SAMPLES: dict[str, list[Sample]] = {
    "flip": views(((3, 4), {}), ((3,), {}), ((), {}), ((0,), {}))
    + each("axis", ((3, 4), 0), ((3, 4), -1), ((2, 3, 4), (0, -1)), ((2, 3), [1]), ((2, 3), ()), ((2, 0), 0), ((1,), 0)),
    "pad": views(*PADDED),
    "pad()": views(*WIDTHS),
    "repeat": views(*REPEATED),
    "repeat()": views(*SPREAD),
    "roll": each("shift", ((3, 4), 1), ((5,), -2), ((5,), 12), ((2, 3), 0), ((), 1), ((0,), 3), ((2, 3), np.int64(2)))
    + [
        Sample((spaced(*shape),), {"shift": shift, "axis": axis})
        for shape, shift, axis in (
            ((3, 4), 1, 0), ((3, 4), -1, -1), ((3, 4), (1, 2), (0, 1)), ((3, 4), [1, -2], [1, 1]), ((3, 4), 2, (0, 1)), ((0, 3), 1, 0),
            ((0, 3), 1, 1), ((2, 3, 2), 4, 1),
        )
    ]
    + laid(spaced(3, 4), shift=(2, 1), axis=(0, 1)),
    "tile": each(
        "reps",
        ((3, 4), 2), ((3, 4), (2, 3)), ((3,), (2, 2)), ((2, 3), (2, 1, 2)), ((), 3), ((), (2, 2)), ((3,), ()), ((3,), 1), ((3,), 0),
        ((3, 2), (0, 2)), ((0, 2), (2, 2)), ((1,), [4]), ((2, 1, 2), (2, 3)), ((2,), (np.int64(2),)),
    ),
}  # fmt: skip
