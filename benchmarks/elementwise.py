"""The elementwise and row kernels against NumPy, on contiguous operands.

    python benchmarks/elementwise.py                    # the widest instruction set of this machine
    python benchmarks/elementwise.py --avx2             # what a machine without AVX-512 would show, for both sides
    python benchmarks/elementwise.py --check            # exit status 1 if a bound fails

First table: tanh, sigmoid, exp, softplus and their gradients on 65,536 float32 against the fewest ufuncs that NumPy does them with, each
writing to memory that is there already (`out=`), where ours allocates its result; the bound is 1.5 times NumPy's speed on a machine
without AVX-512, for which NumPy has a vector library of its own. The gradient of exp is a product, one ufunc, for which the bound of the
second table holds. Second table: every operation that has a kernel (but the matrix products, which benchmarks/rnn.py measures) against its
NumPy body, from 1,000 to 1,000,000 elements, float32 and float64; the bound is 0.95. Both sides run by turns in one process held to one
core, in several layouts: loops that load ahead of their stores take up to half as long again where the result lies just above an operand
modulo 4096 bytes, which NumPy's do more than ours. A ratio is that of the sums over the layouts of median times, above 1 where ours is
faster. What is below its bound is measured twice more, and the middle one of the three counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402
from minigrad._elementwise import isa  # noqa: E402

import minigrad as mg  # noqa: E402
from minigrad.arithmetic import operators  # noqa: E402
from minigrad.ops import all_ops  # noqa: E402

RNG = np.random.default_rng(0)
SIZES = [1_000, 4_000, 16_000, 65_536, 262_144, 1_000_000]
PRODUCTS = {"matmul", "linear", "outer_sum"}
CLASSES = 50  # length of a row, of operations on rows
FASTER, NOT_SLOWER = 1.5, 0.95
LAYOUTS = 6
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


def elsewhere(array: Any) -> Any:
    """A copy, a random number of 16 bytes from where a page begins."""
    room = np.empty(array.nbytes + 8192, np.uint8)
    start = -room.ctypes.data % 4096 + 16 * int(RNG.integers(256))
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def medians(ours: Run, theirs: Run, rounds: int) -> list[float]:
    """Seconds a call of each, shots by turns."""
    calls = [calls_in_a_shot(run) for run in (ours, theirs)]
    times: list[tuple[float, float]] = []
    for number in range(rounds):
        if number % 2:
            times.append((shot(ours, calls[0]), shot(theirs, calls[1])))
        else:
            second = shot(theirs, calls[1])
            times.append((shot(ours, calls[0]), second))
    return [statistics.median(column) for column in zip(*times, strict=True)]


def ratio(sides: Callable[[], tuple[Run, Run]], rounds: int, bound: float) -> tuple[float, float]:
    """(how many times faster ours is, microseconds a call of ours); `sides` makes the two with operands in a new layout."""
    looks = []
    while not looks or (len(looks) < 3 and looks[0][0] < bound):
        mine, other = np.sum([medians(*sides(), rounds // LAYOUTS) for _ in range(LAYOUTS)], axis=0)
        looks.append((other / mine, mine / LAYOUTS * 1e6))
    return statistics.median(looks)


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
    held, names = True, ["tanh", "sigmoid", "exp", "softplus"]
    print(f"{n} float32 against the fewest ufuncs with out=      ns an element   times NumPy's speed")
    for name in (form for plain in names for form in (plain, "mul" if plain == "exp" else f"{plain}_grad")):

        def sides(name: str = name) -> tuple[Run, Run]:
            x, g = (elsewhere(RNG.normal(size=n).astype(np.float32) * 3) for _ in range(2))
            y = {plain: all_ops()[plain].kernel(x) for plain in names}  # type: ignore[misc]
            arguments = (x,) if name in names else (g, {"mul": y["exp"], "softplus_grad": x}.get(name, y.get(name.split("_")[0])))
            ufuncs, kernel = fewest(x, g, elsewhere(x), y)[name], all_ops()[name].kernel

            def theirs() -> None:
                for ufunc in ufuncs:
                    ufunc()

            return (lambda: kernel(*arguments)), theirs  # type: ignore[misc]

        bound = NOT_SLOWER if name == "mul" or isa() in ("avx512", "amx") else FASTER
        times, microseconds = ratio(sides, rounds, bound)
        held &= times >= bound
        title = "exp_grad (mul)" if name == "mul" else name
        print(f"  {title:16s} {microseconds * 1e3 / n:38.3f} {times:20.2f}{'' if times >= bound else '   FAIL'}")
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


def case(name: str, n: int, dtype: Any) -> tuple[Run, Run] | None:
    """(kernel, NumPy body) of an operation, ready to run on n elements; None if the kernel leaves that size to NumPy."""
    if name == "iadd":
        into, more = (elsewhere(RNG.normal(size=n).astype(dtype)) for _ in range(2))
        return (lambda: operators["iadd"](into, more)), (lambda: np.add(into, more, out=into))
    op = all_ops()[name]
    arrays, settings = operands(name, op.arguments, n, dtype)
    arrays = [elsewhere(array) if isinstance(array, np.ndarray) else array for array in arrays]
    if op.kernel(*arrays, **settings) is NotImplemented:  # type: ignore[misc]
        return None
    return (lambda: op.kernel(*arrays, **settings)), (lambda: op.body(*arrays, **settings))  # type: ignore[misc]


def second_table(rounds: int, only: list[str]) -> bool:
    """Print it; whether the bounds hold."""
    failed: list[str] = []
    names = only or [*sorted(name for name, op in all_ops().items() if op.kernel and name not in PRODUCTS), "iadd"]
    for dtype in (np.float32, np.float64):
        print(f"\n{np.dtype(dtype)}: times the speed of the NumPy body; elements:\n{'':20s}" + "".join(f"{n:>10,}" for n in SIZES))
        for name in names:
            line = f"  {name:18s}"
            for n in SIZES:
                if case(name, n, dtype) is None:
                    line += f"{'NumPy':>10s}"
                    continue
                times, _ = ratio(partial(case, name, n, dtype), rounds, NOT_SLOWER)  # type: ignore[misc]
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
    parser.add_argument("--rounds", type=int, default=48, help="shots of each side, over all layouts")
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
