"""`nn.cell`: a function of equations becomes a recurrent layer, and a cell, like the library's own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.scan.known import fingerprint
from minigrad.tape import Tensor

from .cells import Cell
from .equations import Carry, Equations, Shapes
from .stack import FORM, Layers

Start = Callable[[Tensor], Any]


class FunctionEquations(Equations):
    """Equations that a user wrote as a function; `cell` makes the classes that stand on this one."""

    function: Callable[..., Any]
    dimensions: dict[str, tuple[str, ...]]  # of each weight
    starts: dict[str, Start]

    def choose(self, options: dict[str, Any]) -> None:
        """Note the values of the function's options; raises TypeError for one that it does not have."""
        if unknown := sorted(set(options) - set(self.usual)):
            has = f"has the options {', '.join(self.usual)}" if self.usual else "has no options"
            raise TypeError(f"{type(self).__name__}: {', '.join(unknown)}: the function {has}")
        for label, value in {**self.usual, **options}.items():
            setattr(self, label, value)

    def shapes(self, input_size: int) -> Shapes:
        """As `cell` was told."""
        sizes = {"I": input_size, "H": self.hidden_size}
        return {label: tuple([size_of(part, sizes) for part in parts]) for label, parts in self.dimensions.items()}

    def start(self, parameter: Tensor, name: str) -> None:
        """As `init` says, or U(-k, k) with k = 1 / sqrt(hidden_size)."""
        if name in self.starts:
            self.starts[name](parameter)
        else:
            super().start(parameter, name)

    def step(self, carry: Carry, x: Tensor, w: Any) -> tuple[Carry, Tensor]:
        """The function."""
        options = {label: getattr(self, label) for label in self.usual}
        first, *others = carry if isinstance(carry, tuple) else (carry,)
        seen = self.read(first, w)
        if seen is not first:
            carry = (seen, *others) if others else seen
        result = type(self).function(carry, x, **{label: getattr(w, label) for label in self.dimensions}, **options)
        self.check_result(carry, result)
        after: tuple[Carry, Tensor] = result
        return after

    def check_result(self, carry: Carry, result: Any) -> None:
        """Refuse what is no (carry, y) with a carry like the one that came."""
        name = type(self).__name__
        if type(result) is not tuple or len(result) != 2:
            raise TypeError(f"{name}: the function should return a pair (carry, y), got {said(result)}")
        before, after = [tuple(one) if isinstance(one, tuple | list) else (one,) for one in (carry, result[0])]
        if [getattr(one, "shape", None) for one in after] != [one.shape for one in before]:
            raise ShapeError(f"{name}: the function got as carry {said(carry)} and returned {said(result[0])}: the shapes should be equal")

    def known(self) -> tuple[Any, tuple[Tensor, ...]]:
        """By all that the function can reach, where that can be told."""
        if type(self).step is not FunctionEquations.step or not self.calls_ours():
            return None, ()
        key, reach = fingerprint(type(self).function)
        return (None if key is None else (key, self.options())), reach


def said(value: Any) -> str:
    """Tensors by their shapes, anything else by its type."""
    if isinstance(value, tuple | list):
        return f"({', '.join(map(said, value))})"
    return f"a tensor of shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__


def size_of(part: str, sizes: dict[str, int]) -> int:
    """What "H", "4H" or "7" stands for."""
    found = re.fullmatch(r"(\d*)([IH]?)", part)
    assert found is not None
    return int(found[1] or 1) * (sizes[found[2]] if found[2] else 1)


