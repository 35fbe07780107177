"""fuse: instructions in stages. A stage is one matrix product (and what is added to it), or a block of everything else that can run
before the next product.

The instructions of a block pass over a few rows at a time, so what one hands to the next stays in the nearest cache.
"""

from __future__ import annotations

from .rows import Buffer, Instruction

BLOCK_BYTES = 4096  # of the widest value of a block


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
