"""The loop of a plan, run call by call on the tape: for gradients of gradients, for the per-step tape, and for the ledger."""

from __future__ import annotations

from typing import Any

from minigrad.ops import all_ops, stack
from minigrad.recording import enable_grad
from minigrad.tape import Tensor, wrap
from minigrad.walk import walk

from .compiled import Plan
from .run import apply
from .trace import Value

OPS = all_ops()


def unrolled(
    plan: Plan, env: dict[Value, Any], steps: int, reverse: bool, carry: list[Any], inputs: dict[Value, Any], alias: Any = None
) -> Any:
    """(last carry, all ys) of the loop, each call an entry of the tape. `alias(value, tensor, t)` may stand in for a constant at step t."""
    division = plan.division
    ys: list[list[Any]] = [[None] * steps for _ in division.ys]
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        now: dict[Value, Any] = dict(zip(plan.trace.carry, carry, strict=True))
        now.update({value: tensor[t] for value, tensor in inputs.items()})

        def value(arg: Any, now: dict[Value, Any] = now, t: int = t) -> Any:
            if not isinstance(arg, Value):
                return arg
            if arg in now:
                return now[arg]
            return env[arg] if alias is None else alias(arg, env[arg], t)

        for call in division.loop:
            now[call.out] = apply(call, [value(arg) for arg in call.args])
        carry = [value(out) for out in division.new_carry]
        for number, out in enumerate(division.ys):
            if plan.y_refs[number] is not None:
                ys[number][t] = value(out)
    return carry, ys


def replaying(plan: Plan, env: dict[Value, Any], steps: int, reverse: bool) -> Any:
    """What a scan's entry calls where its gradients are recorded in turn: the loop again, on the tape, and back through that."""

    def replay(parts: dict[int, Tensor], table: Any) -> None:
        with enable_grad():
            starts = {value: wrap(env[value]._array, env[value].node) for value in (*plan.trace.carry, *plan.division.inputs)}
            aliases = {value: OPS["identity"](tensor) for value, tensor in starts.items()}
            held: dict[Value, Any] = {}

            def alias(value: Value, tensor: Any, t: int) -> Any:
                if value not in held:
                    held[value] = OPS["identity"](tensor)
                return held[value]

            carry = [aliases[value] for value in plan.trace.carry]
            inputs = {value: aliases[value] for value in plan.division.inputs}
            last, ys = unrolled(plan, env, steps, reverse, carry, inputs, alias)
            outputs, seeds = [], []
            for number, g in parts.items():
                out = last[number] if number < len(last) else stack(ys[number - len(last)])
                if out.node is not None:
                    outputs.append(out)
                    seeds.append(g)
            ends = {**aliases, **held}
            wanted = {value: tensor for value, tensor in ends.items() if tensor.node is not None}
            found = walk(outputs, seeds, [tensor.node for tensor in wanted.values()], True, True)
            for tensor in wanted.values():
                gradient = found.total(tensor.node)
                (parent,) = tensor.node.parents
                if gradient is not None and parent is not None:
                    table.add(parent, gradient, OPS["add"])

    return replay
