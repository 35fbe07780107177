"""The tape as the loops would have left it: in place of each scan that ran compiled, the entries of its steps."""

from __future__ import annotations

from typing import Any

from minigrad.errors import MutationError
from minigrad.tape import Node, Tensor, clock

from .replay import HandedRules, Replay
from .run import ResultRules
from .steps import Steps, steps_behind


class Entry:
    """One entry of an unrolled tape. That of a scan's result `stands` for its one parent, which the last of the steps has made."""

    __slots__ = ("node", "order", "parents", "stands", "step")

    def __init__(self, node: Node, order: tuple[int, int], parents: tuple[Node | None, ...], stands: bool) -> None:
        self.node = node
        self.order = order  # its tick; for a step of a compiled scan, first the tick of the scan
        self.parents = parents
        self.stands = stands
        self.step: tuple[Steps, int] | None = None  # which step of which scan it belongs to; of scans in scans, the outermost

    def play(self, g: Tensor, table: Any) -> None:
        """Run the gradient rules into the table of a walk that serves chosen entries."""
        if self.stands:
            (parent,) = self.parents
            if parent is not None and parent.tick in table.serves:
                table.add(parent, g if g.shape == parent.shape else g.reshape(parent.shape), None)
        elif self.node.recipe is not None:
            self.node.recipe.play(self.node, g, table)


class Written:
    """One compiled scan, its steps run again on the tape."""

    def __init__(self, replay: Replay) -> None:
        for value in (*replay.plan.trace.carry, *replay.plan.trace.xs, *replay.plan.trace.consts):
            cell = replay.env[value]._version
            if cell is not None and cell.changed > replay.tick:
                raise MutationError(
                    f"a scan has read a tensor of shape {value.shape} that {cell.cause} has changed in place since: its steps cannot be "
                    "run again on the numbers they had"
                )
        self.replay = replay
        start = next(clock)
        self.results, self.steps = replay.as_written()
        self.ticks = range(start, next(clock))

    def step(self, tick: int) -> tuple[Steps, int] | None:
        """The step that an entry of that tick belongs to; None for what stacks the ys."""
        t = self.steps.at(tick)
        return None if t is None else (self.replay.whole or self.steps, self.replay.first + t)


class Unrolling:
    """The search for all entries that led to one, the root."""

    def __init__(self, root: Node) -> None:
        self.found: dict[int, Entry] = {}
        self.written: dict[int, Written] = {}  # by the tick of the scan
        self.loops: dict[Steps, list[Node]] = {}  # scans that ran as loops, and those of their results that are on the tape
        todo = [root]
        while todo:
            node = todo.pop()
            if node.tick not in self.found:
                entry = self.found[node.tick] = self.entry(node)
                todo += [parent for parent in entry.parents if parent is not None]
        for steps in sorted(self.loops, key=lambda steps: steps.began[0]):
            self.mark(steps)
        for entry in self.found.values():
            if entry.step is None and entry.order[0] in self.written:
                entry.step = self.written[entry.order[0]].step(entry.order[1])

    def entry(self, node: Node) -> Entry:
        """A node as an entry."""
        if node.recipe is not None and node.kept is None:
            node.refuse_spent()
        if node in steps_behind:
            self.loops.setdefault(steps_behind[node], []).append(node)
        rules: Any = node.recipe
        if isinstance(rules, ResultRules):
            scan: Any = node.parents[0]
            if scan.kept is None:
                scan.refuse_spent()
            return Entry(node, (node.tick, 0), (self.result(scan.recipe.replay, rules.number),), True)
        if isinstance(rules, HandedRules):
            return Entry(node, (node.tick, 0), (self.result(rules.replay, rules.number),), True)
        for written in self.written.values():
            if node.tick in written.ticks:
                return Entry(node, (written.replay.tick, node.tick), node.parents, False)
        return Entry(node, (node.tick, 0), node.parents, False)

    def result(self, replay: Replay, number: int) -> Node | None:
        """What the steps of a compiled scan give as its result of that number."""
        if replay.tick not in self.written:
            self.written[replay.tick] = Written(replay)
        return self.written[replay.tick].results[number].node

    def mark(self, steps: Steps) -> None:
        """Write down which entries belong to the steps of a scan that ran as a loop."""
        todo: list[Node | None] = list(self.loops[steps])
        seen = set()
        while todo:
            node = todo.pop()
            if node is None or node.tick in seen:
                continue
            seen.add(node.tick)
            entry = self.found[node.tick]
            if entry.order[0] < steps.began[0]:
                continue
            t = steps.at(entry.order[0])
            if entry.step is None and t is not None:
                entry.step = steps, t
            todo += entry.parents


def unroll(root: Node) -> list[Entry]:
    """All entries that led to `root`, oldest first, with those of each step of each scan."""
    return sorted(Unrolling(root).found.values(), key=lambda entry: entry.order)
