"""einsum against NumPy's, for random rules: the same values, or both refuse; what it turns into; and what it costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import minigrad as mg


@st.composite
def ruled(draw: Any) -> tuple[str, list[tuple[int, ...]]]:
    """Subscripts and shapes that mostly fit: diagonals, ellipses, axes of 1 and 0, both spellings, labels in one operand alone."""
    lengths = {label: draw(st.sampled_from([2, 3, 1, 2, 3, 0, 4])) for label in "ijkA"}
    wide = tuple(draw(st.lists(st.sampled_from([2, 3, 1]), max_size=2)))
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 4))):
        letters = draw(st.lists(st.sampled_from("ijkA"), max_size=3))
        shape = [1 if draw(st.integers(0, 9)) == 0 and letters.count(letter) == 1 else lengths[letter] for letter in letters]
        if draw(st.integers(0, 40)) == 0:
            shape = [5, *shape[1:]]
        if draw(st.booleans()) and draw(st.booleans()):
            at = draw(st.integers(0, len(letters)))
            own = [1 if draw(st.integers(0, 3)) == 0 else n for n in wide[draw(st.integers(0, len(wide))) :]]
            letters.insert(at, "...")
            shape[at:at] = own
        terms.append("".join(letters))
        shapes.append(tuple(shape))
    rule = ",".join(terms)
    if draw(st.booleans()):
        known = [letter for letter in "ijkA" if letter in rule]
        out = draw(st.permutations(known))[: draw(st.integers(0, len(known)))]
        if draw(st.integers(0, 30)) == 0:
            out = [*out, draw(st.sampled_from("ijkq"))]
        if "..." in rule and draw(st.integers(0, 9)):
            out.insert(draw(st.integers(0, len(out))), "...")
        rule += "->" + "".join(out)
    return rule, shapes


@given(ruled())
@example(("ij,jk->ik", [(2, 3), (1, 4)]))
@example(("i,i->i", [(1,), (0,)]))
@example(("...i,...i->...", [(2, 1, 3), (4, 3)]))
@example(("ii,i->i", [(1, 1), (3,)]))
@settings(max_examples=600, deadline=None)
def test_einsum_is_numpys(case: tuple[str, list[tuple[int, ...]]]) -> None:
    rule, shapes = case
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    try:
        want = np.einsum(rule, *arrays)
    except ValueError:
        with pytest.raises(mg.ShapeError, match="einsum"):
            mg.einsum(rule, *arrays)
        return
    leaves = [mg.tensor(array, requires_grad=True) for array in arrays]
    got = mg.einsum(rule, *leaves)
    assert got.shape == want.shape and np.allclose(got.numpy(), want, rtol=1e-12, atol=1e-12)
    # <g_x, x> = <seed, out> for every operand, since the result is linear in each; and the same again for the gradients themselves
    seed = rng.standard_normal(want.shape)
    got.backward(seed, create_graph=True)
    for leaf, array in zip(leaves, arrays, strict=True):
        assert leaf.grad.shape == array.shape
        assert abs(np.sum(leaf.grad.numpy() * array) - np.sum(seed * want)) <= 1e-10 * (1 + np.abs(seed * want).sum())


def names_of(tensor: Any) -> list[str]:
    """The operations that led to a tensor."""
    found, todo = [], [tensor.node]
    while todo:
        node = todo.pop()
        if node is not None and node.recipe is not None:
            found.append(node.name)
            todo += node.parents
    return found


@pytest.mark.parametrize(
    ("rule", "shapes", "names"),
    [
        ("bi,io->bo", ((2, 3), (3, 4)), ["matmul"]),
        ("tbi,oi->tbo", ((5, 2, 3), (4, 3)), ["linear"]),
        ("bi,bi->bi", ((2, 3), (2, 3)), ["mul"]),
        ("ii->i", ((3, 3),), ["diagonal"]),
        ("ij->ji", ((3, 4),), ["transpose"]),
        ("ij->", ((3, 4),), ["sum"]),
        ("ij->ij", ((3, 4),), []),
    ],
)
def test_a_plain_operation_is_itself(rule: str, shapes: Any, names: list[str]) -> None:
    """A matrix product keeps its packed weight and its place in a compiled scan, whichever way it is written."""
    leaves = [mg.tensor(np.ones(shape), requires_grad=True) for shape in shapes]
    assert names_of(mg.einsum(rule, *leaves)) == names


def test_three_matrices_are_multiplied_in_the_cheap_order() -> None:
    """(A B) v would make a matrix of a million elements; A (B v) makes none."""
    a, v = mg.tensor(np.ones((1000, 2)), requires_grad=True), mg.tensor(np.ones(1000), requires_grad=True)
    out = mg.einsum("ij,kj,k->i", a, a, v)
    sizes = []
    todo = [out.node]
    while todo:
        node = todo.pop()
        sizes.append(int(np.prod(node.shape)))
        todo += [parent for parent in node.parents if parent is not None]
    assert max(sizes) == 2000 and out.tolist() == [2000.0] * 1000


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_is_the_operands(dtype: str) -> None:
    a = mg.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=dtype, requires_grad=True)
    out = mg.einsum("ij,,jk->ik", a, 0.1, a)
    assert out.dtype == dtype
    out.backward(np.ones((2, 2), dtype))
    assert a.grad.dtype == dtype
    want = 0.1 * np.array([[1.0, 2.0], [3.0, 4.0]]) @ [[1.0, 2.0], [3.0, 4.0]]
    assert np.allclose(out.numpy(), want, rtol=1e-6 if dtype == "float32" else 1e-15)


def test_whole_numbers_stay_whole() -> None:
    out = mg.einsum("ij,jk->ik", np.array([[1, 2]]), np.array([[3], [4]]))
    assert out.dtype == np.int64 and out.tolist() == [[11]]
