"""What operations that move, pick, join and multiply say of arguments that they cannot serve; and creation, and indices."""

from __future__ import annotations

import re

import numpy as np
import pytest

import minigrad as mg

X, V, C, S = mg.ones(3, 4), mg.ones(3), mg.ones(2, 3, 4), mg.tensor(1.0)
AXES = "of a tensor of shape (3, 4): axes run from -2 to 1"

SHAPES = [
    (lambda: mg.reshape(X, (5, -1)), "reshape: shape (3, 4) has 12 elements, which do not fill (5, -1)"),
    (lambda: X.view(5), "reshape: shape (3, 4) has 12 elements, which do not fill (5,)"),
    (
        lambda: mg.transpose(X, (0,)),
        "transpose: axes=(0,) should list all 2 axes of shape (3, 4) in their new order; to exchange two there is",
    ),
    (lambda: X.permute(0, 0), "transpose: axes=(0, 0) should list all 2 axes of shape (3, 4) in their new order; to exchange two there is"),
    (lambda: mg.swapaxes(X, 0, 2), "swapaxes: axes 0 and 2 of shape (3, 4): axes run from -2 to 1"),
    (lambda: mg.expand_dims(X, 5), "expand_dims: axis=5 for shape (3, 4): the result's axes run from -3 to 2"),
    (lambda: mg.squeeze(X, 0), "squeeze: axis=0 of shape (3, 4): only axes of length 1 can go"),
    (lambda: mg.squeeze(X, 3), "squeeze: axis 3 " + AXES),
    (lambda: mg.broadcast_to(X, (3, 5)), "broadcast_to: shape (3, 4) does not stretch to (3, 5): from the right"),
    (lambda: mg.concatenate([]), "concatenate: shapes none along axis 0; expected one tensor or more"),
    (lambda: mg.concatenate([X, V]), "concatenate: shapes (3, 4), (3,) along axis 0; expected one tensor or more, of as many axes"),
    (lambda: mg.cat([X, mg.ones(3, 5)]), "concatenate: shapes (3, 4), (3, 5) along axis 0"),
    (lambda: mg.concatenate([X, X], axis=2), "concatenate: axis 2 " + AXES),
    (lambda: mg.concatenate([S, S]), "concatenate: shapes (), () along axis 0; expected one tensor or more"),
    (lambda: mg.stack([]), "stack: shapes none at a new axis 0; expected one tensor or more, all of one shape"),
    (lambda: mg.stack([X, V]), "stack: shapes (3, 4), (3,) at a new axis 0; expected one tensor or more, all of one shape: concatenate()"),
    (lambda: mg.stack([X, X], axis=4), "stack: axis 4 of a tensor of shape (1, 3, 4): axes run from -3 to 2"),
    (lambda: mg.split(X, 2, axis=2), "split: axis 2 " + AXES),
    (lambda: mg.split(S, 1), "split: axis 0 of a tensor of shape (): it has no axes"),
    (lambda: mg.chunk(X, 0), "chunk: 0 pieces of shape (3, 4); expected a whole number of 1 or more"),
    (lambda: mg.chunk(X, 2, axis=2), "chunk: axis 2 " + AXES),
    (lambda: mg.moveaxis(X, 0, 2), "moveaxis: axis 2 " + AXES),
    (lambda: mg.moveaxis(X, (0, 1), 0), "moveaxis: source=(0, 1) has 2 axes, destination=0 1: give as many"),
    (lambda: mg.moveaxis(X, (0, -2), (0, 1)), "moveaxis: axis=(0, -2) names an axis of shape (3, 4) twice"),
    (lambda: mg.flatten(X, 1, 0), "flatten: start=1 lies behind stop=0 in shape (3, 4)"),
    (lambda: mg.flatten(X, 2), "flatten: axis 2 " + AXES),
    (lambda: mg.flip(X, 2), "flip: axis 2 " + AXES),
    (lambda: mg.flip(X, (0, 0)), "flip: axis=(0, 0) names an axis of shape (3, 4) twice"),
    (lambda: mg.roll(X, 1, -3), "roll: axis -3 " + AXES),
    (lambda: mg.roll(X, (1, 2, 3), (0, 1)), "roll(float32(3, 4), shift=(1, 2, 3), axis=(0, 1)): shape mismatch"),
    (lambda: mg.repeat(X, -1), "repeat: -1 times is less than none; expected 0 or more"),
    (
        lambda: mg.repeat(X, [1, 2], axis=0),
        "repeat: repeats has shape (2,), axis 0 of shape (3, 4) has length 3: give one number, or one for each",
    ),
    (lambda: mg.repeat(X, 2, axis=2), "repeat: axis 2 " + AXES),
    (lambda: mg.tile(X, -1), "tile: reps=-1; expected whole numbers of 0 or more"),
    (lambda: mg.pad(X, -1), "pad: pad_width=-1 is negative for shape (3, 4): a slice x[1:-1] takes elements away"),
    (
        lambda: mg.pad(X, (1, 2, 3)),
        "pad: pad_width=(1, 2, 3) for shape (3, 4); expected one number, a pair (before, behind), or such a pair",
    ),
    (lambda: mg.pad(X, 1, mode="mirror"), "pad: mode='mirror'; expected 'constant' or one of 'reflect', 'symmetric', 'edge', 'wrap'"),
    (lambda: mg.pad(mg.zeros(0, 3), 1, mode="edge"), "pad: axis 0 of shape (0, 3) is empty: mode='edge' has nothing to repeat"),
    (lambda: X @ X, "matmul: shapes (3, 4) and (3, 4): the last axis of the first has length 4, axis -2 of the second 3; they are summed"),
    (lambda: X @ V, "matmul: shapes (3, 4) and (3,): the last axis of the first has length 4, axis -1 of the second 3; they are summed"),
    (lambda: mg.matmul(X, S), "matmul: shapes (3, 4) and (): both sides need an axis; * multiplies by a number"),
    (lambda: mg.matmul(C, mg.ones(5, 4, 2)), "matmul: shapes (2, 3, 4) and (5, 4, 2): the leading axes (2,) and (5,) do not broadcast"),
    (lambda: mg.dot(X, X), "dot: shapes (3, 4) and (3, 4): the last axis of the first has length 4, axis -2 of the second 3"),
    (lambda: C.dot(V), "dot: shapes (2, 3, 4) and (3,): the last axis of the first has length 4, axis -1 of the second 3"),
    (lambda: mg.bmm(X, X), "bmm: shapes (3, 4) and (3, 4); expected (batch, m, k) and (batch, k, n): matmul takes all other products"),
    (lambda: mg.bmm(C, C), "bmm: shapes (2, 3, 4) and (2, 3, 4); expected (batch, m, k) and (batch, k, n)"),
    (lambda: mg.diagonal(V), "diagonal wants a matrix, or several behind each other: at least 2 axes, got shape (3,)"),
    (lambda: mg.diagonal(X, 0, 0, 2), "diagonal: axis 2 " + AXES),
    (lambda: mg.diagonal(X, 0, 1, -1), "diagonal: axis1=1 and axis2=-1 are one axis of shape (3, 4): a diagonal runs along two"),
    (lambda: mg.diag(C), "diag wants a vector or a matrix, got shape (2, 3, 4): diagonal() takes those of stacked matrices"),
    (lambda: mg.triu(V), "triu wants a matrix, or several behind each other: at least 2 axes, got shape (3,)"),
    (lambda: mg.tril(V), "tril wants a matrix, or several behind each other: at least 2 axes, got shape (3,)"),
    (lambda: mg.take(X, [5]), "take along axis 0 of shape (3, 4): index 5 is out of bounds for axis 0 with size 3"),
    (lambda: mg.take(X, [0], axis=2), "take along axis 2 of shape (3, 4): axis 2 is out of bounds"),
    (lambda: mg.take_along_axis(X, [5]), "take_along_axis: indices of shape (1,) for a tensor of shape (3, 4); expected as many axes"),
    (lambda: mg.take_along_axis(X, 5), "take_along_axis: indices of shape () for a tensor of shape (3, 4); expected as many axes"),
    (
        lambda: mg.take_along_axis(X, [[5]]),
        "take_along_axis: indices run from 5 to 5; axis 1 of shape (3, 4) has length 4, which allows -4 to 3",
    ),
    (
        lambda: mg.take_along_axis(X, [[0], [1]]),
        "take_along_axis: indices of shape (2, 1) for a tensor of shape (3, 4): axis 0 must have one length",
    ),
    (lambda: mg.take_along_axis(X, [[0]], axis=2), "take_along_axis: axis 2 " + AXES),
    (
        lambda: mg.scatter_add(X, [[-5]], [[1.0]]),
        "scatter_add: indices run from -5 to -5; axis 1 of shape (3, 4) has length 4, which allows",
    ),
    (
        lambda: mg.scatter_add(X, 1, [[0]], [[1.0]]),
        "scatter_add(x, indices, src): x has shape (3, 4), indices (), src (1, 1); expected as many axes",
    ),
    (
        lambda: mg.scatter_add(X, [[0, 0]], [[1.0]]),
        "scatter_add: indices of shape (1, 2) reach beyond axis 1 of src (shape (1, 1)) or of x",
    ),
    (
        lambda: mg.scatter_add(X, [[0]] * 4, [[1.0]] * 4),
        "scatter_add: indices of shape (4, 1) reach beyond axis 0 of src (shape (4, 1)) or of x",
    ),
    (lambda: mg.scatter_add(X, [[0]], [[1.0]], axis=3), "scatter_add: axis 3 " + AXES),
    (lambda: mg.masked_fill(X, X > 0, V), "masked_fill: value has shape (3,); expected one number: where(mask, value, x) takes several"),
    (lambda: mg.masked_fill(X, V > 0, 1.0), "masked_fill: a mask of shape (3,) does not broadcast beside shape (3, 4)"),
    (lambda: mg.one_hot([5], 3), "one_hot: indices run from 5 to 5; num_classes=3 allows 0 to 2"),
    (lambda: mg.one_hot([0], 2.5), "one_hot: num_classes=2.5; expected a whole number of 0 or more"),
    (lambda: mg.einsum("ij,jk", X, X), "einsum('ij,jk'): operand 1 of shape (3, 4) has length 3 at axis 0, but 'j' is 4 elsewhere"),
    (lambda: mg.einsum("ii", X), "einsum('ii'): operand 0 of shape (3, 4) has length 4 at axis 1, but 'i' is 3 elsewhere"),
    (lambda: mg.einsum("ii", mg.ones(1, 3)), "einsum('ii'): operand 0 of shape (1, 3) has length 3 at axis 1, but 'i' is 1 elsewhere"),
    (
        lambda: mg.einsum("...,...", X, V),
        "einsum('...,...'): operand 1 of shape (3,) has length 3 at axis 0, but axes of '...' is 4 elsewhere",
    ),
    (lambda: mg.einsum("ij", X, X), "einsum('ij'): 1 terms before '->', 2 operands: each operand needs one term"),
    (
        lambda: mg.einsum("ijk", X),
        "einsum('ijk'): operand 0 has shape (3, 4) and the term 'ijk': one letter an axis; '...' stands for axes",
    ),
    (lambda: mg.einsum("ij->ik", X), "einsum('ij->ik'): the result's label 'k' must stand in an operand, and in the result once"),
    (lambda: mg.einsum("ij->ii", X), "einsum('ij->ii'): the result's label 'i' must stand in an operand, and in the result once"),
    (
        lambda: mg.einsum("...i->i", X),
        "einsum('...i->i'): '...' stands for 1 axes that the result has no '...' for: write '->...' to keep them",
    ),
    (lambda: mg.einsum("i.j", X), "einsum('i.j'): '.' in 'i.j' is no label: an axis is a letter"),
    (lambda: mg.zeros(2, -1), "a shape is made of whole numbers of 0 or more, got (2, -1)"),
    (lambda: mg.rand(1.5), "a shape is made of whole numbers of 0 or more, got (1.5,)"),
    (lambda: mg.eye(-1), "a shape is made of whole numbers of 0 or more, got (-1, -1)"),
    (lambda: mg.linspace(0, 1, -1), "linspace: num=-1 is no count of numbers; expected 0 or more"),
    (lambda: mg.arange(0, 1, 0), "arange(0, 1, 0): a step of 0 never arrives; linspace() takes a count instead"),
    (lambda: mg.randint(3, 3), "randint: there is no whole number from 3 up to, not with, 3"),
    (lambda: mg.permutation(-1), "permutation(-1): expected a count of 0 or more, or a tensor"),
    (lambda: mg.permutation(0.5), "permutation of a tensor without axes: expected a whole number, or a tensor with rows"),
    (lambda: X[3], "x[index] of shape (3, 4) with the index (3): index 3 is out of bounds for axis 0 with size 3"),
    (lambda: X[0, 0, 0], "x[index] of shape (3, 4) with the index (0, 0, 0): too many indices"),
    (lambda: X[..., ...], "x[index] of shape (3, 4) with the index (..., ...): an index can only have a single ellipsis"),
    (lambda: X[::0], "x[index] of shape (3, 4) with the index (::0): slice step cannot be zero"),
    (
        lambda: X[:, np.array([0, 7])],
        "x[index] of shape (3, 4) with the index (:, int64(2,)): index 7 is out of bounds for axis 1 with size 4",
    ),
    (lambda: X[np.array([True, False])], "x[index] of shape (3, 4) with the index (bool(2,)): boolean index did not match"),
    (lambda: X[[0, 1], [0, 1, 2]], "x[index] of shape (3, 4) with the index (int64(2,), int64(3,)): shape mismatch"),
    (lambda: X[[[0], [1, 2]]], "x[index] of shape (3, 4): a list in the index is no array"),
    (lambda: S[0], "x[index] of shape () with the index (0): too many indices"),
]

