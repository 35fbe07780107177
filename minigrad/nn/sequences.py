"""Padded batches of sequences: which steps count, and where those lie when nothing else is there (`scan` with batch_sizes).

Whatever stands in the padding is never read: neither a number nor a NaN of it reaches a result or a gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops import concatenate, take, zeros
from minigrad.ops.index import scatter_rows
from minigrad.tape import Tensor


class Packing:
    """The valid steps of a batch, a (T, B) mask, in the order of a packed scan: time after time, the longest sequence first.

    A sequence's steps are its valid ones in the order of time, as if those were all it had: holes are left out.
    """

    def __init__(self, mask: Any, batch_first: bool) -> None:
        steps, batch = mask.shape
        self.batch = batch
        self.shape = (batch, steps) if batch_first else (steps, batch)
        lengths = mask.sum(axis=0)
        order = np.argsort(-lengths, kind="stable")
        place = np.empty(batch, np.intp)
        place[order] = np.arange(batch)
        self.rows = order[: int(np.count_nonzero(lengths))]  # the sequences that have any step
        self.batch_sizes = np.count_nonzero(lengths[None, :] > np.arange(int(lengths.max(initial=0)))[:, None], axis=1)
        times, columns = np.nonzero(mask)
        rank = (np.cumsum(mask, axis=0) - 1)[times, columns]
        packed = np.lexsort((place[columns], rank))
        self.row = columns[packed]  # the sequence of each packed row
        flat = columns * steps + times if batch_first else times * batch + columns
        self.index = flat[packed]  # of each packed row, in the batch laid flat
        self.final = place + np.where(place < len(self.rows), 0, len(self.rows) - place + np.arange(batch))
        starts = np.cumsum(self.batch_sizes) - self.batch_sizes
        ends = lengths[self.rows] - 1
        self.ends = starts[ends] + np.arange(len(self.rows)) if len(self.rows) else ends

    def pack(self, x: Tensor) -> Tensor:
        """(T, B, features), or batch first -> (N, features): the valid steps."""
        return take(x.reshape(-1, x.shape[-1]), self.index)

    def unpack(self, x: Tensor) -> Tensor:
        """(N, features) -> (T, B, features), or batch first, with zeros where no step is valid."""
        a, b = self.shape
        return scatter_rows(x, self.index, shape=(a * b, x.shape[-1])).reshape(a, b, x.shape[-1])

    def start(self, state: Tensor) -> Tensor:
        """(B, features) of a first state -> those of the sequences that have a step, longest first."""
        return take(state, self.rows)

    def end(self, last: Tensor, first: Tensor) -> Tensor:
        """The last state of every sequence, in the order of the batch: its first one where there was no step."""
        return take(concatenate([last, first]), self.final)

    def edge(self, ys: Tensor, reverse: bool) -> Tensor:
        """(B, features): the output at the last valid step of each sequence, at the first one if time ran in reverse; zeros if none."""
        rows = ys[: len(self.rows)] if reverse else take(ys, self.ends)
        return self.end(rows, zeros((self.batch, ys.shape[-1]), dtype=ys.dtype))


def packing(who: str, shape: tuple[int, ...], lengths: Any, mask: Any, batch_first: bool) -> Packing | None:
    """The valid steps of a padded batch, by `lengths` or a `mask`; None if all are. Raises what `valid_steps` does."""
    valid = valid_steps(who, shape, lengths, mask, batch_first)
    return None if valid.all() else Packing(valid, batch_first)


def swapped(batch_first: bool) -> str:
    """What to say where time and batch seem to have changed places."""
    if batch_first:
        return ". If the input is (time, batch, ...), leave batch_first=True out"
    return ". If the input is (batch, time, ...), batch_first=True says so"


def valid_steps(who: str, shape: tuple[int, ...], lengths: Any, mask: Any, batch_first: bool) -> Any:
    """Where a step of a padded batch counts, (T, B): by `lengths` (B,), or by a `mask` of `shape`, the batch's first two axes.

    Raises ShapeError or DtypeError in words, and TypeError if both are given.
    """
    steps, batch = shape[::-1] if batch_first else shape
    if lengths is not None and mask is not None:
        raise TypeError(f"{who}: lengths= and mask= say the same thing: give one of them")
    if lengths is not None:
        counts = np.asarray(lengths)
        if counts.dtype.kind not in "iu" and counts.size:
            raise DtypeError(f"{who}: lengths are whole numbers, one for each sequence; got {counts.dtype}")
        if counts.shape != (batch,):
            hint = swapped(batch_first) if counts.shape == (steps,) else ""
            raise ShapeError(f"{who}: lengths has shape {counts.shape}, expected ({batch},): one for each sequence of the batch{hint}")
        if counts.size and (counts.min() < 0 or counts.max() > steps):
            worst = int(np.argmax((counts < 0) | (counts > steps)))
            hint = swapped(batch_first) if steps < counts.max() <= batch else ""
            raise ShapeError(
                f"{who}: lengths[{worst}] is {counts[worst]}, but the input has {steps} time steps: a length is one from 0 to {steps}, "
                f"and a batch is padded to its longest sequence{hint}"
            )
        return np.arange(steps)[:, None] < counts[None, :]
    given = np.asarray(mask)
    axes = "batch, time" if batch_first else "time, batch"
    if given.dtype != np.bool_ and not np.isin(given, (0, 1)).all():
        raise DtypeError(
            f"{who}: a mask is True where a step counts and False where not; got {given.dtype} with other numbers than 0 and 1"
        )
    if given.shape != shape:
        hint = swapped(batch_first) + ", or give mask.T" if given.shape == shape[::-1] else ""
        raise ShapeError(f"{who}: mask has shape {given.shape}, expected {shape} = {axes}, a truth value for each step{hint}")
    return (given.T if batch_first else given).astype(bool)
