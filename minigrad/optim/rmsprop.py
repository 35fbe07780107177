"""RMSprop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .base import Array, Optimizer, Params
from .lag import steps_to_rest


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton, 2012; centered: Graves, 2013), with PyTorch's defaults.

    g += weight_decay p;  v = alpha v + (1 - alpha) g^2;  d = sqrt(v) + eps, or if centered a = alpha a + (1 - alpha) g and
    d = sqrt(v - a^2) + eps;  p -= lr g / d, with momentum b = momentum b + g / d and p -= lr b. `maximize` takes -g for g.
    The state names v square_avg, a grad_avg and b momentum_buffer. Raises ValueError for options out of range.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = RMSprop([w], lr=0.25, alpha=0.75)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5, 1.5], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum, "centered": centered}
        super().__init__(params, {**options, "maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError for options out of range."""
        super().check(group)
        if not 0 <= group["alpha"] <= 1:
            raise ValueError(f"{self.name}: alpha={group['alpha']} should be a number from 0 to 1")

    def kept(self, group: dict[str, Any]) -> dict[str, float]:
        """The count of steps, the mean of the squared gradients, if centered that of the gradients, with momentum the velocity."""
        more = {"momentum_buffer": group["momentum"], "grad_avg": group["centered"]}
        return {"step": 0, "square_avg": 0.0, **{name: 0.0 for name, wanted in more.items() if wanted}}

    def rest(self, group: dict[str, Any], dtype: np.dtype[Any]) -> tuple[float | None, dict[str, float]]:
        """The velocity dies away, and the means fade; a decay of the weights never ends."""
        momentum, alpha = float(group["momentum"]), float(group["alpha"])
        if group["weight_decay"]:
            return None, {}
        factors = {"square_avg": alpha, "momentum_buffer": momentum, "grad_avg": alpha}
        return steps_to_rest(momentum, dtype), {name: factor for name, factor in factors.items() if name in self.kept(group)}

    def update(self, p: Array, g: Array, state: Mapping[str, Any], group: dict[str, Any]) -> None:
        """The equations above."""
        alpha, momentum = float(group["alpha"]), float(group["momentum"])
        v = state["square_avg"]
        s, t, _ = self.scratch(p)
        v *= alpha
        np.multiply(g, g, out=s)
        s *= 1 - alpha
        v += s
        if group["centered"]:
            a = state["grad_avg"]
            a *= alpha
            a += np.multiply(g, 1 - alpha, out=s)
            v = np.subtract(v, np.multiply(a, a, out=s), out=s)
        np.sqrt(v, out=s)
        s += float(group["eps"])
        np.divide(g, s, out=s)
        if momentum:
            b = state["momentum_buffer"]
            b *= momentum
            b += s
            s = b
        p -= np.multiply(s, float(group["lr"]), out=t)
