"""For tests: `check_grads`, which compares gradients with difference quotients, and SAMPLES, arguments for every operation.

A sample says what to call an operation with; it says nothing of what should come out. What must hold for all of them (the
kernel agrees with the body, gradients agree with other people's, nothing is changed, dtypes stay) is in tests/test_ops.py, and
runs for every operation that has an entry here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minigrad.grad import flatten, unflatten, vjp
from minigrad.ops import from_numpy
from minigrad.tape import DtypeError, Tensor, no_grad

# ---- gradients against difference quotients


def check_grads(function: Callable[..., Any], args: Any, order: int = 2, *, tol: float = 1e-6, directions: int = 2, seed: int = 0) -> None:
    """Compare the gradients of `function` at `args` with difference quotients, up to derivatives of the given order.

    `args` is a tensor (or NumPy array), or a tuple of arguments: tensors, or nested tuples, lists and dicts of them, as minigrad.grad
    takes them. They are copied as float64; whole numbers are constants. `function` returns a tensor, or a nest of them, and must give
    the same numbers at each call.

    For each argument a few random directions are tried, with a random cotangent for every output: never ones, which hide transposed
    operands, wrong axes and broadcasting. The error allowed is `tol` times the derivative itself (small gradients are not waved
    through), plus the uncertainty of the quotient. The second order is the same check of the gradient, as a function of the
    arguments and the cotangents; and so on.

    Raises AssertionError with a sentence that says which argument and which order failed and both numbers; the same if the quotients
    do not settle, as they do not beside a kink. Raises DtypeError if the results are not float64: then they are too coarse to tell.

    >>> import minigrad as mg
    >>> check_grads(lambda x: mg.tanh(x) * x, mg.tensor([0.5, -1.0]))
    >>> check_grads(lambda x: x * x.detach(), mg.tensor([0.5, -1.0]), order=1)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: order 1, argument 0 of shape (2,): along a random direction the gradient gives ..., difference quotients give ...
    """
    trees = args if isinstance(args, tuple) else (args,)
    names = [name for i, tree in enumerate(trees) for name in paths(tree, f"argument {i}")]
    points = [as_float64(leaf) for leaf in flatten(trees)]

    def flat(*leaves: Any) -> list[Any]:
        return flatten(function(*unflatten(trees, list(leaves))))

    check_order(flat, points, names, 1, order, tol, directions, np.random.default_rng(seed))


def check_order(
    flat: Callable[..., list[Any]],
    points: list[np.ndarray[Any, Any]],
    names: list[str],
    now: int,
    last: int,
    tol: float,
    directions: int,
    rng: np.random.Generator,
) -> None:
    """check_grads for a function from flat arguments to flat results; `now` is the order of the derivatives it checks."""
    values = evaluate(flat, points)
    for first, again in zip(values, evaluate(flat, points), strict=True):
        if not np.array_equal(first, again, equal_nan=True):
            raise AssertionError(f"order {now}: two calls with the same arguments gave different numbers: there is no derivative to check")
        if first.dtype.kind == "f" and first.dtype != np.float64:
            raise DtypeError(f"check_grads needs results in float64, got {first.dtype}: something inside converts to it")
    weights = [away_from_zero(rng, value.shape) if value.dtype.kind == "f" else None for value in values]
    chosen = [i for i, point in enumerate(points) if point.dtype.kind == "f"]
    plan = [(i, unit(away_from_zero(rng, points[i].shape))) for i in chosen for _ in range(directions) if points[i].size]
    quotients = [difference_quotient(lambda t, i=i, v=v: dot(weights, evaluate(flat, moved(points, i, t * v)))) for i, v in plan]

    # The pass under test runs between calls at other points, so that a rule that uses numbers of another call is seen.
    outs, back = vjp(flat, *[Tensor(point) for point in points]) if len(chosen) == len(points) else partial_vjp(flat, points, chosen)
    for i, v in plan[:1]:
        evaluate(flat, moved(points, i, 0.25 * v))
    seeds = [None if w is None else Tensor(w) for w in weights]
    del outs
    grads = dict(zip(chosen, back(*seeds), strict=True))
    for i, again in zip(chosen, back(*seeds), strict=True):
        g = grads[i]
        assert g.shape == points[i].shape, f"order {now}, {names[i]} of shape {points[i].shape}: its gradient has shape {g.shape}"
        assert np.array_equal(g.numpy(), again.numpy(), equal_nan=True), f"order {now}, {names[i]}: two backward passes gave different gradients"
    for (i, v), (want, doubt) in zip(plan, quotients, strict=True):
        got = float((grads[i].numpy() * v).sum())
        where = f"order {now}, {names[i]} of shape {points[i].shape}"
        if not doubt <= 1e-3 * max(1.0, abs(want)):
            raise AssertionError(f"{where}: the difference quotients do not settle ({want:.9g} +- {doubt:.1g}): is a kink or a pole near?")
        if not abs(got - want) <= tol * abs(want) + doubt:
            raise AssertionError(
                f"{where}: along a random direction the gradient gives {got:.12g}, difference quotients give {want:.12g} (+- {doubt:.1g})"
            )
    if now < last:

        def slope(*leaves: Any) -> list[Any]:
            inner = list(leaves[: len(points)])
            given = iter(leaves[len(points) :])
            cotangents = [None if w is None else next(given) for w in weights]
            _, pull = vjp(flat, *inner) if len(chosen) == len(points) else partial_vjp(flat, inner, chosen)
            return list(pull(*cotangents))

        extra = [(f"the cotangent of result {k}", w) for k, w in enumerate(weights) if w is not None]
        check_order(slope, points + [w for _, w in extra], names + [n for n, _ in extra], now + 1, last, tol, directions, rng)


def partial_vjp(flat: Callable[..., list[Any]], points: Sequence[Any], chosen: list[int]) -> tuple[Any, Callable[..., Any]]:
    """vjp by the arguments `chosen`, the others held constant."""

    def held(*leaves: Any) -> list[Any]:
        full = list(points)
        for i, leaf in zip(chosen, leaves, strict=True):
            full[i] = leaf
        return flat(*[leaf if isinstance(leaf, Tensor) else Tensor(leaf) for leaf in full])

    return vjp(held, *[points[i] if isinstance(points[i], Tensor) else Tensor(points[i]) for i in chosen])


def evaluate(flat: Callable[..., list[Any]], points: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """The results at `points`, as arrays. The function may differentiate inside, so recording stays as it is."""
    return [np.array(out.numpy() if isinstance(out, Tensor) else out) for out in flat(*[Tensor(point) for point in points])]


def difference_quotient(line: Callable[[float], tuple[float, float]], steps: int = 9) -> tuple[float, float]:
    """The derivative of `line` at 0 and a bound of its doubt: central differences of halving steps, extrapolated (Ridders 1982).

    `line` gives a value and its size before anything cancelled, from which the rounding error of the quotient follows.
    """
    best, doubt = 0.0, np.inf
    above: list[float] = []
    for k in range(steps):
        h = 2.0 ** -(k + 4)
        (up, size), (down, _) = line(h), line(-h)
        row = [(up - down) / (2 * h)]
        rounding = 64 * 2.0**-53 * size / h
        for level, previous in enumerate(above, 1):
            row.append(row[-1] + (row[-1] - previous) / (4.0**level - 1))
            change = max(abs(row[-1] - row[-2]), abs(row[-1] - previous)) + rounding
            if change < doubt:
                best, doubt = row[-1], change
        above = row
    return best, doubt


def moved(points: list[np.ndarray[Any, Any]], i: int, step: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """`points` with one of them moved by `step`."""
    return [point + step if k == i else point for k, point in enumerate(points)]


def dot(weights: list[Any], values: list[np.ndarray[Any, Any]]) -> tuple[float, float]:
    """Sum of all weights times values, and the sum of the products' sizes."""
    with np.errstate(all="ignore"):
        products = [w * value for w, value in zip(weights, values, strict=True) if w is not None]
        return float(sum(p.sum() for p in products)), float(sum(np.abs(p).sum() for p in products))


