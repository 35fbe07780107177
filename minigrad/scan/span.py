"""The time steps of a scan, and which rows each has: all of them (Even), or fewer and fewer, as sequences end (Ragged).

A ragged scan has its sequences in the order of their lengths, longest first, so those that run at time t are the first rows. What has a
place for each time step lies packed, time after time and no row for who has ended: N rows, the sum of all lengths. A carry that is kept
has, before those, the rows of one more time: slot 0 has all rows, slot t + 1 those that run at time t.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops import concatenate, stack
from minigrad.tape import Tensor

try:
    from minigrad._program import lay, lift  # type: ignore[import-not-found]
except ImportError:  # without compiled modules every scan runs as its loop, and nothing here is called
    lay = lift = None


class Even:
    """All rows at every time: arrays are (T, rows, columns)."""

    __slots__ = ("counts", "looked", "steps", "tables", "totals")

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.counts: Any = None
        self.tables: Any = None
        self.totals: Any = None  # sums over time (run.py), where these are some of the steps of a scan
        self.looked = 0  # products that one row of each kind was enough for (lookup.py)

    def part(self, start: int, stop: int) -> Even:
        """Some of the time steps."""
        return Even(stop - start)

    def rows(self, start: int, stop: int) -> slice:
        """Where what belongs to them lies in a tensor that was stacked along time."""
        return slice(start, stop)

    def at(self, tensor: Tensor, t: int) -> Tensor:
        """What belongs to time t of a tensor that was stacked along time."""
        return tensor[t]

    def joined(self, ys: list[Any]) -> Tensor:
        """The y of all steps along a first axis of time."""
        return stack(ys)

    def running(self, carry: Running, leaves: list[Any], t: int) -> list[Any]:
        """The carry that goes into step t."""
        return leaves

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a value of one step for all times."""
        return (self.steps,) + shape  # noqa: RUF005 - at half the price

    def blank(self, tensor: Tensor, carry: list[Tensor]) -> Tensor:
        """Zeros as x would be, where there is no time step."""
        return Tensor(tensor.numpy()[:0].sum(axis=0, dtype=tensor.dtype))

    def room(self, times: int, plus: int, rows: int, width: int) -> tuple[int, ...]:
        """The shape of an array of (times T + plus) time steps."""
        return times * self.steps + plus, rows, width

    def view(self, array: Any, memory: Any, shift: int) -> Any:
        """The rows of all times in an array that starts `shift` steps earlier."""
        if array.kind in ("input", "cotangent"):
            memory = memory.reshape(self.steps, -1, array.width)
        return memory[shift : shift + self.steps] if shift or len(memory) != self.steps else memory

    def fitted(self, call: Any, args: list[Any], t: int) -> list[Any]:
        """The arguments of a call of the step, as they go together at time t."""
        return args

    def begin(self, memory: Any, turns: bool, reverse: bool, start: Any) -> None:
        """Put the first carry (or 0) where the loop reads it: in two places that take turns, or in one of T + 1."""
        lay(memory, 0 if turns or not reverse else self.steps, start)

    def end(self, memory: Any, turns: bool, reverse: bool, shape: tuple[int, ...]) -> Any:
        """The last carry, of that shape, in memory of its own."""
        return lift(memory, self.steps & 1 if turns else 0 if reverse else self.steps, shape)


class Ragged(Even):
    """Row b runs for `lengths[b]` steps; `counts[t]` rows run at time t: arrays are (N, columns)."""

    __slots__ = ("before", "lengths", "slots", "starts", "total")

    def __init__(self, counts: Any, among: int | None = None) -> None:
        super().__init__(len(counts))
        self.counts = np.ascontiguousarray(counts, np.intp)
        rows = among if among is not None else int(self.counts[0]) if self.steps else 0  # those behind counts[0] have no step
        ends = np.cumsum(self.counts)
        self.total = int(self.counts.sum())
        self.starts = ends - self.counts
        self.slots = np.concatenate([[0], rows + self.starts])  # where the rows of each slot of a carry begin
        self.lengths = np.searchsorted(-self.counts, -np.arange(rows), "left")
        row = np.arange(self.total) - np.repeat(self.starts, self.counts)  # the sequence of each
        self.before = np.repeat(self.slots[:-1], self.counts) + row  # the carry before each row
        self.tables = self.counts, self.starts, self.slots, np.cumsum(self.lengths)

    def part(self, start: int, stop: int) -> Ragged:
        """Some of the time steps, for all sequences."""
        return Ragged(self.counts[start:stop], len(self.lengths))

    def rows(self, start: int, stop: int) -> slice:
        """Where the rows of those times lie."""
        return slice(int(self.starts[start]), int(self.starts[stop - 1] + self.counts[stop - 1]))

    def at(self, tensor: Tensor, t: int) -> Tensor:
        """The rows that run at time t."""
        return tensor[int(self.starts[t]) : int(self.starts[t] + self.counts[t])]

    def joined(self, ys: list[Any]) -> Tensor:
        """The y of all steps, time after time."""
        return concatenate(ys)

    def running(self, carry: Running, leaves: list[Any], t: int) -> list[Any]:
        """The carry of those rows that run at step t."""
        now, before = int(self.counts[t]), carry.rows
        carry.rows = now
        if now < before:
            carry.ended.append([leaf[now:] for leaf in leaves])
            return [leaf[:now] for leaf in leaves]
        begun = [leaf[before:now] for leaf in carry.first] if now > before else []
        return [concatenate(pair) for pair in zip(leaves, begun, strict=True)] if begun and before else begun or leaves

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a value of one step for all times: packed."""
        return self.total, *shape[1:]

    def blank(self, tensor: Tensor, carry: list[Tensor]) -> Tensor:
        """Zeros as x would be, where there is no time step."""
        return Tensor(np.zeros((len(carry[0]) if carry else 0, *tensor.shape[1:]), tensor.dtype))

    def room(self, times: int, plus: int, rows: int, width: int) -> tuple[int, ...]:
        """The shape of an array of (times T + plus) time steps."""
        return (self.total + plus * rows, width) if times else (plus, rows, width)

    def view(self, array: Any, memory: Any, shift: int) -> Any:
        """The rows of all times in an array; a copy of those of the carry before each step."""
        memory = memory.reshape(-1, array.width)
        if array.steps != "T+1":
            return memory
        return memory[len(memory) - self.total :] if shift else memory[self.before]

    def fitted(self, call: Any, args: list[Any], t: int) -> list[Any]:
        """The arguments of a call of the step: of constants with a row for each sequence, those that run at time t."""
        if not call.op.broadcasts:
            return args
        count = int(self.counts[t])
        mine = [isinstance(arg, Tensor) and len(arg.shape) > 1 and own_rows(arg.shape, call.out.shape) for arg in args]
        return [arg[:count] if own and len(arg) > count else arg for arg, own in zip(args, mine, strict=True)]

    def begin(self, memory: Any, turns: bool, reverse: bool, start: Any) -> None:
        """Put the first carry where the loop reads it: in two places that take turns, or where each row begins."""
        start = start if type(start) is int else start.reshape(len(self.lengths), -1)
        if turns:  # whoever begins later finds it in either place
            memory[:] = start
        else:
            memory[self.edge(reverse)] = start

    def end(self, memory: Any, turns: bool, reverse: bool, shape: tuple[int, ...]) -> Any:
        """The carry after the last step of each row."""
        if turns and reverse:
            return lift(memory, self.steps & 1, shape)
        found = memory[self.lengths & 1, np.arange(len(self.lengths))] if turns else memory[self.edge(not reverse)]
        return found.reshape(shape)

    def edge(self, late: bool) -> Any:
        """Where in a carry that is kept each row has its slot 0, or its own last one."""
        rows = np.arange(len(self.lengths))
        return self.slots[self.lengths] + rows if late else rows


def own_rows(constant: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a constant beside a value of this shape has a row for each of the value's."""
    return len(constant) == len(shape) > 0 and constant[0] == shape[0] > 1


