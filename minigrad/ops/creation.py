"""Tensors from nothing, and from NumPy. All take dtype= (float32 unless said) and requires_grad=."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import random
from minigrad.arithmetic import spread
from minigrad.errors import DtypeError
from minigrad.tape import Tensor, wrap


def made(array: Any, requires_grad: bool) -> Tensor:
    """A tensor around an array that nobody else holds."""
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"tensors hold real numbers, not {array.dtype}")
    tensor = wrap(array, None)
    return tensor.requires_grad_() if requires_grad else tensor


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of `data`: numbers, nested lists, a NumPy array or a tensor.

    Python floats become float32, whole numbers int64; a NumPy array keeps its dtype. Raises DtypeError for anything but real
    numbers and booleans.

    >>> tensor([[1, 2], [3, 4]], dtype="float32")
    tensor([[1., 2.],
            [3., 4.]])
    """
    return Tensor(data, dtype, requires_grad)


def from_numpy(array: Any) -> Tensor:
    """A tensor that shares the memory of a NumPy array: no copy. Writes from outside cannot be seen by the tape.

    >>> from_numpy(np.arange(3.0))
    tensor([0., 1., 2.], dtype=float64)
    """
    if type(array) is not np.ndarray or array.dtype.kind not in "fiub" or not array.dtype.isnative:
        raise DtypeError("from_numpy shares a NumPy array of native real numbers; use tensor() to convert and copy anything else")
    tensor = wrap(array, None)
    tensor.version().shared = True
    return tensor


def zeros(*shape: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Zeros: zeros(2, 3) or zeros((2, 3)).

    >>> zeros(2)
    tensor([0., 0.])
    """
    return made(np.zeros(spread(shape), dtype), requires_grad)


def ones(*shape: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Ones: ones(2, 3) or ones((2, 3)).

    >>> ones(2)
    tensor([1., 1.])
    """
    return made(np.ones(spread(shape), dtype), requires_grad)


def full(shape: Any, value: float, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """`value` everywhere.

    >>> full((2,), 0.5)
    tensor([0.5, 0.5])
    """
    return made(np.full(shape, value, dtype), requires_grad)


def arange(*bounds: float, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Evenly spaced numbers from start to (not with) stop, as NumPy's arange; float32 if a bound is a float.

    >>> arange(3)
    tensor([0, 1, 2])
    """
    kind = dtype or (np.float32 if any(isinstance(bound, float) for bound in bounds) else np.int64)
    return made(np.arange(*bounds, dtype=kind), requires_grad)


def rand(*shape: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Uniform on [0, 1), from the generator that manual_seed sets: rand(2, 3) or rand((2, 3)).

    >>> random.manual_seed(0); first = rand(2); random.manual_seed(0); (first == rand(2)).tolist()
    [True, True]
    """
    tensor = random.draw("random", spread(shape), dtype)
    return tensor.requires_grad_() if requires_grad else tensor


def randn(*shape: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Standard normal, from the generator that manual_seed sets: randn(2, 3) or randn((2, 3)).

    >>> randn(2, 3).shape
    (2, 3)
    """
    tensor = random.draw("standard_normal", spread(shape), dtype)
    return tensor.requires_grad_() if requires_grad else tensor
