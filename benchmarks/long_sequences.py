"""A training step over a long sequence, with everything remembered (memory="full") and with the state at a few times (memory="sqrt").

    python benchmarks/long_sequences.py                    (T, B, H) = (10000, 8, 128), LSTM and GRU, one core
    python benchmarks/long_sequences.py --memory 20        20 stored states in place of the root of T
    python benchmarks/long_sequences.py --check            exit status 1 if a bound fails, which is then listed

Memory is the highest resident size of a fresh process after one step (forward, and backward to every weight from a given cotangent), minus
what it was before the layer was called and minus the output that the call returns. By then a short sequence has gone through the same
layer, so imports and working memory are there. Times are medians of rounds by turns in one process. MB are 2^20 bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MINIGRAD_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
from memory import MB, peak  # noqa: E402

import minigrad as mg  # noqa: E402
from minigrad import nn  # noqa: E402

STEPS, BATCH, WIDTH = 10_000, 8, 128
SHARE, LONGER = 0.1, 1.6  # of the memory; of the time
LAYERS = {"LSTM": nn.LSTM, "GRU": nn.GRU}


def make(kind: str, memory: str | int, steps: int) -> tuple[nn.Module, Callable[[], int]]:
    """A layer, and its training step, which gives the bytes of what the call has returned."""
    mg.manual_seed(0)
    layer = LAYERS[kind](WIDTH, WIDTH, memory=memory)
    x, cotangent = (mg.cat([mg.randn(100, BATCH, WIDTH)] * (steps // 100)) for _ in range(2))  # nothing larger than themselves for a moment

    def step() -> int:
        layer.zero_grad()
        output, _ = layer(x)
        output.backward(cotangent)
        return int(output.nbytes)

    return layer, step


def alone(kind: str, memory: str | int) -> str:
    """What a fresh process prints: MB, and a digest of the gradients."""
    make(kind, memory, 200)[1]()
    layer, step = make(kind, memory, STEPS)
    before = peak()
    returned = step()
    digest = hashlib.sha256(b"".join(parameter.grad.numpy().tobytes() for parameter in layer.parameters())).hexdigest()  # type: ignore[union-attr]
    return f"{peak() - before - returned / MB} {digest}"


def in_a_process(kind: str, memory: str | int) -> tuple[float, str]:
    """`alone` in a process of its own."""
    command = [sys.executable, __file__, "--alone", kind, "--memory", str(memory)]
    megabytes, digest = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(megabytes), digest


def times(kind: str, memory: str | int, rounds: int) -> tuple[float, float]:
    """Seconds of a step that remembers everything, and of one that does not: medians by turns."""
    runs = [make(kind, how, STEPS)[1] for how in ("full", memory)]
    found: list[list[float]] = [[], []]
    for _ in range(rounds + 1):
        for run, seconds in zip(runs, found, strict=True):
            began = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - began)
    full, less = (statistics.median(seconds[1:]) for seconds in found)
    return full, less


def main() -> int:
    """Measure, print, compare with the bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", default="sqrt", help="what is measured beside full")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound fails")
    parser.add_argument("--alone", choices=LAYERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    memory = int(options.memory) if options.memory.isdigit() else options.memory
    if options.alone:
        print(alone(options.alone, memory))
        return 0
    failed = []
    print(f"one core, (T, B, H) = ({STEPS}, {BATCH}, {WIDTH}), numpy {np.__version__}; full, memory={memory!r}, and their ratio")
    # first, while this process is small: what it forks starts with its peak
    sizes = {kind: [in_a_process(kind, how) for how in ("full", memory)] for kind in LAYERS}
    for kind, ((full, bits), (less, same)) in sizes.items():
        all_of_it, again = times(kind, memory, options.rounds)
        equal = bits == same
        print(f"{kind}: {full:.0f} and {less:.0f} MB, {less / full:.3f} (bound {SHARE}); ", end="")
        print(f"{all_of_it:.2f} and {again:.2f} s, {again / all_of_it:.2f} (bound {LONGER}); ", end="")
        print(f"gradients {'the same bits' if equal else 'DIFFER'}")
        holds = {"memory": less <= SHARE * full, "time": again <= LONGER * all_of_it, "bits": equal}
        failed += [f"{kind}: {what}" for what, good in holds.items() if not good]
    print("fails: " + (", ".join(failed) or "nothing"))
    return 1 if options.check and failed else 0


if __name__ == "__main__":
    sys.exit(main())
