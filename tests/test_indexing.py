"""x[index] against NumPy's own, for every combination of parts that an index can have: values, both orders of gradients, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import minigrad as mg

SHAPES = st.lists(st.sampled_from([3, 2, 4, 1, 3, 2, 0]), max_size=4).map(tuple)


def whole(draw: Any, length: int) -> int:
    """A place along an axis, from the start or the end; now and then one that is not there."""
    if length == 0 or draw(st.integers(0, 60)) == 0:
        return draw(st.integers(-6, 6))
    return draw(st.integers(-length, length - 1))


def numbers(draw: Any, length: int, wide: tuple[int, ...]) -> Any:
    """An array of places that broadcasts to `wide`, or mostly does, in one of the forms that hold it."""
    shape = [n if draw(st.booleans()) else 1 for n in wide[draw(st.integers(0, len(wide))) :]]
    if draw(st.integers(0, 60)) == 0:
        shape = [3]
    array = np.array([whole(draw, length) for _ in range(int(np.prod(shape, dtype=int)))], int).reshape(shape)
    kind = draw(st.sampled_from(["array", "list", "tensor", "int32", "uint8"]))
    if kind == "uint8" and array.size and array.min() >= 0:
        return array.astype(np.uint8)
    return {"list": array.tolist(), "tensor": mg.tensor(array), "int32": array.astype(np.int32)}.get(kind, array)


def mask(draw: Any, lengths: tuple[int, ...]) -> Any:
    """Booleans over the next axes, of another shape now and then."""
    if draw(st.integers(0, 60)) == 0:
        lengths = (*lengths[:-1], 7)
    array = np.array([draw(st.booleans()) for _ in range(int(np.prod(lengths, dtype=int)))], bool).reshape(lengths)
    return draw(st.sampled_from([array, mg.tensor(array)] + ([array.tolist()] if array.size else [])))


@st.composite
def indexed(draw: Any) -> tuple[tuple[int, ...], Any]:
    """A shape, and an index for it."""
    shape = draw(SHAPES)
    wide = draw(st.sampled_from([(3,), (2, 3), (2,), (), (2, 1, 3), (1,), (0,)]))
    parts: list[Any] = []
    at = 0
    dots = draw(st.booleans())
    while at < len(shape) and draw(st.integers(0, 9)) < 9:
        length = shape[at]
        kind = draw(st.sampled_from(["array", "slice", "array", "mask", "int", "array", "None", "array", "...", "bool"]))
        if kind == "int":
            place = whole(draw, length)
            parts.append(draw(st.sampled_from([place, np.int64(place), np.array(place), mg.tensor(place)])))
        elif kind == "slice":
            bound = st.none() | st.integers(-5, 5)
            parts.append(slice(draw(bound), draw(bound), draw(st.none() | st.sampled_from([1, 2, -1, -2]))))
        elif kind == "array":
            parts.append(numbers(draw, length, wide))
        elif kind == "mask":
            count = draw(st.integers(1, len(shape) - at))
            parts.append(mask(draw, shape[at : at + count]))
            at += count - 1
        elif kind == "None":
            parts.append(None)
            at -= 1
        elif kind == "bool" and draw(st.booleans()):
            parts.append(draw(st.sampled_from([True, False, np.True_, np.array(False), mg.tensor(True)])))
            at -= 1
        elif kind == "..." and dots:
            parts.append(Ellipsis)
            dots = draw(st.integers(0, 20)) == 0
            at = max(at, len(shape) - draw(st.integers(0, 2))) - 1
        at += 1
    parts += draw(st.sampled_from([[], [], [None], [0], [Ellipsis], [True]]))
    return shape, parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


def plain(index: Any) -> Any:
    """The index with NumPy's arrays for the tensors in it."""
    if isinstance(index, tuple):
        return tuple([plain(part) for part in index])
    if isinstance(index, list) and not index:
        return np.array([], int)
    return index.numpy() if isinstance(index, mg.Tensor) else index


def by_numpy(array: Any, index: Any) -> Any:
    """What NumPy makes of it: an array, or the exception."""
    try:
        return np.asarray(array[plain(index)])
    except (IndexError, ValueError, TypeError) as problem:
        return problem


