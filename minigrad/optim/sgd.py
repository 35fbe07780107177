"""Stochastic gradient descent, with momentum and Nesterov's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .base import Array, Optimizer, Params
from .lag import steps_to_rest


class SGD(Optimizer):
    """Stochastic gradient descent (Robbins and Monro, 1951), with momentum (Polyak, 1964) or Nesterov's (Sutskever et al., 2013).

    g += weight_decay p;  b = momentum b + (1 - dampening) g, at the first step b = g;  p -= lr b, with nesterov p -= lr (g + momentum b).
    `maximize` takes -g for g. As in PyTorch. Raises ValueError for options out of range.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5, 1. ], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov}
        super().__init__(params, {**options, "maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError for options out of range."""
        super().check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(f"{self.name}: nesterov wants a momentum above 0 and no dampening")

    def kept(self, group: dict[str, Any]) -> dict[str, float]:
        """The velocity, where there is momentum."""
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def rest(self, group: dict[str, Any], dtype: np.dtype[Any]) -> tuple[float | None, dict[str, float]]:
        """The velocity dies away; a decay of the weights never ends."""
        momentum = float(group["momentum"])
        if group["weight_decay"]:
            return None, {}
        return steps_to_rest(momentum, dtype), {"momentum_buffer": momentum} if momentum else {}

    def update(self, p: Array, g: Array, state: Mapping[str, Any], group: dict[str, Any]) -> None:
        """The equations above."""
        momentum, dampening = float(group["momentum"]), float(group["dampening"])
        s, t, _ = self.scratch(p)
        if momentum:
            b = state["momentum_buffer"]
            b *= momentum
            b += np.multiply(g, 1 - dampening, out=s) if dampening and not state["first"] else g
            g = np.add(np.multiply(b, momentum, out=t), g, out=t) if group["nesterov"] else b
        p -= np.multiply(g, float(group["lr"]), out=s)
