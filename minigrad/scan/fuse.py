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
    reads = reads_of(instructions)
    found: list[Instruction] = []
    for one in instructions:
        found.append(one)
        if one.name == "add":
            for k, other in fed_by("matmul", found, (one.ins[::-1], one.ins), reads, held):
                if len(found[k].ins) == 1:
                    join("matmul", found, k, other)
                    break
    return found


def merge(stages: list[Stage], layout: Any) -> None:
    """Products of elements and what alone reads them as one instruction: a pass over memory less.

    The layout has places for all that is kept for all time steps, memory that others write over meanwhile.
    """
    reads = reads_of([one for stage in stages for one in stage.instructions])
    for stage in stages:
        found: list[Instruction] = []
        for one in stage.instructions:
            found.append(one)
            if one.name in AFTER_MUL:
                merge_last(found, reads, layout)
        stage.instructions = found


def merge_last(found: list[Instruction], reads: dict[Buffer, int], layout: Any) -> None:
    """Make one of the last instruction and the product that it reads, unless what that is made of has been written over since."""
    one = found[-1]
    pairs = (one.ins, one.ins[::-1]) if one.name == "add" else (one.ins,)
    for k, other in fed_by("mul", found, pairs, reads, layout.places):
        read = [location(ref, layout) for ref in found[k].ins if ref.step]
        written = [location(later.out, layout) for later in found[k + 1 : -1]]
        into = location(one.out, layout)  # where it may lie itself
        spoilt = [a for a in read for b in written if meet(a, b)] or [a for a in read if meet(a, into) and a != into]
        if len(read) == 2 and not spoilt:
            join(f"mul_{one.name}", found, k, other)
            return


def reads_of(instructions: list[Instruction]) -> dict[Buffer, int]:
    """How often each buffer is read."""
    reads: dict[Buffer, int] = {}
    for one in instructions:
        for ref in one.ins:
            reads[ref.buffer] = reads.get(ref.buffer, 0) + 1
    return reads


def fed_by(name: str, found: list[Instruction], pairs: Any, reads: dict[Buffer, int], held: Any) -> list[tuple[int, Ref]]:
    """Where in `found` the products called `name` stand that the last instruction alone reads, each with what it reads beside.

    `pairs` are its operands, the product first; `held` are buffers that must stay.
    """
    return [
        (k, other)
        for product, other in pairs
        if reads[product.buffer] == 1 and product.whole() and product.buffer.parent is None and product.buffer not in held and other.step
        for k, maker in enumerate(found)
        if maker.out.buffer is product.buffer and maker.name == name
    ]


def join(name: str, found: list[Instruction], k: int, other: Ref) -> None:
    """One instruction of number k and the last, which reads its result and `other`."""
    one, maker = found[-1], found[k]
    found[-1] = Instruction(name, one.dtype, one.columns, maker.settings, one.out, [*maker.ins, other])
    del found[k]


def location(ref: Ref, layout: Any) -> tuple[Any, ...] | None:
    """Where what a ref names lies: in which array, and its first and last byte there; None for what has no place yet."""
    if ref.buffer.root()[0] not in layout.places:
        return None
    array, mode, _, first, _, _, item, _ = layout.operand(ref)
    return (array, mode), first, first + ref.width * item


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
