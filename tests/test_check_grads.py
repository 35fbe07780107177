"""The checker itself: it passes what is right, and each wrong gradient that is planted here makes it fail.

A checker that passes wrong gradients is the oldest bug of this field (Chainer #3541, Glow #1559, HIPS 5cc08c4), so the faults
come first: what they are is the list of ways in which gradients have been wrong elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.op import elementwise, op
from minigrad.testing import check_grads

rng = np.random.default_rng(7)
X = rng.uniform(0.3, 1.5, (3, 4))
Y = rng.uniform(0.3, 1.5, (3, 4))
SQUARE = rng.uniform(0.3, 1.5, (3, 3))
ROW = rng.uniform(0.3, 1.5, 4)


def planted(**rules: Any) -> Callable[[Callable[..., Any]], Any]:
    """An operation with a fault in one of its rules."""
    return elementwise(**rules)


@planted(x=lambda g, x: 1.001 * (g * (x + x)))
def off_by_a_thousandth(x: Any) -> Any:
    return x * x


@planted(x=lambda g, x: -(g * (x + x)))
def wrong_sign(x: Any) -> Any:
    return x * x


@planted(x=lambda g, x: g * mg.exp(x))
def dropped_term(x: Any) -> Any:
    return np.exp(x) + 0.01 * x


@planted(a=lambda g, b: g * b, b=lambda g, b: g * b)
def own_factor_for_the_others(a: Any, b: Any) -> Any:
    return a * b


@op(a=lambda g: g, b=lambda g, b_shape: g[0].reshape(b_shape))
def first_row_only(a: Any, b: Any) -> Any:
    return a + b


@op(a=lambda g: g, b=lambda g: g)
def never_summed(a: Any, b: Any) -> Any:
    return a + b


@op(a=lambda g, b: g @ b, b=lambda g, a: a.T @ g)
def transposed_operand(a: Any, b: Any) -> Any:
    return a @ b


@op(x=lambda g, x_shape: mg.broadcast_to(mg.expand_dims(g, axis=0), shape=x_shape))
def wrong_axis(x: Any) -> Any:
    return x.sum(axis=1)


@op(x=lambda g, x_shape: mg.broadcast_to(mg.expand_dims(g, axis=0), shape=x_shape) * 1.0)
def mean_without_its_count(x: Any) -> Any:
    return x.mean(axis=0)


@planted(x=lambda g: g * 0.0)
def forgotten(x: Any) -> Any:
    return np.sin(x)


@planted(x=lambda g, out: g * (1.0 - out))
def square_lost(x: Any) -> Any:
    return np.tanh(x)


@op(x=lambda g, x_shape, index: first_only(g, x_shape, index))
def repeats_counted_once(x: Any, *, index: Any) -> Any:
    return x[index]


def first_only(g: mg.Tensor, shape: Any, index: Any) -> mg.Tensor:
    """What `buffer[index] += g` does in NumPy: of the places that occur twice only one is added."""
    rows = mg.zeros(shape, dtype=g.dtype)
    picked = np.zeros((shape[0], len(index)))
    for place, row in enumerate(index):
        picked[row] = 0.0
        picked[row, place] = 1.0
    return rows + mg.matmul(mg.from_numpy(picked), g)


@planted(a=lambda g, a, b: mg.where(mg.ge(a, b), g, 0.0), b=lambda g, a, b: mg.where(mg.ge(a, b), g, 0.0))
def both_to_one_side(a: Any, b: Any) -> Any:
    return np.maximum(a, b)


@planted(x=lambda g, x: g * 2e-9 * x * 1.1)
def tiny_but_wrong(x: Any) -> Any:
    return 1e-9 * x * x


last_seen: list[Any] = []
first_seen: list[Any] = []


@planted(x=lambda g: g * 2.0 * last_seen[-1])
def value_of_the_last_call(x: Any) -> Any:
    last_seen.append(np.array(x))
    return x * x


@planted(x=lambda g: g * 2.0 * first_seen[0])
def value_of_the_first_call(x: Any) -> Any:
    first_seen.append(np.array(x))
    return x * x


reused = np.zeros_like(X)


@planted(x=lambda g: g * 2.0 * mg.from_numpy(reused))
def overwritten_buffer(x: Any) -> Any:
    reused[...] = x
    return x * x


def one_argument_of_three(a: mg.Tensor, b: mg.Tensor, c: mg.Tensor) -> mg.Tensor:
    return a * b + off_by_a_thousandth(c)


def second_result(x: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor]:
    return mg.exp(x), wrong_sign(x)


FIRST_ORDER: dict[str, tuple[Callable[..., Any], Any]] = {
    "a factor of 1.001": (off_by_a_thousandth, X),
    "a sign": (wrong_sign, X),
    "a dropped term": (dropped_term, X),
    "the wrong operand": (own_factor_for_the_others, (X, Y)),
    "broadcasting: one row instead of their sum": (first_row_only, (X, ROW)),
    "broadcasting: not summed back at all": (never_summed, (X, ROW)),
    "a transposed operand": (transposed_operand, (SQUARE, SQUARE + 0.1 * rng.uniform(size=(3, 3)))),
    "a wrong axis": (wrong_axis, SQUARE),
    "a mean without its count": (mean_without_its_count, X),
    "no gradient at all": (forgotten, X),
    "a lost square": (square_lost, X),
    "repeated places counted once": (lambda x: repeats_counted_once(x, index=[0, 2, 2]), X),
    "the gradient of one side given to both": (both_to_one_side, (X, Y)),
    "a relative error in a tiny gradient": (tiny_but_wrong, X),
    "a value of the last call": (value_of_the_last_call, X),
    "a value of the first call": (value_of_the_first_call, X),
    "a buffer used again": (overwritten_buffer, X),
    "a detach": (lambda x: x * x.detach(), X),
    "one argument of three": (one_argument_of_three, (X, Y, X)),
    "the second of two results": (second_result, X),
    "an entry of a dict": (lambda p: p["a"] * off_by_a_thousandth(p["b"][0]), ({"a": X, "b": [Y]},)),
    "one element of many": (lambda x: mg.concatenate([off_by_a_thousandth(x[:1]), x[1:] * x[1:]]), rng.uniform(0.5, 1.5, 2000)),
}


@pytest.mark.parametrize("fault", FIRST_ORDER)
def test_a_wrong_gradient_is_caught(fault: str) -> None:
    function, args = FIRST_ORDER[fault]
    last_seen.clear()
    first_seen.clear()
    with pytest.raises((AssertionError, mg.TapeError), match="order 1|gradient rule of 'never_summed'"):
        check_grads(function, args, order=1)


# In these the first order is right. An operation's rule that leaves the tape is the usual way to lose the second.


@planted(x=lambda g, x: g * (x + x).detach())
def rule_that_detaches(x: Any) -> Any:
    return x * x


@planted(x=lambda g, x: g * mg.from_numpy(np.cos(x.numpy())))
def rule_in_numpy(x: Any) -> Any:
    return np.sin(x)


@planted(dy=lambda g, y: wrong_second(g, y), y=lambda g, dy, y: g * dy * y * 2.0)
def wrong_second(dy: Any, y: Any) -> Any:
    return dy * (1 - y * y)


@planted(x=lambda g, out: wrong_second(g, out))
def sign_of_the_second(x: Any) -> Any:
    return np.tanh(x)


@planted(a=lambda g, b: g.detach() * b, b=lambda g, a: g * a)
def cotangent_detached(a: Any, b: Any) -> Any:
    return a * b


@planted(x=lambda g, x: g * (3.0 * x * slope_of_square(x)))
def cube(x: Any) -> Any:
    return x**3


@planted(x=lambda g: 1.001 * g)
def slope_of_square(x: Any) -> Any:
    return x * 1.0


SECOND_ORDER: dict[str, tuple[Callable[..., Any], Any]] = {
    "a rule that detaches": (rule_that_detaches, X),
    "a rule that computes in NumPy": (rule_in_numpy, X),
    "a sign in the gradient of a gradient": (sign_of_the_second, X),
    "a cotangent that is detached": (cotangent_detached, (X, Y)),
    "a factor of 1.001 in the second": (cube, X),
}


@pytest.mark.parametrize("fault", SECOND_ORDER)
def test_a_wrong_second_derivative_is_caught(fault: str) -> None:
    function, args = SECOND_ORDER[fault]
    check_grads(function, args, order=1)
    with pytest.raises(AssertionError, match="order 2"):
        check_grads(function, args)


@planted(dy=lambda g, x: quadratic_slope(g, x), x=lambda g, dy: g * dy.detach() * 2.0)
def quadratic_slope(dy: Any, x: Any) -> Any:
    return 2.0 * dy * x


@planted(x=lambda g, x: quadratic_slope(g, x))
def quadratic(x: Any) -> Any:
    return x * x


def test_a_wrong_third_derivative_is_caught() -> None:
    """Right twice: the cotangent of the second derivative is what the third one has lost."""
    check_grads(quadratic, X, order=2)
    with pytest.raises(AssertionError, match="order 3"):
        check_grads(quadratic, X, order=3)


# ---- what is right passes


RIGHT: dict[str, tuple[Callable[..., Any], Any]] = {
    "one argument": (mg.tanh, X),
    "broadcasting": (lambda a, b: a * b + b, (X, ROW)),
    "a matrix product": (mg.matmul, (X, Y.T.copy())),
    "float32 arguments are taken as float64": (mg.exp, X.astype(np.float32)),
    "whole numbers are constants": (lambda x, i: mg.take(x, i) * i[:, None], (X, np.array([0, 2, 2]))),
    "nested arguments and results": (
        lambda p, q: {"u": p["w"] @ q[0], "v": [mg.exp(q[1]), p["b"]]},
        ({"w": SQUARE, "b": ROW}, [SQUARE, X]),
    ),
    "a result that depends on nothing": (lambda x: (x * 2.0, mg.tensor([1.0], dtype="float64")), X),
    "an argument that is not used": (lambda a, b: a * a, (X, Y)),
    "a whole-number result": (lambda x: (mg.argmax(x), x * x), X),
    "empty arrays": (lambda x: mg.exp(x), np.zeros((0, 3))),
    "large numbers": (lambda x: mg.exp(x), X + 100.0),
    "small numbers": (lambda x: x * x * 1e-12, X),
    "kinks out of reach": (lambda x: mg.maximum(x, 0.1) + mg.relu(x) + mg.abs(x), X),
}


@pytest.mark.parametrize("what", RIGHT)
def test_a_right_gradient_passes(what: str) -> None:
    function, args = RIGHT[what]
    check_grads(function, args)


def test_third_order() -> None:
    check_grads(lambda a, b: mg.tanh(a * b).sum(axis=0), (X, ROW), order=3)


def test_gradients_inside_the_function() -> None:
    """A function that differentiates is a function like any other."""
    check_grads(lambda x: mg.grad(lambda y: (y * y * y).sum())(x), X)


# ---- what it says


def test_the_sentence_names_argument_order_and_numbers() -> None:
    with pytest.raises(
        AssertionError, match=r"order 1, argument 2 of shape \(3, 4\): .* gradient gives -?[\d.]+, difference quotients give"
    ):
        check_grads(one_argument_of_three, (X, Y, X))
    with pytest.raises(AssertionError, match=r"order 1, argument 0\['b'\]\[0\] of shape"):
        check_grads(*FIRST_ORDER["an entry of a dict"])
    with pytest.raises(AssertionError, match=r"order 2, the cotangent of result 0 of shape \(3, 4\)|order 2, argument"):
        check_grads(cotangent_detached, (X, Y))


def test_a_kink_is_said_to_be_one() -> None:
    with pytest.raises(AssertionError, match="do not settle"):
        check_grads(lambda x: mg.abs(x - 0.0001), np.zeros(3), order=1)


def test_a_function_of_chance_is_refused() -> None:
    with pytest.raises(AssertionError, match="two calls with the same arguments"):
        check_grads(lambda x: x * mg.rand(3, 4), X)


def test_float32_inside_is_refused() -> None:
    with pytest.raises(mg.DtypeError, match="float32"):
        check_grads(lambda x: x.astype("float32"), X)


def test_arguments_are_left_alone() -> None:
    x = mg.tensor(X, requires_grad=True)
    check_grads(lambda a: a * a, x)
    assert x.grad is None and np.array_equal(x.numpy(), X)
