"""References of sliding windows and their adjoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np


def places(length: int, size: int, step: int, dilation: int) -> Any:
    """Which element each place of each window is, counted by hand."""
    starts = [start for start in range(0, length, step) if start + (size - 1) * dilation < length]
    return np.array([[start + k * dilation for k in range(size)] for start in starts]).reshape(-1, size)


def sliding_windows(x: Any, size: int, step: int = 1, dilation: int = 1) -> Any:
    index = places(x.shape[-1], size, step, dilation)
    return anp.dot(x, np.eye(x.shape[-1])[:, index.ravel()]).reshape((*x.shape[:-1], *index.shape))


def overlap_add(x: Any, length: int, step: int = 1, dilation: int = 1) -> Any:
    """By a matrix of zeros and ones that puts each element in its place."""
    index = places(length, x.shape[-1], step, dilation)
    return anp.dot(x.reshape((*x.shape[:-2], index.size)), np.eye(length)[index.ravel()])


REFERENCES: dict[str, Callable[..., Any]] = {"overlap_add": overlap_add, "sliding_windows": sliding_windows}

TORCH: dict[str, Callable[..., Any]] = {
    "sliding_windows": lambda t, x, size, step=1, dilation=1: x.unfold(-1, (size - 1) * dilation + 1, step)[..., ::dilation],
}
