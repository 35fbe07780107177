"""Samples of diagonals and triangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from .making import Sample, each, laid, spaced, views

CUT: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((3, 4), {}), ((3, 3), {}), ((4, 2), {}), ((3, 4), {"offset": 1}), ((3, 4), {"offset": -2}), ((3, 4), {"offset": 3}),
    ((3, 4), {"offset": 4}), ((3, 4), {"offset": -7}), ((2, 3, 3), {"axis1": 1, "axis2": 2}), ((2, 3, 3), {"axis1": -1, "axis2": 0}),
    ((2, 3, 2), {"offset": 1, "axis1": -1, "axis2": -2}), ((2, 3, 4), {}), ((1, 1), {}), ((0, 3), {}), ((0, 0), {"offset": 1}),
    ((2, 0, 3), {"axis1": 1, "axis2": 2}), ((2, 3, 0), {"axis1": 0, "axis2": 1}),
]  # fmt: skip

TRIANGLES = each(
    "k",
    ((3, 4), 0), ((3, 3), 1), ((4, 2), -1), ((3, 4), 9), ((3, 4), -9), ((2, 3, 3), 0), ((2, 1, 3, 2), -1), ((1, 1), 0), ((0, 3), 0),
    ((3, 0), 1), ((0, 2, 2), 0),
)  # fmt: skip


def placed() -> list[Sample]:
    """diagonal_matrix for each sample of diagonal: what the diagonal would have been."""
    found = laid(spaced(2, 3), shape=(3, 3, 2), offset=0)
    for shape, settings in CUT:
        cut = np.diagonal(np.zeros(shape), settings.get("offset", 0), settings.get("axis1", 0), settings.get("axis2", 1))
        found.append(Sample((spaced(*cut.shape),), {"shape": shape, **settings}))
    return found


SAMPLES: dict[str, list[Sample]] = {
    "diag()": each(
        "k", ((3, 4), 0), ((3, 3), 1), ((2, 4), -1), ((3,), 0), ((3,), 2), ((2,), -1), ((0,), 0), ((0,), 1), ((0, 2), 0), ((1,), 0)
    ),
    "diagonal": views(*CUT),
    "diagonal_matrix": placed(),
    "trace()": views(*CUT),
    "tril": [*TRIANGLES, Sample((spaced(2, 3),))],
    "triu": [*TRIANGLES, Sample((spaced(2, 3),))],
}
