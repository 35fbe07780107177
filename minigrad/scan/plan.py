"""plan: where every value lives. What the backward loop or the caller reads is kept for all T; the rest is scratch.

A value that one block makes and uses up lives in the executor's arena, a few rows that stay in the nearest cache; one that crosses from
stage to stage has one row for each sequence; a carry that nobody reads later has two places, used by turns. What is kept lies in arrays
of T rows (T + 1 for a carry, which has a first value).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .fuse import Stage
from .rows import Buffer, Instruction, Lowering, Ref
from .trace import Value

ABSOLUTE, EVEN, ODD, BLOCK = range(4)  # how an address follows time: program.pyx
GIVEN, MADE, NUMBER, CONSTANT, TOTAL = range(5)  # how an array comes to be
HOW = {"number": NUMBER, "const": CONSTANT, "total": TOTAL} | dict.fromkeys(["slots", "stacked", "ring", "scratch"], MADE)
ALIGN = 64


class Array:
    """One array of a program: how many time steps, rows and columns; `kind` says where it comes from."""

    __slots__ = ("dtype", "index", "key", "kind", "rows", "steps", "width")

    def __init__(self, index: int, kind: str, key: Any, steps: str, rows: int, width: int, dtype: Any) -> None:
        self.index = index
        self.kind = kind  # input, cotangent, const, number: given; slots, stacked, ring, scratch: made; total: made, and 0 at first
        self.key = key
        self.steps = steps  # "T", "T+1", "2" or "1"
        self.rows = rows
        self.width = width
        self.dtype = dtype

    def recipe(self) -> tuple[Any, ...]:
        """How it comes to be, from what, its count of time steps as (times T, plus), rows, width, dtype."""
        kind, key, how = self.kind, self.key, HOW.get(self.kind, GIVEN)
        if kind == "number":
            key = np.array([key], self.dtype)
        elif kind == "const":
            value, shape = key
            key = value, shape, math.prod(shape)
        elif how == GIVEN:
            key = kind, key
        times, plus = {"T": (1, 0), "T+1": (1, 1), "2": (0, 2), "1": (0, 1)}[self.steps]
        return how, key, times, plus, self.rows, self.width, self.dtype

    def nbytes(self) -> int:
        """Bytes of one time step."""
        return self.rows * self.width * int(self.dtype.itemsize)


class Place:
    """Where a buffer lives: in an array, so many steps behind the loop's own, or in the arena (no array); from an offset in bytes on."""

    __slots__ = ("array", "mode", "offset", "shift")

    def __init__(self, array: Array | None, mode: int, shift: int = 0, offset: int = 0) -> None:
        self.array = array
        self.mode = mode
        self.shift = shift
        self.offset = offset


