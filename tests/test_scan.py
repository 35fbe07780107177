"""mg.scan: the compiled loop against the loop itself, and every line of what it promises."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.scan import PASSES, lookup, settings

pytestmark = pytest.mark.skipif(mg.config.kernels() is None, reason="the compiled loop needs the compiled kernels")
B, I, H = 3, 4, 5  # noqa: E741


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def leaf(rng: Any, *shape: int) -> mg.Tensor:
    return mg.tensor(rng.standard_normal(shape), requires_grad=True)


def weights(seed: int = 7) -> dict[str, mg.Tensor]:
    rng = np.random.default_rng(seed)
    made = {name: leaf(rng, 4 * H, I) for name in ("Wx",)} | {"Wh": leaf(rng, 4 * H, H), "b": leaf(rng, 4 * H)}
    made |= {"U": leaf(rng, I + H, 4 * H), "V": leaf(rng, I, H), "R": leaf(rng, H, H), "S": leaf(rng, H, H)}
    return made | {name: leaf(rng, H) for name in ("p", "q", "u", "gain")}


def norm(x: mg.Tensor) -> mg.Tensor:
    x = x - x.mean(axis=-1, keepdims=True)
    return x / ((x * x).mean(axis=-1, keepdims=True) + 1e-5).sqrt()


def peephole(w, carry, x):
    h, c = carry
    i, f, g, o = (mg.linear(x, w["Wx"], w["b"]) + mg.linear(h, w["Wh"])).split(4, axis=-1)
    i, f = (i + w["p"] * c).sigmoid(), (f + w["q"] * c).sigmoid()
    c = f * c + i * g.tanh()
    h = (o + w["u"] * c).sigmoid() * c.tanh()
    return (h, c), h


def coupled(w, carry, x):
    h, c = carry
    _, f, g, o = (mg.linear(x, w["Wx"], w["b"]) + mg.linear(h, w["Wh"])).split(4, axis=-1)
    f = f.sigmoid()
    c = f * c + (1.0 - f) * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h, c), h


def layer_norm(w, carry, x):
    h, c = carry
    i, f, g, o = (mg.linear(x, w["Wx"], w["b"]) + norm(mg.linear(h, w["Wh"]))).split(4, axis=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * (norm(c) * w["gain"]).tanh()
    return (h, c), (h, c)


def minimal(w, h, x):
    f = (x @ w["V"] + h @ w["R"]).sigmoid()
    h = (1.0 - f) * h + f * (x @ w["V"] + (f * h) @ w["S"]).tanh()
    return h, h


def reset_before(w, h, x):
    r = (x @ w["V"] + h @ w["R"]).sigmoid()
    z = (h @ w["S"] + w["p"]).sigmoid()
    n = ((r * h) @ w["R"] + x @ w["V"]).tanh()
    h = z * h + (1.0 - z) * n
    return h, {"h": h, "z": z}


def independent(w, h, x):
    h = (x @ w["V"] + w["u"] * h + w["p"]).relu()
    return h, h


def joined(w, carry, x):
    h, c = carry
    i, f, g, o = (mg.concatenate([h, x], axis=-1) @ mg.concatenate([w["U"][I:], w["U"][:I]])).split(4, axis=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h, c), h


CELLS = {
    "peephole": (peephole, 2),
    "coupled": (coupled, 2),
    "layer norm": (layer_norm, 2),
    "minimal": (minimal, 1),
    "reset before": (reset_before, 1),
    "independent": (independent, 1),
    "joined": (joined, 2),
}


def leaves(tree: Any) -> list[mg.Tensor]:
    from minigrad.scan.tree import flatten

    return flatten(tree)[0]


def both_ways(cell, count, T, reverse, passes=frozenset(PASSES), used=None, mask=None):
    """(results and gradients) of the compiled loop and of the loop itself, from the same numbers."""
    answers = []
    for mode in ("compile", "eager"):
        settings.mode, settings.passes = mode, passes
        rng = np.random.default_rng(3)
        w = weights()
        start = tuple([leaf(rng, B, H) for _ in range(count)])
        x = leaf(rng, T, B, I)
        every = [*start, x, *w.values()]
        for number, tensor in enumerate(every):
            if mask is not None and not mask[number % len(mask)]:
                tensor.requires_grad_(False)
        outs = leaves(mg.scan(lambda c, v, w=w: cell(w, c, v), start if count > 1 else start[0], x, reverse=reverse))
        if mode == "compile" and T > 0:
            assert mg.scan_report().compiled, mg.scan_report()
        chosen = [out for number, out in enumerate(outs) if used is None or number in used]
        total = sum([(out * rng.standard_normal(out.shape)).sum() for out in chosen], mg.tensor(0.0, dtype="float64"))
        if total.requires_grad:
            total.backward()
        answers.append([out.numpy() for out in outs] + [None if t.grad is None else t.grad.numpy() for t in every])
    return answers


def agree(got, want, tolerance=1e-12):
    for number, (a, b) in enumerate(zip(got, want, strict=True)):
        assert (a is None) == (b is None), number
        if a is not None and a.size:
            assert a.shape == b.shape
            assert np.abs(a - b).max() <= tolerance * max(np.abs(b).max(), 1e-300), (number, np.abs(a - b).max())


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("T", [1, 2, 7, 100])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_cell_compiled_is_the_loop_it_stands_for(name, T, reverse):
    agree(*both_ways(*CELLS[name], T, reverse))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("off", [*PASSES, "all"])
def test_each_pass_can_be_switched_off(name, off):
    agree(*both_ways(*CELLS[name], 6, False, frozenset() if off == "all" else frozenset(PASSES) - {off}))


@pytest.mark.parametrize("name", CELLS)
def test_any_subset_of_outputs_and_of_inputs(name):
    cell, count = CELLS[name]
    for used in itertools.chain.from_iterable(itertools.combinations(range(3), k) for k in range(4)):
        agree(*both_ways(cell, count, 4, True, used=used))
    for mask in ([1, 0], [0, 1], [0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0, 1], [0]):
        agree(*both_ways(cell, count, 4, False, mask=mask))


@pytest.mark.parametrize("name", CELLS)
def test_second_order(name):
    cell, count = CELLS[name]
    answers = []
    for mode in ("compile", "eager"):
        settings.mode = mode
        rng, w = np.random.default_rng(3), weights()
        start = tuple([leaf(rng, B, H) for _ in range(count)])
        x = leaf(rng, 4, B, I)
        outs = leaves(mg.scan(lambda c, v, w=w: cell(w, c, v), start if count > 1 else start[0], x))
        total = sum([(out * out * rng.standard_normal(out.shape)).sum() for out in outs])
        every = [*start, x, *w.values()]
        total.backward(create_graph=True)
        firsts = [t.grad for t in every if t.grad is not None]
        again = sum([(g * rng.standard_normal(g.shape)).sum() for g in firsts])
        for t in every:
            t.grad = None
        again.backward()
        answers.append([t.grad.numpy() for t in every if t.grad is not None])
    agree(*answers, tolerance=1e-11)


@pytest.mark.parametrize("T", [1, 3])
def test_second_order_where_the_loop_reads_what_a_product_ahead_of_it_reads(T):
    answers = []
    for mode in ("compile", "eager"):
        settings.mode = mode
        rng = np.random.default_rng(4)
        e, w, b, h = leaf(rng, 4, H), leaf(rng, H, H), leaf(rng, H), leaf(rng, B, H)
        index = mg.tensor(rng.integers(0, 4, (T, B)))

        def step(h, i, e=e, w=w, b=b):
            x = mg.take(e, i)
            return mg.tanh(h * 0.5 + mg.linear(x, w, b) + x), x

        last, _ = mg.scan(step, h, index)
        assert mode == "eager" or mg.scan_report().compiled
        (last * rng.standard_normal(last.shape)).sum().backward(create_graph=True)
        firsts = [t.grad for t in (e, w, b, h)]
        answers.append([g.numpy() for g in firsts])
        for t in (e, w, b, h):
            t.grad = None
        sum([(g * rng.standard_normal(g.shape)).sum() for g in firsts]).backward()
        answers[-1] += [t.grad.numpy() for t in (e, w, b, h) if t.grad is not None]
    agree(*answers, tolerance=1e-11)


def test_the_passes_say_what_they_did(monkeypatch):
    monkeypatch.setattr(lookup, "LEAST", 0.0)
    both_ways(*CELLS["joined"], 3, False)
    settings.mode = "compile"
    w, rng = weights(), np.random.default_rng(0)
    x = mg.take(leaf(rng, 2, I), rng.integers(0, 2, (3, B)))
    mg.scan(lambda c, v: joined(w, c, v), (leaf(rng, B, H), leaf(rng, B, H)), x)
    report = mg.scan_report()
    assert report.plan.division.split == 1  # [h, x] U is h U1 + x U2
    assert all(report.passes[name] > 0 for name in PASSES)
    assert "matmul" in str(report.plan)
    assert "compiled" in repr(report)


@pytest.mark.parametrize(
    "step",
    [
        lambda p, c, x: ((x + c[0], x + c[0]), None),  # a gradient that is kept and carried on was once kept alone
        lambda p, c, x: (((c[0] - p), c[1]), c[0]),
        lambda p, c, x: ((c[0] * 0.5, p), c[0] + c[1]),  # a carry of a constant once lost its gradient
        lambda p, c, x: ((mg.concatenate([c[0][:, :2], p[:, 2:]], axis=-1).tanh(), c[1]), c[0]),
        # a weight behind a column that stands for several read other columns
        lambda p, c, x: ((c[0], mg.broadcast_to(c[1][:, :1], (2, 2)) @ p + x), c[0] * c[1]),
        lambda p, c, x: ((c[0], (x.abs() + 1.0) ** -1 + ((c[1].abs() + 1.0) ** -1) * p), c[1]),  # no form backward, found out there
    ],
)
@pytest.mark.parametrize("T", [1, 2, 5])
def test_gradients_that_were_once_wrong(step, T):
    answers = []
    for mode in ("compile", "eager"):
        settings.mode = mode
        rng = np.random.default_rng(0)
        p, a, b, xs = leaf(rng, 2, 3), leaf(rng, 2, 3), leaf(rng, 2, 3), leaf(rng, T, 2, 3)
        outs = leaves(mg.scan(lambda c, x, p=p: step(p, c, x), (a, b), xs))
        assert mode == "eager" or mg.scan_report().compiled
        sum([(out * rng.standard_normal(out.shape)).sum() for out in outs]).backward()
        answers.append([None if t.grad is None else t.grad.numpy() for t in (p, a, b, xs)])
    agree(*answers)


# ---- the contract, line by line


def pairs_of(step, carry, xs, **how):
    """Results of both modes."""
    found = []
    for mode in ("compile", "eager"):
        settings.mode = mode
        found.append(leaves(mg.scan(step, carry, xs, **how)))
    return found


@pytest.mark.parametrize(
    "step",
    [
        lambda c, x: ((c[1], c[0]), None),
        lambda c, x: ((c[0], c[0] * 0.5), c[0]),
        lambda c, x: (c, x),
        lambda c, x: ((c[0] + x, c[1]), (x, x, c[1])),
        lambda c, x: ((c[0] * 2.0, c[1] + 1.0), {"a": c[0], "b": None}),
        lambda c, x: ((c[0] - x, mg.ones(2, 3)), mg.zeros(4)),
    ],
)
def test_odd_carries_and_outputs(step, rng):
    carry = (mg.tensor(rng.standard_normal((2, 3)).astype("f")), mg.tensor(rng.standard_normal((2, 3)).astype("f")))
    xs = mg.tensor(rng.standard_normal((4, 2, 3)).astype("f"))
    for got, want in zip(*pairs_of(step, carry, xs), strict=True):
        assert got.shape == want.shape
        assert np.array_equal(got.numpy(), want.numpy())


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda c, x: (c + x.sum().item(), None), "item"),
        (lambda c, x: (c + x if x.sum() > -1e9 else c, None), "bool"),
        (lambda c, x: (c + mg.scan(lambda d, y: (d + y, None), c, x)[0], None), "inner scan"),
        (lambda c, x: (c + x.numpy(), None), "numpy"),
    ],
)
def test_what_reaches_python_runs_as_the_loop_and_says_why(step, why, rng):
    xs = mg.tensor(rng.standard_normal((4, 2, 2)))
    carry, _ = mg.scan(step, mg.zeros(2, 2, dtype="float64"), xs)
    assert not mg.scan_report().compiled
    assert why in mg.scan_report().reason
    settings.mode = "eager"
    assert np.allclose(carry.numpy(), mg.scan(step, mg.zeros(2, 2, dtype="float64"), xs)[0].numpy(), 1e-13, 1e-13)


def test_a_step_that_changes_with_time_runs_as_the_loop(rng):
    calls = []

    def step(c, x):
        calls.append(1)
        return c * float(len(calls)), None

    mg.scan(step, mg.ones(2, 2), mg.zeros(3, 2, 2))
    assert not mg.scan_report().compiled
    assert "not the same" in mg.scan_report().reason


def test_dropout_in_a_step_draws_as_the_loop_does(rng):
    xs = mg.tensor(rng.standard_normal((5, 2, 3)), requires_grad=True)
    outs = []
    for mode in ("compile", "eager"):
        settings.mode = mode
        mg.manual_seed(5)
        _, ys = mg.scan(
            lambda c, x: ((c + nn.dropout(x, 0.5) * mg.randn(2, 3, dtype="float64")).tanh(),) * 2, mg.zeros(2, 3, dtype="float64"), xs
        )
        assert mode == "eager" or mg.scan_report().compiled
        outs.append((ys.numpy(), mg.rand(1).item()))
    assert np.allclose(outs[0][0], outs[1][0], 1e-14, 1e-14)
    assert outs[0][1] == outs[1][1]


def test_random_numbers_from_elsewhere_run_as_the_loop(rng):
    mg.manual_seed(1)
    _, ys = mg.scan(lambda c, x: (c, c * mg.tensor(mg.random.generator.random((2, 3)))), mg.ones(2, 3, dtype="float64"), None, length=4)
    assert not mg.scan_report().compiled
    assert len(np.unique(ys.numpy())) == 24


def test_a_first_carry_that_broadcasts_is_peeled(rng):
    xs = mg.tensor(rng.standard_normal((5, 2, 3)), requires_grad=True)
    for got, want in zip(*pairs_of(lambda c, x: (c * 0.5 + x, c + x), 0.0, xs), strict=True):
        assert np.allclose(got.numpy(), want.numpy(), 1e-14, 1e-14)
    settings.mode = "compile"
    mg.scan(lambda c, x: (c * 0.5 + x, c + x), 0.0, xs)
    assert mg.scan_report().compiled


def test_detach_and_no_grad_inside_stop_gradients(rng):
    for stop in (lambda t: t.detach(), mg.no_grad()(lambda t: t * 1.0)):
        grads = []
        for mode in ("compile", "eager"):
            settings.mode = mode
            xs = mg.tensor(np.random.default_rng(0).standard_normal((4, 2, 3)), requires_grad=True)
            carry, ys = mg.scan(lambda c, x, stop=stop: (stop(c).tanh() + x * c, c * c), mg.ones(2, 3, dtype="float64"), xs)
            ((ys * ys).sum() + carry.sum()).backward()
            grads.append(xs.grad.numpy())
        assert np.abs(grads[0] - grads[1]).max() < 1e-13


@pytest.mark.parametrize("use", [lambda t: t + 1.0, lambda t: t.shape, lambda t: t.numpy(), repr, lambda t: t @ mg.ones(H, H)])
@pytest.mark.parametrize("compiles", [True, False])
def test_a_tensor_kept_from_a_trace_cannot_be_used(use, compiles, rng):
    """It stood for the values of all time steps, and would hold those of one."""
    seen, other = [], object()  # a step that reaches what cannot be compared is traced at each call

    def step(h, x):
        h = (h + x).tanh()
        seen.extend([h, x, other])
        return h, h if compiles else h * float(h.sum().item() > 0)

    carry, ys = mg.scan(step, leaf(rng, B, H), leaf(rng, 3, B, H))
    assert mg.scan_report().compiled == compiles
    with pytest.raises(mg.TapeError, match="used after the trace"):
        use(seen[0])
    assert np.isfinite(ys.numpy()).all() and np.isfinite(carry.numpy()).all()


def test_length_stands_in_for_xs():
    carry, ys = mg.scan(lambda c, x: (c * 2.0, c), mg.ones(2), None, length=4)
    assert np.array_equal(carry.numpy(), [16.0, 16.0])
    assert ys.shape == (4, 2)
    with pytest.raises(mg.ShapeError, match="length"):
        mg.scan(lambda c, x: (c, c), mg.ones(2), None)
    with pytest.raises(mg.ShapeError, match="3, 4"):
        mg.scan(lambda c, x: (c, c), mg.ones(2), mg.zeros(4, 2), length=3)
    for length in (2.5, 4.0, "4"):  # the compiled call must not make whole numbers of them
        with pytest.raises(TypeError, match="length is a whole number"):
            mg.scan(lambda c, x: (c, c), mg.ones(2), mg.zeros(4, 2), length=length)
    assert mg.scan(lambda c, x: (c, c), mg.ones(2), None, length=np.int64(4))[1].shape == (4, 2)
    with pytest.raises(TypeError, match=r"step returns \(carry, y\)"):
        mg.scan(lambda c, x: c, mg.ones(2), mg.zeros(4, 2))


def test_no_time_steps_and_no_sequences():
    carry, ys = mg.scan(lambda c, x: (c + x, (c, x.sum())), mg.ones(2, 3), mg.zeros(0, 2, 3))
    assert np.array_equal(carry.numpy(), np.ones((2, 3)))
    assert ys[0].shape == (0, 2, 3)
    assert ys[1].shape == (0,)
    output, _ = nn.LSTM(3, 4)(mg.zeros(5, 0, 3))
    assert output.shape == (5, 0, 4)


def test_integer_inputs_gather_ahead_and_scatter_behind(rng):
    answers = []
    for mode in ("compile", "eager"):
        settings.mode = mode
        table = mg.tensor(np.random.default_rng(1).standard_normal((6, H)), requires_grad=True)
        R = mg.tensor(np.random.default_rng(2).standard_normal((H, H)), requires_grad=True)
        words = mg.tensor(np.random.default_rng(3).integers(0, 6, (5, B)))
        carry, ys = mg.scan(lambda h, w, t=table, R=R: ((mg.take(t, w) + h @ R).tanh(),) * 2, mg.ones(B, H, dtype="float64"), words)
        (carry.sum() + (ys * ys).sum()).backward()
        answers.append([ys.numpy(), table.grad.numpy(), R.grad.numpy()])
        assert mode == "eager" or mg.scan_report().compiled
    agree(*answers)


def test_a_weight_changed_before_backward_is_refused(rng):
    layer = nn.GRU(I, H)
    output, _ = layer(mg.zeros(4, B, I))
    layer.weight_hh_l0.assign_(layer.weight_hh_l0.numpy() * 2.0)
    with pytest.raises(mg.MutationError, match="assign_"):
        output.sum().backward()


def test_backward_twice_wants_retain_graph(rng):
    layer = nn.LSTM(I, H)
    loss = layer(mg.ones(4, B, I))[0].sum()
    loss.backward(retain_graph=True)
    first = layer.weight_hh_l0.grad.numpy().copy()
    loss.backward()
    assert np.allclose(layer.weight_hh_l0.grad.numpy(), 2 * first)
    with pytest.raises(mg.TapeError, match="already played"):
        loss.backward()


def test_a_subclass_with_a_step_of_its_own_is_traced_each_time():
    class Scaled(nn.RNN):
        scale = 1.0

        def step(self, carry, x, w):
            h, _ = super().step(carry, x, w)
            return h * self.scale, h * self.scale

    layer = Scaled(I, H)
    x = mg.ones(3, B, I)
    assert np.abs(layer(x)[0].numpy()).max() > 0
    layer.scale = 0.0
    assert np.abs(layer(x)[0].numpy()).max() == 0


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_bits_depend_neither_on_threads_nor_on_other_rows(kind, rng):
    before = mg.get_num_threads()
    layer = getattr(nn, kind)(32, 96)
    x = rng.standard_normal((40, 23, 32)).astype("f")
    g = rng.standard_normal((40, 23, 96)).astype("f")

    def answers(rows):
        t = mg.tensor(x[:, rows], requires_grad=True)
        layer.zero_grad()
        out, _ = layer(t)
        (out * g[:, rows]).sum().backward()
        return [out.numpy(), t.grad.numpy(), *[weight.grad.numpy() for weight in layer.parameters()]]

    try:
        found = []
        for count in (1, 2, 3, 4):
            mg.set_num_threads(count)
            found.append(answers(slice(None)))
        for other in found[1:]:
            assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))
        for rows in (slice(4, 5), slice(2, 9), slice(0, 22)):
            few = answers(rows)
            assert np.array_equal(few[0], found[0][0][:, rows])
            assert np.array_equal(few[1], found[0][1][:, rows])
    finally:
        mg.set_num_threads(before)


def test_a_step_that_was_seen_with_a_weight_of_another_length_is_another(rng):
    x, h = mg.ones(4, B, H), mg.zeros(B, H)

    def step_with(weight):
        return lambda h, x: (mg.tanh(h + x), mg.linear(h, weight))

    for rows in (4, 2, 6):  # the program of the first once ran for all
        _, y = mg.scan(step_with(mg.ones(rows, H)), h, x)
        assert y.shape == (4, B, rows)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (H,), (1, 1), (1, H), (B, 1), (B, H)])
def test_a_constant_of_any_shape_gets_the_sum_over_rows_and_time(shape, reverse, rng):
    """Beside three operations, one of which hands its gradient on as it is, and in two uses that share one sum over time."""
    w, v = (mg.tensor(rng.standard_normal(shape), requires_grad=True) for _ in range(2))
    h, xs, cotangent = (mg.tensor(rng.standard_normal(s)) for s in ((B, H), (5, B, H), (5, B, H)))

    def step(h, x):
        h = mg.tanh(h * w + x) + w + v
        return h, h

    answers = []
    for mode in ("compile", "eager"):
        settings.mode = mode
        h_n, out = mg.scan(step, h, xs, reverse=reverse)
        assert mode == "eager" or mg.scan_report().compiled
        w.grad = v.grad = None
        ((out * cotangent).sum() + (h_n * 0.5).sum()).backward()
        answers.append([w.grad.numpy(), v.grad.numpy()])
    agree(*answers)
    assert all(g.shape == shape for g in answers[0])


def test_the_number_of_threads_is_a_number():
    with pytest.raises(ValueError, match="from 1"):
        mg.set_num_threads(0)


def test_threads_may_scan_at_the_same_time():
    layer, x = nn.LSTM(8, 16), mg.ones(20, 4, 8)
    want = layer(x)[0].numpy()
    wrong = []

    def work():
        for _ in range(20):
            if not np.array_equal(layer(x)[0].numpy(), want):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_of_fork_can_scan():
    code = """
