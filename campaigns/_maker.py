"""Writes random cells: from a seed, a step of 5 to 40 statements and the call of mg.scan around it."""

from __future__ import annotations

import itertools

from _cells import Cell, living
from _statements import Known, Writer

from minigrad.scan import PASSES

TREES = {  # leaves -> the forms that carry, x and y may have
    0: ["None", "()"],
    1: ["{}", "({},)", "{{'a': {}}}"],
    2: ["({}, {})", "{{'a': {}, 'b': {}}}", "({}, ({},))", "[{}, {}]"],
    3: ["({}, {}, {})", "({}, ({}, {}))", "({}, {{'a': {}, 'b': {}}})", "{{'a': {}, 'b': ({}, {})}}"],
}


class Maker(Writer):
    """Writes one random cell."""

    def tree(self, count: int) -> str:
        """A tree of so many leaves, as a format."""
        return str(self.pick(TREES[count]))

    def inputs(self, count: int) -> tuple[list[str], list[str]]:
        """So many x: their names inside the step, and their arrays outside."""
        inside, outside = [f"x{number}" for number in range(count)], []
        for name in inside:
            width = self.columns()
            if self.chance(0.25):
                outside.append(self.array("index", "i", "T", "B"))
                self.index.append(name)
                self.say(f"mg.take({self.array('weight', 'e', 4, width)}, {name})", width, "take", 3.0)
                continue
            if self.chance(0.75):  # rows of a table, and at once what the pass lookup looks for
                outside.append(f"mg.take({self.array('weight', 'e', 2, width)}, {self.array('bit', 'i', 'T', 'B')})")
                self.matmul(Known(name, width, 1.0))
            else:
                outside.append(self.array("vector", "s", "T", "B", width))
            self.plain.append(Known(name, width, 1.0))
        self.pool += self.plain
        return inside, outside

    def new_leaf(self, width: int, carried: list[Known]) -> str:
        """What a leaf of the carry becomes: something computed, mostly, or an old leaf, its own or another."""
        if self.chance(0.12):
            return str(self.pick([leaf for leaf in carried if leaf.width == width]).name)
        fitting = [known for known in self.unread() if known.width == width and known.name[0] == "v"]
        if fitting and self.chance(0.7):
            found = self.pick(fitting)
        else:
            source = self.value()
            found = self.say(f"{source.name} @ {self.const('weight', 'w', source.width, width)}", width, "matmul", 9.0)
        if found.bound <= 1.0:
            return str(found.name)
        squash = self.pick(["mg.tanh({})", "mg.tanh({})", "mg.sigmoid({})", "mg.clip({}, lo=-1.0, hi=1.0)", "0.5 * mg.tanh({})"])
        return self.say(squash.format(found.name), width, "new carry", 1.0).name

    def outputs(self, carried: list[str], new: list[str], inputs: int) -> str:
        """y: nothing, one value, several, the carry, or x itself."""
        kind = self.pick(["nothing", "one", "one", "carry", "several", "several", "several", "several", "x", "new"])
        if kind == "nothing":
            return "None"
        if kind == "carry":
            return str(self.pick(carried))
        if kind == "new":
            return self.tree(len(new)).format(*new)
        if kind == "x" and inputs:
            return "x"
        unread, every = [known.name for known in self.unread()], [known.name for known in self.pool] + new
        chosen = [str(self.pick(unread if unread and self.chance(0.8) else every)) for _ in range(3 if kind == "several" else 1)]
        return self.tree(len(chosen)).format(*chosen)

    def passes(self) -> frozenset[str]:
        """All passes, mostly; all but one; or none."""
        kind = self.rng.choice(["all", "but one", "none"], p=[0.55, 0.38, 0.07])
        return frozenset(PASSES) - {"all": set(), "but one": {self.pick(PASSES)}, "none": set(PASSES)}[str(kind)]

    def make(self) -> Cell:
        """The cell."""
        rng = self.rng
        count, inputs = int(rng.choice([1, 2, 3], p=[0.4, 0.35, 0.25])), int(rng.choice([0, 1, 2, 3], p=[0.08, 0.5, 0.27, 0.15]))
        widths = [self.columns() for _ in range(count)]
        if self.chance(0.6):
            widths = [widths[0]] * count
        starts = [self.array("vector", "h", "B", width) for width in widths]
        if count > 1 and widths[0] == widths[1] and self.chance(0.08):
            del self.arrays[starts[1]]
            starts[1] = starts[0]
        carry_form, xs_form = self.tree(count), self.tree(inputs)
        carried = [Known(f"c{k}", width, 1.0) for k, width in enumerate(widths)]
        self.pool += carried
        inside, outside = self.inputs(inputs)
        if self.chance(0.15):
            width = self.columns()
            self.pool.append(Known(self.array("vector", "p", "B", width), width, 1.0))
        size = int(rng.integers(6, 38))
        while len(self.body) < size:
            self.statement()
        new = [self.new_leaf(width, carried) for width in widths]
        names = [leaf.name for leaf in carried]
        y = self.outputs(names, new, inputs)
        wanted = [name for name, (kind, _) in self.arrays.items() if kind not in ("index", "bit") and self.chance(0.7)]
        if self.chance(0.1):
            spared = self.pick(["h", "s", "hs", "wbpe"])
            wanted = [name for name in wanted if name[0] not in spared]
        return Cell(
            seed=self.seed,
            steps=int(rng.integers(1, 10)),
            batch=int(rng.integers(1, 6)) if self.batched else None,
            reverse=self.chance(0.4),
            passes=self.passes(),
            second=self.chance(0.1),
            arrays=dict(self.arrays),
            wanted=frozenset(wanted),
            carry=carry_form.format(*starts),
            xs=xs_form.format(*outside),
            ins=(unpacked(carry_form, names), unpacked(xs_form, inside)),
            body=tuple(self.body),
            new_carry=tuple(new),
            carry_form=carry_form,
            y=y,
            used=frozenset([k for k in range(12) if self.chance(0.6)]),
            widths={**{known.name: known.width for known in self.pool}, **{line.name: line.width for line in self.body}},
        )


def unpacked(form: str, names: list[str]) -> str:
    """The left side of an assignment that takes a tree apart: dicts give up their values in order of their keys."""
    if not names:
        return "None"
    return f"{', '.join(names)}," if form != "{}" else names[0]


def cell_of(seed: int) -> Cell:
    """The cell of a seed: the first that has 5 to 40 statements once those that nobody reads are gone."""
    for attempt in itertools.count():
        cell = living(Maker(seed, attempt).make())
        if 5 <= len(cell.body) <= 40:
            return cell
    raise AssertionError  # no end of attempts
