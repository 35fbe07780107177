"""Does training leak? Trains a small LSTM for many steps, then runs inference with recording left on, and compares memory.

    python campaigns/memory.py [--steps 10000]

Prints the resident set at the quarters of each run, then what tracemalloc counts over another quarter. Exit status 1 if the resident
set grows quarter by quarter, as three times the middle growth of three by 256 KiB (once, the allocator may take a block from the system),
or the traced bytes by 16 KiB in the second half of theirs.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

import minigrad as mg


def resident() -> int:
    """Bytes of the process that are in memory (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def training() -> Callable[[], None]:
    """One step of stateful truncated BPTT."""
    mg.manual_seed(0)
    lstm, readout = mg.nn.LSTM(4, 8), mg.nn.Linear(8, 3)
    params = [*lstm.parameters(), *readout.parameters()]
    optimizer = mg.optim.Adam(params)
    rng = np.random.default_rng(0)
    x, y = mg.tensor(rng.standard_normal((5, 2, 4)).astype(np.float32)), rng.integers(0, 3, 10)
    state = [None]

    def step() -> None:
        output, last = lstm(x, state[0])
        loss = mg.nn.cross_entropy(readout(output).reshape(-1, 3), y)
        optimizer.zero_grad()
        loss.backward()
        mg.optim.clip_grad_norm_(params, 1.0)
        optimizer.step()
        state[0] = tuple(part.detach() for part in last)

    return step


def inference() -> Callable[[], None]:
    """One step of inference that forgets no_grad: what no live tensor reaches must free itself."""
    lstm = mg.nn.LSTM(4, 8)
    x = mg.ones(5, 2, 4)
    return lambda: lstm(x)[0].sum().item()


def repeat(step: Callable[[], None], steps: int) -> None:
    """Take the steps, then empty the interpreter's free lists of tuples, which fill for some thousand steps."""
    for _ in range(steps):
        step()
    gc.collect()


def measure(step: Callable[[], None], steps: int) -> tuple[list[int], list[int]]:
    """The resident set at the quarters of a run, after one to warm up, and the traced bytes at the middle and the end of one more."""
    resident_bytes, traced_bytes = [], []
    repeat(step, steps // 4)
    for _ in range(4):
        repeat(step, steps // 4)
        resident_bytes.append(resident())
    tracemalloc.start()
    for _ in range(2):
        repeat(step, steps // 8)
        traced_bytes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return resident_bytes, traced_bytes


def main() -> int:
    """Run both, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    steps = parser.parse_args().steps
    flat = True
    for name, make in [("training", training), ("inference without no_grad", inference)]:
        resident_bytes, traced_bytes = measure(make(), steps)
        print(f"{name}, {steps} steps")
        print("  resident, MiB: " + ", ".join(f"{value / 2**20:.2f}" for value in resident_bytes))
        print("  traced, bytes: " + ", ".join(map(str, traced_bytes)))
        quarters = [after - before for before, after in pairwise(resident_bytes)]
        grown = 3 * int(statistics.median(quarters)), traced_bytes[1] - traced_bytes[0]
        flat &= grown[0] < 2**18 and grown[1] < 2**14
        print(f"  grown: resident {grown[0]} bytes, traced {grown[1]} bytes")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
