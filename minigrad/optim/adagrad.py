"""Adagrad, and Adadelta, which forgets old gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .base import Array, Optimizer, Params


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer, 2011), with PyTorch's defaults.

    g += weight_decay p;  v += g^2, from initial_accumulator_value on;  p -= lr / (1 + (t - 1) lr_decay) g / (sqrt(v) + eps).
    `maximize` takes -g for g. The state names v sum and t step. Raises ValueError for options out of range.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adagrad([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.75, 1.75], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**options, "initial_accumulator_value": initial_accumulator_value, "maximize": maximize})

    def kept(self, group: dict[str, Any]) -> dict[str, float]:
        """The count of steps and the sum of the squared gradients."""
        return {"step": 0, "sum": float(group["initial_accumulator_value"])}

    def rest(self, group: dict[str, Any], dtype: np.dtype[Any]) -> tuple[float | None, dict[str, float]]:
        """Nothing moves without a gradient, but by a decay of the weights."""
        return None if group["weight_decay"] else 0.0, {}

    def update(self, p: Array, g: Array, state: Mapping[str, Any], group: dict[str, Any]) -> None:
        """The equations above."""
        v = state["sum"]
        s, _, _ = self.scratch(p)
        v += np.multiply(g, g, out=s)
        np.sqrt(v, out=s)
        s += float(group["eps"])
        np.divide(g, s, out=s)
        s *= float(group["lr"]) / (1 + (state["step"] - 1) * float(group["lr_decay"]))
        p -= s


class Adadelta(Optimizer):
    """Adadelta (Zeiler, 2012), with PyTorch's defaults.

    g += weight_decay p;  v = rho v + (1 - rho) g^2;  d = g sqrt(u + eps) / sqrt(v + eps);  u = rho u + (1 - rho) d^2;  p -= lr d.
    `maximize` takes -g for g. The state names v square_avg and u acc_delta. Raises ValueError for options out of range.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adadelta([w], rho=0.75, eps=3.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.numpy().round(4)
    array([-0.7321, -0.6186], dtype=float32)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError for options out of range."""
        super().check(group)
        if not 0 <= group["rho"] <= 1:
            raise ValueError(f"{self.name}: rho={group['rho']} should be a number from 0 to 1")

    def kept(self, group: dict[str, Any]) -> dict[str, float]:
        """The count of steps, the mean of the squared gradients and that of the squared steps."""
        return {"step": 0, "square_avg": 0.0, "acc_delta": 0.0}

    def rest(self, group: dict[str, Any], dtype: np.dtype[Any]) -> tuple[float | None, dict[str, float]]:
        """The means fade, and nothing moves but by a decay of the weights."""
        return None if group["weight_decay"] else 0.0, {"square_avg": float(group["rho"]), "acc_delta": float(group["rho"])}

    def update(self, p: Array, g: Array, state: Mapping[str, Any], group: dict[str, Any]) -> None:
        """The equations above."""
        rho, eps = float(group["rho"]), float(group["eps"])
        v, u = state["square_avg"], state["acc_delta"]
        d, t, _ = self.scratch(p)
        v *= rho
        np.multiply(g, g, out=t)
        t *= 1 - rho
        v += t
        np.add(u, eps, out=d)
        np.sqrt(d, out=d)
        np.add(v, eps, out=t)
        np.sqrt(t, out=t)
        d /= t
        d *= g
        u *= rho
        np.multiply(d, d, out=t)
        t *= 1 - rho
        u += t
        p -= np.multiply(d, float(group["lr"]), out=t)
