"""Gradients of rows: what backward gives, and that every optimiser takes the steps of the dense gradient with them."""

from __future__ import annotations

import copy
import gc
import pickle
import tracemalloc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import io, nn, optim
from minigrad.optim import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Optimizer, RMSprop, lag
from minigrad.sparse import Rows

TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


class SignSGD(Optimizer):
    """An optimiser that knows nothing of rows."""

    def update(self, p, g, state, group):
        p -= group["lr"] * np.sign(g)


CASES = [
    (SGD, {"lr": 0.1}),
    (SGD, {"lr": 0.05, "momentum": 0.9}),
    (SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    (SGD, {"lr": 0.05, "momentum": 0.3, "dampening": 0.3, "maximize": True}),
    (SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
    (Adam, {"lr": 0.01}),
    (Adam, {"lr": 0.01, "betas": (0.3, 0.9)}),
    (Adam, {"lr": 0.01, "betas": (0.0, 0.9)}),
    (Adam, {"lr": 0.01, "betas": (0.9, 0.5)}),
    (Adam, {"lr": 0.01, "betas": (0.9, 0.0)}),
    (Adam, {"lr": 0.01, "eps": 0.1}),
    (Adam, {"lr": 0.01, "amsgrad": True, "betas": (0.5, 0.9)}),
    (Adam, {"lr": 0.01, "weight_decay": 0.1}),
    (AdamW, {"lr": 0.01, "weight_decay": 0.1, "maximize": True}),
    (Adamax, {"lr": 0.01}),
    (RMSprop, {"lr": 0.01, "alpha": 0.9}),
    (RMSprop, {"lr": 0.01, "alpha": 0.9, "eps": 0.01, "centered": True}),
    (RMSprop, {"lr": 0.01, "momentum": 0.5}),
    (RMSprop, {"lr": 0.01, "weight_decay": 0.1}),
    (Adagrad, {"lr": 0.1}),
    (Adagrad, {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    (Adagrad, {"lr": 0.1, "weight_decay": 0.1}),
    (Adadelta, {"lr": 1.0}),
    (SignSGD, {"lr": 0.01}),
]
IDS = [f"{kind.__name__}-{number}" for number, (kind, _) in enumerate(CASES)]
LAZY = [case for case in CASES if (case[0] in (SGD, Adam, AdamW, RMSprop) and "momentum" in case[1]) or case[0] is Adam]


def make(kind, params, options):
    return kind(params, options) if kind is SignSGD else kind(params, **options)


def table(sparse, dtype="float32", rows=12, columns=3, seed=0):
    start = np.random.default_rng(seed).standard_normal((rows, columns)).astype(dtype)
    layer = nn.Embedding(rows, columns, sparse=sparse, dtype=dtype)
    layer.weight.assign_(start)
    return layer


def error(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.abs(a - b).max(initial=0) / max(1, np.abs(b).max(initial=0))


def backward(layer, places, cotangent):
    (layer(places) * mg.tensor(cotangent)).sum().backward()


def draw(rng, rows, columns, dtype, most=4):
    """Places of one step, now and then none, and now and then all; a cotangent of the order of real ones, or far from it."""
    places = {0: np.zeros(0, np.int64), 1: rng.permutation(rows)}.get(rng.integers(12), rng.integers(0, rows, rng.integers(1, most)))
    return places, (rng.standard_normal((len(places), columns)) * 10.0 ** rng.integers(-4, 1)).astype(dtype)


# ---- the gradient


def test_the_gradient_of_rows_is_that_of_the_table():
    rng = np.random.default_rng(0)
    for places in [[1, 5, 1, 1], [[0, 11], [11, 0]], [], 3]:
        dense, sparse = table(False), table(True)
        cotangent = rng.standard_normal((*np.shape(places), 3)).astype("float32")
        indices = np.asarray(places, np.int64)
        for _ in range(2):  # .grad adds up
            backward(dense, indices, cotangent)
            backward(sparse, indices, cotangent)
        g = sparse.weight.grad
        assert isinstance(g._array, Rows) and g.shape == (12, 3) and g.dtype == np.float32 and g.ndim == 2 and len(g) == 12
        assert list(g._array.rows) == sorted(set(indices.ravel().tolist()))
        assert np.array_equal(g.numpy(), dense.weight.grad.numpy())
        assert np.array_equal((g * 2.0).numpy(), 2 * dense.weight.grad.numpy()) and repr(g) == repr(dense.weight.grad)


def test_several_lookups_of_one_table_add_up_and_with_other_uses_too():
    dense, sparse = table(False), table(True)
    for also in (lambda w: 0.0, lambda w: (w * w).sum(), lambda w: w[3:5].sum()):
        for layer in (dense, sparse):
            layer.weight.grad = None
            loss = (layer([1, 2, 2]) * 2.0).sum() + (layer([[2], [7]]) ** 2).sum() + also(layer.weight)
            loss.backward()
        assert error(sparse.weight.grad.numpy(), dense.weight.grad.numpy()) < 1e-6
    sparse.weight.grad = None
    (sparse([1, 2, 2]).sum() + sparse([2]).sum()).backward()
    assert isinstance(sparse.weight.grad._array, Rows) and sparse.weight.grad.numpy()[:4, 0].tolist() == [0.0, 1.0, 3.0, 0.0]


def test_second_derivatives_hooks_and_functional_gradients_see_the_whole():
    dense, sparse = table(False, "float64"), table(True, "float64")
    found = []
    for layer in (dense, sparse):
        (layer([1, 2, 2]) ** 3).sum().backward(create_graph=True)
        g, layer.weight.grad = layer.weight.grad, None
        (g * g).sum().backward()
        second, layer.weight.grad = layer.weight.grad, None
        first = mg.grad(lambda w: (mg.take(w, [1, 2, 2]) ** 3).sum())(layer.weight)
        seen = []
        with layer.weight.register_hook(lambda g, seen=seen: seen.append(g.numpy().copy()) or g * 2.0):
            (layer([1, 2, 2]) ** 3).sum().backward()
        found.append([g.numpy(), second.numpy(), first.numpy(), seen[0], layer.weight.grad.numpy()])
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_the_gradient_of_a_computed_table_is_dense():
    layer = table(True)
    doubled = layer.weight * 2.0
    mg.take(doubled, [1, 1]).sum().backward()
    assert layer.weight.grad.numpy()[1].tolist() == [4.0] * 3 and not isinstance(layer.weight.grad._array, Rows)


def test_bags_of_embeddings_have_gradients_of_rows():
    for mode in ("sum", "mean", "max"):
        dense, sparse = nn.EmbeddingBag(12, 3, mode=mode), nn.EmbeddingBag(12, 3, mode=mode, sparse=True)
        sparse.weight.assign_(dense.weight)
        for layer in (dense, sparse):
            (layer([[1, 2, 2], [5, 5, 1]]) ** 2).sum().backward()
        assert isinstance(sparse.weight.grad._array, Rows)
        assert np.array_equal(sparse.weight.grad.numpy(), dense.weight.grad.numpy())


def test_padding_has_no_gradient():
    layer = nn.Embedding(5, 2, padding_idx=0, sparse=True)
    layer([0, 1, 0]).sum().backward()
    assert layer.weight.grad.numpy().tolist() == [[0.0, 0.0], [1.0, 1.0], *[[0.0, 0.0]] * 3]


@pytest.mark.parametrize("order", [1.0, 2.0, np.inf])
def test_clipping_keeps_rows(order):
    layer, twin = table(True), table(False)
    cotangent = np.random.default_rng(0).standard_normal((3, 3)).astype("float32")
    for one in (layer, twin):
        backward(one, [1, 7, 1], cotangent)
    assert error(optim.clip_grad_norm_(layer, 0.5, order).item(), optim.clip_grad_norm_(twin, 0.5, order).item()) < 1e-6
    assert isinstance(layer.weight.grad._array, Rows) and error(layer.weight.grad.numpy(), twin.weight.grad.numpy()) < 1e-6
    for one in (layer, twin):
        optim.clip_grad_value_(one, 0.1)
    assert isinstance(layer.weight.grad._array, Rows) and error(layer.weight.grad.numpy(), twin.weight.grad.numpy()) < 1e-6


# ---- the steps


def drive(kind, options, sparse, dtype, steps=80, events=True, tmp_path=None):
    """A run of many steps with all that can happen between them: the table after each read of it, and at the end."""
    rng = np.random.default_rng(5)
    layer = table(sparse, dtype)
    optimizer = make(kind, [layer.weight], options)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=40, eta_min=1e-3)
    found = []
    for step in range(steps):
        places, cotangent = draw(rng, 12, 3, dtype)
        event = rng.integers(14) if events else -1
        optimizer.zero_grad()
        if event == 8:  # the table in another use: a dense gradient
            ((layer.weight * mg.tensor(np.float32(0.01))).sum() * (0.0 if step < 3 else 1.0)).astype(dtype).backward()
        else:
            out = layer(places)
            found.append(out.numpy().copy())
            (out * mg.tensor(cotangent)).sum().backward()
        if event == 9:
            optimizer.step(max_norm=0.1)
        else:
            optimizer.step()
        if event in (10, 11):
            schedule.step()
        if event == 0:
            found.append(layer.weight.numpy().copy())
        elif event == 1:
            found.append((mg.ones(1, 3, dtype=dtype) @ layer.weight.detach().T).numpy())
        elif event == 2:
            found.append(layer.state_dict()["weight"].numpy().copy())
        elif event == 3:
            state = optimizer.state_dict()
            found += [np.asarray(value) for value in state["state"][0].values()] if state["state"] else []
        elif event == 4:  # a checkpoint, and on from it
            io.save({"layer": layer.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "run")
            saved = io.load(tmp_path / "run")
            layer = table(sparse, dtype, seed=1)
            optimizer = make(kind, [layer.weight], {"lr": 0.5})
            schedule_state = schedule.state_dict()
            schedule = optim.CosineAnnealingLR(optimizer, T_max=40, eta_min=1e-3)
            layer.load_state_dict(saved["layer"])
            optimizer.load_state_dict(saved["optimizer"])
            schedule.load_state_dict(schedule_state)
        elif event == 5:
            layer.weight.assign_(layer.weight.detach() * 0.9)
        elif event == 6:
            layer, optimizer = copy.deepcopy((layer, optimizer))
            schedule_state = schedule.state_dict()
            schedule = optim.CosineAnnealingLR(optimizer, T_max=40, eta_min=1e-3)
            schedule.load_state_dict(schedule_state)
        elif event == 7:
            found.append(layer.weight[2:5].sum(axis=0).numpy().copy())
    found += [layer.weight.numpy().copy(), *[np.asarray(value) for value in optimizer.state_dict()["state"].get(0, {}).values()]]
    return found


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_steps_with_rows_are_the_dense_steps(kind, options, dtype, tmp_path):
    pair = [drive(kind, dict(options), sparse, dtype, tmp_path=tmp_path) for sparse in (False, True)]
    assert len(pair[0]) == len(pair[1]) > 80
    for a, b in zip(*pair, strict=True):
        assert error(b, a) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("kind", "options"), LAZY, ids=range(len(LAZY)))
def test_rows_that_rest_for_long_are_where_the_dense_steps_bring_them(kind, options, dtype, monkeypatch):
    """Longer than anything moves, and across the point where what was put off is done at once."""
    monkeypatch.setattr(lag, "HISTORY", 500)
    pair = []
    for sparse in (False, True):
        layer = table(sparse, dtype, rows=4)
        optimizer = make(kind, [layer.weight], options)
        rng = np.random.default_rng(0)
        for step in range(1100):
            optimizer.zero_grad()
            place = step % 97 // 96 + 2 * (step in (50, 1050)) if step != 1 else 3
            backward(layer, [place], rng.standard_normal((1, 3)).astype(dtype))
            optimizer.step()
        pair.append([layer.weight.numpy(), *[np.asarray(value) for value in optimizer.state_dict()["state"].get(0, {}).values()]])
    for a, b in zip(*pair, strict=True):
        assert error(b, a) <= TOLERANCE[dtype]


def test_steps_that_were_put_off_have_the_bits_of_those_that_were_not():
    for kind, options in [(Adam, {"lr": 0.01}), (AdamW, {"lr": 0.01}), (Adam, {"amsgrad": True})]:
        pair = [drive(kind, options, sparse, "float32", events=False) for sparse in (False, True)]
        assert all(np.array_equal(a, b) for a, b in zip(*pair, strict=True))


@pytest.mark.parametrize(("kind", "options"), LAZY, ids=range(len(LAZY)))
def test_rows_that_are_not_read_are_behind(kind, options):
    layer = table(True)
    optimizer = make(kind, [layer.weight], options)
    for place in (1, 2, 3):
        optimizer.zero_grad()
        backward(layer, [place], np.ones((1, 3), np.float32))
        optimizer.step()
    if optimizer.rest(optimizer.param_groups[0], np.dtype("float32"))[0] is None:
        assert not optimizer.lags
        return
    assert optimizer.lags[layer.weight].seen.tolist() == [0, 1, 2, 3, *[0] * 8]
    layer([1, 5])
    assert optimizer.lags[layer.weight].seen.tolist() == [0, 3, 2, 3, 0, 3, *[0] * 6]
    layer.weight.numpy()
    assert optimizer.lags[layer.weight].seen.tolist() == [3] * 12


def test_rows_without_a_gradient_do_move():
    """The case for which all this is done: momentum goes on without a gradient."""
    layer = table(True)
    optimizer = Adam([layer.weight], lr=0.1)
    backward(layer, [2], np.ones((1, 3), np.float32))
    optimizer.step()
    after = layer.weight.numpy()[2].copy()
    optimizer.zero_grad()
    backward(layer, [3], np.ones((1, 3), np.float32))
    optimizer.step()
    assert (layer([2]).numpy()[0] < after - 0.01).all()


def test_whoever_saw_the_memory_before_sees_every_step():
    """Views from before the first step, and tensors on the same buffer: rows catch up at once then."""
    pair = []
    for sparse in (False, True):
        layer = table(sparse)
        view, other = layer.weight.numpy(), layer.weight.detach()
        optimizer = Adam([layer.weight], lr=0.1)
        seen = []
        for place in (1, 2, 3, 1):
            optimizer.zero_grad()
            backward(layer, [place], np.ones((1, 3), np.float32))
            optimizer.step()
            seen.append((view.copy(), other.numpy().copy()))
        later = layer.weight.numpy()
        optimizer.step()
        seen.append((later.copy(), view.copy()))
        pair.append(seen)
    assert all(np.array_equal(a, b) for one, two in zip(*pair, strict=True) for a, b in zip(one, two, strict=True))


def test_what_is_put_off_outlives_the_optimiser_and_holds_nobody_alive():
    pair = []
    for sparse in (False, True):
        layer = table(sparse)
        optimizer = Adam([layer.weight], lr=0.1)
        for place in (1, 2, 3, 4):
            optimizer.zero_grad()
            backward(layer, [place], np.ones((1, 3), np.float32))
            optimizer.step()
        gone = weakref.ref(optimizer)
        del optimizer
        gc.collect()
        assert gone() is None
        twin = pickle.loads(pickle.dumps(layer.weight))
        assert twin.sparse_grad is sparse and np.array_equal(twin.numpy(), layer.weight.numpy())
        pair.append(layer.weight.numpy().copy())
        held = weakref.ref(layer.weight)
        del layer
        gc.collect()
        assert held() is None
    assert np.array_equal(*pair)


def test_two_optimisers_on_one_table_and_a_frozen_one():
    pair = []
    for sparse in (False, True):
        layer = table(sparse)
        both = Adam([layer.weight], lr=0.1), SGD([layer.weight], lr=0.1, momentum=0.9)
        for step in range(8):
            layer.zero_grad()
            backward(layer, [step % 3], np.ones((1, 3), np.float32))
            both[step // 2 % 2].step()
            if step == 5:
                layer.requires_grad_(False)
                layer.requires_grad_(True)
        pair.append(layer.weight.numpy().copy())
    assert np.array_equal(*pair)


def test_a_table_in_a_scan_and_in_the_products_of_a_tied_output():
    pair = []
    for sparse in (False, True):
        layer = table(sparse)
        optimizer = Adam([layer.weight], lr=0.1)
        losses = []
        for step in range(12):
            places = np.array([[step % 5, 3], [1, 2], [step % 7, 0]])
            optimizer.zero_grad()
            h, _ = mg.scan(lambda h, i, w=layer.weight: ((h + mg.take(w, i)).tanh(), None), mg.zeros(2, 3), mg.tensor(places))
            loss = (layer(places[0]) * h).sum() + (nn.cross_entropy(h @ layer.weight.T, places[1]) if step % 4 == 3 else 0.0)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        pair.append((losses, layer.weight.numpy().copy()))
    assert np.allclose(pair[0][0], pair[1][0], rtol=0, atol=1e-6) and error(pair[1][1], pair[0][1]) <= 1e-6


def test_a_backward_pass_across_a_step_refuses():
    layer = table(True)
    optimizer = Adam([layer.weight])
    for _ in range(2):
        optimizer.zero_grad()
        kept = (layer.weight * layer.weight).sum()
        backward(layer, [1], np.ones((1, 3), np.float32))
        optimizer.step()
        with pytest.raises(mg.MutationError, match="the Adam step has changed it"):
            kept.backward()


def test_a_step_that_is_refused_leaves_what_was_put_off():
    array = np.ones(3, np.float32)
    array.flags.writeable = False
    fixed = mg.from_numpy(array).requires_grad_()
    pair = []
    for sparse in (False, True):
        layer = table(sparse)
        optimizer = Adam([layer.weight, fixed], lr=0.1)
        for place in (1, 2, 3):
            layer.zero_grad()
            fixed.grad = None
            backward(layer, [place], np.ones((1, 3), np.float32))
            optimizer.step()
        fixed.grad = mg.ones(3)
        with pytest.raises(mg.MutationError, match="read-only"):
            optimizer.step()
        pair.append(layer.weight.numpy().copy())
    assert np.array_equal(*pair)


@pytest.mark.parametrize(
    ("kind", "options"), [(SGD, {"lr": 0.1}), (Adagrad, {}), (Adam, {}), (SGD, {"lr": 0.1, "momentum": 0.9}), (RMSprop, {})]
)
def test_steps_allocate_by_the_rows_used(kind, options):
    layer = table(True, rows=50_000, columns=16)  # 3.2 MB
    optimizer = kind([layer.weight], **options)

    def step():
        optimizer.zero_grad()
        backward(layer, np.arange(0, 50_000, 1000), np.ones((50, 16), np.float32))
        optimizer.step(max_norm=1.0)

    step()
    step()
    tracemalloc.start()
    try:
        step()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300_000


def test_a_gradient_of_rows_that_were_read_long_before_its_step():
    pair = []
    for sparse in (False, True):
        layer = table(sparse)
        optimizer = Adam([layer.weight], lr=0.1)
        for place in (1, 2, 3):
            early = layer([1]).sum()
            backward(layer, [place], np.ones((1, 3), np.float32))
            for _ in range(2):
                optimizer.step()
            optimizer.zero_grad()
            backward(layer, [4], np.ones((1, 3), np.float32))
            optimizer.step()
            optimizer.zero_grad()
            early.backward()
            optimizer.step()
            optimizer.zero_grad()
        pair.append(layer.weight.numpy().copy())
    assert np.array_equal(*pair)
