"""A row for all sequences beside rows of each: laid out for a block where rows are short (kernels/repeat.pxi), with no other results."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.scan import COMPILED, settings

pytestmark = pytest.mark.skipif(not COMPILED, reason="without the compiled kernels every scan runs as its loop")
T = 4
BLOCK = 4096  # bytes of the widest value of a block


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def weighted(w, h, x):
    h = mg.relu(x + w["u"] * h)
    return h, h


def chosen(w, h, x):
    """A row of Booleans, and rows on either side of each kind of operation."""
    h = mg.where(w["mask"], mg.maximum(h, w["u"]), x - w["v"])
    return h, mg.clip(w["v"] / (1.5 + mg.sigmoid(h)), -0.4, 0.4)


def parts(w, h, x):
    """Columns of a longer row; one of them twice, and one of another width."""
    width = h.shape[-1]
    h = mg.tanh(w["both"][:width] * h + w["both"][width:] * x)
    return h, (h[:, : width // 2] * w["both"][:width][: width // 2], h * w["both"][width:])


def written(w, h, x):
    """A row that the loop makes anew at each step, where nothing is hoisted out of it."""
    h = mg.tanh(mg.exp(w["u"]) * h + mg.sin(w["v"]) * x)
    return h, h * mg.exp(w["u"])


def own(w, h, x):
    """Columns of a constant that has a row for each sequence."""
    width = h.shape[-1]
    h = mg.tanh(w["own"][:, :width] * h + w["own"][:, width:] * x + w["u"])
    return h, h


def gates(w, h, x):
    """Columns of a product."""
    width = h.shape[-1]
    p = mg.linear(h, w["weight"])
    h = mg.tanh(p[:, :width] * w["u"] + mg.sigmoid(p[:, width:]) * x)
    return h, h * w["v"]


def of_each_time(w, h, x):
    """A row for all sequences, another at each time."""
    h = mg.tanh(w["now"] * h + x * w["u"])
    return h, h


def in_columns(w, h, x):
    """Beside a number for each sequence the rows do not follow each other, whatever is laid out."""
    h = mg.tanh(x * w["u"] + h.sum(axis=-1, keepdims=True) * w["v"])
    return h, h


CELLS = {cell.__name__: cell for cell in (weighted, chosen, parts, written, own, gates, of_each_time, in_columns)}


def numbers(rng, batch, width, dtype):
    rows = {name: rng.uniform(-0.8, 0.8, size).astype(dtype) for name, size in {"u": width, "v": width, "both": 2 * width}.items()}
    rows["now"] = rng.uniform(-0.8, 0.8, (T, width)).astype(dtype)
    rows["weight"] = (rng.standard_normal((2 * width, width)) / width).astype(dtype)
    rows["mask"] = rng.random(width) < 0.5
    rows["own"] = rng.uniform(-0.8, 0.8, (batch, 2 * width)).astype(dtype)
    seeds = rng.standard_normal((T, batch, width)).astype(dtype)
    return rows, rng.standard_normal((batch, width)).astype(dtype), rng.standard_normal((T, batch, width)).astype(dtype), seeds


def run(cell, rows, first, xs, seeds, reverse=False, recorded=True):
    """The results, and the gradients (if `recorded`) of what may have one, in the sum over all results times seeds."""
    w = {name: mg.tensor(row, requires_grad=recorded and name not in ("mask", "now")) for name, row in rows.items()}
    h, x = mg.tensor(first, requires_grad=recorded), mg.tensor(xs, requires_grad=recorded)
    last, ys = mg.scan(lambda carry, now: cell({**w, "now": now[0]}, carry, now[1]), h, (w["now"], x), reverse=reverse)
    report = mg.scan_report()
    ys = ys if isinstance(ys, tuple) else (ys,)
    if not recorded:
        return {"last": last.numpy().copy(), **{f"y{n}": y.numpy().copy() for n, y in enumerate(ys)}}, report
    loss = (last * seeds[0]).sum()
    for y in ys:
        loss = loss + (y * seeds[..., : y.shape[-1]]).sum()
    loss.backward()
    gradients = {name: tensor.grad for name, tensor in {**w, "h": h, "x": x}.items() if tensor.grad is not None}
    results = {"last": last, **{f"y{n}": y for n, y in enumerate(ys)}, **gradients}
    return {name: tensor.numpy().copy() for name, tensor in results.items()}, report


@pytest.fixture
def passes():
    before = settings.passes, settings.mode
    yield settings
    settings.passes, settings.mode = before


@pytest.mark.parametrize("without", ["", "hoist", "fuse", "plan", "sink"])
@pytest.mark.parametrize("batch", [1, 7, 8, 9, 21])
@pytest.mark.parametrize("width", [4, 64, 66, 200])
@pytest.mark.parametrize("name", CELLS)
def test_the_loop_gives_the_same(rng, passes, name, width, batch, without):
    given = numbers(rng, batch, width, np.float64)
    reverse = bool(batch % 2)
    passes.passes = passes.passes - {without}
    got, report = run(CELLS[name], *given, reverse)
    alone, again = run(CELLS[name], *given, reverse, recorded=False)
    assert report.compiled and again.compiled, (report, again)
    passes.mode = "eager"
    want, _ = run(CELLS[name], *given, reverse)
    assert got.keys() == want.keys() and len(got) >= 5
    for label, array in want.items():
        assert np.abs(got[label] - array).max() <= 1e-12 * np.abs(array).max(), label
        assert label not in alone or np.abs(alone[label] - array).max() <= 1e-12 * np.abs(array).max(), label


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CELLS)
def test_no_row_hears_of_the_others(rng, name, dtype):
    rows, first, xs, seeds = numbers(rng, 19, 64, dtype)
    whole, _ = run(CELLS[name], rows, first, xs, seeds)
    for start, stop in [(0, 1), (5, 6), (3, 12), (18, 19)]:
        part, _ = run(CELLS[name], {**rows, "own": rows["own"][start:stop]}, first[start:stop], xs[:, start:stop], seeds[:, start:stop])
        for label in [label for label in part if label not in rows]:
            mine = whole[label][:, start:stop] if whole[label].ndim == 3 else whole[label][start:stop]
            np.testing.assert_array_equal(part[label], mine, err_msg=label)


def test_numbers_that_change_are_laid_out_anew(rng):
    """The plan is that of the first call; the rows are not, also where they are changed in place."""
    rows, first, xs, _ = numbers(rng, 9, 32, np.float32)
    u = mg.tensor(rows["u"])

    def step(h, x):
        return weighted({"u": u}, h, x)

    for factor in (1.0, 2.0, -0.5):
        u *= factor
        _, ys = mg.scan(step, mg.tensor(first), mg.tensor(xs))
        h, found = first, []
        for x in xs:
            h = np.maximum(x + u.numpy() * h, 0)
            found.append(h)
        np.testing.assert_allclose(ys.numpy(), found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("width", "laid"), [(32, 1), (128, 1), (129, 0), (512, 0)])
def test_rows_of_a_block_of_eight_or_more_are_laid_out_once(rng, width, laid):
    given = numbers(rng, 8, width, np.float32)
    _, report = run(weighted, *given)
    rows = BLOCK // (4 * width)
    whole = -(-rows * 4 * width // 64) * 64  # in lines of the cache
    assert report.plan.loop.program.arena == whole * (1 + laid)  # what is handed to relu, and u
