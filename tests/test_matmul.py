"""The kernels of matrix products: sizes around every edge of their tiles, memory, kept weights, threads."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import config, threads

pytestmark = pytest.mark.skipif(config.kernels() is None, reason="tests the compiled kernels")
SIZES = [1, 2, 5, 8, 13, 16, 17, 33, 70, 170, 333, 700]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def close(got: Any, want: Any, dtype: Any) -> bool:
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    return bool(np.abs(got - want).max() <= tolerance * max(np.abs(want).max(), 1.0))


@pytest.mark.parametrize("shape", [(50, 7, 33, 65), (13, 1, 128, 512), (9, 32, 5, 3), (400, 8, 16, 130), (3, 2, 1, 1), (700, 1, 64, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parts_of_a_sum_have_the_bits_of_the_whole(dtype, shape, rng):
    """From the last part to the first, and so too with all rows in the other order."""
    products, sums = config.products(), config.kernels()
    T, B, i, o = shape
    forth = [rng.standard_normal((T, B, width)).astype(dtype) for width in (i, o)]
    for a, g in (forth, [array[::-1, ::-1] for array in forth]):
        outer, total = products.outer_sum(a, g), sums.sum_to(g, (o,))
        assert close(outer, np.einsum("tbi,tbo->io", *(array.astype(float) for array in (a, g))), dtype)
        assert close(total, g.astype(float).sum(axis=(0, 1)), dtype)
        for cut in sorted({1, T // 3, T // 2, T - 1}):
            some = products.outer_sum(a[cut:], g[cut:])
            assert products.outer_sum(a[:cut], g[:cut], some) is some and some.tobytes() == outer.tobytes()
            some = sums.sum_to(g[cut:], (o,))
            assert sums.sum_to(g[:cut], (o,), some) is some and some.tobytes() == total.tobytes()
    assert products.outer_sum(a, g, np.zeros((o, i + 1), dtype)) is NotImplemented  # of another shape
    assert sums.sum_to(g, (o,), np.zeros(o + 1, dtype)) is NotImplemented


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_in_the_other_order(dtype, rng):
    """The result lies in memory as the rows of x do, and is seen in their order."""
    x, w, bias = (rng.standard_normal(shape).astype(dtype) for shape in ((6, 5, 40), (70, 40), (70,)))
    for turned in (x[::-1, ::-1], x[0, ::-1]):
        y = config.products().linear(turned, w, bias)
        assert y.tobytes() == config.products().linear(turned.copy(), w, bias).tobytes()
        assert all(stride < 0 for stride in y.strides[:-1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_of_any_size(dtype, rng):
    products = config.products()
    sizes = [shape for shape in itertools.product(SIZES, repeat=3) if np.prod(shape) < 3e6]
    for n, o, i in [sizes[k] for k in rng.permutation(len(sizes))[:400]]:
        a, b, w = (rng.standard_normal(shape).astype(dtype) for shape in ((n, o), (n, i), (i, o)))
        bias = rng.standard_normal(i).astype(dtype)
        outer = products.outer_sum(a, b)
        assert outer is NotImplemented or close(outer, a.T.astype(float) @ b.astype(float), dtype), (n, o, i)
        for start in (None, bias):
            affine = products.linear(a, w, start)
            want = a.astype(float) @ w.T.astype(float) + (0.0 if start is None else start)
            assert affine is NotImplemented or close(affine, want, dtype), (n, o, i)
        assert close(products.linear(a, w, bias, {}) if n > 16 else want, want, dtype)


PLACED = [(520, 512, 64), (300, 256, 64), (90, 512, 64), (160, 128, 32), (600, 800, 200), (40, 96, 256), (70, 640, 16), (33, 64, 2048)]
PLACED += [(560, 512, 130), (780, 768, 203), (530, 272, 256)]  # sums that come as their transpose


@pytest.mark.parametrize("shape", PLACED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_where_a_matrix_lies(dtype, shape, rng):
    """Which side is packed, and whether one is read where it is, depends on sizes and on where rows begin."""
    n, o, i = shape
    products = config.products()
    room = np.empty(n * (o + i) + 128, dtype)

    def placed(rows, width, past):
        """A matrix that begins so many elements past a line of the cache."""
        first = -(room.ctypes.data + start * room.itemsize) % 64 // room.itemsize + past + start
        found = room[first : first + rows * width].reshape(rows, width)
        assert found.ctypes.data % 64 == past * room.itemsize
        return found

    numbers = [rng.standard_normal((n, width)).astype(dtype) for width in (o, i)]
    found = []
    for past in itertools.product((0, 1), repeat=2):
        start = 0
        a = placed(n, o, past[0])
        start = n * o + 32
        b = placed(n, i, past[1])
        a[:], b[:] = numbers
        found.append([products.outer_sum(a, b), products.outer_sum(a[::-1], b[::-1]), products.matmul(a.T, b), products.matmul(b.T, a)])
        assert close(found[-1][0], a.T.astype(float) @ b.astype(float), dtype)
    assert all(one.tobytes() == other.tobytes() for more in found[1:] for one, other in zip(found[0], more, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(300, 70), (700, 64), (90, 1100), (4300, 130)])
def test_bits_of_a_sum_do_not_depend_on_whether_a_side_is_packed(shape, dtype, rng):
    """It is packed where many panels read it, where its rows lie a page apart, and where it is large."""
    products = config.products()
    a, b = rng.standard_normal(shape).astype(dtype), rng.standard_normal((shape[0], 600)).astype(dtype)
    for turned in (slice(None), slice(None, None, -1)):
        wide = products.outer_sum(a[turned], b[turned])
        assert close(wide, a.T.astype(float) @ b.astype(float), dtype)
        for few in (8, 16, 28, 64, 100, 128, 256, 300):
            for part in (b[:, :few], b[:, :few].copy()):
                assert products.outer_sum(a[turned], part[turned]).tobytes() == wide[:, :few].tobytes()


def test_a_part_of_a_wider_matrix(rng):
    """Rows that are not contiguous: what tiles read at once must neither mix rows nor run into the next."""
    wide = rng.standard_normal((41, 300)).astype(np.float32)
    for start, stop in ((0, 7), (3, 170), (100, 300), (299, 300)):
        part = wide[:, start:stop]
        assert close(config.products().outer_sum(part, wide), part.T @ wide, np.float32)


NOTHING = """
import numpy as np
import minigrad as mg
empty = np.zeros((1, 1001, 15))[1::2, 1::2, 1::2]  # contiguous to NumPy, with strides that do not say how many rows there are
weight = np.ones((7, 5000))
for a, b in ((empty, weight), (empty[..., :0], weight[:0])):
    assert mg.from_numpy(a).matmul(b).shape == (0, 500, 5000)
    assert mg.linear(a, b.T).shape == (0, 500, 5000)
    assert mg.ops.linalg.outer_sum(a, empty).shape == (a.shape[-1], 7)
