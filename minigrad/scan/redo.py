"""redo, the third part of plan: what one cheap operation makes of numbers that the backward loop reads anyway is computed there again.

To keep it for all time steps would take an array of its own, written once and read once, through all caches; the operation takes a
pass over numbers that are in the nearest one.
"""

from __future__ import annotations

from typing import Any

from .hoist import CONST, LOOP, Division
from .sink import Backward
from .trace import Call, Value

CHEAP = {"add", "sub", "mul", "div", "neg"}


def cheap(back: Backward, division: Division) -> dict[Value, Call]:
    """The calls of the loop to be done again, by their results: for a backward loop that reads no less than any other of the plan."""
    fixed = {sink.call.args[0] for sink in back.sinks} | {*division.new_carry, *division.ys, *back.new_carry, *back.inputs}
    read = {value for call in back.calls for value in call.values()}
    found: dict[Value, Call] = {}
    for call in division.loop:
        if call.out in read and call.out not in fixed and call.op.name in CHEAP:
            others = [arg for arg in call.values() if division.level[arg] != CONST and arg not in read]
            if all(arg.shape[-1:] == (1,) != call.out.shape[-1:] for arg in others):  # one number a row is little to keep
                found[call.out] = call
    return found


def redo(back: Backward, division: Division, calls: dict[Value, Call]) -> None:
    """Put copies of these calls into a backward loop, each ahead of the first that reads its result."""
    done: dict[Any, Value] = {}
    program: list[Call] = []

    def at_hand(arg: Any) -> Any:
        if arg in done or arg not in calls:
            return done.get(arg, arg)
        call = calls[arg]
        copy = Call(call.op, tuple([at_hand(one) for one in call.args]), call.settings, False)
        copy.out = Value("result", -1, arg.shape, arg.dtype, copy)
        division.level[copy.out] = LOOP
        program.append(copy)
        done[arg] = copy.out
        return copy.out

    for call in back.calls:
        call.args = tuple([at_hand(arg) for arg in call.args])
        program.append(call)
    back.calls = program
