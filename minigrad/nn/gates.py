"""The gates of a recurrent cell or layer: which rows of its weights are whose, and how they start."""

from __future__ import annotations

from typing import Any

from minigrad.tape import Tensor

from . import init
from .module import Module

RECURRENT = {"orthogonal": init.orthogonal_, "identity": init.eye_}


class Gates(Module):
    """Weights with a block of rows for each gate."""

    gates: str  # a letter for each block of rows of the weights
    recurrent: tuple[str, ...] = ("weight_hh",)  # the weights that multiply h
    hidden_size: int

    def all_suffixes(self) -> list[str]:
        """How the parameters end, for each layer and direction."""
        return [""]

    def rows(self, gate: str) -> slice:
        """The rows of the weights that belong to a gate."""
        if gate not in self.gates or len(gate) != 1:
            has = f"its gates are {', '.join(self.gates)}" if self.gates else "its gates have no names"
            raise ValueError(f"{self.label()}: there is no gate {gate!r}: {has}")
        at = self.gates.index(gate) * self.hidden_size
        return slice(at, at + self.hidden_size)

    def gate(self, gate: str, weight: str) -> Tensor:
        """The rows of one gate in a weight or bias, as a tensor on the same memory: what is assigned to it is the layer's.

        `gate` is one of the letters in `gates`, `weight` a parameter's name, as "bias_hh_l0". Raises ValueError for a gate that is not
        there, and for a parameter that has no rows for each gate.

        >>> from minigrad import nn
        >>> lstm = nn.LSTM(3, 4)
        >>> nn.init.ones_(lstm.gate("f", "bias_ih_l0"))
        tensor([1., 1., 1., 1.])
        >>> nn.init.eye_(lstm.gate("g", "weight_hh_l0")).shape
        (4, 4)
        """
        rows, found = self.rows(gate), vars(self).get(weight)
        if not isinstance(found, Tensor) or found.shape[:1] != (len(self.gates) * self.hidden_size,):
            have = [name for name, one in self._own(buffers=False) if one.shape[0] == len(self.gates) * self.hidden_size]
            raise ValueError(f"{self.label()}: {weight!r} has no rows for each gate; {', '.join(have)} have")
        return found.detach()[rows]

    def set_gate_bias(self, suffix: str, gate: str, value: Any) -> None:
        """Start a gate with b_ih + b_hh = value."""
        self.gate(gate, "bias_ih" + suffix).assign_(value)
        self.gate(gate, "bias_hh" + suffix).assign_(0.0)

    def keeps(self) -> dict[str, float]:
        """The gates on which it depends how long a memory lasts: 1 for those that keep when they are open, -1 for those that write."""
        return {}

    def start_recurrent(self, suffix: str, how: str | None) -> None:
        """Start what multiplies the state, block by block, as an orthogonal matrix or as the identity; None leaves it as it is."""
        if how is None:
            return
        if how not in RECURRENT:
            raise ValueError(f"{type(self).__name__}: recurrent_init={how!r} is not one of {', '.join(map(repr, RECURRENT))}, None")
        for label in self.recurrent:
            init.blocks_(getattr(self, label + suffix), self.hidden_size, RECURRENT[how])
