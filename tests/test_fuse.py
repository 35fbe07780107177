"""The pass `fuse`: products of elements become one instruction with what reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.scan import PASSES, settings

pytestmark = pytest.mark.skipif(mg.config.kernels() is None, reason="the compiled loop needs the compiled kernels")


def programs(plan: Any) -> tuple[list[str], int]:
    """The instructions of both loops, and the bytes that they keep for one time step."""
    loops = [plan.loop, *[mine.loop for mine in plan.backwards.values()]]
    lines = [repr(one).partition(" = ")[2].strip() for loop in loops for stage in loop.stages for one in stage.instructions]
    return lines, sum([array.nbytes() for array in loops[-1].arrays if "T" in array.steps])


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_products_are_one_instruction_with_what_reads_them_and_keep_no_more(kind: str) -> None:
    """r12 = sigmoid_grad(mul(r6, k6), k4) cannot be: the gradient of g has been written over k6 by then."""
    layer, found = getattr(nn, kind)(8, 128), {}
    for passes in (frozenset(PASSES), frozenset(PASSES) - {"fuse"}):
        settings.mode, settings.passes = "compile", passes
        layer(mg.randn(6, 2, 8))[0].sum().backward()
        found["fuse" in passes] = programs(mg.scan_report().plan)
    (lines, kept), (apart, unfused) = found[True], found[False]
    assert kept <= unfused and not [line for line in apart if line.startswith("mul_")]
    merged = sorted([line.partition("(")[0] for line in lines if line.startswith("mul_")])
    assert (
        merged
        == {
            "RNN": [],
            "GRU": ["mul_add", "mul_add", "mul_add", "mul_tanh_grad"],
            "LSTM": ["mul_add", "mul_sigmoid_grad", "mul_sigmoid_grad", "mul_tanh_grad", "mul_tanh_grad"],
        }[kind]
    )
    assert kind != "LSTM" or len([line for line in lines if line.startswith("sigmoid_grad")]) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_merged_has_the_bits_of_what_stands_apart(dtype: str) -> None:
    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        c = mg.sigmoid(u * h + x) * c + mg.tanh(h * x) * (2.0 * x)
        h = mg.sigmoid(c * v) * mg.tanh(c)
        return (h, c), h * c + x

    answers = []
    for passes in (frozenset(PASSES), frozenset(PASSES) - {"fuse"}):
        settings.mode, settings.passes = "compile", passes
        rng = np.random.default_rng(0)
        u, v, h, c, x, g = (
            mg.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True)
            for shape in ((130,), (130,), (3, 130), (3, 130), (5, 3, 130), (5, 3, 130))
        )
        (last, _), ys = mg.scan(step, (h, c), x)
        ((ys * g).sum() + last.sum()).backward()
        lines, _ = programs(mg.scan_report().plan)
        assert {"mul_add", "mul_tanh_grad", "mul_sigmoid_grad"} <= {line.partition("(")[0] for line in lines} or "fuse" not in passes
        answers.append([one.numpy() for one in (ys, last, u.grad, v.grad, h.grad, c.grad, x.grad)])
    for a, b in zip(*answers, strict=True):
        assert np.array_equal(a, b)
