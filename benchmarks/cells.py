"""Cells that users write, trained with `mg.scan`, against the same cell as a loop in PyTorch and as a compiled `lax.scan` in JAX.

    python benchmarks/cells.py             six cells at three shapes, one core
    python benchmarks/cells.py --jax       JAX takes part too
    python benchmarks/cells.py --check     exit status 1 if a bound fails, which is then listed

A step in minigrad is what a newcomer writes: a few lines of primitive operations, the product with the input among them, in a closure that
is made anew at each call. PyTorch runs the faster of two loops for each cell and shape: the input's product inside the step, or ahead of
it for all steps and unbound; its recurrent product adds to the input's (addmm), its layer norm is its own. JAX has the input's product
ahead of the scan. All compute the output at all steps and the gradients of sum(output * fixed random numbers) to every weight, in
float32 from zero states, and must agree before they are timed: medians of interleaved rounds, each shot repeated until it lasts 20 ms.

`first` is what minigrad's first call takes longer than a later one, in milliseconds: what it costs to plan the cell. It is the median of
three fresh processes, in each of which the same step ran in a plain loop before, so that memory and operations are warm. The last
table is an LSTM whose step joins h and x and multiplies them by one weight, beside `nn.LSTM`.
"""

from __future__ import annotations

import argparse
import functools
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import _rivals  # before all that counts cores
import numpy as np
from _rivals import Bound, Run, Shape, Task, Timing

import minigrad as mg

SHAPES: list[Shape] = [(100, 1, 64, 128), (100, 8, 128, 128), (64, 32, 128, 256)]
OVER_TORCH = dict(zip(SHAPES, (8.0, 2.5, 1.25), strict=True))
OVER_JAX = 1.3
FIRST, PROCESSES = 10.0, 3  # milliseconds, and in how many processes they are measured
JOINED = 1.1
EPS = 1e-5
HAS_SCAN = callable(getattr(mg, "scan", None))
OURS, INSIDE, AHEAD, JAX, FUSED = "minigrad", "PyTorch, product inside", "PyTorch, product ahead", "JAX", "C"
EXTRA: dict[str, Callable[[Task], Run]] = {}  # cell -> the same training step as a loop in C, fused by hand; joins the table as FUSED


# ---- the cells in minigrad


