"""Random recurrent cells, compiled by mg.scan and run as the loop they are: the same results and gradients, to rounding?

Each cell is a step of 5 to 40 random statements over a carry of one to three leaves, random inputs (some of whole numbers), weights and
constants, some of which require gradients; some of the results are used. Everything is float64. A difference counts unless it is under
1e-12 of the largest element, or under 100 times what a change of the inputs by one unit in the last place makes. On a part of the cells
one of the passes is off, or all are; on a tenth, gradients of gradients are compared too; on another tenth, the bits with 1 to 4 threads,
and those of a part of the batch alone.

    python campaigns/random_cells.py                               # a thousand cells
    python campaigns/random_cells.py --cells 10000 --jobs 2        # the whole campaign, on two cores
    python campaigns/random_cells.py --cells 1 --seed 1234 --show  # one of them again; cell k of --seed S is cell 0 of --seed S+k
    python campaigns/random_cells.py --cells 300 --shrink          # and the smallest cell that still fails

It ends with status 1 if any cell gives something else compiled than as a loop, or fails; from 10,000 cells on also if less than 99 % ran
compiled, if an operation or a pass occurred less than 500 times, or if 2 % or more needed the allowance.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from _cells import Cell
from _compare import Verdict, compare, unequal_bits
from _maker import cell_of
from _shrink import kind_of, shrunk

from minigrad.scan import PASSES, rows

RULES = {"tanh_grad", "sigmoid_grad", "softplus_grad", "relu_grad", "sum_to"}  # occur in gradients alone
LOOP = rows.UNARY | rows.BINARY | rows.SAME | rows.SHAPES | rows.REDUCTIONS
TRACEABLE = (LOOP - RULES - {"identity"}) | {
    *("where", "clip", "astype", "pow", "matmul", "linear", "getitem", "concatenate", "softmax", "log_softmax", "broadcast_to"),
    *("take", "stack", "transpose", "swapaxes"),  # ahead of the loop, or of constants
}
LARGE, COMPILED, OFTEN, ALLOWANCE = 10_000, 0.99, 500, 0.02
CHUNK = 50  # cells between two prints


@dataclass
class Tally:
    """What came of some cells."""

    cells: int = 0
    compiled: int = 0
    second: int = 0
    bits: int = 0
    allowed: int = 0
    mismatches: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)  # of the mismatches
    counters: dict[str, Counter[str]] = field(default_factory=dict)

    def count(self, table: str, *names: str) -> None:
        """Count these names in one of the tables."""
        self.counters.setdefault(table, Counter()).update(names)

    def add(self, other: Tally) -> None:
        """And what came of some more."""
        for name in ("cells", "compiled", "second", "bits", "allowed", "mismatches", "seeds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for table, counter in other.counters.items():
            self.counters.setdefault(table, Counter()).update(counter)


def wrong_in(cell: Cell) -> Verdict:
    """The comparison of a cell, and of the bits of every tenth that ran compiled; a cell that fails as a loop is a mismatch too."""
    verdict, what = Verdict([], False, None), "the loop itself"
    try:
        verdict = compare(cell)
        if cell.seed % 10 == 5 and not verdict.wrong and verdict.report.compiled:
            what, verdict.bits = "its bits", True
            verdict.wrong = unequal_bits(cell)
    except Exception as problem:
        verdict.wrong = [f"crash of {what}: {type(problem).__name__}: {problem}"]
    return verdict


def tried(seeds: range, show: bool = False, shrink: bool = False) -> Tally:
    """The cells of some seeds, compared."""
    tally = Tally()
    for seed in seeds:
        cell = cell_of(seed)
        if show:
            print(cell, flush=True)
        verdict = wrong_in(cell)
        tally.cells += 1
        tally.second += cell.second
        tally.bits += verdict.bits
        tally.allowed += verdict.allowed
        account(tally, cell, verdict)
        if verdict.wrong:
            tally.seeds.append(seed)
            tally.count("kinds of mismatch", kind_of(verdict.wrong))
            tally.mismatches.append(f"MISMATCH --cells 1 --seed {seed}: {'; '.join(verdict.wrong)}\n{cell}")
            if shrink:
                small = shrunk(cell, lambda cell: wrong_in(cell).wrong)
                tally.mismatches[-1] += f"\n-- smallest found: {'; '.join(wrong_in(small).wrong)}\n{small}"
    return tally


def account(tally: Tally, cell: Cell, verdict: Verdict) -> None:
    """Count what a cell was made of, and what the scan did with it."""
    tally.count("forms of statements", *[line.form for line in cell.body])
    report = verdict.report
    if report is None or not report.compiled:
        tally.count("ran as a loop", "it failed" if report is None else re.sub(r"\d+", "N", report.reason))
        return
    tally.compiled += 1
    tally.count("operations of steps", *[call.op.name for call in report.plan.trace.calls])
    if report.plan.records:
        tally.count("operations of gradients", *[call.op.name for call in (*report.plan.full.once, *report.plan.full.calls)])
    did = report.passes
    tally.count("cells in which a pass did something", *[name for name in cell.passes if did[name]])
    off = [f"{name} off" for name in PASSES if name not in cell.passes]
    tally.count("cells with passes off", {0: "all on", len(PASSES): "all off"}.get(len(off)) or off[0])
    tally.count("cells without a batch" if cell.batch is None else "cells with a batch", "backwards" if cell.reverse else "forwards")


def shortfalls(tally: Tally) -> list[str]:
    """What keeps a tally from being a proof, in words."""
    found = [f"{len(tally.seeds)} mismatches"] if tally.seeds else []
    if tally.cells < LARGE:
        return found
    if tally.compiled < COMPILED * tally.cells:
        found.append(f"{tally.compiled} of {tally.cells} cells ran compiled, less than {COMPILED:.0%}")
    if tally.allowed >= ALLOWANCE * tally.cells:
        found.append(f"{tally.allowed} of {tally.cells} cells needed the allowance, {ALLOWANCE:.0%} or more")
    for table, wanted in (
        ("operations of steps", TRACEABLE),
        ("operations of gradients", RULES),
        ("cells in which a pass did something", set(PASSES)),
    ):
        counts = tally.counters.get(table, Counter())
        found += [f"{table}: {counts[name]} times {name}, less than {OFTEN}" for name in sorted(wanted) if counts[name] < OFTEN]
    return found


def summary(tally: Tally, seconds: float) -> str:
    """The tally as a page to read."""
    share = 100 / max(1, tally.cells)
    lines = [
        f"{tally.cells} cells, {seconds:.0f} s; gradients of gradients of {tally.second}, bits of {tally.bits}",
        f"compiled: {tally.compiled} ({tally.compiled * share:.2f} %)",
        f"needed the allowance: {tally.allowed} ({tally.allowed * share:.2f} %)",
    ]
    for table, counter in sorted(tally.counters.items()):
        lines.append(f"{table}:")
        lines += [f"  {count:7d}  {name}" for name, count in counter.most_common()]
    seeds = f" of seeds {', '.join(map(str, tally.seeds[:20]))}" if tally.seeds else ""
    return "\n".join([*lines, f"mismatches: {len(tally.seeds)}{seeds}{', ...' if len(tally.seeds) > 20 else ''}"])


def part(job: tuple[range, bool, bool]) -> Tally:
    """`tried` of one argument, for a pool."""
    return tried(*job)


def tallies(jobs: list[tuple[range, bool, bool]], count: int) -> Iterator[Tally]:
    """The tallies of ranges of seeds, in so many processes."""
    if count == 1:
        yield from map(part, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        yield from pool.imap(part, jobs)


def main() -> int:
    """Try as many cells as were asked for, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first cell; the next has the next")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the cells")
    parser.add_argument("--show", action="store_true", help="print every cell")
    parser.add_argument("--shrink", action="store_true", help="look for a smaller cell that fails in the same way")
    arguments = parser.parse_args()
    began, total = time.perf_counter(), Tally()
    seeds = range(arguments.seed, arguments.seed + arguments.cells)
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    for tally in tallies([(chunk, arguments.show, arguments.shrink) for chunk in chunks], arguments.jobs):
        for mismatch in tally.mismatches:
            print(mismatch, flush=True)
        total.add(tally)
    print(summary(total, time.perf_counter() - began))
    problems = shortfalls(total)
    print("\n".join([f"not enough: {problem}" for problem in problems] or ["all is well"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
