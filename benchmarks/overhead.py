"""What the tape costs: h = tanh(h*w + b) on 4x4 float32, forward and backward, against PyTorch, HIPS autograd and NumPy.

    pip install -e .[bench] torch        (torch and autograd are optional: what is missing is left out)
    python benchmarks/overhead.py

All run in one process held to one core, in interleaved rounds; medians are printed, in microseconds an operation. The bounds (exit
status 1 if one fails): at most 4 times a NumPy ufunc, at least 3.5 times below PyTorch, at least 10 times below autograd.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402

import minigrad as mg  # noqa: E402

STEPS = 1000
RNG = np.random.default_rng(0)
H, W, B, ROW, SEED = (RNG.standard_normal(shape).astype(np.float32) * 0.3 for shape in ((4, 4), (4, 4), (4, 4), (4,), (4, 4)))


def with_minigrad(bias: np.ndarray, product: bool) -> Callable[[], None]:
    """The chain on minigrad."""

    def run() -> None:
        h, w, b = mg.tensor(H), mg.tensor(W, requires_grad=True), mg.tensor(bias, requires_grad=True)
        for _ in range(STEPS):
            h = mg.tanh(h @ w + b) if product else mg.tanh(h * w + b)
        h.backward(SEED)

    return run


def with_torch(bias: np.ndarray, product: bool) -> Callable[[], None]:
    """The chain on PyTorch."""
    import torch

    torch.set_num_threads(1)

    def run() -> None:
        h, w, b = torch.tensor(H), torch.tensor(W, requires_grad=True), torch.tensor(bias, requires_grad=True)
        for _ in range(STEPS):
            h = torch.tanh(h @ w + b) if product else torch.tanh(h * w + b)
        h.backward(torch.tensor(SEED))

    return run


def with_autograd(bias: np.ndarray, product: bool) -> Callable[[], None]:
    """The chain on HIPS autograd."""
    import autograd
    import autograd.numpy as anp

    def value(w: np.ndarray, b: np.ndarray) -> np.ndarray:
        h = H
        for _ in range(STEPS):
            h = anp.tanh(anp.dot(h, w) + b) if product else anp.tanh(h * w + b)
        return anp.sum(h * SEED)

    gradient = autograd.grad(value, (0, 1))
    return lambda: gradient(W, bias)


def with_numpy(bias: np.ndarray, product: bool) -> Callable[[], None]:
    """As many lone ufunc calls as the chain has operations: the unit."""

    def run() -> None:
        for _ in range(3 * STEPS):
            np.multiply(H, W)

    return run


class Uncompiled:
    """The engine without its compiled modules, in a process of its own that runs a round when told to."""

    def __init__(self, bias: str, product: bool) -> None:
        command = [sys.executable, __file__, "--serve", bias] + (["--product"] if product else [])
        self.child = subprocess.Popen(
            command, env={**os.environ, "MINIGRAD_PURE": "1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self) -> None:
        """One round."""
        assert self.child.stdin is not None and self.child.stdout is not None
        print("go", file=self.child.stdin, flush=True)
        self.child.stdout.readline()


def serve(bias: np.ndarray, product: bool) -> None:
    """The other end of Uncompiled."""
    run = with_minigrad(bias, product)
    for _ in sys.stdin:
        run()
        print("done", flush=True)


def contenders(bias: np.ndarray, product: bool) -> dict[str, Callable[[], None]]:
    """Who takes part, as far as it is installed."""
    runs = {}
    for name, make in {"numpy ufunc": with_numpy, "minigrad": with_minigrad, "pytorch": with_torch, "autograd": with_autograd}.items():
        try:
            runs[name] = make(bias, product)
        except ImportError:
            print(f"({name} is not installed: left out)")
    runs["minigrad, uncompiled"] = Uncompiled("row" if bias.ndim == 1 else "full", product)
    return runs


def measure(runs: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median microseconds an operation, rounds of three runs each, interleaved."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            for _ in range(3):
                start = time.perf_counter()
                run()
                times[name].append((time.perf_counter() - start) / (3 * STEPS) * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> int:
    """Measure, print, compare with the bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--serve", choices=["row", "full"], help=argparse.SUPPRESS)
    parser.add_argument("--product", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(ROW if options.serve == "row" else B, options.product)
        return 0
    mg.show_config()
    results = {}
    for title, bias, product in [("h*w + b", B, False), ("h*w + b, b of shape (4,)", ROW, False), ("h @ w + b", B, True)]:
        print(f"\nh = tanh({title}), 4x4 float32, {3 * STEPS} operations, forward + backward, microseconds an operation")
        results[title] = measure(contenders(bias, product), options.rounds)
        for name, value in results[title].items():
            print(f"  {name:22s} {value:8.3f}   {value / results[title]['minigrad']:6.2f} x minigrad")
    main_run = results["h*w + b"]
    ours = main_run["minigrad"]
    checks = [("minigrad / NumPy ufunc, at most 4", ours / main_run["numpy ufunc"], "<=", 4.0)]
    if "pytorch" in main_run:
        checks.append(("PyTorch / minigrad, at least 3.5", main_run["pytorch"] / ours, ">=", 3.5))
    if "autograd" in main_run:
        checks.append(("autograd / minigrad, at least 10", main_run["autograd"] / ours, ">=", 10.0))
    print()
    held = True
    for label, ratio, sense, bound in checks:
        ok = ratio <= bound if sense == "<=" else ratio >= bound
        held &= ok
        print(f"{'ok  ' if ok else 'FAIL'} {label}: {ratio:.2f}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
