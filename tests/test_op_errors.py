"""What operations say of arguments that they cannot serve: which operation, what came, what was expected."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops

X = mg.ones(3, 4)
AXIS = r": axis 2 of a tensor of shape \(3, 4\): axes run from -2 to 1"


@pytest.mark.parametrize(
    "name", ["sum", "mean", "max", "min", "var", "std", "prod", "norm", "any", "all", "argmax", "argmin", "cumsum", "argsort", "sort"]
)
def test_an_axis_that_is_not_there_is_named(name):
    with pytest.raises(mg.ShapeError, match=name + AXIS):
        getattr(mg, name)(X, axis=2)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_the_largest_of_nothing_is_refused(name):
    with pytest.raises(mg.ShapeError, match=rf"{name}\(float32\(2, 0\), axis=1\): .*(empty|zero-size)"):
        getattr(mg, name)(mg.zeros(2, 0), axis=1)


@pytest.mark.parametrize("name", sorted(ops.all_ops()))
def test_text_is_no_tensor(name):
    operation = ops.all_ops()[name]
    text = np.array(["a", "b"])
    with pytest.raises((mg.DtypeError, TypeError), match=r"real numbers|dtype"):
        operation(*[text] * operation.count)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.gelu(X, approximate="exact"), ValueError, r"gelu\(.*approximate='exact' is not known: it is 'none' or 'tanh'"),
        (lambda: mg.norm(X, ord=0), ValueError, r"norm\(.*ord=0 is no order of a norm: a number above 0, or inf"),
        (lambda: mg.norm(X, ord="fro"), ValueError, r"norm\(.*ord='fro' is no order of a norm"),
        (lambda: mg.norm(mg.zeros(2, 0), ord=np.inf, axis=1), mg.ShapeError, r"norm\(float32\(2, 0\).*zero-size array"),
        (
            lambda: mg.topk(X, 5),
            mg.ShapeError,
            r"topk: 5 elements along axis -1 of a tensor of shape \(3, 4\): k runs from 0 to the length",
        ),
        (lambda: X.topk(1, axis=2), mg.ShapeError, r"topk: 1 elements along axis 2 of a tensor of shape \(3, 4\)"),
        (lambda: mg.topk(1.0, 1), mg.ShapeError, r"topk: 1 elements along axis -1 of a tensor of shape \(\)"),
        (lambda: mg.add(X, mg.ones(3)), mg.ShapeError, r"add: shapes \(3, 4\), \(3,\) do not broadcast: from the right"),
        (lambda: mg.silu(), TypeError, r"silu\(\) wants 1 arrays \(x\) by their place, got 0"),
        (lambda: mg.elu(X, 1.0, 2.0), TypeError, r"elu\(\) takes 1 arrays and the settings alpha; got 3 positional"),
        (lambda: ~X, mg.DtypeError, r"~ combines booleans, got float32: compare first"),
        (lambda: X & X, mg.DtypeError, r"& combines booleans, got float32"),
        (lambda: (X > 0) | 1, mg.DtypeError, r"\| combines booleans, got int64"),
        (lambda: 1.0 ^ (X > 0), mg.DtypeError, r"\^ combines booleans, got float64"),
    ],
)
def test_errors_are_sentences(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_masks_combine():
    """The signs that NumPy and PyTorch have for them, with arrays and Python's own truths too."""
    a, b = mg.tensor([True, True, False, False]), np.array([True, False, True, False])
    assert (a & b).tolist() == (b & a).tolist() == [True, False, False, False]
    assert (a | b).tolist() == (b | a).tolist() == [True, True, True, False]
    assert (a ^ b).tolist() == (b ^ a).tolist() == [False, True, True, False]
    assert (~a).tolist() == (a ^ True).tolist() == (True ^ a).tolist() == [False, False, True, True]
    assert (a & True).tolist() == (False | a).tolist() == a.tolist()
