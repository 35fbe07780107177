"""Does training leak? Trains a small LSTM for many steps, then runs inference with recording left on, and compares memory.

    python campaigns/memory.py [--steps 10000]

Prints the resident set and what tracemalloc counts at quarters of each run; exit status 1 if the resident set grows by 256 KiB in the
second quarter, or the traced bytes by 16 KiB in the last.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tracemalloc
from collections.abc import Callable
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


def measure(step: Callable[[], None], steps: int) -> list[tuple[int, int]]:
    """(resident set, traced bytes) at the quarters of a run. The first quarter warms up; only the last two are traced."""
    found = []
    for quarter in range(4):
        for _ in range(steps // 4):
            step()
        if quarter == 1:
            tracemalloc.start()
            step()
            gc.collect()
        gc.collect()  # empties the interpreter's free lists of tuples, which fill for some thousand steps
        found.append((resident(), tracemalloc.get_traced_memory()[0]))
    tracemalloc.stop()
    return found


def main() -> int:
    """Run both, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    steps = parser.parse_args().steps
    flat = True
    for name, make in [("training", training), ("inference without no_grad", inference)]:
        found = measure(make(), steps)
        print(f"{name}, {steps} steps")
        for quarter, (rss, traced) in enumerate(found, 1):
            print(f"  after {quarter}/4: resident {rss / 2**20:8.2f} MiB, traced {traced:8d} bytes")
        # tracing itself takes memory when it starts, so the resident set is compared before it, the traced bytes after
        grown = found[1][0] - found[0][0], found[3][1] - found[2][1]
        flat &= grown[0] < 2**18 and grown[1] < 2**14
        print(f"  grown: resident {grown[0]} bytes, traced {grown[1]} bytes")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
