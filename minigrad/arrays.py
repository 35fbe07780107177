"""What users hand over, as NumPy arrays. A tensor is known here by its `_array`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minigrad import config
from minigrad.errors import DtypeError, ShapeError, TapeError
from minigrad.recording import is_recording, tracer

LARGE = 65536  # bytes from which on a copy begins on a line of the cache, as kernels like it
kernels = config.kernels()


def as_array(data: Any, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
    """`data` as a native array of numbers. Python floats become float32; arrays keep their dtype; copies if `copy`."""
    try:
        if hasattr(data, "_array"):
            data = reached(data)._array
        elif isinstance(data, list | tuple):
            first = innermost(data)
            data = np.asarray(bare(data))
            if dtype is None and (first is None or (type(first) is float and data.dtype == np.float64)):
                dtype = np.float32
        elif type(data) is float and dtype is None:
            dtype = np.float32
        array = in_lines(data, dtype) if copy and type(data) is np.ndarray and data.nbytes >= LARGE else None
        if array is None:
            array = np.array(data, dtype=dtype, copy=copy, order="K" if copy is None else "C")
    except (ValueError, TypeError) as problem:
        if "inhomogeneous" in str(problem):
            raise ShapeError(
                "the rows of a nested list must have one length: fill the shorter ones up, or keep a list of tensors"
            ) from None
        raise DtypeError(f"cannot make a tensor of {type(data).__name__}: {problem}") from None
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"tensors hold real numbers; this data has dtype {array.dtype}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def in_lines(data: np.ndarray[Any, Any], dtype: Any) -> Any:
    """A copy of an array of numbers that begins on a line of the cache; None if that takes NumPy's own memory."""
    wanted = data.dtype if dtype is None else np.dtype(dtype)
    if kernels is None or any(one.kind not in "fiub" or not one.isnative for one in (data.dtype, wanted)):
        return None
    array = kernels.empty(data.shape, wanted)
    np.copyto(array, data, casting="unsafe")
    return array


def owns(array: np.ndarray[Any, Any]) -> bool:
    """Whether the memory of an array is its own, not that of another."""
    return array.base is None or (kernels is not None and type(array.base) is kernels.Block)


def read_only(array: Any) -> Any:
    """A view of an array, or of what stands for one, that cannot be written to."""
    view = array.view()
    view.setflags(write=False)
    return view


if kernels is not None:
    read_only = kernels.read_only


def reached(tensor: Any) -> Any:
    """`tensor`, noted by a tracer as one whose values it cannot follow."""
    if tracer.get() is not None:
        tracer.get().escapes(tensor, "a constant")
    return tensor


def innermost(data: Any) -> Any:
    """The first number in nested lists, None if there is none: does it come from Python or from NumPy?"""
    while isinstance(data, list | tuple):
        data = next((item for item in data if not isinstance(item, int)), data[0] if data else None)
    return data


def bare(data: Any) -> Any:
    """Nested lists with the tensors in them replaced by their arrays. Refuses tensors that are on the tape: they would leave it."""
    if hasattr(data, "_array"):
        reached(data)
        if data.node is not None and is_recording():
            raise TapeError(
                f"a list holds a tensor of shape {data.shape} that requires a gradient, and would make a constant of it: join tensors with "
                "stack() or concatenate(), or detach() them"
            )
        return data._array
    return [bare(item) for item in data] if isinstance(data, list | tuple) else data


def bare_index(index: Any) -> Any:
    """An index with arrays for the tensors and lists in it, and Python's own numbers for the bounds of slices."""
    if isinstance(index, tuple):
        return tuple([bare_index(part) for part in index])
    if isinstance(index, slice):
        bounds = (index.start, index.stop, index.step)
        return slice(*[bound if bound is None else operator.index(bound) for bound in bounds])
    index = bare(index)
    if isinstance(index, list):
        return np.array(index, None if index else np.intp)
    return index


def settled(value: Any) -> Any:
    """A setting as the tape may keep it: its owner can change a list or an array, but not this."""
    if type(value) in (list, tuple):
        return type(value)([settled(item) for item in value])
    return np.array(value) if isinstance(value, np.ndarray) else value


def axis_of(name: str, axis: Any, shape: tuple[int, ...]) -> int:
    """An axis of an operation's argument as a number from 0; refuses one that is not there, in words."""
    ndim = len(shape)
    try:
        place = operator.index(axis)
    except TypeError:
        raise DtypeError(f"{name}: an axis is a whole number, got {axis!r}") from None
    if not -ndim <= place < ndim:
        have = f"axes run from {-ndim} to {ndim - 1}" if ndim else "it has no axes"
        raise ShapeError(f"{name}: axis {place} of a tensor of shape {shape}: {have}")
    return place % ndim


def axes_of(name: str, axis: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """One axis, several (none twice), or None for all, as numbers from 0."""
    if axis is None:
        return tuple(range(len(shape)))
    axes = tuple([axis_of(name, one, shape) for one in (axis if isinstance(axis, tuple | list) else (axis,))])
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{name}: axis={axis} names an axis of shape {shape} twice")
    return axes


def whole(name: str, what: str, value: Any) -> np.ndarray[Any, Any]:
    """Whole numbers (of a tensor, an array, a list or one alone) as an array; refuses others in words."""
    array = np.asarray(bare(value))
    if array.dtype.kind not in "iu" and array.size:
        raise DtypeError(f"{name}: {what} wants whole numbers, got {array.dtype}: astype('int64') makes them of others")
    return array.astype(np.intp, copy=False)
