"""Losses over sequences, against their formulas written out in NumPy, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DtypeError, ShapeError
from minigrad.testing import check_grads

T, B, C = 5, 4, 3
LENGTHS = np.array([5, 0, 2, 4])


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def entropy(logits: Any, label: int) -> float:
    """-log softmax(logits)[label]."""
    return float(np.log(np.exp(logits - logits.max()).sum()) - logits[label] + logits.max())


def squared(output: Any, target: Any) -> float:
    """The mean over features."""
    return float(((output - target) ** 2).mean())


LOSSES: dict[str, Any] = {"cross entropy": (nn.sequence_cross_entropy, entropy), "squares": (nn.sequence_mse_loss, squared)}
losses = pytest.mark.parametrize("kind", LOSSES)


def targets(kind: str, rng: Any, *lead: int) -> Any:
    return rng.integers(0, C, lead) if kind == "cross entropy" else rng.standard_normal((*lead, C))


def padding(how: str, rng: Any) -> tuple[Any, dict[str, Any]]:
    """The steps that count, (T, B), and how a loss is told."""
    if how == "all":
        return np.ones((T, B), bool), {}
    if how == "lengths":
        return np.arange(T)[:, None] < LENGTHS, {"lengths": LENGTHS}
    mask = rng.random((T, B)) < 0.5
    mask[:, 1] = False
    mask[0, 0] = True
    return mask, {"mask": mask}


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("steps", ["all", "last"])
@pytest.mark.parametrize("how", ["all", "lengths", "mask"])
@losses
def test_the_formula_and_padding_that_is_never_read(kind, how, steps, batch_first, rng):
    function, formula = LOSSES[kind]
    mask, told = padding(how, rng)
    x, y = rng.standard_normal((T, B, C)), targets(kind, rng, *([B] if steps == "last" else [T, B]))
    each = np.zeros((B,) if steps == "last" else (T, B))
    counts = np.zeros(each.shape, bool)
    for b in range(B):
        times = np.flatnonzero(mask[:, b])
        for t in times[-1:] if steps == "last" else times:
            place = (b,) if steps == "last" else (t, b)
            each[place], counts[place] = formula(x[t, b], y[place]), True
    x[~mask] = np.nan
    y[~counts] = 10**6 if kind == "cross entropy" else np.nan
    if batch_first:
        x, told = x.swapaxes(0, 1), {name: value.T for name, value in told.items()}
        y, each = (y, each) if steps == "last" else (y.swapaxes(0, 1), each.T)
    leaf = mg.tensor(x, requires_grad=True)
    settings = {**told, "steps": steps, "batch_first": batch_first}
    loss = function(leaf, y, **settings)
    np.testing.assert_allclose(loss.item(), each.sum() / counts.sum(), rtol=1e-12)
    scale = C if kind == "squares" else 1
    np.testing.assert_allclose(function(leaf, y, reduction="sum", **settings).item(), each.sum() * scale, rtol=1e-12)
    one_by_one = function(leaf, y, reduction="none", **settings)
    assert one_by_one.shape == y.shape
    found = one_by_one.numpy()
    np.testing.assert_allclose(found.mean(axis=-1) if kind == "squares" else found, each, rtol=1e-12)
    seed = rng.standard_normal(one_by_one.shape)
    (one_by_one * seed).sum().backward()
    valid = mask.T if batch_first else mask
    assert (leaf.grad.numpy()[~valid] == 0).all()
    assert np.isfinite(leaf.grad.numpy()).all()

    def weighed(inside):
        return (function(mg.where(valid[..., None], inside, 0.0), y, reduction="none", **settings) * seed).sum()

    inside = mg.tensor(np.where(valid[..., None], x, 0.0), requires_grad=True)
    weighed(inside).backward()
    np.testing.assert_allclose(leaf.grad.numpy(), inside.grad.numpy(), atol=1e-14)
    check_grads(weighed, inside.detach(), order=2)


@losses
def test_one_sequence_without_a_batch(kind, rng):
    function, formula = LOSSES[kind]
    x, y = rng.standard_normal((T, C)), targets(kind, rng, T)
    expected = np.mean([formula(x[t], y[t]) for t in range(T)])
    np.testing.assert_allclose(function(x, y).item(), expected)
    np.testing.assert_allclose(function(x, y, batch_first=True).item(), expected)
    np.testing.assert_allclose(function(x, y[2], steps="last").item(), formula(x[-1], y[2]))
    assert function(x, y, reduction="none").shape == y.shape


@losses
def test_equal_lengths_need_not_be_told(kind, rng):
    function, _ = LOSSES[kind]
    x, y = rng.standard_normal((T, B, C)), targets(kind, rng, T, B)
    plain = function(x, y).item()
    assert plain == function(x, y, lengths=[T] * B).item()
    each = nn.cross_entropy(x.reshape(-1, C), y.reshape(-1)) if kind == "cross entropy" else nn.mse_loss(x, y)
    assert plain == each.item()


@losses
def test_where_nothing_counts_there_is_no_mean(kind):
    function, _ = LOSSES[kind]
    x, y = mg.tensor(np.ones((T, B, C)), requires_grad=True), targets(kind, np.random.default_rng(0), T, B)
    loss = function(x, y, lengths=[0] * B)
    assert np.isnan(loss.item())
    assert function(x, y, lengths=[0] * B, reduction="sum").item() == 0
    loss.backward()
    assert (x.grad.numpy() == 0).all()


def test_settings_of_the_cross_entropy(rng):
    x, y, mask = rng.standard_normal((T, B, C)), rng.integers(0, C, (T, B)), rng.random((T, B)) < 0.6
    y[mask.nonzero()[0][0], mask.nonzero()[1][0]] = -1
    for settings in ({"weight": [1.0, 2.0, 0.5]}, {"label_smoothing": 0.2}, {}):
        expected = nn.cross_entropy(x[mask], y[mask], ignore_index=-1, **settings)
        np.testing.assert_allclose(nn.sequence_cross_entropy(x, y, mask=mask, ignore_index=-1, **settings).item(), expected.item())
    shares = rng.dirichlet(np.ones(C), (T, B))
    expected = nn.cross_entropy(x[mask], shares[mask])
    np.testing.assert_allclose(nn.sequence_cross_entropy(x, shares, mask=mask).item(), expected.item())


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("how", ["all", "lengths", "mask"])
def test_last_step(how, batch_first, rng):
    mask, told = padding(how, rng)
    x = rng.standard_normal((T, B, C))
    expected = np.stack([x[np.flatnonzero(mask[:, b])[-1], b] if mask[:, b].any() else np.zeros(C) for b in range(B)])
    x[~mask] = np.nan
    given = mg.tensor(x.swapaxes(0, 1) if batch_first else x, requires_grad=True)
    found = nn.last_step(given, batch_first=batch_first, **{name: value.T if batch_first else value for name, value in told.items()})
    np.testing.assert_array_equal(found.numpy(), expected)
    seed = rng.standard_normal((B, C))
    (found * seed).sum().backward()
    gradient = np.zeros((T, B, C))
    for b in range(B):
        if mask[:, b].any():
            gradient[np.flatnonzero(mask[:, b])[-1], b] = seed[b]
    np.testing.assert_array_equal(given.grad.numpy(), gradient.swapaxes(0, 1) if batch_first else gradient)


def test_last_step_is_what_a_layer_without_sequences_gives(rng):
    layer = nn.GRU(2, C)
    x = rng.standard_normal((T, B, 2)).astype(np.float32)
    output, h = layer(x, lengths=LENGTHS)
    np.testing.assert_array_equal(nn.last_step(output, LENGTHS).numpy(), h.numpy()[0])
    layer.return_sequences = False
    np.testing.assert_array_equal(nn.last_step(output, LENGTHS).numpy(), layer(x, lengths=LENGTHS)[0].numpy())


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (
            lambda x, y: nn.sequence_cross_entropy(x, y[1:]),
            ShapeError,
            r"output has shape \(5, 4, 3\), target \(4, 4\), expected one for each step",
        ),
        (lambda x, y: nn.sequence_cross_entropy(x, y, steps="last"), ShapeError, r"expected one for each sequence: \(4,\)"),
        (lambda x, y: nn.sequence_mse_loss(x, y), ShapeError, r"mse_loss: input has shape \(20, 3\), target \(20,\)"),
        (
            lambda x, y: nn.sequence_mse_loss(x, x, steps="first"),
            ValueError,
            "sequence_mse_loss: steps='first' is not one of 'all', 'last'",
        ),
        (lambda x, y: nn.sequence_mse_loss(x, x, reduction="avg"), ValueError, "sequence_mse_loss: reduction='avg'"),
        (lambda x, y: nn.sequence_cross_entropy(x, y, lengths=[6, 1, 1, 1]), ShapeError, r"sequence_cross_entropy: lengths\[0\] is 6"),
        (
            lambda x, y: nn.sequence_cross_entropy(x, y, mask=y.T > 0),
            ShapeError,
            r"mask has shape \(4, 5\), expected \(5, 4\) = time, batch",
        ),
        (lambda x, y: nn.sequence_cross_entropy(x, y, lengths=[1] * 4, mask=y > 0), TypeError, "say the same thing"),
        (lambda x, y: nn.sequence_cross_entropy(x[0], y[0], lengths=[1] * 4), ShapeError, r"are for batches, \(time, batch, features\)"),
        (lambda x, y: nn.sequence_cross_entropy(x, y + 3), ShapeError, "class"),
        (lambda x, y: nn.last_step(y), DtypeError, "last_step: output must be floating"),
        (lambda x, y: nn.last_step(x[:0]), ShapeError, r"with one time step or more"),
        (lambda x, y: nn.last_step(x[0, 0]), ShapeError, r"last_step: output has shape \(3,\), expected"),
    ],
)
def test_mistakes_get_sentences(call, kind, words):
    with pytest.raises(kind, match=words):
        call(np.zeros((T, B, C)), np.zeros((T, B), int))
