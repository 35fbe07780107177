"""Where the state of a recurrent layer comes from when none is given: from parameters that learn it, or from the last call."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops import broadcast_to
from minigrad.scan.tree import detach, flatten, unflatten
from minigrad.tape import Tensor

from .equations import Carry, Equations, packed
from .module import Parameter


def add_first_states(layer: Equations) -> None:
    """Make a parameter of zeros for each state, layer and direction: h_0_l0, c_0_l0, h_0_l0_reverse ..."""
    for suffix in layer.all_suffixes():
        for label, width in zip(layer.states, layer.widths(), strict=True):
            setattr(layer, f"{label}_0{suffix}", Parameter(np.zeros(width, layer.dtype)))


def first_states(layer: Equations, batch: int) -> list[Carry]:
    """These parameters as the first carry of each layer and direction, the same for every sequence of the batch."""

    def first(label: str, suffix: str) -> Tensor:
        parameter = getattr(layer, f"{label}_0{suffix}")
        return broadcast_to(parameter, (batch, *parameter.shape))

    return [packed([first(label, suffix) for label in layer.states]) for suffix in layer.all_suffixes()]


def check_stateful(layer: Any) -> None:
    """Refuse to carry a state on that runs against time."""
    if layer.stateful and layer.bidirectional:
        raise ValueError(
            f"{type(layer).__name__}: stateful=True goes on where the last call ended, and a backward direction ends at the first step: "
            "use it with bidirectional=False"
        )


def keep_state(layer: Any, state: Carry | None) -> None:
    """Note the state that the next call begins with, without its history. No state_dict has it."""
    vars(layer)["_kept"] = detach(state)


def kept_state(layer: Any, x: Any) -> Carry | None:
    """The state that the last call left, for a batch of the same size; None at first."""
    kept = vars(layer).get("_kept")
    if kept is None:
        return None
    states, kind = flatten(kept)
    shape, given = states[0].shape, np.shape(x)
    if len(given) in (2, 3):  # of any other input `checked` says what is wrong
        expected = shape[1] if len(shape) == 3 else None
        found = given[0 if layer.batch_first else 1] if len(given) == 3 else None
        if expected != found:
            have, got = (f"a batch of {size}" if size is not None else "one sequence without a batch" for size in (expected, found))
            raise ShapeError(
                f"{layer.label()}: stateful=True kept the state of {have}, and this input is {got}: call reset_state() before it, or give "
                "a state"
            )
    return unflatten(kind, [state if state.dtype == layer.dtype else state.astype(layer.dtype) for state in states])