class Layout:
    """Places for the buffers of the forward loop and, later, the backward loop over the same arrays."""

    def __init__(self, rows: int, reverse: bool, reuse: bool) -> None:
        self.rows = rows
        self.reverse = reverse
        self.reuse = reuse
        self.arrays: list[Array] = []
        self.places: dict[Buffer, Place] = {}
        self.consts: dict[Any, Array] = {}

    def array(self, kind: str, key: Any, steps: str, rows: int, width: int, dtype: Any) -> Array:
        """A new array."""
        made = Array(len(self.arrays), kind, key, steps, rows, width, np.dtype(dtype))
        self.arrays.append(made)
        return made

    def given(self, buffer: Buffer) -> None:
        """A place for a buffer whose values come from outside."""
        if buffer in self.places or buffer.kind == "result":
            return
        rows = self.rows if buffer.varies else 1
        if buffer.kind in ("const", "number"):
            key = (buffer.kind, buffer.value if buffer.kind == "const" else repr(buffer.value), buffer.dtype, buffer.width)
            if key not in self.consts:
                self.consts[key] = self.array(buffer.kind, buffer.value, "1", rows, buffer.width, buffer.dtype)
            self.places[buffer] = Place(self.consts[key], ABSOLUTE)
        else:
            array = self.array(buffer.kind, buffer.number, "T", rows, buffer.width, buffer.dtype)
            self.places[buffer] = Place(array, ABSOLUTE)

    def slots(self, before: Buffer, after: Buffer, stacked: bool, kind: str) -> Array:
        """Places for a carry that comes in and the one that goes out: of T + 1 steps, or of two by turns."""
        array = self.array(kind, before.number, "T+1" if stacked else "2", self.rows, before.width, before.dtype)
        if stacked:
            self.places[before] = Place(array, ABSOLUTE, 1 if self.reverse else 0)
            self.places[after] = Place(array, ABSOLUTE, 0 if self.reverse else 1)
        else:
            self.places[before] = Place(array, EVEN)
            self.places[after] = Place(array, ODD)
        return array

    def total(self, before: Buffer, after: Buffer) -> Array:
        """One place for a sum over time, before and after a step."""
        array = self.array("total", before.number, "1", self.rows, before.width, before.dtype)
        self.places[before] = self.places[after] = Place(array, ABSOLUTE)
        return array

    def stack(self, buffer: Buffer) -> Array:
        """A place for all time steps."""
        array = self.array("stacked", buffer.number, "T", self.rows, buffer.width, buffer.dtype)
        self.places[buffer] = Place(array, ABSOLUTE)
        return array

    def settle(self, stages: list[Stage]) -> int:
        """Places for all that is left, from who reads it where; returns the bytes of the arena."""
        stage_of: dict[Buffer, set[int]] = {}
        for number, stage in enumerate(stages):
            for one in stage.instructions:
                for ref in (one.out, *one.ins):
                    root = ref.buffer.root()[0]
                    self.given(root)
                    stage_of.setdefault(root, set()).add(number)
        arena = 0
        for number, stage in enumerate(stages):
            local = {root for root, used in stage_of.items() if root not in self.places and used == {number}}
            if stage.rows and self.reuse:
                arena = max(arena, self.pack_arena(stage, local))
        for root in stage_of:
            if root not in self.places:
                array = self.array("scratch", root.number, "1", self.rows, root.width, root.dtype)
                self.places[root] = Place(array, ABSOLUTE)
        return arena

    def pack_arena(self, stage: Stage, local: set[Buffer]) -> int:
        """Offsets in the arena for what only this stage sees: memory is taken again once its last reader has run."""
        first: dict[Buffer, int] = {}
        last: dict[Buffer, int] = {}
        for number, one in enumerate(stage.instructions):
            for ref in (one.out, *one.ins):
                root = ref.buffer.root()[0]
                if root in local:
                    first.setdefault(root, number)
                    last[root] = number
        taken: list[tuple[int, int, Buffer]] = []  # from, to, whose
        size = 0
        for root in sorted(first, key=first.__getitem__):
            need = -(-stage.rows * root.width * root.dtype.itemsize // ALIGN) * ALIGN
            busy = sorted([(a, b) for a, b, other in taken if last[other] >= first[root]])
            at = 0
            for a, b in busy:
                if a - at >= need:
                    break
                at = max(at, b)
            taken.append((at, at + need, root))
            self.places[root] = Place(None, BLOCK, offset=at)
            size = max(size, at + need)
        return size

    def operand(self, ref: Ref) -> tuple[int, ...]:
        """An address as the executor takes it: base, mode, step, offset, time, row, bytes of an element, and whether it lags."""
        root, start = ref.buffer.root()
        place = self.places[root]
        item = root.dtype.itemsize
        offset = (start + ref.start) * item
        if place.array is None:
            return -1, BLOCK, ref.step, place.offset + offset, 0, root.width * item, item, False
        array = place.array
        row = array.width * item if array.rows > 1 or root.varies else 0
        time = array.nbytes() if array.steps != "1" else 0
        lags = array.steps == "T+1" and not place.shift
        return array.index, place.mode, ref.step, offset + place.offset + place.shift * time, time, row, item, lags

    def encode(self, stages: list[Stage]) -> list[Any]:
        """Stages as Program takes them."""
        return [
            (
                stage.rows,
                [
                    (
                        one.name,
                        int(one.dtype == np.float64),
                        one.columns,
                        one.out.buffer.dtype.itemsize,
                        one.settings,
                        *map(self.operand, (one.out, *one.ins)),
                    )
                    for one in stage.instructions
                ],
            )
            for stage in stages
        ]


def claim(lowering: Lowering, ref: Ref, value: Value, taken: set[Buffer]) -> Buffer:
    """A buffer with a value that can be given a place of its own: the value's, if that is free, or a copy's."""
    buffer = ref.buffer
    if not (buffer.kind == "result" and buffer.parent is None and ref.whole() and buffer not in taken):
        buffer = copied(lowering, ref, value, lowering.columns_of(value.shape)).buffer
    taken.add(buffer)
    return buffer


def copied(lowering: Lowering, ref: Ref, value: Value, width: int) -> Ref:
    """A copy of a value, which can be given any place."""
    out = lowering.result(value, width, value.dtype)
    return lowering.emit("copy", value.dtype, width, None, out, ref)


def add_up(lowering: Lowering, layout: Layout, value: Value, number: int) -> Array:
    """Add up a value of the loop over time, each row for itself, in total `number`."""
    width = lowering.columns_of(value.shape)
    before, after = Buffer("total", number, width, value.dtype), lowering.result(value, width)
    lowering.emit("add", value.dtype, width, None, after, Ref(before, 0, width), lowering.place(value))
    return layout.total(before, after.buffer)


def flops(instructions: list[Instruction], depths: list[int]) -> int:
    """Work of one row in one time step: 2 for each multiply-add, a few for each element of anything else."""
    return sum(2 * one.columns * depths[one.settings] if one.name == "matmul" else 8 * one.columns for one in instructions)


def place_of(layout: Layout, ref: Ref) -> tuple[Array, int, int, int, int]:
    """Where what a ref names lies for all time steps: array, first step, first column, columns there, and how many those stand for."""
    root, start = ref.buffer.root()
    place = layout.places[root]
    assert place.array is not None
    first = place.offset // root.dtype.itemsize + start + ref.start
    return place.array, place.shift, first, ref.width if ref.step else 1, ref.width
