"""What `import minigrad` costs beyond numpy: the median of interleaved fresh processes. Exit status 1 from 60 ms on."""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 11


def seconds(module: str) -> float:
    """How long a fresh interpreter takes to import `module` and what it needs."""
    code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main() -> int:
    """Measure and compare with the bound."""
    times = [(seconds("numpy"), seconds("minigrad")) for _ in range(ROUNDS)]
    numpy, ours = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
    print(f"import numpy {numpy:.0f} ms, import minigrad {ours:.0f} ms: {ours - numpy:.0f} ms beyond numpy (bound 60)")
    return 0 if ours - numpy < 60 else 1


if __name__ == "__main__":
    sys.exit(main())
