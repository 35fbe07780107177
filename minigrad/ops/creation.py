"""Tensors from nothing, and from NumPy. All take dtype= (float32 unless said) and requires_grad=."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minigrad import random
from minigrad.arithmetic import spread
from minigrad.errors import DtypeError, ShapeError
from minigrad.tape import Tensor, wrap


def made(array: Any, requires_grad: bool) -> Tensor:
    """A tensor around an array that nobody else holds."""
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"tensors hold real numbers, not {array.dtype}")
    tensor = wrap(array, None)
    return tensor.requires_grad_() if requires_grad else tensor


def known(dtype: Any) -> np.dtype[Any]:
    """A dtype, refused in words if NumPy knows none of that name."""
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise DtypeError(f"there is no dtype {dtype!r}: float32, float64, int64 and bool are some that there are") from None
    return found


def lengths(*shape: Any) -> tuple[int, ...]:
    """A shape as lengths, refused in words if it is none."""
    try:
        found = tuple([operator.index(length) for length in spread(shape)])
    except TypeError:
        found = (-1,)
    if min(found, default=0) < 0:
        raise ShapeError(f"a shape is made of whole numbers of 0 or more, got {spread(shape)}")
    return found


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of `data`: numbers, nested lists, a NumPy array or a tensor.

    Python floats become float32, whole numbers int64; a NumPy array keeps its dtype. Raises DtypeError for anything but real
    numbers and booleans.

    >>> tensor([[1, 2], [3, 4]], dtype="float32")
    tensor([[1., 2.],
            [3., 4.]])
    """
    return Tensor(data, dtype, requires_grad)


def as_tensor(data: Any) -> Tensor:
    """The tensor itself; of anything else, a tensor with a copy of it."""
    return data if isinstance(data, Tensor) else Tensor(data)


def as_tensors(*data: Any) -> list[Tensor]:
    """as_tensor of each; Python's floats get the dtype of the floating tensors and arrays beside them."""
    kinds = [x.dtype for x in data if hasattr(x, "dtype") and np.dtype(x.dtype).kind == "f"]
    kind = np.result_type(*kinds) if kinds else None
    return [Tensor(x, dtype=kind) if type(x) is float else as_tensor(x) for x in data]


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
    return made(np.zeros(lengths(*shape), known(dtype)), requires_grad)


