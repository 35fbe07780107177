"""Schedules: learning rates that change from step to step, as PyTorch's do.

A schedule is a function of the number of its steps: `rate(base, t, group)`, where `base` is the rate its group began with. So a run
goes on from that number alone. The one exception is ReduceLROnPlateau, which follows a measured value.

    optimizer = optim.SGD(model.parameters(), lr=0.1)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=100)
    for epoch in range(100):
        train(model, optimizer)
        schedule.step()
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .base import Optimizer


class LRScheduler:
    """What all schedules share; a new one defines `rate`. The groups have the rate of step 0 from construction on.

    `last_epoch` is the number of steps taken. Given at construction it is where an earlier run stopped: the groups then have their
    first rate as "initial_lr", as an optimiser's state_dict brings it. The rate a group begins with is noted there by its first schedule.

    >>> import minigrad as mg
    >>> class Halving(LRScheduler):
    ...     def rate(self, base, t, group):
    ...         return base / 2**t
    >>> optimizer = mg.optim.SGD([mg.ones(3, requires_grad=True)], lr=1.0)
    >>> schedule = Halving(optimizer)
    >>> schedule.step()
    >>> optimizer.param_groups[0]["lr"], schedule.get_last_lr()
    (0.5, [0.5])
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.name = type(self).__name__
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{self.name} wants an optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ValueError(f"{self.name}: group {number} has no 'initial_lr' to go on from at last_epoch={last_epoch}")
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch + 1
        self.apply()

    def rate(self, base: float, t: int, group: int) -> float:
        """The rate after t steps of the group of that number, which began with the rate `base`."""
        raise NotImplementedError(f"{self.name} has no rate")

    def options(self, base: float, t: int, group: int) -> dict[str, Any]:
        """The options of a group after t steps: its "lr"."""
        return {"lr": self.rate(base, t, group)}

    def step(self) -> None:
        """Set the rates of the next step: call it after the optimiser's step, or once an epoch."""
        self.last_epoch += 1
        self.apply()

    def apply(self) -> None:
        """Give each group its options. Raises ValueError if groups were added since."""
        groups = self.optimizer.param_groups
        if len(groups) != len(self.base_lrs):
            raise ValueError(f"{self.name} was made for {len(self.base_lrs)} parameter groups, the optimizer now has {len(groups)}")
        for number, (group, base) in enumerate(zip(groups, self.base_lrs, strict=True)):
            group.update(self.options(base, self.last_epoch, number))

    def get_last_lr(self) -> list[float]:
        """The rate of each group now."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What a later run needs to go on: the number of steps and the first rates. Functions and options are given anew."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict() gave, and set the rates. Raises ValueError, with nothing changed, for another's state."""
        missing = sorted(self.state_dict().keys() - state_dict.keys())
        if missing:
            raise ValueError(f"{self.name}: the state_dict has no {', '.join(missing)}: is it another schedule's?")
        if len(state_dict["base_lrs"]) != len(self.base_lrs):
            raise ValueError(f"{self.name}: the state_dict has {len(state_dict['base_lrs'])} first rates for {len(self.base_lrs)} groups")
        self.base_lrs, self.last_epoch = [float(rate) for rate in state_dict["base_lrs"]], int(state_dict["last_epoch"])
        self.apply()


class LambdaLR(LRScheduler):
    """base times a function of the number of steps; one function, or a list with one for each group.

    >>> import minigrad as mg
    >>> schedule = LambdaLR(mg.optim.SGD([mg.ones(3, requires_grad=True)], lr=1.0), lambda t: 1 / (1 + t))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]], last_epoch: int = -1
    ) -> None:
        self.lr_lambdas = per_group(self, optimizer, "lr_lambda", lr_lambda)
        if not all(callable(function) for function in self.lr_lambdas):
            raise TypeError(f"LambdaLR: lr_lambda={lr_lambda!r} should be a function of the number of steps, or a list of them")
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, group: int) -> float:
        """base times the group's function of t."""
        return base * float(self.lr_lambdas[group](t))


