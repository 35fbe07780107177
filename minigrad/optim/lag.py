"""Tables whose rows catch up with their optimiser when they are read: steps that cost what the rows used cost.

Where there is momentum, a step moves rows without a gradient too. For a table of which each step uses few rows, these moves are put off:
a row takes all the steps that it has missed, one after the other, the next time that it is read. So each row goes through the very steps
that it would have gone through at once, to the bit. For this the parameter holds a `Lag` in place of its array, of which `take` reads some
rows and everything else the whole.
"""

from __future__ import annotations

import math
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.arrays import owns
from minigrad.sparse import Array, Deferred
from minigrad.tape import Tensor

if TYPE_CHECKING:
    from .base import Optimizer

HISTORY = 4096  # steps that may be put off: then the whole table catches up
CHUNK = 2048  # rows that catch up at once


class Lag(Deferred):
    """A parameter's `array` and its optimiser's `state`, of which row r has taken `seen[r]` of the `steps` that are noted.

    It knows the optimiser by its equations alone: a tensor that holds a Lag must not be reached from it.
    """

    def __init__(self, optimizer: Optimizer, array: Array, state: dict[str, Any]) -> None:
        super().__init__(array.shape, array.dtype)
        self.optimizer, self.array, self.state = optimizer, array, state
        self.seen = np.zeros(len(array), np.int64)
        self.steps: list[dict[str, Any]] = []  # the options of each, and the count with it
        self.numbers = np.empty((HISTORY, 7))  # of each step, what a kernel needs of them
        self.rest: tuple[float, dict[str, float]] = (0.0, {})
        self.lock = threading.RLock()

    def read(self) -> Array:
        """The whole array, all rows of it up to date."""
        self.catch_up()
        return self.array

    def take(self, indices: Any, axis: int | None = 0, out: Any = None, mode: Any = "raise") -> Array:
        """np.take, for which rows alone need be up to date."""
        if axis not in (0, -self.ndim) or not self.size:
            whole: Array = np.take(self.read(), indices, axis, out, mode)
            return whole
        self.catch_up(np.unique(np.asarray(indices) % len(self)))
        taken: Array = np.take(self.array, indices, axis, out, mode)
        return taken

    def note(self, group: dict[str, Any]) -> None:
        """One step more, which no row has taken yet."""
        most, fading = self.optimizer.rest(group, self.dtype)
        rest = (0.0 if most is None else most, fading)
        if len(self.steps) == HISTORY or rest != self.rest:
            self.catch_up()
            self.steps.clear()
            self.seen[:] = 0
            self.rest = rest
        step = {name: value for name, value in group.items() if name != "params"} | {"step": self.state.get("step", 0)}
        self.numbers[len(self.steps)] = self.optimizer.numbers_of(step)
        self.steps.append(step)

    def catch_up(self, rows: Array | None = None) -> None:
        """Let these rows, or all, take the steps they have missed."""
        with self.lock, np.errstate(all="ignore"):
            seen = self.seen if rows is None else self.seen[rows]
            late = np.flatnonzero(seen < len(self.steps))
            for start in range(0, late.size, CHUNK):
                part = late[start : start + CHUNK]
                self.replay(part if rows is None else rows[part])

    def replay(self, rows: Array) -> None:
        """The steps that `rows` have missed; from the number of `rest` on nothing moves any more, and what is kept fades."""
        most, fading = self.rest
        now = len(self.steps)
        if most and not self.optimizer.replayed(self, rows, int(min(most, now))):
            rows = rows[np.argsort(self.seen[rows], kind="stable")]
            seen = self.seen[rows]
            p = self.array[rows]
            kept = {name: value[rows] for name, value in self.state.items() if isinstance(value, np.ndarray)}
            nothing = np.zeros_like(p)
            step = int(seen[0])
            while step < now:  # the rows that take it lie side by side: not those that come later, nor those that rest
                first = int(np.searchsorted(seen, step - most, "right"))
                last = int(np.searchsorted(seen, step, "right"))
                if first < last:
                    state = {name: value[first:last] for name, value in kept.items()} | {"step": self.steps[step]["step"]}
                    self.optimizer.moved(p[first:last], nothing[first:last], state, self.steps[step], 1.0)
                    step += 1
                else:
                    step = int(seen[last]) if last < len(seen) else now
            self.array[rows] = p
            for name, value in kept.items():
                self.state[name][rows] = value
        resting = np.maximum(now - self.seen[rows] - most, 0).reshape(-1, *[1] * (self.ndim - 1))
        if resting.any():
            for name, factor in fading.items():
                self.state[name][rows] *= np.power(factor, resting).astype(self.dtype)
        self.seen[rows] = now

    def uncover(self, p: Tensor) -> None:
        """Give `p` its array back, if it still holds this Lag."""
        held: Any = p._array
        if held is self:
            p._array = self.array

    def cover(self, p: Tensor) -> None:
        """Put itself in place of the array of `p`, whose rows catch up at once if somebody else sees the array."""
        p._array = self  # type: ignore[assignment]
        if others(self):
            self.catch_up()


def others(lag: Lag) -> bool:
    """True if an array or a tensor looks at the memory of a table beside its Lag."""
    return references(lag) > ALONE or not owns(lag.array)


class Holder:
    """What has an array to itself."""

    def __init__(self) -> None:
        self.array = np.empty(1)


def references(holder: Any) -> int:
    """How often the array of `holder` is referred to, as Python counts it here."""
    return sys.getrefcount(holder.array)


ALONE = references(Holder())


def steps_to_rest(ratio: float, dtype: np.dtype[Any]) -> float:
    """After how many steps what goes on by that ratio from step to step is below rounding; infinity for a ratio next to 1."""
    if ratio <= 0:
        return 0.0
    return math.ceil(math.log(1e-9 if dtype == np.float32 else 1e-18) / math.log(ratio)) if ratio < 0.999 else math.inf
