"""fuse: instructions in stages. A stage is one matrix product (and what is added to it), or a block of everything else that can run
before the next product.

The instructions of a block pass over a few rows at a time, so what one hands to the next stays in the nearest cache. Once it is known what
lies where, products of elements become one instruction with what reads them.
"""

from __future__ import annotations

from typing import Any

from .rows import Buffer, Instruction, Ref

BLOCK_BYTES = 4096  # of the widest value of a block
AFTER_MUL = {"add", "tanh_grad", "sigmoid_grad"}  # what can be one instruction with a product that it alone reads: mul_add ...


class Stage:
    """Instructions that run together: `rows` at a time, or all rows at once (0) for a product, which stands alone."""

    __slots__ = ("instructions", "rows")

    def __init__(self, instructions: list[Instruction], rows: int) -> None:
        self.instructions = instructions
        self.rows = rows


def stages_of(instructions: list[Instruction], fuse: bool) -> list[Stage]:
    """The instructions in an order that respects who reads what, as few stages as that allows; without `fuse`, one each."""
    if not fuse:
        return [Stage([instruction], 0 if instruction.name == "matmul" else block_rows([instruction])) for instruction in instructions]
    makers = makers_of(instructions)
    waiting = list(instructions)
    done: set[int] = set()
    stages: list[Stage] = []

    def ready(instruction: Instruction) -> bool:
        return all(id(maker) in done for ref in instruction.ins for maker in makers.get(ref.buffer, ()))

    while waiting:
        products = [one for one in waiting if one.name == "matmul" and ready(one)]
        for one in products:
            stages.append(Stage([one], 0))
        done.update(map(id, products))
        block: list[Instruction] = []
        for one in waiting:
            if one.name != "matmul" and ready(one):
                block.append(one)
                done.add(id(one))
        if block:
            stages.append(Stage(block, block_rows(block)))
        waiting = [one for one in waiting if id(one) not in done]
    return stages


def absorbed(instructions: list[Instruction], held: set[Buffer]) -> list[Instruction]:
    """Sums of a product and something else as one product whose sums start there, where nobody else reads the product.

    `held` are buffers that are read after the loop.
    """
    found: list[Instruction] = []
    for one in instructions:
        found.append(one)
        if one.name != "add":
            continue
        for other, product in (one.ins, one.ins[::-1]):
            made = [k for k, maker in enumerate(found) if maker.out.buffer is product.buffer]
            if len(made) != 1 or found[made[0]].name != "matmul" or len(found[made[0]].ins) > 1:
                continue
            readers = [reader for reader in instructions for ref in reader.ins if ref.buffer is product.buffer]
            alone = len(readers) == 1 and product.whole() and product.buffer.parent is None and product.buffer not in held
            if alone and other.step and other.buffer is not product.buffer:
                (left,) = found[made[0]].ins
                found[-1] = Instruction("matmul", one.dtype, one.columns, found[made[0]].settings, one.out, [left, other])
                del found[made[0]]
                break
    return found


def merge(stages: list[Stage], places: dict[Buffer, Any]) -> None:
    """Products of elements and what alone reads them as one instruction: a pass over memory less.

    `places` are those of all values but the ones that a single stage makes and uses up: memory that others write over meanwhile.
    """
    reads: dict[Buffer, int] = {}
    for stage in stages:
        for one in stage.instructions:
            for ref in one.ins:
                reads[ref.buffer] = reads.get(ref.buffer, 0) + 1
    for stage in stages:
        found: list[Instruction] = []
        for one in stage.instructions:
            found.append(one)
            if one.name in AFTER_MUL:
                merge_last(found, reads, places)
        stage.instructions = found


def merge_last(found: list[Instruction], reads: dict[Buffer, int], places: dict[Buffer, Any]) -> None:
    """Make one of the last instruction and the product that it reads, unless what that is made of has been written over since."""
    one = found[-1]
    for product, other in (one.ins, one.ins[::-1])[: 2 if one.name == "add" else 1]:
        buffer = product.buffer
        if reads[buffer] > 1 or buffer in places or buffer.parent is not None or not product.whole() or not other.step:
            continue
        made = [k for k, maker in enumerate(found) if maker.out.buffer is buffer and maker.name == "mul"]
        if not made or [ref for ref in found[made[0]].ins if not ref.step]:
            continue
        maker = found[made[0]]
        read = [location(ref, places) for ref in maker.ins]
        written = [location(later.out, places) for later in found[made[0] + 1 : -1]]
        into = location(one.out, places)  # where it may lie itself
        if [a for a in read for b in written if meet(a, b)] or [a for a in read if meet(a, into) and a != into]:
            continue
        found[-1] = Instruction(f"mul_{one.name}", one.dtype, one.columns, None, one.out, [*maker.ins, other])
        del found[made[0]]
        return


def location(ref: Ref, places: dict[Buffer, Any]) -> tuple[Any, ...] | None:
    """Where what a ref names lies at one time step: an array at a time, and the first and last column; None for what has no place yet."""
    root, start = ref.buffer.root()
    place = places.get(root)
    if place is None or place.array is None:
        return None
    first = place.offset // root.dtype.itemsize + start + ref.start
    return (place.array.index, place.mode, place.shift), first, first + ref.width


def meet(a: tuple[Any, ...] | None, b: tuple[Any, ...] | None) -> bool:
    """Whether two locations share memory."""
    return a is not None and b is not None and a[0] == b[0] and a[1] < b[2] and b[1] < a[2]


def makers_of(instructions: list[Instruction]) -> dict[Buffer, list[Instruction]]:
    """Which instructions write to each buffer, itself or the parts that lie in it."""
    makers: dict[Buffer, list[Instruction]] = {}
    for one in instructions:
        buffer: Buffer | None = one.out.buffer
        while buffer is not None:
            makers.setdefault(buffer, []).append(one)
            buffer = buffer.parent
    return makers


def block_rows(block: list[Instruction]) -> int:
    """How many rows pass together. Totals (plan.py) do not count: they lie elsewhere, however many."""
    own = [one for one in block if one.ins[0].buffer.kind != "total"]
    widest = max([max(one.columns, one.out.width) * one.dtype.itemsize for one in own], default=1)
    return max(1, BLOCK_BYTES // max(widest, 1))
