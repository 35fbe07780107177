"""Samples of the operations that run along one axis and keep it."""

from __future__ import annotations

import numpy as np

from .making import Sample, laid, spaced
from .reduce import along, reduction

TIES = np.array([[2.0, 1.0, 2.0, 1.0], [0.0, -0.0, 3.0, 0.0], [1.0, 1.0, 1.0, 1.0]])


def running() -> list[Sample]:
    """Each axis, and all elements in a row."""
    return along(reduction(empty="smooth")) + laid(spaced(3, 4), axis=None) + [Sample((spaced(),)), Sample((spaced(0, 2),))]


def orders() -> list[Sample]:
    """Each axis, rising and falling; elements that tie, and NaN."""
    shapes: list[tuple[tuple[int, ...], int]] = [
        ((2, 3, 4), 0),
        ((2, 3, 4), 1),
        ((2, 3, 4), -1),
        ((5,), 0),
        ((0,), 0),
        ((2, 0), 1),
        ((2, 0), 0),
    ]
    found = [Sample((spaced(*shape),), {"axis": axis, "descending": down}) for shape, axis in shapes for down in (False, True)]
    found += [*laid(spaced(3, 4), axis=0, tied=True), *laid(spaced(3, 4), tied=True, descending=True), Sample((spaced(),))]
    found += [Sample((TIES,), {"axis": axis, "descending": down}, "kink") for axis in (0, 1) for down in (False, True)]
    last = np.array([[3.0, np.nan, -np.inf, np.inf, np.nan]])
    return found + [Sample((last,), {"descending": down}, "extreme") for down in (False, True)]


def best() -> list[Sample]:
    """All elements of an axis, some and none; elements that tie."""
    found = [
        Sample((spaced(2, 3, 4),), {"k": k, "axis": axis, "largest": up}) for k, axis in ((2, 0), (1, 1), (4, -1)) for up in (False, True)
    ]
    found += [*laid(spaced(3, 4), k=2, tied=True), *laid(spaced(3, 4), k=2, axis=0, largest=False, tied=True)]
    return [*found, Sample((spaced(3),), {"k": 0}), Sample((spaced(2, 0),), {"k": 0}), Sample((spaced(0, 3),), {"k": 2})]


SAMPLES: dict[str, list[Sample]] = {
    "argsort": orders(),
    "cumsum": running(),
    "sort": orders(),
    "topk()": best(),
}
