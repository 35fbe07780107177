"""Which entries of the tape belong to which step of a scan that ran as a loop: two ticks a step, for those who look at the tape later."""

from __future__ import annotations

import weakref
from bisect import bisect_right
from typing import Any

from minigrad.tape import Node, Tensor, clock

from .tree import Tree, flatten


class Steps:
    """One scan of `length` steps: the ticks between which each was recorded, in the order in which they ran.

    It holds numbers and no entries, so it keeps nothing alive.
    """

    __slots__ = ("began", "ended", "length", "times")

    def __init__(self, length: int) -> None:
        self.length = length
        self.began: list[int] = []
        self.ended: list[int] = []
        self.times: list[int] = []

    def ran(self, t: int, began: int) -> None:
        """Step t, which began at that tick, has ended."""
        self.began.append(began)
        self.ended.append(next(clock))
        self.times.append(t)

    def at(self, tick: int) -> int | None:
        """The step that was running at a tick."""
        k = bisect_right(self.began, tick) - 1
        return self.times[k] if k >= 0 and tick < self.ended[k] else None

    def lead_to(self, results: Tree) -> None:
        """Let who meets one of the results on the tape find the steps."""
        for leaf in flatten(results)[0]:
            if isinstance(leaf, Tensor) and leaf.node is not None and leaf.node.tick > self.began[0]:
                steps_behind[leaf.node] = self


steps_behind: weakref.WeakKeyDictionary[Node, Any] = weakref.WeakKeyDictionary()  # results of a scan that ran as a loop -> its Steps