def peephole(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """LSTM whose gates see the memory (Gers and Schmidhuber, 2000): i and f the old one, o the new one."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        i, f, g, o = (mg.linear(x, w.W, w.b) + mg.linear(h, w.U)).split(4, axis=-1)
        c_new = mg.sigmoid(f + w.pf * c) * c + mg.sigmoid(i + w.pi * c) * mg.tanh(g)
        h = mg.sigmoid(o + w.po * c_new) * mg.tanh(c_new)
        return (h, c_new), h

    return step


def coupled(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """LSTM that takes in what it forgets: i = 1 - f (Greff et al., 2017)."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        f, g, o = (mg.linear(x, w.W, w.b) + mg.linear(h, w.U)).split(3, axis=-1)
        f = mg.sigmoid(f)
        c = f * c + (1.0 - f) * mg.tanh(g)
        h = mg.sigmoid(o) * mg.tanh(c)
        return (h, c), h

    return step


def normalised(x: Any) -> Any:
    """x less its mean, over its standard deviation, along the last axis."""
    d = x - mg.mean(x, axis=-1, keepdims=True)
    return d / mg.sqrt(mg.mean(d * d, axis=-1, keepdims=True) + EPS)


def layer_norm(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """LSTM whose input's and state's products, each of 4H numbers, are normalised apart (Ba et al., 2016, without the norm of c)."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        a = normalised(mg.linear(x, w.W)) * w.gain_x + normalised(mg.linear(h, w.U)) * w.gain_h + w.b
        i, f, g, o = a.split(4, axis=-1)
        c = mg.sigmoid(f) * c + mg.sigmoid(i) * mg.tanh(g)
        h = mg.sigmoid(o) * mg.tanh(c)
        return (h, c), h

    return step


def minimal(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """Minimal gated unit (Zhou et al., 2016): one gate forgets and resets."""

    def step(h: Any, x: Any) -> Any:
        f = mg.sigmoid(mg.linear(x, w.W, w.b) + mg.linear(h, w.U))
        n = mg.tanh(mg.linear(x, w.Wn, w.bn) + mg.linear(f * h, w.Un))
        h = (1.0 - f) * h + f * n
        return h, h

    return step


def reset_before(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """GRU as it was first published (Cho et al., 2014): r multiplies h before the product."""

    def step(h: Any, x: Any) -> Any:
        r, z = mg.sigmoid(mg.linear(x, w.W, w.b) + mg.linear(h, w.U)).split(2, axis=-1)
        n = mg.tanh(mg.linear(x, w.Wn, w.bn) + mg.linear(r * h, w.Un))
        h = (1.0 - z) * n + z * h
        return h, h

    return step


def independent(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """IndRNN (Li et al., 2018): each unit sees itself alone."""

    def step(h: Any, x: Any) -> Any:
        h = mg.relu(mg.linear(x, w.W, w.b) + w.u * h)
        return h, h

    return step


def joined(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """LSTM with one weight for h and x together."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        i, f, g, o = mg.linear(mg.concatenate([h, x], axis=-1), w.W, w.b).split(4, axis=-1)
        c = mg.sigmoid(f) * c + mg.sigmoid(i) * mg.tanh(g)
        h = mg.sigmoid(o) * mg.tanh(c)
        return (h, c), h

    return step


# ---- the same in PyTorch and in JAX: `n` has the operations of either, and every recurrent matrix U comes transposed


def rival_peephole(n: SimpleNamespace, w: SimpleNamespace, carry: Any, x: Any) -> Any:
    """`peephole`; x is W x + b already, as in all of these."""
    h, c = carry
    i, f, g, o = n.split(n.plus(x, h, w.U), 4)
    c_new = n.sigmoid(n.plus_product(f, w.pf, c)) * c + n.sigmoid(n.plus_product(i, w.pi, c)) * n.tanh(g)
    h = n.sigmoid(n.plus_product(o, w.po, c_new)) * n.tanh(c_new)
    return (h, c_new), h


def rival_coupled(n: SimpleNamespace, w: SimpleNamespace, carry: Any, x: Any) -> Any:
    """`coupled`."""
    h, c = carry
    f, g, o = n.split(n.plus(x, h, w.U), 3)
    c = n.mix(n.tanh(g), c, n.sigmoid(f))
    h = n.sigmoid(o) * n.tanh(c)
    return (h, c), h


def rival_layer_norm(n: SimpleNamespace, w: SimpleNamespace, carry: Any, x: Any) -> Any:
    """`layer_norm`; x is normalised and has the bias already."""
    h, c = carry
    i, f, g, o = n.split(x + n.norm(h @ w.U, w.gain_h), 4)
    c = n.sigmoid(f) * c + n.sigmoid(i) * n.tanh(g)
    h = n.sigmoid(o) * n.tanh(c)
    return (h, c), h


def rival_minimal(n: SimpleNamespace, w: SimpleNamespace, h: Any, x: Any) -> Any:
    """`minimal`; x is the pair of W x + b and Wn x + bn."""
    xf, xn = x
    f = n.sigmoid(n.plus(xf, h, w.U))
    h = n.mix(h, n.tanh(n.plus(xn, f * h, w.Un)), f)
    return h, h


def rival_reset_before(n: SimpleNamespace, w: SimpleNamespace, h: Any, x: Any) -> Any:
    """`reset_before`; x is the pair of W x + b and Wn x + bn."""
    x, xn = x
    r, z = n.split(n.sigmoid(n.plus(x, h, w.U)), 2)
    h = n.mix(n.tanh(n.plus(xn, r * h, w.Un)), h, z)
    return h, h


def rival_independent(n: SimpleNamespace, w: SimpleNamespace, h: Any, x: Any) -> Any:
    """`independent`."""
    h = n.relu(n.plus_product(x, w.u, h))
    return h, h


def one_product(n: SimpleNamespace, w: SimpleNamespace, x: Any) -> Any:
    """What a step needs of x."""
    return n.linear(x, w.W, w.b)


def two_products(n: SimpleNamespace, w: SimpleNamespace, x: Any) -> Any:
    """The same where the gates and the candidate are apart."""
    return n.linear(x, w.W, w.b), n.linear(x, w.Wn, w.bn)


def norm_of_product(n: SimpleNamespace, w: SimpleNamespace, x: Any) -> Any:
    """The same for the layer norm; the bias goes in here, once."""
    return n.norm(n.linear(x, w.W, None), w.gain_x, w.b)


class Cell(NamedTuple):
    """One kind of recurrence."""

    ours: Callable[[SimpleNamespace], Callable[[Any, Any], Any]]
    theirs: Callable[[SimpleNamespace, SimpleNamespace, Any, Any], Any]
    project: Callable[[SimpleNamespace, SimpleNamespace, Any], Any]
    states: int
    gates: int
    more: dict[str, str]  # weights besides W, b and U: the shape in letters, I and H; G is gates x H


TWO = {"Wn": "HI", "bn": "H", "Un": "HH"}
CELLS = {
    "peephole LSTM": Cell(peephole, rival_peephole, one_product, 2, 4, {"U": "GH", "pi": "H", "pf": "H", "po": "H"}),
    "coupled LSTM": Cell(coupled, rival_coupled, one_product, 2, 3, {"U": "GH"}),
    "layer-norm LSTM": Cell(layer_norm, rival_layer_norm, norm_of_product, 2, 4, {"U": "GH", "gain_x": "G", "gain_h": "G"}),
    "minimal gated unit": Cell(minimal, rival_minimal, two_products, 1, 1, {"U": "GH", **TWO}),
    "GRU, reset before": Cell(reset_before, rival_reset_before, two_products, 1, 2, {"U": "GH", **TWO}),
    "IndRNN": Cell(independent, rival_independent, one_product, 1, 1, {"u": "H"}),
}


def make_task(name: str, shape: Shape) -> Task:
    """Random numbers of the sizes that a network has at the start of training."""
    T, B, I, H = shape  # noqa: E741
    rng, cell, k = np.random.default_rng(0), CELLS[name], 1 / math.sqrt(H)
    sizes = {"I": I, "H": H, "G": cell.gates * H}
    weights = {}
    for key, letters in ({"W": "GI", "b": "G"} | cell.more).items():
        start = 1.0 if key.startswith("gain") else 0.0
        weights[key] = (start + rng.uniform(-k, k, [sizes[letter] for letter in letters])).astype(np.float32)
    x, cotangent = (rng.standard_normal((T, B, width)).astype(np.float32) for width in (I, H))
    return Task(name, x, weights, cotangent)


# ---- the contenders


def loop(step: Callable[[Any, Any], Any], carry: Any, xs: Any) -> Any:
    """What `mg.scan` means, for a minigrad that has none."""
    ys = []
    for x in xs:
        carry, y = step(carry, x)
        ys.append(y)
    return carry, mg.stack(ys)


def minigrad_cell(make: Callable[[SimpleNamespace], Callable[[Any, Any], Any]], states: int, task: Task, plain: bool = False) -> Run:
    """The cell in minigrad: a new step at each call, as in a `forward`. With `plain` it runs in a loop."""
    scan = mg.scan if HAS_SCAN and not plain else loop
    weights = {name: mg.tensor(weight, requires_grad=True) for name, weight in task.weights.items()}
    x, cotangent = mg.tensor(task.x), mg.tensor(task.cotangent)
    zeros = [mg.zeros(task.cotangent.shape[1:]) for _ in range(states)]
    carry = tuple(zeros) if states > 1 else zeros[0]

    def run() -> Any:
        for weight in weights.values():
            weight.grad = None
        _, output = scan(make(SimpleNamespace(**weights)), carry, x)
        output.backward(cotangent)
        return output.numpy(), *[weight.grad.numpy() for weight in weights.values()]

    return run


@functools.cache
def torch_names() -> SimpleNamespace:
    """PyTorch's operations."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(_rivals.THREADS)
    return SimpleNamespace(
        sigmoid=torch.sigmoid,
        tanh=torch.tanh,
        relu=torch.relu,
        linear=F.linear,
        plus=torch.addmm,
        plus_product=torch.addcmul,
        mix=torch.lerp,
        split=lambda x, parts: x.chunk(parts, -1),
        norm=lambda x, gain, bias=None: F.layer_norm(x, x.shape[-1:], gain, bias, EPS),
    )


@functools.cache
def jax_names() -> SimpleNamespace:
    """JAX's operations."""
    import jax
    import jax.numpy as jnp

    def linear(x: Any, W: Any, b: Any) -> Any:
        """x W^T + b over the last axis."""
        out = jnp.tensordot(x, W, [[x.ndim - 1], [1]])
        return out if b is None else out + b

    def norm(x: Any, gain: Any, bias: Any = 0.0) -> Any:
        """Layer norm of the last axis."""
        d = x - x.mean(-1, keepdims=True)
        return d * jax.lax.rsqrt((d * d).mean(-1, keepdims=True) + EPS) * gain + bias

    return SimpleNamespace(
        sigmoid=jax.nn.sigmoid,
        tanh=jnp.tanh,
        relu=jax.nn.relu,
        linear=linear,
        plus=lambda x, h, U: x + h @ U,
        plus_product=lambda x, a, b: x + a * b,
        mix=lambda a, b, share: (1 - share) * a + share * b,
        split=lambda x, parts: jnp.split(x, parts, axis=-1),
        norm=norm,
    )


def named(weights: dict[str, Any]) -> SimpleNamespace:
    """The weights by name, recurrent matrices transposed."""
    return SimpleNamespace(**{name: weight.T if name.startswith("U") else weight for name, weight in weights.items()})


def torch_cell(task: Task, ahead: bool) -> Run:
    """The cell as a loop in PyTorch, the input's product ahead of it or inside."""
    import torch

    n, cell = torch_names(), CELLS[task.cell]
    weights = {name: torch.tensor(weight, requires_grad=True) for name, weight in task.weights.items()}
    x, cotangent = torch.tensor(task.x), torch.tensor(task.cotangent)
    zeros = [torch.zeros(task.cotangent.shape[1:]) for _ in range(cell.states)]

    def run() -> Any:
        for weight in weights.values():
            weight.grad = None
        w, ys = named(weights), []
        carry = tuple(zeros) if cell.states > 1 else zeros[0]
        if ahead:
            xw = cell.project(n, w, x)
            steps = zip(*[part.unbind(0) for part in xw], strict=True) if isinstance(xw, tuple) else xw.unbind(0)
        else:
            steps = (cell.project(n, w, x_t) for x_t in x.unbind(0))
        for x_t in steps:
            carry, y = cell.theirs(n, w, carry, x_t)
            ys.append(y)
        output = torch.stack(ys)
        output.backward(cotangent)
        return output.detach(), *[weight.grad for weight in weights.values()]

    return run


def jax_cell(task: Task) -> Run:
    """The cell as a compiled scan in JAX."""
    import jax
    import jax.numpy as jnp

    n, cell = jax_names(), CELLS[task.cell]

    def forward(weights: Any, x: Any) -> Any:
        """The output (T, B, H)."""
        w = named(dict(zip(task.weights, weights, strict=True)))
        zeros = jnp.zeros(task.cotangent.shape[1:], x.dtype)
        carry = (zeros,) * cell.states if cell.states > 1 else zeros
        return jax.lax.scan(lambda carry, x: cell.theirs(n, w, carry, x), carry, cell.project(n, w, x))[1]

    return _rivals.jax_step(forward, list(task.weights.values()), task.x, task.cotangent)


# ---- measuring


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
        minigrad_cell(cell.ours, cell.states, task, plain=True)()
    run = minigrad_cell(cell.ours, cell.states, task)
    for _ in range(6):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return (seconds[0] - statistics.median(seconds[1:])) * 1e3


def first_calls(name: str, shape: Shape) -> float:
    """The median of `first_call` over fresh processes."""
    command = [sys.executable, __file__, "--first", name, "--shapes", ",".join(map(str, shape))]
    done = [subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True) for _ in range(PROCESSES)]
    return statistics.median(float(process.stdout) for process in done)


def measure(name: str, shape: Shape, jax: bool, rounds: int) -> Row:
    """Everybody on one cell and shape."""
    task = make_task(name, shape)
    rivals = {INSIDE: torch_cell(task, ahead=False), AHEAD: torch_cell(task, ahead=True)}
    if jax:
        rivals[JAX] = jax_cell(task)
    if name in EXTRA:
        rivals[FUSED] = EXTRA[name](task)
    runs = {OURS: minigrad_cell(CELLS[name].ours, CELLS[name].states, task)} | rivals
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
        text += f" |{milliseconds[name]:9.3f}{row.ratio(name):7.2f}" if name in row.times else f" |{'':16s}"
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
        found.append(Bound(f"{label}: first call beyond a later one, ms", row.first, "<=", FIRST))
    return found + [Bound(f"joined LSTM {shape}: its time / nn.LSTM's", a / b, "<=", JOINED) for shape, (a, b) in pairs.items()]


def main() -> int:
    """Measure, print, compare with the bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jax", action="store_true", help="JAX takes part too")
    parser.add_argument(
        "--shapes", type=_rivals.parse_shape, nargs="+", default=SHAPES, metavar="T,B,I,H", help="other shapes than the usual ones"
    )
    parser.add_argument("--cells", choices=list(CELLS), nargs="+", default=list(CELLS), help="all six")
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (15)")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound fails")
    parser.add_argument("--first", choices=list(CELLS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.first:
        print(first_call(options.first, options.shapes[0]))
        return 0
    _rivals.need("torch", *["jax"] * options.jax)
    print(_rivals.versions("torch", *["jax"] * options.jax))
    if not HAS_SCAN:
        print("(this minigrad has no scan: its steps run in a plain loop)")
    extra = [JAX] * options.jax + [FUSED] * any(name in EXTRA for name in options.cells)
    print(f"\n{head(extra)}")
    rows, pairs = [], {}
    for name in options.cells:
        for shape in options.shapes:
            rows.append(measure(name, shape, options.jax, options.rounds))
            print(line(rows[-1], extra), flush=True)
    print(f"\n{'joined LSTM':19s}{'T':>5s}{'B':>4s}{'I':>4s}{'H':>4s} |{'joined ms':>12s}{'nn.LSTM ms':>12s}{'ratio':>7s}")
    for shape in options.shapes:
        pairs[shape] = a, b = measure_joined(shape, options.rounds)
        print(f"{'':19s}{sized(shape)} |{a * 1e3:12.3f}{b * 1e3:12.3f}{a / b:7.2f}", flush=True)
    if not options.check:
        return 0
    print()
    return _rivals.judge(bounds(rows, pairs))


if __name__ == "__main__":
    sys.exit(main())