import os, minigrad as mg
mg.set_num_threads(2)
layer, x = mg.nn.LSTM(64, 128), mg.ones(50, 32, 64)
layer(x)[0].sum().backward()
pid = os.fork()
if pid == 0:
    layer(x)[0].sum().backward()
    os._exit(7)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, check=False).returncode == 7


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no choice of cores here")
def test_what_no_worker_begins_is_done_by_the_caller():
    """With one core for all threads, workers come late: same bits, and a signal is seen in their parts too."""
    code = """
import os, signal, threading
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np, minigrad as mg
signal.signal(signal.SIGINT, signal.default_int_handler)
layer, x, found = mg.nn.LSTM(64, 256), mg.rand(4000, 32, 64), []
with mg.no_grad():
    for count in (1, 4, 4, 4):
        mg.set_num_threads(count)
        found.append(layer(x[:50])[0].numpy())
    assert all(np.array_equal(found[0], other) for other in found)
    threading.Timer(0.25, signal.raise_signal, [signal.SIGINT]).start()
    try:
        [layer(x) for _ in range(100)]
    except KeyboardInterrupt:
        assert np.array_equal(layer(x[:50])[0].numpy(), found[0])
        raise SystemExit(7)
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, check=False).returncode == 7


def test_an_interrupt_stops_a_long_scan_and_the_next_call_is_right(rng, request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell runs in the background would ignore it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    layer = nn.LSTM(64, 256)
    x = mg.tensor(rng.standard_normal((4000, 32, 64)).astype("f"))
    with mg.no_grad():
        want = layer(x[:10])[0].numpy()
        timer = threading.Timer(0.25, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            [layer(x) for _ in range(100)]
        assert np.array_equal(layer(x[:10])[0].numpy(), want)


def test_check_mode_runs_both():
    settings.mode = "check"
    output, _ = nn.LSTM(I, H)(mg.ones(4, B, I))
    assert output.shape == (4, B, H)
    assert mg.scan_report().compiled
