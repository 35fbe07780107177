"""Arguments for every operation: SAMPLES, from which tests/test_ops.py makes its tests.

A sample says what to call an operation with and nothing of what should come out. A new operation needs one line here (`unary`,
`binary`, `reduction` ... cover the common kinds) and one reference in test_ops.py; all its tests exist already.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import from_numpy


def unaligned(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same numbers one byte past where the processor wants them, as in a packed file."""
    raw = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    raw[...] = a
    return raw


def spread_out(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Every second element of a larger array."""
    wide = np.zeros([2 * n + 1 for n in a.shape], a.dtype)
    view = wide[(slice(1, None, 2),) * a.ndim]
    view[...] = a
    return view


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "C": lambda a: a.copy(),
    "Fortran": lambda a: a.copy(order="F"),
    "transposed": lambda a: np.swapaxes(np.swapaxes(a, 0, -1).copy(), 0, -1),
    "negative strides": lambda a: a[(slice(None, None, -1),) * a.ndim].copy()[(slice(None, None, -1),) * a.ndim],
    "every second": spread_out,
    "zero stride": lambda a: np.broadcast_to(a[:1], a.shape),  # the one layout that changes numbers: all rows are the first
    "unaligned": unaligned,
}


@dataclasses.dataclass(frozen=True)
class Sample:
    """One call of an operation: arrays (None and Python numbers too) and settings.

    `kind` says what may be asked: "smooth", every derivative exists here; "kink", it is a matter of convention (ties, zeros), so
    no difference quotients; "extreme", the value alone (NaN, infinities, numbers at the ends of the range).
    """

    args: tuple[Any, ...]
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    kind: str = "smooth"
    layout: str = "C"

    def arrays(self, *dtypes: Any) -> tuple[Any, ...]:
        """Fresh arguments in this sample's layout, floats in `dtypes` (given to the arguments in turn)."""
        made = []
        with np.errstate(all="ignore"):
            for i, arg in enumerate(self.args):
                if isinstance(arg, np.ndarray):
                    arg = arg.astype(dtypes[i % len(dtypes)]) if arg.dtype.kind == "f" else arg
                    arg = LAYOUTS[self.layout](arg) if arg.ndim else arg.copy()
                made.append(arg)
        return tuple(made)

    def tensors(self, *dtypes: Any) -> tuple[Any, ...]:
        """`arrays` as constants that share their memory, strides and all."""
        return tuple(from_numpy(arg) if isinstance(arg, np.ndarray) else arg for arg in self.arrays(*dtypes))

    def __str__(self) -> str:
        shapes = ", ".join(str(arg.shape) if isinstance(arg, np.ndarray) else repr(arg) for arg in self.args)
        return f"{shapes} {self.settings or ''} {self.kind} {self.layout}"


source = np.random.default_rng(20240229)


def spaced(*shape: int, shift: float = 0.0, positive: bool = False, step: float = 0.0) -> np.ndarray[Any, Any]:
    """Shuffled numbers with gaps of at least 0.2 between each other and 0: no ties and no kinks within a difference quotient's reach."""
    count = math.prod(shape)
    places = source.permutation(count).reshape(shape)
    return np.asarray((places + 1.0 if positive else places - count // 2 + 0.5) * (step or 0.2 + 1.6 / max(count, 4)) + shift)


ENDS = np.array([0.0, 1e-310, 1e-40, 1e-5, 0.3, 1.0, 20.0, 89.0, 104.0, 750.0, 3e38, 1e308, np.inf])
EXTREME = np.concatenate([ENDS, -ENDS, [np.nan]])
PAIRS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()), ((3,), (3,)), ((3,), ()), ((), (3,)), ((1,), (3,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((2, 3), (2, 1)),
    ((4, 1, 3), (2, 1)), ((1, 1, 1), (2,)), ((0,), (0,)), ((0,), ()), ((1,), (0,)), ((2, 0), (1, 1)), ((3, 1), (0,)),
]  # fmt: skip
MASK = np.array([[True, False, True, True], [False, False, True, False], [True, True, False, True]])


def laid(*args: Any, kind: str = "smooth", tied: bool = False, **settings: Any) -> list[Sample]:
    """One call in every layout. `tied` says that equal rows (the zero stride) tie."""
    return [Sample(args, settings, "kink" if tied and name == "zero stride" else kind, name) for name in LAYOUTS]


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


def reduction(tied: bool = False, empty: str = "", tuples: bool = True) -> list[Sample]:
    """An operation over `axis` with `keepdims`. `empty` is the kind of a sample that reduces nothing, if that has a value."""
    axes: list[Any] = [None, 0, 1, -1, -3]
    if tuples:
        axes += [(0, 2), (-1, 0), (1,), (), [0, 1]]
    found = [Sample((spaced(2, 3, 4),), {"axis": axis, "keepdims": keep}) for axis in axes for keep in (False, True)]
    found += [Sample((spaced(5),)), Sample((spaced(5),), {"axis": -1}), Sample((spaced(1, 1),), {"axis": 0})]
    found += [Sample((spaced(),)), Sample((spaced(),), {"axis": -1})]
    found += laid(spaced(3, 4), axis=0, tied=tied) + laid(spaced(3, 4), axis=-1) + laid(spaced(3, 4), tied=tied)
    found += [Sample((spaced(0, 3),), {"axis": 1}), Sample((spaced(2, 0, 3),), {"axis": 0, "keepdims": True})]
    ties = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    found += [Sample((ties,), {"axis": axis}, "kink" if tied else "smooth") for axis in (None, -1, 0)]
    if empty:
        found += [Sample((spaced(0),), kind=empty), Sample((spaced(2, 0),), {"axis": 1}, empty)]
    rows = np.array([[-np.inf] * 3, [1e38, -1e38, 0.0], [np.inf, 1.0, 2.0], [np.nan, 1.0, np.inf], [-np.inf, 0.0, 750.0]])
    return found + [Sample((rows,), {"axis": axis}, "extreme") for axis in (None, 0, -1)]


def along(found: list[Sample]) -> list[Sample]:
    """The samples of a reduction for an operation that has one axis and no keepdims."""
    return [
        dataclasses.replace(sample, settings={"axis": sample.settings["axis"]} if "axis" in sample.settings else {})
        for sample in found
        if isinstance(sample.settings.get("axis", 0), int) and not sample.settings.get("keepdims")
    ]


def views(*cases: tuple[tuple[int, ...], dict[str, Any]]) -> list[Sample]:
    """An operation that moves elements about: (shape, settings); the first case in every layout."""
    return laid(spaced(*cases[0][0]), **cases[0][1]) + [Sample((spaced(*shape),), settings) for shape, settings in cases[1:]]


def each(setting: str, *cases: tuple[tuple[int, ...], Any]) -> list[Sample]:
    """`views` of an operation with one setting: (shape, value)."""
    return views(*[(shape, {setting: value}) for shape, value in cases])


def products() -> list[Sample]:
    """All that matmul calls a product, empty ones too."""
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)),
        ((1, 2, 3), (5, 3, 4)), ((2, 3), (5, 3, 4)), ((3,), (5, 3, 4)), ((5, 2, 3), (3,)), ((2, 1, 2, 3), (4, 3, 2)), ((1, 1), (1, 1)),
        ((2, 0), (0, 3)), ((0, 3), (3, 2)), ((0,), (0,)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 4)), ((2, 2, 0), (0, 3)), ((0,), (0, 2)),
    ]  # fmt: skip
    found = [Sample((spaced(*a), spaced(*b))) for a, b in shapes]
    return found + laid(spaced(3, 3), spaced(3, 3)) + laid(spaced(2, 3, 4), spaced(2, 4, 3))


