"""An LSTM without gradients in minigrad, PyTorch and ONNX Runtime: one step at a time, and whole sequences; one core.

    python benchmarks/inference.py             a stream of single steps, and two sequences
    python benchmarks/inference.py --check     exit status 1 if a bound fails, which is then listed

A streaming step is one call with T = 1, B = 1 and the state of the call before: what a program pays that reads a signal as it comes. The
sequences start from zeros. The weights are the same, the results must agree first, and inputs are in each library's own type. minigrad
runs under `no_grad`, PyTorch in its inference mode; ONNX Runtime has one LSTM operator with fixed shapes, all optimizations, one thread,
and is called with arrays, which gives new arrays, as the two others do. The last column is the stream with memory that was bound ahead and
is overwritten by every step: the least that ONNX Runtime can take from Python, and no bound here. Medians of interleaved rounds, each
shot repeated until it lasts 20 ms.

ONNX has W (directions, 4H, I) and R (directions, 4H, H) with the gates in the order i o f c, where PyTorch and minigrad have i f g o
(c is g: another name for the candidate), and B (directions, 8H), the input's bias and then the state's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import _rivals  # before all that counts cores
import numpy as np
from _rivals import Bound, Run, Shape, Task, Timing

import minigrad as mg

STREAM: Shape = (1, 1, 64, 128)
SEQUENCES: list[Shape] = [(100, 1, 64, 128), (64, 32, 128, 256)]
CHECKED = 50  # steps of the stream that are compared
STEP_BOUND = 0.6  # minigrad's time for a streaming step, over ONNX Runtime's
SEQUENCE_BOUND = 1.1  # ONNX Runtime's time for a sequence, over minigrad's
OURS, TORCH, ONNX, BOUND = "minigrad", "PyTorch", "ONNX Runtime", "ONNX, memory bound ahead"
Step = Callable[[Any, Any], tuple[Any, Any]]  # x (T, B, I) and the state, None for zeros, to the output and the new state


def minigrad_lstm(task: Task) -> tuple[Step, Any]:
    """minigrad's layer, and its input."""
    layer = mg.nn.LSTM(task.x.shape[-1], task.cotangent.shape[-1])
    layer.load_state_dict(task.weights)
    return layer.eval(), mg.tensor(task.x)


def torch_lstm(task: Task) -> tuple[Step, Any]:
    """PyTorch's layer, and its input."""
    import torch

    torch.set_num_threads(_rivals.THREADS)
    layer = torch.nn.LSTM(task.x.shape[-1], task.cotangent.shape[-1])
    layer.load_state_dict({name: torch.tensor(weight) for name, weight in task.weights.items()})
    return layer.eval(), torch.tensor(task.x)