"""


def test_no_rows_of_any_strides_write_nothing():
    """In a process of its own: where rows were counted that are not there, memory behind the result was written to."""
    done = subprocess.run([sys.executable, "-c", NOTHING], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [30, 130])
def test_bits_of_a_row_do_not_depend_on_the_height_of_tiles(columns, dtype, rng):
    """Tiles are low for many rows, and for rows that lie 4 KiB apart."""
    products, depth = config.products(), 4096 // np.dtype(dtype).itemsize
    weight = rng.standard_normal((columns, depth)).astype(dtype)
    apart = rng.standard_normal((140, depth + 16)).astype(dtype)[:, :depth]
    together = apart.copy()
    full = products.linear(together, weight, None)
    assert close(full, together.astype(float) @ weight.T.astype(float), dtype)
    for n in (17, 28, 64, 127, 128, 135, 140):
        assert products.linear(together[:n], weight, None).tobytes() == full[:n].tobytes()
        assert products.linear(apart[:n], weight, None).tobytes() == full[:n].tobytes()


def test_the_bits_of_a_row_do_not_depend_on_the_rows_beside_it(rng):
    x, weight = (mg.tensor(rng.standard_normal(shape).astype("f")) for shape in ((40, 200), (512, 200)))
    full, turned = mg.linear(x, weight).numpy(), (x @ weight.T).numpy()
    wide = mg.tensor(rng.standard_normal((2, 3, 6)).astype("f"))[..., :2]
    for n in range(1, 40):
        assert np.array_equal(mg.linear(x[:n], weight).numpy(), full[:n])
        assert np.array_equal((x[:n] @ weight.T).numpy(), turned[:n])
    for name in ("softmax", "log_softmax", "logsumexp"):
        op = getattr(mg, name)
        assert np.array_equal(op(wide[:1], axis=-1).numpy(), op(wide, axis=-1).numpy()[:1]), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(600, 450), (300, 1000), (1000, 300)])
def test_products_with_a_matrix_too_large_for_the_second_cache(shape, dtype, rng):
    """Its tiles ask for what the next ones read: each number of rows, and each height of the last tile, has the bits of all rows."""
    x, weight = (mg.tensor(rng.standard_normal(size).astype(dtype)) for size in ((200, shape[1]), shape))
    full = mg.linear(x, weight).numpy()
    assert np.allclose(
        full, x.numpy().astype(np.float64) @ weight.numpy().astype(np.float64).T, rtol=0, atol=2e-3 if dtype is np.float32 else 1e-10
    )
    for rows in (*range(14, 38), 167, 168, 169, 170, 171, 172, 173, 192, 193):
        assert np.array_equal(mg.linear(x[:rows], weight).numpy(), full[:rows]), rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(901, 1, 257), (3001, 28, 97), (400, 130, 801), (250, 900, 1000)])
def test_large_results_have_the_bits_of_small_ones(shape, bias, dtype, rng):
    """Those that no cache holds are written otherwise; rows and columns do not fill the last tiles."""
    rows, depth, columns = shape
    x, weight, start = (rng.standard_normal(s).astype(dtype) for s in ((rows, depth), (columns, depth), columns))
    linear, start = config.products().linear, start if bias else None
    got = linear(x, weight, start)
    assert got.nbytes > 900_000
    assert close(got, x.astype(float) @ weight.T.astype(float) + (start if bias else 0.0), dtype)
    for first in (0, 41, 48, rows - 7):
        assert np.array_equal(got[first : first + 7], linear(x[first : first + 7].copy(), weight, start))


@pytest.mark.parametrize("change", ["assign_", "optimiser", "item"])
def test_a_kept_weight_follows_its_numbers(change, rng):
    weight = mg.tensor(rng.standard_normal((40, 30)).astype("f"), requires_grad=change != "item")
    weight.parameter = True
    x = mg.tensor(rng.standard_normal((50, 30)).astype("f"))
    first = mg.linear(x, weight).numpy()
    assert weight.version().packs
    if change == "assign_":
        weight.assign_(weight.numpy() * 2)
    elif change == "item":
        weight[3] = 1.0
    else:
        mg.linear(x, weight).sum().backward()
        mg.optim.SGD([weight], lr=0.1).step()
    second = mg.linear(x, weight).detach().numpy()
    assert close(second, x.numpy() @ weight.numpy().T, np.float32) and not close(first, second, np.float32)


def test_a_kept_part_of_a_weight_follows_its_numbers(rng):
    weight = mg.tensor(rng.standard_normal((40, 64)).astype("f"), requires_grad=True)
    x = mg.tensor(rng.standard_normal((50, 30)).astype("f"))
    for _ in range(3):
        for columns in (slice(30), slice(34, None)):
            assert close(mg.linear(x, weight[:, columns]).detach().numpy(), x.numpy() @ weight.numpy()[:, columns].T, np.float32)
        assert len(weight.version().packs) == 2
        weight.assign_(weight.numpy() * 2)
        assert not weight.version().packs
    result = weight * 2
    assert result[:, :30].packs() is None  # numbers that live for one step


def test_memory_that_others_write_to_is_never_kept_packed(rng):
    shared = rng.standard_normal((40, 30)).astype("f")
    weight = mg.from_numpy(shared).requires_grad_()
    x = rng.standard_normal((50, 30)).astype("f")
    for _ in range(2):
        assert close(mg.linear(x, weight).detach().numpy(), x @ shared.T, np.float32)
        shared *= 2


def test_large_products_have_the_same_bits_on_any_number_of_threads(rng):
    a, b = (mg.tensor(rng.standard_normal((300, 300)).astype("f")) for _ in range(2))
    tall = [np.pad(rng.standard_normal((1100, width)).astype("f"), [(0, 1000), (0, 0)]) for width in (256, 64, 28)]  # lie in lines
    before, found = mg.get_num_threads(), []
    try:
        for count in (1, 2, 3, 4):
            mg.set_num_threads(count)
            assert count == 1 or threads.worth(2.0 * 300**3, 300) > 1
            sums = [config.products().outer_sum(x, y) for x, y in itertools.permutations(tall, 2)]
            found.append([(a @ b).numpy(), config.products().outer_sum(a._array, b._array), *sums])
    finally:
        mg.set_num_threads(before)
    for other in found[1:]:
        assert all(np.array_equal(x, y) for x, y in zip(found[0], other, strict=True))


@pytest.mark.skipif(sys.platform != "linux", reason="protects a page as Linux does")
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 6, 7])
def test_a_product_reads_nothing_behind_its_matrix(rows, rng):
    page, columns, depth = mmap.PAGESIZE, 96, 32
    memory = mmap.mmap(-1, 8 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(start + 7 * page), ctypes.c_size_t(page), 0) == 0
    right = np.frombuffer(memory, np.float32, depth * columns, 7 * page - 4 * depth * columns).reshape(depth, columns)
    right[:] = rng.standard_normal(right.shape)
    left = rng.standard_normal((rows, depth)).astype("f")
    assert np.allclose((mg.tensor(left) @ mg.from_numpy(right)).numpy(), left @ right, 1e-4, 1e-4)