def away_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Random numbers of either sign between 0.5 and 1.5, so that no element goes unseen."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def unit(v: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """v at length 1: how far a step goes must not depend on how many elements there are."""
    return v / max(float(np.sqrt((v * v).sum())), 1e-300)


def as_float64(leaf: Any) -> np.ndarray[Any, Any]:
    """The numbers of an argument, floats in float64."""
    array = np.array(leaf.numpy() if isinstance(leaf, Tensor) else leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def paths(tree: Any, name: str) -> Iterator[str]:
    """What each leaf of a nest is called, in the order of flatten."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from paths(value, f"{name}[{key!r}]")
    elif isinstance(tree, list | tuple):
        for i, value in enumerate(tree):
            yield from paths(value, f"{name}[{i}]")
    else:
        yield name


# ---- arguments for every operation


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


def spaced(*shape: int, shift: float = 0.0, positive: bool = False) -> np.ndarray[Any, Any]:
    """Shuffled numbers with gaps of at least 0.2 between each other and 0: no ties and no kinks within a difference quotient's reach."""
    count = int(np.prod(shape, dtype=int))
    places = source.permutation(count).reshape(shape)
    return np.asarray((places + 1.0 if positive else places - count // 2 + 0.5) * (0.2 + 1.6 / max(count, 4)) + shift)


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
        return spaced(*a, positive=positive), spaced(*b, shift=0.07, positive=positive)

    found = [Sample(two(a, b)) for a, b in PAIRS]
    found += laid(*two((3, 4), (3, 4))) + laid(*two((3, 4), (4,))) + laid(*two((3, 1), (3, 4)))
    ints = np.array([[1, 2, 3, 4]])
    found += [Sample((spaced(3, 4, shift=0.03, positive=positive), ints)), Sample((ints, spaced(3, 4, shift=0.03, positive=positive)))]
    if numbers:
        for number in (1.53, 2, True):
            found += [Sample((spaced(2, 3, shift=0.03, positive=positive), number)), Sample((number, spaced(2, 3, shift=0.03, positive=positive)))]
    found += [Sample((EXTREME[:, None], EXTREME), kind="extreme"), Sample((EXTREME, EXTREME[::-1]), kind="extreme")]
    return found + ([Sample((np.array([1.0, 2.0, 0.0, -1.0]), np.array([1.0, 3.0, -0.0, -1.0])), kind="kink")] if ties else [])


def reduction(tied: bool = False, empty: bool = True, tuples: bool = True, ends: bool = True) -> list[Sample]:
    """An operation over `axis` with `keepdims`."""
    axes: list[Any] = [None, 0, 1, -1, -3]
    if tuples:
        axes += [(0, 2), (-1, 0), (1,), (), [0, 1]]
    found = [Sample((spaced(2, 3, 4),), {"axis": axis, "keepdims": keep}) for axis in axes for keep in (False, True)]
    found += [Sample((spaced(5),)), Sample((spaced(),)), Sample((spaced(5),), {"axis": -1}), Sample((spaced(1, 1),), {"axis": 0})]
    found += laid(spaced(3, 4), axis=0, tied=tied) + laid(spaced(3, 4), axis=-1) + laid(spaced(3, 4), tied=tied)
    found += [Sample((spaced(0, 3),), {"axis": 1}), Sample((spaced(2, 0, 3),), {"axis": 0, "keepdims": True})]
    found += [Sample((np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]),), {"axis": axis}, "kink" if tied else "smooth") for axis in (None, -1, 0)]
    if empty:
        found += [Sample((spaced(0),)), Sample((spaced(2, 0),), {"axis": 1})]
    if ends:
        rows = np.array([[-np.inf] * 3, [1e38, -1e38, 0.0], [np.inf, 1.0, 2.0], [np.nan, 1.0, np.inf], [-np.inf, 0.0, 750.0]])
        found += [Sample((rows,), {"axis": axis}, "extreme") for axis in (None, 0, -1)]
    return found


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


