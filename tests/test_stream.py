"""A recurrent layer in single steps without gradients: a stream of inputs, whose last step is kept to be done again."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.scan import settings


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
