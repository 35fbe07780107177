"""Padded batches through recurrent layers, against each of their sequences alone: the same bits, whatever the padding holds?

A batch is drawn: a cell with options (those of tests/plain_recurrent.py), 1 to 3 layers, one direction or both, a merge, lengths (zeros and
repeats among them) or a mask with holes, padding of NaN, infinity or large numbers, a dtype, and what is asked for: all outputs, the last
ones, or all states too. It runs once padded and then sequence by sequence, without any padding. Outputs, states and the gradients of x
and of the first states must have the same bits, the cotangents of the padding being NaN; gradients of weights must be the sum of those of
the sequences, to 1e-6 in float32 and 1e-12 in float64 of the sum of their sizes. The padded run is done again with another number of
threads, and must have the same bits in everything.

    python campaigns/padding.py                        # 500 batches
    python campaigns/padding.py --batches 1 --seed 77  # one of them again; batch k of --seed S is batch 0 of --seed S+k
    python campaigns/padding.py --only own             # of the cells with this in their name

It ends with status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import threads

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from plain_recurrent import all_variants

VARIANTS = all_variants()
BOUNDS = {"float32": 1e-6, "float64": 1e-12}
FILLINGS = {"NaN": np.nan, "infinity": np.inf, "large": 1e30}


@dataclass(frozen=True)
class Batch:
    """What was drawn for a padded batch."""

    seed: int
    label: str
    layers: int
    both: bool
    merge: str | None
    residual: bool
    batch_first: bool
    dtype: str
    asked: str  # "outputs", "edge" (return_sequences=False) or "states"
    pattern: str  # "lengths", "mask of lengths", "holes" or "nothing"
    filling: str
    sizes: tuple[int, int, int, int]  # T, B, input, hidden

    def mask(self) -> Any:
        """(T, B): which steps count."""
        rng, (T, B, _, _) = np.random.default_rng([self.seed, 1]), self.sizes
        if self.pattern == "holes":
            return rng.random((T, B)) < rng.random(B)
        lengths = rng.integers(0, T + 1, B) if self.pattern != "nothing" else np.zeros(B, int)
        return np.arange(T)[:, None] < lengths

    def layer(self) -> Any:
        """The layer, with weights by the seed."""
        mg.manual_seed(self.seed)
        return VARIANTS[self.label].layer(
            *self.sizes[2:],
            self.layers,
            bidirectional=self.both,
            merge=self.merge,
            residual=self.residual,
            batch_first=self.batch_first,
            return_sequences=self.asked != "edge",
            dtype=self.dtype,
        )


def batch_of(seed: int, only: str = "", label: str | None = None) -> Batch:
    """The batch of a seed; of a cell with `only` in its name, or of this one."""
    draw = random.Random(seed)
    label = label or draw.choice([name for name in VARIANTS if only in name])
    hidden = draw.choice([4, 5, 7, 8, 13, 32])
    return Batch(
        seed,
        label,
        layers=draw.randint(1, 3),
        both=draw.random() < 0.5,
        merge=draw.choice(["concat", "sum", "mul", "ave", None]),
        residual=draw.random() < 0.2,
        batch_first=draw.random() < 0.3,
        dtype=draw.choice(["float32", "float64"]),
        asked=draw.choice(["outputs", "outputs", "edge", "states"]),
        pattern=draw.choice(["lengths", "lengths", "mask of lengths", "holes", "holes", "holes"] if seed % 50 else ["nothing"]),
        filling=draw.choice(sorted(FILLINGS)),
        sizes=(draw.randint(1, 12), draw.choice([1, 2, 3, 5, 7, 9, 20]), draw.randint(1, 5), hidden),
    )


@dataclass
class Run:
    """What a call of a layer gave: arrays over time and batch, arrays of states, and gradients of weights."""

    over_time: dict[str, Any]  # (T, B, n)
    by_sequence: dict[str, Any]  # (.., B, n)
    weights: dict[str, Any]


def tensors(value: Any) -> tuple[Any, ...]:
    """One, or some, as some."""
    return value if isinstance(value, tuple) else (value,)


def slope(leaf: Any) -> Any:
    """The gradient of a leaf; zeros if none came."""
    return np.zeros(leaf.shape, leaf.dtype) if leaf.grad is None else leaf.grad.numpy().copy()


def played(batch: Batch, layer: Any, x: Any, states: list[Any], seeds: list[Any], **how: Any) -> Run:
    """A layer over x (T, B, n), forward and backward; `seeds` are cotangents of all that it gives, time first."""
    layer.zero_grad()
    leaf, first = mg.tensor(x, requires_grad=True), [mg.tensor(state, requires_grad=True) for state in states]
    given = leaf.swapaxes(0, 1) if batch.batch_first else leaf
    outputs, last, *every = layer(given, first[0] if len(first) == 1 else tuple(first), all_states=batch.asked == "states", **how)
    timed = [*(() if batch.asked == "edge" else tensors(outputs))]
    timed = [y.swapaxes(0, 1) for y in timed] if batch.batch_first else timed
    for group in every:
        laid = [states.swapaxes(1, 2) if batch.batch_first else states for states in tensors(group)]
        timed += [states[k] for states in laid for k in range(len(states))]
    ends = [*(tensors(outputs) if batch.asked == "edge" else ()), *tensors(last)]
    total = mg.zeros((), dtype=batch.dtype)
    for value, seed in zip([*timed, *ends], seeds, strict=True):
        total = total + (value * mg.tensor(seed)).sum()
    if total.requires_grad:
        total.backward()
    over_time = {f"output {k}": y.numpy() for k, y in enumerate(timed)} | {"gradient of x": slope(leaf)}
    by_sequence = {f"end {k}": end.numpy() for k, end in enumerate(ends)}
    by_sequence |= {f"gradient of first state {k}": slope(state) for k, state in enumerate(first)}
    return Run(over_time, by_sequence, {name: slope(weight) for name, weight in layer.named_parameters()})


def shapes_given(batch: Batch, layer: Any) -> tuple[list[int], list[tuple[int, ...]]]:
    """The widths of what comes out at all times, and the shapes, with B last but one, of what comes out at the end."""
    width, count = layer.widths()[0], batch.layers * (1 + batch.both)
    outputs = [width] * 2 if batch.both and batch.merge is None else [width * (2 if batch.both and batch.merge == "concat" else 1)]
    every = [n for n in layer.widths() for _ in range(count)] if batch.asked == "states" else []
    B = batch.sizes[1]
    edges = [(B, n) for n in outputs] if batch.asked == "edge" else []
    return ([] if edges else outputs) + every, [*edges, *[(count, B, n) for n in layer.widths()]]


def same(name: str, a: Any, b: Any) -> bool:
    """The same shape and the same bits; but a zero among gradients may have lost its minus, where it was added to another zero."""
    if name.startswith("gradient"):
        a, b = a + 0.0, b + 0.0
    return bool(a.shape == b.shape and a.tobytes() == b.tobytes())


@dataclass
class Tally:
    """What came of some batches."""

    batches: int = 0
    sequences: int = 0
    arrays: int = 0  # compared in bits
    worst: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BOUNDS, 0.0))
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def compare(batch: Batch, tally: Tally) -> None:
    """Run a batch padded, with two numbers of threads, and each sequence alone."""
    layer, mask = batch.layer(), batch.mask()
    T, B, features, _ = batch.sizes
    rng = np.random.default_rng([batch.seed, 2])

    def draw(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(batch.dtype)

    x = draw(T, B, features)
    x[~mask] = FILLINGS[batch.filling]
    states = [draw(batch.layers * (1 + batch.both), B, n) for n in layer.widths()]
    widths, ends = shapes_given(batch, layer)
    over_time = [draw(T, B, n) for n in widths]
    at_end = [draw(*shape) for shape in ends]
    for seed in over_time:
        seed[~mask] = np.nan
    how = {"lengths": mask.sum(axis=0)} if batch.pattern == "lengths" else {"mask": mask.T if batch.batch_first else mask}
    wrong: list[str] = []
    got = together(batch, layer, (x, states, [*over_time, *at_end], how), wrong, tally)
    if mask.any() and not mg.scan_report().compiled:
        wrong.append(str(mg.scan_report()))
    sums = {name: (np.zeros(g.shape), np.zeros(g.shape)) for name, g in got.weights.items()}
    for b in range(B):
        at, valid = slice(b, b + 1), mask[:, b]
        tally.sequences += 1
        if any(array[~valid, b].any() for array in got.over_time.values()):
            wrong.append(f"sequence {b}: not zero where nothing counts")
        if not valid.any():
            unmoved(batch, b, got, states, at_end, wrong)
            continue
        seeds = [*[seed[valid, at] for seed in over_time], *[seed[..., at, :] for seed in at_end]]
        alone = played(batch, layer, x[valid, at], [state[:, at] for state in states], seeds)
        for name, array in alone.over_time.items():
            wrong += [] if same(name, got.over_time[name][valid, at], array) else [f"sequence {b}: {name}"]
        for name, array in alone.by_sequence.items():
            wrong += [] if same(name, got.by_sequence[name][..., at, :], array) else [f"sequence {b}: {name}"]
        tally.arrays += len(alone.over_time) + len(alone.by_sequence)
        for name, g in alone.weights.items():
            sums[name] = sums[name][0] + g, sums[name][1] + np.abs(g)
    for name, (want, size) in sums.items():
        error = float(np.abs(got.weights[name] - want).max() / max(1.0, size.max()))
        tally.worst[batch.dtype] = max(tally.worst[batch.dtype], error)
        wrong += [] if error <= BOUNDS[batch.dtype] else [f"gradient of {name}: {error:.2g}"]
    tally.batches += 1
    tally.counts.update([batch.label, batch.pattern, batch.filling, batch.dtype, batch.asked, f"{batch.layers} layers"])
    tally.counts.update(["both directions" if batch.both else "one direction"])
    if wrong:
        tally.failures.append(f"{batch}: {'; '.join(wrong)}")


def together(batch: Batch, layer: Any, given: tuple[Any, ...], wrong: list[str], tally: Tally) -> Run:
    """The padded run, with one thread and with two, however little there is to do: the same bits."""
    x, states, seeds, how = given
    runs, before = [], (mg.get_num_threads(), threads.WORTH)
    try:
        threads.WORTH = 1.0
        for count in (1, 2):
            mg.set_num_threads(count)
            runs.append(played(batch, layer, x, states, seeds, **how))
    finally:
        mg.set_num_threads(before[0])
        threads.WORTH = before[1]
    one, two = ({**run.over_time, **run.by_sequence, **run.weights} for run in runs)
    wrong += [f"{name}: other bits with two threads" for name in one if not same(name, one[name], two[name])]
    tally.arrays += len(one)
    return runs[0]


def unmoved(batch: Batch, b: int, got: Run, states: list[Any], at_end: list[Any], wrong: list[str]) -> None:
    """A sequence without a step: it ends where it began, and passes the cotangent on; its last output is 0."""
    count = len(states)
    for k, state in enumerate(states):
        end, first = f"end {len(at_end) - count + k}", f"gradient of first state {k}"
        moved = not same(end, got.by_sequence[end][:, b], state[:, b])
        if moved or not same(first, got.by_sequence[first][:, b], at_end[k - count][:, b]):
            wrong.append(f"sequence {b}: no step, and another state")
    if any(got.by_sequence[f"end {k}"][b].any() for k in range(len(at_end) - count)):
        wrong.append(f"sequence {b}: no step, and an output")


def main() -> int:
    """Try as many batches as were asked for, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first batch; the next has the next")
    parser.add_argument("--only", default="", help="a part of the name of a cell")
    arguments = parser.parse_args()
    began, tally = time.perf_counter(), Tally()
    for seed in range(arguments.seed, arguments.seed + arguments.batches):
        before = len(tally.failures)
        compare(batch_of(seed, arguments.only), tally)
        for failure in tally.failures[before:]:
            print(f"DIFFERENT {failure}", flush=True)
    for name, count in tally.counts.most_common():
        print(f"  {count:5d}  {name}")
    print(f"{tally.batches} batches, {tally.sequences} sequences, {time.perf_counter() - began:.0f} s")
    print(f"{tally.arrays} arrays compared in bits; gradients of weights: {', '.join(f'{d} {e:.1e}' for d, e in tally.worst.items())}")
    print(f"different: {len(tally.failures)}")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
