"""Adam, AdamW and Adamax: a step is the mean of the gradients over their size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import config

from .base import Array, Optimizer, Params
from .lag import Lag, steps_to_rest

Betas = tuple[float, float]
adam_step = config.optim_kernel("adam_step")
adam_idle = config.optim_kernel("adam_idle")


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015), with PyTorch's defaults; weight_decay is added to the gradient.

    g += weight_decay p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
    p -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps).
    `amsgrad` takes the largest v so far in the place of v (Reddi, Kale and Kumar, 2018), `maximize` -g for g. The state names m exp_avg,
    v exp_avg_sq, its largest max_exp_avg_sq and t step. Raises ValueError for options out of range.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.75, 1.75], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize}
        super().__init__(params, options)

    def kept(self, group: dict[str, Any]) -> dict[str, float]:
        """The count of steps, the mean of the gradients and that of their squares, with amsgrad the largest such mean."""
        return {"step": 0, "exp_avg": 0.0, "exp_avg_sq": 0.0, **({"max_exp_avg_sq": 0.0} if group["amsgrad"] else {})}

    def numbers(self, state: Mapping[str, Any], group: dict[str, Any]) -> tuple[float, float, float, float, float]:
        """beta1, beta2, and with t in them: the size of the step, eps, and what the weights are multiplied by.

        lr / (1 - beta1^t) / (sqrt(v / c) + eps) is size / (sqrt(v) + floor) with c = 1 - beta2^t, size = lr sqrt(c) / (1 - beta1^t)
        and floor = eps sqrt(c).
        """
        lr, (beta1, beta2) = float(group["lr"]), map(float, group["betas"])
        root = math.sqrt(1 - beta2 ** state["step"])
        shrink = 1 - lr * float(group["weight_decay"]) if self.decoupled else 1.0
        return beta1, beta2, lr * root / (1 - beta1 ** state["step"]), float(group["eps"]) * root, shrink

    def fused(self, p: Array, g: Array, state: Mapping[str, Any], group: dict[str, Any], scale: float) -> bool:
        """The whole step in one pass of compiled code, with the bits of `update`."""
        decay = 0.0 if self.decoupled else float(group["weight_decay"])
        largest = state["max_exp_avg_sq"] if group["amsgrad"] else None
        done = adam_step(p, g, state["exp_avg"], state["exp_avg_sq"], largest, scale, decay, *self.numbers(state, group))
        return done is not NotImplemented

    def rest(self, group: dict[str, Any], dtype: np.dtype[Any]) -> tuple[float | None, dict[str, float]]:
        """The mean dies away faster than the root of that of the squares, and both fade; a decay of the weights never ends."""
        beta1, beta2 = map(float, group["betas"])
        steps = math.inf if group["weight_decay"] or not beta2 else steps_to_rest(beta1 / math.sqrt(beta2), dtype)
        return steps, {"exp_avg": beta1, "exp_avg_sq": beta2}

    def numbers_of(self, step: dict[str, Any]) -> Any:
        """What AdamNumbers (optim.h) has."""
        return 1.0, 0.0 if self.decoupled else float(step["weight_decay"]), *self.numbers(step, step)

    def replayed(self, lag: Lag, rows: Array, most: int) -> bool:
        """The steps that rows have missed, one after the other, in compiled code."""
        state = lag.state
        largest = state["max_exp_avg_sq"] if lag.steps[-1]["amsgrad"] else None
        done = adam_idle(lag.array, state["exp_avg"], state["exp_avg_sq"], largest, rows, lag.seen, lag.numbers, len(lag.steps), most)
        return done is not NotImplemented

    def update(self, p: Array, g: Array, state: Mapping[str, Any], group: dict[str, Any]) -> None:
        """The equations above."""
        beta1, beta2, size, floor, shrink = self.numbers(state, group)
        m, v = state["exp_avg"], state["exp_avg_sq"]
        s, _, _ = self.scratch(p)
        if shrink != 1:
            p *= shrink
        m *= beta1
        m += np.multiply(g, 1 - beta1, out=s)
        v *= beta2
        np.multiply(g, g, out=s)
        s *= 1 - beta2
        v += s
        if group["amsgrad"]:
            v = np.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        np.sqrt(v, out=s)
        s += floor
        np.divide(m, s, out=s)
        s *= size
        p -= s


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019): p *= 1 - lr weight_decay, then the step of Adam.

    Raises ValueError for options out of range.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.25, weight_decay=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.625, 1.5  ], requires_grad=True)
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


class Adamax(Optimizer):
    """Adam by the infinity norm (Kingma and Ba, 2015, section 7.1).

    g += weight_decay p;  m = beta1 m + (1 - beta1) g;  u = max(beta2 u, |g| + eps);  p -= lr m / (1 - beta1^t) / u.
    `maximize` takes -g for g. The state names m exp_avg, u exp_inf and t step. Raises ValueError for options out of range.

    >>> import minigrad as mg
    >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adamax([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.75, 1.75], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def kept(self, group: dict[str, Any]) -> dict[str, float]:
        """The count of steps, the mean of the gradients and their largest size."""
        return {"step": 0, "exp_avg": 0.0, "exp_inf": 0.0}

    def update(self, p: Array, g: Array, state: Mapping[str, Any], group: dict[str, Any]) -> None:
        """The equations above."""
        beta1, beta2 = map(float, group["betas"])
        m, u = state["exp_avg"], state["exp_inf"]
        s, _, _ = self.scratch(p)
        m *= beta1
        m += np.multiply(g, 1 - beta1, out=s)
        u *= beta2
        np.abs(g, out=s)
        s += float(group["eps"])
        np.maximum(u, s, out=u)
        np.divide(m, u, out=s)
        s *= float(group["lr"]) / (1 - beta1 ** state["step"])
        p -= s
