"""Every elementwise operation, and what reduces rows, inside the step of a scan: the values and both orders of gradients of the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from one_step import B, H, compared

import minigrad as mg
from minigrad.ops import all_ops
from minigrad.scan import settings
from minigrad.scan.formulas import FORMULAS

pytestmark = pytest.mark.skipif(mg.config.kernels() is None, reason="the compiled loop needs the compiled kernels")
POSITIVE = ("log", "log1p", "sqrt", "pow", "div", "reciprocal")
PROBABILITIES = ("binary_cross_entropy_terms",)
MASK = np.array([[True, False, True, True], [False, False, True, False], [True, True, False, True]])


def elementwise(name: str) -> Callable[..., Any]:
    """f(t, w) that calls the operation on t, and where it takes more, on rows of w: on numbers that it wants."""
    operation = all_ops()[name]

    def f(t: Any, w: Any) -> Any:
        x, y = (t * t + 0.5, w[0] * w[0] + 0.5) if name in POSITIVE else (t, w[0])
        x, y = (mg.sigmoid(x), mg.sigmoid(y)) if name in PROBABILITIES else (x, y)
        given = {"astype": {"dtype": np.dtype(np.float64)}, "clip": {"lo": -0.5, "hi": 0.5}}.get(name, {})
        if name == "where":
            return operation(MASK, x, y)
        out = operation(x, y) if operation.count == 2 else operation(x, **given)
        return out if out.dtype.kind == "f" else mg.where(out, x, 0.5)

    return f


STEPS: dict[str, Callable[..., Any]] = {name: elementwise(name) for name, found in all_ops().items() if found.broadcasts} | {
    "gelu, approximate": lambda t, w: mg.gelu(t, approximate="tanh"),
    "elu, alpha": lambda t, w: mg.elu(t, alpha=0.3),
    "leaky_relu, slope": lambda t, w: mg.leaky_relu(t, negative_slope=0.3),
    "selu": lambda t, w: mg.selu(t),
    "min": lambda t, w: mg.min(t, axis=1, keepdims=True) * t,
    "var": lambda t, w: mg.var(t, axis=-1, keepdims=True) * t,
    "var, ddof": lambda t, w: t * mg.var(t, axis=-1, ddof=1, keepdims=True),
    "var, nothing left": lambda t, w: t * mg.where(mg.var(t[:, :1], axis=-1, ddof=1, keepdims=True) > 0.0, 1.0, 2.0),
    "std": lambda t, w: (t - t.mean(axis=-1, keepdims=True)) / (mg.std(t, axis=-1, keepdims=True) + 0.1),
    "std of equal numbers": lambda t, w: t + mg.std(t[:, :1] + mg.zeros(B, H, dtype="float64"), axis=-1, keepdims=True),
    "norm": lambda t, w: t / mg.norm(t, axis=-1, keepdims=True),
    "norm, ord 1": lambda t, w: t / mg.norm(t, ord=1, axis=-1, keepdims=True),
    "norm, ord 3": lambda t, w: t / mg.norm(t, ord=3, axis=-1, keepdims=True),
    "prod": lambda t, w: t * mg.prod(t, axis=-1, keepdims=True),
    "cumsum": lambda t, w: mg.cumsum(t, axis=1),
    "sort": lambda t, w: mg.sort(t, axis=1),
    "topk": lambda t, w: mg.topk(t, 2)[0].sum(axis=1, keepdims=True) * t,
}
LOOPS = {  # of the carry: what has no form that the compiled loop can run
    "arctan", "binary_cross_entropy_terms", "ceil", "cos", "cosh", "cumsum", "floor", "logical_and",
    "logical_not", "logical_or", "logical_xor", "norm, ord 3", "pow", "prod", "round", "sin", "sinh", "sort", "tan", "topk",
    "var, nothing left",
}  # fmt: skip


@pytest.mark.parametrize("where", ["carry", "x", "const"])
@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_the_loop_it_stands_for(name: str, where: str) -> None:
    report = compared(STEPS[name], where)
    if where == "carry":
        assert report.compiled == (name not in LOOPS), report


@pytest.mark.parametrize("name", ["elu", "expm1", "gelu", "leaky_relu", "log_sigmoid", "silu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_formulas_hold_at_the_ends_of_the_range(name: str, dtype: str) -> None:
    """In the loop as outside of it: in both tails, near 0 and at it."""
    settings_of = {"gelu": {"approximate": "tanh"}}.get(name, {})
    operation = all_ops()[name]
    values = mg.tensor([[-1e30, -750.0, -20.0, -1e-8, -0.0, 0.0, 1e-8, 20.0, 80.0]], dtype=dtype)
    settings.mode = "compile"
    _, ys = mg.scan(lambda h, x: (h, operation(h + x, **settings_of)), values, mg.zeros(2, 1, 9, dtype=dtype))
    assert mg.scan_report().compiled
    want = operation(values, **settings_of).numpy()
    assert np.all(np.abs(ys[1].numpy() - want) <= 4 * np.finfo(dtype).eps * np.abs(want) + np.finfo(dtype).tiny)


def test_every_formula_is_in_a_step_above() -> None:
    moving = {"einsum", "getitem", "pad", "roll", "tile"}  # in test_scan_moving.py
    assert set(FORMULAS) - moving <= set(STEPS)
