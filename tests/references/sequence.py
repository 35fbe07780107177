"""References of what takes an axis as a sequence: which element of x stands at each place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np


def at(x: Any, axis: int, places: Any) -> Any:
    """The slices of x at `places` along `axis`."""
    return x[(slice(None),) * axis + (np.asarray(places, int),)]


def flip(x: Any, axis: Any = None) -> Any:
    rank = len(x.shape)
    axes = range(rank) if axis is None else [a % rank for a in (axis if isinstance(axis, list | tuple) else (axis,))]
    for a in axes:
        x = at(x, a, np.arange(x.shape[a])[::-1])
    return x * 1.0


def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return anp.reshape(roll(anp.reshape(x, (-1,)), int(np.sum(shift)), 0), x.shape)
    axes = axis if isinstance(axis, list | tuple) else [axis]
    shifts = shift if isinstance(shift, list | tuple) else [shift] * len(axes)
    for a, s in zip(axes, shifts, strict=True):
        a, n = a % len(x.shape), x.shape[a]
        x = at(x, a, [(i - s) % n for i in range(n)])
    return x * 1.0


def repeat(x: Any, repeats: Any, axis: Any = None) -> Any:
    if axis is None:
        x, axis = anp.reshape(x, (x.size,)), 0
    axis = axis % len(x.shape)
    counts = np.broadcast_to(np.asarray(repeats, int), (x.shape[axis],))
    return at(x, axis, [i for i, count in enumerate(counts) for _ in range(count)])


def tile(x: Any, reps: Any) -> Any:
    counts = tuple(reps) if isinstance(reps, list | tuple) else (reps,)
    rank = max(len(counts), len(x.shape))
    x = anp.reshape(x, (1,) * (rank - len(x.shape)) + x.shape)
    for axis, count in enumerate((1,) * (rank - len(counts)) + counts):
        x = at(x, axis, list(range(x.shape[axis])) * count)
    return x * 1.0


def pad(x: Any, pairs: Any, value: float = 0.0) -> Any:
    x = x * 1.0
    for axis, (before, behind) in enumerate(pairs):
        ends = [np.full((*x.shape[:axis], n, *x.shape[axis + 1 :]), value) for n in (before, behind)]
        x = anp.concatenate([ends[0], x, ends[1]], axis=axis)
    return x


def source(i: int, n: int, mode: str) -> int:
    """Which of n elements stands at place i, which may lie before the first or behind the last."""
    if mode == "edge":
        return min(max(i, 0), n - 1)
    if mode == "wrap":
        return i % n
    if mode == "symmetric":
        return min(i % (2 * n), 2 * n - 1 - i % (2 * n))
    period = max(2 * n - 2, 1)
    return min(i % period, period - i % period) if n > 1 else 0


def pad_any(x: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Any:
    pairs = [(int(a), int(b)) for a, b in np.broadcast_to(pad_width, (len(x.shape), 2))]
    if mode == "constant":
        return pad(x, pairs, constant_values)
    for axis, (before, behind) in enumerate(pairs):
        if before or behind:
            x = at(x, axis, [source(i, x.shape[axis], mode) for i in range(-before, x.shape[axis] + behind)])
    return x * 1.0


REFERENCES: dict[str, Callable[..., Any]] = {
    "flip": flip,
    "pad": pad,
    "pad()": pad_any,
    "repeat": repeat,
    "repeat()": repeat,
    "roll": roll,
    "tile": tile,
}


def axes(x: Any, axis: Any) -> list[int]:
    """All axes for None."""
    return list(range(x.ndim)) if axis is None else list(axis) if isinstance(axis, list | tuple) else [axis]


def torch_roll(t: Any, x: Any, shift: Any, axis: Any = None) -> Any:
    named = axis if axis is None else axes(x, axis)
    shifts = shift if isinstance(shift, list | tuple) or named is None else [shift] * len(named)
    return t.roll(x, int(shifts) if named is None else tuple(shifts), named)


def torch_pad(t: Any, x: Any, pairs: Any, value: float = 0.0) -> Any:
    return t.nn.functional.pad(x, [n for pair in pairs[::-1] for n in pair], value=value)


TORCH: dict[str, Callable[..., Any]] = {
    "flip": lambda t, x, axis=None: t.flip(x, axes(x, axis)),
    "pad": torch_pad,
    "repeat": lambda t, x, repeats, axis: t.repeat_interleave(x, t.tensor(repeats), axis),
    "repeat()": lambda t, x, repeats, axis=None: t.repeat_interleave(x, t.tensor(repeats, dtype=int), axis),
    "roll": torch_roll,
    "tile": lambda t, x, reps: t.tile(x, tuple(reps) if isinstance(reps, list | tuple) else (reps,)),
}
