"""What the benchmarks of recurrent networks share: cores, time, bounds, and the same networks in PyTorch and JAX.

Import this before anything else: BLAS, OpenMP and XLA count the cores as they are loaded, so `--threads` is read from the command line here
and the process is held to that many cores at once (`THREADS`, 1 without the option). One thread is one core for everybody.

A contender is a function without arguments that does the whole task once and returns its results, arrays in a fixed order: NumPy's,
PyTorch's or JAX's. What it needs was made before: only the task is timed.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


def threads_option() -> argparse.ArgumentParser:
    """The option that every benchmark here has in common, as a parent of its parser."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--threads", type=int, choices=[1, 2], default=1, help="cores, and threads of everybody (1)")
    return parser


def hold_cores() -> int:
    """Hold this process to as many cores as `--threads` says; the number. The first core is left to the rest of the machine."""
    threads: int = threads_option().parse_known_args()[0].threads
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < threads:
            sys.exit(f"--threads {threads} wants {threads} cores, and this process may use {len(cores)}")
        os.sched_setaffinity(0, cores[-threads:])
    return threads


THREADS = hold_cores()

import numpy as np  # noqa: E402

import minigrad as mg  # noqa: E402

Run = Callable[[], Any]
Shape = tuple[int, int, int, int]  # T, B, I, H
SHOT = 0.02  # seconds that one shot lasts at least
PAUSE = 0.15  # seconds of silence before a shot with several threads: those of the rival before look out for work so long (OpenBLAS 0.1)
AGREE = 1e-3  # largest difference of two results, relative to the largest number in them


def parse_shape(text: str) -> Shape:
    """T,B,I,H on the command line."""
    T, B, I, H = map(int, text.split(","))  # noqa: E741
    return T, B, I, H


def bounds_parser(text: str | None, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The options of a benchmark that has bounds; `text` is its docstring."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter, parents=parents)
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (15)")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound fails")
    return parser


