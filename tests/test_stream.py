"""A recurrent layer in single steps without gradients: a stream of inputs, whose last step is kept to be done again."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.scan import COMPILED, settings


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("settings", [{}, {"batch_first": True}, {"bias": False}], ids=str)
def test_a_stream_of_steps_is_the_sequence(kind, settings, rng):
    layer = kind(3, 5, **settings)
    axis = 1 if settings.get("batch_first") else 0
    x = mg.tensor(rng.standard_normal((7, 2, 3)).astype(np.float32).swapaxes(0, axis).copy())
    with mg.no_grad():
        whole, last = layer(x)
        state, parts = None, []
        for t in range(7):
            part, state = layer(x[:, t : t + 1] if axis else x[t : t + 1], state)
            parts.append(part)
    assert np.array_equal(mg.concatenate(parts, axis=axis).numpy(), whole.numpy())
    for got, want in zip(state if isinstance(state, tuple) else [state], last if isinstance(last, tuple) else [last], strict=True):
        assert got.shape == want.shape and np.array_equal(got.numpy(), want.numpy())


def test_a_stream_sees_every_change(rng):
    """What is kept from one single step for the next must not outlive anything that it depends on."""
    layer = nn.LSTM(3, 5)
    x = mg.tensor(rng.standard_normal((1, 2, 3)).astype(np.float32))
    state = tuple([mg.tensor(rng.standard_normal((1, 2, 5)).astype(np.float32)) for _ in range(2)])

    def check(x=x, state=state):
        with mg.no_grad():
            got = [layer(x, state) for _ in range(3)][-1]
        fresh = nn.LSTM(3, 5, dtype=layer.dtype)
        fresh.load_state_dict(layer.state_dict())
        want = fresh(x, state)
        for a, b in zip([got[0], *got[1]], [want[0], *want[1]], strict=True):
            assert a.shape == b.shape and np.allclose(a.numpy(), b.detach().numpy(), atol=1e-6)
        return got

    first = check()
    kept = first[0].numpy().copy()
    layer.weight_hh_l0.assign_(layer.weight_hh_l0.numpy() * 2)
    second = check()
    assert np.array_equal(first[0].numpy(), kept) and not np.allclose(kept, second[0].numpy())  # earlier results stay what they are
    layer.bias_ih_l0.assign_(layer.bias_ih_l0.numpy() + 1)
    check()
    layer.weight_ih_l0 = nn.Parameter(np.ones((20, 3), np.float32))
    check()
    check(mg.tensor(rng.standard_normal((1, 4, 3)).astype(np.float32)), (mg.zeros(1, 4, 5), mg.ones(1, 4, 5)))
    check(mg.tensor(rng.standard_normal((3, 2, 3)).astype(np.float32)))
    check()
    twin = copy.deepcopy(layer)
    with mg.no_grad(), pytest.raises(ValueError, match="state h has shape"):
        twin(x, (mg.zeros(1, 3, 5), mg.zeros(1, 3, 5)))
    with pytest.raises(TypeError, match="pair"), mg.no_grad():
        layer(x, state[0])
    output, _ = layer(x, state)  # with recording on, the step is recorded
    assert output.requires_grad
    layer.step = lambda carry, x, w: (carry, carry[0] * 0.0)
    with mg.no_grad():
        assert not layer(x, state)[0].numpy().any()


def test_what_another_layer_has_kept_is_not_taken_for_ones_own(rng):
    """Two layers leave the step of the second behind; a layer of its sizes that then runs as a loop once is not that one."""
    x = mg.tensor(rng.standard_normal((1, 2, 4)).astype(np.float32))
    deep, single = nn.LSTM(4, 4, num_layers=2), nn.LSTM(4, 4)
    state = (mg.zeros(1, 2, 4), mg.ones(1, 2, 4))
    with mg.no_grad():
        deep(x)
        before, settings.mode = settings.mode, "eager"
        try:
            want = single(x, state)
        finally:
            settings.mode = before
        got = single(x, state)
    for a, b in zip([got[0], *got[1]], [want[0], *want[1]], strict=True):
        assert np.allclose(a.numpy(), b.numpy(), atol=1e-6)


def same_bits(got, want):
    """Whether two results of a layer are equal, with equal shapes."""
    flat = [[y, *(last if isinstance(last, tuple) else [last])] for y, last in (got, want)]
    return all(a.shape == b.shape and np.array_equal(a.numpy(), b.numpy()) for a, b in zip(*flat, strict=True))


@pytest.mark.parametrize("time", [1, 2, 7])
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "state"])
@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"return_sequences": False}, {"dtype": "float64"}], ids=str)
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU, nn.FourGateLSTM])
def test_a_call_done_again_gives_the_bits_of_a_first_one(kind, options, given, time, rng):
    layer = kind(3, 5, **options)

    def draw(*shape):
        return mg.tensor(rng.standard_normal(shape).astype(layer.dtype))

    for batch in (1, 2, None):
        axes = [time] if batch is None else [batch, time] if layer.batch_first else [time, batch]
        for turn in range(3):
            x, state = draw(*axes, 3), None
            if given:
                state = [draw(1, *[batch] * (batch is not None), width) for width in layer.widths()]
                state = tuple(state) if len(state) > 1 else state[0]
            first = kind(3, 5, **options)
            first.load_state_dict(layer.state_dict())
            with mg.no_grad():
                assert same_bits(layer(x, state), first(x, state)), (batch, turn)
            if COMPILED and turn and not options and (given or time > 1):
                assert layer._again is not None


def test_a_result_that_was_given_stays_what_it_is(rng):
    layer = nn.LSTM(3, 5)
    with mg.no_grad():
        results = [layer(mg.tensor(rng.standard_normal((4, 2, 3)).astype(np.float32))) for _ in range(3)]
        kept = [[y.numpy().copy(), h.numpy().copy(), c.numpy().copy()] for y, (h, c) in results]
        layer(mg.ones(4, 2, 3))
    for (y, (h, c)), numbers in zip(results, kept, strict=True):
        assert all(np.array_equal(a.numpy(), b) for a, b in zip((y, h, c), numbers, strict=True))


SCALE = 1.0


class Scaled(nn.LSTM):
    """A step that depends on a number outside of the layer."""

    def step(self, carry, x, w):
        (h, c), y = super().step(carry, x, w)
        return (h * SCALE, c), y * SCALE


class Forgetful(nn.LSTM):
    """The step of an LSTM, which calls a `read` of its own."""

    def read(self, h, w):
        return h * 0.0


@nn.cell(W="H I", U="H H")
def Weighed(carry, x, W, U):
    h = mg.tanh(mg.linear(x, W) + mg.linear(carry, U)) * SCALE
    return h, h


@pytest.mark.parametrize("time", [1, 6])
@pytest.mark.parametrize("kind", [Scaled, Weighed])
def test_a_number_outside_of_a_layer_changes_its_next_call(kind, time, rng, monkeypatch):
    layer, x = kind(3, 4), mg.tensor(rng.standard_normal((time, 1, 3)).astype(np.float32))
    with mg.no_grad():
        _, state = layer(x)
        before = [layer(x, state)[0] for _ in range(3)][-1]
        monkeypatch.setitem(globals(), "SCALE", 2.0)
        after, _ = layer(x, state)
    assert np.allclose(after.numpy()[0], 2.0 * before.numpy()[0]) and after.numpy().any()


@pytest.mark.parametrize("time", [1, 5])
def test_a_tensor_outside_of_a_layer_changes_its_next_call(time, rng):
    inside = {"gain": mg.tensor(2.0)}

    @nn.cell(W="H I", U="H H")
    def gained(carry, x, W, U):
        h = mg.tanh(mg.linear(x, W) + mg.linear(carry, U)) * inside["gain"]
        return h, h

    layer, x = gained(3, 4), mg.tensor(rng.standard_normal((time, 1, 3)).astype(np.float32))
    with mg.no_grad():
        _, state = layer(x)
        first = [layer(x, state)[0].numpy() for _ in range(3)][-1].copy()
        inside["gain"].assign_(4.0)
        changed = [layer(x, state)[0].numpy() for _ in range(3)][-1].copy()
        inside["gain"] = mg.tensor(8.0)
        another = layer(x, state)[0].numpy()
    assert np.allclose(changed[0], 2 * first[0]) and np.allclose(another[0], 4 * first[0]) and first.any()


@pytest.mark.parametrize("time", [1, 6])
def test_what_a_subclass_reads_of_the_state_counts(time, rng):
    """Its step is the library's, but not what that calls: a plan of nn.LSTM with the same sizes is not its own."""
    usual, own = nn.LSTM(3, 4), Forgetful(3, 4)
    own.load_state_dict(usual.state_dict())
    x = mg.tensor(rng.standard_normal((time, 2, 3)).astype(np.float32))
    state = (mg.ones(1, 2, 4), mg.ones(1, 2, 4))
    for _ in range(3):
        usual(x, state)
        found, _ = own(x, state)
    own.weight_hh_l0.assign_(np.zeros((16, 4), np.float32))
    wanted, _ = own(x, state)
    assert np.array_equal(found.numpy(), wanted.numpy()) and not np.allclose(found.numpy(), usual(x, state)[0].numpy())
