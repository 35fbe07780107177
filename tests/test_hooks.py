"""Hooks on the gradients of tensors, and `.grad` of tensors that operations made: as PyTorch has them, and no cycles on the tape."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.scan import COMPILED

RNG = np.random.default_rng(5)


def leaf(*shape: int) -> mg.Tensor:
    return mg.tensor(RNG.normal(size=shape), requires_grad=True)


# ---- what a hook sees, and what it may return


def test_a_hook_of_a_leaf_sees_the_gradient_before_it_is_added_to_grad() -> None:
    w = leaf(3)
    seen: list[tuple[Any, Any]] = []
    w.register_hook(lambda g: seen.append((g.tolist(), None if w.grad is None else w.grad.tolist())))
    (w * 2.0).sum().backward()
    (w * 3.0).sum().backward()
    assert seen == [([2.0] * 3, None), ([3.0] * 3, [2.0] * 3)]
    assert w.grad.tolist() == [5.0] * 3


def test_a_hook_runs_once_when_all_of_the_gradient_has_arrived() -> None:
    x, seen = leaf(2), []
    y = x * x
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * 2.0 + y * 3.0 + y).sum().backward()
    assert seen == [[6.0, 6.0]]


def test_hooks_run_in_order_each_on_what_the_one_before_returned() -> None:
    x, seen = leaf(2), []
    y = x * 1.0
    y.register_hook(lambda g: g + 1.0)
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10.0)
    y.sum().backward()
    assert seen == [[2.0, 2.0]]
    assert x.grad.tolist() == [20.0, 20.0]


def test_the_result_itself_can_have_a_hook() -> None:
    x = leaf()
    loss = x * 3.0
    loss.register_hook(lambda g: g * 5.0)
    loss.backward()
    assert x.grad.item() == 15.0


def test_a_temporary_keeps_its_hook() -> None:
    x = leaf(2)
    y = x * 2.0
    y.register_hook(lambda g: g * 7.0)
    loss = y.sum()
    del y
    loss.backward()
    assert x.grad.tolist() == [14.0, 14.0]


def test_a_handle_takes_the_hook_back() -> None:
    x = leaf(1)
    first, second = x.register_hook(lambda g: g * 2.0), x.register_hook(lambda g: g * 3.0)
    first.remove()
    first.remove()
    x.sum().backward()
    assert x.grad.tolist() == [3.0]
    second.remove()
    with x.register_hook(lambda g: g * 100.0):
        x.sum().backward()
    x.sum().backward()
    assert x.grad.tolist() == [104.0]


def test_a_hook_may_remove_itself() -> None:
    x = leaf(1)
    handle = x.register_hook(lambda g: (handle.remove(), g * 2.0)[1])
    x.register_hook(lambda g: g + 1.0)
    x.sum().backward()
    x.sum().backward()
    assert x.grad.tolist() == [3.0 + 2.0]


def test_hooks_of_a_frozen_leaf_wait_until_it_is_thawed() -> None:
    x = leaf(1)
    x.register_hook(lambda g: g * 2.0)
    x.requires_grad_(False)
    other = x.detach().requires_grad_()  # on the same buffer
    (other * 1.0).sum().backward()
    assert other.grad.tolist() == [1.0]
    x.requires_grad_()
    (x * 1.0).sum().backward()
    assert x.grad.tolist() == [2.0]


@pytest.mark.parametrize(
    ("returned", "error", "said"),
    [
        (lambda g: g.sum(), mg.ShapeError, r"hook of the gradient of 'mul' returned shape \(\).*\(2, 3\)"),
        (lambda g: g.astype("float32"), mg.DtypeError, r"hook of the gradient of 'mul' returned float32.*float64: use astype"),
        (lambda g: g.numpy(), TypeError, r"returned ndarray: it returns a tensor or None"),
    ],
)
def test_what_a_hook_returns_is_checked(returned: Any, error: Any, said: str) -> None:
    x = leaf(2, 3)
    y = x * 2.0
    y.register_hook(returned)
    with pytest.raises(error, match=said):
        y.sum().backward()
    assert x.grad is None


def test_an_exception_in_a_hook_leaves_every_grad_as_it_was() -> None:
    early, late = leaf(2), leaf(2)
    y = early * 2.0
    y.retain_grad()
    early.register_hook(lambda g: 1 / 0)  # the last thing the walk meets: all other gradients are there
    loss = (y * late).sum()
    with pytest.raises(ZeroDivisionError):
        loss.backward()
    assert early.grad is None and late.grad is None and y.grad is None
    with pytest.raises(mg.TapeError, match="already played"):
        loss.backward()


def test_what_a_hook_is_given_cannot_be_changed_in_place() -> None:
    """x + z hands one array to both: a hook that wrote to it would change the gradient of the other."""
    x, z = leaf(2), leaf(2)

    def overwrite(g: mg.Tensor) -> None:
        g[...] = 0.0

    x.register_hook(overwrite)
    with pytest.raises(mg.MutationError, match=r"read-only: use clone\(\)"):
        (x + z).sum().backward()


def test_what_a_hook_has_kept_does_not_change_later() -> None:
    x, seen = leaf(2), []
    x.register_hook(seen.append)
    (x * 2.0 + x * 3.0).sum().backward()
    x.grad.assign_(0.0)
    assert seen[0].tolist() == [5.0, 5.0]


def test_a_hook_that_returns_a_tensor_of_the_model_does_not_tie_it_to_grad() -> None:
    x, w = leaf(2), leaf(2)
    x.register_hook(lambda g: w)
    (x * 2.0).sum().backward()
    assert x.grad.tolist() == w.tolist() and x.grad.is_leaf
    assert not np.shares_memory(x.grad.numpy(), w.numpy())


def test_where_no_hook_can_be() -> None:
    for ask in (lambda t: t.register_hook(print), lambda t: t.retain_grad()):
        with pytest.raises(mg.TapeError, match=r"on a tensor of shape \(2,\) that no gradient will reach: .*no_grad or by detach"):
            ask(mg.ones(2))
    with pytest.raises(TypeError, match=r"register_hook\(\) takes a function of the gradient, got int"):
        leaf(2).register_hook(3)  # type: ignore[arg-type]


# ---- retain_grad


def test_retain_grad() -> None:
    x = leaf(2)
    y = x * x
    z = y * 2.0
    assert not y.retains_grad
    y.retain_grad()
    y.retain_grad()
    y.register_hook(lambda g: g * 10.0)  # after: .grad gets what the hooks have made of it all the same
    (z * z + y).sum().backward(retain_graph=True)
    want = (8.0 * y.numpy() + 1.0) * 10.0
    np.testing.assert_allclose(y.grad.numpy(), want)
    assert y.retains_grad and z.grad is None and not z.retains_grad
    np.testing.assert_allclose(x.grad.numpy(), want * 2.0 * x.numpy())
    (z * z + y).sum().backward()
    np.testing.assert_allclose(y.grad.numpy(), 2.0 * want)
    y.grad = None
    assert y.grad is None


def test_retain_grad_of_a_leaf_changes_nothing() -> None:
    x = leaf(2)
    x.retain_grad()
    assert not x.retains_grad
    (x * 2.0).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_retained_gradients_share_no_memory() -> None:
    x = leaf(3)
    y = x * 1.0
    z = y + 0.0
    seed = mg.tensor(RNG.normal(size=3))
    for tensor in (y, z):
        tensor.retain_grad()
    z.backward(seed)
    arrays = [x.grad.numpy(), y.grad.numpy(), z.grad.numpy(), seed.numpy()]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def test_a_hook_alone_retains_nothing() -> None:
    x = leaf(2)
    y = x * 2.0
    y.register_hook(lambda g: None)
    y.sum().backward()
    assert y.grad is None and not y.retains_grad


# ---- higher orders, grad, memory


def test_under_create_graph_hooks_see_recorded_tensors() -> None:
    """d/dx of (x^3)' with the gradient of x^2 squared by a hook: (2x * (3x)^2 ... ) worked out by hand below."""
    x = leaf(3)
    y = x * x
    states = []

    def squared(g: mg.Tensor) -> mg.Tensor:
        states.append(g.requires_grad)
        return g * g

    y.register_hook(squared)
    y.retain_grad()
    (y * x).sum().backward(create_graph=True)  # dL/dy = x, the hook makes x^2 of it; dL/dx = 2x * x^2 + y = 2x^3 + x^2
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.numpy() ** 3 + x.numpy() ** 2)
    np.testing.assert_allclose(y.grad.numpy(), x.numpy() ** 2)
    assert states == [True] and y.grad.requires_grad
    first, x.grad = x.grad, None
    y.grad = None
    first.sum().backward()
    # through y too, whose hook is there still: dy of the second walk is 1 (from + y), squared 1
    np.testing.assert_allclose(x.grad.numpy(), 6 * x.numpy() ** 2 + 2 * x.numpy())


