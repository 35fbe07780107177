"""`summary`: a model as a table of its layers, the shapes that come out of them, and their parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad import random
from minigrad.recording import no_grad
from minigrad.tape import Tensor

from .module import Module


class Row(NamedTuple):
    """One call of one module: its path, its class, the shape of what it returned, and how many parameters are its own."""

    path: str
    kind: str
    output: str
    parameters: int
    frozen: int


class Summary:
    """What `summary` found: `rows`, the number of `parameters` and of those that are `trainable`; printed, a table."""

    def __init__(self, rows: list[Row], parameters: int, trainable: int, nbytes: int) -> None:
        self.rows = rows
        self.parameters = parameters
        self.trainable = trainable
        self.nbytes = nbytes

    def __repr__(self) -> str:
        lines = [("layer", "kind", "output", "parameters")]
        for row in self.rows:
            depth = row.path.count(".") + 1 if row.path else 0
            count = f"{row.parameters:,}" if row.parameters else "-"
            note = " frozen" if row.frozen and row.frozen == row.parameters else f" ({row.frozen:,} frozen)" if row.frozen else ""
            lines.append(("  " * depth + (row.path.rpartition(".")[2] or "(model)"), row.kind, row.output, count + note))
        widths = [max(len(line[column]) for line in lines) for column in range(3)]
        table = ["  ".join([*(text.ljust(width) for text, width in zip(line, widths, strict=False)), line[3]]).rstrip() for line in lines]
        total = f"{self.parameters:,} parameters, {self.trainable:,} of them trainable, {self.nbytes / 1e6:.3g} MB"
        return "\n".join([*table, total])


def summary(model: Module, *example: Any, **kwargs: Any) -> Summary:
    """The layers of `model` in the order in which they are called with this example, their output shapes and parameters, as a table.

    `example` (and keyword arguments) is what the model's forward takes: one small batch. It is run once, without gradients and as after
    eval(), so that no statistic, no random number and no `.grad` changes. A module that is called twice has two rows; one that is not
    called at all has one without a shape. A parameter is counted in the row of the module that owns it, under its first name only.

    >>> from minigrad import nn
    >>> summary(nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.Linear(4, 2)), [[1.0, 2.0, 3.0]])
    layer    kind        output  parameters
    (model)  Sequential  (1, 2)  -
      0      Linear      (1, 4)  16
      1      Identity    (1, 4)  -
      2      Linear      (1, 2)  10
    26 parameters, 26 of them trainable, 0.000104 MB
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary takes a module and an example of its input, got {type(model).__name__}")
    names = {id(module): path for path, module in model.named_modules()}
    owned: dict[int, list[Tensor]] = {id(module): [] for module in model.modules()}
    seen: set[int] = set()
    for module in model.modules():
        for _, parameter in module._own(buffers=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                owned[id(module)].append(parameter)
    rows: list[Row | None] = []
    called: set[int] = set()
    open_rows: list[int] = []

    def row_of(module: Module, output: str) -> Row:
        own = owned[id(module)] if id(module) not in called else []
        frozen = sum(parameter.size for parameter in own if not parameter.requires_grad)
        called.add(id(module))
        return Row(names[id(module)], type(module).__name__, output, sum(parameter.size for parameter in own), frozen)

    def before(module: Module, args: Any) -> None:
        open_rows.append(len(rows))
        rows.append(None)

    def after(module: Module, args: Any, output: Any) -> None:
        rows[open_rows.pop()] = row_of(module, shapes(output))

    state, modes = random.get_rng_state(), [(module, module.training) for module in model.modules()]
    handles = []
    try:
        for module in model.modules():
            handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
            module.training = False
        with no_grad():
            model(*example, **kwargs)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            module.training = mode
        random.set_rng_state(state)
    found = [row for row in rows if row is not None]
    found += [row_of(module, "not called") for module in model.modules() if id(module) not in called]
    parameters = list(model.parameters())
    trainable = sum(parameter.size for parameter in parameters if parameter.requires_grad)
    return Summary(found, sum(parameter.size for parameter in parameters), trainable, sum(parameter.nbytes for parameter in parameters))


def shapes(output: Any) -> str:
    """The shape of a tensor, or of each tensor in a nest."""
    if isinstance(output, Tensor):
        return str(output.shape)
    if isinstance(output, dict):
        return "{" + ", ".join(f"{key}: {shapes(value)}" for key, value in output.items()) + "}"
    if isinstance(output, tuple | list):
        return "[" + ", ".join(shapes(item) for item in output) + "]"
    return type(output).__name__
