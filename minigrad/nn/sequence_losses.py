"""Losses over the steps of sequences, of padded batches too: one for every step (many to many), or one for each sequence (many to one).

The mean is that over valid steps: the sum of their losses, divided by their number. Where a step does not count neither the output nor the
target is read, and the gradient is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minigrad.errors import ShapeError
from minigrad.ops import take, zeros
from minigrad.ops.creation import as_tensor
from minigrad.ops.index import scatter_rows
from minigrad.tape import Tensor

from .distances import mse_loss
from .likelihoods import cross_entropy
from .reduction import check_reduction, floating
from .sequences import Packing, packing


def last_step(output: Any, lengths: Any = None, *, mask: Any = None, batch_first: bool = False) -> Tensor:
    """(B, features): each sequence's output at its last valid step, of `output` (T, B, features); zeros where no step is valid.

    `lengths` (B,) or a boolean `mask` (T, B) say which steps count; without them the last one is that of all. With `batch_first` output
    and mask are (B, T, ...). What a recurrent layer gives with return_sequences=False is this for its forward direction alone: a backward
    direction has read everything at its *first* step. Raises ShapeError, DtypeError and TypeError in words.

    >>> last_step([[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]], lengths=[2, 3])
    tensor([[3.],
            [6.]])
    """
    (output,) = floating("last_step", output=output)
    valid = padding("last_step", output, lengths, mask, batch_first)
    if valid is None:
        return at_end(output, batch_first)
    ends = take(flat(output, 2), valid.index[valid.ends])
    return valid.end(ends, zeros((valid.batch, output.shape[-1]), dtype=output.dtype))


def sequence_cross_entropy(
    logits: Any,
    target: Any,
    *,
    lengths: Any = None,
    mask: Any = None,
    steps: str = "all",
    batch_first: bool = False,
    reduction: str = "mean",
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    """The mean over all valid steps of -log softmax(logits_t)[target_t]: logits (T, B, C), target (T, B) whole numbers.

    `lengths` (B,) or a boolean `mask` (T, B) say which steps of a padded batch count: all, if neither is given. With steps="last" (many to
    one) there is one target a sequence, (B,), for its last valid step, and the mean is over the sequences that have one. With `batch_first`
    logits, target and mask are (B, T, ...); without a batch all lose that axis. `reduction` is "mean", "sum", or "none": the losses in the
    shape of the target, 0 where nothing counts. If nothing counts at all the mean is NaN. Targets of probabilities, `weight`,
    `ignore_index`, `label_smoothing` and the errors are those of `cross_entropy`.

    >>> logits, target = [[[0.0, 0.0], [0.0, 0.0]], [[9.0, 9.0], [9.0, 0.0]]], [[0, 1], [0, 7]]
    >>> sequence_cross_entropy(logits, target, lengths=[2, 1], reduction="none")
    tensor([[0.6931472, 0.6931472],
            [0.6931472, 0.       ]])
    >>> sequence_cross_entropy(logits, [0, 1], lengths=[2, 1], steps="last")
    tensor(0.6931472)
    """

    def loss(rows: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(rows, targets, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)

    check_reduction(reduction, "sequence_cross_entropy")
    return over_steps("sequence_cross_entropy", loss, logits, target, lengths, mask, steps, batch_first, reduction)


def sequence_mse_loss(
    output: Any,
    target: Any,
    *,
    lengths: Any = None,
    mask: Any = None,
    steps: str = "all",
    batch_first: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """The mean over all valid steps, and over their features, of (output_t - target_t)^2: both (T, B, features).

    Settings are those of `sequence_cross_entropy`; with steps="last" target is (B, features). Raises ShapeError if the shapes do not belong
    together, as mse_loss does.

    >>> output, target = [[[1.0], [2.0]], [[3.0], [4.0]]], [[[0.0], [0.0]], [[0.0], [float("nan")]]]
    >>> sequence_mse_loss(output, target, mask=[[True, True], [True, False]])  # (1 + 4 + 9) / 3
    tensor(4.6666665)
    >>> sequence_mse_loss(output, [[0.0], [0.0]], lengths=[2, 1], steps="last")  # (9 + 4) / 2
    tensor(6.5)
    """

    def loss(rows: Tensor, targets: Tensor) -> Tensor:
        return mse_loss(rows, targets, reduction)

    check_reduction(reduction, "sequence_mse_loss")
    return over_steps("sequence_mse_loss", loss, output, target, lengths, mask, steps, batch_first, reduction)


def over_steps(
    what: str,
    loss: Callable[[Tensor, Tensor], Tensor],
    output: Any,
    target: Any,
    lengths: Any,
    mask: Any,
    steps: str,
    batch_first: bool,
    reduction: str,
) -> Tensor:
    """A loss of rows, over the rows that count."""
    if steps not in ("all", "last"):
        raise ValueError(f"{what}: steps={steps!r} is not one of 'all', 'last'")
    (output,), target = floating(what, output=output), as_tensor(target)
    valid = padding(what, output, lengths, mask, batch_first)
    lead = output.shape[:-1]
    if steps == "last":
        lead = lead[:1] if batch_first else lead[1:]
        lead = () if output.ndim == 2 else lead
    if target.shape[: len(lead)] != lead:
        want = "for each sequence" if steps == "last" else "for each step"
        raise ShapeError(
            f"{what}: output has shape {output.shape}, target {target.shape}, expected one {want}: {lead}, and behind it what it has"
        )
    if valid is None:
        rows = at_end(output, batch_first) if steps == "last" else flat(output, len(lead))
        losses = loss(rows, target if steps == "last" else flat(target, len(lead)))
        return losses.reshape(*lead, *losses.shape[1:]) if reduction == "none" and steps == "all" else losses
    index = valid.index if steps == "all" else valid.index[valid.ends]
    place = valid.index if steps == "all" else valid.rows
    count = math.prod(lead)
    losses = loss(take(flat(output, 2), index), take(target.reshape(count, *target.shape[len(lead) :]), place))
    if reduction == "none":
        each = losses.reshape(len(place), math.prod(losses.shape[1:]))
        return scatter_rows(each, place, shape=(count, each.shape[1])).reshape(*lead, *losses.shape[1:])
    return losses


def padding(what: str, output: Tensor, lengths: Any, mask: Any, batch_first: bool) -> Packing | None:
    """Which steps count; None if all do."""
    order = "batch, time, features" if batch_first else "time, batch, features"
    if output.ndim not in (2, 3) or not output.shape[1 if batch_first and output.ndim == 3 else 0]:
        raise ShapeError(f"{what}: output has shape {output.shape}, expected ({order}), or (time, features), with one time step or more")
    if lengths is None and mask is None:
        return None
    if output.ndim == 2:
        raise ShapeError(f"{what}: lengths= and mask= are for batches, ({order}); this output has shape {output.shape}")
    return packing(what, output.shape[:2], lengths, mask, batch_first)


def at_end(output: Tensor, batch_first: bool) -> Tensor:
    """The last of all steps."""
    return output[:, -1] if batch_first and output.ndim == 3 else output[-1]


def flat(x: Tensor, axes: int) -> Tensor:
    """The first axes as one."""
    return x.reshape(math.prod(x.shape[:axes]), *x.shape[axes:])
