"""What moves, picks and joins elements, inside the step of a scan: the gradients of the loop, compiled or as the loop with a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from one_step import B, H, T, compared

import minigrad as mg
from minigrad.scan import settings

pytestmark = pytest.mark.skipif(mg.config.kernels() is None, reason="the compiled loop needs the compiled kernels")
MASK = np.array([[True, False, True, True], [False, False, True, False], [True, True, False, True]])
ROWS, PLACES = np.array([2, 0, 2]), np.array([[1, 1, 3, 0], [0, 2, 2, -1], [3, 0, 1, 1]])

# f(t, w) of a tensor t of shape (B, H), and a weight of shape (H, H), gives what broadcasts to (B, H).
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "bmm": lambda t, w: mg.bmm(t[:, None], mg.broadcast_to(w, shape=(B, H, H)))[:, 0],
    "cat": lambda t, w: mg.cat([t[:, 2:], t[:, :2]], axis=1),
    "chunk": lambda t, w: mg.concatenate(mg.chunk(t, 2, axis=-1)[::-1], axis=-1),
    "diag": lambda t, w: t @ mg.diag(mg.diag(w)) + mg.diag(t, 1)[:, None],
    "diagonal": lambda t, w: t * mg.diagonal(t, offset=1)[:, None],
    "dot": lambda t, w: mg.dot(t, w),
    "einsum, a matrix product": lambda t, w: mg.einsum("bi,io->bo", t, w),
    "einsum, a transposed one": lambda t, w: mg.einsum("bi,oi->bo", t, w),
    "einsum, of three": lambda t, w: mg.einsum("bi,io,bo->bo", t, w, t),
    "einsum, row by row": lambda t, w: mg.einsum("bi,bi->b", t, t * 0.5)[:, None] * t,
    "einsum, all of it": lambda t, w: mg.einsum("bi,bi->", t, t * 0.5) * t,
    "einsum, a diagonal": lambda t, w: mg.einsum("bi,ii->bi", t, w),
    "flatten": lambda t, w: mg.flatten(t).reshape(B, H) * mg.flatten(w)[0],
    "flip": lambda t, w: mg.flip(t, axis=1) * t,
    "flip the rows": lambda t, w: mg.flip(t, axis=0) * t,
    "index by arrays": lambda t, w: t[ROWS, PLACES[:, 0]][:, None] * t,
    "index by a list": lambda t, w: t[:, [0, 0, 3, 1]] * t,
    "index by a mask": lambda t, w: t[MASK].sum() * t,
    "index by a mask of the values": lambda t, w: t[t > 0].sum() * t,
    "index by None": lambda t, w: t.sum(axis=1)[:, None] * t,
    "index by None and ...": lambda t, w: t[..., None, :][:, 0] * t,
    "index by : alone": lambda t, w: t[:] * t[...] + t[:, :],
    "index from the end": lambda t, w: t[:, ::-1] * t[-1],
    "kron": lambda t, w: mg.kron(t, mg.ones(1, 1, dtype="float64")),
    "masked_fill": lambda t, w: mg.masked_fill(t, MASK, 0.5),
    "masked_fill, by the values": lambda t, w: mg.masked_fill(t, t > 0, w[0, 0]),
    "moveaxis": lambda t, w: mg.moveaxis(t[None], 0, -1)[..., 0] * t,
    "one_hot": lambda t, w: t * mg.one_hot(t.argmax(axis=1), H, dtype="float64"),
    "outer": lambda t, w: mg.outer(t, w[0])[:B] + t,
    "pad": lambda t, w: mg.pad(t, ((0, 0), (1, 2)), constant_values=0.5)[:, :H],
    "pad before": lambda t, w: mg.pad(t[:, 1:], ((0, 0), (1, 0))),
    "pad rows": lambda t, w: mg.pad(t[1:], ((1, 0), (0, 0))),
    "pad, reflected": lambda t, w: mg.pad(t, ((0, 0), (2, 0)), mode="reflect")[:, :H],
    "permute": lambda t, w: mg.permute(t, (1, 0)).T * t,
    "ravel": lambda t, w: t * mg.ravel(t)[:H],
    "repeat": lambda t, w: mg.repeat(t, 2, axis=1)[:, 1:-3] * t,
    "repeat, by counts": lambda t, w: mg.repeat(t, [0, 2, 1, 1], axis=1),
    "roll": lambda t, w: mg.roll(t, 1, axis=1),
    "roll by nothing": lambda t, w: mg.roll(t, H, axis=-1),
    "roll back": lambda t, w: mg.roll(t, -7, axis=-1),
    "roll rows and columns": lambda t, w: mg.roll(t, (1, 2), axis=(0, 1)) * t,
    "scatter_add": lambda t, w: mg.scatter_add(t, PLACES, t * 2.0, axis=1),
    "take_along_axis": lambda t, w: mg.take_along_axis(t, PLACES, axis=1),
    "take_along_axis, by the values": lambda t, w: mg.take_along_axis(t, mg.argmax(t, axis=1, keepdims=True), axis=1) + t,
    "tile": lambda t, w: mg.tile(t[:, :2], (1, 2)),
    "tile the last axis": lambda t, w: mg.tile(t, 3)[:, 2:6],
    "tile the rows": lambda t, w: mg.tile(t[:1], (3, 1)) * t,
    "trace": lambda t, w: t * mg.trace(t),
    "tril": lambda t, w: t @ mg.tril(w),
    "triu": lambda t, w: mg.triu(t, k=1) + t,
    "unsqueeze": lambda t, w: mg.unsqueeze(t, 1).squeeze(1) * t,
    "view": lambda t, w: t.view(H, B).view(B, H),
    "zeros_like": lambda t, w: t + mg.zeros_like(t) * mg.full_like(w[0], 2.0) + mg.eye(B, H, dtype="float64"),
}
COMPILED = {  # of the carry: what a compiled loop has a form for; the others run as the loop that they are written as
    "cat", "chunk", "dot", "einsum, a matrix product", "einsum, a transposed one", "einsum, of three", "einsum, row by row", "flatten",
    "index by : alone", "index by None", "kron", "masked_fill", "masked_fill, by the values", "pad", "pad before", "roll", "roll back",
    "roll by nothing", "tile", "tile the last axis", "tril", "unsqueeze", "view", "zeros_like",
}  # fmt: skip


@pytest.mark.parametrize("where", ["carry", "x", "const"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_step_is_the_loop_it_stands_for(name: str, where: str) -> None:
    report = compared(FUNCTIONS[name], where)
    if where == "carry":
        assert report.compiled == (name in COMPILED), report


DRAWS: dict[str, Callable[..., Any]] = {
    "bernoulli": lambda h: h * mg.bernoulli(mg.full((B, H), 0.5, dtype="float64")),
    "permutation": lambda h: h[:, mg.permutation(H).numpy()],
    "permutation of rows": lambda h: mg.permutation(h),
    "rand_like": lambda h: h + mg.rand_like(h),
    "randint": lambda h: h * mg.randint(1, 5, (H,)),
    "randn_like": lambda h: h + mg.randn_like(h) * mg.rand(B, H, dtype="float64"),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_step_draws_what_the_loop_would_draw(name: str) -> None:
    """Also what comes out of the generator afterwards."""
    found = []
    for mode in ("compile", "eager"):
        settings.mode = mode
        mg.manual_seed(3)
        h = mg.tensor(np.random.default_rng(1).standard_normal((B, H)), requires_grad=True)
        last, _ = mg.scan(lambda h, x: (mg.tanh(DRAWS[name](h)), None), h, None, length=T)
        last.backward(np.arange(12.0).reshape(B, H))
        found.append((last.numpy(), h.grad.numpy(), mg.rand(2).numpy()))
    for a, b in zip(*found, strict=True):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-15)
