"""A recurrent layer in training: a call is kept to be done again with other numbers, and gives what a first call would give."""

from __future__ import annotations

import copy
import gc
import itertools
import pickle
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.scan import COMPILED, settings

pytestmark = pytest.mark.skipif(not COMPILED, reason="without the compiled kernels every scan runs as its loop")
KINDS = [nn.RNN, nn.LSTM, nn.GRU, nn.FourGateLSTM]


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def refuse(*args):
    raise AssertionError("all that a first call does was done")


def ready(layer):
    """The layer, which from now on can do no more than its last call again."""
    assert layer._again is not None
    vars(layer)["in_full"] = refuse
    return layer


def twin(layer, **options):
    """A layer with the same numbers that was never called."""
    usual = {"dtype": layer.dtype, "bias": layer.bias, "batch_first": layer.batch_first}
    fresh = type(layer)(layer.input_size, layer.hidden_size, **usual | options)
    fresh.load_state_dict(layer.state_dict())
    return fresh


def flat(results):
    output, last = results
    return [output, *(last if isinstance(last, tuple) else [last])]


def numbers(layer, x, state, used, cotangents):
    """All that a call and its backward pass give, for the outputs in use."""
    for tensor in (*layer.parameters(), x, *(state or ())):
        tensor.grad = None
    results = flat(layer(x, None if state is None else state if len(state) > 1 else state[0]))
    loss = sum([(results[n] * cotangents[n]).sum() for n in used])
    loss.backward()
    leaves = [*layer.parameters(), x, *(state or ())]
    return [*[y.numpy() for y in results], *[None if leaf.grad is None else leaf.grad.numpy() for leaf in leaves]]


def equal(got, want):
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert (a is None) == (b is None)
        assert a is None or (a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b))


@pytest.mark.parametrize("given", ["zeros", "state", "state with gradients"])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"dtype": "float64"}, {"batch_first": True}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_done_again_gives_the_bits_of_a_first_one(kind, options, given, rng):
    layer = kind(3, 5, **options)

    def draw(*shape, wanted=False):
        return mg.tensor(rng.standard_normal(shape).astype(layer.dtype), requires_grad=wanted)

    for wanted, steps in itertools.product((False, True), (4, 2, 9)):
        axes = (2, steps) if layer.batch_first else (steps, 2)
        x = draw(*axes, 3, wanted=wanted)
        widths = layer.widths()
        state = None if given == "zeros" else [draw(1, 2, width, wanted=given != "state") for width in widths]
        cotangents = [draw(*axes, widths[0]), *[draw(1, 2, width) for width in widths]]
        subsets = [used for count in (1, 2, 3) for used in itertools.combinations(range(1 + len(widths)), count)]
        for used in subsets:
            if steps != 4 or used != subsets[0]:
                ready(layer)
            equal(numbers(layer, x, state, used, cotangents), numbers(twin(layer), x, state, used, cotangents))
            report = mg.scan_report()
            assert report.compiled and report.steps == steps
        vars(layer).pop("in_full")
        layer.weight_hh_l0.assign_(layer.weight_hh_l0.numpy() * 1.5)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_training_is_that_of_layers_that_are_called_once(kind, rng):
    layer, cotangents = kind(3, 5), [mg.tensor(rng.standard_normal((6, 2, 5)).astype(np.float32))]
    optimizer = mg.optim.Adam(layer.parameters(), lr=0.1)
    for turn in range(4):
        x = mg.tensor(rng.standard_normal((6, 2, 3)).astype(np.float32))
        if turn:
            ready(layer)
        want = numbers(twin(layer), x, None, [0], cotangents)
        equal(numbers(layer, x, None, [0], cotangents), want)
        optimizer.step()
    assert mg.scan_report().cached


def test_gradients_of_gradients(rng):
    layer = nn.LSTM(3, 4, dtype="float64")
    found = []
    x, weights = mg.tensor(rng.standard_normal((5, 2, 3)), requires_grad=True), list(layer.parameters())
    v = [mg.tensor(rng.standard_normal(w.shape)) for w in (x, *weights)]
    for one in (layer, layer, twin(layer)):
        output, (h, c) = one(x)
        loss = (output * output).sum() + (h * c * c).sum()
        own = [x, *one.parameters()]
        loss.backward(create_graph=True)
        first = [leaf.grad for leaf in own]
        for leaf in own:
            leaf.grad = None
        sum([(g * u).sum() for g, u in zip(first, v, strict=True)]).backward()
        found.append([leaf.grad.numpy() for leaf in own])
        for leaf in own:
            leaf.grad = None
        if one is layer:
            ready(layer)
    equal(found[1], found[2])


