"""Operations that take an axis as a sequence: turned round, moved on, repeated, extended at its ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.arrays import axes_of, axis_of, bare, whole
from minigrad.errors import DtypeError, ShapeError
from minigrad.op import op
from minigrad.tape import Tensor

from .creation import as_tensor
from .index import getitem, scatter_rows, take
from .reduce import sum_
from .shape import reshape


@op(view=True, x=lambda g, axis: flip(g, axis=axis))
def flip(x: Any, *, axis: Any = None) -> Any:
    """The elements in reverse order along `axis`: one, several, or None for all (a view).   (n) -> (n)

    >>> flip([1.0, 2.0, 3.0])
    tensor([3., 2., 1.])
    """
    return np.flip(x, axes_of("flip", axis, x.shape))


def opposite(shift: Any) -> Any:
    """A shift the other way."""
    return [-one for one in shift] if isinstance(shift, tuple | list) else -shift


@op(x=lambda g, shift, axis: roll(g, shift=opposite(shift), axis=axis))
def roll(x: Any, *, shift: Any, axis: Any = None) -> Any:
    """The elements `shift` places further along `axis`; those that leave at the end come in at the start.   (n) -> (n)

    Several shifts go with as many axes, an axis that is named twice adds up; without an axis, x is rolled as one long row.

    >>> roll([1.0, 2.0, 3.0], 1)
    tensor([3., 1., 2.])
    """
    for one in axis if isinstance(axis, tuple | list) else () if axis is None else (axis,):
        axis_of("roll", one, x.shape)
    if any(not isinstance(one, int | np.integer) for one in (shift if isinstance(shift, tuple | list) else (shift,))):
        raise DtypeError(f"roll: shift={shift!r}; expected a whole number, or one for each axis")
    return np.roll(x, shift, axis)


def repeat_grad(g: Tensor, x_shape: tuple[int, ...], repeats: Any, axis: int) -> Tensor:
    """The sum over the copies of each slice."""
    if repeats.size == 1:
        times = int(repeats.reshape(()))
        return sum_(reshape(g, shape=(*x_shape[: axis + 1], times, *x_shape[axis + 1 :])), axis=axis + 1)
    return scatter_rows(g, np.repeat(np.arange(x_shape[axis]), repeats), shape=x_shape, axis=axis)


@op(x=repeat_grad)
def repeat_(x: Any, *, repeats: Any, axis: int) -> Any:
    """Each slice along `axis` as often as `repeats` says: a number, or one for each.   (n) -> (k)"""
    if (repeats < 0).any():
        raise ShapeError(f"repeat: {repeats.min()} times is less than none; expected 0 or more")
    if repeats.ndim > 1 or repeats.size not in (1, x.shape[axis]):
        raise ShapeError(
            f"repeat: repeats has shape {repeats.shape}, axis {axis} of shape {x.shape} has length {x.shape[axis]}: give one number, "
            "or one for each slice"
        )
    return np.repeat(x, repeats, axis)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Each element `repeats` times, one copy beside the other, along `axis`; of all elements in a row if it is None.   (n) -> (k)

    `repeats` is a whole number, or one for each slice. This is NumPy's repeat: PyTorch's tensor.repeat is `tile`.

    >>> repeat([1.0, 2.0], 2)
    tensor([1., 1., 2., 2.])
    >>> repeat([1.0, 2.0], [0, 3])
    tensor([2., 2., 2.])
    """
    x = as_tensor(x)
    if axis is None:
        x = reshape(x, shape=(x.size,))
        axis = 0
    return repeat_(x, repeats=whole("repeat", "repeats", repeats), axis=axis_of("repeat", axis, x.shape))


def times(reps: Any) -> tuple[int, ...]:
    """How often along each of the last axes."""
    return tuple(reps) if isinstance(reps, tuple | list) else (reps,)


