"""What one can write with a tensor: operators and methods, each of which calls the operation of its name.

The operations are entered into a table when minigrad.ops is imported, so that the tape imports none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

    def __getitem__(self, index: Any) -> Tensor:
        return operators["getitem"](self, index=index)

    # ---- the operations that read well as methods; each is documented as minigrad.<name>

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

    def clip(self, lo: float | None = None, hi: float | None = None) -> Tensor:
        """`minigrad.clip` of this tensor."""
        return operators["clip"](self, lo=lo, hi=hi)

    def astype(self, dtype: Any) -> Tensor:
        """`minigrad.astype` of this tensor."""
        return operators["astype"](self, dtype=dtype)

    def clone(self) -> Tensor:
        """`minigrad.clone` of this tensor."""
        return unary("clone", self)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """`minigrad.sum` of this tensor."""
        return operators["sum"](self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """`minigrad.mean` of this tensor."""
        return operators["mean"](self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """`minigrad.max` of this tensor."""
        return operators["max"](self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None) -> Tensor:
        """`minigrad.argmax` of this tensor."""
        return operators["argmax"](self, axis=axis)

    def logsumexp(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """`minigrad.logsumexp` of this tensor."""
        return operators["logsumexp"](self, axis=axis, keepdims=keepdims)

    def softmax(self, axis: int = -1) -> Tensor:
        """`minigrad.softmax` of this tensor."""
        return operators["softmax"](self, axis=axis)

    def log_softmax(self, axis: int = -1) -> Tensor:
        """`minigrad.log_softmax` of this tensor."""
        return operators["log_softmax"](self, axis=axis)

    def matmul(self, other: Any) -> Tensor:
        """`minigrad.matmul` of this tensor and another."""
        return binary("matmul", self, other)

    def reshape(self, *shape: Any) -> Tensor:
        """`minigrad.reshape` of this tensor."""
        return operators["reshape"](self, shape=spread(shape))

    def transpose(self, *axes: Any) -> Tensor:
        """`minigrad.transpose` of this tensor."""
        return operators["transpose"](self, axes=spread(axes) or None)

    @property
    def T(self) -> Tensor:
        """The tensor with its axes in reverse order."""
        return operators["transpose"](self, axes=None)

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        """`minigrad.swapaxes` of this tensor."""
        return operators["swapaxes"](self, axis1=axis1, axis2=axis2)

    def expand_dims(self, axis: Any) -> Tensor:
        """`minigrad.expand_dims` of this tensor."""
        return operators["expand_dims"](self, axis=axis)

    def squeeze(self, axis: Any = None) -> Tensor:
        """`minigrad.squeeze` of this tensor."""
        return operators["squeeze"](self, axis=axis)

    def broadcast_to(self, *shape: Any) -> Tensor:
        """`minigrad.broadcast_to` of this tensor."""
        return operators["broadcast_to"](self, shape=spread(shape))

    def split(self, parts: Any, axis: int = 0) -> tuple[Tensor, ...]:
        """`minigrad.split` of this tensor."""
        return operators["split"](self, parts, axis=axis)

    def take(self, indices: Any, axis: int = 0) -> Tensor:
        """`minigrad.take` of this tensor."""
        return operators["take"](self, indices, axis=axis)
