"""What this machine can do: NumPy's float32 product of two square matrices, in this process or in one of its own on one core."""

from __future__ import annotations

import subprocess
import sys

import _rivals  # before all that counts cores
import numpy as np

SIDE = 1024  # the unit of all GEMM rates: a product of two matrices of SIDE x SIDE


def sgemm() -> _rivals.Run:
    """NumPy's float32 product of two square matrices: what this machine can do, in the same rounds."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((SIDE, SIDE)).astype(np.float32) for _ in range(2))
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


def sgemm_rate(timing: _rivals.Timing) -> float:
    """GF/s of `sgemm`."""
    return 2 * SIDE**3 / timing.seconds / 1e9


class OneCore:
    """`sgemm` in a process of its own that is held to one core and runs when told to."""

    def __init__(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, __file__, "--threads", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self) -> None:
        """One product."""
        assert self.child.stdin is not None and self.child.stdout is not None
        print("go", file=self.child.stdin, flush=True)
        self.child.stdout.readline()


def serve() -> None:
    """The other end of OneCore."""
    run = sgemm()
    for _ in sys.stdin:
        run()
        print("done", flush=True)


if __name__ == "__main__":
    serve()