DTYPES = [
    (lambda: X.reshape("a"), "reshape(float32(3, 4), shape=('a',))"),
    (lambda: mg.flip(X, 1.0), "flip: an axis is a whole number, got 1.0"),
    (lambda: mg.roll(X, 1.5), "roll: shift=1.5; expected a whole number, or one for each axis"),
    (lambda: mg.repeat(X, 1.5), "repeat: repeats wants whole numbers, got float64: astype('int64') makes them of others"),
    (lambda: mg.pad(X, 1.5), "pad: pad_width wants whole numbers, got float64"),
    (
        lambda: mg.pad(X, 1, constant_values=(1, 2)),
        "pad: constant_values=(1, 2) beside elements of float32: expected one number of that kind",
    ),
    (
        lambda: mg.pad(mg.arange(3), 1, constant_values=0.5),
        "pad: constant_values=0.5 beside elements of int64: expected one number of that kind",
    ),
    (lambda: mg.diagonal(X, 0.5), "diagonal: the number of a diagonal is a whole number, got 0.5"),
    (lambda: mg.triu(X, 1.5), "triu: the number of a diagonal is a whole number, got 1.5"),
    (lambda: mg.take(X, [0.5]), "take: indices are whole numbers, got float32: astype('int64') makes them of others"),
    (lambda: mg.take_along_axis(X, [[0.5]]), "take_along_axis: indices are whole numbers, got float32"),
    (lambda: mg.scatter_add(X, [[0.5]], [[1.0]]), "scatter_add: indices are whole numbers, got float32"),
    (
        lambda: mg.masked_fill(X, X, 1.0),
        "masked_fill: the mask has dtype float32; expected booleans, such as a comparison gives: mask != 0",
    ),
    (lambda: mg.one_hot([0.5], 3), "one_hot: indices are whole numbers, got float32"),
    (lambda: mg.full((2,), "a"), "full: one number is wanted, got 'a'"),
    (lambda: mg.zeros_like(X, dtype=complex), "tensors hold real numbers, not complex128"),
    (lambda: mg.rand_like([1, 2]), "rand_like draws float32 or float64, x has int64: give dtype="),
    (lambda: mg.randn_like(mg.arange(3)), "randn_like draws float32 or float64, x has int64: give dtype="),
    (lambda: mg.bernoulli([1, 2]), "bernoulli: p holds probabilities, real numbers from 0 to 1, got int64"),
    (lambda: X[0.5], "x[index] with a part of float64 in the index, for shape (3, 4): an index is made of whole numbers, slices, None"),
    (lambda: X["a"], "x[index] with a part of <U1 in the index"),
    (lambda: X[X], "x[index] with a part of float32 in the index"),
    (lambda: X[0.5:2], "x[index] of shape (3, 4): the bounds of a slice are whole numbers"),
]


@pytest.mark.parametrize(("call", "message"), SHAPES, ids=[message.split(":")[0][:40] + f" {i}" for i, (_, message) in enumerate(SHAPES)])
def test_shapes_axes_and_indices_are_refused_in_words(call, message):
    with pytest.raises(mg.ShapeError, match="^" + re.escape(message)):
        call()


@pytest.mark.parametrize(("call", "message"), DTYPES, ids=[message.split(":")[0][:40] + f" {i}" for i, (_, message) in enumerate(DTYPES)])
def test_dtypes_are_refused_in_words(call, message):
    with pytest.raises(mg.DtypeError, match="^" + re.escape(message)):
        call()


def test_einsum_wants_its_rule_first():
    with pytest.raises(TypeError, match="einsum: the first argument is a string of subscripts such as 'ij,jk->ik', got Tensor"):
        mg.einsum(X, "ij")
