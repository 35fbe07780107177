"""reuse, the second part of plan: what is kept for all time steps goes where something else has been used up.

The gates of an LSTM are written over the share of the input that they were made of, and their gradients over the gates. One array of
T rows then serves for what would be three: less memory, and less of it to pass through the caches.
"""

from __future__ import annotations

from collections.abc import Iterable

from .fuse import Stage
from .plan import ABSOLUTE, Array, Layout, Place
from .rows import BINARY, UNARY, Buffer, Instruction, Ref

WORTH = 512  # bytes of a row: below, columns of a wider array cost more calls than they save memory
IN_PLACE = UNARY | BINARY | {"where", "clip", "copy"}  # an element of the result may lie where the element it is made of lay


class Use:
    """Some columns of a buffer, read or written by an instruction, the one at `position` in the program."""

    __slots__ = ("instruction", "position", "start", "stop")

    def __init__(self, position: int, start: int, stop: int, instruction: Instruction) -> None:
        self.position = position
        self.start = start
        self.stop = stop
        self.instruction = instruction


class Pool:
    """Arrays of T rows whose columns are free once what lies there has been read for the last time."""

    __slots__ = ("layout", "reads", "reserved", "taken", "tenants", "writes")

    def __init__(self, layout: Layout, stages: list[Stage]) -> None:
        self.layout = layout
        self.reads: dict[Buffer, list[Use]] = {}
        self.writes: dict[Buffer, list[Use]] = {}
        self.tenants: dict[Array, list[tuple[Buffer, int]]] = {}
        self.reserved: dict[Array, list[tuple[int, int]]] = {}
        self.taken: set[int] = set()  # numbers of the arrays that were written over
        for position, one in enumerate([one for stage in stages for one in stage.instructions]):
            note(self.writes, one.out, position, one)
            for ref in one.ins:
                note(self.reads, ref, position, one)

    def offer(self, array: Array, reserved: list[tuple[int, int]]) -> None:
        """An array whose columns may be taken, but for the reserved ones."""
        self.reserved[array] = reserved
        self.tenants[array] = [
            (buffer, place.offset // buffer.dtype.itemsize)
            for buffer, place in self.layout.places.items()
            if place.array is array and (buffer in self.reads or buffer in self.writes)
        ]

    def settle(self, kept: Iterable[Buffer], passing: Iterable[Buffer]) -> None:
        """Give each of the buffers a place in the pool, if there is one; those that are written first, first.

        What is `kept` is read after the loop, so nothing may follow it; what is `passing` is read in the loop alone.
        """
        lasting = set(kept)
        for buffer in sorted(
            {**dict.fromkeys(kept), **dict.fromkeys(passing)}, key=lambda one: self.writes[one][0].position if one in self.writes else -1
        ):
            if buffer in self.layout.places or buffer not in self.writes or buffer.width * buffer.dtype.itemsize < WORTH:
                continue
            found = next(
                ((array, at) for array in self.tenants for at in self.columns(array, buffer) if self.is_free(array, at, buffer)), None
            )
            if found is not None:
                array, at = found
                self.layout.places[buffer] = Place(array, ABSOLUTE, offset=at * buffer.dtype.itemsize)
                self.tenants[array].append((buffer, at))
                self.taken.add(array.index)
                if buffer in lasting:
                    self.reserved[array].append((at, at + buffer.width))

    def columns(self, array: Array, buffer: Buffer) -> list[int]:
        """Where in an array a buffer may start: where its operands lie, then at multiples of its width."""
        if array.dtype != buffer.dtype or array.width < buffer.width:
            return []
        own = {id(use.instruction): use.start for use in self.writes[buffer]}
        over = [
            at + use.start - own[id(use.instruction)]
            for held, at in self.tenants[array]
            for use in self.reads.get(held, ())
            if id(use.instruction) in own
        ]
        every = dict.fromkeys([*over, *range(0, array.width - buffer.width + 1, buffer.width)])
        return [at for at in every if 0 <= at <= array.width - buffer.width]

    def is_free(self, array: Array, at: int, buffer: Buffer) -> bool:
        """Whether everything in those columns has been read before the buffer's instructions write there."""
        for write in self.writes[buffer]:
            low, high = at + write.start, at + write.stop
            for start, stop in self.reserved[array]:
                if start < high and low < stop:
                    return False
            for held, offset in self.tenants[array]:
                for use in self.writes.get(held, ()):
                    if offset + use.start < high and low < offset + use.stop and use.position >= write.position:
                        return False
                for use in self.reads.get(held, ()):
                    overlaps = offset + use.start < high and low < offset + use.stop
                    same = use.position == write.position and (offset + use.start, offset + use.stop) == (low, high)
                    if overlaps and use.position >= write.position and not (same and in_place(use.instruction, held)):
                        return False
        return True


def note(table: dict[Buffer, list[Use]], ref: Ref, position: int, one: Instruction) -> None:
    """Add what an instruction reads or writes to a table."""
    root, start = ref.buffer.root()
    start += ref.start
    table.setdefault(root, []).append(Use(position, start, start + (ref.width if ref.step else 1), one))


def in_place(one: Instruction, buffer: Buffer) -> bool:
    """Whether the instruction may write over the columns of a buffer that it reads, element by element."""
    mine: list[Ref] = [ref for ref in one.ins if ref.buffer.root()[0] is buffer]
    if one.name == "matmul":  # over what its sums start from
        return mine in ([], [one.ins[-1]]) and len(one.ins) == 2
    return one.name in IN_PLACE and not [ref for ref in mine if not ref.step]
