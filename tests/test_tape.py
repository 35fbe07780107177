"""The engine: order, accumulation, all-or-nothing, versions, depth, memory, recording on and off, and tensors as values."""

from __future__ import annotations

import asyncio
import collections
import copy
import gc
import pickle
import threading
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

import minigrad as mg
from minigrad.op import op


def leaf(*values: float, dtype: str = "float64") -> mg.Tensor:
    return mg.tensor(list(values), dtype=dtype, requires_grad=True)


# ---- the walk


def test_topological_order_counts_every_path() -> None:
    """a=1; b=a+a; c=b+b: a walk in any other order sends b's gradient on before all of it has arrived."""
    a = leaf(1.0)
    b = a + a
    (b + b).backward()
    assert a.grad.tolist() == [4.0]


def test_backward_adds_to_grad() -> None:
    a = leaf(2.0)
    (a * a).backward()
    (a * 3.0).backward()
    assert a.grad.tolist() == [7.0]


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("switch", [mg.no_grad, mg.enable_grad])
def test_what_a_sum_of_gradients_hangs_on_is_for_the_last_walk_to_say(recorded: bool, switch: type) -> None:
    """The first gradient, 3 a^2, has a place on the tape: the sum has one if the second walk records, wherever it is called."""
    a = leaf(2.0)
    (a**3).backward(create_graph=True)
    second = a**2
    with switch():
        second.backward(create_graph=recorded)
    total = a.grad
    assert total.tolist() == [16.0] and total.requires_grad == recorded
    if recorded:
        a.grad = None
        total.backward()
        assert a.grad.tolist() == [14.0]


def test_seed_is_checked_and_never_kept() -> None:
    a = leaf(1.0, 2.0)
    given = np.array([10.0, 20.0])
    a.backward(given)
    assert not np.shares_memory(a.grad.numpy(), given)
    with pytest.raises(mg.ShapeError, match=r"gradient= has shape \(3,\).*\(2,\)"):
        (a * a).backward(np.ones(3))
    with pytest.raises(mg.ShapeError, match=r"backward needs a scalar, this tensor has shape \(2,\).*\.sum\(\)"):
        (a * a).backward()
    with pytest.raises(mg.TapeError, match="does not require a gradient"):
        mg.tensor([1.0]).backward()


def test_no_two_gradients_share_memory() -> None:
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    seed = mg.tensor([1.0, 1.0], dtype="float64")
    (a + b).backward(seed)
    arrays = [a.grad.numpy(), b.grad.numpy(), seed.numpy(), a.numpy(), b.numpy()]
    assert not any(np.shares_memory(x, y) for i, x in enumerate(arrays) for y in arrays[:i])


def test_second_backward_names_the_hidden_state_and_detach() -> None:
    """The most pasted error of recurrent training: the state of the last iteration still hangs on the tape that was played."""
    w = leaf(0.5)
    h = mg.tanh(w * 1.0)
    h.sum().backward()
    before = w.grad.tolist()
    with pytest.raises(mg.TapeError, match=r"already played back.*hidden state.*detach\(\)"):
        (mg.tanh(h * w)).sum().backward()
    assert w.grad.tolist() == before


def test_retain_graph_gives_the_same_bits_twice() -> None:
    w = leaf(0.3, -0.7)
    loss = (mg.tanh(w) * w).sum()
    loss.backward(retain_graph=True)
    first = w.grad.numpy().copy()
    w.grad = None
    loss.backward()
    assert (w.grad.numpy() == first).all()


def test_create_graph_differentiates_again() -> None:
    w = leaf(0.5)
    (w * w * w).sum().backward(create_graph=True)
    slope = w.grad
    w.grad = None
    slope.sum().backward()
    assert w.grad.tolist() == [3.0]