def products() -> list[Sample]:
    """All that matmul calls a product, empty ones too."""
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)),
        ((2, 3), (5, 3, 4)), ((3,), (5, 3, 4)), ((5, 2, 3), (3,)), ((2, 1, 2, 3), (4, 3, 2)), ((2, 0), (0, 3)), ((0, 3), (3, 2)), ((0,), (0,)),
        ((2, 3), (3, 0)), ((0, 2, 3), (3, 4)), ((2, 2, 0), (0, 3)), ((0,), (0, 2)), ((1, 1), (1, 1)),
    ]  # fmt: skip
    return [Sample((spaced(*a), spaced(*b))) for a, b in shapes] + laid(spaced(3, 3), spaced(3, 3)) + laid(spaced(2, 3, 4), spaced(2, 4, 3))


def affine() -> list[Sample]:
    """Inputs of linear: any number of leading axes, with and without a bias, empty batches and no features."""
    shapes: list[tuple[int, ...]] = [(2, 3), (3,), (5, 2, 3), (0, 3), (4, 0, 3), (1, 3)]
    found = [Sample((spaced(*shape), spaced(4, 3), bias)) for shape in shapes for bias in (spaced(4), None)]
    found += [Sample((spaced(2, 0), spaced(4, 0), spaced(4))), Sample((spaced(2, 5, 0), spaced(4, 0), spaced(4))), Sample((spaced(2, 3), spaced(0, 3), None))]
    return found + laid(spaced(3, 4), spaced(2, 4), spaced(2))


