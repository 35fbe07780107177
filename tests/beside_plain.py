"""A recurrent layer beside plain NumPy: outputs, and both orders of derivatives by every weight, x and first state, against autograd's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from autograd import grad
from autograd.differential_operators import hessian_vector_product
from plain_recurrent import Variant, plain

import minigrad as mg

compiled = pytest.mark.skipif(mg.config.kernels() is None, reason="the compiled loop needs the compiled kernels")


class Case:
    """A layer of a variant and numbers for it: weights, x (T, B, n), different first states, and cotangents of every output."""

    def __init__(self, variant: Variant, layer: Any, shape: tuple[int, int, int], seed: int, **form: Any) -> None:
        self.variant, self.layer, self.form = variant, layer, form
        rng = self.rng = np.random.default_rng(seed)
        self.names = [name for name, _ in layer.named_parameters()]
        weights = [rng.standard_normal(parameter.shape) * 0.6 for parameter in layer.parameters()]
        layer.load_state_dict(dict(zip(self.names, weights, strict=True)))
        count = form["layers"] * (1 + form["both"])
        self.points = [*weights, rng.standard_normal(shape), *[rng.standard_normal((count, shape[1], n)) for n in self.first()]]
        self.shapes = [point.shape for point in self.points]
        self.vector = np.concatenate([point.ravel() for point in self.points])
        self.seeds = [rng.standard_normal(value.shape) for value in self.plain(self.vector)]

    def first(self) -> tuple[int, ...]:
        """The widths of the first states that are given."""
        widths: tuple[int, ...] = self.layer.widths()
        return widths

    def cut(self, vector: Any) -> list[Any]:
        """The arrays that a vector has one after another."""
        bounds = np.cumsum([0, *map(np.prod, self.shapes)])
        return [vector[a:b].reshape(shape) for a, b, shape in zip(bounds, bounds[1:], self.shapes, strict=False)]

    def parts(self, vector: Any) -> tuple[dict[str, Any], Any, list[Any]]:
        """The weights by name, x and the first states."""
        parts, count = self.cut(vector), len(self.names)
        return dict(zip(self.names, parts, strict=False)), parts[count], parts[count + 1 :]

    def plain(self, vector: Any) -> list[Any]:
        """Outputs and last states by plain NumPy."""
        outputs, last, _ = plain(self.variant, *self.parts(vector), **self.form)
        return [*outputs, *last]

    def ours(self, *leaves: Any) -> list[Any]:
        """The same by the layer, with these tensors in the place of its weights, x and first states; time first."""
        vars(self.layer).update(zip(self.names, leaves, strict=False))
        x, *first = leaves[len(self.names) :]
        batch_first = self.layer.batch_first
        output, last = self.layer(x.swapaxes(0, 1) if batch_first else x, first[0] if len(first) == 1 else tuple(first))
        assert mg.scan_report().compiled, mg.scan_report()
        return [*[y.swapaxes(0, 1) if batch_first else y for y in as_tuple(output)], *as_tuple(last)]

    def loss(self, values: list[Any]) -> Any:
        """A number that every output has a part in, and bends in."""
        return sum([((value + 0.5 * value * value) * seed).sum() for value, seed in zip(values, self.seeds, strict=True)])

    def by_ours(self, *leaves: Any) -> Any:
        return self.loss(self.ours(*leaves))

    def by_plain(self, vector: Any) -> Any:
        return self.loss(self.plain(vector))

    def agrees(self) -> None:
        """Outputs, last states, gradients and products with the Hessian by every weight, x and every first state."""
        leaves = as_leaves(self.points)
        for place, (got, want) in enumerate(zip(self.ours(*leaves), self.plain(self.vector), strict=True)):
            assert distance(got, want) < 1e-12, place
        labels = [*self.names, "x", *self.layer.states]
        slopes = mg.grad(self.by_ours, argnums=range(len(leaves)))(*leaves)
        for label, got, want in zip(labels, slopes, self.cut(grad(self.by_plain)(self.vector)), strict=False):
            assert distance(got, want) < 1e-11, label
            assert np.any(want), label  # each has a part in the loss, so nothing is compared with zeros
        v = self.rng.standard_normal(self.vector.shape)
        curves = mg.hvp(self.by_ours, leaves, as_leaves(self.cut(v)))
        for label, got, want in zip(labels, curves, self.cut(hessian_vector_product(self.by_plain)(self.vector, v)), strict=False):
            assert distance(got, want) < 1e-10, label


def distance(a: Any, b: Any) -> float:
    """max|a - b| / max(1, max|b|)."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    return float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))


def as_leaves(points: list[Any]) -> tuple[mg.Tensor, ...]:
    return tuple([mg.tensor(point) for point in points])


def as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
