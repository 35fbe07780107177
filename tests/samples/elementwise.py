"""Samples of the operations that work element by element."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from .making import EXTREME, Sample, laid, spaced

PAIRS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()), ((3,), (3,)), ((3,), ()), ((), (3,)), ((1,), (3,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((2, 3), (2, 1)),
    ((4, 1, 3), (2, 1)), ((1, 1, 1), (2,)), ((0,), (0,)), ((0,), ()), ((1,), (0,)), ((2, 0), (1, 1)), ((3, 1), (0,)),
]  # fmt: skip

MASK = np.array([[True, False, True, True], [False, False, True, False], [True, True, False, True]])


def unary(positive: bool = False, kink: Any = None) -> list[Sample]:
    """An elementwise operation of one argument."""
    shapes: list[tuple[int, ...]] = [(), (1,), (5,), (2, 3), (2, 1, 3), (0,), (2, 0)]
    found = [Sample((spaced(*shape, positive=positive),)) for shape in shapes] + laid(spaced(3, 4, positive=positive))
    found += [Sample((EXTREME,), kind="extreme"), Sample((np.tile(EXTREME, 3),), kind="extreme", layout="negative strides")]
    return found + ([] if kink is None else [Sample((np.array([kink, -0.0, 1.5, kink]),), kind="kink")])


def binary(positive: bool = False, ties: bool = False, numbers: bool = True) -> list[Sample]:
    """An elementwise operation of two arguments: broadcasting pairs, layouts, Python numbers and whole numbers beside floats."""

    def two(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[Any, Any]:
        step = 0.2 + 1.6 / max(math.prod(a), math.prod(b), 4)  # one grid for both, a quarter of a step apart
        return spaced(*a, positive=positive, step=step), spaced(*b, shift=0.25 * step, positive=positive, step=step)

    def one(*shape: int) -> Any:
        return spaced(*shape, shift=0.03, positive=positive)

    found = [Sample(two(a, b)) for a, b in PAIRS]
    found += laid(*two((3, 4), (3, 4))) + laid(*two((3, 4), (4,))) + laid(*two((3, 1), (3, 4)))
    whole = np.array([[1, 2, 3, 4]])
    found += [Sample((one(3, 4), whole)), Sample((whole, one(3, 4)))]
    if numbers:
        for number in (1.53, 2, True):
            found += [Sample((one(2, 3), number)), Sample((number, one(2, 3)))]
    found += [Sample((EXTREME[:, None], EXTREME), kind="extreme"), Sample((EXTREME, EXTREME[::-1]), kind="extreme")]
    return found + ([Sample((np.array([1.0, 2.0, 0.0, -1.0]), np.array([1.0, 3.0, -0.0, -1.0])), kind="kink")] if ties else [])


def having(found: list[Sample], **settings: Any) -> list[Sample]:
    """The same samples with other settings."""
    return [dataclasses.replace(sample, settings=settings) for sample in found]


def small() -> list[Sample]:
    """`unary` on numbers between -1 and 1."""
    return [dataclasses.replace(sample, args=(np.asarray(sample.args[0] * 0.4),)) for sample in unary()]


def clipped() -> list[Sample]:
    """Both bounds, either, none, bounds that have changed places; and elements on the bounds."""
    found = having(unary(), lo=-0.62, hi=1.0)
    found += [
        Sample((spaced(2, 3),), bounds) for bounds in ({}, {"lo": 0.05}, {"hi": 0.05}, {"lo": None, "hi": 1}, {"lo": 1.0, "hi": -1.0})
    ]
    return [*found, Sample((np.array([-1.0, 0.0, 1.0, 2.0]),), {"lo": -1.0, "hi": 1.0}, "kink")]


def powers() -> list[Sample]:
    """Positive bases with any exponent, any base with a whole number as exponent, and zeros on both sides."""
    found = binary(positive=True) + [Sample((spaced(2, 3), exponent)) for exponent in (0, 1, 2, 3.0, -1, -2.0, 0.0)]
    found += [Sample((spaced(4), np.array([0, 1, 2, 3])))]
    zeros = np.array([0.0, 0.0, 2.0, 0.0]), np.array([0.0, 2.0, 0.0, 3.0])
    return [*found, Sample(zeros, kind="kink"), Sample((0.0, np.array([0.0, 2.0])), kind="kink")]


def chosen() -> list[Sample]:
    """A condition that broadcasts, that is broadcast to, that is a number; Python numbers on either side."""
    found = [Sample((np.asarray(MASK[0, 0]), *s.args), {}, s.kind, s.layout) for s in binary(ties=True)]
    sides = [
        (spaced(3, 4), spaced(3, 4)),
        (spaced(4), spaced(3, 1)),
        (spaced(3, 4), 0.0),
        (1, spaced()),
        (spaced(), spaced()),
        (1.0, 0.0),
        (2, -1),
    ]
    found += [Sample((MASK, a, b)) for a, b in sides]
    found += [Sample((MASK.astype(int), spaced(3, 4), spaced(4))), Sample((MASK[:1], spaced(3, 4), spaced(2, 1, 1)))]
    return found + laid(MASK, spaced(3, 4), spaced(3, 4))


def cast() -> list[Sample]:
    """To float64 with gradients; to what rounds or has no gradient for the value alone."""
    found = having(unary(), dtype=np.dtype(np.float64))
    return found + [Sample((spaced(2, 3),), {"dtype": np.dtype(kind)}, "extreme") for kind in (np.float32, np.int64, bool)]


SAMPLES: dict[str, list[Sample]] = {
    "abs": unary(kink=0.0),
    "add": binary(),
    "arctan": unary(),
    "astype": cast(),
    "ceil": unary(kink=2.0),
    "clip": clipped(),
    "clone": unary(),
    "cos": unary(),
    "cosh": unary(),
    "div": binary(),
    "elu": unary(kink=0.0) + having(unary(kink=0.0), alpha=0.7),
    "eq": binary(ties=True),
    "erf": unary(),
    "erfc": unary(),
    "exp": unary(),
    "expm1": unary(),
    "floor": unary(kink=2.0),
    "ge": binary(ties=True),
    "gelu": unary() + having(unary(), approximate="tanh"),
    "gt": binary(ties=True),
    "le": binary(ties=True),
    "leaky_relu": unary(kink=0.0) + having(unary(kink=0.0), negative_slope=0.3),
    "log": unary(positive=True),
    "log1p": unary(positive=True),
    "log_sigmoid": unary(),
    "logical_and": binary(ties=True),
    "logical_not": unary(kink=0.0),
    "logical_or": binary(ties=True),
    "logical_xor": binary(ties=True),
    "lt": binary(ties=True),
    "maximum": binary(ties=True),
    "minimum": binary(ties=True),
    "mul": binary(),
    "ne": binary(ties=True),
    "neg": unary(),
    "pow": powers(),
    "reciprocal": unary(),
    "relu": unary(kink=0.0),
    "relu_grad": binary(ties=True, numbers=False),
    "round": unary(kink=2.5),
    "selu()": unary(kink=0.0),
    "sigmoid": unary(),
    "sigmoid_grad": binary(numbers=False),
    "sign": unary(kink=0.0),
    "silu": unary(),
    "sin": unary(),
    "sinh": unary(),
    "softplus": unary(),
    "softplus_grad": binary(numbers=False),
    "sqrt": unary(positive=True),
    "square": unary(),
    "sub": binary(),
    "tan": small(),
    "tanh": unary(),
    "tanh_grad": binary(numbers=False),
    "where": chosen(),
}  # fmt: skip