@given(indexed())
@example(((3, 4), (np.array([0, 0, 2]), None, np.array([1, 1, 3]))))
@example(((2, 3, 4), ([0, 1, 0], slice(None), [1, 1, 1])))
@example(((2, 3, 4), (0, Ellipsis, np.array([[True, False, True, True]] * 3))))
@example(((), True))
@example(((), (Ellipsis, np.array(False), None)))
@example(((3,), ()))
@example(((0, 3), np.zeros((0, 3), bool)))
@example(((3,), []))
@example(((2, 3), (True, np.array([0, 1]), [False, True, True])))
@settings(max_examples=600, deadline=None)
def test_indexing_is_numpys(case: tuple[tuple[int, ...], Any]) -> None:
    shape, index = case
    count = int(np.prod(shape, dtype=int))
    array = np.arange(1.0, count + 1.0).reshape(shape) / 8
    want = by_numpy(array, index)
    x = mg.tensor(array, requires_grad=True)
    if isinstance(want, Exception):
        with pytest.raises((mg.ShapeError, mg.DtypeError), match=r"x\[index\]"):
            x[index]
        return
    got = x[index]
    assert got.shape == want.shape and got.dtype == array.dtype and np.array_equal(got.numpy(), want)
    places = np.arange(count).reshape(shape)[plain(index)].ravel()

    def put(values: Any) -> Any:
        """Each value added at its place."""
        return np.bincount(places, values.ravel(), max(count, 1))[:count].reshape(shape)

    rng = np.random.default_rng(count)
    seed, turn = rng.standard_normal(want.shape), rng.standard_normal(shape)
    (got * got).backward(seed, create_graph=True)
    first = x.grad
    assert np.allclose(first.numpy(), put(2.0 * seed * want), rtol=1e-13, atol=0.0)
    x.grad = None
    first.backward(turn)
    assert np.allclose(x.grad.numpy(), put(2.0 * seed * np.asarray(turn[plain(index)])), rtol=1e-13, atol=1e-15)


@given(indexed())
@settings(max_examples=200, deadline=None)
def test_assignment_is_numpys(case: tuple[tuple[int, ...], Any]) -> None:
    """x[index] = value for constants: the same elements change, or both refuse."""
    shape, index = case
    array = np.zeros(shape)
    x = mg.tensor(array)
    try:
        array[plain(index)] = 7.0
    except (IndexError, ValueError, TypeError):
        with pytest.raises((IndexError, ValueError, TypeError)):
            x[index] = 7.0
        return
    x[index] = 7.0
    assert np.array_equal(x.numpy(), array)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_every_dtype_is_read(dtype: str) -> None:
    x = mg.tensor([[1, 0, 3], [4, 5, 0]]).astype(dtype)
    for index in (1, (slice(None), [0, 0]), x.numpy() != 0, None, ...):
        got = x[index]
        assert got.dtype == x.dtype and np.array_equal(got.numpy(), x.numpy()[index])


def test_an_index_that_changes_afterwards_changes_no_gradient() -> None:
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    places, mask, several = np.array([0, 2]), np.array([True, False, True]), [0, 0]
    out = x[places].sum() + 2.0 * x[mask].sum() + 4.0 * x[several].sum()
    places[...], mask[...], several[:] = 1, False, [1, 1]
    out.backward()
    assert x.grad.tolist() == [11.0, 0.0, 3.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "slices",
    [
        [np.s_[:, :5], np.s_[:, 5:]],
        [np.s_[:, 2:6], np.s_[:, 4:], np.s_[1]],
        [np.s_[::2, ::-1], np.s_[:, ::3], np.s_[2:, 1:4]],
        [np.s_[3, 4], np.s_[3], np.s_[..., 4], np.s_[None, :, 1:2]],
        [np.s_[:0], np.s_[:, 7:7], np.s_[-1:, -1:]],
    ],
)
def test_slices_of_one_tensor_share_its_gradient(slices: list[Any], dtype: str) -> None:
    """Overlapping or not, of any strides, one number or none: each adds to what the others have left."""
    rng = np.random.default_rng(3)
    x = mg.tensor(rng.standard_normal((5, 9)).astype(dtype), requires_grad=True)
    expected, loss = np.zeros((5, 9), dtype), mg.tensor(np.zeros((), dtype))
    for part in slices:
        g = rng.standard_normal(x.numpy()[part].shape).astype(dtype)
        loss = loss + (x[part] * mg.tensor(g)).sum()
    rng = np.random.default_rng(3)
    rng.standard_normal((5, 9))
    for part in slices:
        np.add.at(expected, part, rng.standard_normal(expected[part].shape).astype(dtype))
    loss.backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-6 if dtype == "float32" else 1e-14)
