"""Training steps of a large table of which few rows are used: a gradient of rows beside a dense one.

    python benchmarks/embedding.py [--rows 100000] [--columns 64] [--used 512] [--steps 400]

For each optimiser: milliseconds of a step (lookup, backward, clipping and update; median, both sides in turn), and the most memory that
a step has taken beyond table and state. The sparse side is timed after as many steps as it takes until rows come back as late as they do
in a long run. At the end: how far apart the two tables are after all these steps.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc

import numpy as np

import minigrad as mg
from minigrad import nn, optim

KINDS = {
    "SGD": lambda params: optim.SGD(params, lr=0.1),
    "SGD, momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
    "Adagrad": lambda params: optim.Adagrad(params),
    "RMSprop": lambda params: optim.RMSprop(params),
    "Adam": lambda params: optim.Adam(params),
    "AdamW": lambda params: optim.AdamW(params),
}


class Side:
    """One table, its optimiser, and what they have cost."""

    def __init__(self, kind, rows, columns, start, sparse):
        self.layer = nn.Embedding(rows, columns, sparse=sparse)
        self.layer.weight.assign_(start)
        self.optimizer = KINDS[kind]([self.layer.weight])
        self.times = []

    def step(self, places, target):
        """One step of training, timed."""
        begin = time.perf_counter()
        self.optimizer.zero_grad()
        nn.mse_loss(self.layer(places), target).backward()
        self.optimizer.step(max_norm=1.0)
        self.times.append(time.perf_counter() - begin)

    def memory(self, places, target):
        """Bytes that a step takes beyond what is there before it."""
        tracemalloc.start()
        self.step(places, target)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak


def compare(kind, rows, columns, used, steps):
    """Milliseconds and bytes of both sides, and the distance between their tables."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal((rows, columns)).astype("float32")
    dense, sparse = (Side(kind, rows, columns, start, sparse) for sparse in (False, True))
    for step in range(steps):
        places, target = rng.integers(0, rows, used), mg.tensor(rng.standard_normal((used, columns)).astype("float32"))
        for side in (dense, sparse) if step % 2 else (sparse, dense):
            side.step(places, target)
    bytes_dense, bytes_sparse = dense.memory(places, target), sparse.memory(places, target)
    times = [float(np.median(side.times[-steps // 4 :])) for side in (dense, sparse)]
    apart = np.abs(dense.layer.weight.numpy() - sparse.layer.weight.numpy()).max()
    return times, (bytes_dense, bytes_sparse), apart


def main():
    """Print a line for each optimiser."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name, default in {"rows": 100_000, "columns": 64, "used": 512, "steps": 400}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", choices=KINDS)
    given = parser.parse_args()
    print(f"table {given.rows:,} x {given.columns} ({given.rows * given.columns * 4 / 1e6:.1f} MB), {given.used} rows a step")
    print(f"{'':15s} {'ms dense':>9s} {'rows':>7s} {'ratio':>6s}   {'MB dense':>9s} {'rows':>7s} {'ratio':>6s}   apart")
    for kind in [given.only] if given.only else KINDS:
        (slow, fast), (many, few), apart = compare(kind, given.rows, given.columns, given.used, given.steps)
        print(
            f"{kind:15s} {slow * 1e3:9.2f} {fast * 1e3:7.2f} {slow / fast:6.1f}   {many / 1e6:9.1f} {few / 1e6:7.2f} {many / few:6.0f}   "
            f"{apart:.1e}"
        )


if __name__ == "__main__":
    main()
