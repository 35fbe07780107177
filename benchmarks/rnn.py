"""A training step of LSTM, GRU and RNN layers in minigrad, PyTorch and JAX: same weights, same input, one process.

    python benchmarks/rnn.py                          the shapes below, one core
    python benchmarks/rnn.py --threads 2 --jax        two cores, and a compiled `lax.scan` of JAX as well
    python benchmarks/rnn.py --random 20 --seed 1     shapes nobody chose
    python benchmarks/rnn.py --check                  exit status 1 if a bound fails, which is then listed

A training step is the forward pass and the backward pass of sum(output * fixed random numbers) to every weight, in float32; the input needs
no gradient, the initial state is zeros. One thread means one core, for everybody. Outputs and gradients must agree first. All are warm,
then take turns in rounds whose order rotates; each shot repeats the step until it lasts 20 ms, and the median over the rounds counts.

GF/s count the matrix products alone: 2 T B G H (I + I + H + H + H) operations, for x W_ih, its share of dW_ih, h W_hh, dG W_hh^T and the
share of dW_hh; G is 4, 3, 1 gates for LSTM, GRU, RNN. `share` is that over what NumPy's sgemm of 1024 x 1024 reaches in the same
rounds. A ratio is the rival's time over minigrad's: above 1, minigrad is faster. `cores` is CPU time over wall time.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
from typing import NamedTuple

import _rivals  # before all that counts cores
import _sgemm
from _rivals import Bound, Shape, Timing

SHAPES: list[Shape] = [
    (32, 32, 64, 128),
    (64, 32, 128, 256),
    (100, 1, 64, 128),
    (100, 64, 256, 512),
    (35, 20, 200, 200),
    (784, 16, 1, 64),
    (28, 128, 28, 128),
    (100, 8, 128, 128),
    (20, 8, 32, 32),
]
RANGES = ((8, 1000), (1, 64), (1, 256), (16, 512))  # of T, B, I, H at random
OVER_TORCH = {"LSTM": (1.5, 0.97), "GRU": (2.5, 1.15), "RNN": (2.5, 1.1)}  # geometric mean, worst
OVER_JAX = (1.6, 0.97)
SHARES = {  # of sgemm on one thread, for the cells that have one
    ("LSTM", (100, 64, 256, 512)): 0.80,
    ("GRU", (100, 64, 256, 512)): 0.80,
    ("LSTM", (64, 32, 128, 256)): 0.70,
    ("GRU", (64, 32, 128, 256)): 0.70,
    ("LSTM", (100, 8, 128, 128)): 0.55,
    ("GRU", (100, 8, 128, 128)): 0.55,
    ("LSTM", (100, 1, 64, 128)): 0.35,
    ("GRU", (100, 1, 64, 128)): 0.35,
    ("LSTM", (784, 16, 1, 64)): 0.35,
    ("GRU", (784, 16, 1, 64)): 0.35,
}
SCALING = 1.1  # minigrad's time on two threads over that on one, against the same of sgemm
OURS, ALONE, SGEMM, SGEMM_ALONE = "minigrad", "minigrad, 1 thread", "sgemm", "sgemm, 1 thread"
RIVALS = {"PyTorch": _rivals.torch_layer, "JAX": _rivals.jax_layer}


class Row(NamedTuple):
    """What was measured for one cell and shape."""

    cell: str
    shape: Shape
    times: dict[str, Timing]

    def rate(self, name: str) -> float:
        """GF/s of the matrix products."""
        return gemm_flops(self.cell, self.shape) / self.times[name].seconds / 1e9

    def share(self, name: str) -> float:
        """Of what sgemm reaches."""
        return self.rate(name) / _sgemm.sgemm_rate(self.times[SGEMM])

    def ratio(self, name: str) -> float:
        """How many times faster minigrad is."""
        return self.times[name].seconds / self.times[OURS].seconds

    def scaling(self) -> float:
        """What two threads leave of minigrad's time, over what they leave of sgemm's."""
        ours = self.times[OURS].seconds / self.times[ALONE].seconds
        return ours / (self.times[SGEMM].seconds / self.times[SGEMM_ALONE].seconds)


def gemm_flops(cell: str, shape: Shape) -> int:
    """Operations in the matrix products of a training step."""
    T, B, I, H = shape  # noqa: E741
    return 2 * T * B * _rivals.GATES[cell] * H * (I + I + H + H + H)


def measure(cell: str, shape: Shape, rivals: list[str], rounds: int, alone: _sgemm.OneCore | None) -> Row:
    """Everybody on one cell and shape. With `alone`, sgemm and minigrad on one thread beside those on two."""
    task = _rivals.make_task(cell, *shape)
    runs = {OURS: _rivals.minigrad_layer(task)} | {name: RIVALS[name](task) for name in rivals}
    _rivals.check_agreement(f"{cell} {shape}", runs)
    runs[SGEMM] = _sgemm.sgemm()
    before = {OURS: lambda: _rivals.set_threads(_rivals.THREADS)}
    if alone is not None:
        runs[SGEMM_ALONE] = alone
        if _rivals.set_threads(_rivals.THREADS):
            runs[ALONE] = runs[OURS]
            before[ALONE] = lambda: _rivals.set_threads(1)
    return Row(cell, shape, _rivals.measure(runs, rounds, before))


def head(rivals: list[str]) -> str:
    """The line above the rows of `line`."""
    text = f"{'cell':5s}{'T':>5s}{'B':>4s}{'I':>4s}{'H':>4s} |{'sgemm':>6s} |{'minigrad ms':>12s}{'GF/s':>7s}{'share':>6s}{'cores':>6s}"
    for name in rivals:
        text += f" |{name + ' ms':>12s}{'GF/s':>7s}{'ratio':>6s}{'cores':>6s}"
    return text + (" | 2 threads/1: minigrad, sgemm" if _rivals.THREADS > 1 else "")


def line(row: Row, rivals: list[str]) -> str:
    """One cell and shape in the table."""
    T, B, I, H = row.shape  # noqa: E741
    ours = row.times[OURS]
    text = f"{row.cell:5s}{T:5d}{B:4d}{I:4d}{H:4d} |{_sgemm.sgemm_rate(row.times[SGEMM]):6.0f} |"
    text += f"{ours.seconds * 1e3:12.3f}{row.rate(OURS):7.1f}{row.share(OURS):6.2f}{ours.cores:6.2f}"
    for name in rivals:
        text += f" |{row.times[name].seconds * 1e3:12.3f}{row.rate(name):7.1f}{row.ratio(name):6.2f}{row.times[name].cores:6.2f}"
    if ALONE in row.times:
        text += f" | {ours.seconds / row.times[ALONE].seconds:21.2f}"
        text += f"{row.times[SGEMM].seconds / row.times[SGEMM_ALONE].seconds:7.2f}"
    return text


def summary(rows: list[Row], name: str) -> tuple[float, float]:
    """Geometric mean and worst of the ratios to a rival."""
    ratios = [row.ratio(name) for row in rows]
    return statistics.geometric_mean(ratios), min(ratios)


def bounds(rows: list[Row], rivals: list[str]) -> list[Bound]:
    """All that must hold for what was measured."""
    found = []
    for cell in dict.fromkeys(row.cell for row in rows):
        mean, worst = summary([row for row in rows if row.cell == cell], "PyTorch")
        found += [
            Bound(f"{cell}: PyTorch/minigrad, geometric mean", mean, ">=", OVER_TORCH[cell][0]),
            Bound(f"{cell}: PyTorch/minigrad, worst", worst, ">=", OVER_TORCH[cell][1]),
        ]
    if "JAX" in rivals:
        mean, worst = summary(rows, "JAX")
        found.append(Bound("JAX/minigrad, geometric mean of all", mean, ">=", OVER_JAX[0]))
        found.append(Bound("JAX/minigrad, worst", worst, ">=", OVER_JAX[1]))
    for row in rows:
        if _rivals.THREADS == 1 and (row.cell, row.shape) in SHARES:
            found.append(Bound(f"{row.cell} {row.shape}: share of sgemm", row.share(OURS), ">=", SHARES[row.cell, row.shape]))
        if _rivals.THREADS > 1 and row.shape[1] >= 16 and row.shape[3] >= 128:
            label = f"{row.cell} {row.shape}: time on two threads over one, relative to sgemm's"
            found.append(Bound(label, row.scaling() if ALONE in row.times else math.nan, "<=", SCALING))
    return found


def drawn(count: int, seed: int) -> list[Shape]:
    """Shapes whose sizes are spread evenly over their logarithms."""
    rng = random.Random(seed)
    return [tuple(round(math.exp(rng.uniform(math.log(low), math.log(high)))) for low, high in RANGES) for _ in range(count)]  # type: ignore[misc]


def main() -> int:
    """Measure, print, compare with the bounds."""
    parser = _rivals.recurrent_parser(__doc__, _rivals.GATES, _rivals.threads_option())
    parser.add_argument("--random", type=int, metavar="N", help="N shapes at random")
    parser.add_argument("--seed", type=int, default=0, help="of --random (0)")
    options = parser.parse_args()
    _rivals.need("torch", *["jax"] * options.jax)
    shapes = drawn(options.random, options.seed) if options.random else options.shapes or SHAPES
    rivals = ["PyTorch"] + ["JAX"] * options.jax
    alone = _sgemm.OneCore() if _rivals.THREADS > 1 else None
    print(_rivals.versions("torch", *["jax"] * options.jax))
    if not _rivals.set_threads(_rivals.THREADS) and alone:
        print("(this minigrad has no set_num_threads: its time on one thread is left out)")
    print(f"\nGF/s = 2 T B G H (I + I + H + H + H) / time; G = 4 (LSTM), 3 (GRU), 1 (RNN)\n{head(rivals)}")
    rows = []
    for cell in options.cells:
        for shape in shapes:
            rows.append(measure(cell, shape, rivals, options.rounds, alone))
            print(line(rows[-1], rivals), flush=True)
    print()
    for cell in options.cells:
        for name in rivals:
            mean, worst = summary([row for row in rows if row.cell == cell], name)
            print(f"{cell:5s}{name}/minigrad: geometric mean {mean:.2f}, worst {worst:.2f}")
    return _rivals.verdict(options.check, bounds(rows, rivals))


if __name__ == "__main__":
    sys.exit(main())