def affine() -> list[Sample]:
    """Inputs of linear: any number of leading axes, with and without a bias, empty batches and no features."""
    shapes: list[tuple[int, ...]] = [(2, 3), (3,), (5, 2, 3), (0, 3), (4, 0, 3), (1, 3)]
    found = [Sample((spaced(*shape), spaced(4, 3), bias)) for shape in shapes for bias in (spaced(4), None)]
    found += [Sample((spaced(*shape), spaced(4, 0), spaced(4))) for shape in ((2, 0), (2, 5, 0))]
    return [*found, Sample((spaced(2, 3), spaced(0, 3), None)), *laid(spaced(3, 4), spaced(2, 4), spaced(2))]


def outer() -> list[Sample]:
    """Pairs of row lists: one axis, several leading ones, one column, none of rows or of columns."""
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((5, 3), (5, 4)), ((3,), (4,)), ((2, 5, 3), (2, 5, 4)), ((1, 3), (1, 4)), ((40, 37), (40, 2)), ((40, 37), (40, 1)),
        ((40, 2), (40, 37)), ((0, 3), (0, 4)), ((2, 0, 3), (2, 0, 4)), ((5, 0), (5, 4)), ((5, 3), (5, 0)),
    ]  # fmt: skip
    return [Sample((spaced(*a), spaced(*b))) for a, b in shapes] + laid(spaced(3, 4), spaced(3, 2)) + laid(spaced(2, 3, 4), spaced(2, 3, 2))


