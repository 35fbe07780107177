"""mg.ledger and mg.show(unroll=True): what each step has contributed, compiled or not.

The oracle is a loop in Python that gives every step weights of its own: the gradient of those of step t is contribution t.
"""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.scan import COMPILED, settings
from minigrad.scan.steps import steps_behind

B, I, H = 2, 3, 4  # noqa: E741
MODES = ["compile", "eager"] if COMPILED else ["eager"]
Weights = dict[str, mg.Tensor]


def leaf(rng: Any, *shape: int) -> mg.Tensor:
    return mg.tensor(rng.standard_normal(shape), requires_grad=True)


def weights() -> Weights:
    rng = np.random.default_rng(5)
    shapes = {"Wx": (4 * H, I), "Wh": (4 * H, H), "b": (4 * H,), "b2": (4 * H,), "U": (H, I + H), "V": (H, H), "p": (H,), "E": (2 * H, H)}
    return {name: leaf(rng, *shape) for name, shape in shapes.items()}


def lstm(w: Weights, carry: Any, x: Any) -> Any:
    """Products with x leave the loop, and the sum of the biases is made once."""
    h, c = carry
    i, f, g, o = (mg.linear(x, w["Wx"], w["b"] + w["b2"]) + mg.linear(h, w["Wh"])).split(4, axis=-1)
    c = (f + w["p"] * c).sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h, c), h


def turned(w: Weights, carry: Any, x: Any) -> Any:
    """W.T and a join of h and x, as the papers write it; the product is split."""
    h, c = carry
    h = (mg.concatenate([h, x], axis=-1) @ w["U"].T + w["p"]).tanh()
    return (h, 0.5 * c + h), h + c


def tied(w: Weights, carry: Any, x: Any) -> Any:
    """One weight in three places, one of them ahead of the loop; slices and a join of constants."""
    h, c = carry
    u = (x @ w["V"][:I] + h @ w["V"].T + w["p"]).tanh()
    c = c * w["p"].sigmoid() + u @ mg.concatenate([w["V"][2:], w["V"][:2]])
    return (u * c, c), {"u": u, "c": c}


def beside(w: Weights, carry: Any, x: Any) -> Any:
    """Some y needs no carry, some is x or made of a weight alone."""
    h, c = carry
    c = (c @ w["V"] + x @ w["V"][:I]).tanh()
    return (c, h), (x @ w["V"][:I], 2.0 * w["p"], x, c)


CELLS = {"lstm": lstm, "turned": turned, "tied": tied, "beside": beside}


def leaves(tree: Any) -> list[mg.Tensor]:
    if isinstance(tree, mg.Tensor):
        return [tree]
    return [leaf for item in ([tree[key] for key in sorted(tree)] if isinstance(tree, dict) else tree) for leaf in leaves(item)]


def scalar(tree: Any) -> mg.Tensor:
    """All results, weighted with random numbers that differ from element to element."""
    rng = np.random.default_rng(9)
    total = mg.tensor(0.0, dtype="float64")
    for out in leaves(tree):
        total = total + (out * rng.standard_normal(out.shape)).sum()
    return total


def oracle(cell: Any, ws: list[Weights], carry: Any, xs: mg.Tensor, reverse: bool) -> mg.Tensor:
    """The loss of a loop whose step t has the weights ws[t]."""
    ys: list[Any] = [None] * len(xs)
    for t in reversed(range(len(xs))) if reverse else range(len(xs)):
        carry, y = cell(ws[t], carry, xs[t])
        ys[t] = leaves(y)
    return scalar((carry, [mg.stack(column) for column in zip(*ys, strict=True)]))


def copies(w: Weights, T: int) -> list[Weights]:
    return [{name: mg.tensor(value.numpy(), requires_grad=True) for name, value in w.items()} for _ in range(T)]


def gradients(ws: list[Weights], name: str) -> Any:
    return np.stack([np.zeros(w[name].shape) if w[name].grad is None else w[name].grad.numpy() for w in ws])


def close(got: Any, want: Any) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= 1e-12 * max(np.abs(want).max(), 1.0)