INDEXED: list[tuple[tuple[int, ...], Any]] = [
    ((5,), [0, 2]), ((3, 4), 1), ((3, 4), -1), ((3, 4), slice(None, None, -1)), ((3, 4), (slice(1, 3), slice(0, 4, 2))), ((3, 4), (Ellipsis, 0)),
    ((3, 4), (None, slice(None), None, 2)), ((3, 4), Ellipsis), ((3, 4), ()), ((), ()), ((), (None,)), ((3, 4), slice(2, 2)), ((0, 3), slice(None)),
    ((3, 4), np.array([0, 2, 2, 0, 0])), ((3, 4), (slice(None), np.array([[1, 1], [3, -4]]))), ((3, 4), (np.array([0, 0, 1]), np.array([2, 2, 3]))),
    ((3, 4), MASK), ((3, 4), (MASK[:, 0], 1)), ((3, 4), np.zeros((3, 4), bool)), ((2, 3, 4), (np.array([0, 1, 0]), slice(None), np.array([1, 1, 1]))),
    ((2, 3, 4), (1, slice(None), [0, 0])), ((3, 4), np.int64(1)), ((3, 4), np.array([], int)), ((3, 4), (2, 3)), ((3, 4), True),
]  # fmt: skip
TAKEN: list[tuple[tuple[int, ...], Any, dict[str, Any]]] = [
    ((5, 3), np.array([0, 4]), {}), ((5, 3), np.array([1, 1, 3, 1, -4]), {}), ((5, 3), np.array([[1, 0], [1, 2]]), {"axis": 1}),
    ((2, 3, 4), np.array([0, 0, 2]), {"axis": -2}), ((5,), np.array([[4, 4, 0]]), {}), ((5, 3), 2, {}), ((5, 3), np.array(2), {}), ((5, 3), [1, 1], {}),
    ((5, 3), np.array([], np.int64), {}), ((3, 0), np.array([1, 1]), {}), ((0, 3), np.array([], np.int64), {}), ((5, 3), np.array([3, 3], np.int32), {}),
    ((2, 0, 4), np.array([0, 0]), {"axis": -1}),
]  # fmt: skip
CLASSES = np.array([3, 0, 3])
LOGITS = np.array([[1e38, -1e38, 0.0, 1.0], [-np.inf, -np.inf, 2.0, 3.0], [750.0, -750.0, 0.0, 700.0]])
TABLES = [Sample((spaced(n, c), np.arange(n) % max(c, 1))) for n, c in ((5, 3), (1, 1), (0, 3), (2, 1))] + laid(spaced(3, 4), CLASSES)
TABLES += [Sample((spaced(3, 4), CLASSES.astype(np.int32)))]