class StepLR(LRScheduler):
    """base times gamma^(t // step_size)."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = positive(self, step_size=step_size), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, group: int) -> float:
        """base gamma^(t // step_size)."""
        return float(base * self.gamma ** (t // self.step_size))


class MultiStepLR(LRScheduler):
    """base times gamma for each of the milestones (numbers of steps) that was reached."""

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        if not isinstance(milestones, Iterable):
            raise TypeError(f"MultiStepLR: milestones={milestones!r} should be a list of numbers of steps")
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, group: int) -> float:
        """base gamma^(milestones up to t)."""
        return float(base * self.gamma ** bisect_right(self.milestones, t))


class ExponentialLR(LRScheduler):
    """base times gamma^t."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, group: int) -> float:
        """base gamma^t."""
        return float(base * self.gamma**t)


class ConstantLR(LRScheduler):
    """base times factor for total_iters steps, then base."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: factor={factor} should be a number from 0 to 1")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, group: int) -> float:
        """base, times factor before total_iters."""
        return base * self.factor if t < self.total_iters else base


class LinearLR(LRScheduler):
    """From base times start_factor to base times end_factor in total_iters equal steps: a warm-up.

    >>> import minigrad as mg
    >>> schedule = LinearLR(mg.optim.SGD([mg.ones(3, requires_grad=True)], lr=1.0), start_factor=0.25, total_iters=3)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not (0 < start_factor <= 1 and 0 <= end_factor <= 1):
            raise ValueError(f"LinearLR: start_factor={start_factor} should be above 0, end_factor={end_factor} at least 0, both at most 1")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, positive(self, total_iters=total_iters)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, group: int) -> float:
        """On the line from one factor to the other."""
        part = min(t, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * part)


class CosineAnnealingLR(LRScheduler):
    """From base to eta_min in T_max steps along half a cosine, then up again (Loshchilov and Hutter, 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = positive(self, T_max=T_max), eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, group: int) -> float:
        """eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2."""
        return cosine(base, self.eta_min, t / self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    """From base to eta_min along half a cosine, again and again: first in T_0 steps, then each time in T_mult times as many.

    The paper is Loshchilov and Hutter, "SGDR", 2017.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_0, self.T_mult, self.eta_min = positive(self, T_0=T_0), positive(self, T_mult=T_mult), eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, group: int) -> float:
        """The cosine of the cycle that t lies in."""
        length = self.T_0
        if self.T_mult == 1:
            t %= length
        while t >= length:
            t, length = t - length, length * self.T_mult
        return cosine(base, self.eta_min, t / length)


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr, then down to 1 / (div_factor final_div_factor) of it (Smith and Topin, 2018).

    One cycle has `total_steps`, or `epochs` times `steps_per_epoch`; the share `pct_start` of them goes up. `three_phase` comes down as it
    went up, then on to the lowest rate. `anneal_strategy`: "cos" or "linear". With `cycle_momentum` the momentum (of Adam: beta1) goes
    from max_momentum to base_momentum and back. `max_lr` and both momenta: one number, or a list with one for each group.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR wants total_steps, or epochs and steps_per_epoch")
            total_steps = positive(self, epochs=epochs) * positive(self, steps_per_epoch=steps_per_epoch)
        self.total_steps = positive(self, total_steps=total_steps)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start={pct_start} should be a number from 0 to 1")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy={anneal_strategy!r} should be 'cos' or 'linear'")
        self.between = cosine if anneal_strategy == "cos" else linear
        # where each phase ends, and which of (first, highest, lowest rate) it leads to
        peak = pct_start * total_steps - 1
        self.phases = [(peak, 1), (2 * peak, 0), (total_steps - 1, 2)] if three_phase else [(peak, 1), (total_steps - 1, 2)]
        peaks = [float(rate) for rate in per_group(self, optimizer, "max_lr", max_lr)]
        self.rates = [(rate / div_factor, rate, rate / div_factor / final_div_factor) for rate in peaks]
        self.momenta: list[tuple[float, float]] | None = None
        if cycle_momentum:
            if not {"momentum", "betas"} & optimizer.defaults.keys():
                raise ValueError(f"OneCycleLR: {type(optimizer).__name__} has no momentum to cycle: pass cycle_momentum=False")
            low, high = (per_group(self, optimizer, n, m) for n, m in [("base_momentum", base_momentum), ("max_momentum", max_momentum)])
            self.momenta = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
        if last_epoch == -1:
            for group, (first, _, _) in zip(optimizer.param_groups, self.rates, strict=True):
                group["initial_lr"] = first
        super().__init__(optimizer, last_epoch)

    def along(self, t: int, levels: tuple[float, float, float]) -> float:
        """The value at t of what goes from the first level to the second and so on, as the phases say."""
        if t > self.total_steps:
            raise ValueError(f"OneCycleLR: step {t} of a cycle of {self.total_steps} steps")
        start, level = 0.0, 0
        for end, goal in self.phases:
            if t <= end or end == self.phases[-1][0]:
                break
            start, level = end, goal
        return self.between(levels[level], levels[goal], (t - start) / (end - start))

    def rate(self, base: float, t: int, group: int) -> float:
        """The rate at step t of the cycle; it depends on max_lr alone."""
        return self.along(t, self.rates[group])

    def options(self, base: float, t: int, group: int) -> dict[str, Any]:
        """The rate and the momentum."""
        options = super().options(base, t, group)
        if self.momenta:
            low, high = self.momenta[group]
            momentum = self.along(t, (high, low, high))
            held = self.optimizer.param_groups[group]
            options |= {"betas": (momentum, *held["betas"][1:])} if "betas" in held else {"momentum": momentum}
        return options


class SequentialLR(LRScheduler):
    """One schedule after another: the next begins, with its step 0, at each of the milestones.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.ones(3, requires_grad=True)], lr=1.0)
    >>> warm_up = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> schedule = SequentialLR(optimizer, [warm_up, StepLR(optimizer, step_size=2)], milestones=[2])
    >>> for _ in range(5):
    ...     print(schedule.get_last_lr()[0], end=" ")
    ...     schedule.step()
    0.5 0.75 1.0 1.0 0.1
    """

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1) -> None:
        self.schedulers, self.milestones = parts(self, optimizer, schedulers), list(milestones)
        if len(self.milestones) != len(self.schedulers) - 1 or self.milestones != sorted(self.milestones):
            raise ValueError(
                f"SequentialLR wants a milestone between each two of its {len(self.schedulers)} schedules, in rising order, "
                f"got {self.milestones}"
            )
        super().__init__(optimizer, last_epoch)

    def options(self, base: float, t: int, group: int) -> dict[str, Any]:
        """Those of the schedule that t belongs to."""
        place = bisect_right(self.milestones, t)
        part = self.schedulers[place]
        return part.options(part.base_lrs[group], t - self.milestones[place - 1] if place else t, group)


class ChainedScheduler(LRScheduler):
    """Several schedules at once: each takes the rate that the one before it gives as its base, so that factors multiply.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.ones(3, requires_grad=True)], lr=1.0)
    >>> schedule = ChainedScheduler([ConstantLR(optimizer, factor=0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)])
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if optimizer is None and schedulers:
            optimizer = schedulers[0].optimizer
        self.schedulers = parts(self, optimizer, schedulers)
        super().__init__(self.schedulers[0].optimizer)

    def options(self, base: float, t: int, group: int) -> dict[str, Any]:
        """What the schedules give, one on top of the other."""
        options: dict[str, Any] = {"lr": self.schedulers[0].base_lrs[group]}
        for part in self.schedulers:
            options |= part.options(options["lr"], t, group)
        return options