def test_the_tape_of_a_call_done_again_shows_its_steps(rng, capsys):
    layer, x = nn.LSTM(3, 4, dtype="float64"), mg.tensor(rng.standard_normal((5, 2, 3)))
    shown = []
    for _ in range(2):
        output, (h, c) = layer(x)
        ready(layer)
        loss = (output * output).sum() + (h * c).sum()
        shares = mg.ledger(loss, layer.weight_hh_l0)
        loss.backward()
        assert np.allclose(shares.numpy().sum(axis=0), layer.weight_hh_l0.grad.numpy(), rtol=1e-12, atol=1e-14)
        layer.weight_hh_l0.grad = None
        output, (h, c) = layer(x)
        mg.show((h * c).sum(), unroll=True)
        shown.append([line.split()[1:3] for line in capsys.readouterr().out.splitlines() if " t=" in line])  # without ticks
    assert shown[0] == shown[1] and ["t=4", "tanh"] in shown[0]


def check(layer, x, state=None, **options):
    """The next call of a layer that was ready, and a first one."""
    fresh = twin(layer, **options)
    for ours, theirs in zip(layer.parameters(), fresh.parameters(), strict=True):
        theirs.requires_grad_(ours.requires_grad)
    cotangents = [mg.ones(*x.shape[:-1], layer.hidden_size), *[mg.ones(1, *x.shape[1:-1], layer.hidden_size) for _ in layer.states]]
    used = range(len(cotangents))
    equal(numbers(layer, x, state, used, cotangents), numbers(fresh, x, state, used, cotangents))


def test_a_call_done_again_sees_every_change(rng):
    layer, x = nn.GRU(3, 5), mg.tensor(rng.standard_normal((4, 2, 3)).astype(np.float32))
    check(layer, x)
    check(layer, x)
    layer.weight_hh_l0.requires_grad_(False)
    check(layer, x)
    check(layer, x)
    layer.weight_hh_l0.requires_grad_()
    check(layer, x)
    layer.bias_ih_l0.assign_(layer.bias_ih_l0.numpy() + 1.0)
    check(layer, x)
    layer.weight_ih_l0 = nn.Parameter(np.ones((15, 3), np.float32))
    check(layer, x)
    check(layer, mg.tensor(rng.standard_normal((4, 3, 3)).astype(np.float32)))  # another batch
    check(layer, x[:1])
    check(layer, x[:, 0])  # no batch at all
    check(layer, x, [mg.ones(1, 2, 5)])
    check(layer, x)
    with mg.no_grad():
        output, last = layer(x)
        assert not output.requires_grad and not last.requires_grad
    check(layer, x)
    before = settings.passes
    settings.passes = before - {"fuse"}
    try:
        check(layer, x)
        assert mg.scan_report().plan.passes == settings.passes
    finally:
        settings.passes = before
    settings.mode = "eager"
    try:
        layer(x)
        assert not mg.scan_report().compiled
    finally:
        settings.mode = "compile"
    check(layer, x)


def test_to_say_what_is_so_already_changes_nothing(rng):
    layer, x = nn.GRU(3, 5), mg.tensor(rng.standard_normal((4, 2, 3)).astype(np.float32))
    check(layer, x)
    ready(layer)
    layer.train()
    layer.weight_hh_l0 = layer.weight_hh_l0
    check(layer, x)
    del vars(layer)["in_full"]
    layer.eval()
    assert layer._again is None
    check(layer, x)
    layer.weight_hh_l0 = nn.Parameter(np.ones((15, 5), np.float32))
    assert layer._again is None
    check(layer, x)


def test_what_a_first_call_refuses_is_refused(rng):
    layer, x = nn.GRU(3, 5), mg.tensor(rng.standard_normal((4, 2, 3)).astype(np.float32))
    layer(x)
    layer(x)
    for wrong, sentence in (
        (x[:0], "no time steps"),
        (x[..., :2], "expected input_size=3"),
        (x[0, 0], "expected"),
        (x.astype("float64"), "float64"),
    ):
        with pytest.raises((ValueError, TypeError), match=sentence):
            layer(wrong)
    for wrong, sentence in ((mg.zeros(1, 3, 5), "expected"), (mg.zeros(2, 5), "expected"), ((mg.zeros(1, 2, 5),), "one tensor")):
        with pytest.raises((ValueError, TypeError), match=sentence):
            layer(x, wrong)
    check(layer, x)


SCALE = 1.0