def scattered(dtype: Any = np.float64) -> list[Sample]:
    """scatter for each sample of getitem: the elements that the index would have read."""
    return [Sample((spaced(*np.zeros(shape)[index].shape),), {"shape": shape, "index": index}) for shape, index in INDEXED] + laid(
        spaced(3, 4), shape=(6, 4), index=np.array([5, 5, 0])
    )


SAMPLES: dict[str, list[Sample]] = {
    "abs": unary(kink=0.0),
    "add": binary(),
    "argmax": reduction(tied=True, empty=False, tuples=False),
    "astype": [dataclasses.replace(sample, settings={"dtype": np.dtype(np.float64)}) for sample in unary()]
    + [Sample((spaced(2, 3),), {"dtype": np.dtype(kind)}, "extreme") for kind in (np.float32, np.int64, bool)],
    "broadcast_to": views(
        ((3, 4), {"shape": (2, 3, 4)}), ((4,), {"shape": (3, 4)}), ((), {"shape": (2, 3)}), ((2, 1), {"shape": (2, 3)}), ((1,), {"shape": (0,)}),
        ((3,), {"shape": (3,)}), ((1, 3, 1), {"shape": (2, 4, 3, 5)}), ((1, 1), {"shape": (1, 1)}), ((0,), {"shape": (2, 0)}), ((), {"shape": ()}),
    ),
    "clip": [Sample(s.args, settings, s.kind, s.layout) for s in unary() for settings in ({"lo": -0.9, "hi": 1.1},)]
    + [Sample((spaced(2, 3),), settings) for settings in ({}, {"lo": 0.05}, {"hi": 0.05}, {"lo": None, "hi": 1}, {"lo": 1.0, "hi": -1.0})]
    + [Sample((np.array([-1.0, 0.0, 1.0, 2.0]),), {"lo": -1.0, "hi": 1.0}, "kink")],
    "clone": unary(),
    "concatenate": laid(spaced(3, 4), spaced(3, 4))
    + [Sample((spaced(2, 3), spaced(4, 3))), Sample((spaced(2),)), Sample((spaced(2), spaced(0), spaced(3))), Sample((spaced(0, 2), spaced(0, 2)), {"axis": 1})]
    + [Sample((spaced(2, 3), spaced(2, 1), spaced(2, 2)), {"axis": axis}) for axis in (1, -1)],
    "cross_entropy_grad": [Sample((spaced(len(s.args[1])), *s.args), {}, s.kind, s.layout) for s in TABLES]
    + [Sample((spaced(3), LOGITS, CLASSES), kind="extreme")],
    "cross_entropy_rows": [*TABLES, Sample((LOGITS, CLASSES), kind="extreme")],
    "div": binary(),
    "eq": binary(ties=True),
    "exp": unary(),
    "expand_dims": views(((3, 4), {"axis": 0}), ((3,), {"axis": 0}), ((3,), {"axis": -1}), ((2, 3), {"axis": (0, 2)}), ((), {"axis": 0}), ((0,), {"axis": 1})),
    "ge": binary(ties=True),
    "getitem": laid(spaced(3, 4), index=(slice(1, None), slice(None, None, 2)))
    + laid(spaced(3, 4), index=np.array([2, 2, 0]))
    + [Sample((spaced(*shape),), {"index": index}) for shape, index in INDEXED],
    "gt": binary(ties=True),
    "identity": unary(),
    "le": binary(ties=True),
    "linear": affine(),
    "log": unary(positive=True),
    "log_softmax": along(reduction()),
    "logsumexp": reduction(),
    "lt": binary(ties=True),
    "matmul": products(),
    "max": reduction(tied=True, empty=False),
    "maximum": binary(ties=True),
    "mean": reduction(),
    "minimum": binary(ties=True),
    "mul": binary(),
    "ne": binary(ties=True),
    "neg": unary(),
    "pow": binary(positive=True)
    + [Sample((spaced(2, 3), exponent)) for exponent in (0, 1, 2, 3.0, -1, -2.0, 0.0)]
    + [Sample((spaced(4), np.array([0, 1, 2, 3])))]
    + [Sample((np.array([0.0, 0.0, 2.0, 0.0]), np.array([0.0, 2.0, 0.0, 3.0])), kind="kink"), Sample((0.0, np.array([0.0, 2.0])), kind="kink")],
    "relu": unary(kink=0.0),
    "relu_grad": [s for s in binary(ties=True)],
    "reshape": views(
        ((3, 4), {"shape": (2, 6)}), ((4,), {"shape": (2, 2)}), ((2, 3), {"shape": (-1,)}), ((2, 3), {"shape": -1}), ((1,), {"shape": ()}),
        ((), {"shape": (1, 1)}), ((2, 0), {"shape": (0, 5)}), ((6,), {"shape": (6,)}), ((2, 3, 4), {"shape": [4, -1]}), ((4,), {"shape": (5 - 1,)}),
    ),
    "scatter": scattered(),
    "scatter_rows": [
        Sample((spaced(*np.take(np.zeros(shape), index, settings.get("axis", 0)).shape), index), {"shape": shape, **settings}) for shape, index, settings in TAKEN
    ]
    + laid(spaced(3, 4), np.array([1, 1, 0]), shape=(2, 4)),
    "sigmoid": unary(),
    "sigmoid_grad": binary(),
    "sign": unary(kink=0.0),
    "softmax": along(reduction()),
    "softplus": unary(),
    "softplus_grad": binary(),
    "sqrt": unary(positive=True),
    "square": unary(),
    "squeeze": views(((3, 4), {}), ((1, 4), {}), ((1, 3, 1), {}), ((1, 3, 1), {"axis": 0}), ((1, 3, 1), {"axis": (0, -1)}), ((1, 0), {"axis": 0}), ((), {})),
    "stack": laid(spaced(3, 4), spaced(3, 4), axis=1)
    + [Sample((spaced(3), spaced(3)), {"axis": axis}) for axis in (0, 1, -1)]
    + [Sample((spaced(3), spaced(3))), Sample((spaced(), spaced(), spaced())), Sample((spaced(0, 2),), {"axis": 2})],
    "sub": binary(),
    "sum": reduction(),
    "sum_to": views(
        ((3, 4), {"shape": (1, 4)}), ((3, 4), {"shape": (4,)}), ((2, 3, 4), {"shape": (3, 1)}), ((2, 3), {"shape": ()}), ((2, 3), {"shape": (2, 3)}),
        ((2, 4, 3, 5), {"shape": (1, 3, 1)}), ((0, 3), {"shape": (3,)}), ((0,), {"shape": (1,)}), ((2, 0), {"shape": (0,)}), ((), {"shape": ()}),
    ),
    "swapaxes": views(((3, 4), {"axis1": 0, "axis2": 1}), ((2, 3, 4), {"axis1": -1, "axis2": 0}), ((2, 3), {"axis1": 1, "axis2": 1}), ((2, 0), {"axis1": 0, "axis2": -1})),
    "take": [Sample((spaced(*shape), index), settings) for shape, index, settings in TAKEN] + laid(spaced(3, 4), np.array([2, 2, 0]), axis=1),
    "tanh": unary(),
    "tanh_grad": binary(),
    "transpose": views(
        ((3, 4), {}), ((2, 3, 4), {"axes": (1, 2, 0)}), ((2, 3, 4), {"axes": (-1, 0, 1)}), ((2, 3, 4), {"axes": [2, 0, 1]}), ((3,), {}), ((), {"axes": ()}),
        ((2, 0, 3), {}),
    ),
    "where": [Sample((np.asarray(MASK[0, 0]), *s.args), {}, s.kind, s.layout) for s in binary(ties=True)]
    + [Sample((MASK, a, b)) for a, b in ((spaced(3, 4), spaced(3, 4)), (spaced(4), spaced(3, 1)), (spaced(3, 4), 0.0), (1, spaced()), (spaced(), spaced()))]
    + [Sample((MASK.astype(int), spaced(3, 4), spaced(4))), Sample((MASK[:1], spaced(3, 4), spaced(2, 1, 1))), *laid(MASK, spaced(3, 4), spaced(3, 4))],
}  # fmt: skip