def test_failed_backward_leaves_every_grad_as_it_was() -> None:
    @op(x=lambda g: 1 / 0)
    def broken(x):  # type: ignore[no-untyped-def]
        return x * 1.0

    a, b = leaf(1.0), leaf(2.0)
    (a * b).backward()
    before = a.grad.tolist(), b.grad.tolist()
    loss = (broken(a) * b + a * b).sum()
    with pytest.raises(ZeroDivisionError):
        loss.backward()
    assert (a.grad.tolist(), b.grad.tolist()) == before
    with pytest.raises(mg.TapeError, match="already played"):
        loss.backward()


def test_a_rule_of_the_wrong_shape_is_refused() -> None:
    @op(x=lambda g: mg.ones(3, dtype=np.float64))
    def crooked(x):  # type: ignore[no-untyped-def]
        return x * 1.0

    with pytest.raises(mg.TapeError, match=r"rule of 'crooked' gave shape \(3,\) for an argument of shape \(2,\)"):
        crooked(leaf(1.0, 2.0)).sum().backward()


def test_rules_are_checked_at_declaration() -> None:
    with pytest.raises(TypeError, match="each argument needs one rule"):
        op(x=lambda g: g)(lambda x, y: x)
    with pytest.raises(TypeError, match="asks for 'z'"):
        op(x=lambda g, z: g)(lambda x: x)


def test_a_body_that_returns_its_argument_does_not_tie_two_tensors_together() -> None:
    @op(x=lambda g: g)
    def same(x):  # type: ignore[no-untyped-def]
        return x

    a = leaf(1.0, 2.0)
    out = same(a)
    a.assign_([5.0, 5.0])
    assert out.tolist() == [1.0, 2.0]


def test_unused_results_cost_nothing_and_free_themselves() -> None:
    w = leaf(1.0)
    tracemalloc.start()
    try:
        for _ in range(200):
            mg.tanh(w * 2.0)
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(2000):
            mg.tanh(w * 2.0)
        assert tracemalloc.get_traced_memory()[0] - start < 2000
    finally:
        tracemalloc.stop()


def test_graphs_leave_no_garbage() -> None:
    """Nodes never point back at tensors: what is dropped is freed at once, not when the collector runs."""
    w = leaf(0.5, 0.5)
    gc.collect()
    gc.disable()
    try:
        loss = (mg.tanh(w * w) * w).sum()
        loss.backward(create_graph=True)
        second = w.grad
        w.grad = None
        second.sum().backward()
        w.grad = None
        del loss, second
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("release", ["played", "dropped"])
def test_a_million_operations_on_a_small_stack(release: str) -> None:
    """Neither the walk nor the freeing of a long chain may recurse: 256 KiB of stack are a few thousand frames."""
    seen: list[float] = []

    def run() -> None:
        x = mg.tensor(1.0, requires_grad=True)
        y = x
        for _ in range(10**6):
            y = y * 1.0
        if release == "played":
            y.backward(retain_graph=True)
            seen.append(x.grad.item())
        else:
            seen.append(1.0)
        del y

    old = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(old)
    assert seen == [1.0]


# ---- versions


def test_a_changed_leaf_refuses_the_old_graph() -> None:
    w, x = leaf(2.0), leaf(3.0)
    loss = (w * x).sum()
    w.assign_([5.0])
    with pytest.raises(mg.MutationError, match="'mul'.*assign_ has changed it"):
        loss.backward()
    assert x.grad is None


def test_a_change_that_no_rule_needs_is_harmless() -> None:
    w, x = leaf(2.0), leaf(3.0)
    loss = (w + x).sum()
    w.assign_([5.0])
    loss.backward()
    assert w.grad.tolist() == [1.0]


def test_a_changed_constant_and_a_changed_view_refuse() -> None:
    w, c = leaf(2.0, 3.0), mg.tensor([1.0, 1.0], dtype="float64")
    loss = (w * c).sum()
    c[0] = 7.0
    with pytest.raises(mg.MutationError, match="item assignment"):
        loss.backward()
    loss = (w * c).sum()
    c.detach()[1] = 7.0
    with pytest.raises(mg.MutationError, match="item assignment"):
        loss.backward()
    view = c.reshape(2, 1)
    loss = (w * view).sum()
    c[0] = 1.0
    with pytest.raises(mg.MutationError):
        loss.backward()