INDEXED: list[tuple[tuple[int, ...], Any]] = [
    ((5,), [0, 2]),
    ((3, 4), 1), ((3, 4), -1), ((3, 4), np.int64(1)), ((3, 4), (2, 3)), ((3, 4), slice(None, None, -1)), ((3, 4), slice(2, 2)),
    ((3, 4), (slice(1, 3), slice(0, 4, 2))), ((3, 4), (Ellipsis, 0)), ((3, 4), (None, slice(None), None, 2)), ((3, 4), Ellipsis),
    ((3, 4), ()), ((), ()), ((), (None,)), ((0, 3), slice(None)), ((3, 4), True),
    ((3, 4), np.array([0, 2, 2, 0, 0])), ((3, 4), np.array([], int)), ((3, 4), (slice(None), np.array([[1, 1], [3, -4]]))),
    ((3, 4), (np.array([0, 0, 1]), np.array([2, 2, 3]))), ((2, 3, 4), (np.array([0, 1, 0]), slice(None), np.array([1, 1, 1]))),
    ((2, 3, 4), (1, slice(None), [0, 0])), ((3, 4), MASK), ((3, 4), (MASK[:, 0], 1)), ((3, 4), np.zeros((3, 4), bool)),
]  # fmt: skip
TAKEN: list[tuple[tuple[int, ...], Any, dict[str, Any]]] = [
    ((5, 3), np.array([0, 4]), {}), ((5, 3), np.array([1, 1, 3, 1, -4]), {}), ((5, 3), np.array([[1, 0], [1, 2]]), {"axis": 1}),
    ((2, 3, 4), np.array([0, 0, 2]), {"axis": -2}), ((5,), np.array([[4, 4, 0]]), {}), ((5, 3), np.array([3, 3], np.int32), {}),
    ((5, 3), 2, {}), ((5, 3), np.array(2), {}), ((5, 3), [1, 1], {}), ((5, 3), np.array([], np.int64), {}),
    ((3, 0), np.array([1, 1]), {}), ((0, 3), np.array([], np.int64), {}), ((2, 0, 4), np.array([0, 0]), {"axis": -1}),
]  # fmt: skip


def gathered() -> list[Sample]:
    """Slices, which are views, and integers, which are not, in every layout; then all kinds of index."""
    found = laid(spaced(3, 4), index=(slice(1, None), slice(None, None, 2))) + laid(spaced(3, 4), index=np.array([2, 2, 0]))
    return found + [Sample((spaced(*shape),), {"index": index}) for shape, index in INDEXED]


def scattered() -> list[Sample]:
    """scatter for each sample of getitem: the elements that the index would have read."""
    found = [Sample((spaced(*np.zeros(shape)[index].shape),), {"shape": shape, "index": index}) for shape, index in INDEXED]
    return found + laid(spaced(3, 4), shape=(6, 4), index=np.array([5, 5, 0]))


def rows_scattered() -> list[Sample]:
    """scatter_rows for each sample of take: the slices that it would have taken."""
    found = laid(spaced(3, 4), np.array([1, 1, 0]), shape=(2, 4))
    for shape, indices, settings in TAKEN:
        taken = np.take(np.zeros(shape), indices, settings.get("axis", 0))
        found.append(Sample((spaced(*taken.shape), indices), {"shape": shape, **settings}))
    return found


def joined() -> list[Sample]:
    """Arrays of different lengths along the axis, empty ones, one alone."""
    found = [*laid(spaced(3, 4), spaced(3, 4)), Sample((spaced(2, 3), spaced(4, 3))), Sample((spaced(2),))]
    found += [Sample((spaced(2), spaced(0), spaced(3))), Sample((spaced(0, 2), spaced(0, 2)), {"axis": 1})]
    return found + [Sample((spaced(2, 3), spaced(2, 1), spaced(2, 2)), {"axis": axis}) for axis in (1, -1)]


def stacked() -> list[Sample]:
    """Arrays of one shape, without axes too."""
    found = laid(spaced(3, 4), spaced(3, 4), axis=1) + [Sample((spaced(3), spaced(3)), {"axis": axis}) for axis in (0, 1, -1)]
    return [*found, Sample((spaced(3), spaced(3))), Sample((spaced(), spaced(), spaced())), Sample((spaced(0, 2),), {"axis": 2})]


def clipped() -> list[Sample]:
    """Both bounds, either, none, bounds that have changed places; and elements on the bounds."""
    found = [dataclasses.replace(sample, settings={"lo": -0.62, "hi": 1.0}) for sample in unary()]
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
    found = [dataclasses.replace(sample, settings={"dtype": np.dtype(np.float64)}) for sample in unary()]
    return found + [Sample((spaced(2, 3),), {"dtype": np.dtype(kind)}, "extreme") for kind in (np.float32, np.int64, bool)]