class Running:
    """The carry of a loop from step to step: the rows that run; and, in `ended`, those that have reached their end."""

    __slots__ = ("ended", "first", "rows", "span")

    def __init__(self, span: Even, first: list[Any], reverse: bool) -> None:
        self.span = span
        self.first = first
        self.ended: list[list[Any]] = []
        self.rows = 0 if reverse or span.counts is None else int(span.counts[0])

    def at(self, leaves: list[Any], t: int) -> list[Any]:
        """The carry that goes into step t, from what the step before gave."""
        return self.span.running(self, leaves, t)

    def last(self, leaves: list[Any]) -> list[Any]:
        """The carry of every row after its own last step, from what the last step gave."""
        parts = [leaves, *reversed(self.ended)]
        return [concatenate(pieces) for pieces in zip(*parts, strict=True)] if self.ended else leaves


def span_of(xs: list[Tensor], length: Any, batch_sizes: Any, carry: list[Tensor]) -> Even:
    """The time steps that xs, `length` and `batch_sizes` agree on. Raises ShapeError, DtypeError or TypeError if they do not."""
    if batch_sizes is None and length is None and len(xs) == 1:
        x = xs[0]._array
        if x.ndim:
            return Even(len(x))
    if length is not None:
        if not isinstance(length, int | np.integer):
            raise TypeError(f"scan: length is a whole number, that of the time steps, got {length!r}")
        length = int(length)
    for leaf in xs:
        if not leaf.ndim:
            raise ShapeError("scan: xs holds a tensor of no axis; the first axis of every tensor of xs is time")
    lengths = {leaf.shape[0] for leaf in xs}
    if batch_sizes is not None:
        return ragged(lengths, length, batch_sizes, carry)
    lengths |= {length} if length is not None else set()
    if len(lengths) != 1:
        said = "give length= when xs has no tensors" if not lengths else f"xs and length= say {', '.join(map(str, sorted(lengths)))}"
        raise ShapeError(f"scan: the number of time steps is not one number: {said}")
    return Even(int(lengths.pop()))


def ragged(lengths: set[int], length: int | None, batch_sizes: Any, carry: list[Tensor]) -> Even:
    """`span_of` with batch_sizes, which say how many of the N rows of each tensor of xs belong to each time."""
    counts = np.asarray(batch_sizes)
    if counts.dtype.kind not in "iu" and counts.size:
        raise DtypeError(f"scan: batch_sizes are whole numbers, the rows that run at each time; got {counts.dtype}")
    if counts.ndim != 1 or (counts.size and counts[-1] < 1) or np.any(np.diff(counts.astype(np.int64)) > 0):
        raise ShapeError(
            f"scan: batch_sizes is one row of numbers from 1 that never grow (sequences in the order of their lengths, the longest first), "
            f"got {counts.tolist()}"
        )
    if length is not None and length != len(counts):
        raise ShapeError(f"scan: length={length}, but batch_sizes has {len(counts)} time steps")
    if lengths - {int(counts.sum())}:
        raise ShapeError(f"scan: batch_sizes add up to {counts.sum()} rows, xs has {', '.join(map(str, sorted(lengths)))}")
    rows = {leaf.shape[:1] for leaf in carry}
    if counts.size and rows - {(int(counts[0]),)}:
        found = ", ".join(str(leaf.shape) for leaf in carry)
        raise ShapeError(f"scan: batch_sizes starts with {counts[0]} rows, and so does every tensor of the carry; it has {found}")
    return Ragged(counts)
