"""What each option of a recurrent layer costs: no feature is to take the fast path away.

    python benchmarks/features.py                     a training step with each option, one core
    python benchmarks/features.py --check             exit status 1 if a bound fails, which is then listed

A training step is the forward pass and the backward pass of sum(output * fixed random numbers) to every weight and the input, float32, at
(T, B, I, H) = (50, 32, 128, 128). `ratio` is its time for each valid step over that of the plain LSTM in the same interleaved rounds; what
did not run compiled is marked. `lengths` are even from 1 to T, a mask with holes leaves out half of the steps.
"""

from __future__ import annotations

import sys
from typing import Any

import _rivals
import numpy as np
from _rivals import Bound

import minigrad as mg
from minigrad import nn

SHAPE = 50, 32, 128, 128
BOUND, TRACE_BOUND = 1.5, 1.3
PLAIN = "plain LSTM"


def layer(**options: Any) -> Any:
    """An LSTM with options."""
    return nn.LSTM(SHAPE[2], SHAPE[3], **options)


def variants() -> dict[str, tuple[Any, dict[str, Any]]]:
    """The layers, and what they are called with."""
    T, B, I, H = SHAPE  # noqa: E741
    holes = np.random.default_rng(0).random((T, B)) < 0.5
    return {
        PLAIN: (layer(), {}),
        "peephole": (layer(peephole=True), {}),
        "coupled gates": (layer(coupled=True), {}),
        "layer norm": (layer(layer_norm=True), {}),
        "projection to 64": (layer(proj_size=64), {}),
        "cell clip": (layer(cell_clip=3.0), {}),
        "four gates": (nn.FourGateLSTM(I, H), {}),
        "GRU, reset before": (nn.GRU(I, H, reset="before"), {}),
        "variational dropout": (layer(variational=0.2), {}),
        "recurrent dropout": (layer(recurrent_dropout=0.2), {}),
        "zoneout": (layer(zoneout=0.1), {}),
        "weight drop": (layer(weight_drop=0.2), {}),
        "lengths": (layer(), {"lengths": np.linspace(1, T, B).astype(int)}),
        "mask with holes": (layer(), {"mask": holes}),
        "all cell states": (layer(), {"all_states": True}),
        "trace": (layer(), {"trace": True}),
        "learned first state": (layer(learned_state=True), {}),
        "reverse": (nn.LSTM(I, H, bidirectional=True), {}),
    }


def contender(net: Any, how: dict[str, Any]) -> tuple[_rivals.Run, float]:
    """A training step, and how many valid steps it has for each of the plain layer's."""
    T, B, I, _ = SHAPE  # noqa: E741
    rng = np.random.default_rng(1)
    x = mg.tensor(rng.standard_normal((T, B, I)).astype(np.float32), requires_grad=True)
    valid = how["mask"].mean() if "mask" in how else how["lengths"].mean() / T if "lengths" in how else 1.0
    seed = mg.tensor(rng.standard_normal(net(x, **how)[0].shape).astype(np.float32))
    leaves = [x, *net.parameters()]

    def run() -> Any:
        for leaf in leaves:
            leaf.grad = None
        net(x, **how)[0].backward(seed)
        return [leaf.grad for leaf in leaves]

    return run, valid * (2 if net.bidirectional else 1)


def main() -> int:
    """Measure, print, compare with the bounds."""
    options = _rivals.bounds_parser(__doc__, _rivals.threads_option()).parse_args()
    _rivals.set_threads(_rivals.THREADS)
    print(f"{_rivals.versions()}; (T, B, I, H) = {SHAPE}\n")
    runs, share, compiled = {}, {}, {}
    for name, (net, how) in variants().items():
        runs[name], share[name] = contender(net, how)
        compiled[name] = mg.scan_report().compiled
    times = _rivals.measure(runs, options.rounds)
    plain = times[PLAIN].seconds
    bounds = []
    print(f"{'':22s}{'ms':>8s}{'valid':>7s}{'ratio':>7s}")
    for name, timing in times.items():
        ratio = timing.seconds / share[name] / plain
        print(f"{name:22s}{timing.seconds * 1e3:8.2f}{share[name]:7.2f}{ratio:7.2f}{'' if compiled[name] else '  as a loop'}", flush=True)
        if name != PLAIN:
            bounds.append(Bound(f"{name}: time of the plain layer", ratio, "<=", TRACE_BOUND if name == "trace" else BOUND))
        bounds.append(Bound(f"{name}: compiled", float(compiled[name]), ">=", 1.0))
    return _rivals.verdict(options.check, bounds)


if __name__ == "__main__":
    sys.exit(main())
