"""Plans by what they depend on: made once, found again at the next call."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from .compiled import Plan
from .trace import Trace, Untraceable

MOST = 256
plans: OrderedDict[Any, Any] = OrderedDict()  # key -> a Plan, or the reason why there is none
known: OrderedDict[Any, Any] = OrderedDict()  # signature of a known step -> its plan, and the order of its constants
lock = threading.Lock()


def plan_for(trace: Trace, reverse: bool, wanted: tuple[Any, ...], passes: frozenset[str], rows: int | None) -> tuple[Any, bool]:
    """The plan of a trace, or the reason why there is none; and whether it was there already.

    `rows` is the number of sequences if they end at different times, else None.
    """
    key = (trace.key(), reverse, wanted, passes, rows)
    with lock:
        if key in plans:
            plans.move_to_end(key)
            return plans[key], True
        reason, made = "", None
        for batch in batches(trace) if rows is None else [rows]:
            try:
                made = Plan(trace, batch, reverse, wanted, passes, rows is not None)
                break
            except Untraceable as problem:
                reason = reason or str(problem)
        plans[key] = made or reason
        trace.tensors = []  # the plan outlives the call
        if len(plans) > MOST:
            plans.popitem(last=False)
        return plans[key], False


def batches(trace: Trace) -> list[int | None]:
    """How rows can be seen: as so many sequences of a batch, or (None) each value as one row."""
    shapes = [value.shape for value in trace.carry or trace.xs]
    lengths = {shape[0] for shape in shapes if shape}
    if not shapes or any(not shape for shape in shapes) or len(lengths) != 1:
        return [None]
    (batch,) = lengths
    deep = any(len(shape) > 1 for shape in shapes)
    return [batch, None] if deep else [None, batch]


def remember(signature: Any, plan: Plan, tensors: list[Any], consts: tuple[Any, ...]) -> None:
    """Find the plan of a known step without a trace from now on, if it closes over `consts` alone and draws nothing."""
    if signature is None or plan.trace.draws:
        return
    places = {id(const): place for place, const in enumerate(consts)}
    if all(id(tensor) in places for tensor in tensors):
        with lock:
            known[signature] = plan, [places[id(tensor)] for tensor in tensors]
            if len(known) > MOST:
                known.popitem(last=False)
