"""What one can write with a tensor: operators and methods, each of which calls the operation of its name.

The operations are entered into a table when minigrad.ops is imported, so that the tape imports none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Never

import numpy as np

from minigrad.errors import DtypeError

if TYPE_CHECKING:
    from minigrad.tape import Tensor

operators: dict[str, Any] = {}  # name -> operation


class Operator:
    """What the operators of a tensor call; op.py has the real one."""

    __slots__ = ()

    def unary(self, x: Any) -> Tensor:
        """The operation on one tensor."""
        raise NotImplementedError

    def binary(self, a: Any, b: Any) -> Tensor:
        """The operation on two operands, one of them a tensor."""
        raise NotImplementedError


def unary(name: str, x: Any) -> Tensor:
    """The operation `name` on one tensor."""
    operator = operators[name]
    return operator.unary(x)


def binary(name: str, a: Any, b: Any) -> Tensor:
    """The operation `name` on two operands, one of them a tensor."""
    operator = operators[name]
    return operator.binary(a, b)


def spread(values: tuple[Any, ...]) -> tuple[int, ...]:
    """Lets `reshape(2, 3)` and `reshape((2, 3))` mean the same."""
    return tuple(values[0]) if len(values) == 1 and isinstance(values[0], list | tuple) else values


def booleans(sign: str, x: Any) -> Any:
    """x, if it is of booleans: of whole numbers these signs mean their bits elsewhere, which no operation here works on."""
    dtype = np.asarray(x).dtype if not hasattr(x, "dtype") else x.dtype
    if dtype != np.bool_:
        raise DtypeError(
            f"{sign} combines booleans, got {dtype}: compare first (x != 0), or use logical_and(), logical_or(), logical_not()"
        )
    return x


class Arithmetic:
    """The operators and methods of a tensor; minigrad.<name> documents each."""

    __slots__ = ()

    def __hash__(self) -> int:
        return object.__hash__(self)

    # ---- arithmetic: each line calls the operation of that name

    def __add__(self, other: Any) -> Tensor:
        return binary("add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return binary("add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return binary("sub", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return binary("sub", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return binary("mul", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return binary("mul", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return binary("div", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return binary("div", other, self)

    def __pow__(self, other: Any) -> Tensor:
        return binary("pow", self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return binary("pow", other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return binary("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return binary("matmul", other, self)

    def __neg__(self) -> Tensor:
        return unary("neg", self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Tensor:
        return unary("abs", self)

    def __eq__(self, other: object) -> Any:
        return binary("eq", self, other)

    def __ne__(self, other: object) -> Any:
        return binary("ne", self, other)

    def __lt__(self, other: Any) -> Tensor:
        return binary("lt", self, other)

    def __le__(self, other: Any) -> Tensor:
        return binary("le", self, other)

    def __gt__(self, other: Any) -> Tensor:
        return binary("gt", self, other)

    def __ge__(self, other: Any) -> Tensor:
        return binary("ge", self, other)

    def __invert__(self) -> Tensor:
        return unary("logical_not", booleans("~", self))

    def __and__(self, other: Any) -> Tensor:
        return binary("logical_and", booleans("&", self), booleans("&", other))

    def __rand__(self, other: Any) -> Tensor:
        return binary("logical_and", booleans("&", other), self)

    def __or__(self, other: Any) -> Tensor:
        return binary("logical_or", booleans("|", self), booleans("|", other))

    def __ror__(self, other: Any) -> Tensor:
        return binary("logical_or", booleans("|", other), self)

    def __xor__(self, other: Any) -> Tensor:
        return binary("logical_xor", booleans("^", self), booleans("^", other))

    def __rxor__(self, other: Any) -> Tensor:
        return binary("logical_xor", booleans("^", other), self)

    def __getitem__(self, index: Any) -> Tensor:
        return operators["getitem"](self, index=index)

    # ---- the operations that read well as methods; each is documented as minigrad.<name>, and refuses keywords that it does not have

    def exp(self) -> Tensor:
        """`minigrad.exp` of this tensor."""
        return unary("exp", self)

    def log(self) -> Tensor:
        """`minigrad.log` of this tensor."""
        return unary("log", self)

    def sqrt(self) -> Tensor:
        """`minigrad.sqrt` of this tensor."""
        return unary("sqrt", self)

    def square(self) -> Tensor:
        """`minigrad.square` of this tensor."""
        return unary("square", self)

    def abs(self) -> Tensor:
        """`minigrad.abs` of this tensor."""
        return unary("abs", self)

    def tanh(self) -> Tensor:
        """`minigrad.tanh` of this tensor."""
        return unary("tanh", self)

    def sigmoid(self) -> Tensor:
        """`minigrad.sigmoid` of this tensor."""
        return unary("sigmoid", self)

    def relu(self) -> Tensor:
        """`minigrad.relu` of this tensor."""
        return unary("relu", self)

    def reciprocal(self) -> Tensor:
        """`minigrad.reciprocal` of this tensor."""
        return unary("reciprocal", self)

    def expm1(self) -> Tensor:
        """`minigrad.expm1` of this tensor."""
        return unary("expm1", self)

    def log1p(self) -> Tensor:
        """`minigrad.log1p` of this tensor."""
        return unary("log1p", self)

    def sin(self) -> Tensor:
        """`minigrad.sin` of this tensor."""
        return unary("sin", self)

    def cos(self) -> Tensor:
        """`minigrad.cos` of this tensor."""
        return unary("cos", self)

    def erf(self) -> Tensor:
        """`minigrad.erf` of this tensor."""
        return unary("erf", self)

    def sign(self) -> Tensor:
        """`minigrad.sign` of this tensor."""
        return unary("sign", self)

    def floor(self) -> Tensor:
        """`minigrad.floor` of this tensor."""
        return unary("floor", self)

    def ceil(self) -> Tensor:
        """`minigrad.ceil` of this tensor."""
        return unary("ceil", self)

    def round(self) -> Tensor:
        """`minigrad.round` of this tensor."""
        return unary("round", self)

    def clip(self, lo: float | None = None, hi: float | None = None, **others: Never) -> Tensor:
        """`minigrad.clip` of this tensor."""
        return operators["clip"](self, lo=lo, hi=hi, **others)

    def astype(self, dtype: Any) -> Tensor:
        """`minigrad.astype` of this tensor."""
        return operators["astype"](self, dtype=dtype)

    def clone(self) -> Tensor:
        """`minigrad.clone` of this tensor."""
        return unary("clone", self)

    def sum(self, axis: Any = None, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.sum` of this tensor."""
        return operators["sum"](self, axis=axis, keepdims=keepdims, **others)

    def mean(self, axis: Any = None, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.mean` of this tensor."""
        return operators["mean"](self, axis=axis, keepdims=keepdims, **others)

    def max(self, axis: Any = None, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.max` of this tensor."""
        return operators["max"](self, axis=axis, keepdims=keepdims, **others)

    def min(self, axis: Any = None, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.min` of this tensor."""
        return operators["min"](self, axis=axis, keepdims=keepdims, **others)

    def argmax(self, axis: int | None = None, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.argmax` of this tensor."""
        return operators["argmax"](self, axis=axis, keepdims=keepdims, **others)

    def argmin(self, axis: int | None = None, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.argmin` of this tensor."""
        return operators["argmin"](self, axis=axis, keepdims=keepdims, **others)

    def prod(self, axis: Any = None, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.prod` of this tensor."""
        return operators["prod"](self, axis=axis, keepdims=keepdims, **others)

    def any(self, axis: Any = None, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.any` of this tensor."""
        return operators["any"](self, axis=axis, keepdims=keepdims, **others)

    def all(self, axis: Any = None, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.all` of this tensor."""
        return operators["all"](self, axis=axis, keepdims=keepdims, **others)

    def var(self, axis: Any = None, ddof: float = 0, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.var` of this tensor."""
        return operators["var"](self, axis=axis, ddof=ddof, keepdims=keepdims, **others)

    def std(self, axis: Any = None, ddof: float = 0, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.std` of this tensor."""
        return operators["std"](self, axis=axis, ddof=ddof, keepdims=keepdims, **others)

    def norm(self, ord: float = 2, axis: Any = None, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.norm` of this tensor."""
        return operators["norm"](self, ord=ord, axis=axis, keepdims=keepdims, **others)

    def cumsum(self, axis: int | None = None, **others: Never) -> Tensor:
        """`minigrad.cumsum` of this tensor."""
        return operators["cumsum"](self, axis=axis, **others)

    def argsort(self, axis: int = -1, descending: bool = False, **others: Never) -> Tensor:
        """`minigrad.argsort` of this tensor."""
        return operators["argsort"](self, axis=axis, descending=descending, **others)

    def sort(self, axis: int = -1, descending: bool = False, **others: Never) -> Tensor:
        """`minigrad.sort` of this tensor, which it leaves as it is."""
        return operators["sort"](self, axis=axis, descending=descending, **others)

    def topk(self, k: int, axis: int = -1, largest: bool = True, **others: Never) -> tuple[Tensor, Tensor]:
        """`minigrad.topk` of this tensor."""
        return operators["topk"](self, k, axis, largest, **others)

    def logsumexp(self, axis: Any = None, keepdims: bool = False, **others: Never) -> Tensor:
        """`minigrad.logsumexp` of this tensor."""
        return operators["logsumexp"](self, axis=axis, keepdims=keepdims, **others)

    def softmax(self, axis: int = -1, **others: Never) -> Tensor:
        """`minigrad.softmax` of this tensor."""
        return operators["softmax"](self, axis=axis, **others)

    def log_softmax(self, axis: int = -1, **others: Never) -> Tensor:
        """`minigrad.log_softmax` of this tensor."""
        return operators["log_softmax"](self, axis=axis, **others)

    def matmul(self, other: Any) -> Tensor:
        """`minigrad.matmul` of this tensor and another."""
        return binary("matmul", self, other)

    def reshape(self, *shape: Any, **others: Never) -> Tensor:
        """`minigrad.reshape` of this tensor."""
        return operators["reshape"](self, shape=spread(shape), **others)

    def transpose(self, *axes: Any, **others: Never) -> Tensor:
        """`minigrad.transpose` of this tensor."""
        return operators["transpose"](self, axes=spread(axes) or None, **others)

    @property
    def T(self) -> Tensor:
        """The tensor with its axes in reverse order."""
        return operators["transpose"](self, axes=None)

    def swapaxes(self, axis1: int, axis2: int, **others: Never) -> Tensor:
        """`minigrad.swapaxes` of this tensor."""
        return operators["swapaxes"](self, axis1=axis1, axis2=axis2, **others)

    def expand_dims(self, axis: Any, **others: Never) -> Tensor:
        """`minigrad.expand_dims` of this tensor."""
        return operators["expand_dims"](self, axis=axis, **others)

    def squeeze(self, axis: Any = None, **others: Never) -> Tensor:
        """`minigrad.squeeze` of this tensor."""
        return operators["squeeze"](self, axis=axis, **others)

    def broadcast_to(self, *shape: Any, **others: Never) -> Tensor:
        """`minigrad.broadcast_to` of this tensor."""
        return operators["broadcast_to"](self, shape=spread(shape), **others)

    def split(self, parts: Any, axis: int = 0, **others: Never) -> tuple[Tensor, ...]:
        """`minigrad.split` of this tensor."""
        return operators["split"](self, parts, axis=axis, **others)

    def take(self, indices: Any, axis: int = 0, **others: Never) -> Tensor:
        """`minigrad.take` of this tensor."""
        return operators["take"](self, indices, axis=axis, **others)

    def take_along_axis(self, indices: Any, axis: int = -1, **others: Never) -> Tensor:
        """`minigrad.take_along_axis` of this tensor."""
        return operators["take_along_axis"](self, indices, axis=axis, **others)

    def scatter_add(self, indices: Any, src: Any, axis: int = -1, **others: Never) -> Tensor:
        """`minigrad.scatter_add` of this tensor."""
        return operators["scatter_add"](self, indices, src, axis=axis, **others)

    def masked_fill(self, mask: Any, value: Any) -> Tensor:
        """`minigrad.masked_fill` of this tensor."""
        return operators["masked_fill"](self, mask, value)

    def view(self, *shape: Any, **others: Never) -> Tensor:
        """`minigrad.reshape` of this tensor, by PyTorch's name."""
        return operators["reshape"](self, shape=spread(shape), **others)

    def flatten(self, start: int = 0, stop: int = -1, **others: Never) -> Tensor:
        """`minigrad.flatten` of this tensor."""
        return operators["flatten"](self, start, stop, **others)

    def ravel(self) -> Tensor:
        """`minigrad.ravel` of this tensor."""
        return operators["ravel"](self)

    def permute(self, *axes: Any, **others: Never) -> Tensor:
        """`minigrad.transpose` of this tensor, by PyTorch's name."""
        return operators["transpose"](self, axes=spread(axes), **others)

    def moveaxis(self, source: Any, destination: Any, **others: Never) -> Tensor:
        """`minigrad.moveaxis` of this tensor."""
        return operators["moveaxis"](self, source, destination, **others)

    def unsqueeze(self, axis: Any = None, **others: Never) -> Tensor:
        """`minigrad.expand_dims` of this tensor, by PyTorch's name."""
        return operators["expand_dims"](self, axis=axis, **others)

    def chunk(self, chunks: int, axis: int = 0, **others: Never) -> tuple[Tensor, ...]:
        """`minigrad.chunk` of this tensor."""
        return operators["chunk"](self, chunks, axis, **others)

    def flip(self, axis: Any = None, **others: Never) -> Tensor:
        """`minigrad.flip` of this tensor."""
        return operators["flip"](self, axis=axis, **others)

    def roll(self, shift: Any, axis: Any = None, **others: Never) -> Tensor:
        """`minigrad.roll` of this tensor."""
        return operators["roll"](self, shift=shift, axis=axis, **others)

    def repeat(self, repeats: Any, axis: int | None = None, **others: Never) -> Tensor:
        """`minigrad.repeat` of this tensor: NumPy's, where PyTorch's method is `tile`."""
        return operators["repeat"](self, repeats, axis, **others)

    def tile(self, *reps: Any, **others: Never) -> Tensor:
        """`minigrad.tile` of this tensor."""
        return operators["tile"](self, reps=spread(reps), **others)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1, **others: Never) -> Tensor:
        """`minigrad.diagonal` of this tensor."""
        return operators["diagonal"](self, offset=offset, axis1=axis1, axis2=axis2, **others)

    def trace(self) -> Tensor:
        """`minigrad.trace` of this tensor."""
        return operators["trace"](self)

    def triu(self, k: int = 0, **others: Never) -> Tensor:
        """`minigrad.triu` of this tensor."""
        return operators["triu"](self, k=k, **others)

    def tril(self, k: int = 0, **others: Never) -> Tensor:
        """`minigrad.tril` of this tensor."""
        return operators["tril"](self, k=k, **others)

    def dot(self, other: Any) -> Tensor:
        """`minigrad.dot` of this tensor and another."""
        return operators["dot"](self, other)

    def bmm(self, other: Any) -> Tensor:
        """`minigrad.bmm` of this tensor and another."""
        return operators["bmm"](self, other)
