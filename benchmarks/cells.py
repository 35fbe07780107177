"""Cells that users write, trained with `mg.scan`, against the same cell as a loop in PyTorch and as a compiled `lax.scan` in JAX.

    python benchmarks/cells.py             six cells at three shapes, one core
    python benchmarks/cells.py --jax       JAX takes part too
    python benchmarks/cells.py --check     exit status 1 if a bound fails, which is then listed

A step in minigrad is what a newcomer writes: a few lines of primitive operations, the product with the input among them, in a closure that
is made anew at each call. PyTorch runs the faster of two loops for each cell and shape: the input's product inside the step, or ahead of
it for all steps and unbound; its recurrent product adds to the input's (addmm), its layer norm is its own. JAX has the input's product
ahead of the scan. `C` is what a patient programmer gets by hand out of minigrad's own GEMM and formulas, one fused pass over each row
after each product (benchmarks/fused/), compiled as the benchmark starts. All compute the output at all steps and the gradients of
sum(output * fixed random numbers) to every weight, in float32 from zero states, and must agree before they are timed: medians of
interleaved rounds, each shot repeated until it lasts 20 ms.

`first` is what minigrad's first call takes longer than a later one, in milliseconds: what it costs to plan the cell, with the import of
the planner and the first touch of its memory. It is the median of five fresh processes, in each of which the same step ran in a plain
loop before, so that the operations are warm. The last table is an LSTM whose step joins h and x and multiplies them by one weight, beside
`nn.LSTM`.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, NamedTuple

import _rivals  # before all that counts cores
import numpy as np
from _cells import CELLS, HAS_SCAN, joined, make_task, minigrad_cell
from _cells_fused import fused_cell, missing
from _cells_rivals import jax_cell, torch_cell
from _rivals import Bound, Shape, Timing

SHAPES: list[Shape] = [(100, 1, 64, 128), (100, 8, 128, 128), (64, 32, 128, 256)]
OVER_TORCH = dict(zip(SHAPES, (8.0, 2.5, 1.25), strict=True))
OVER_JAX = 1.3
FUSED_SHAPE, OVER_FUSED = SHAPES[2], 1.25
FIRST, PROCESSES = 10.0, 5  # milliseconds, and in how many processes they are measured
JOINED = 1.1
OURS, INSIDE, AHEAD, JAX, FUSED = "minigrad", "PyTorch, product inside", "PyTorch, product ahead", "JAX", "C"


class Row(NamedTuple):
    """What was measured for one cell and shape."""

    cell: str
    shape: Shape
    times: dict[str, Timing]
    first: float  # milliseconds

    def ratio(self, *names: str) -> float:
        """How many times faster minigrad is than the fastest of these."""
        return min(self.times[name].seconds for name in names) / self.times[OURS].seconds


def first_call(name: str, shape: Shape) -> float:
    """Milliseconds that the first call in this process takes longer than a later one."""
    task, cell, seconds = make_task(name, shape), CELLS[name], []
    for _ in range(2):
        minigrad_cell(cell.step, cell.states, task, plain=True)()
    run = minigrad_cell(cell.step, cell.states, task)
    for _ in range(6):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return (seconds[0] - statistics.median(seconds[1:])) * 1e3


@functools.cache
def bytecode() -> tempfile.TemporaryDirectory[str]:
    """A folder for Python's bytecode: an installed package has its own, and a call should not wait for its source to be compiled."""
    return tempfile.TemporaryDirectory()


def first_calls(name: str, shape: Shape) -> float:
    """The median of `first_call` over fresh processes."""
    command = [sys.executable, __file__, "--first", name, "--shapes", ",".join(map(str, shape))]
    unheard = not bytecode.cache_info().currsize  # whoever fills the folder does not count
    environment = os.environ | {"PYTHONPYCACHEPREFIX": bytecode().name, "PYTHONDONTWRITEBYTECODE": ""}
    done = [subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True) for _ in range(unheard + PROCESSES)]
    return statistics.median(float(process.stdout) for process in done[unheard:])


def measure(name: str, shape: Shape, extra: list[str], rounds: int) -> Row:
    """Everybody on one cell and shape."""
    task = make_task(name, shape)
    rivals = {INSIDE: torch_cell(task, ahead=False), AHEAD: torch_cell(task, ahead=True)}
    rivals |= {rival: {JAX: jax_cell, FUSED: fused_cell}[rival](task) for rival in extra}
    runs = {OURS: minigrad_cell(CELLS[name].step, CELLS[name].states, task)} | rivals
    _rivals.check_agreement(f"{name} {shape}", runs)
    return Row(name, shape, _rivals.measure(runs, rounds), first_calls(name, shape))


