"""A learning rate that goes down when training gets no further."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .base import Optimizer
from .schedules import per_group


class ReduceLROnPlateau:
    """The rate times `factor` whenever a measured value has not got better for more than `patience` steps.

    Better is below the best so far (`mode="min"`) by more than the share `threshold` of it (`threshold_mode="rel"`; "abs": by more than
    `threshold` itself), or above it (`mode="max"`). `cooldown` steps after a reduction do not count, the rate stays at `min_lr` or above
    (one number, or one for each group), and changes below `eps` are not made.

    >>> import minigrad as mg
    >>> schedule = ReduceLROnPlateau(mg.optim.SGD([mg.ones(3, requires_grad=True)], lr=1.0), patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"ReduceLROnPlateau wants an optimizer, got {type(optimizer).__name__}")
        if not 0 <= factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor={factor} should be a number from 0 up to, not with, 1")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ValueError(f"ReduceLROnPlateau: mode is 'min' or 'max', threshold_mode 'rel' or 'abs'; got {mode!r}, {threshold_mode!r}")
        self.optimizer, self.factor, self.patience, self.cooldown, self.eps = optimizer, factor, patience, cooldown, eps
        self.min_lrs = [float(rate) for rate in per_group(self, optimizer, "min_lr", min_lr)]
        self.sign = 1.0 if mode == "min" else -1.0
        self.threshold, self.relative = threshold, threshold_mode == "rel"
        self.best = self.sign * math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0

    def step(self, metrics: Any) -> None:
        """Take note of a value (a number, or a tensor of one element); reduce the rates if it is time."""
        value = float(metrics)
        margin = self.sign * self.threshold * (self.best if self.relative else 1.0)
        self.last_epoch += 1
        if self.sign * value < self.sign * (self.best - (margin if math.isfinite(self.best) else 0.0)):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                rate = max(group["lr"] * self.factor, least)
                if group["lr"] - rate > self.eps:
                    group["lr"] = rate
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def get_last_lr(self) -> list[float]:
        """The rate of each group now."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What a later run needs to go on, beside the rates that the optimiser's state_dict has."""
        return {name: getattr(self, name) for name in ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict() gave. Raises ValueError, with nothing changed, for another's state."""
        if missing := sorted(self.state_dict().keys() - state_dict.keys()):
            raise ValueError(f"ReduceLROnPlateau: the state_dict has no {', '.join(missing)}: is it another schedule's?")
        self.best = float(state_dict["best"])
        self.num_bad_epochs, self.cooldown_counter = int(state_dict["num_bad_epochs"]), int(state_dict["cooldown_counter"])
        self.last_epoch = int(state_dict["last_epoch"])