def test_a_view_of_a_leaf_kept_by_a_later_operation_sees_the_change() -> None:
    w = leaf(1.0, 2.0)
    loss = (w.reshape(2, 1) * w.reshape(1, 2)).sum()
    w.assign_([0.0, 0.0])
    with pytest.raises(mg.MutationError):
        loss.backward()


def test_arrays_of_the_caller_are_copied_when_kept() -> None:
    w = leaf(1.0, 2.0)
    c = np.array([3.0, 4.0])
    loss = (w * c).sum()
    index = np.array([0, 0])
    picked = w[index].sum()
    c[:] = 100.0
    index[:] = 1
    (loss + picked).backward()
    assert w.grad.tolist() == [5.0, 4.0]


def test_item_assignment_is_refused_on_what_the_tape_needs() -> None:
    w = leaf(1.0, 2.0)
    with pytest.raises(mg.MutationError, match="a leaf that requires a gradient.*assign_"):
        w[0] = 5.0
    with pytest.raises(mg.MutationError, match="the result of 'mul'.*where"):
        (w * w)[0] = 5.0
    with pytest.raises(mg.MutationError):
        (w * w).detach()[0] = 5.0
    with pytest.raises(mg.MutationError):
        w.detach()[0] = 5.0
    with pytest.raises(mg.MutationError):
        (w * w).assign_([0.0, 0.0])
    free = mg.zeros(3)
    free[1:] = mg.ones(2)
    assert free.tolist() == [0.0, 1.0, 1.0]


def test_a_view_taken_without_recording_cannot_change_what_the_tape_keeps() -> None:
    """tanh keeps its result; a view of it made under no_grad once let the result be overwritten, and the gradient came out as 1."""
    w = leaf(0.5, 1.0)
    y = mg.tanh(w)
    with mg.no_grad():
        views = [y[:], y.reshape(2), y[:][0:2], y.detach().requires_grad_(), y.detach()]
    for view in views:
        with pytest.raises(mg.MutationError, match="tanh"):
            view.assign_([0.0, 0.0])
        with pytest.raises(mg.MutationError):
            view[:] = 0.0
    y.sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 1 - np.tanh([0.5, 1.0]) ** 2)


def test_settings_and_slice_bounds_are_kept_by_value() -> None:
    """Whoever owns a list of axes or an array of bounds may change it before backward: the gradient once followed."""
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    axes, order, start = [0], [1, 0], np.array(0)
    total = x.sum(axis=axes) * mg.tensor([1.0, 10.0]) + mg.transpose(x, order)[0] * mg.tensor([100.0, 1000.0]) + x[0, start:2]
    axes[0], order[:], start[...] = 1, [0, 1], 1
    total.sum().backward()
    assert x.grad.tolist() == [[1.0 + 100.0 + 1.0, 10.0 + 1.0], [1.0 + 1000.0, 10.0]]


def test_freezing_between_two_uses_loses_nothing_and_adds_nothing() -> None:
    """Frozen and thawed, a tensor stands on the tape as two leaves; once only one of them counted."""
    x = leaf(1.0, 2.0)
    y = x * 2.0
    x.requires_grad_(False)
    x.requires_grad_(True)
    (y + x * 3.0).sum().backward()
    assert x.grad.tolist() == [5.0, 5.0]
    loss = (x * 2.0).sum()
    x.requires_grad_(False)
    loss.backward()
    assert x.grad.tolist() == [5.0, 5.0], "a frozen leaf takes no gradient"


