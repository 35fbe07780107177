"""Makes tests/vectors/recurrent.npz with PyTorch: what torch.nn.RNN, LSTM and GRU return, and all their gradients, in float64.

    python tests/make_torch_vectors.py

For each case two flat arrays: `<case>/given` (weights in the order of named_parameters, x, the initial states, one cotangent for
each output used) in float32, and `<case>/found` (output, last states, gradients of all that was given but the cotangents) in float64.
test_recurrent.py imports CASES and the drawing from here; only `torch_run` needs torch.
"""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FILE = Path(__file__).parent / "vectors" / "recurrent.npz"
T, B, I, H = 3, 2, 4, 3  # noqa: E741 - the field's names
OUTPUTS = {"RNN": ("output", "h_n"), "GRU": ("output", "h_n"), "LSTM": ("output", "h_n", "c_n")}


class Case(NamedTuple):
    """One recurrent layer, and which of its outputs the loss uses."""

    kind: str
    layers: int
    bidirectional: bool
    batch_first: bool
    bias: bool
    uses: tuple[str, ...]
    steps: int = T

    def __str__(self) -> str:
        marks = (
            "bi" * self.bidirectional,
            "batch_first" * self.batch_first,
            "" if self.bias else "no_bias",
            f"T{self.steps}" * (self.steps != T),
        )
        return "-".join(filter(None, [self.kind, str(self.layers), *marks, "+".join(self.uses)]))

    def settings(self) -> dict[str, Any]:
        """Keyword arguments of the layer."""
        return {"num_layers": self.layers, "bidirectional": self.bidirectional, "batch_first": self.batch_first, "bias": self.bias}


def subsets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Every subset but the empty one and the whole."""
    return [chosen for count in range(1, len(names)) for chosen in combinations(names, count)]


CASES = [
    Case(kind, layers, bidirectional, batch_first, bias, OUTPUTS[kind])
    for kind, layers, bidirectional, batch_first, bias in product(OUTPUTS, (1, 3), (False, True), (False, True), (True, False))
]
CASES += [Case(kind, 2, True, False, True, uses) for kind in OUTPUTS for uses in subsets(OUTPUTS[kind])]
CASES += [Case(kind, layers, True, False, True, OUTPUTS[kind], 50) for kind in OUTPUTS for layers in (1, 3)]


def draw(case: Case, weights: list[tuple[int, ...]], seed: int, dtype: Any = np.float32) -> list[np.ndarray[Any, Any]]:
    """Weights of the given shapes, x, different non-zero states, and non-uniform cotangents."""
    generator = np.random.default_rng(seed)
    directions = 1 + case.bidirectional
    states = [(case.layers * directions, B, H)] * (len(OUTPUTS[case.kind]) - 1)
    order = (lambda time, batch: (batch, time)) if case.batch_first else (lambda time, batch: (time, batch))
    outputs = dict(zip(OUTPUTS[case.kind], [(*order(case.steps, B), directions * H), *states], strict=True))
    arrays = [generator.uniform(-0.6, 0.6, shape) for shape in weights]
    arrays += [generator.standard_normal(shape) for shape in [(*order(case.steps, B), I), *states, *[outputs[name] for name in case.uses]]]
    return [array.astype(np.float32).astype(dtype) for array in arrays]


def torch_run(case: Case, given: list[np.ndarray[Any, Any]], model: Any) -> list[np.ndarray[Any, Any]]:
    """Outputs of a torch layer that holds the weights of `given`, and gradients by weights, x and states."""
    import torch

    parameters = list(model.parameters())
    with torch.no_grad():
        for parameter, array in zip(parameters, given, strict=False):
            parameter.copy_(torch.from_numpy(array))
    names = OUTPUTS[case.kind]
    x, *states = [torch.from_numpy(array).requires_grad_() for array in given[len(parameters) : len(parameters) + len(names)]]
    output, last = model(x, tuple(states) if len(states) == 2 else states[0])
    outputs = dict(zip(names, [output, *(last if isinstance(last, tuple) else [last])], strict=True))
    cotangents = [torch.from_numpy(array) for array in given[-len(case.uses) :]]
    wanted = [*parameters, x, *states]
    gradients = torch.autograd.grad([outputs[name] for name in case.uses], wanted, cotangents, materialize_grads=True)
    return [tensor.detach().numpy() for tensor in (*outputs.values(), *gradients)]


def torch_model(case: Case, dtype: Any) -> Any:
    """The torch layer of a case."""
    import torch

    return getattr(torch.nn, case.kind)(I, H, **case.settings()).to(torch.float64 if dtype == np.float64 else torch.float32)


def flat(arrays: list[np.ndarray[Any, Any]], dtype: Any) -> np.ndarray[Any, Any]:
    """All arrays one after another."""
    return np.concatenate([array.reshape(-1) for array in arrays]).astype(dtype)


def main() -> None:
    """Write the file."""
    stored = {}
    for seed, case in enumerate(CASES):
        model = torch_model(case, np.float64)
        given = draw(case, [tuple(parameter.shape) for parameter in model.parameters()], seed, np.float64)
        stored[f"{case}/given"] = flat(given, np.float32)
        stored[f"{case}/found"] = flat(torch_run(case, given, model), np.float64)
    FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(FILE, **stored)
    print(f"{FILE}: {len(CASES)} cases, {FILE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