def recurrent_parser(text: str | None, cells: Iterable[str], *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Those of one that has cells, shapes, and JAX as a guest."""
    parser, names = bounds_parser(text, *parents), list(cells)
    parser.add_argument("--jax", action="store_true", help="JAX takes part too")
    parser.add_argument("--shapes", type=parse_shape, nargs="+", metavar="T,B,I,H", help="other shapes than the usual ones")
    parser.add_argument("--cells", choices=names, nargs="+", default=names, metavar="CELL", help=f"of {' / '.join(names)}; all")
    return parser


def need(*modules: str) -> None:
    """Leave with a sentence if a rival is not installed."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        sys.exit(f"{os.path.relpath(sys.argv[0])} compares with {', '.join(modules)}: pip install {' '.join(missing)}")


def set_threads(threads: int) -> bool:
    """Tell minigrad how many threads to use; False if it has only one way to run."""
    if not hasattr(mg, "set_num_threads"):
        return False
    mg.set_num_threads(threads)
    return True


def versions(*modules: str) -> str:
    """Who runs, in one line."""
    found = [f"{module} {importlib.import_module(module).__version__}" for module in ("minigrad", "numpy", *modules)]
    return f"{', '.join(found)}; {THREADS} thread{'s' * (THREADS > 1)}"


# ---- time


class Timing:
    """What the shots of one contender took: seconds of wall and of CPU for the task, once."""

    def __init__(self, count: int) -> None:
        self.count = count  # repetitions in a shot
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def shot(self, run: Run) -> None:
        """Time one shot. Half as many repetitions go before it: each contender finds its own numbers in the cache, and cores at the
        clock that they reach some milliseconds after a silence."""
        for _ in range(self.count // 2):
            run()
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(self.count):
            run()
        self.wall.append((time.perf_counter() - wall) / self.count)
        self.cpu.append((time.process_time() - cpu) / self.count)

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(self.wall)

    @property
    def cores(self) -> float:
        """CPU time over wall time."""
        return sum(self.cpu) / sum(self.wall)


def warm(run: Run) -> Timing:
    """Run a few times, and choose from the fastest how often a shot repeats the task."""
    best = math.inf
    run()
    for _ in range(3):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
        if best > 10 * SHOT:
            break
    return Timing(max(1, math.ceil(SHOT / best)))


def nothing() -> None:
    """What most contenders want done ahead of their shots."""


def measure(runs: dict[str, Run], rounds: int, before: dict[str, Run] | None = None) -> dict[str, Timing]:
    """All contenders in interleaved rounds; each round begins with another one. `before` holds what to do ahead of a contender's shots."""
    before = before or {}
    names, times = list(runs), {}
    for name in names:
        before.get(name, nothing)()
        times[name] = warm(runs[name])
    gc.collect()
    gc.freeze()  # a collection looks at what the contenders make, not at what was imported
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if THREADS > 1:
                time.sleep(PAUSE)
            before.get(name, nothing)()
            times[name].shot(runs[name])
    gc.unfreeze()
    return times


# ---- agreement and bounds


def check_agreement(title: str, runs: dict[str, Run]) -> None:
    """Leave with a sentence if contenders that do the same task do not compute the same numbers."""
    first, *others = runs
    expected = [np.array(part) for part in runs[first]()]
    for name in others:
        found = [np.asarray(part) for part in runs[name]()]
        for place, (a, b) in enumerate(zip(expected, found, strict=True)):
            far = np.abs(a - b).max() / np.abs(b).max() if a.shape == b.shape else math.inf
            if not far <= AGREE:
                sys.exit(f"{title}: result {place} of {first} and {name} differ by {far:.1e} of the largest number ({a.shape}, {b.shape})")


class Bound(NamedTuple):
    """Something that must hold."""

    label: str
    value: float
    sense: str  # ">=" or "<="
    limit: float

    @property
    def holds(self) -> bool:
        """Whether it does; a value that is no number does not."""
        return self.value >= self.limit if self.sense == ">=" else self.value <= self.limit


def judge(bounds: Iterable[Bound]) -> int:
    """Print every bound; the exit status, 1 if one fails."""
    status = 0
    for bound in bounds:
        status |= not bound.holds
        print(f"{'ok  ' if bound.holds else 'FAIL'} {bound.label}: {bound.value:.3f} {bound.sense} {bound.limit:g}")
    return int(status)


def verdict(check: bool, bounds: Iterable[Bound]) -> int:
    """The exit status of a benchmark: 0, or with `--check` that of its bounds."""
    if not check:
        return 0
    print()
    return judge(bounds)


# ---- a layer over a sequence, forward and backward, in PyTorch and in JAX


class Task(NamedTuple):
    """A training step of one layer: its input, its weights as PyTorch names and shapes them, and the cotangent of its output."""

    cell: str
    x: np.ndarray  # (T, B, I)
    weights: dict[str, np.ndarray]
    cotangent: np.ndarray  # (T, B, H)


GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def make_task(cell: str, T: int, B: int, I: int, H: int) -> Task:  # noqa: E741
    """Random numbers of the sizes that a network has at the start of training."""
    rng = np.random.default_rng(0)
    rows, k = GATES[cell] * H, 1 / math.sqrt(H)
    shapes = {"weight_ih_l0": (rows, I), "weight_hh_l0": (rows, H), "bias_ih_l0": (rows,), "bias_hh_l0": (rows,)}
    weights = {name: rng.uniform(-k, k, shape).astype(np.float32) for name, shape in shapes.items()}
    x, cotangent = (rng.standard_normal((T, B, width)).astype(np.float32) for width in (I, H))
    return Task(cell, x, weights, cotangent)


def minigrad_layer(task: Task) -> Run:
    """The output and the gradients of the weights, by minigrad's layer."""
    layer = getattr(mg.nn, task.cell)(task.x.shape[-1], task.cotangent.shape[-1])
    layer.load_state_dict(task.weights)
    return training_step(layer, mg.tensor(task.x), mg.tensor(task.cotangent))


def torch_layer(task: Task) -> Run:
    """The same by PyTorch's layer."""
    import torch

    torch.set_num_threads(THREADS)
    layer = getattr(torch.nn, task.cell)(task.x.shape[-1], task.cotangent.shape[-1])
    layer.load_state_dict({name: torch.tensor(weight) for name, weight in task.weights.items()})
    return training_step(layer, torch.tensor(task.x), torch.tensor(task.cotangent))


def training_step(layer: Any, x: Any, cotangent: Any) -> Run:
    """Forward and backward of a layer of minigrad or PyTorch, which have the same names for it."""
    weights = list(layer.parameters())

    def run() -> Any:
        for weight in weights:
            weight.grad = None
        output, _ = layer(x)
        output.backward(cotangent)
        return output.detach(), *[weight.grad for weight in weights]

    return run


def jax_layer(task: Task) -> Run:
    """The same by a compiled `lax.scan`, the input's product for all steps ahead of it."""
    import jax
    import jax.numpy as jnp

    def lstm(carry: Any, x: Any, W: Any, b: Any) -> Any:
        """i f g o; b was added to x."""
        h, c = carry
        i, f, g, o = jnp.split(x + h @ W.T, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(h: Any, x: Any, W: Any, b: Any) -> Any:
        """r z n; r multiplies b_hn."""
        xr, xz, xn = jnp.split(x, 3, axis=-1)
        hr, hz, hn = jnp.split(h @ W.T + b, 3, axis=-1)
        z = jax.nn.sigmoid(xz + hz)
        n = jnp.tanh(xn + jax.nn.sigmoid(xr + hr) * hn)
        h = (1 - z) * n + z * h
        return h, h

    def rnn(h: Any, x: Any, W: Any, b: Any) -> Any:
        """b was added to x."""
        h = jnp.tanh(x + h @ W.T)
        return h, h

    step = {"LSTM": lstm, "GRU": gru, "RNN": rnn}[task.cell]

    def forward(weights: Any, x: Any) -> Any:
        """The output (T, B, H)."""
        W_ih, W_hh, b_ih, b_hh = weights
        xw = jnp.tensordot(x, W_ih, [[2], [1]]) + (b_ih if task.cell == "GRU" else b_ih + b_hh)
        zeros = jnp.zeros((x.shape[1], W_hh.shape[1]), x.dtype)
        carry = (zeros, zeros) if task.cell == "LSTM" else zeros
        return jax.lax.scan(lambda carry, x: step(carry, x, W_hh, b_hh), carry, xw)[1]

    return jax_step(forward, list(task.weights.values()), task.x, task.cotangent)


def jax_step(forward: Callable[[Any, Any], Any], weights: list[np.ndarray], x: np.ndarray, cotangent: np.ndarray) -> Run:
    """A compiled training step of `forward(weights, x)`: the output, then the gradient of each weight."""
    import jax

    @jax.jit
    def both(weights: Any, x: Any, cotangent: Any) -> Any:
        """Forward and backward."""
        output, pull = jax.vjp(lambda weights: forward(weights, x), weights)
        return output, *pull(cotangent)[0]

    arguments = jax.device_put((weights, x, cotangent))
    return lambda: jax.block_until_ready(both(*arguments))