def test_a_tensor_cannot_leave_the_tape_unnoticed() -> None:
    a, free = leaf(1.0), mg.zeros(3, dtype="float64")
    for leave in (lambda: mg.sum([a, a]), lambda: mg.tensor([a, a]), lambda: a * [a], lambda: mg.where(True, [a], 0.0)):
        with pytest.raises(mg.TapeError, match=r"a list holds a tensor.*stack\(\)"):
            leave()
    with pytest.raises(mg.MutationError, match="item assignment would write a tensor that requires a gradient"):
        free[0] = a[0]
    with pytest.raises(mg.MutationError, match="assign_ would write"):
        free.assign_(a * 2.0)
    with mg.no_grad():
        free[0] = a[0]
    assert free.assign_(a).tolist() == [1.0, 1.0, 1.0]


def test_values_that_do_not_fit_are_a_sentence() -> None:
    x = mg.zeros(2, 3)
    with pytest.raises(mg.ShapeError, match=r"assign_: a value of shape \(4,\) does not fit into shape \(2, 3\)"):
        x.assign_(np.ones(4))
    with pytest.raises(mg.ShapeError, match=r"item assignment: a value of shape \(4,\) does not fit into shape \(3,\)"):
        x[0] = np.ones(4)
    with pytest.raises(TypeError, match=r"\.grad is a tensor or None, got ndarray"):
        leaf(1.0).grad = np.ones(1)
    with pytest.raises(mg.ShapeError, match=r"sum_to: \(2, 3\) is not what \(3, 2\) broadcasts to"):
        mg.sum_to(x, (3, 2))
    with pytest.raises(mg.DtypeError, match="real numbers, not complex128"):
        x.astype(complex)
    with pytest.raises(mg.DtypeError, match="real numbers, not complex128"):
        mg.zeros(2, dtype=complex)
    with pytest.raises(mg.ShapeError, match="axis=None"):
        mg.take(x, [0], axis=None)


def test_a_seed_on_the_tape_stays_out_of_grad_without_create_graph() -> None:
    x, s = leaf(1.0), leaf(1.0)
    (x + 1.0).backward(s * 1.0)
    assert not x.grad.requires_grad


def test_no_method_crashes_on_what_is_no_tensor() -> None:
    """A compiled method that does not check its self reads foreign memory."""
    for name in ("version", "detach", "requires_grad_", "numpy", "item", "tolist", "change", "backward", "assign_", "__reduce__"):
        with pytest.raises((TypeError, AttributeError)):
            getattr(mg.Tensor, name)(3)
    for name, rest in {"unary": (1,), "binary": (1, 2), "recipe": (1,), "run": ([], {}), "apply": ((), {})}.items():
        with pytest.raises((TypeError, AttributeError)):
            getattr(type(mg.mul), name)(3, *rest)


def test_a_variadic_rule_may_give_none() -> None:
    @op(xs=lambda g: [g, None])
    def first(*xs):  # type: ignore[no-untyped-def]
        return xs[0] + xs[1]

    a, b = leaf(1.0), leaf(2.0)
    first(a, b).sum().backward()
    assert a.grad.tolist() == [1.0]
    assert b.grad is None


# ---- recording


def test_no_grad_as_block_decorator_and_generator() -> None:
    w = leaf(1.0)
    with mg.no_grad():
        assert not (w * w).requires_grad
        with mg.enable_grad():
            assert (w * w).requires_grad
    with pytest.raises(ZeroDivisionError), mg.no_grad():
        1 / 0  # noqa: B018
    assert mg.is_grad_enabled()

    @mg.no_grad()
    def twice(x: mg.Tensor) -> mg.Tensor:
        return x * 2.0

    @mg.no_grad()
    def three() -> Iterator[bool]:
        for _ in range(3):
            yield (w * w).requires_grad

    assert not twice(w).requires_grad

    @mg.no_grad
    def bare(x: mg.Tensor) -> mg.Tensor:
        return x * 2.0

    assert not bare(w).requires_grad
    for recorded in three():
        assert not recorded
        assert mg.is_grad_enabled(), "the decorated generator leaked its switch to the consumer"


