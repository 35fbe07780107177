"""What users hand over, as NumPy arrays. A tensor is known here by its `_array`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minigrad.errors import DtypeError, TapeError
from minigrad.recording import is_recording, tracer


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
        array = np.array(data, dtype=dtype, copy=copy, order="K" if copy is None else "C")
    except (ValueError, TypeError) as problem:
        raise DtypeError(f"cannot make a tensor of {type(data).__name__}: {problem}") from None
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"tensors hold real numbers; this data has dtype {array.dtype}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


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
