"""Scans of sequences of different lengths (`batch_sizes`) against one scan a sequence: the same bits where rows stand for themselves.

Outputs, last carries and the gradients of inputs and first carries are compared bit for bit, those of weights to rounding; the loop and
second derivatives to rounding.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cells_for_scan import CELLS, numbers

import minigrad as mg
from minigrad import threads
from minigrad.errors import DtypeError, ShapeError
from minigrad.scan import settings
from minigrad.scan.tree import flatten

compiled = pytest.mark.skipif(mg.config.kernels() is None, reason="the compiled loop needs the compiled kernels")
both_ways = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
LENGTHS = [7, 7, 5, 4, 4, 1]
FEATURES, H = 3, 5


def batch_sizes(lengths: list[int]) -> list[int]:
    return [sum(length > t for length in lengths) for t in range(max(lengths))]


def packed(rows: list[Any]) -> Any:
    """The sequences, longest first, time after time."""
    return np.concatenate([np.stack([row[t] for row in rows if len(row) > t]) for t in range(len(rows[0]))])


def unpacked(array: Any, lengths: list[int]) -> list[Any]:
    """One array a sequence, again."""
    starts = np.cumsum([0, *batch_sizes(lengths)])
    return [np.stack([array[starts[t] + row] for t in range(length)]) for row, length in enumerate(lengths)]


class Case:
    """A cell with its weights, and sequences with first carries and what all results are weighted by."""

    def __init__(self, name: str, lengths: list[int], dtype: Any, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.cell, self.lengths = CELLS[name], lengths
        everything = numbers(self.cell.shapes({"T": 1, "B": len(lengths), "I": FEATURES, "H": H}, False), seed, dtype)
        self.states = {key: everything.pop(key) for key in ("h0", "c0") if key in everything}
        self.weights = {key: array for key, array in everything.items() if key != "x"}
        self.xs = [rng.standard_normal((length, FEATURES)).astype(dtype) for length in lengths]
        self.seeds = {key: [rng.standard_normal((length, H)).astype(dtype) for length in lengths] for key in self.cell.outputs}

    def run(self, rows: list[int], sizes: Any, reverse: bool, second: bool = False) -> dict[str, Any]:
        """A scan over some rows, together (`sizes`) or one of them alone: outputs, last carry, and all gradients."""
        leaves = {key: mg.tensor(array, requires_grad=True) for key, array in self.weights.items()}
        states = [mg.tensor(array[rows], requires_grad=True) for array in self.states.values()]

        def laid(sequences: list[Any]) -> Any:
            return sequences[rows[0]][:, None] if sizes is None else packed(sequences)

        xs = mg.tensor(laid(self.xs), requires_grad=True)
        w = SimpleNamespace(**leaves)
        start = tuple(states) if len(states) > 1 else states[0]
        last, ys = mg.scan(lambda c, x: self.cell.step(w, c, x), start, xs, reverse=reverse, batch_sizes=sizes)
        results = dict(zip(self.cell.outputs, [*flatten(last)[0], *flatten(ys)[0]], strict=True))
        loss: Any = 0.0
        for key, tensor in results.items():
            if not (second and key.endswith("_n")):
                ends = np.stack([seed[-1] for seed in self.seeds[key]])
                loss = loss + (tensor * mg.tensor(ends[rows] if key.endswith("_n") else laid(self.seeds[key]))).sum()
        inputs = {
            "dx": xs,
            **{f"d state {k}": state for k, state in enumerate(states)},
            **{f"d {key}": leaf for key, leaf in leaves.items()},
        }
        (loss * loss if second else loss).backward(create_graph=second)
        if second:
            total: Any = 0.0
            for tensor in inputs.values():
                total = total + (tensor.grad * tensor.grad).sum()
                tensor.grad = None
            total.backward()
        found = {key: tensor.numpy() for key, tensor in results.items()}
        return found | {key: tensor.grad.numpy() for key, tensor in inputs.items()}

    def together(self, reverse: bool, second: bool = False) -> dict[str, Any]:
        return self.run(list(range(len(self.lengths))), batch_sizes(self.lengths), reverse, second)

    def one_by_one(self, reverse: bool) -> list[dict[str, Any]]:
        return [self.run([row], None, reverse) for row in range(len(self.lengths))]


def close(got: Any, want: Any, bound: float) -> bool:
    return float(np.abs(got - want).max()) <= bound * max(1.0, float(np.abs(want).max()))


@compiled
@both_ways
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CELLS)
def test_rows_have_the_bits_of_each_sequence_alone(name: str, dtype: Any, reverse: bool) -> None:
    case = Case(name, LENGTHS, dtype)
    together = case.together(reverse)
    assert mg.scan_report().compiled, mg.scan_report()
    alone = case.one_by_one(reverse)
    for key in together:
        if key.startswith("d state") or key.endswith("_n"):
            assert np.array_equal(together[key], np.concatenate([one[key] for one in alone])), key
        elif key.startswith("d "):
            assert close(together[key], sum(one[key] for one in alone), 1e-6 if dtype is np.float32 else 1e-12), key
        else:
            for row, array in enumerate(unpacked(together[key], LENGTHS)):
                assert np.array_equal(array, alone[row][key][:, 0]), (key, row)


@compiled
@both_ways
@pytest.mark.parametrize("name", CELLS)
def test_the_loop_agrees_in_first_and_second_derivatives(name: str, reverse: bool, monkeypatch: Any) -> None:
    case = Case(name, [4, 3, 3, 1], np.float64)
    for second in (False, True):
        fast = case.together(reverse, second)
        monkeypatch.setattr(settings, "mode", "eager")
        loop = case.together(reverse, second)
        monkeypatch.undo()
        for key, want in loop.items():
            assert close(fast[key], want, 1e-10 if second else 1e-12), (key, second)


@compiled
@both_ways
def test_thread_counts_leave_all_bits(reverse: bool, monkeypatch: Any) -> None:
    case = Case("peephole", [60, 58, 57, 40, 40, 31, 22, 9, 3], np.float32)
    monkeypatch.setattr(threads, "WORTH", 1.0)
    found = []
    for count in (1, 2, 3, 4):
        monkeypatch.setattr(threads, "limit", count)
        found.append(case.together(reverse))
    for other in found[1:]:
        assert all(np.array_equal(other[key], found[0][key]) for key in found[0])


@compiled
def test_counts_change_without_a_new_plan() -> None:
    w = mg.tensor(np.full((H, H), 0.1), requires_grad=True)

    def step(h: Any, x: Any) -> Any:
        h = mg.tanh(mg.linear(h, w) + x)
        return h, h

    for lengths in ([4, 2], [3, 3], [6, 1]):
        mg.scan(step, mg.zeros((2, H), dtype=np.float64), mg.ones((sum(lengths), H), dtype=np.float64), batch_sizes=batch_sizes(lengths))
    assert mg.scan_report().cached and mg.scan_report().compiled


@compiled
def test_constants_with_a_row_for_each_sequence() -> None:
    """They run compiled, and beside the rows that run, where they need no gradient."""
    lengths = [4, 2, 2]
    mask = mg.tensor(np.random.default_rng(0).standard_normal((3, H)))
    gain = mg.tensor(np.ones(H), requires_grad=True)
    x = np.random.default_rng(1).standard_normal((8, H))

    def step(h: Any, x: Any) -> Any:
        h = mg.tanh(x + (h * mask) * gain)
        return h, h

    _, y = mg.scan(step, mg.ones((3, H), dtype=np.float64), mg.tensor(x), batch_sizes=batch_sizes(lengths))
    assert mg.scan_report().compiled
    y.sum().backward()
    total = np.zeros(H)
    for row, sequence in enumerate(unpacked(x, lengths)):
        own = mg.tensor(np.ones(H), requires_grad=True)
        h = mg.ones(H, dtype=np.float64)
        loss: Any = 0.0
        for t in range(len(sequence)):
            h = mg.tanh(mg.tensor(sequence[t]) + (h * mask[row]) * own)
            loss = loss + h.sum()
        loss.backward()
        total += own.grad.numpy()
    assert close(gain.grad.numpy(), total, 1e-12)


@both_ways
def test_the_ledger_has_the_steps(reverse: bool) -> None:
    w = mg.tensor(np.array([0.5]), requires_grad=True)
    x = mg.tensor(np.arange(1.0, 5.0)[:, None])
    last, _ = mg.scan(lambda h, x: (h * w + x, None), mg.tensor(np.ones((3, 1))), x, batch_sizes=[3, 1], reverse=reverse)
    parts = mg.ledger(last.sum(), w).numpy()
    last.sum().backward()
    assert parts.shape == (2, 1) and np.allclose(parts.sum(axis=0), w.grad.numpy())


@pytest.mark.parametrize("sizes", [[], [1], [3, 3], [4]])
def test_few_steps_or_none(sizes: list[int]) -> None:
    rows = sizes[0] if sizes else 2
    x = mg.tensor(np.ones((sum(sizes), 2)), requires_grad=True)
    h = mg.tensor(np.ones((rows, 2)), requires_grad=True)
    last, y = mg.scan(lambda h, x: (h + x, h), h, x, batch_sizes=sizes)
    assert last.shape == (rows, 2) and y.shape == (sum(sizes), 2)
    assert np.array_equal(last.numpy(), np.full((rows, 2), 1.0 + len(sizes)))


def test_mistakes_get_sentences() -> None:
    h, x = mg.zeros((2, 1)), mg.zeros((3, 1))

    def scan(**settings: Any) -> Any:
        return mg.scan(lambda h, x: (h + x, h), settings.pop("carry", h), x, **settings)

    with pytest.raises(ShapeError, match="never grow"):
        scan(batch_sizes=[1, 2])
    with pytest.raises(ShapeError, match="never grow"):
        scan(batch_sizes=[2, 1, 0])
    with pytest.raises(ShapeError, match="add up to 4 rows, xs has 3"):
        scan(batch_sizes=[2, 2])
    with pytest.raises(ShapeError, match="starts with 2 rows.*carry; it has .5, 1"):
        scan(batch_sizes=[2, 1], carry=mg.zeros((5, 1)))
    with pytest.raises(ShapeError, match="length=3, but batch_sizes has 2"):
        scan(batch_sizes=[2, 1], length=3)
    with pytest.raises(DtypeError, match="whole numbers"):
        scan(batch_sizes=[2.0, 1.0])
