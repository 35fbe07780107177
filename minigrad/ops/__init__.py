"""Every operation. Importing this package fills the tensor's operators and gives operations their compiled kernels."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minigrad import config, sparse
from minigrad.arithmetic import operators
from minigrad.keywords import word
from minigrad.op import Op

from . import (
    activations,
    contraction,
    diagonals,
    elementwise,
    error_function,
    functions,
    gather,
    index,
    likelihood,
    linalg,
    order,
    reduce,
    sequence,
    shape,
    windows,
)
from .activations import elu, gelu, leaky_relu, log_sigmoid, selu, silu
from .contraction import einsum
from .creation import (
    arange,
    bernoulli,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    permutation,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    tensor,
    zeros,
    zeros_like,
)
from .diagonals import diag, diagonal, trace, tril, triu
from .elementwise import abs_ as abs
from .elementwise import (
    add,
    astype,
    clip,
    clone,
    div,
    eq,
    exp,
    ge,
    gt,
    le,
    log,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    neg,
    relu,
    sigmoid,
    sign,
    softplus,
    sqrt,
    square,
    sub,
    tanh,
    where,
)
from .elementwise import pow_ as pow
from .error_function import erf, erfc
from .functions import arctan, ceil, cos, cosh, expm1, floor, log1p, reciprocal, sin, sinh, tan
from .functions import round_ as round
from .gather import masked_fill, one_hot, scatter_add, take_along_axis
from .index import getitem, take
from .linalg import bmm, dot, kron, linear, matmul, outer
from .naming import name
from .order import argsort, cumsum, sort, topk
from .reduce import all_ as all
from .reduce import any_ as any
from .reduce import argmax, argmin, cross_entropy_rows, log_softmax, logsumexp, mean, norm, prod, softmax, std, var
from .reduce import max_ as max
from .reduce import min_ as min
from .reduce import sum_ as sum
from .sequence import flip, pad, repeat, roll, tile
from .shape import (
    broadcast_to,
    cat,
    chunk,
    concatenate,
    expand_dims,
    flatten,
    moveaxis,
    ravel,
    reshape,
    split,
    squeeze,
    stack,
    sum_to,
    swapaxes,
    transpose,
)
from .shape import expand_dims as unsqueeze
from .shape import transpose as permute
from .windows import overlap_add, sliding_windows

__all__ = [
    "abs",
    "add",
    "all",
    "all_ops",
    "any",
    "arange",
    "arctan",
    "argmax",
    "argmin",
    "argsort",
    "astype",
    "bernoulli",
    "bmm",
    "broadcast_to",
    "cat",
    "ceil",
    "chunk",
    "clip",
    "clone",
    "concatenate",
    "cos",
    "cosh",
    "cross_entropy_rows",
    "cumsum",
    "diag",
    "diagonal",
    "div",
    "dot",
    "einsum",
    "elu",
    "eq",
    "erf",
    "erfc",
    "exp",
    "expand_dims",
    "expm1",
    "eye",
    "flatten",
    "flip",
    "floor",
    "from_numpy",
    "full",
    "full_like",
    "ge",
    "gelu",
    "getitem",
    "gt",
    "kron",
    "le",
    "leaky_relu",
    "linear",
    "linspace",
    "log",
    "log1p",
    "log_sigmoid",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "lt",
    "masked_fill",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "mul",
    "name",
    "ne",
    "neg",
    "norm",
    "one_hot",
    "ones",
    "ones_like",
    "outer",
    "overlap_add",
    "pad",
    "permutation",
    "permute",
    "pow",
    "prod",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "ravel",
    "reciprocal",
    "relu",
    "repeat",
    "reshape",
    "roll",
    "round",
    "scatter_add",
    "selu",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sinh",
    "sliding_windows",
    "softmax",
    "softplus",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "sub",
    "sum",
    "sum_to",
    "swapaxes",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensor",
    "tile",
    "topk",
    "trace",
    "transpose",
    "tril",
    "triu",
    "unsqueeze",
    "var",
    "where",
    "zeros",
    "zeros_like",
]

MODULES = (
    activations,
    contraction,
    diagonals,
    elementwise,
    error_function,
    functions,
    gather,
    index,
    likelihood,
    linalg,
    order,
    reduce,
    sequence,
    shape,
    windows,
)


def all_ops() -> dict[str, Op]:
    """Every operation of the package by name, the gradient operations too."""
    found = {value.name: value for module in MODULES for value in vars(module).values() if isinstance(value, Op)}
    return dict(sorted(found.items()))


def last_axis(kernel: Any, default: Any) -> Any:
    """A kernel over the last axis, for an operation that can work along any."""

    def along(x: Any, axis: Any = default, keepdims: bool = False) -> Any:
        if not x.ndim or axis not in (-1, x.ndim - 1) or keepdims:
            return NotImplemented
        result = kernel(x)
        return kernel(np.ascontiguousarray(x)) if result is NotImplemented else result  # the bits of a row, however it lies

    return along


def small_powers(module: Any) -> Any:
    """A kernel of pow for the exponents that are a kernel of another name: x**2 is what people write."""

    def power(a: Any, b: Any) -> Any:
        if type(b) not in (int, float):
            return NotImplemented
        return module.square(a) if b == 2 else module.div(1.0, a) if b == -1 else NotImplemented

    return power


def attach_kernels(module: Any) -> None:
    """Give each operation the compiled kernel of its name, if `module` has one (None takes them all away)."""
    for label, operation in all_ops().items():
        operation.kernel = getattr(module, label, None)
    if module is not None:
        for operation in (reduce.softmax, reduce.log_softmax, reduce.logsumexp):
            operation.kernel = last_axis(operation.kernel, operation.settings["axis"])
        reduce.cross_entropy_rows.kernel = module.cross_entropy
        # the gradient of a mean is one number for all rows, stretched
        reduce.cross_entropy_grad.kernel = lambda dy, x, target: module.cross_entropy_grad(np.ascontiguousarray(dy), x, target)
        elementwise.pow_.kernel = small_powers(module)
        elementwise.clip.kernel = lambda x, lo=None, hi=None: module.clip(x, lo, hi)
        functions.reciprocal.kernel = lambda x: module.div(1.0, x)
        activations.leaky_relu.kernel = lambda x, negative_slope=0.01: module.leaky_relu(x, negative_slope)
        activations.elu.kernel = lambda x, alpha=1.0: module.elu(x, alpha)
        activations.gelu.kernel = lambda x, approximate="none": module.gelu(x) if approximate == "none" else NotImplemented
        products = config.products()
        linalg.matmul.kernel, linalg.linear_.kernel, linalg.outer_sum.kernel = products.matmul, products.linear, products.outer_sum
        take.kernel = products.take
    sparse.kernels["add_rows"] = (lambda *args: NotImplemented) if module is None else config.products().add_rows
    operators["iadd"] = getattr(module, "iadd", operator.iadd)
    operators["add_sum"] = shape.add_sum


word(globals(), __all__)

# Made of operations, and methods too.
FUNCTIONS = (bmm, chunk, dot, flatten, getitem, masked_fill, moveaxis, ravel, repeat, split, topk, trace)

operators.update(all_ops(), **{function.__name__: function for function in FUNCTIONS})
attach_kernels(config.kernels())