def ones(*shape: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Ones: ones(2, 3) or ones((2, 3)).

    >>> ones(2)
    tensor([1., 1.])
    """
    return made(np.ones(lengths(*shape), known(dtype)), requires_grad)


def filled(shape: Any, value: Any, dtype: Any) -> Any:
    """An array of one number."""
    try:
        return np.full(lengths(shape), value, known(dtype))
    except (ValueError, TypeError) as problem:
        if isinstance(problem, ShapeError | DtypeError):
            raise
        raise DtypeError(f"full: one number is wanted, got {value!r}") from None


def full(shape: Any, value: float, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """`value` everywhere.

    >>> full((2,), 0.5)
    tensor([0.5, 0.5])
    """
    return made(filled(shape, value, dtype), requires_grad)


def arange(*bounds: float, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Evenly spaced numbers from start to (not with) stop, as NumPy's arange; float32 if a bound is a float.

    >>> arange(3)
    tensor([0, 1, 2])
    """
    if len(bounds) == 3 and bounds[2] == 0:
        raise ShapeError(f"arange{bounds}: a step of 0 never arrives; linspace() takes a count instead")
    if not 1 <= len(bounds) <= 3 or any(isinstance(bound, str) for bound in bounds):
        raise TypeError(f"arange({', '.join(map(repr, bounds))}): expected numbers: stop, or start and stop, or start, stop and step")
    kind = dtype or (np.float32 if any(isinstance(bound, float) for bound in bounds) else np.int64)
    return made(np.arange(*bounds, dtype=kind), requires_grad)


def linspace(start: float, stop: float, num: int = 50, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """`num` evenly spaced numbers from start to stop, both included.

    >>> linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    if not isinstance(num, int | np.integer) or num < 0:
        raise ShapeError(f"linspace: num={num} is no count of numbers; expected 0 or more")
    return made(np.linspace(float(start), float(stop), num).astype(dtype), requires_grad)


def eye(n: int, m: int | None = None, k: int = 0, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """The identity matrix of n rows (and m columns), or one with its ones on the k-th diagonal.

    >>> eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    rows, columns = lengths(n, n if m is None else m)
    return made(np.eye(rows, columns, k, dtype), requires_grad)


def like(x: Any, dtype: Any) -> tuple[tuple[int, ...], Any]:
    """The shape of x, and `dtype` or else the dtype of x."""
    x = as_tensor(x)
    return x.shape, x.dtype if dtype is None else known(dtype)


def zeros_like(x: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape of x, and in its dtype unless another is given.

    >>> zeros_like([1.0, 2.0])
    tensor([0., 0.])
    """
    return made(np.zeros(*like(x, dtype)), requires_grad)


def ones_like(x: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape of x, and in its dtype unless another is given.

    >>> ones_like([1.0, 2.0])
    tensor([1., 1.])
    """
    return made(np.ones(*like(x, dtype)), requires_grad)


def full_like(x: Any, value: float, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """`value` everywhere, in the shape of x, and in its dtype unless another is given.

    >>> full_like([1.0, 2.0], 0.5)
    tensor([0.5, 0.5])
    """
    shape, kind = like(x, dtype)
    return made(filled(shape, value, kind), requires_grad)


def rand(*shape: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Uniform on [0, 1), from the generator that manual_seed sets: rand(2, 3) or rand((2, 3)).

    >>> random.manual_seed(0); first = rand(2); random.manual_seed(0); (first == rand(2)).tolist()
    [True, True]
    """
    tensor = random.draw("random", lengths(*shape), dtype)
    return tensor.requires_grad_() if requires_grad else tensor


def randn(*shape: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Standard normal, from the generator that manual_seed sets: randn(2, 3) or randn((2, 3)).

    >>> randn(2, 3).shape
    (2, 3)
    """
    tensor = random.draw("standard_normal", lengths(*shape), dtype)
    return tensor.requires_grad_() if requires_grad else tensor


def floating(name: str, x: Any, dtype: Any) -> tuple[tuple[int, ...], Any]:
    """The shape of x and the dtype to draw in: x's own must be one of real numbers, or another be given."""
    shape, kind = like(x, dtype)
    if np.dtype(kind) not in (np.float32, np.float64):
        raise DtypeError(f"{name} draws float32 or float64, x has {np.dtype(kind)}: give dtype=")
    return shape, kind


def rand_like(x: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform on [0, 1) in the shape of x, and in its dtype unless another is given; x of whole numbers needs one (DtypeError).

    >>> rand_like([1.0, 2.0]).shape
    (2,)
    """
    shape, kind = floating("rand_like", x, dtype)
    return rand(shape, dtype=kind, requires_grad=requires_grad)


def randn_like(x: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal in the shape of x, and in its dtype unless another is given; x of whole numbers needs one (DtypeError).

    >>> randn_like([1.0, 2.0]).shape
    (2,)
    """
    shape, kind = floating("randn_like", x, dtype)
    return randn(shape, dtype=kind, requires_grad=requires_grad)


def randint(low: int, high: Any = None, size: Any = (), dtype: Any = np.int64) -> Tensor:
    """Whole numbers from `low` up to, not with, `high`; from 0 to `low` if that is all: randint(2, 5, (3,)) or randint(5, (3,)).

    All are equally likely. Drawn from the generator that manual_seed sets. Raises ShapeError if there is no number to draw.

    >>> random.manual_seed(0); first = randint(10, (4,)); random.manual_seed(0); (first == randint(0, 10, (4,))).tolist()
    [True, True, True, True]
    """
    if isinstance(high, tuple | list):
        high, size = None, high
    first, last = (0, low) if high is None else (low, high)
    if not all(isinstance(bound, int | float | np.number) for bound in (first, last)):
        raise DtypeError(f"randint: the bounds are whole numbers, got {first!r} and {last!r}")
    if first >= last:
        raise ShapeError(f"randint: there is no whole number from {first} up to, not with, {last}")
    return random.draw("integers", lengths(size), dtype, int(first), int(last))


def permutation(x: Any) -> Tensor:
    """The numbers from 0 to x - 1 in random order (int64); of a tensor, a copy with its rows in random order, which has gradients.

    Drawn from the generator that manual_seed sets.

    >>> sorted(permutation(4).tolist())
    [0, 1, 2, 3]
    """
    if isinstance(x, int | np.integer):
        if x < 0:
            raise ShapeError(f"permutation({x}): expected a count of 0 or more, or a tensor")
        return random.shuffled(int(x))
    x = as_tensor(x)
    if not x.ndim:
        raise ShapeError("permutation of a tensor without axes: expected a whole number, or a tensor with rows")
    rows: Tensor = x[random.shuffled(x.shape[0])]
    return rows


def bernoulli(p: Any) -> Tensor:
    """1 with probability p, else 0, element by element: p is a tensor of probabilities, and gives its shape and dtype.

    The result is a constant. Drawn from the generator that manual_seed sets. p of 1 and more always gives 1; 0, less and NaN never do.

    >>> bernoulli([0.0, 1.0])
    tensor([0., 1.])
    """
    p = as_tensor(p)
    if p.dtype.kind != "f":
        raise DtypeError(f"bernoulli: p holds probabilities, real numbers from 0 to 1, got {p.dtype}")
    hits: Tensor = rand(p.shape, dtype=p.dtype) < p.detach()
    return hits.astype(p.dtype)