def test_without_create_graph_hooks_record_nothing() -> None:
    x, w = leaf(2), leaf(2)
    states = []
    x.register_hook(lambda g: states.append((g * w).requires_grad))
    (x * 2.0).sum().backward()
    assert states == [False]


def test_grad_runs_the_hooks_of_results_on_the_way() -> None:
    outer = leaf(2)
    outer.register_hook(lambda g: 1 / 0)  # not on the way to the argument

    def function(x: mg.Tensor) -> mg.Tensor:
        y = x * outer
        y.register_hook(lambda g: g * 3.0)
        return y.sum()

    np.testing.assert_allclose(mg.grad(function)(mg.ones(2, dtype="float64")).numpy(), 3.0 * outer.numpy())
    assert outer.grad is None


@pytest.mark.parametrize("played", [True, False])
def test_hooked_tensors_are_freed(played: bool) -> None:
    """With the garbage collector off: nothing on the tape may point back at a tensor."""
    gc.collect()
    gc.disable()
    try:
        x = leaf(4)
        y = x * 2.0
        y.retain_grad()
        seen: list[Any] = []
        handle = y.register_hook(seen.append)
        gone = [weakref.ref(y), weakref.ref(y.node)]
        loss = y.sum()
        if played:
            loss.backward()
        del y, loss
        assert [ref() for ref in gone] == [None, None]
        handle.remove()
    finally:
        gc.enable()


