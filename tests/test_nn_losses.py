"""Losses: values and gradients against PyTorch where it is installed, against their formulas and difference quotients everywhere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from beside_torch import compare

import minigrad as mg
from minigrad import nn
from minigrad.testing import check_grads

REDUCTIONS = ("none", "mean", "sum")


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def log_softmax(x, axis=1):
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def torch_f():
    return pytest.importorskip("torch").nn.functional


# ---- classes

SHAPES = [(4,), (5, 4), (5, 4, 3), (2, 4, 3, 2)]
CLASS_SETTINGS = [
    {"reduction": reduction, **more}
    for reduction, more in itertools.product(
        REDUCTIONS,
        [{}, {"ignore_index": 2}, {"ignore_index": -100}, {"label_smoothing": 0.3}, {"label_smoothing": 1.0, "ignore_index": 1}],
    )
]


def targets(rng, shape, ignored=False):
    axis = min(len(shape) - 1, 1)
    found = np.asarray(rng.integers(0, 4, shape[:axis] + shape[axis + 1 :]))
    if ignored and found.ndim:
        found.flat[0] = -100
    return found


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("settings", CLASS_SETTINGS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cross_entropy_is_that_of_torch(rng, shape, settings, weighted):
    f = torch_f()
    weight = rng.uniform(0.2, 2.0, 4) if weighted else None
    target = targets(rng, shape, settings.get("ignore_index") == -100)
    if len(shape) == 1 and settings.get("ignore_index", -100) == target:
        target = (target + 1) % 4  # PyTorch gives NaN: nothing is left
    import torch

    compare(
        lambda x: nn.cross_entropy(x, target, weight, **settings),
        lambda x: f.cross_entropy(x, torch.tensor(target), None if weight is None else torch.tensor(weight), **settings),
        [rng.standard_normal(shape) * 2],
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cross_entropy_of_probabilities_is_that_of_torch(rng, shape, reduction, smoothing, weighted):
    f = torch_f()
    import torch

    weight = rng.uniform(0.2, 2.0, 4) if weighted else None
    given = {"reduction": reduction, "label_smoothing": smoothing}
    compare(
        lambda x, t: nn.cross_entropy(x, t, weight, **given),
        lambda x, t: f.cross_entropy(x, t, None if weight is None else torch.tensor(weight), **given),
        [rng.standard_normal(shape), rng.uniform(0, 1, shape)],
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore", [-100, 1])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_nll_is_that_of_torch(rng, shape, reduction, ignore, weighted):
    f = torch_f()
    import torch

    weight = rng.uniform(0.2, 2.0, 4) if weighted else None
    target = np.where((t := targets(rng, shape)) == ignore, 0, t) if len(shape) == 1 else targets(rng, shape)
    given = {"reduction": reduction, "ignore_index": ignore}
    compare(
        lambda x: nn.nll_loss(x, target, weight, **given),
        lambda x: f.nll_loss(x, torch.tensor(target), None if weight is None else torch.tensor(weight), **given),
        [rng.standard_normal(shape)],
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_with_everything_by_its_formula(rng, reduction, smoothing, weighted):
    """By the distribution that each target stands for: (1 - s) at its class, s / C everywhere, times the weights of the classes."""
    logits = rng.standard_normal((6, 4, 3))
    target = rng.integers(0, 4, (6, 3))
    target[1, 2] = target[4, 0] = 7
    weight = rng.uniform(0.2, 2.0, 4) if weighted else np.ones(4)
    kept = target != 7
    shares = np.moveaxis((1 - smoothing) * np.eye(4)[np.where(kept, target, 0)] + smoothing / 4, -1, 1) * weight[:, None]
    expected = -(log_softmax(logits) * shares).sum(axis=1) * kept
    total = (weight[np.where(kept, target, 0)] * kept).sum()
    expected = {"none": expected, "sum": expected.sum(), "mean": expected.sum() / total}[reduction]
    given = {"weight": weight if weighted else None, "ignore_index": 7, "reduction": reduction, "label_smoothing": smoothing}
    found = nn.cross_entropy(logits, target, **given)
    assert np.allclose(found, expected, rtol=0, atol=1e-13)
    assert np.array_equal(nn.CrossEntropyLoss(**given).double()(logits, target), found)
    log_p = log_softmax(logits)
    if not smoothing:
        del given["label_smoothing"]
        assert np.allclose(nn.nll_loss(log_p, target, **given), expected, rtol=0, atol=1e-13)
        assert np.allclose(nn.NLLLoss(**given)(log_p, target), expected, rtol=0, atol=1e-6)
    check_grads(lambda x: nn.cross_entropy(x, target, **{**given, "label_smoothing": smoothing}), mg.tensor(logits))


def test_class_numbers_and_their_one_hot_probabilities_cost_the_same(rng):
    logits, target = rng.standard_normal((5, 4)), rng.integers(0, 4, 5)
    one_hot = np.eye(4)[target]
    for reduction in REDUCTIONS:
        a = nn.cross_entropy(logits, target, reduction=reduction, label_smoothing=0.1)
        b = nn.cross_entropy(logits, one_hot, reduction=reduction, label_smoothing=0.1)
        assert np.allclose(a, b, rtol=0, atol=1e-13)
    check_grads(
        lambda x, t: nn.cross_entropy(x, t, rng.uniform(1, 2, 4) * 0 + 1.5), (mg.tensor(logits), mg.tensor(rng.uniform(0, 1, (5, 4))))
    )


def test_a_batch_of_nothing_but_ignored_targets_is_nan_and_its_gradient_zero():
    logits = mg.ones(2, 3, requires_grad=True)
    assert np.isnan(nn.cross_entropy(logits, [-100, -100]).item())
    assert nn.cross_entropy(logits, [-100, -100], reduction="sum").item() == 0.0
    nn.cross_entropy(logits, [-100, 1], reduction="sum").backward()
    assert not logits.grad.numpy()[0].any() and logits.grad.numpy()[1].any()


# ---- yes and no

EXTREMES = np.array([-1000.0, -100.0, -3.0, -0.5, 0.0, 0.5, 3.0, 100.0, 1000.0])


def tt(array):
    """An array as a tensor of PyTorch; None stays None."""
    return None if array is None else pytest.importorskip("torch").tensor(array)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 2, 3)], ids=str)
def test_binary_losses_are_those_of_torch(rng, shape, reduction, weighted, positive):
    f = torch_f()
    p, target = rng.uniform(0.05, 0.95, shape), rng.uniform(0, 1, shape)
    weight = rng.uniform(0.5, 2, shape[-1:]) if weighted else None
    pos = rng.uniform(0.5, 3, shape[-1:]) if positive else None
    compare(
        lambda x, t: nn.binary_cross_entropy(x, t, weight, reduction),
        lambda x, t: f.binary_cross_entropy(x, t, tt(weight), reduction=reduction),
        [p, target],
    )
    compare(
        lambda x, t: nn.binary_cross_entropy_with_logits(x, t, weight, reduction=reduction, pos_weight=pos),
        lambda x, t: f.binary_cross_entropy_with_logits(x, t, tt(weight), reduction=reduction, pos_weight=tt(pos)),
        [rng.standard_normal(shape) * 3, target],
    )


def test_certain_probabilities_are_cut_off_as_in_torch():
    f = torch_f()
    p, t = (a.ravel() for a in np.meshgrid([0.0, 1e-40, 0.5, 1.0 - 1e-7, 1.0], [0.0, 0.5, 1.0]))
    compare(
        lambda x: nn.binary_cross_entropy(x, t, reduction="none"),
        lambda x: f.binary_cross_entropy(x, tt(t), reduction="none"),
        [p],
        order=1,
        tolerance=1e-8,  # its 1e-12 is the float32 next to it
    )


def test_binary_losses_by_their_formulas(rng):
    p, t, w = rng.uniform(0.05, 0.95, (4, 3)), rng.uniform(0, 1, (4, 3)), rng.uniform(0.5, 2, 3)
    terms = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    x = np.log(p / (1 - p))
    for reduction, made in (("none", lambda a: a), ("mean", np.mean), ("sum", np.sum)):
        assert np.allclose(nn.binary_cross_entropy(p, t, w, reduction), made(terms * w), rtol=0, atol=1e-13)
        assert np.allclose(nn.BCELoss(reduction=reduction)(p, t), made(terms), rtol=0, atol=1e-13)
        assert np.allclose(nn.BCEWithLogitsLoss(reduction=reduction)(x, t), made(terms), rtol=0, atol=1e-13)
        positive = -(w * t * np.log(p) + (1 - t) * np.log(1 - p))
        found = nn.BCEWithLogitsLoss(reduction=reduction, pos_weight=mg.tensor(w))(x, t)
        assert np.allclose(found, made(positive), rtol=0, atol=1e-13)
    check_grads(lambda a, b: nn.binary_cross_entropy(a, b, w), (mg.tensor(p), mg.tensor(t)))
    check_grads(lambda a, b: nn.binary_cross_entropy_with_logits(a, b, w, pos_weight=2.5), (mg.tensor(x), mg.tensor(t)))


def test_logits_of_any_size_stay_finite():
    for t in (0, 1, 0.25):
        x = mg.tensor(EXTREMES, requires_grad=True)
        losses = nn.binary_cross_entropy_with_logits(x, np.full(9, t), reduction="none")
        losses.sum().backward()
        assert np.isfinite(losses.numpy()).all() and np.isfinite(x.grad.numpy()).all()
        assert losses.numpy()[0] == 1000.0 * t and losses.numpy()[-1] == 1000.0 * (1 - t)


def test_targets_of_yes_and_no_may_be_booleans_or_whole_numbers():
    x = mg.tensor([0.5, -0.5])
    expected = nn.binary_cross_entropy_with_logits(x, [1.0, 0.0])
    for target in ([True, False], np.array([1, 0]), mg.tensor([1, 0])):
        found = nn.binary_cross_entropy_with_logits(x, target)
        assert found.dtype == np.float32 and found.item() == expected.item()


# ---- divergence


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.filterwarnings("ignore:reduction")
def test_kl_div_is_that_of_torch_and_of_its_formula(rng, reduction, log_target):
    q, p = log_softmax(rng.standard_normal((5, 4))), np.exp(log_softmax(rng.standard_normal((5, 4))))
    terms = p * (np.log(p) - q)
    expected = {"none": terms, "mean": terms.mean(), "sum": terms.sum(), "batchmean": terms.sum() / 5}[reduction]
    target = np.log(p) if log_target else p
    assert np.allclose(nn.kl_div(q, target, reduction, log_target), expected, rtol=0, atol=1e-13)
    assert np.allclose(nn.KLDivLoss(reduction, log_target)(q, target), expected, rtol=0, atol=1e-13)
    check_grads(lambda a, b: nn.kl_div(a, b, reduction, log_target), (mg.tensor(q), mg.tensor(target)))
    f = torch_f()
    compare(
        lambda a, b: nn.kl_div(a, b, reduction, log_target),
        lambda a, b: f.kl_div(a, b, reduction=reduction, log_target=log_target),
        [q, target],
    )


def test_kl_div_of_an_impossible_event_is_zero():
    q = mg.tensor([[-1.0, -2.0]], requires_grad=True)
    loss = nn.kl_div(q, [[0.0, 1.0]], "sum")
    loss.backward()
    assert loss.item() == 2.0 and q.grad.tolist() == [[0.0, -1.0]]


# ---- distances between numbers


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_distances_of_numbers(rng, reduction):
    a, b = rng.standard_normal((4, 3)) * 2, rng.standard_normal((4, 3))
    d = a - b
    made = {"none": lambda x: x, "mean": np.mean, "sum": np.sum}[reduction]
    huber = np.where(np.abs(d) <= 0.7, 0.5 * d * d, 0.7 * (np.abs(d) - 0.35))
    x, y = mg.tensor(a), mg.tensor(b)
    for function, module, expected in (
        (lambda *s: nn.l1_loss(*s, reduction), nn.L1Loss(reduction), np.abs(d)),
        (lambda *s: nn.mse_loss(*s, reduction), nn.MSELoss(reduction), d * d),
        (lambda *s: nn.huber_loss(*s, reduction, 0.7), nn.HuberLoss(reduction, 0.7), huber),
        (lambda *s: nn.smooth_l1_loss(*s, reduction, 0.7), nn.SmoothL1Loss(reduction, 0.7), huber / 0.7),
        (lambda *s: nn.smooth_l1_loss(*s, reduction, 0.0), nn.SmoothL1Loss(reduction, 0.0), np.abs(d)),
    ):
        assert np.allclose(function(x, y), made(expected), rtol=0, atol=1e-13)
        assert np.array_equal(module(x, y), function(x, y))
        check_grads(function, (x, y))
    f = torch_f()
    ties = [np.array([0.0, 0.7, -0.7, 0.2, 3.0, -3.0]), np.zeros(6)]
    for arrays in ([a, b], ties):
        order = 2 if arrays is not ties else 1
        compare(lambda *s: nn.l1_loss(*s, reduction), lambda *s: f.l1_loss(*s, reduction=reduction), arrays, order)
        compare(lambda *s: nn.mse_loss(*s, reduction), lambda *s: f.mse_loss(*s, reduction=reduction), arrays, order)
        compare(lambda *s: nn.huber_loss(*s, reduction, 0.7), lambda *s: f.huber_loss(*s, reduction=reduction, delta=0.7), arrays, order)
        compare(
            lambda *s: nn.smooth_l1_loss(*s, reduction, 0.7), lambda *s: f.smooth_l1_loss(*s, reduction=reduction, beta=0.7), arrays, order
        )


def test_huber_is_square_at_zero():
    """The second derivative at d = 0 is 1: written with |d|, it would come out as 0."""
    found = mg.hvp(lambda x: nn.huber_loss(x, [0.0], "sum"), mg.tensor([0.0]), mg.tensor([1.0]))
    assert found.tolist() == [1.0]


# ---- distances between vectors


@pytest.mark.parametrize(
    ("a", "b", "dim"), [((4, 3), (4, 3), 1), ((4, 3), (4, 3), 0), ((2, 3, 4), (3, 4), -1), ((5,), (5,), 0), ((4, 1, 3), (2, 3), 2)]
)
def test_cosine_similarity(rng, a, b, dim):
    x, y = rng.standard_normal(a), rng.standard_normal(b)
    expected = (x * y).sum(dim) / np.sqrt((x * x + 0 * y).sum(dim) * (y * y + 0 * x).sum(dim))
    assert np.allclose(nn.cosine_similarity(x, y, dim), expected, rtol=0, atol=1e-13)
    check_grads(lambda x, y: nn.cosine_similarity(x, y, dim), (mg.tensor(x), mg.tensor(y)))
    f = torch_f()
    compare(lambda x, y: nn.cosine_similarity(x, y, dim), lambda x, y: f.cosine_similarity(x, y, dim), [x, y])


def test_vectors_of_zeros_have_a_finite_gradient():
    x = mg.zeros(2, 3, requires_grad=True)
    nn.cosine_similarity(x, mg.ones(2, 3)).sum().backward()
    assert np.isfinite(x.grad.numpy()).all()
    x.grad = None
    nn.cosine_embedding_loss(x, mg.ones(2, 3), [1, -1]).backward()
    assert np.isfinite(x.grad.numpy()).all()
    x.grad = None
    nn.pairwise_distance(x, x.detach(), eps=0.0).sum().backward()
    assert not x.grad.numpy().any()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [0.0, 0.4])
def test_cosine_embedding_loss(rng, reduction, margin):
    x, y, labels = rng.standard_normal((6, 3)), rng.standard_normal((6, 3)), np.array([1, -1, 1, -1, -1, -1])
    cosine = (x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1))
    made = {"none": lambda x: x, "mean": np.mean, "sum": np.sum}[reduction]
    expected = made(np.where(labels == 1, 1 - cosine, np.maximum(0, cosine - margin)))
    for found in (nn.cosine_embedding_loss(x, y, labels, margin, reduction), nn.CosineEmbeddingLoss(margin, reduction)(x, y, labels)):
        assert np.allclose(found, expected, rtol=0, atol=1e-10)
    check_grads(lambda x, y: nn.cosine_embedding_loss(x, y, labels, margin, reduction), (mg.tensor(x), mg.tensor(y)))
    f = torch_f()
    compare(
        lambda x, y: nn.cosine_embedding_loss(x, y, labels, margin, reduction),
        lambda x, y: f.cosine_embedding_loss(x, y, tt(labels), margin, reduction=reduction),
        [x, y],
    )
    compare(lambda x, y: nn.cosine_embedding_loss(x, y, 1), lambda x, y: f.cosine_embedding_loss(x, y, tt(1)), [x[0], y[0]])


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5, np.inf])
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_triplet_margin_loss(rng, p, swap, reduction):
    a, b, c = rng.standard_normal((3, 6, 3))

    def distance(x, y):
        return np.linalg.norm(x - y + 1e-6, p, axis=-1)

    far = np.minimum(distance(a, c), distance(b, c)) if swap else distance(a, c)
    made = {"none": lambda x: x, "mean": np.mean, "sum": np.sum}[reduction]
    expected = made(np.maximum(0, distance(a, b) - far + 0.8))
    given = {"margin": 0.8, "p": p, "swap": swap, "reduction": reduction}
    for found in (nn.triplet_margin_loss(a, b, c, **given), nn.TripletMarginLoss(**given)(a, b, c)):
        assert np.allclose(found, expected, rtol=0, atol=1e-13)
    check_grads(lambda *s: nn.triplet_margin_loss(*s, **given), (mg.tensor(a), mg.tensor(b), mg.tensor(c)))
    f = torch_f()
    compare(lambda *s: nn.triplet_margin_loss(*s, **given), lambda *s: f.triplet_margin_loss(*s, **given), [a, b, c])
    compare(lambda x, y: nn.pairwise_distance(x, y, p, keepdim=True), lambda x, y: f.pairwise_distance(x, y, p, keepdim=True), [a, b])


# ---- modules and sentences


def test_loss_modules_show_their_settings_and_keep_their_weights():
    loss = nn.CrossEntropyLoss([1.0, 2.0], ignore_index=3, label_smoothing=0.1)
    assert repr(loss) == "CrossEntropyLoss(reduction='mean', ignore_index=3, label_smoothing=0.1)  # 0 parameters"
    assert {name: tensor.tolist() for name, tensor in loss.state_dict().items()} == {"weight": [1.0, 2.0]}
    assert list(nn.BCEWithLogitsLoss(pos_weight=[3.0]).state_dict()) == ["pos_weight"]
    assert repr(nn.HuberLoss(delta=2.0)) == "HuberLoss(reduction='mean', delta=2.0)  # 0 parameters"
    assert repr(nn.KLDivLoss("batchmean")) == "KLDivLoss(reduction='batchmean')  # 0 parameters"


ONE = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (
            lambda: nn.cross_entropy(ONE, [0, 1], "sum"),
            TypeError,
            "weight='sum' should be one number a class; write reduction='sum', by its name",
        ),
        (
            lambda: nn.CrossEntropyLoss("sum"),
            TypeError,
            "CrossEntropyLoss: weight='sum' should be numbers; write reduction='sum', by its name",
        ),
        (
            lambda: nn.cross_entropy(ONE, [0, 1], [1.0, 2.0]),
            mg.ShapeError,
            "cross_entropy: weight has shape (2,), expected one number for each of the 3 classes: (3,)",
        ),
        (lambda: nn.cross_entropy(ONE, [0, 1], label_smoothing=1.5), ValueError, "label_smoothing is a share from 0 to 1, got 1.5"),
        (
            lambda: nn.cross_entropy(ONE, ONE, ignore_index=1),
            ValueError,
            "ignore_index=1 is about class numbers, and these targets are probab",
        ),
        (lambda: nn.cross_entropy(ONE, ONE.astype(int)), mg.ShapeError, "got (2, 3); probabilities of the classes must be floating"),
        (lambda: nn.nll_loss(ONE, [0, 3]), mg.ShapeError, "nll_loss: targets run from 0 to 3; 3 classes allow 0 to 2"),
        (lambda: nn.nll_loss(ONE, [0, -1]), mg.ShapeError, "nll_loss: targets run from -1 to 0; 3 classes allow 0 to 2"),
        (lambda: nn.nll_loss(ONE, [0.0, 1.0]), mg.DtypeError, "nll_loss: targets are class numbers (whole numbers), got float64"),
        (lambda: nn.nll_loss(ONE, [0]), mg.ShapeError, "want targets of shape (2,), got (1,)"),
        (lambda: nn.nll_loss(ONE, [0, 1], reduction="avg"), ValueError, "nll_loss: reduction='avg' is not one of 'none', 'mean', 'sum'"),
        (lambda: nn.NLLLoss(reduction="avg"), ValueError, "NLLLoss: reduction='avg' is not one of 'none', 'mean', 'sum'"),
        (lambda: nn.kl_div(ONE, ONE, "avg"), ValueError, "kl_div: reduction='avg' is not one of 'none', 'mean', 'sum', 'batchmean'"),
        (lambda: nn.mse_loss(ONE, ONE, "batchmean"), ValueError, "mse_loss: reduction='batchmean' is not one of"),
        (lambda: nn.kl_div(np.float32(1), np.float32(1), "batchmean"), mg.ShapeError, "this input has no axis"),
        (
            lambda: nn.binary_cross_entropy(ONE, ONE[0]),
            mg.ShapeError,
            "binary_cross_entropy: input has shape (2, 3), target (3,): they must be",
        ),
        (
            lambda: nn.binary_cross_entropy(ONE * 2, ONE),
            ValueError,
            "input runs from 2.0 to 2.0, expected probabilities in [0, 1]; for logits there is binary_cross_entropy_with_logits",
        ),
        (
            lambda: nn.binary_cross_entropy(ONE, ONE, np.ones(2)),
            mg.ShapeError,
            "weight has shape (2,), which does not broadcast to the losses' shape (2, 3)",
        ),
        (lambda: nn.binary_cross_entropy_with_logits(ONE, ONE, pos_weight=np.ones(2)), mg.ShapeError, "pos_weight has shape (2,), which"),
        (
            lambda: nn.l1_loss([1, 2], [1, 2]),
            mg.DtypeError,
            "l1_loss: input must be floating, got int64: convert it with .astype('float32')",
        ),
        (lambda: nn.huber_loss(ONE, ONE, delta=0.0), ValueError, "huber_loss: delta=0.0 should be above 0"),
        (lambda: nn.smooth_l1_loss(ONE, ONE, beta=-1.0), ValueError, "smooth_l1_loss: beta=-1.0 should be 0 or above"),
        (lambda: nn.cosine_similarity(ONE, ONE[:, :2]), mg.ShapeError, "these shapes do not belong together: x1 (2, 3), x2 (2, 2)"),
        (
            lambda: nn.cosine_similarity(ONE, ONE, dim=2),
            mg.ShapeError,
            "cosine_similarity: dim=2 of inputs of shape (2, 3), which have 2 axes",
        ),
        (
            lambda: nn.cosine_embedding_loss(ONE, ONE, [1]),
            mg.ShapeError,
            "inputs have shapes (2, 3) and (2, 3), targets (1,); expected twice (N, D)",
        ),
        (lambda: nn.cosine_embedding_loss(ONE, ONE, [1, 0]), ValueError, "targets are 1 (alike) or -1 (different), got 0"),
        (
            lambda: nn.triplet_margin_loss(ONE, ONE, ONE[0]),
            mg.ShapeError,
            "anchor has shape (2, 3), positive (2, 3), negative (3,); expected",
        ),
        (lambda: nn.triplet_margin_loss(ONE, ONE, ONE, margin=0), ValueError, "triplet_margin_loss: margin=0 should be above 0"),
        (lambda: nn.pairwise_distance(ONE, ONE, p=0), ValueError, "pairwise_distance: p=0 should be above 0"),
    ],
)
def test_losses_refuse_in_sentences(call, kind, sentence):
    with pytest.raises(kind) as caught:
        call()
    assert sentence in str(caught.value)