def cell(*, states: str = "h", init: dict[str, Start] | None = None, **weights: str) -> Callable[[Callable[..., Any]], Any]:
    """Make a recurrent layer of a function of equations: `step(carry, x, weights ..., *, options ...) -> (carry, y)`.

    `weights` says the shape of each by name, "H I", "4H H" or "H", in the layer's input size I and hidden size H. The function gets the
    carry (one tensor (B, H), or a tuple of as many as `states` names), x (B, I) and its weights, and returns the next carry and its output
    y (B, H). Keyword-only parameters with defaults are options of the layer. Weights start from U(-k, k), k = 1 / sqrt(H), or as `init`
    says: {"b": nn.init.zeros_}. What comes back is a class like nn.LSTM, `Name(input_size, hidden_size, num_layers, ...)` with all of its
    settings, lengths and masks included; `Name.Cell(input_size, hidden_size)` takes one step. Parameters are called after the weights,
    `W_l0`, `W_l0_reverse`, `W_l1` in a layer. A step made of minigrad's operations runs compiled: `mg.scan_report()` says.

    The minimal gated unit (Zhou et al., 2016):

    >>> import minigrad as mg
    >>> @cell(W="2H I", U_f="H H", U_n="H H", b="2H")
    ... def MGU(h, x, W, U_f, U_n, b):
    ...     xf, xn = mg.linear(x, W, b).split(2, axis=-1)
    ...     f = mg.sigmoid(xf + mg.linear(h, U_f))
    ...     n = mg.tanh(xn + mg.linear(f * h, U_n))
    ...     h = (1 - f) * h + f * n
    ...     return h, h
    >>> layer = MGU(3, 4, bidirectional=True)
    >>> output, h_n = layer(mg.zeros(7, 5, 3))
    >>> output.shape, h_n.shape
    ((7, 5, 8), (2, 5, 4))
    """
    dimensions = {label: parts_of(label, said) for label, said in weights.items()}
    if stray := sorted(set(init or {}) - set(weights)):
        raise TypeError(f"cell: init names {', '.join(stray)}, the weights are {', '.join(weights) or 'none'}")

    def make(function: Callable[..., Any]) -> Any:
        label = getattr(function, "__name__", "cell")
        common = {
            "function": staticmethod(function),
            "dimensions": dimensions,
            "starts": dict(init or {}),
            "states": tuple(states.replace(",", " ").split()),
            "usual": options_of(label, function, weights),
            "gates": "",
            "recurrent": tuple([name for name, parts in dimensions.items() if len(parts) == 2 and parts[1] == "H"]),
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        one = type(label + "Cell", (FunctionEquations, Cell), {**common, "__init__": cell_init})
        return type(label, (FunctionEquations, Layers), {**common, "__init__": layers_init, "Cell": one})

    return make


def parts_of(label: str, said: Any) -> tuple[str, ...]:
    """The shape of a weight as its parts."""
    parts = tuple(said.split()) if isinstance(said, str) else ()
    if not parts or not all(re.fullmatch(r"\d+|\d*[IH]", part) for part in parts):
        raise TypeError(
            f'cell: {label}={said!r} is no shape: say it as "4H I", with I for the input size, H for the hidden size, and numbers before '
            "them or alone"
        )
    return parts


def options_of(label: str, function: Callable[..., Any], weights: dict[str, str]) -> dict[str, Any]:
    """The options of a function and their defaults; raises TypeError if it does not take (carry, x) and these weights."""
    parameters = list(inspect.signature(function).parameters.values())
    plain = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    if len(plain) < 2 or set(plain[2:]) != set(weights):
        raise TypeError(
            f"cell: {label} takes ({', '.join(plain)}), expected carry, x and the weights that are named, "
            f"({', '.join(['carry', 'x', *weights])})"
        )
    options = {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}
    if missing := [name for name, value in options.items() if value is inspect.Parameter.empty]:
        raise TypeError(f"cell: the options of {label} need defaults: {', '.join(missing)}")
    return options


def cell_init(
    self: Any, input_size: int, hidden_size: int, *, recurrent_init: str | None = None, dtype: Any = np.float32, **options: Any
) -> None:
    """The weights, and the options of the function."""
    super(FunctionEquations, self).__init__(input_size, hidden_size, True, dtype)
    self.choose(options)
    self.add_weights("", input_size, recurrent_init)


def layers_init(
    self: Any,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    *,
    batch_first: bool = False,
    dropout: float = 0.0,
    bidirectional: bool = False,
    dtype: Any = np.float32,
    **others: Any,
) -> None:
    """The layers, and the options of the function."""
    super(FunctionEquations, self).__init__(input_size, hidden_size, num_layers, True, batch_first, dropout, bidirectional, dtype)
    form = {label: others.pop(label) for label in FORM if label in others}
    self.choose(others)
    self.set_form(**form)
