"""Samples of sliding windows and their adjoint."""

from __future__ import annotations

from typing import Any

from .making import Sample, laid, spaced

# length, size, step, dilation
SLIDES = [
    (1, 1, 1, 1), (5, 1, 1, 1), (5, 2, 1, 1), (5, 5, 1, 1), (6, 2, 2, 1), (7, 2, 2, 1), (7, 3, 2, 1), (8, 3, 3, 1), (7, 2, 3, 1),
    (7, 2, 1, 2), (7, 3, 1, 3), (9, 3, 2, 2), (9, 2, 3, 4), (4, 2, 9, 1), (9, 1, 2, 7),
]  # fmt: skip
LEADS: list[tuple[int, ...]] = [(), (2,), (2, 3), (1, 1), (0,), (2, 0)]


def slid() -> list[Sample]:
    """Windows that overlap, touch or leave gaps, under any number of leading axes."""
    found = laid(spaced(3, 7), size=3, step=2) + laid(spaced(3, 7), size=2, step=2, dilation=2)
    found += [
        Sample((spaced(*lead, length),), {"size": size, "step": step, "dilation": dilation})
        for lead in LEADS
        for length, size, step, dilation in SLIDES
    ]
    return found


def added() -> list[Sample]:
    """overlap_add for each sample of sliding_windows."""
    found = laid(spaced(3, 2, 3), length=6, step=2) + laid(spaced(3, 3, 2), length=8, step=2, dilation=2)
    for lead in LEADS:
        for length, size, step, dilation in SLIDES:
            count = (length - (size - 1) * dilation - 1) // step + 1
            settings: dict[str, Any] = {"length": length, "step": step, "dilation": dilation}
            found.append(Sample((spaced(*lead, count, size),), settings))
    return found


SAMPLES: dict[str, list[Sample]] = {"overlap_add": added(), "sliding_windows": slid()}
