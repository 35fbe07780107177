"""Every operation, its value and its first and second derivatives in float64, against PyTorch, or HIPS autograd where PyTorch lacks it.

The samples are those of the tests (tests/samples), each as it stands, and then again and again with its numbers shuffled and scaled, in
another layout and with other cotangents, until there are enough of them. No sample is left out: those at the ends of the range are
compared by value, all others with both derivatives too, by every argument and by the cotangent, whose numbers are random and of either
sign. Errors are |a - b| / max(1, |b|), by element for values, with the largest |b| of an array for derivatives.

    python campaigns/ops.py                           # a hundred samples and more of each operation
    python campaigns/ops.py --samples 1000 --seed 7   # more of them, others
    python campaigns/ops.py --only gelu norm          # some operations
    python campaigns/ops.py --oracle autograd         # without PyTorch

It ends with status 1 if any error is above 1e-10. What an oracle cannot say is under EXCEPTIONS and NO_SECOND
with the reason, and counted.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from oracles import CALLS, F64, both_orders, by_autograd, by_torch, differentiable, error, in_torch, value_of
from references import REFERENCES, TORCH
from samples import LAYOUTS, SAMPLES, Sample

LIMIT = 1e-10

# Operation -> what the oracle gives at the ends of the range where we give something else, and why. The elements are counted.
EXCEPTIONS: dict[str, tuple[float, str]] = {
    "log_softmax": (
        np.nan,
        "a row of -inf has PyTorch's NaN as its softmax; ours has zeros, so that a sequence that is all padding is none",
    ),
    "softmax": (np.nan, "a row of -inf has PyTorch's NaN as its softmax; ours has zeros, so that a sequence that is all padding is none"),
    "norm": (np.inf, "PyTorch's norm of numbers above 1e154 overflows; ours does not"),
    "softplus_grad": (np.inf, "PyTorch multiplies dy by e^x before it divides, and overflows for dy near 1e308; ours does not"),
    "sign": (0.0, "PyTorch's sign of NaN is 0; ours is NaN, as NumPy's"),
}
# At kinks HIPS autograd's second derivative on our reference follows no convention.
NO_SECOND = {"pow": "the second derivatives of a power at 0 are infinite or follow a convention that the reference does not know"}


@dataclasses.dataclass
class Tally:
    """What came of the samples of one operation."""

    name: str
    oracle: str
    samples: int = 0
    derived: int = 0  # of these, with derivatives
    worst: dict[str, float] = dataclasses.field(default_factory=lambda: {"value": 0.0, "first": 0.0, "second": 0.0})
    failures: list[str] = dataclasses.field(default_factory=list)
    excepted: Counter[str] = dataclasses.field(default_factory=Counter)

    def note(self, what: str, found: float, sample: Sample) -> None:
        """One comparison."""
        self.worst[what] = max(self.worst[what], found)
        if not found <= LIMIT:
            self.failures.append(f"{self.name}, {what}: error {found:.3g} for {sample}")

    def agreed(self, got: Any, want: Any, sample: Sample) -> Any:
        """`want` with ours in the places of EXCEPTIONS."""
        if self.oracle == "autograd" or sample.kind != "extreme" or self.name not in EXCEPTIONS:
            return want
        theirs, reason = EXCEPTIONS[self.name]
        places = ((want != want) if np.isnan(theirs) else np.abs(want) == theirs) & ~((got == want) | ((got != got) & (want != want)))
        self.excepted[f"elements: {reason}"] += int(np.sum(places))
        return np.where(places, got, want)


def varied(sample: Sample, rng: np.random.Generator, layout: str) -> Sample:
    """The same call with other numbers: shuffled, arrays of one size alike so that ties stay ties, and scaled where nothing is special."""
    scale = rng.uniform(0.8, 1.0) if sample.kind == "smooth" else 1.0  # downwards: some are probabilities
    orders: dict[int, Any] = {}
    args = []
    for arg in sample.args:
        if isinstance(arg, np.ndarray) and arg.dtype.kind == "f":
            order = orders.setdefault(arg.size, rng.permutation(arg.size))
            arg = (scale * arg.ravel()[order]).reshape(arg.shape)
        args.append(arg)
    kind = "kink" if sample.kind == "smooth" and layout == "zero stride" else sample.kind  # rows that are equal
    return dataclasses.replace(sample, args=tuple(args), kind=kind, layout=layout)


def samples_of(name: str, count: int, seed: int, turn: int = 0) -> Iterator[tuple[int, Sample]]:
    """At least `count` samples (with derivatives, if the operation has any), each with its turn: turn 0 has them as they stand."""
    rng = np.random.default_rng([seed, *name.encode()])
    layouts = list(LAYOUTS)
    found = 0
    derives = any(differentiable(name, sample) for sample in SAMPLES[name])
    while found < count:
        for number, sample in enumerate(SAMPLES[name]):
            yield turn, varied(sample, rng, layouts[(number + turn) % len(layouts)]) if turn else sample
            found += not derives or (sample.kind != "extreme" and bool(differentiable(name, sample)))
        turn += 1


def by_element(got: Any, want: Any) -> float:
    """The largest |a - b| / max(1, |b|); infinite where one is NaN or infinite and the other is not the same, or shapes differ."""
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        return np.inf
    with np.errstate(all="ignore"):
        apart = np.abs(got.astype(float) - want.astype(float)) / np.maximum(1.0, np.abs(want.astype(float)))
    same = (got == want) | ((got != got) & (want != want))
    return float(np.max(np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart)), initial=0.0))


def overall(got: Any, want: Any, kink: bool) -> float:
    """`error`, infinite where it refuses; at kinks, where PyTorch has NaN as a second derivative, ours need only be finite."""
    if kink and np.isfinite(got).all():
        want = np.where(np.isnan(want), got, want)
    try:
        return error(got, want)
    except AssertionError:
        return np.inf


def tried(name: str, count: int = 100, seed: int = 0, torch: Any = None, start: int = 0) -> Tally:
    """The samples of one operation, through minigrad and through the oracle: PyTorch if it is given and has the operation."""
    torch = torch if name in TORCH else None
    tally = Tally(name, "PyTorch" if torch is not None else "autograd")
    for turn, sample in samples_of(name, count, seed, start):
        tally.samples += 1
        if torch is not None or sample.kind != "extreme":
            got = CALLS[name](*sample.tensors(F64), **sample.settings).numpy()
            if torch is not None:
                want = in_torch(torch, name, sample)[1].numpy(force=True)
            else:
                want = REFERENCES[name](*sample.arrays(F64), **sample.settings)
            tally.note("value", by_element(got, tally.agreed(got, want, sample)), sample)
        else:
            tally.excepted["samples at the ends of the range, where the reference in plain NumPy overflows"] += 1
        if sample.kind == "extreme" or not differentiable(name, sample):
            continue
        tally.derived += 1
        first, second, leaves = both_orders(name, sample, [F64], turn)
        want_first, want_second = by_torch(torch, name, sample, turn) if torch is not None else by_autograd(name, sample, turn)
        for g, w, leaf in zip(first, want_first, leaves, strict=False):
            tally.note("first", overall(value_of(g, leaf), w, False), sample)
        if torch is None and sample.kind == "kink" and name in NO_SECOND:
            tally.excepted[f"second derivatives: {NO_SECOND[name]}"] += 1
            continue
        for g, w, leaf in zip(second, want_second, leaves, strict=True):
            tally.note("second", overall(value_of(g, leaf), w, sample.kind == "kink"), sample)
    return tally


def main() -> int:
    """Runs the campaign, prints a line an operation and the totals."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--samples", type=int, default=100, help="of each operation, at least")
    parser.add_argument("--seed", type=int, default=0, help="of what is shuffled and scaled")
    parser.add_argument("--only", nargs="*", default=sorted(CALLS), help="names of operations", metavar="NAME")
    parser.add_argument("--oracle", choices=("torch", "autograd"), default="torch")
    arguments = parser.parse_args()
    torch = None
    if arguments.oracle == "torch":
        import torch
    warnings.simplefilter("ignore")
    began, tallies = time.perf_counter(), []
    print(f"{'operation':24s} {'oracle':9s} samples  derived   value   first  second")
    for name in arguments.only:
        tally = tried(name, arguments.samples, arguments.seed, torch)
        tallies.append(tally)
        errors = (
            " ".join(f"{tally.worst[what]:7.1e}" for what in ("value", "first", "second"))
            if tally.derived
            else f"{tally.worst['value']:7.1e}"
        )
        print(f"{name:24s} {tally.oracle:9s} {tally.samples:7d}  {tally.derived:7d} {errors}", flush=True)
        for failure in tally.failures[:5]:
            print(f"  {failure}")
    excepted: Counter[str] = sum((tally.excepted for tally in tallies), Counter())
    for reason, number in sorted(excepted.items()):
        print(f"not compared, {number}: {reason}")
    total = sum(tally.samples for tally in tallies)
    largest = max(max(tally.worst.values()) for tally in tallies)
    asked = sum(tally.oracle == "PyTorch" for tally in tallies)
    print(
        f"{len(tallies)} operations ({asked} against PyTorch, {len(tallies) - asked} against autograd), {total} samples, "
        f"{sum(tally.derived for tally in tallies)} with derivatives: largest error {largest:.1e}, "
        f"{sum(len(tally.failures) for tally in tallies)} failures, {time.perf_counter() - began:.0f} s"
    )
    return int(any(tally.failures for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
