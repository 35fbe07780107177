"""Memory of a training step of nn.LSTM, by minigrad and by PyTorch, each in a fresh process.

    python benchmarks/memory.py                      (T, B, I, H) = (1000, 32, 256, 512), one core
    python benchmarks/memory.py --shapes 100,64,256,512
    python benchmarks/memory.py --check              exit status 1 if a bound fails, which is then listed

The step is that of benchmarks/rnn.py, which checks that both compute the same. What counts is the highest resident memory of the process
(`getrusage`) after one step, minus what it was before x was made: by then a layer of the same sizes has run over two time steps, so that
imports and the libraries' working memory are there. MB are 2^20 bytes.

`arrays` is what nobody who keeps values for the backward pass can do without: x, ys and its cotangent, the weights and their gradients, and
each array of all time steps that the backward loop reads, as `print(mg.scan_report().plan)` lists them; each once. minigrad may take
1.15 times that, and no more than PyTorch.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import resource
import subprocess
import sys

import _rivals  # before all that counts cores
from _rivals import Bound, Shape

import minigrad as mg

SHAPES: list[Shape] = [(1000, 32, 256, 512)]
WARM = 2  # time steps of the layer that goes before
OVER_ARRAYS = 1.15
OURS, TORCH = "minigrad", "PyTorch"
LAYERS = {OURS: _rivals.minigrad_layer, TORCH: _rivals.torch_layer}
MB = 2.0**20


def peak() -> float:
    """The highest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MB


def needed(T: int, given: int) -> float:
    """MB of `arrays`, for the scan that ran last, over T time steps; `given` are the bytes of x, the weights and their gradients."""
    plan = mg.scan_report().plan
    back = plan.backward((True,))
    read = {array for array, *_ in plan.outs}
    for stage in back.loop.stages:
        for ref in [ref for instruction in stage.instructions for ref in instruction.ins]:
            read.add(back.layout.places[ref.buffer.root()[0]].array)
    rows = [sink.call.args[0] for sink, _ in back.sinks if sink.call.out not in plan.division.left]  # those of a product ahead are x
    read |= {plan.stacked(value)[0] for value in rows}
    every = sum(array.nbytes() * (T + (array.steps == "T+1")) for array in read if array is not None and array.steps in ("T", "T+1"))
    return float(every + given) / MB


def alone(name: str, shape: Shape) -> str:
    """What a fresh process prints: MB of a training step, and of its arrays if minigrad ran it."""
    LAYERS[name](_rivals.make_task("LSTM", WARM, *shape[1:]))()
    before = peak()
    task = _rivals.make_task("LSTM", *shape)
    run, given = LAYERS[name](task), task.x.nbytes + 2 * sum(weight.nbytes for weight in task.weights.values())
    del task  # the layer has copies
    _rivals.set_threads(_rivals.THREADS)
    run()
    return f"{peak() - before} {needed(shape[0], given) if name == OURS else 0.0}"


def measured(name: str, shape: Shape) -> tuple[float, float]:
    """MB that a fresh process takes, and of its arrays."""
    command = [sys.executable, __file__, "--alone", name, "--shapes", ",".join(map(str, shape)), "--threads", str(_rivals.THREADS)]
    taken, arrays = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(taken), float(arrays)


def main() -> int:
    """Measure, print, compare with the bounds."""
    parser = _rivals.bounds_parser(__doc__, _rivals.threads_option())
    parser.add_argument("--shapes", type=_rivals.parse_shape, nargs="+", metavar="T,B,I,H", default=SHAPES, help="other shapes")
    parser.add_argument("--alone", choices=LAYERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(alone(options.alone, options.shapes[0]))
        return 0
    _rivals.need("torch")
    # torch is not imported here: a process starts with the highest memory of the one that started it
    print(f"{_rivals.versions()}, torch {importlib.metadata.version('torch')}\n")
    print(f"{'T':>5s}{'B':>4s}{'I':>4s}{'H':>4s} |{'minigrad MB':>12s}{'arrays MB':>10s} |{'PyTorch MB':>11s}{'ratio':>6s}")
    bounds = []
    for shape in options.shapes:
        (ours, arrays), (theirs, _) = measured(OURS, shape), measured(TORCH, shape)
        T, B, I, H = shape  # noqa: E741
        print(f"{T:5d}{B:4d}{I:4d}{H:4d} |{ours:12.0f}{arrays:10.0f} |{theirs:11.0f}{theirs / ours:6.2f}", flush=True)
        bounds.append(Bound(f"{shape}: minigrad MB, {OVER_ARRAYS} x arrays", ours, "<=", round(OVER_ARRAYS * arrays)))
        bounds.append(Bound(f"{shape}: minigrad MB, PyTorch's", ours, "<=", round(theirs)))
    return _rivals.verdict(options.check, bounds)


if __name__ == "__main__":
    sys.exit(main())