def measure_joined(shape: Shape, rounds: int) -> tuple[float, float]:
    """Seconds of an LSTM with one weight for h and x together, and of nn.LSTM with the same numbers."""
    task = _rivals.make_task("LSTM", *shape)
    W_ih, W_hh, b_ih, b_hh = task.weights.values()
    one = task._replace(weights={"W": np.concatenate([W_hh, W_ih], axis=1), "b": b_ih + b_hh})
    ours, layer = minigrad_cell(joined, 2, one), _rivals.minigrad_layer(task)

    def as_one() -> Any:
        """The layer's results in the shape of the other's."""
        output, d_ih, d_hh, db, _ = layer()
        return output, np.concatenate([d_hh, d_ih], axis=1), db

    _rivals.check_agreement(f"joined LSTM {shape}", {"joined LSTM": ours, "nn.LSTM": as_one})
    times = _rivals.measure({"joined": ours, "layer": layer}, rounds)
    return times["joined"].seconds, times["layer"].seconds


def sized(shape: Shape) -> str:
    """T, B, I and H in columns."""
    return "{:5d}{:4d}{:4d}{:4d}".format(*shape)


def head(extra: list[str]) -> str:
    """The line above the rows of `line`."""
    text = f"{'cell':19s}{'T':>5s}{'B':>4s}{'I':>4s}{'H':>4s} |{'minigrad ms':>12s}{'first':>7s} |{'PyTorch ms: inside':>19s}{'ahead':>9s}"
    return text + f"{'ratio':>7s}" + "".join(f" |{name + ' ms':>9s}{'ratio':>7s}" for name in extra)


def line(row: Row, extra: list[str]) -> str:
    """One cell and shape in the table."""
    milliseconds = {name: timing.seconds * 1e3 for name, timing in row.times.items()}
    text = f"{row.cell:19s}{sized(row.shape)} |{milliseconds[OURS]:12.3f}{row.first:7.1f} |{milliseconds[INSIDE]:19.3f}"
    text += f"{milliseconds[AHEAD]:9.3f}{row.ratio(INSIDE, AHEAD):7.2f}"
    for name in extra:
        text += f" |{milliseconds[name]:9.3f}{row.ratio(name):7.2f}"
    return text


def bounds(rows: list[Row], pairs: dict[Shape, tuple[float, float]]) -> list[Bound]:
    """All that must hold for what was measured."""
    found = []
    for row in rows:
        label = f"{row.cell} {row.shape}"
        if row.shape in OVER_TORCH:
            found.append(Bound(f"{label}: PyTorch/minigrad", row.ratio(INSIDE, AHEAD), ">=", OVER_TORCH[row.shape]))
        if JAX in row.times:
            found.append(Bound(f"{label}: JAX/minigrad", row.ratio(JAX), ">=", OVER_JAX))
        if FUSED in row.times and row.shape == FUSED_SHAPE:
            found.append(Bound(f"{label}: minigrad/C", 1 / row.ratio(FUSED), "<=", OVER_FUSED))
        found.append(Bound(f"{label}: first call beyond a later one, ms", row.first, "<=", FIRST))
    return found + [Bound(f"joined LSTM {shape}: its time / nn.LSTM's", a / b, "<=", JOINED) for shape, (a, b) in pairs.items()]


def main() -> int:
    """Measure, print, compare with the bounds."""
    parser = _rivals.recurrent_parser(__doc__, CELLS)
    parser.add_argument("--first", choices=CELLS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    shapes = options.shapes or SHAPES
    if options.first:
        print(first_call(options.first, shapes[0]))
        return 0
    _rivals.need("torch", *["jax"] * options.jax)
    print(_rivals.versions("torch", *["jax"] * options.jax))
    if not HAS_SCAN:
        print("(this minigrad has no scan: its steps run in a plain loop)")
    absent = missing()
    if absent:
        print(f"(the loops in C are left out: {absent})")
    extra = [JAX] * options.jax + [FUSED] * (not absent)
    print(f"\n{head(extra)}")
    rows, pairs = [], {}
    for name in options.cells:
        for shape in shapes:
            rows.append(measure(name, shape, extra, options.rounds))
            print(line(rows[-1], extra), flush=True)
    print(f"\n{'joined LSTM':19s}{'T':>5s}{'B':>4s}{'I':>4s}{'H':>4s} |{'joined ms':>12s}{'nn.LSTM ms':>12s}{'ratio':>7s}")
    for shape in shapes:
        pairs[shape] = a, b = measure_joined(shape, options.rounds)
        print(f"{'':19s}{sized(shape)} |{a * 1e3:12.3f}{b * 1e3:12.3f}{a / b:7.2f}", flush=True)
    return _rivals.verdict(options.check, bounds(rows, pairs))


if __name__ == "__main__":
    sys.exit(main())
