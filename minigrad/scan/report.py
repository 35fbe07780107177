"""What a scan did, for people to read and tests to ask."""

from __future__ import annotations

from typing import Any


class Report:
    """The account of one scan: `compiled`, the `reason` if it was not, `steps`, `passes` (what each did), `cached`, and the `plan`."""

    __slots__ = ("cached", "compiled", "looked", "plan", "reason", "steps")

    def __init__(self, compiled: bool, reason: str, steps: int, plan: Any = None, cached: bool = False, looked: int = 0) -> None:
        self.compiled = compiled
        self.reason = reason
        self.steps = steps
        self.plan = plan
        self.cached = cached
        self.looked = looked

    @property
    def passes(self) -> dict[str, int]:
        """What each pass did: calls hoisted, products of looked-up rows, rules sunk, instructions that share a block, values that need no
        array of their own."""
        return {} if self.plan is None else {**self.plan.counts(), "lookup": self.looked}

    def __repr__(self) -> str:
        if not self.compiled:
            return f"scan of {self.steps} steps ran as a loop: {self.reason}"
        did = ", ".join(f"{name} {count}" for name, count in self.passes.items())
        return f"scan of {self.steps} steps ran compiled ({did}; plan {'found' if self.cached else 'made'})"
