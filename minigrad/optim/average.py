"""The average of the weights over the steps, which often does better than the weights themselves (Polyak and Juditsky, 1992)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad.tape import Tensor


class EMA:
    """The exponential moving average of a model's parameters: average = decay average + (1 - decay) weight, at each update().

    The first update copies the weights, as PyTorch's AveragedModel does. `applied()` puts the average into the model for a while;
    `averaged_state_dict()` is the model's state_dict with the averages in it. Raises ValueError for a decay outside [0, 1].

    >>> import minigrad as mg
    >>> model = mg.nn.Linear(1, 1, bias=False)
    >>> ema = EMA(model, decay=0.75)
    >>> for value in [0.0, 4.0]:
    ...     _ = model.weight.assign_(value)
    ...     ema.update()
    >>> with ema.applied():
    ...     model.weight.item()
    1.0
    >>> model.weight.item()
    4.0
    """

    def __init__(self, model: Any, decay: float = 0.999) -> None:
        if not hasattr(model, "named_parameters"):
            raise TypeError(f"EMA takes a module, got {type(model).__name__}")
        if not 0 <= decay <= 1:
            raise ValueError(f"EMA: decay={decay} should be a number from 0 to 1")
        self.model, self.decay = model, float(decay)
        self.updates = 0
        self.averages: dict[str, np.ndarray[Any, Any]] = {name: p.numpy().copy() for name, p in model.named_parameters()}
        self._applied = False

    def update(self) -> None:
        """Take the weights of now into the average: call it after each step of the optimiser."""
        self._ready("update")
        for name, p in self.model.named_parameters():
            average = self.averages[name]
            if self.updates:
                average += (p.numpy() - average) * (1 - self.decay)
            else:
                np.copyto(average, p.numpy())
        self.updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """A context in which the model has the averages for weights. They are exchanged in place, and back again at the end."""
        self._ready("applied")
        self._exchange()
        self._applied = True
        try:
            yield
        finally:
            self._applied = False
            self._exchange()

    def averaged_state_dict(self) -> dict[str, Tensor]:
        """The model's state_dict with the averages for its parameters, and its buffers as they are: copies, for load_state_dict."""
        self._ready("averaged_state_dict")
        state: dict[str, Tensor] = self.model.state_dict()
        return {**state, **{name: Tensor(average) for name, average in self.averages.items() if name in state}}

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything a later run needs to go on bit for bit: mg.save writes it as it is."""
        self._ready("state_dict")
        return {
            "decay": self.decay,
            "updates": self.updates,
            "averages": {name: Tensor(average) for name, average in self.averages.items()},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict() gave. Raises ValueError, with nothing changed, if names or shapes are not the model's."""
        self._ready("load_state_dict")
        if missing := sorted({"decay", "updates", "averages"} - state_dict.keys()):
            raise ValueError(f"EMA: the state_dict has no {', '.join(missing)}")
        given = {name: np.asarray(average) for name, average in state_dict["averages"].items()}
        if different := sorted(given.keys() ^ self.averages.keys()):
            raise ValueError(f"EMA: the parameters {different} are in the model or in the state_dict, but not in both")
        for name, average in self.averages.items():
            if given[name].shape != average.shape:
                raise ValueError(f"EMA: the average of '{name}' has shape {given[name].shape}, the parameter has shape {average.shape}")
        for name, average in self.averages.items():
            np.copyto(average, given[name], casting="same_kind")
        self.decay, self.updates = float(state_dict["decay"]), int(state_dict["updates"])

    def _exchange(self) -> None:
        """Weights for averages, averages for weights."""
        for name, p in self.model.named_parameters():
            weights, average = p.change("EMA.applied", leaf=True), self.averages[name]
            kept = weights.copy()
            np.copyto(weights, average)
            np.copyto(average, kept)

    def _ready(self, doing: str) -> None:
        if self._applied:
            raise RuntimeError(f"EMA.{doing}() inside applied(): the model has the averages for weights now; leave the context first")
