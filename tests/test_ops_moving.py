"""What moves and picks elements: methods beside functions, dtypes, views, and what an index may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg

# Each method beside the function that it stands for: (the method's call, the function's), of a tensor x of shape (2, 3).
METHODS: dict[str, Any] = {
    "bmm": (lambda x: x[None].bmm(x.T[None]), lambda x: mg.bmm(x[None], x.T[None])),
    "chunk": (lambda x: x.chunk(2, 1)[1], lambda x: mg.chunk(x, 2, axis=1)[1]),
    "diagonal": (lambda x: x.diagonal(1, 1, 0), lambda x: mg.diagonal(x, offset=1, axis1=1, axis2=0)),
    "dot": (lambda x: x.dot(x.T), lambda x: mg.dot(x, x.T)),
    "flatten": (lambda x: x[None].flatten(1), lambda x: mg.flatten(x[None], 1)),
    "flip": (lambda x: x.flip(1), lambda x: mg.flip(x, axis=1)),
    "masked_fill": (lambda x: x.masked_fill(x > 0, 7.0), lambda x: mg.masked_fill(x, x > 0, 7.0)),
    "moveaxis": (lambda x: x[None].moveaxis(0, -1), lambda x: mg.moveaxis(x[None], 0, -1)),
    "permute": (lambda x: x[None].permute(2, 0, 1), lambda x: mg.permute(x[None], (2, 0, 1))),
    "ravel": (lambda x: x.ravel(), mg.ravel),
    "repeat": (lambda x: x.repeat(2, 1), lambda x: mg.repeat(x, 2, axis=1)),
    "roll": (lambda x: x.roll(1, 0), lambda x: mg.roll(x, 1, axis=0)),
    "scatter_add": (lambda x: x.scatter_add([[1], [0]], x, 1), lambda x: mg.scatter_add(x, [[1], [0]], x, axis=1)),
    "take_along_axis": (lambda x: x.take_along_axis([[1, 0, 0]], 0), lambda x: mg.take_along_axis(x, [[1, 0, 0]], axis=0)),
    "tile": (lambda x: x.tile(2, 1), lambda x: mg.tile(x, (2, 1))),
    "trace": (lambda x: x.trace(), mg.trace),
    "tril": (lambda x: x.tril(1), lambda x: mg.tril(x, k=1)),
    "triu": (lambda x: x.triu(1), lambda x: mg.triu(x, k=1)),
    "unsqueeze": (lambda x: x.unsqueeze(1), lambda x: mg.unsqueeze(x, 1)),
    "view": (lambda x: x.view(3, -1), lambda x: mg.reshape(x, (3, -1))),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_the_functions(name: str) -> None:
    x = mg.tensor([[0.5, -1.0, 2.0], [0.25, 3.0, -0.75]], requires_grad=True)
    method, function = METHODS[name]
    got, want = method(x), function(x)
    assert got.shape == want.shape and got.dtype == want.dtype and got.requires_grad
    assert np.array_equal(got.numpy(), want.numpy())