class Scaled(nn.RNN):
    """A step that depends on a number outside of the layer."""

    def step(self, carry, x, w):
        h, y = super().step(carry, x, w)
        return h * SCALE, y * SCALE


def test_a_number_outside_of_a_layer_changes_its_next_call(rng, monkeypatch):
    layer, x = Scaled(3, 4), mg.tensor(rng.standard_normal((3, 1, 3)).astype(np.float32))
    before = [layer(x)[0].numpy() for _ in range(3)][-1]
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    assert np.allclose(layer(x)[0].numpy()[0], 2.0 * before[0])


def test_a_tensor_outside_of_a_layer_counts_and_has_its_gradient(rng):
    inside = {"gain": mg.tensor(2.0, requires_grad=True)}

    @nn.cell(W="H I", U="H H")
    def gained(carry, x, W, U):
        h = mg.tanh(mg.linear(x, W) + mg.linear(carry, U)) * inside["gain"]
        return h, h

    layer, x = gained(3, 4), mg.tensor(rng.standard_normal((3, 1, 3)).astype(np.float32))
    first = [layer(x)[0].numpy() for _ in range(3)][-1]
    inside["gain"].assign_(4.0)
    assert np.allclose(layer(x)[0].numpy()[0], 2.0 * first[0])
    inside["gain"] = mg.tensor(8.0, requires_grad=True)
    output, _ = layer(x)
    output[0].sum().backward()
    assert np.allclose(output.numpy()[0], 4.0 * first[0])
    assert np.allclose(inside["gain"].grad.numpy(), first[0].sum() / 2.0) and first.any()


def test_settings_of_a_cell_within_a_stack_count(rng):
    cell = nn.LSTMCell(3, 4)
    layer, x = nn.Recurrent(cell), mg.tensor(rng.standard_normal((3, 2, 3)).astype(np.float32))
    before = [layer(x)[0].numpy() for _ in range(3)][-1]
    cell.step = lambda carry, x, w: (carry, carry[0] * 0.0)
    assert before.any() and not layer(x)[0].numpy().any()


def test_a_layer_of_little_memory_does_not_keep_a_call_of_few_steps(rng):
    """Three steps are remembered whole by memory=10; a hundred are not, and must not be because three were."""
    layer = nn.LSTM(3, 4, memory=10)
    x = mg.tensor(rng.standard_normal((100, 1, 3)).astype(np.float32))
    layer(x[:3])
    assert layer._again is None
    check(layer, x, memory=10)


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"bidirectional": True}, {"learned_state": True}], ids=str)
def test_other_layers_go_on_as_they_did(options, rng):
    layer, x = nn.LSTM(4, 4, **options), mg.tensor(rng.standard_normal((3, 3, 4)).astype(np.float32))
    found = []
    for one in (layer, layer, layer, twin(layer, **options)):
        one.zero_grad()
        output, (h, c) = one(x)
        (output.sum() + (h * c).sum()).backward()
        found.append([output.numpy(), h.numpy(), c.numpy(), *[p.grad.numpy() for p in one.parameters()]])
    equal(found[2], found[3])


def test_a_stateful_layer_goes_on_where_it_was(rng):
    layer, other = nn.LSTM(3, 4, stateful=True), nn.LSTM(3, 4)
    other.load_state_dict(layer.state_dict())
    state = None
    for _ in range(4):
        x = mg.tensor(rng.standard_normal((3, 2, 3)).astype(np.float32))
        got, (want, state) = layer(x), other(x, state)
        state = tuple([tensor.detach() for tensor in state])
        assert np.array_equal(got[0].numpy(), want.numpy()) and np.array_equal(got[1][0].numpy(), state[0].numpy())


def test_nothing_of_the_last_call_is_kept(rng):
    layer = nn.LSTM(3, 4)
    for _ in range(2):
        x = mg.tensor(rng.standard_normal((3, 2, 3)).astype(np.float32), requires_grad=True)
        state = (mg.zeros(1, 2, 4, requires_grad=True), mg.zeros(1, 2, 4))
        output, last = layer(x, state)
        gone = [weakref.ref(tensor) for tensor in (x, *state, output, *last)]
        del x, state, output, last
        gc.collect()
        assert [ref() for ref in gone] == [None] * len(gone)
    ready(layer)


def test_a_copy_of_a_layer_has_a_first_call_of_its_own(rng):
    layer, x = nn.GRU(3, 4), mg.tensor(rng.standard_normal((3, 2, 3)).astype(np.float32))
    layer(x)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        other.weight_hh_l0.assign_(np.zeros((12, 4), np.float32))
        check(other, x)
        check(other, x)
    check(layer, x)
