"""fuse: instructions in stages. A stage is one matrix product (and what is added to it), or a block of everything else that can run
before the next product.

The instructions of a block pass over a few rows at a time, so what one hands to the next stays in the nearest cache.
"""

from __future__ import annotations

from .rows import Buffer, Instruction, Ref

BLOCK_BYTES = 8192  # of the widest value of a block


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
    """Pairs of instructions as one, where nobody else reads what the first hands to the second.

    A matrix product whose sums start from what was to be added to it; a product of two and what is made of it. `held` are buffers that
    are read after the loop.
    """
    makers, readers = makers_of(instructions), readers_of(instructions)
    found: dict[int, Instruction] = {id(one): one for one in instructions}

    def passed(ref: Ref, name: str) -> Instruction | None:
        """The one instruction of that name that made what ref reads, if it did so for this reader alone."""
        buffer = ref.buffer
        alone = ref.whole() and buffer.parent is None and buffer not in held and len(readers[buffer]) == 1
        (maker, *others) = makers.get(buffer, [None])
        return found.get(id(maker)) if alone and not others and maker is not None and found[id(maker)].name == name else None

    for one in instructions:
        if one.name not in ("add", "tanh_grad", "sigmoid_grad") or one.ins[0].buffer is one.ins[1].buffer:
            continue
        pairs = [one.ins[::-1], one.ins] if one.name == "add" else [one.ins]
        for first, other in pairs:
            product, pair = passed(first, "matmul"), passed(first, "mul")
            if product is not None and one.name == "add" and len(product.ins) == 1 and other.step:
                new = Instruction("matmul", one.dtype, one.columns, product.settings, one.out, [*product.ins, other])
            elif pair is not None and other.step and all(ref.step for ref in pair.ins):
                new = Instruction(f"mul_{one.name}", one.dtype, one.columns, None, one.out, [*pair.ins, other])
            else:
                continue
            (gone,) = makers[first.buffer]
            del found[id(gone)]
            found[id(one)] = new
            break
    return [found[id(one)] for one in instructions if id(one) in found]


def readers_of(instructions: list[Instruction]) -> dict[Buffer, list[Instruction]]:
    """Which instructions read each buffer."""
    readers: dict[Buffer, list[Instruction]] = {}
    for one in instructions:
        for ref in one.ins:
            readers.setdefault(ref.buffer, []).append(one)
    return readers


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
    """How many rows pass together."""
    widest = max([max(one.columns, one.out.width) * one.dtype.itemsize for one in block], default=1)
    return max(1, BLOCK_BYTES // max(widest, 1))
