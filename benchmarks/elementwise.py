"""The elementwise and row kernels against NumPy, on contiguous operands.

    python benchmarks/elementwise.py                    # the widest instruction set of this machine
    python benchmarks/elementwise.py --avx2             # what a machine without AVX-512 would show, for both sides
    python benchmarks/elementwise.py --check            # exit status 1 if a bound fails

First table: tanh, sigmoid, exp, softplus and their gradients on 65,536 float32 against the fewest ufuncs that NumPy does them with, each
writing to memory that is there already (`out=`), where ours allocates its result; the bound is 1.5 times NumPy's speed. The gradient of
exp is a product, one ufunc, for which the bound of the second table holds. Second table: every operation that has a kernel (but the
matrix products, which benchmarks/rnn.py measures) against its NumPy body, from 1,000 to 1,000,000 elements, float32 and float64; the
bound is 0.95. Both sides run by turns in one process held to one core; a ratio is that of the medians, above 1 where ours is faster.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402

import minigrad as mg  # noqa: E402
from minigrad.arithmetic import operators  # noqa: E402
from minigrad.ops import all_ops  # noqa: E402

RNG = np.random.default_rng(0)
SIZES = [1_000, 4_000, 16_000, 65_536, 262_144, 1_000_000]
PRODUCTS = {"matmul", "linear", "outer_sum"}
CLASSES = 50  # length of a row, of operations on rows
FASTER, NOT_SLOWER = 1.5, 0.95
SHOT = 2e-4  # seconds that one shot lasts at least
Run = Callable[[], Any]


def as_avx2() -> None:
    """Start this program again, both sides held to AVX2; NumPy reads what it must not use as it is imported."""
    from numpy._core._multiarray_umath import __cpu_dispatch__

    wide = [feature for feature in __cpu_dispatch__ if feature.startswith("AVX512") or feature == "X86_V4"]
    held = {"MINIGRAD_ISA": "avx2", "NPY_DISABLE_CPU_FEATURES": " ".join(wide)}
    os.execve(sys.executable, [sys.executable, *[arg for arg in sys.argv if arg != "--avx2"]], os.environ | held)


# ---- measuring


def calls_in_a_shot(run: Run) -> int:
    """How many calls make one shot."""
    run()
    began = time.perf_counter()
    run()
    return max(1, int(SHOT / max(time.perf_counter() - began, 1e-7)))


def shot(run: Run, calls: int) -> float:
    """Seconds a call."""
    began = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - began) / calls


def ratio(ours: Run, theirs: Run, rounds: int) -> tuple[float, float]:
    """(how many times faster ours is, microseconds a call of ours), medians of shots by turns."""
    calls = [calls_in_a_shot(run) for run in (ours, theirs)]
    times: list[tuple[float, float]] = []
    for number in range(rounds):
        if number % 2:
            times.append((shot(ours, calls[0]), shot(theirs, calls[1])))
        else:
            second = shot(theirs, calls[1])
            times.append((shot(ours, calls[0]), second))
    mine, other = (statistics.median(column) for column in zip(*times, strict=True))
    return other / mine, mine * 1e6


# ---- the fewest ufuncs


def fewest(x: Any, g: Any, out: Any, y: dict[str, Any]) -> dict[str, list[Callable[[], Any]]]:
    """By name: the NumPy calls that leave the result in `out`; `y` holds the values that gradients start from."""
    tanh, sigmoid, exp = y["tanh"], y["sigmoid"], y["exp"]
    logistic = [
        lambda: np.negative(x, out=out),
        lambda: np.exp(out, out=out),
        lambda: np.add(out, 1, out=out),
        lambda: np.reciprocal(out, out=out),
    ]
    return {
        "tanh": [lambda: np.tanh(x, out=out)],
        "sigmoid": logistic,
        "exp": [lambda: np.exp(x, out=out)],
        "softplus": [lambda: np.logaddexp(x, 0, out=out)],
        "tanh_grad": [
            lambda: np.multiply(tanh, tanh, out=out),
            lambda: np.subtract(1, out, out=out),
            lambda: np.multiply(g, out, out=out),
        ],
        "sigmoid_grad": [
            lambda: np.subtract(1, sigmoid, out=out),
            lambda: np.multiply(sigmoid, out, out=out),
            lambda: np.multiply(g, out, out=out),
        ],
        "mul": [lambda: np.multiply(g, exp, out=out)],
        "softplus_grad": [*logistic, lambda: np.multiply(g, out, out=out)],
    }


def first_table(rounds: int) -> bool:
    """Print it; whether the bounds hold."""
    n = 65_536
    x, g = RNG.normal(size=(2, n)).astype(np.float32) * 3
    out = np.empty_like(x)
    kernels = {name: all_ops()[name].kernel for name in ("tanh", "sigmoid", "exp", "softplus")}
    y = {name: kernel(x) for name, kernel in kernels.items()}
    seconds = {"tanh_grad": y["tanh"], "sigmoid_grad": y["sigmoid"], "mul": y["exp"], "softplus_grad": x}
    held = True
    print(f"{n} float32 against the fewest ufuncs with out=      ns an element   times NumPy's speed")
    for name, ufuncs in fewest(x, g, out, y).items():
        kernel = all_ops()[name].kernel
        arguments = (x,) if name in kernels else (g, seconds[name])

        def theirs(ufuncs: list[Run] = ufuncs) -> None:
            for ufunc in ufuncs:
                ufunc()

        times, microseconds = ratio(lambda k=kernel, a=arguments: k(*a), theirs, rounds)  # type: ignore[misc]
        bound = NOT_SLOWER if name == "mul" else FASTER
        held &= times >= bound
        title = "exp_grad (mul)" if name == "mul" else name
        print(f"  {title:16s} ({len(ufuncs)} ufuncs) {microseconds * 1e3 / n:26.3f} {times:20.2f}{'' if times >= bound else '   FAIL'}")
    return held


# ---- every kernel


def operands(name: str, arguments: list[str], n: int, dtype: Any) -> tuple[list[Any], dict[str, Any]]:
    """(arrays, settings) of about n elements for an operation."""
    rows = np.ascontiguousarray(RNG.normal(size=(n // CLASSES, CLASSES)), dtype)
    a, b = (RNG.normal(size=n).astype(dtype) for _ in range(2))
    target = RNG.integers(0, CLASSES, n // CLASSES)
    special: dict[str, tuple[list[Any], dict[str, Any]]] = {
        "log": ([np.abs(a)], {}),
        "log1p": ([np.abs(a)], {}),
        "sqrt": ([np.abs(a)], {}),
        "pow": ([a, 2], {}),
        "where": ([a > 0, a, b], {}),
        "clip": ([a], {"lo": -1.0, "hi": 1.0}),
        "softmax": ([rows], {}),
        "log_softmax": ([rows], {}),
        "logsumexp": ([rows], {}),
        "sum_to": ([rows], {"shape": (CLASSES,)}),
        "cross_entropy_rows": ([rows, target], {}),
        "cross_entropy_grad": ([np.ascontiguousarray(rows[:, 0]), rows, target], {}),
    }
    return special.get(name, ([a, b][: len(arguments)], {}))


def cases(n: int, dtype: Any) -> dict[str, tuple[Run, Run]]:
    """By operation: (its kernel, its NumPy body), ready to run on n elements."""
    made: dict[str, tuple[Run, Run]] = {}
    for name, op in all_ops().items():
        if op.kernel is None or name in PRODUCTS:
            continue
        arrays, settings = operands(name, op.arguments, n, dtype)
        ours = lambda k=op.kernel, a=arrays, s=settings: k(*a, **s)  # noqa: E731
        if ours() is NotImplemented:  # left to NumPy at this size: both would be the same
            continue
        made[name] = ours, lambda k=op.body, a=arrays, s=settings: k(*a, **s)  # type: ignore[misc]
    into, more = (RNG.normal(size=n).astype(dtype) for _ in range(2))
    made["iadd"] = (lambda: operators["iadd"](into, more)), (lambda: np.add(into, more, out=into))
    return made


def second_table(rounds: int, only: list[str]) -> bool:
    """Print it; whether the bounds hold."""
    failed: list[str] = []
    for dtype in (np.float32, np.float64):
        table = {n: cases(n, dtype) for n in SIZES}
        print(f"\n{np.dtype(dtype)}: times the speed of the NumPy body; elements:\n{'':20s}" + "".join(f"{n:>10,}" for n in SIZES))
        for name in only or dict.fromkeys(name for row in table.values() for name in row):
            line = f"  {name:18s}"
            for n in SIZES:
                if name not in table[n]:
                    line += f"{'NumPy':>10s}"
                    continue
                times, _ = ratio(*table[n][name], rounds)
                if times < NOT_SLOWER:  # a second look, longer, before it counts
                    times, _ = ratio(*table[n][name], 4 * rounds)
                if times < NOT_SLOWER:
                    failed.append(f"{name} {np.dtype(dtype)} {n:,}: {times:.2f}")
                line += f"{times:9.2f}{'!' if times < NOT_SLOWER else ' '}"
            print(line, flush=True)
    print("\nbelow 0.95: " + ("; ".join(failed) or "none"))
    return not failed


def main() -> int:
    """Measure, print, compare with the bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--avx2", action="store_true", help="hold both sides to AVX2")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound fails")
    parser.add_argument("--rounds", type=int, default=41, help="shots of each side")
    parser.add_argument("--only", action="append", default=[], help="an operation of the second table; may be repeated")
    options = parser.parse_args()
    if options.avx2:
        as_avx2()
    mg.show_config()
    print()
    held = first_table(options.rounds) if not options.only else True
    held &= second_table(options.rounds, options.only)
    return 1 if options.check and not held else 0


if __name__ == "__main__":
    sys.exit(main())