def checked(loss: mg.Tensor, w: Weights, T: int, ws: list[Weights] | None = None) -> None:
    """Every weight's ledger: T rows, those of the oracle `ws`, and their sum is the gradient of a backward pass that comes later."""
    used = [name for name in w if ws is None or any(one[name].grad is not None for one in ws)]
    books = {name: mg.ledger(loss, w[name]) for name in used}
    for name in w.keys() - books.keys():
        with pytest.raises(mg.TapeError, match="has no part in the loss"):
            mg.ledger(loss, w[name])
    assert all(value.grad is None for value in w.values())
    loss.backward()
    for name, book in books.items():
        assert book.shape == (T, *w[name].shape)
        assert not book.requires_grad
        close(book.sum(axis=0), w[name].grad)
        if ws is not None:
            close(book, gradients(ws, name))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("T", [1, 2, 5])
@pytest.mark.parametrize("name", CELLS)
def test_contribution_t_is_the_gradient_of_weights_that_step_t_has_for_itself(name: str, T: int, reverse: bool, mode: str) -> None:
    settings.mode = mode
    rng = np.random.default_rng(1)
    xs, h, c = leaf(rng, T, B, I), leaf(rng, B, H), leaf(rng, B, H)
    w = weights()
    ws = copies(w, T)
    oracle(CELLS[name], ws, (h, c), xs, reverse).backward()
    for tensor in (xs, h, c):
        tensor.grad = None
    results = mg.scan(lambda carry, x: CELLS[name](w, carry, x), (h, c), xs, reverse=reverse)
    assert mg.scan_report().compiled == (mode == "compile")
    checked(scalar(results), w, T, ws)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("passes", ["none", "hoist", "sink,plan"])