def test_decorated_generators_pass_sends_throws_and_results_through() -> None:
    @mg.no_grad()
    def echo() -> Iterator[object]:
        try:
            got = yield 1
        except KeyError:
            got = "thrown"
        yield got
        return "done"

    talk = echo()
    assert next(talk) == 1
    assert talk.send("sent") == "sent"  # type: ignore[attr-defined]
    with pytest.raises(StopIteration, match="done"):
        next(talk)
    talk = echo()
    next(talk)
    assert talk.throw(KeyError()) == "thrown"  # type: ignore[attr-defined]


def test_recording_is_per_thread_and_per_task() -> None:
    seen: list[bool] = []
    with mg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(mg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]

    async def quiet(started: asyncio.Event, done: asyncio.Event) -> None:
        with mg.no_grad():
            started.set()
            await done.wait()

    @mg.no_grad
    async def decorated() -> bool:
        await asyncio.sleep(0)
        return mg.is_grad_enabled()

    assert not asyncio.run(decorated())

    async def both() -> bool:
        started, done = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(quiet(started, done))
        await started.wait()
        on = mg.is_grad_enabled()
        done.set()
        await task
        return on

    assert asyncio.run(both())


def test_threads_on_shared_parameters_lose_nothing() -> None:
    w = leaf(1.0)

    def work() -> None:
        for _ in range(200):
            (w * 2.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.grad.tolist() == [1600.0]


# ---- functions of functions


def test_the_derivative_by_an_argument_ignores_other_uses_of_the_tensor() -> None:
    """grad of y -> x*y at y=x is x, though both names hold one tensor."""
    x = leaf(3.0)
    assert mg.grad(lambda y: (x * y).sum())(x).tolist() == [3.0]


def test_grad_through_a_closure_stays_differentiable() -> None:
    w = leaf(2.0)
    penalty = mg.grad(lambda x: (w * x * x).sum())(mg.tensor([3.0], dtype="float64"))
    penalty.sum().backward()
    assert w.grad.tolist() == [6.0]


def test_grad_of_structures_and_of_unused_arguments() -> None:
    params = {"w": mg.tensor([2.0]), "rest": [mg.tensor([1.0]), mg.tensor([4.0])]}
    grads = mg.grad(lambda p: (p["w"] * p["rest"][1]).sum())(params)
    assert grads["w"].tolist() == [4.0] and grads["rest"][0].tolist() == [0.0] and grads["rest"][1].tolist() == [2.0]
    pair = collections.namedtuple("pair", "a b")(mg.tensor([2.0]), mg.tensor([3.0]))
    assert mg.grad(lambda p: (p.a * p.b).sum())(pair).b.tolist() == [2.0]
    with pytest.raises(mg.ShapeError, match="scalar result"):
        mg.grad(lambda x: x * 2.0)(mg.tensor([1.0, 2.0]))


def test_an_argument_of_grad_stays_as_it_was() -> None:
    x = mg.tensor([1.0, 2.0])
    mg.grad(lambda x: (x * x).sum())(x)
    x[0] = 5.0
    assert x.tolist() == [5.0, 2.0]
    assert mg.grad(lambda x: x * x)(3.0).item() == 6.0
    with pytest.raises(ValueError, match="names one argument twice"):
        mg.grad(lambda a, b: a * b, argnums=(0, -2))(x[0], x[1])


def test_grad_under_no_grad_neither_fails_nor_plays_the_outer_tape() -> None:
    w = leaf(2.0)
    outer = (w * w).sum()
    with mg.no_grad():
        assert mg.grad(lambda x: (x * w).sum() + outer)(mg.tensor([3.0], dtype="float64")).tolist() == [2.0]
        assert mg.grad(lambda x: (x * x).sum())(w).tolist() == [4.0]
    outer.backward()
    assert w.grad.tolist() == [4.0]


def test_vectors_of_hvp_and_seeds_of_vjp_are_checked() -> None:
    x = mg.tensor([1.0, 2.0, 3.0])
    with pytest.raises(mg.ShapeError, match="each argument needs a vector of its shape"):
        mg.hvp(lambda x: (x * x * x).sum(), x, mg.ones(3, 1))
    with pytest.raises(ValueError, match="2 results, and 1 cotangents came"):
        mg.vjp(lambda x: (x, x * 2.0), x)[1](x)


def test_third_derivative_and_hvp_and_vjp() -> None:
    cube = mg.grad(mg.grad(mg.grad(lambda x: (x * x * x * x).sum())))
    assert cube(mg.tensor(2.0, dtype="float64")).item() == 48.0
    x, v = mg.tensor([1.0, 2.0], dtype="float64"), mg.tensor([3.0, 5.0], dtype="float64")
    assert mg.hvp(lambda x: x[0] * x[0] * x[1], x, v).tolist() == [2 * 2 * 3 + 2 * 1 * 5, 2 * 1 * 3]
    out, back = mg.vjp(lambda a: (a * 2.0, a * a), x)
    assert [len(out), back(v, v)[0].tolist()] == [2, [6.0 + 6.0, 10.0 + 20.0]]
    assert back(v, v)[0].tolist() == [12.0, 30.0], "vjp's pullback can be called again"


# ---- tensors as values


def test_printing() -> None:
    assert repr(mg.tensor([1.0, 2.5])) == "tensor([1. , 2.5])"
    assert repr(mg.tensor([1.0], dtype="float64", requires_grad=True)) == "tensor([1.], dtype=float64, requires_grad=True)"
    assert repr(leaf(1.0) * 2.0) == "tensor([2.], dtype=float64, op=mul)"
    assert repr(mg.zeros(0, 3)) == "tensor([], shape=(0, 3))"
    assert f"{mg.tensor(0.123456):.3f}" == "0.123"


def test_python_protocols_behave_as_numpy() -> None:
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2 and [row.tolist() for row in x] == [[1.0, 2.0], [3.0, 4.0]]
    assert x[1, 1].item() == 4.0 and float(x[0, 0]) == 1.0 and int(x[0, 1]) == 2
    assert 4.0 in x and 9.0 not in x
    assert [10, 20, 30][mg.tensor(1)] == 20
    assert (x == x).numpy().all() and not (x != x).numpy().any()
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x)
    with pytest.raises(TypeError, match="0-d"):
        len(mg.tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(mg.tensor(1.0))
    with pytest.raises(ValueError, match=r"one element.*\(2, 2\)"):
        x.item()


def test_numpy_on_the_left_makes_tensors() -> None:
    w = leaf(1.0, 2.0)
    for out in (np.array([3.0, 4.0]) * w, np.float64(2.0) * w, np.ones((2, 2)) @ w, 2.0 * w, 2.0 / w, 2.0**w, 1.0 - w):
        assert isinstance(out, mg.Tensor) and out.requires_grad and out.dtype == np.float64
    assert np.asarray(w).tolist() == [1.0, 2.0] and np.array(w, dtype="float32").dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        w.numpy()[0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(w)[0] = 5.0


def test_dtypes() -> None:
    assert mg.tensor([1.0]).dtype == np.float32 and mg.tensor(np.ones(2)).dtype == np.float64 and mg.tensor([1]).dtype == np.int64
    assert (mg.ones(2) * 2.0).dtype == np.float32 and (mg.ones(2) * mg.tensor([1, 2])).dtype == np.float32
    assert (mg.ones(2) * np.ones(2)).dtype == np.float64
    assert mg.tensor(np.array([1.0], dtype=">f8")).dtype.isnative
    for bad in ("text", [1j], object()):
        with pytest.raises(mg.DtypeError):
            mg.tensor(bad)
    with pytest.raises(mg.DtypeError, match="int64 cannot require a gradient"):
        mg.tensor([1], requires_grad=True)


def test_float64_comes_from_float64_alone() -> None:
    """A mask times 1.0, or lengths divided, once turned a float32 model into a float64 one from there on."""
    mask, lengths, x = mg.tensor([True, False]), mg.tensor([1, 2]), mg.ones(2)
    for made in (
        mask * 1.0,
        mg.where(mask, 1.0, 0.0),
        lengths / 2,
        lengths * 0.5,
        mg.exp(lengths),
        lengths @ x,
        mg.mean(lengths),
        x / lengths,
    ):
        assert made.dtype == np.float32
    for made in (lengths.astype("float64"), lengths * np.ones(2), x * np.ones(2)):
        assert made.dtype == np.float64


def test_a_float32_gradient_stays_float32_beside_float64() -> None:
    a = mg.tensor([1.0], requires_grad=True)
    (a * np.array([2.0])).sum().backward()
    assert a.grad.dtype == np.float32


def test_sharing_and_copying() -> None:
    array = np.zeros(2)
    copied, shared = mg.tensor(array), mg.from_numpy(array)
    array[0] = 1.0
    assert copied.tolist() == [0.0, 0.0] and shared.tolist() == [1.0, 0.0]
    with pytest.raises(mg.DtypeError, match="from_numpy shares"):
        mg.from_numpy([1.0])


def test_copies_and_pickles_of_leaves() -> None:
    w = leaf(1.0, 2.0)
    for made in (copy.deepcopy(w), copy.copy(w), pickle.loads(pickle.dumps(w))):
        assert made.requires_grad and made.tolist() == [1.0, 2.0] and not np.shares_memory(made.numpy(), w.numpy())
    pair = copy.deepcopy([w, w])
    assert pair[0] is pair[1]
    for refused in (copy.deepcopy, pickle.dumps):
        with pytest.raises(mg.TapeError, match="carries its tape.*detach"):
            refused(w * 2.0)


def test_grad_can_be_set_with_care() -> None:
    w = leaf(1.0)
    w.grad = w
    assert w.grad is not w and w.grad.tolist() == [1.0]
    with pytest.raises(mg.ShapeError):
        w.grad = leaf(1.0, 2.0)
    with pytest.raises(mg.TapeError):
        (w * w).grad = leaf(1.0)
    w.grad = None
    assert w.grad is None


def test_requires_grad_can_be_switched() -> None:
    w = mg.ones(2)
    w.requires_grad = True
    assert w.requires_grad and w.is_leaf and not (w * w).is_leaf
    w.requires_grad_(False)
    assert not (w * w).requires_grad
    with pytest.raises(mg.TapeError, match=r"detach\(\)"):
        (leaf(1.0) * 2.0).requires_grad_(False)


def test_a_sentence_names_the_operation_and_the_shapes() -> None:
    with pytest.raises(mg.ShapeError, match=r"add: shapes \(2,\), \(3,\) do not broadcast"):
        mg.ones(2) + mg.ones(3)
    with pytest.raises(mg.ShapeError, match=r"matmul: shapes \(2, 3\) and \(2, 3\)"):
        mg.ones(2, 3) @ mg.ones(2, 3)
    with pytest.raises(mg.ShapeError, match="sum: axis 5 of a tensor"):
        mg.ones(2).sum(axis=5)
    with pytest.raises(mg.DtypeError, match="mul"):
        mg.ones(2) * "text"
    with pytest.raises(TypeError, match=r"mul\(\) wants 2 arrays"):
        mg.mul(mg.ones(2))


def test_settings_by_position_as_numpy_allows() -> None:
    x = mg.arange(6.0).reshape(2, 3)
    assert mg.sum(x, 0).tolist() == [3.0, 5.0, 7.0] and mg.reshape(x, (3, 2)).shape == (3, 2)


def test_show_prints_the_tape(capsys: pytest.CaptureFixture[str]) -> None:
    w = leaf(1.0, 2.0)
    mg.show((mg.tanh(w) * w).sum())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[1:-1]] == ["leaf", "tanh", "mul", "sum"]
    assert "out[2]" in lines[2] and lines[-1] == "total: 4 entries, 32 bytes kept"
    with pytest.raises(mg.TapeError, match="no tape"):
        mg.show(mg.ones(2))
