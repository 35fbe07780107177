"""What `import minigrad` costs beyond numpy: the median of interleaved fresh processes. Exit status 1 from 60 ms on.

What fails is measured twice more, and the middle one of the three counts: another program can take the machine for a while.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 11
BOUND = 60  # ms


def seconds(module: str) -> float:
    """How long a fresh interpreter takes to import `module` and what it needs."""
    code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def beyond() -> float:
    """What minigrad adds to numpy, in ms."""
    times = [(seconds("numpy"), seconds("minigrad")) for _ in range(ROUNDS)]
    numpy, ours = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
    print(f"import numpy {numpy:.0f} ms, import minigrad {ours:.0f} ms: {ours - numpy:.0f} ms beyond numpy (bound {BOUND})")
    return ours - numpy


def main() -> int:
    """Measure and compare with the bound."""
    first = beyond()
    return 0 if first < BOUND or sorted([first, beyond(), beyond()])[1] < BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