CLASSES = np.array([3, 0, 3])
LOGITS = np.array([[1e38, -1e38, 0.0, 1.0], [-np.inf, -np.inf, 2.0, 3.0], [750.0, -750.0, 0.0, 700.0]])
TABLES = [Sample((spaced(n, c), np.arange(n) % max(c, 1))) for n, c in ((5, 3), (1, 1), (0, 3), (2, 1))] + laid(spaced(3, 4), CLASSES)
TABLES += [Sample((spaced(3, 4), CLASSES.astype(np.int32))), Sample((LOGITS, CLASSES), kind="extreme")]

SAMPLES: dict[str, list[Sample]] = {
    "abs": unary(kink=0.0),
    "add": binary(),
    "argmax": reduction(tied=True, tuples=False),
    "astype": cast(),
    "broadcast_to": each(
        "shape",
        ((3, 4), (2, 3, 4)), ((4,), (3, 4)), ((), (2, 3)), ((2, 1), (2, 3)), ((1,), (0,)), ((3,), (3,)), ((1, 3, 1), (2, 4, 3, 5)),
        ((1, 1), (1, 1)), ((0,), (2, 0)), ((), ()),
    ),
    "clip": clipped(),
    "clone": unary(),
    "concatenate": joined(),
    "cross_entropy_grad": [Sample((spaced(len(s.args[1])), *s.args), {}, s.kind, s.layout) for s in TABLES],
    "cross_entropy_rows": TABLES,
    "detach": unary(),
    "div": binary(),
    "eq": binary(ties=True),
    "exp": unary(),
    "expand_dims": each("axis", ((3, 4), 0), ((3,), 0), ((3,), -1), ((2, 3), (0, 2)), ((), 0), ((0,), 1)),
    "ge": binary(ties=True),
    "getitem": gathered(),
    "gt": binary(ties=True),
    "identity": unary(),
    "le": binary(ties=True),
    "linear": affine(),
    "log": unary(positive=True),
    "log_softmax": along(reduction(empty="smooth")),
    "logsumexp": reduction(empty="extreme"),
    "lt": binary(ties=True),
    "matmul": products(),
    "max": reduction(tied=True),
    "maximum": binary(ties=True),
    "mean": reduction(empty="extreme"),
    "minimum": binary(ties=True),
    "mul": binary(),
    "ne": binary(ties=True),
    "neg": unary(),
    "outer_sum": outer(),
    "pow": powers(),
    "relu": unary(kink=0.0),
    "relu_grad": binary(ties=True, numbers=False),
    "reshape": each(
        "shape",
        ((3, 4), (2, 6)), ((4,), (2, 2)), ((2, 3), (-1,)), ((2, 3), -1), ((1,), ()), ((), (1, 1)), ((2, 0), (0, 5)), ((6,), (6,)),
        ((2, 3, 4), [4, -1]), ((4,), (4,)),
    ),
    "scatter": scattered(),
    "scatter_rows": rows_scattered(),
    "sigmoid": unary(),
    "sigmoid_grad": binary(numbers=False),
    "sign": unary(kink=0.0),
    "softmax": along(reduction(empty="smooth")),
    "softplus": unary(),
    "softplus_grad": binary(numbers=False),
    "sqrt": unary(positive=True),
    "square": unary(),
    "squeeze": views(((3, 4), {}), ((1, 4), {}), ((1, 3, 1), {}), ((), {}))
    + each("axis", ((1, 3, 1), 0), ((1, 3, 1), (0, -1)), ((1, 0), 0)),
    "stack": stacked(),
    "sub": binary(),
    "sum": reduction(empty="smooth"),
    "sum_to": each(
        "shape",
        ((3, 4), (1, 4)), ((3, 4), (4,)), ((2, 3, 4), (3, 1)), ((2, 3), ()), ((2, 3), (2, 3)), ((2, 4, 3, 5), (1, 3, 1)),
        ((0, 3), (3,)), ((0,), (1,)), ((2, 0), (0,)), ((), ()),
    ),
    "swapaxes": [
        sample
        for shape, axis1, axis2 in (((3, 4), 0, 1), ((2, 3, 4), -1, 0), ((2, 3), 1, 1), ((2, 0), 0, -1))
        for sample in laid(spaced(*shape), axis1=axis1, axis2=axis2)
    ],
    "take": [Sample((spaced(*shape), indices), settings) for shape, indices, settings in TAKEN]
    + laid(spaced(3, 4), np.array([2, 2, 0]), axis=1),
    "tanh": unary(),
    "tanh_grad": binary(numbers=False),
    "transpose": views(((3, 4), {}), ((3,), {}), ((2, 0, 3), {}))
    + each("axes", ((2, 3, 4), (1, 2, 0)), ((2, 3, 4), (-1, 0, 1)), ((2, 3, 4), [2, 0, 1]), ((), ())),
    "where": chosen(),
}  # fmt: skip