def tile_grad(g: Tensor, x_shape: tuple[int, ...], reps: Any) -> Tensor:
    """The sum over the copies."""
    counts = times(reps)
    rank = max(len(counts), len(x_shape))
    lengths, counts = (1,) * (rank - len(x_shape)) + x_shape, (1,) * (rank - len(counts)) + counts
    copies = reshape(g, shape=[n for pair in zip(counts, lengths, strict=True) for n in pair])
    return reshape(sum_(copies, axis=tuple(range(0, 2 * rank, 2))), shape=x_shape)


@op(x=tile_grad)
def tile(x: Any, *, reps: Any) -> Any:
    """x laid side by side `reps` times: a number for the last axis, or one for each of the last axes, new ones too.   (n) -> (k)

    >>> tile([1.0, 2.0], 2)
    tensor([1., 2., 1., 2.])
    >>> tile([1.0, 2.0], (2, 1))
    tensor([[1., 2.],
            [1., 2.]])
    """
    if any(not isinstance(count, int | np.integer) or count < 0 for count in times(reps)):
        raise ShapeError(f"tile: reps={reps!r}; expected whole numbers of 0 or more")
    return np.tile(x, times(reps))


def widths(pad_width: Any, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """How many elements to add before and behind each axis, of what NumPy takes: one number, a pair, a pair for each axis."""
    given = whole("pad", "pad_width", pad_width)
    try:
        pairs = np.broadcast_to(given, (len(shape), 2)).tolist()
    except ValueError:
        raise ShapeError(
            f"pad: pad_width={pad_width} for shape {shape}; expected one number, a pair (before, behind), or such a pair for each of the "
            f"{len(shape)} axes"
        ) from None
    if given.size and given.min() < 0:
        raise ShapeError(f"pad: pad_width={pad_width} is negative for shape {shape}: a slice x[1:-1] takes elements away")
    return [(before, behind) for before, behind in pairs]


def inside(g: Tensor, x_shape: tuple[int, ...], pairs: Any) -> Tensor:
    """What lies between the padding."""
    return getitem(g, index=tuple([slice(before, before + n) for (before, _), n in zip(pairs, x_shape, strict=True)]))


@op(x=inside)
def pad_(x: Any, *, pairs: Any, value: float = 0.0) -> Any:
    """x with `value` before and behind each axis.   (n) -> (k)"""
    return np.pad(x, pairs, constant_values=value) if pairs else np.array(x)


MIRRORS = ("reflect", "symmetric", "edge", "wrap")


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Tensor:
    """x with more elements before and behind its axes: `pad_width` is one number, a pair, or a pair (before, behind) for each axis.

    `mode` is "constant" (the number `constant_values`), or one of NumPy's modes that repeat elements of x, which then get the gradient
    of their copies too: "edge" (the outermost), "reflect" (mirrored at the outermost), "symmetric" (mirrored behind it), "wrap" (from
    the other end). Raises ShapeError if there is nothing to repeat.   (n) -> (k)

    >>> pad([1.0, 2.0], (1, 2))
    tensor([0., 1., 2., 0., 0.])
    >>> pad([1.0, 2.0, 3.0], 1, mode="reflect")
    tensor([2., 1., 2., 3., 2.])
    """
    x = as_tensor(x)
    pairs = widths(pad_width, x.shape)
    if mode == "constant":
        value = np.asarray(bare(constant_values))
        if value.ndim or value.dtype.kind not in "fiub" or (x.dtype.kind != "f" and value.astype(x.dtype) != value):
            raise DtypeError(f"pad: constant_values={constant_values!r} beside elements of {x.dtype}: expected one number of that kind")
        return pad_(x, pairs=pairs, value=value.item())
    if mode not in MIRRORS:
        raise ShapeError(f"pad: mode={mode!r}; expected 'constant' or one of {', '.join(map(repr, MIRRORS))}")
    result: Tensor = x
    for axis, pair in enumerate(pairs):
        if any(pair):
            if not x.shape[axis]:
                raise ShapeError(f"pad: axis {axis} of shape {x.shape} is empty: mode={mode!r} has nothing to repeat; 'constant' works")
            places: Any = np.pad(np.arange(x.shape[axis]), pair, mode=mode)  # type: ignore[call-overload]
            result = take(result, places, axis=axis)
    return result