def test_a_hook_that_holds_its_tensor_is_dropped_when_the_tape_is_played() -> None:
    x = leaf(4)
    y = x * 2.0
    seen = []

    def hook(g: mg.Tensor, held: mg.Tensor = y) -> None:
        seen.append(held.shape)

    y.register_hook(hook)
    gone = weakref.ref(y)
    y.sum().backward()
    del y, hook
    assert gone() is None and seen == [(4,)]


# ---- scan


def test_a_hook_on_tensors_of_a_step_means_the_loop() -> None:
    w, h0, xs = leaf(3), leaf(2, 3), leaf(5, 2, 3)
    norms: list[float] = []

    def step(h: mg.Tensor, x: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor]:
        h = mg.tanh(h * w + x)
        if h.requires_grad:
            h.register_hook(lambda g: norms.append(float((g * g).sum())))
        return h, h

    h, ys = mg.scan(step, h0, xs)
    report = mg.scan_report()
    assert report is not None and not report.compiled
    assert "requires_grad" in report.reason or not COMPILED
    (ys * ys).sum().backward()
    assert len(norms) == 5 and h.shape == (2, 3)


@pytest.mark.parametrize(
    ("ask", "reason"), [(lambda h: h.register_hook(lambda g: g * 0.5), "register_hook"), (lambda h: h.retain_grad(), "retain_grad")]
)
def test_the_report_names_the_hook(ask: Any, reason: str) -> None:
    w, h0, xs = leaf(3), leaf(2, 3), leaf(5, 2, 3)
    states: list[mg.Tensor] = []

    def step(h: mg.Tensor, x: mg.Tensor) -> tuple[mg.Tensor, None]:
        h = mg.tanh(h * w + x)
        ask(h)
        states.append(h)
        return h, None

    def loop() -> Any:
        h = h0
        for t in range(5):
            h, _ = step(h, xs[t])
        return h

    results = []
    for run in (lambda: mg.scan(step, h0, xs)[0], loop):
        w.grad = None
        states.clear()
        run().sum().backward()
        results.append([w.grad.numpy(), *[h.grad.numpy() for h in states[-5:] if h.grad is not None]])
        report = mg.scan_report()
        assert report is not None and not report.compiled
        assert reason in report.reason or not COMPILED
    for got, want in zip(*results, strict=True):
        np.testing.assert_array_equal(got, want)


def test_hooks_on_what_goes_into_a_scan_and_comes_out() -> None:
    w, h0, xs = leaf(3), leaf(2, 3), leaf(5, 2, 3)
    seen: dict[str, mg.Tensor] = {}
    h0.register_hook(lambda g: seen.update(h0=g))
    w.register_hook(lambda g: g * 2.0)
    inputs = xs * 1.0
    inputs.retain_grad()

    def step(h: mg.Tensor, x: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor]:
        h = mg.tanh(h * w + x)
        return h, h

    _, ys = mg.scan(step, h0, inputs)
    ys.register_hook(lambda g: g * 3.0)
    (ys * ys).sum().backward()
    hooked = [w.grad.numpy(), inputs.grad.numpy(), seen["h0"].numpy()]
    plain = mg.grad(lambda w, x, h: 3.0 * (loop_of(w, h, x) ** 2).sum(), argnums=(0, 1, 2))(w.detach(), xs.detach(), h0.detach())
    for got, want in zip(hooked, (plain[0] * 2.0, plain[1], plain[2]), strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-9)


def loop_of(w: mg.Tensor, h: mg.Tensor, xs: mg.Tensor) -> mg.Tensor:
    states = []
    for x in xs:
        h = mg.tanh(h * w + x)
        states.append(h)
    return mg.stack(states)


# ---- PyTorch


def test_as_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    values = RNG.normal(size=(2, 3))

    def run(x: Any) -> list[Any]:
        seen = []
        y = x * x
        z = y.sum()
        x.register_hook(lambda g: g + 1.0)
        x.register_hook(lambda g: seen.append(("x", g.tolist())))
        y.retain_grad()
        y.register_hook(lambda g: g * 2.0)
        z.register_hook(lambda g: g * 4.0)
        (z * z).backward(retain_graph=True)
        (z * z).backward()
        return [seen, x.grad.tolist(), y.grad.tolist(), y.retains_grad, x.retains_grad]

    got = run(mg.tensor(values, requires_grad=True))
    want = run(torch.tensor(values, requires_grad=True))
    assert got[3:] == want[3:] and [name for name, _ in got[0]] == [name for name, _ in want[0]]
    for a, b in zip(got[1:3] + [g for _, g in got[0]], want[1:3] + [g for _, g in want[0]], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
