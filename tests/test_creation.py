"""Tensors from nothing, like others, and at random: numbers, dtypes, gradients asked for, and that a seed fixes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import config

X32, X64, WHOLE = mg.ones(2, 3), mg.ones(2, 3, dtype="float64"), mg.arange(3)

MADE: dict[str, tuple[Callable[[], Any], Any]] = {
    "linspace": (lambda: mg.linspace(-1, 2, 7), np.linspace(-1, 2, 7, dtype=np.float32)),
    "linspace of one": (lambda: mg.linspace(3, 5, 1, dtype="float64"), np.array([3.0])),
    "linspace of none": (lambda: mg.linspace(3, 5, 0), np.zeros(0, np.float32)),
    "linspace backwards": (lambda: mg.linspace(1, 0, 3), np.array([1.0, 0.5, 0.0], np.float32)),
    "eye": (lambda: mg.eye(3), np.eye(3, dtype=np.float32)),
    "eye, wide": (lambda: mg.eye(2, 4, 1, dtype="int64"), np.eye(2, 4, 1, dtype=np.int64)),
    "eye of none": (lambda: mg.eye(0), np.zeros((0, 0), np.float32)),
    "zeros_like": (lambda: mg.zeros_like(X64), np.zeros((2, 3))),
    "zeros_like, whole": (lambda: mg.zeros_like(WHOLE), np.zeros(3, np.int64)),
    "ones_like": (lambda: mg.ones_like(WHOLE, dtype="float32"), np.ones(3, np.float32)),
    "ones_like, of an array": (lambda: mg.ones_like(np.zeros((2, 0))), np.ones((2, 0))),
    "full_like": (lambda: mg.full_like(X32, 2.5), np.full((2, 3), 2.5, np.float32)),
    "full_like, 0-d": (lambda: mg.full_like(mg.tensor(True), False), np.array(False)),
    "one_hot": (lambda: mg.one_hot(mg.tensor([[2], [0]]), 3, dtype="int64"), np.array([[[0, 0, 1]], [[1, 0, 0]]])),
    "rand_like": (lambda: mg.rand_like(X64) * 0.0, np.zeros((2, 3))),
    "randn_like": (lambda: mg.randn_like(WHOLE, dtype="float32") * 0.0, np.zeros(3, np.float32)),
    "bernoulli": (lambda: mg.bernoulli(mg.tensor([0.0, 1.0, 0.0], dtype="float64")), np.array([0.0, 1.0, 0.0])),
    "randint of one": (lambda: mg.randint(4, 5, (2, 2), dtype="int32"), np.full((2, 2), 4, np.int32)),
    "permutation of one": (lambda: mg.permutation(1), np.zeros(1, np.int64)),
    "permutation of none": (lambda: mg.permutation(0), np.zeros(0, np.int64)),
}


@pytest.mark.parametrize("name", MADE)
def test_numbers_and_dtype(name: str) -> None:
    make, want = MADE[name]
    got = make()
    assert got.dtype == want.dtype and got.shape == want.shape and not got.requires_grad
    assert np.array_equal(got.numpy() + 0, want)


@pytest.mark.parametrize(
    "make",
    [
        lambda **more: mg.linspace(0, 1, 3, **more), lambda **more: mg.eye(2, **more), lambda **more: mg.zeros_like(X32, **more),
        lambda **more: mg.ones_like(X32, **more), lambda **more: mg.full_like(X32, 1.0, **more), lambda **more: mg.rand_like(X32, **more),
        lambda **more: mg.randn_like(X32, **more),
    ],
)  # fmt: skip
def test_a_gradient_can_be_asked_for(make: Any) -> None:
    made = make(requires_grad=True, dtype="float64")
    assert made.is_leaf and made.requires_grad and made.dtype == np.float64
    (made * 2.0).sum().backward()
    assert np.array_equal(made.grad.numpy(), np.full(made.shape, 2.0))


def test_a_gradient_of_whole_numbers_cannot() -> None:
    with pytest.raises(mg.DtypeError):
        mg.zeros_like(WHOLE, requires_grad=True)


RANDOM: dict[str, Callable[[], Any]] = {
    "bernoulli": lambda: mg.bernoulli(mg.full((50,), 0.5)),
    "permutation": lambda: mg.permutation(50),
    "permutation of rows": lambda: mg.permutation(mg.arange(50)),
    "rand_like": lambda: mg.rand_like(X32),
    "randint": lambda: mg.randint(1000, (50,)),
    "randn_like": lambda: mg.randn_like(X64),
}


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_fixes_it(name: str) -> None:
    mg.manual_seed(1)
    first, second = RANDOM[name](), RANDOM[name]()
    mg.manual_seed(1)
    again = RANDOM[name]()
    assert np.array_equal(first.numpy(), again.numpy()) and not np.array_equal(first.numpy(), second.numpy())


def test_how_often_what_comes() -> None:
    """Six standard deviations around the mean: a fair generator fails once in five hundred million."""
    mg.manual_seed(0)
    n = 60_000
    drawn = mg.randint(2, 5, (n,)).numpy()
    for value in (2, 3, 4):
        assert abs((drawn == value).sum() - n / 3) < 6 * np.sqrt(n * 2 / 9)
    assert sorted(set(drawn.tolist())) == [2, 3, 4]
    hits = mg.bernoulli(mg.full((n,), 0.2)).numpy()
    assert set(hits.tolist()) == {0.0, 1.0} and abs(hits.sum() - 0.2 * n) < 6 * np.sqrt(n * 0.16)
    first = np.array([mg.permutation(3).numpy() for _ in range(6000)])
    for order in np.unique(first, axis=0):
        assert abs((first == order).all(axis=1).sum() - 1000) < 6 * np.sqrt(6000 * 5 / 36)
    assert len(np.unique(first, axis=0)) == 6
    uniform, normal = mg.rand_like(mg.zeros(n)).numpy(), mg.randn_like(mg.zeros(n)).numpy()
    assert uniform.min() >= 0 and uniform.max() < 1 and abs(uniform.mean() - 0.5) < 6 / np.sqrt(12 * n)
    assert abs(normal.mean()) < 6 / np.sqrt(n) and abs(normal.var() - 1) < 6 * np.sqrt(2 / n)


def test_rows_in_another_order_have_their_gradients() -> None:
    mg.manual_seed(2)
    x = mg.tensor([[1.0], [2.0], [3.0], [4.0]], requires_grad=True)
    out = mg.permutation(x)
    assert sorted(out.numpy().ravel().tolist()) == [1.0, 2.0, 3.0, 4.0]
    out.backward(out.numpy() * 10.0)
    assert x.grad.tolist() == [[10.0], [20.0], [30.0], [40.0]]


def test_coins_have_no_gradient() -> None:
    p = mg.tensor([0.5, 0.5], requires_grad=True)
    assert not mg.bernoulli(p).requires_grad


@pytest.mark.parametrize("dtype", [None, "f", "d", "i8", "?", ">f4"])
@pytest.mark.parametrize("given", ["f", "d", "i4", "?", ">f8", "e"])
def test_copies_of_large_arrays_are_those_of_numpy_and_begin_on_a_line_of_the_cache(given: str, dtype: str | None) -> None:
    x = (np.random.default_rng(0).standard_normal((37, 300, 20)) * 3).astype(given)
    for array in (x, x[::-2, :, ::3], x.T, np.asfortranarray(x), x[:, :0]):
        tensor = mg.tensor(array, dtype=dtype)
        wanted = np.array(array, dtype=dtype, order="C")
        assert tensor.shape == wanted.shape and tensor.dtype == wanted.dtype.newbyteorder("=")
        assert tensor.numpy().tobytes() == wanted.astype(tensor.dtype).tobytes()
        assert not np.shares_memory(tensor.numpy(), array)
        if config.kernels() is not None and not {">f8", ">f4"} & {given, dtype} and min(array.nbytes, wanted.nbytes) >= 65536:
            assert tensor.numpy().ctypes.data % 64 == 0