def cosine(start: float, end: float, part: float) -> float:
    """Between start (part 0) and end (part 1), along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2


def linear(start: float, end: float, part: float) -> float:
    """Between start (part 0) and end (part 1), along a line."""
    return start + (end - start) * part


def positive(schedule: Any, **option: int) -> int:
    """The one option, refused if it is not a whole number from 1."""
    ((name, value),) = option.items()
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{type(schedule).__name__}: {name}={value!r} should be a whole number from 1")
    return value


def per_group(schedule: Any, optimizer: Optimizer, name: str, value: Any) -> list[Any]:
    """One value for each group of the optimizer: a list of as many, or one for all."""
    count = len(optimizer.param_groups)
    values = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(values) != count:
        raise ValueError(f"{type(schedule).__name__}: {name} has {len(values)} entries for {count} parameter groups")
    return values


def parts(whole: LRScheduler, optimizer: Optimizer | None, schedulers: Sequence[LRScheduler]) -> list[LRScheduler]:
    """Schedules that together make one: of one optimizer, at least one, none that follows a measured value."""
    name = type(whole).__name__
    for place, schedule in enumerate(schedulers):
        if not isinstance(schedule, LRScheduler):
            raise TypeError(f"{name} is made of schedules that are functions of the step, number {place} is a {type(schedule).__name__}")
        if schedule.optimizer is not optimizer:
            raise ValueError(f"{name}: schedule {place} ({type(schedule).__name__}) is for another optimizer")
    if not schedulers:
        raise ValueError(f"{name} was given no schedules")
    return list(schedulers)
