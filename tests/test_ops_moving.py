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


WHOLE = np.array([[3, 0, 5], [1, 4, 2]])
SAME: dict[str, Any] = {
    "flip": (mg.flip, np.flip),
    "roll": (lambda x: mg.roll(x, 2, axis=1), lambda x: np.roll(x, 2, axis=1)),
    "repeat": (lambda x: mg.repeat(x, [2, 1], axis=0), lambda x: np.repeat(x, [2, 1], axis=0)),
    "tile": (lambda x: mg.tile(x, (2, 1, 2)), lambda x: np.tile(x, (2, 1, 2))),
    "pad": (lambda x: mg.pad(x, 1, constant_values=1), lambda x: np.pad(x, 1, constant_values=1)),
    "pad, reflected": (lambda x: mg.pad(x, 2, mode="reflect"), lambda x: np.pad(x, 2, mode="reflect")),
    "take_along_axis": (lambda x: mg.take_along_axis(x, [[1], [0]]), lambda x: np.take_along_axis(x, np.array([[1], [0]]), -1)),
    "masked_fill": (lambda x: mg.masked_fill(x, x > x, 0), lambda x: x),
    "triu": (mg.triu, np.triu),
    "tril": (mg.tril, np.tril),
    "diagonal": (mg.diagonal, np.diagonal),
    "diag": (lambda x: mg.diag(x[0]), lambda x: np.diag(x[0])),
    "trace": (mg.trace, np.trace),
    "outer": (lambda x: mg.outer(x, x), lambda x: np.outer(x, x)),
    "dot": (lambda x: mg.dot(x, x.T), lambda x: np.dot(x, x.T)),
    "kron": (lambda x: mg.kron(x, x), lambda x: np.kron(x, x)),
    "moveaxis": (lambda x: mg.moveaxis(x, 0, 1), lambda x: np.moveaxis(x, 0, 1)),
    "ravel": (mg.ravel, np.ravel),
    "cat": (lambda x: mg.cat([x, x], axis=1), lambda x: np.concatenate([x, x], axis=1)),
}


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("name", SAME)
def test_every_dtype_is_kept(name: str, dtype: str) -> None:
    """Whole numbers stay whole, and are constants; NumPy's function gives the numbers."""
    function, numpys = SAME[name]
    x = WHOLE.astype(dtype)
    got, want = function(mg.tensor(x)), numpys(x)
    assert got.dtype == want.dtype or name == "trace"  # NumPy's sums of int32 are int64
    assert np.array_equal(got.numpy(), want) and not got.requires_grad


@pytest.mark.parametrize(
    "look",
    [
        lambda x: mg.flip(x), lambda x: mg.diagonal(x), lambda x: x.moveaxis(0, 1), lambda x: x.ravel(), lambda x: x.flatten(),
        lambda x: x.view(9), lambda x: x.permute(1, 0), lambda x: x.unsqueeze(0), lambda x: x.chunk(2)[1],
    ],
)  # fmt: skip
def test_a_view_shares_its_memory_and_its_version(look: Any) -> None:
    """What was kept of a view is known to have changed when the tensor behind it has."""
    x = mg.tensor(np.arange(9.0).reshape(3, 3), requires_grad=True)
    with mg.no_grad():
        assert np.shares_memory(look(x).numpy(), x.numpy())
        seen = look(x)
    w = mg.tensor(np.ones(seen.shape), requires_grad=True)
    out = (w * seen).sum()
    x.assign_(np.zeros((3, 3)))
    with pytest.raises(mg.MutationError, match="kept an argument"):
        out.backward()


def test_scatter_add_changes_nothing_but_its_result() -> None:
    x, src = mg.zeros(3), mg.ones(4)
    out = mg.scatter_add(x, np.array([0, 0, 2, 0]), src)
    assert out.tolist() == [3.0, 0.0, 1.0] and x.tolist() == [0.0, 0.0, 0.0] and src.tolist() == [1.0] * 4


def test_places_that_change_afterwards_change_no_gradient() -> None:
    x = mg.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    places, counts = np.array([[2, 2]]), [0, 1, 3]
    out = mg.take_along_axis(x, places).sum() + mg.repeat(x, counts, axis=1).sum() * 10.0
    places[...], counts[:] = 0, [1, 1, 1]
    out.backward()
    assert x.grad.tolist() == [[0.0, 10.0, 32.0]]


def test_pads_of_every_mode_are_numpys() -> None:
    rng = np.random.default_rng(4)
    for mode in ("constant", "edge", "reflect", "symmetric", "wrap"):
        for shape in ((1,), (2,), (5,), (2, 3), (1, 4)):
            for _ in range(8):
                x, width = rng.standard_normal(shape), rng.integers(0, 9, (len(shape), 2))
                assert np.array_equal(mg.pad(x, width, mode=mode).numpy(), np.pad(x, width, mode=mode)), (mode, shape, width)
