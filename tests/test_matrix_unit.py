"""Products of float32 on the matrix unit, which multiplies shorter numbers: as exact as in float32, and row by row the same bits."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import config, nn

kernels = config.kernels()
pytestmark = pytest.mark.skipif(kernels is None or "amx" not in kernels.isas(), reason="this machine has no matrix unit")

SIDES = [(96, 96), (97, 130), (127, 100), (513, 160), (1100, 96)]  # terms and columns of a weight that goes to the unit
SUMS = [
    (160, 320, 320),
    (163, 330, 400),
    (319, 100, 500),
    (320, 520, 330),
    (750, 65, 512),
    (900, 512, 28),
    (1200, 17, 300),
]  # steps of four rows, columns and columns


@pytest.fixture(autouse=True)
def unit() -> Any:
    before = kernels.isa()  # type: ignore[union-attr]
    kernels._use_isa("amx")  # type: ignore[union-attr]
    yield config.products()
    kernels._use_isa(before)  # type: ignore[union-attr]


@pytest.fixture
def rng() -> Any:
    return np.random.default_rng(0)


def numbers(rng: Any, *shape: int) -> Any:
    return rng.standard_normal(shape).astype(np.float32)


def halves(rows: int) -> tuple[slice, slice]:
    """Both halves of a batch."""
    return slice(0, rows // 2), slice(rows // 2, rows)


def error(got: Any, a: Any, b: Any, start: Any = 0.0) -> float:
    """The largest error of start + a b, in shares of what the absolute values give."""
    a, b = a.astype(float), b.astype(float)
    return float(np.max(np.abs(got - (start + a @ b)) / (np.abs(start) + np.abs(a) @ np.abs(b))))


@pytest.mark.parametrize(("depth", "columns"), SIDES)
def test_a_product_is_as_exact_as_in_float32(depth: int, columns: int, unit: Any, rng: Any) -> None:
    weight, bias = numbers(rng, columns, depth), numbers(rng, columns)
    assert unit.Packed(weight.T, True).unit
    for rows in (1, 3, 15, 16, 17, 31, 32, 33, 64, 129, 300):
        x = numbers(rng, rows, depth)
        plain = error(unit.matmul(x, np.ascontiguousarray(weight.T)), x, weight.T)
        assert error(unit.linear(x, weight, bias, {}), x, weight.T, bias.astype(float)) < max(plain, 1e-7)
        assert error(unit.matmul(x, np.ascontiguousarray(weight.T), {}), x, weight.T) < max(plain, 1e-7)


@pytest.mark.parametrize(("depth", "columns"), SIDES)
def test_the_bits_of_a_row_depend_on_no_other(depth: int, columns: int, unit: Any, rng: Any) -> None:
    x, weight = numbers(rng, 300, depth), numbers(rng, depth, columns)
    whole = unit.matmul(x, weight, {})
    for rows in (1, 2, 7, 16, 20, 32, 47, 129):
        for first in (0, 5, 300 - rows):
            assert unit.matmul(x[first : first + rows], weight, {}).tobytes() == whole[first : first + rows].tobytes()
    for other in (np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x.reshape(20, 15, depth)):
        assert unit.matmul(other, weight, {}).tobytes() == whole.tobytes()
    assert unit.matmul(x[::-1], weight, {}).tobytes() == whole[::-1].tobytes()
    assert unit.matmul(x, np.asfortranarray(weight), {}).tobytes() == whole.tobytes()


@pytest.mark.parametrize(("steps", "columns", "others"), SUMS)
def test_a_sum_is_as_exact_and_can_be_cut(steps: int, columns: int, others: int, unit: Any, rng: Any) -> None:
    a, b, more = numbers(rng, steps, 4, columns), numbers(rng, steps, 4, others), numbers(rng, columns, others)
    flat_a, flat_b = a.reshape(-1, columns), b.reshape(-1, others)
    whole, plain = unit.outer_sum(a, b), unit.outer_sum(flat_a, flat_b)  # rows along one axis are not for the unit
    assert whole.tobytes() != plain.tobytes()
    assert error(whole, flat_a.T, flat_b) < error(plain, flat_a.T, flat_b)
    added = more.copy()
    assert unit.outer_sum(a, b, added) is added
    assert error(added, flat_a.T, flat_b, more.astype(float)) < 2e-7
    for last in (8, 40, steps // 16 * 8):  # those go first
        with unit.part_of_sums(last, steps):
            parts = unit.outer_sum(a[steps - last :], b[steps - last :])
        with unit.part_of_sums(steps - last, steps):
            unit.outer_sum(a[: steps - last], b[: steps - last], parts)
        assert parts.tobytes() == whole.tobytes()
    for other in (np.asfortranarray(a), np.repeat(a, 2, axis=2)[..., ::2]):
        assert unit.outer_sum(other, b).tobytes() == whole.tobytes()


@pytest.mark.parametrize(("steps", "rows"), [(25, 32), (24, 64), (9, 96), (2, 512)])
@pytest.mark.parametrize(("columns", "others"), [(320, 300), (300, 320), (320, 320), (96, 1100), (1100, 96)])
def test_the_halves_of_a_batch_are_two_sums(steps: int, rows: int, columns: int, others: int, unit: Any, rng: Any) -> None:
    """With the same bits from any number of threads, from parts of the steps, and for rows in the other order of memory."""
    a, b = numbers(rng, steps, rows, columns), numbers(rng, steps, rows, others)
    flat_a, flat_b = a.reshape(-1, columns), b.reshape(-1, others)
    whole, before = unit.outer_sum(a, b), mg.get_num_threads()
    assert error(whole, flat_a.T, flat_b) < error(unit.outer_sum(flat_a, flat_b), flat_a.T, flat_b)
    half = [unit.outer_sum(np.ascontiguousarray(a[:, k]), np.ascontiguousarray(b[:, k])) for k in halves(rows)]
    assert np.allclose(half[0] + half[1], whole, atol=1e-3)
    try:
        for threads in (1, 2, 3, 4, 5):
            mg.set_num_threads(threads)
            assert unit.outer_sum(a, b).tobytes() == whole.tobytes()
    finally:
        mg.set_num_threads(before)
    added = np.ones_like(whole)
    unit.outer_sum(a, b, added)
    assert added.tobytes() == (whole + 1).tobytes()
    last = steps // 2 // 2 * 2  # those go first
    sums = np.zeros(unit.sums_of(a, columns, others), np.float32)
    assert sums.shape in ((2, columns, others), (2, others, columns))
    for part in (slice(steps - last, steps), slice(0, steps - last)):
        with unit.part_of_sums(part.stop - part.start, steps):
            unit.outer_sum(a[part], b[part], sums) if part.stop > part.start else None
    together = sums[0] + sums[1]
    assert (together if sums.shape[1] == columns else together.T).tobytes() == whole.tobytes()


def test_two_sums_take_what_is_not_finite(unit: Any, rng: Any) -> None:
    """The unit refuses it; what the sums held before is not lost."""
    a, b = numbers(rng, 20, 64, 300), numbers(rng, 20, 64, 96)
    sums = np.zeros(unit.sums_of(a, 300, 96), np.float32)
    unit.outer_sum(a, b, sums)
    a[3, 5, 7] = np.inf
    unit.outer_sum(a, b, sums)
    total = sums[0] + sums[1]
    total = total if total.shape == (300, 96) else total.T
    assert (~np.isfinite(total)).any(axis=1).nonzero()[0].tolist() == [7]
    rest = np.delete(a, 7, axis=2).reshape(-1, 299)
    assert np.allclose(np.delete(total, 7, axis=0), 2 * rest.T @ b.reshape(-1, 96), atol=1e-2)


def test_any_number_of_threads_gives_the_same_bits(unit: Any, rng: Any) -> None:
    x, weight, g = numbers(rng, 700, 2, 130), numbers(rng, 130, 300), numbers(rng, 700, 2, 300)
    found, before = set(), mg.get_num_threads()
    try:
        for threads in (1, 2, 3, 4):
            mg.set_num_threads(threads)
            found.add(unit.matmul(x, weight, {}).tobytes() + unit.outer_sum(x, g).tobytes() + unit.outer_sum(g, x).tobytes())
    finally:
        mg.set_num_threads(before)
    assert len(found) == 1


def test_several_threads_of_python(unit: Any, rng: Any) -> None:
    x, weight = numbers(rng, 100, 2, 128), numbers(rng, 128, 512)
    g, packs = numbers(rng, 100, 2, 512), {}  # type: ignore[var-annotated]
    expected = unit.matmul(x, weight, packs).tobytes() + unit.outer_sum(x, g).tobytes()
    wrong: list[int] = []

    def again(number: int) -> None:
        for _ in range(20):
            if unit.matmul(x, weight, packs).tobytes() + unit.outer_sum(x, g).tobytes() != expected:
                wrong.append(number)

    workers = [threading.Thread(target=again, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, np.float32(3.4e38), -np.float32(3.4e38)])
def test_what_is_not_finite_spreads_as_in_float32(value: float, unit: Any, rng: Any) -> None:
    """The three parts of an infinity are not numbers; nor are those of what is rounded to one."""

    def like(got: Any, plain: Any) -> bool:
        near = np.isclose(got, plain, rtol=1e-4, atol=1e-4)
        return bool(np.where(np.isfinite(plain), near, (got == plain) | (np.isnan(got) & np.isnan(plain))).all())

    x, weight = numbers(rng, 150, 100) / 8, numbers(rng, 100, 120) / 8
    weight[3] = np.sign(weight[3]) * 0.5
    x[[3, 77, 140], 3] = value
    for left, right in ((x, weight), (numbers(rng, 40, 150), x)):
        plain = unit.matmul(left, right)
        assert like(unit.matmul(left, right, {}), plain)
        assert like(unit.matmul(np.asfortranarray(left), right, {}), plain)
    a, b = np.tile(x, (20, 1, 1)), numbers(rng, 20, 150, 96)
    into, also = np.ones((100, 96), np.float32), np.ones((100, 96), np.float32)
    unit.outer_sum(a, b, into), unit.outer_sum(a.reshape(3000, 100), b.reshape(3000, 96), also)
    assert into.tobytes() == also.tobytes()  # neither was done on the unit


def test_small_numbers(unit: Any, rng: Any) -> None:
    """Down to 1e-30 nothing is lost; below, digits are, and never more than what is below 1e-38."""
    x, weight = numbers(rng, 40, 128), numbers(rng, 128, 128)
    for scale, bound in ((1e-10, 1.5e-7), (1e-25, 1.5e-7), (1e-31, 1.5e-7), (1e-35, 1e-2)):
        small = (x * np.float32(scale)).astype(np.float32)
        assert error(unit.matmul(small, weight, {}), small, weight) < bound


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [70, 70, 31, 5, 1, 0, 64]])
def test_a_scan_in_segments_has_the_bits_of_one_piece(lengths: list[int] | None, reverse: bool) -> None:
    found = []
    for memory in ("full", "sqrt", 3):
        mg.manual_seed(0)
        layer = nn.LSTM(100, 128, memory=memory, bidirectional=reverse)
        x = mg.tensor(np.random.default_rng(1).standard_normal((70, 7, 100)).astype(np.float32), requires_grad=True)
        output, _ = layer(x, lengths=lengths)
        (output * mg.tensor(np.random.default_rng(2).standard_normal(output.shape).astype(np.float32))).sum().backward()
        found.append([output.numpy(), x.grad.numpy(), *[p.grad.numpy() for p in layer.parameters()]])  # type: ignore[union-attr]
    for other in found[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize(("steps", "rows"), [(31, 32), (33, 24), (70, 5)])
def test_segments_of_any_length_have_them_too(steps: int, rows: int) -> None:
    """Also one of a single step, and where weights are parts of one that the step puts together."""
    found = []
    for memory in ("full", "sqrt", steps):
        rng = np.random.default_rng(3)
        halves = [mg.tensor(rng.standard_normal((128, 256)).astype(np.float32) / 16, requires_grad=True) for _ in range(2)]
        whole = mg.tensor(rng.standard_normal((256, 256)).astype(np.float32) / 16, requires_grad=True)
        x = mg.tensor(rng.standard_normal((steps, rows, 256)).astype(np.float32))

        def step(h: Any, x: Any, halves: Any = halves, whole: Any = whole) -> Any:
            h = mg.tanh(x @ mg.concatenate(halves) + h @ whole)
            return h, h

        _, y = mg.scan(step, mg.zeros(rows, 256), x, memory=memory)
        (y * mg.tensor(rng.standard_normal(y.shape).astype(np.float32))).sum().backward()
        found.append([y.numpy(), *[p.grad.numpy() for p in (*halves, whole)]])  # type: ignore[union-attr]
    for other in found[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_training_agrees_with_avx512(kind: Any) -> None:
    found = []
    for isa in ("amx", "avx512"):
        kernels._use_isa(isa)  # type: ignore[union-attr]
        mg.manual_seed(0)
        layer = kind(128, 128, 2, bidirectional=True)
        x = mg.tensor(np.random.default_rng(1).standard_normal((40, 8, 128)).astype(np.float32), requires_grad=True)
        output, _ = layer(x)
        (output * mg.tensor(np.random.default_rng(2).standard_normal(output.shape).astype(np.float32))).sum().backward()
        found.append([output.numpy(), x.grad.numpy(), *[p.grad.numpy() for p in layer.parameters()]])  # type: ignore[union-attr]
    for a, b in zip(*found, strict=True):
        assert np.max(np.abs(a - b)) <= 3e-6 * np.max(np.abs(b))
    assert any(a.tobytes() != b.tobytes() for a, b in zip(*found, strict=True))  # the unit has done something
