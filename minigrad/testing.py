"""For tests of functions and operations of your own: `check_grads` compares gradients of any order with difference quotients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minigrad.errors import DtypeError
from minigrad.grad import flatten, unflatten, vjp
from minigrad.tape import Tensor


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
    chosen = [i for i, point in enumerate(points) if point.dtype.kind == "f"]
    plan = [(i, unit(away_from_zero(rng, points[i].shape))) for i in chosen for _ in range(directions) if points[i].size]
    # The pass under test runs after calls at other points, and before another one: a rule that uses numbers of another call is seen.
    for i, v in plan[:1]:
        evaluate(flat, moved(points, i, -0.01 * v))
    values = evaluate(flat, points)
    for first, again in zip(values, evaluate(flat, points), strict=True):
        if not np.array_equal(first, again, equal_nan=True):
            raise AssertionError(f"order {now}: two calls with the same arguments gave different numbers: there is no derivative to check")
        if first.dtype.kind == "f" and first.dtype != np.float64:
            raise DtypeError(f"check_grads needs results in float64, got {first.dtype}: something inside converts to it")
    weights = [away_from_zero(rng, value.shape) if value.dtype.kind == "f" else None for value in values]

    def quotient(i: int, v: np.ndarray[Any, Any]) -> tuple[float, float, float]:
        return difference_quotient(lambda t: dot(weights, evaluate(flat, moved(points, i, t * v))))

    quotients = [quotient(i, v) for i, v in plan]
    _, back = vjp_by(chosen, flat, points)
    for i, v in plan[:1]:
        evaluate(flat, moved(points, i, 0.01 * v))
    seeds = [None if w is None else Tensor(w) for w in weights]
    grads = dict(zip(chosen, back(*seeds), strict=True))
    for i, again in zip(chosen, back(*seeds), strict=True):
        g = grads[i]
        assert g.shape == points[i].shape, f"order {now}, {names[i]} of shape {points[i].shape}: its gradient has shape {g.shape}"
        assert np.array_equal(g.numpy(), again.numpy(), equal_nan=True), (
            f"order {now}, {names[i]}: two backward passes gave different gradients"
        )
    for (i, v), (want, doubt, size) in zip(plan, quotients, strict=True):
        got = float((grads[i].numpy() * v).sum())
        where = f"order {now}, {names[i]} of shape {points[i].shape}"
        if not doubt <= 100 * tol * (abs(want) + size):
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
            return list(vjp_by(chosen, flat, inner)[1](*cotangents))

        extra = [(f"the cotangent of result {k}", w) for k, w in enumerate(weights) if w is not None]
        check_order(slope, points + [w for _, w in extra], names + [n for n, _ in extra], now + 1, last, tol, directions, rng)


def vjp_by(chosen: list[int], flat: Callable[..., list[Any]], points: Sequence[Any]) -> tuple[Any, Callable[..., Any]]:
    """minigrad.vjp by the arguments `chosen`; the others are constants."""
    full = [point if isinstance(point, Tensor) else Tensor(point) for point in points]

    def held(*leaves: Any) -> list[Any]:
        given = dict(zip(chosen, leaves, strict=True))
        return flat(*[given.get(i, point) for i, point in enumerate(full)])

    return vjp(held, *[full[i] for i in chosen])


def evaluate(flat: Callable[..., list[Any]], points: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """The results at `points`, as arrays. The function may differentiate inside, so recording stays as it is."""
    return [np.array(out.numpy() if isinstance(out, Tensor) else out) for out in flat(*[Tensor(point) for point in points])]


def difference_quotient(line: Callable[[float], tuple[float, float]], steps: int = 9) -> tuple[float, float, float]:
    """The derivative of `line` at 0, a bound of its doubt, and the size of `line`: central differences of halving steps, extrapolated.

    The method is Ridders' (1982). `line` gives a value and its size before anything cancelled: the rounding error of a quotient is a
    multiple of that.
    """
    best, doubt, largest = 0.0, np.inf, 0.0
    above: list[float] = []
    for k in range(steps):
        h = 2.0 ** -(k + 4)
        (up, size), (down, _) = line(h), line(-h)
        row = [(up - down) / (2 * h)]
        largest = max(largest, size) if size < np.inf else largest
        rounding = 64 * 2.0**-53 * size / h
        for level, previous in enumerate(above, 1):
            row.append(row[-1] + (row[-1] - previous) / (4.0**level - 1))
            change = max(abs(row[-1] - row[-2]), abs(row[-1] - previous)) + rounding
            if change < doubt:
                best, doubt = row[-1], change
        above = row
    return best, doubt, largest


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