def onnx_model(task: Task, carried: bool) -> bytes:
    """A model of one LSTM operator; with `carried` the state goes in and comes out."""
    from onnx import TensorProto, helper, numpy_helper

    (T, B, I), H = task.x.shape, task.cotangent.shape[-1]  # noqa: E741

    def onnx_order(weight: np.ndarray) -> np.ndarray:
        """Rows for i f g o as rows for i o f c."""
        i, f, g, o = np.split(weight, 4)
        return np.concatenate([i, o, f, g])

    def value(name: str, *shape: int) -> Any:
        """An input or output of the model."""
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    W, R, b_ih, b_hh = (onnx_order(weight) for weight in task.weights.values())
    constants = {"W": W[None], "R": R[None], "B": np.concatenate([b_ih, b_hh])[None]}
    node = helper.make_node(
        "LSTM",
        ["X", "W", "R", "B"] + ["", "h", "c"] * carried,  # the empty name: all sequences have full length
        ["Y"] + ["h_n", "c_n"] * carried,
        hidden_size=H,
    )
    graph = helper.make_graph(
        [node],
        "lstm",
        [value("X", T, B, I)] + [value("h", 1, B, H), value("c", 1, B, H)] * carried,
        [value("Y", T, 1, B, H)] + [value("h_n", 1, B, H), value("c_n", 1, B, H)] * carried,
        [numpy_helper.from_array(np.ascontiguousarray(constant), name) for name, constant in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def onnx_session(task: Task, carried: bool) -> Any:
    """The model, ready to run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = _rivals.THREADS
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(onnx_model(task, carried), options, providers=["CPUExecutionProvider"])


def onnx_lstm(task: Task) -> tuple[Step, Any]:
    """ONNX Runtime's session as a layer, and its input."""
    carried = task.x.shape[0] == 1
    session = onnx_session(task, carried)
    zeros = np.zeros((1, *task.cotangent.shape[1:]), np.float32)

    def step(x: Any, state: Any) -> tuple[Any, Any]:
        """The output with ONNX's axis of directions taken away."""
        if not carried:
            return session.run(None, {"X": x})[0][:, 0], None
        h, c = state or (zeros, zeros)
        y, h, c = session.run(None, {"X": x, "h": h, "c": c})
        return y[:, 0], (h, c)

    return step, task.x


def onnx_bound(task: Task) -> Run:
    """A step of the stream in ONNX Runtime, to and from memory that stays: two states take turns as the old and the new one."""
    session = onnx_session(task, carried=True)
    T, B, H = task.cotangent.shape
    y = np.zeros((T, 1, B, H), np.float32)
    states = [{name: np.zeros((1, B, H), np.float32) for name in "hc"} for _ in range(2)]
    bindings = []
    for old, new in [states, states[::-1]]:
        binding = session.io_binding()
        for name, array in {"X": task.x, **old}.items():
            binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in {"Y": y, "h_n": new["h"], "c_n": new["c"]}.items():
            binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        bindings.append(binding)

    def run(kept: Any = (task, states)) -> Any:  # the bindings have bare addresses of these
        session.run_with_iobinding(bindings[0])
        bindings.reverse()
        return y[:, 0]

    return run


def streaming(step: Step, x: Any) -> Run:
    """One step after another, each from the state that the last one left."""
    state = None

    def run() -> Any:
        nonlocal state
        y, state = step(x, state)
        return y

    return run


def measure(shape: Shape, rounds: int) -> dict[str, Timing]:
    """Everybody on one shape, after a check of their results."""
    import torch

    task = _rivals.make_task("LSTM", *shape)
    layers = {name: make(task) for name, make in {OURS: minigrad_lstm, TORCH: torch_lstm, ONNX: onnx_lstm}.items()}
    with mg.no_grad(), torch.inference_mode():
        if shape == STREAM:
            contenders = [{name: streaming(*layer) for name, layer in layers.items()} | {BOUND: onnx_bound(task)} for _ in range(2)]
            check = {name: lambda run=run: [np.asarray(run()).copy() for _ in range(CHECKED)] for name, run in contenders[0].items()}
            runs = contenders[1]
        else:
            runs = {name: lambda step=step, x=x: step(x, None)[0] for name, (step, x) in layers.items()}
            check = {name: lambda run=run: [run()] for name, run in runs.items()}
        _rivals.check_agreement(f"LSTM {shape}", check)
        return _rivals.measure(runs, rounds)


def main() -> int:
    """Measure, print, compare with the bounds."""
    options = _rivals.bounds_parser(__doc__).parse_args()
    _rivals.need("torch", "onnx", "onnxruntime")
    print(_rivals.versions("torch", "onnx", "onnxruntime"))
    names = f"{OURS:>10s}{TORCH:>10s}{ONNX:>14s}"
    print(f"\n{'microseconds':14s}{'T':>5s}{'B':>4s}{'I':>4s}{'H':>4s} |{names} | {TORCH}/minigrad  {ONNX}/minigrad | {BOUND}")
    bounds = []
    for shape in [STREAM, *SEQUENCES]:
        seconds = {name: timing.seconds for name, timing in measure(shape, options.rounds).items()}
        ours, torch, onnx = (seconds[name] for name in (OURS, TORCH, ONNX))
        sizes = "{:5d}{:4d}{:4d}{:4d}".format(*shape)
        print(f"{'streaming step' if shape == STREAM else 'sequence':14s}{sizes} |", end="")
        print(f"{ours * 1e6:10.1f}{torch * 1e6:10.1f}{onnx * 1e6:14.1f} |{torch / ours:17.2f}{onnx / ours:23.2f}", end="")
        print(f" |{seconds[BOUND] * 1e6:10.1f}" if BOUND in seconds else " |", flush=True)
        if shape == STREAM:
            bounds.append(Bound("streaming step: minigrad's time / ONNX Runtime's", ours / onnx, "<=", STEP_BOUND))
        else:
            bounds.append(Bound(f"sequence {shape}: ONNX Runtime's time / minigrad's", onnx / ours, ">=", SEQUENCE_BOUND))
    return _rivals.verdict(options.check, bounds)


if __name__ == "__main__":
    sys.exit(main())