def test_the_passes_do_not_matter(passes: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.mode = mode
    monkeypatch.setattr(settings, "passes", frozenset(passes.split(",")) - {"none"})
    rng = np.random.default_rng(1)
    xs, h, c, w = leaf(rng, 4, B, I), leaf(rng, B, H), leaf(rng, B, H), weights()
    ws = copies(w, 4)
    oracle(lstm, ws, (h, c), xs, False).backward()
    checked(scalar(mg.scan(lambda carry, x: lstm(w, carry, x), (h, c), xs)), w, 4, ws)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("T", [1, 4])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_every_parameter_of_a_layer(kind: Any, T: int, mode: str) -> None:
    """b_ih + b_hh is added before the scan: it counts for the steps that use it."""
    settings.mode = mode
    rng = np.random.default_rng(2)
    layer = kind(I, H, num_layers=2, bidirectional=True, dtype="float64")
    checked(scalar(layer(rng.standard_normal((T, B, I)))), dict(layer.named_parameters()), T)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_layer_step_by_step(kind: Any, mode: str, reverse: bool) -> None:
    settings.mode = mode
    rng = np.random.default_rng(2)
    T, suffix = 3, "_l0_reverse" if reverse else "_l0"
    layer = kind(I, H, bidirectional=True, dtype="float64")
    x = mg.tensor(rng.standard_normal((T, B, I)))
    r = rng.standard_normal((T, B, H))
    w = {name: value for name, value in layer.named_parameters() if name.endswith(suffix)}
    ws = copies(w, T)
    carry: Any = tuple([mg.zeros(B, H, dtype="float64") for _ in layer.states])
    carry = carry if len(carry) == 2 else carry[0]
    total = mg.tensor(0.0, dtype="float64")
    for t in reversed(range(T)) if reverse else range(T):
        named = SimpleNamespace(**{name.removesuffix(suffix): tensor for name, tensor in ws[t].items()})
        carry, y = layer.step(carry, x[t], named)
        total = total + (y * r[t]).sum()
    total.backward()
    output, _ = layer(x)
    half = output[..., H:] if reverse else output[..., :H]
    checked((half * r).sum(), w, T, ws)


def test_a_scan_that_falls_back_to_its_loop() -> None:
    rng = np.random.default_rng(1)
    xs, h, c, w = leaf(rng, 4, B, I), leaf(rng, B, H), leaf(rng, B, H), weights()

    def step(carry: Any, x: Any) -> Any:
        assert isinstance(float(carry[0].numpy()[0, 0]), float)  # reaches Python
        return lstm(w, carry, x)

    ws = copies(w, 4)
    oracle(lstm, ws, (h, c), xs, False).backward()
    loss = scalar(mg.scan(step, (h, c), xs))
    assert not mg.scan_report().compiled
    checked(loss, w, 4, ws)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("T", [1, 2, 4])
def test_a_first_carry_that_broadcasts(T: int, reverse: bool, mode: str) -> None:
    """The first step runs by itself, before a scan of the others: T contributions all the same."""
    settings.mode = mode
    rng = np.random.default_rng(1)
    xs, w = leaf(rng, T, B, I), weights()
    start = (mg.zeros(B, H, dtype="float64"), mg.tensor(0.0, dtype="float64"))
    ws = copies(w, T)
    oracle(turned, ws, start, xs, reverse).backward()
    loss = scalar(mg.scan(lambda carry, x: turned(w, carry, x), start, xs, reverse=reverse))
    checked(loss, w, T, ws)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("T", [1, 2, 5])
def test_a_carry_that_goes_on_changing(T: int, reverse: bool) -> None:
    """Two steps by themselves, then a loop: T contributions all the same."""

    def cell(w: Weights, carry: Any, x: Any) -> Any:
        a, b = carry
        return ((x @ w["V"][:I] + b * w["p"]).tanh(), a), a + x @ w["V"][:I]

    xs, w = leaf(np.random.default_rng(1), T, B, I), weights()
    start = (mg.tensor(0.5, dtype="float64"), mg.tensor(0.25, dtype="float64"))
    ws = copies(w, T)
    oracle(cell, ws, start, xs, reverse).backward()
    loss = scalar(mg.scan(lambda carry, x: cell(w, carry, x), start, xs, reverse=reverse))
    assert not mg.scan_report().compiled
    checked(loss, w, T, ws)


@pytest.mark.parametrize("mode", MODES)
def test_a_loss_of_one_step_leaves_zeros_to_the_later_ones(mode: str) -> None:
    settings.mode = mode
    rng = np.random.default_rng(1)
    xs, h, w = leaf(rng, 5, B, I), leaf(rng, B, H), weights()
    (last, _), ys = mg.scan(lambda carry, x: turned(w, carry, x), (h, h), xs)
    book = mg.ledger((ys[1] * ys[1]).sum(), w["U"]).numpy()
    assert np.abs(book[:2]).min() > 0
    assert not book[2:].any()
    assert mg.ledger((last * last).sum(), w["U"]).shape == (5, H, I + H)


@pytest.mark.parametrize("mode", MODES)
def test_what_was_made_of_the_weight_before_the_scan_counts_for_the_steps(mode: str) -> None:
    settings.mode = mode
    rng = np.random.default_rng(1)
    words, w = np.array([[1, 3], [3, 0], [5, 3]]), weights()

    def run(ws: list[Weights] | None) -> mg.Tensor:
        start = mg.tensor(np.ones((B, H)))
        if ws is None:
            turned, inputs = w["V"].T, mg.take(w["E"], words)
            return scalar(mg.scan(lambda h, x: ((h @ turned + x).tanh(),) * 2, start, inputs))
        h, ys = start, []
        for t in range(3):
            h = (h @ ws[t]["V"].T + mg.take(ws[t]["E"], words[t])).tanh()
            ys.append(h)
        return scalar((h, mg.stack(ys)))

    ws = copies(w, 3)
    run(ws).backward()
    checked(run(None), w, 3, ws)
    first = leaf(rng, B, H)  # a first carry counts for the first step
    last, _ = mg.scan(lambda h, x: ((h + x).tanh(), None), first, mg.tensor(rng.standard_normal((3, B, H))))
    book = mg.ledger(scalar(last), first).numpy()
    assert book.shape == (3, B, H)
    assert book[0].all()
    assert not book[1:].any()


@pytest.mark.parametrize("mode", MODES)
def test_several_scans_and_uses_outside_of_them_stand_in_the_order_of_the_tape(mode: str) -> None:
    settings.mode = mode
    rng = np.random.default_rng(1)
    V, U = leaf(rng, H, H), leaf(rng, H, H)

    def step(h: Any, x: Any) -> Any:
        h = (h @ V + x @ U).tanh()
        return h, h

    x = mg.tensor(rng.standard_normal((3, B, H)))
    h = mg.tensor(np.ones((B, H)))
    before = x @ V  # for all time steps at once, by hand: the first scan's steps use it
    h1, first = mg.scan(step, h, before)
    h2, second = mg.scan(step, h1, first[1:], reverse=True)
    loss = scalar((second, h2)) + scalar(first @ V) + 0.1 * (V * V).sum()
    book = mg.ledger(loss, V)
    assert book.shape == (3 + 2 + 1 + 1, H, H)
    close(book[-1], 0.2 * V.numpy())
    assert mg.ledger(loss, U).shape == (3 + 2, H, H)
    for W in (V, U):
        close(mg.ledger(loss, W).sum(axis=0), total(loss, W))


def total(loss: mg.Tensor, W: mg.Tensor) -> mg.Tensor:
    """W.grad, on a tape that stays."""
    before = W.grad
    W.grad = None
    loss.backward(retain_graph=True)
    found = W.grad
    W.grad = before
    assert found is not None
    return found


def test_a_python_loop_gives_a_contribution_for_each_use() -> None:
    rng = np.random.default_rng(1)
    xs, w = leaf(rng, 4, B, I), weights()
    ws = copies(w, 4)
    start = (mg.zeros(B, H, dtype="float64"), mg.zeros(B, H, dtype="float64"))
    oracle(lstm, ws, start, xs, False).backward()
    loss = oracle(lstm, [w] * 4, start, xs, False)
    close(mg.ledger(loss, w["Wh"]), gradients(ws, "Wh"))
    ws = copies(w, 4)
    oracle(tied, ws, start, xs, False).backward()
    loss = oracle(tied, [w] * 4, start, xs, False)
    book = mg.ledger(loss, w["V"])  # V[:I], V.T, V[2:], V[:2]
    assert book.shape == (16, H, H)
    close(book.reshape(4, 4, H, H).sum(axis=1), gradients(ws, "V"))
    w0 = mg.tensor([2.0, 3.0], requires_grad=True)
    assert mg.ledger((w0 * w0).sum(), w0).tolist() == [[4.0, 6.0]]  # one operation, one use


@pytest.mark.parametrize("mode", MODES)
def test_scans_in_scans_count_the_steps_of_the_outer_one(mode: str) -> None:
    settings.mode = mode
    rng = np.random.default_rng(1)
    V, xs = leaf(rng, H, H), mg.tensor(rng.standard_normal((3, 2, B, H)))

    def outer(h: Any, x: Any, W: mg.Tensor = V) -> Any:
        return mg.scan(lambda h, x: ((h @ W + x).tanh(), None), h, x)

    start = mg.tensor(np.ones((B, H)))
    copy = [mg.tensor(V.numpy(), requires_grad=True) for _ in range(3)]
    h: Any = start
    for t in range(3):
        h = outer(h, xs[t], copy[t])[0]
    scalar(h).backward()
    last, _ = mg.scan(outer, start, xs)
    close(mg.ledger(scalar(last), V), np.stack([one.grad.numpy() for one in copy if one.grad is not None]))


@pytest.mark.parametrize("mode", MODES)
def test_random_draws_are_those_that_were_made(mode: str) -> None:
    settings.mode = mode
    rng = np.random.default_rng(1)
    V, xs = leaf(rng, H, H), mg.tensor(rng.standard_normal((4, B, H)))

    drop = nn.Dropout(0.5)

    def step(h: Any, x: Any) -> Any:
        h = drop((h @ V + x).tanh())
        return h, h

    loss = scalar(mg.scan(step, mg.tensor(np.ones((B, H))), xs))
    state = mg.get_rng_state()
    close(mg.ledger(loss, V).sum(axis=0), total(loss, V))
    assert mg.get_rng_state() == state


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_touched(mode: str) -> None:
    """Gradients, those of intermediate results and of second order too, are what they would have been."""
    answers = []
    for ask in (False, True):
        settings.mode = mode
        rng = np.random.default_rng(1)
        xs, h, w = leaf(rng, 3, B, I), leaf(rng, B, H), weights()
        w["U"].grad = w["U"].detach()
        loss = scalar(mg.scan(lambda carry, x, w=w: turned(w, carry, x), (h, h), xs))
        if ask:
            before = [w["U"].numpy().copy(), loss.item()]
            mg.ledger(loss, w["U"])
            mg.show(loss, unroll=True)
            assert (before[0] == w["U"].numpy()).all() and before[1] == loss.item()
        loss.backward(create_graph=True)
        assert xs.grad is not None
        (xs.grad * xs.grad).sum().backward()
        answers.append([tensor.grad.numpy() for tensor in (xs, h, w["U"], w["p"])])
    for a, b in zip(*answers, strict=True):
        assert (a == b).all()


def test_float32_stays_float32() -> None:
    w = mg.tensor(0.5, requires_grad=True)
    h, _ = mg.scan(lambda h, x: (w * h + x, None), mg.tensor(1.0), mg.tensor([1.0, 1.0, 1.0]))
    assert mg.ledger(h, w).dtype == np.float32


def test_a_leaf_that_was_frozen_and_thawed() -> None:
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    first = (w * 3.0).sum()
    w.requires_grad_(False).requires_grad_()
    assert mg.ledger(first + (w * 5.0).sum(), w).tolist() == [[3.0, 3.0], [5.0, 5.0]]


def test_refusals_are_sentences() -> None:
    w, v = mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    with pytest.raises(mg.TapeError, match=r"shape \(2,\) has no part in the loss"):
        mg.ledger(loss, v)
    with pytest.raises(mg.TapeError, match="does not require a gradient"):
        mg.ledger(loss, mg.ones(2))
    with pytest.raises(mg.TapeError, match="is the result of 'mul'"):
        mg.ledger(loss, w * w)
    with pytest.raises(mg.TapeError, match="this loss has no tape"):
        mg.ledger(mg.ones(()), w)
    with pytest.raises(mg.ShapeError, match="must have one element"):
        mg.ledger(w * w, w)
    loss.backward()
    with pytest.raises(mg.TapeError, match="already played back"):
        mg.ledger(loss, w)


@pytest.mark.parametrize("mode", MODES)
def test_a_tape_whose_numbers_have_changed_or_gone_is_refused(mode: str) -> None:
    settings.mode = mode
    w, xs = mg.tensor(0.5, requires_grad=True), mg.tensor([1.0, 1.0, 1.0])

    def run() -> mg.Tensor:
        found: mg.Tensor = mg.scan(lambda h, x: (w * h * x, None), mg.tensor(1.0), xs)[0]
        return found

    h = run()
    h.backward()
    for look in (lambda: mg.ledger(h, w), lambda: mg.show(h, unroll=True)):
        with pytest.raises(mg.TapeError, match="already played back"):
            look()
    h = run()
    w.assign_(0.25)
    with pytest.raises(mg.MutationError, match="assign_ has changed"):
        mg.ledger(h, w)


def rows_of(text: str) -> list[list[str]]:
    """The printed tape without its ticks, which are replaced by the number of the entry: that, the step or "", and the other words."""
    rows = [line.split() for line in text.splitlines()[1:-1]]
    number = {row[0]: str(k) for k, row in enumerate(rows)}
    found = []
    for tick, *words, size in rows:  # the size may be a number that is some entry's tick
        step = words.pop(0) if words[0].startswith("t=") else ""
        found.append([number[tick], step, *[number.get(word, word) for word in words], size])
    return found


@pytest.mark.skipif(not COMPILED, reason="the compiled loop needs the compiled kernels")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_the_unrolled_tape_is_that_of_the_loop(name: str, reverse: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Entry by entry: step, operation, arguments, shapes, what is kept and its bytes, though products left the loop."""
    printed = []
    for mode in MODES:
        settings.mode = mode
        rng = np.random.default_rng(1)
        xs, h, c, w = leaf(rng, 3, B, I), leaf(rng, B, H), leaf(rng, B, H), weights()
        loss = scalar(mg.scan(lambda carry, x, w=w: CELLS[name](w, carry, x), (h, c), xs, reverse=reverse))
        mg.show(loss, unroll=True)
        printed.append(capsys.readouterr().out)
    compiled, eager = printed
    assert rows_of(compiled) == rows_of(eager)
    assert compiled.splitlines()[-1] == eager.splitlines()[-1]
    steps = [row[1] for row in rows_of(compiled) if row[1]]
    assert list(dict.fromkeys(steps)) == [f"t={t}" for t in (2, 1, 0)] if reverse else [f"t={t}" for t in range(3)]


def test_show_numbers_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    w = mg.tensor(0.5, requires_grad=True)
    _, ys = mg.scan(lambda h, x: (w * h + x, h), mg.tensor(1.0), mg.tensor([1.0, 1.0, 1.0]))
    mg.show(ys.sum(), unroll=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:3] for line in lines if "t=" in line] == [[f"t={t}", name] for t in range(2) for name in ("mul", "add")]
    mg.show(ys.sum())
    assert ("scan result" in capsys.readouterr().out) == COMPILED


def test_nothing_is_kept_for_those_who_do_not_ask() -> None:
    """A compiled scan notes nothing; one that ran as a loop notes numbers, which go with the last of its results."""
    gc.collect()
    before = len(steps_behind)
    for mode in MODES:
        settings.mode = mode
        w = mg.tensor(0.5, requires_grad=True)
        h, ys = mg.scan(lambda h, x, w=w: (w * h + x, h), mg.tensor(1.0), mg.tensor([1.0, 1.0, 1.0]))
        assert len(steps_behind) == before + (2 if mode == "eager" else 0)
        mg.ledger((h + ys.sum()), w)
        del h, ys
        assert len(steps_behind) == before
