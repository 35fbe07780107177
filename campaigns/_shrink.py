"""Looks for a smaller cell that fails in the same way."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from _cells import Cell, living

from minigrad.scan import PASSES


def kind_of(wrong: list[str]) -> str:
    """The sort of a failure, which shrinking must keep: what is said first, without its numbers."""
    return re.sub(r"\d+(\.\d+)?(e-?\d+)?", "N", re.sub(r"^(result|gradient|second) \w+", r"\1", wrong[0])) if wrong else ""


def without(cell: Cell, gone: str, instead: str) -> Cell:
    """The cell with one value replaced by another, and what is then read by nobody left out."""

    def put(text: str) -> str:
        return re.sub(rf"\b{gone}\b", instead, text)

    body = [replace(line, text=put(line.text)) for line in cell.body if line.name != gone]
    new, y = tuple([put(name) for name in cell.new_carry]), put(cell.y)
    return living(replace(cell, body=tuple(body), new_carry=new, y=y))


def smaller(cell: Cell) -> Iterator[Cell]:
    """Cells that are a little smaller."""
    for line in reversed(cell.body):
        for name, width in cell.widths.items():
            earlier = name[0] in "cx" or (name[0] == "v" and int(name[1:]) < int(line.name[1:]))
            if earlier and width == line.width and name != line.name:
                yield without(cell, line.name, name)
    for k, name in enumerate(cell.new_carry):
        if name != f"c{k}":
            yield living(replace(cell, new_carry=(*cell.new_carry[:k], f"c{k}", *cell.new_carry[k + 1 :])))
    if cell.y != "None":
        yield living(replace(cell, y="None"))
        for name in re.findall(r"\b[vcx]\d*\b", cell.y):
            if name != cell.y:
                yield living(replace(cell, y=name))
    for steps in range(1, cell.steps):
        yield replace(cell, steps=steps)
    for batch in range(1, cell.batch or 0):
        yield replace(cell, batch=batch)
    for name in sorted(cell.wanted):
        yield replace(cell, wanted=cell.wanted - {name})
    for k in sorted(cell.used):
        yield replace(cell, used=cell.used - {k})
    for plain in (replace(cell, reverse=False), replace(cell, second=False)):
        if plain != cell:
            yield plain
    for passes in (frozenset[str](), frozenset(PASSES)):
        if cell.passes != passes and len(passes) != len(cell.passes):
            yield replace(cell, passes=passes)
            break


def shrunk(cell: Cell, wrong: Callable[[Cell], list[str]], seconds: float = 10.0) -> Cell:
    """The smallest cell found for which `wrong` says what it says of this one."""
    kind, until, again = kind_of(wrong(cell)), time.perf_counter() + seconds, True
    tried: set[str] = set()
    while again and time.perf_counter() < until:
        again = False
        for candidate in smaller(cell):
            if str(candidate) in tried or time.perf_counter() > until:
                continue
            tried.add(str(candidate))
            try:
                found = wrong(candidate)
            except Exception:
                continue  # no cell at all
            if kind_of(found) == kind:
                cell, again = candidate, True
                break
    return cell
