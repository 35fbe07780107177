"""What five introductory articles say of recurrent networks, claim by claim; docs/articles.md leads from each claim to its test here.

The articles are named as there: A0 the four gates, A1 training, LSTM and GRU, A2 their structure, A3 LSTM and its uses, A4 the conveyor
belt.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import scripts

import minigrad as mg
from minigrad import nn, optim
from minigrad.data import adding

PAGE = scripts.ROOT / "docs" / "articles.md"
T, B, I_, H = 6, 4, 3, 5
EXACT: dict[str, Any] = {"rtol": 0, "atol": 1e-12}


def sigma(a: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-a))


def numbers(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


def layer_of(kind: Any, *sizes: int, **options: Any) -> Any:
    """A layer in float64 whose weights are large enough for its gates to differ."""
    layer = kind(*(sizes or (I_, H)), dtype=np.float64, **options)
    for k, parameter in enumerate(layer.parameters()):
        parameter.assign_(0.8 * numbers(*parameter.shape, seed=100 + k))
    return layer


def hold(layer: Any, gate: str, at: float) -> None:
    """Hold a gate: no weights, and sigmoid or tanh of a bias."""
    for label in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        array = getattr(layer, label).numpy().copy()
        array[layer.rows(gate)] = at if label == "bias_ih_l0" else 0.0
        getattr(layer, label).assign_(array)


OPEN, SHUT = 800.0, -800.0  # sigmoid: 1 and 0, to the last bit


def seen(layer: Any, x: Any, state: Any = None) -> dict[str, Any]:
    """What the step has named, as arrays (T, B, H)."""
    return {label.removesuffix("_l0"): value.numpy() for label, value in layer(x, state, trace=True)[-1].items()}


def states(layer: Any, seed: int = 9) -> Any:
    """A state before the first step."""
    arrays = [mg.tensor(numbers(1, B, H, seed=seed + k)) for k in range(len(layer.states))]
    return tuple(arrays) if len(arrays) > 1 else arrays[0]


def gradients_of_states(layer: Any, steps: int, seed: int = 3) -> Any:
    """The norm of a loss's gradient at the state of each step over that of the last step."""
    measure = scripts.load("_measure.py")
    seeds = mg.tensor(numbers(B, layer.hidden_size, seed=seed))
    x = mg.tensor(numbers(steps, B, layer.input_size, seed=seed + 1))
    return measure.gradient_norms(layer, x, lambda state: ((state[0][0] if isinstance(state, tuple) else state[0]) * seeds).sum())


# ---- the recurrent network and its training (A1; A0 and A4 on its equation)


def test_one_matrix_over_the_joined_vectors_is_two_matrices():
    layer, x, h = layer_of(nn.RNN), numbers(B, I_), numbers(B, H, seed=2)
    W = np.concatenate([layer.weight_hh_l0.numpy(), layer.weight_ih_l0.numpy()], axis=1)
    b = layer.bias_ih_l0.numpy() + layer.bias_hh_l0.numpy()
    output, _ = layer(x[None], mg.tensor(h[None]))
    np.testing.assert_allclose(output.numpy()[0], np.tanh(np.concatenate([h, x], axis=1) @ W.T + b), **EXACT)


def test_an_rnn_with_a_prediction_has_three_matrices():
    layer, head = nn.RNN(I_, H, bias=False), nn.Linear(H, 2, bias=False)
    shapes = {name: p.shape for name, p in layer.named_parameters()} | {"W_hy": head.weight.shape}
    assert shapes == {"weight_ih_l0": (H, I_), "weight_hh_l0": (H, H), "W_hy": (2, H)}  # W_xh, W_hh, W_hy


def test_every_step_has_the_same_weights():
    """Three steps of the layer are one cell three times; and its weights do not grow with the length."""
    layer, x = layer_of(nn.RNN), numbers(3, B, I_)
    cell = nn.RNNCell(I_, H, dtype=np.float64)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    h = None
    for step in x:
        h = cell(step, h)
    np.testing.assert_allclose(layer(x)[1].numpy()[0], h.numpy(), **EXACT)
    assert sum(p.size for p in layer.parameters()) == H * (I_ + H + 2)


def test_h_knows_all_of_the_past_and_nothing_of_the_future():
    layer, x = layer_of(nn.RNN), mg.tensor(numbers(T, B, I_), requires_grad=True)
    (layer(x)[0][3] * mg.tensor(numbers(B, H, seed=5))).sum().backward()
    size = np.abs(x.grad.numpy()).max(axis=(1, 2))
    assert (size[:4] > 0.0).all() and (size[4:] == 0.0).all()


def many_to_many(layer: Any, head: Any, x: Any, target: Any) -> tuple[Any, list[Any]]:
    """The loss of all steps in one call, and that of each step by itself."""
    scores = head(layer(x)[0])
    each = [nn.cross_entropy(scores[t], target[t]) for t in range(len(x))]
    return nn.cross_entropy(scores.reshape(-1, 4), target.reshape(-1)), each


def test_the_loss_of_several_outputs_is_the_mean_of_the_losses_of_the_steps():
    layer, head, x = layer_of(nn.RNN), layer_of(nn.Linear, H, 4), numbers(T, B, I_)
    target = np.random.default_rng(0).integers(4, size=(T, B))
    whole, each = many_to_many(layer, head, x, target)
    assert whole.item() == pytest.approx(np.mean([loss.item() for loss in each]), rel=1e-13)
    whole.backward()
    got = layer.weight_hh_l0.grad.numpy().copy()
    layer.zero_grad()
    for loss in many_to_many(layer, head, x, target)[1]:
        (loss / T).backward(retain_graph=True)
    np.testing.assert_allclose(got, layer.weight_hh_l0.grad.numpy(), **EXACT)


def test_the_loss_of_one_output_is_that_of_the_last_step():
    layer, head, x = layer_of(nn.RNN, return_sequences=False), layer_of(nn.Linear, H, 1), numbers(T, B, I_)
    y = head(layer(x)[0])[:, 0]
    assert y.shape == (B,)
    every = layer_of(nn.RNN)(x)[0].numpy()
    want = ((every[-1] @ head.weight.numpy()[0] + head.bias.numpy()[0] - 2.0) ** 2).mean()
    assert nn.mse_loss(y, mg.tensor(np.full(B, 2.0))).item() == pytest.approx(want, rel=1e-13)


@pytest.fixture(scope="module")
def worked() -> Any:
    """Three steps of an RNN, h_t = tanh(W_xh x_t + W_hh h_{t-1}), y = W_hy h_3, L = e^2 / 2, on a tape and by hand."""
    rng = np.random.default_rng(5)
    n = {"W_xh": rng.normal(size=(2, 2)), "W_hh": rng.normal(size=(2, 2)), "W_hy": rng.normal(size=(1, 2)), "x": rng.normal(size=(3, 2))}
    layer = nn.RNN(2, 2, bias=False, dtype=np.float64)
    layer.weight_ih_l0.assign_(n["W_xh"])
    layer.weight_hh_l0.assign_(n["W_hh"])
    W_hy = mg.tensor(n["W_hy"], requires_grad=True)
    h_0 = np.array([0.3, -0.2])
    output, _ = layer(n["x"], mg.tensor(h_0[None]))
    loss = ((W_hy @ output[-1] - 0.5) ** 2).sum() / 2
    ledgers = {"W_xh": mg.ledger(loss, layer.weight_ih_l0).numpy(), "W_hh": mg.ledger(loss, layer.weight_hh_l0).numpy()}
    loss.backward()
    h = [h_0]
    for x in n["x"]:
        h.append(np.tanh(n["W_xh"] @ x + n["W_hh"] @ h[-1]))
    e = n["W_hy"] @ h[3] - 0.5
    back = {3: n["W_hy"].T @ e}
    for k in (2, 1):
        back[k] = n["W_hh"].T @ ((1 - h[k + 1] ** 2) * back[k + 1])
    da = {k: (1 - h[k] ** 2) * back[k] for k in (1, 2, 3)}
    grads = {"W_xh": layer.weight_ih_l0.grad.numpy(), "W_hh": layer.weight_hh_l0.grad.numpy(), "W_hy": W_hy.grad.numpy()}
    return {"x": n["x"], "h": h, "e": e, "da": da, "ledgers": ledgers, "grads": grads}


def test_the_gradient_of_W_hy_is_the_chain_rule(worked):
    np.testing.assert_allclose(worked["grads"]["W_hy"], np.outer(worked["e"], worked["h"][3]), **EXACT)


def test_the_gradient_of_W_hh_is_a_sum_over_all_steps(worked):
    terms = [np.outer(worked["da"][k], worked["h"][k - 1]) for k in (1, 2, 3)]
    assert all(np.abs(term).max() > 1e-3 for term in terms)
    np.testing.assert_allclose(worked["ledgers"]["W_hh"], terms, **EXACT)
    np.testing.assert_allclose(worked["grads"]["W_hh"], sum(terms), **EXACT)


def test_the_gradient_of_W_xh_is_a_sum_over_all_steps(worked):
    terms = [np.outer(worked["da"][k], worked["x"][k - 1]) for k in (1, 2, 3)]
    assert all(np.abs(term).max() > 1e-3 for term in terms)
    np.testing.assert_allclose(worked["ledgers"]["W_xh"], terms, **EXACT)
    np.testing.assert_allclose(worked["grads"]["W_xh"], sum(terms), **EXACT)


def test_a_step_goes_against_the_gradient_as_far_as_the_learning_rate_says():
    layer, x, target = layer_of(nn.RNN), numbers(T, B, I_), mg.tensor(numbers(T, B, H, seed=4))
    optimizer = optim.SGD(layer.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.mse_loss(layer(x)[0], target)
        loss.backward()
        before = layer.weight_hh_l0.numpy().copy()
        optimizer.step()
        np.testing.assert_allclose(layer.weight_hh_l0.numpy() - before, -0.05 * layer.weight_hh_l0.grad.numpy(), **EXACT)
        losses.append(loss.item())
    assert (np.diff(losses) < 0.0).all()


def test_the_derivative_of_tanh_is_above_0_and_at_most_1():
    a = mg.tensor(np.linspace(-8, 8, 1601), requires_grad=True)
    mg.tanh(a).sum().backward()
    slope = a.grad.numpy()
    assert slope.min() > 0.0 and slope.max() == slope[800] == 1.0 and (np.delete(slope, 800) < 1.0).all()


@pytest.mark.parametrize(("at", "left"), [(0.25, 2e-3), (0.5, 5e-11), (1.0, 5e-38)])
def test_a_hundred_factors_below_1_make_nothing(at, left):
    """Over 99 steps of a unit whose input brings it back to `at` after each tanh."""
    assert (1 - np.tanh(at) ** 2) ** 99 == pytest.approx(left, rel=0.2)
    first = h = mg.tensor(np.array(at), requires_grad=True)
    for _ in range(99):
        h = mg.tanh(h) + (at - np.tanh(at))
    h.backward()
    assert first.grad.item() == pytest.approx((1 - np.tanh(at) ** 2) ** 99, rel=1e-9)


def test_the_gradient_of_a_tanh_rnn_vanishes_over_100_steps():
    norms = gradients_of_states(nn.RNN(I_, 64, dtype=np.float64), 100)
    assert norms[0] < 1e-15 and (np.diff(np.log10(norms[:95:5])) > 0).all()  # and the further back, the less


def test_a_gradient_across_steps_is_a_product_of_what_each_step_does_to_h():
    """dh_T / dh_0 = J_T ... J_1, where J_t = diag(1 - h_t^2) W_hh."""
    layer, x = layer_of(nn.RNN), numbers(T, 1, I_)
    h_0, W = mg.tensor(numbers(1, 1, H, seed=2), requires_grad=True), layer.weight_hh_l0.numpy()
    output, _ = layer(x, h_0)
    product = np.eye(H)
    for h in output.numpy()[:, 0]:
        product = (1 - h**2)[:, None] * W @ product
    for unit in range(H):
        h_0.grad = None
        output[-1, 0, unit].backward(retain_graph=True)
        np.testing.assert_allclose(h_0.grad.numpy()[0, 0], product[unit], **EXACT)
    assert np.abs(product).max() > 1e-3


def test_steps_of_long_ago_have_no_part_in_the_update():
    """What each step adds to the gradient of W_hh. The weights do move, being shared: by what the near steps say."""
    layer, seeds = nn.RNN(I_, 64, dtype=np.float64), mg.tensor(numbers(B, 64, seed=3))
    parts = mg.ledger((layer(numbers(100, B, I_, seed=4))[0][-1] * seeds).sum(), layer.weight_hh_l0).numpy()
    sizes = np.linalg.norm(parts.reshape(100, -1), axis=1)
    assert sizes[1:50].max() < 1e-9 * sizes[-1]
    assert np.linalg.norm(parts.sum(axis=0)) > 0.1 * sizes[-1] > 0.0


def test_tanh_alone_does_not_make_it_vanish():
    """Where the claim is too short: W_hh has its part. Of 1.5 times a rotation, around h = 0 where tanh' is 1, the gradient grows."""
    layer = nn.RNN(I_, 16, dtype=np.float64)
    nn.init.orthogonal_(layer.weight_hh_l0, gain=1.5)
    layer.weight_ih_l0.assign_(np.zeros((16, I_)))
    for bias in (layer.bias_ih_l0, layer.bias_hh_l0):
        bias.assign_(np.zeros(16))
    np.testing.assert_allclose(gradients_of_states(layer, 100)[0], 1.5**99, rtol=1e-9)


# ---- the gates of the LSTM (A1 to A4)


def test_gates_are_vectors_between_0_and_1_and_the_candidate_between_minus_1_and_1():
    found = seen(layer_of(nn.LSTM), 3.0 * numbers(T, B, I_))
    for gate in "ifo":
        assert found[gate].shape == (T, B, H) and found[gate].min() > 0.0 and found[gate].max() < 1.0
        assert found[gate].min() < 0.1 and found[gate].max() > 0.9  # and they use their range
    assert found["g"].min() < -0.5 and found["g"].max() > 0.5 and np.abs(found["g"]).max() <= 1.0


def test_an_lstm_has_three_gates_and_a_cell_state_that_an_rnn_does_not_have():
    assert nn.LSTM(I_, H).states == ("h", "c") and nn.RNN(I_, H).states == ("h",)
    assert set(seen(layer_of(nn.LSTM), numbers(T, B, I_))) == {"i", "f", "o", "g", "c"}


@pytest.mark.parametrize("gate", "ifgo")
def test_each_gate_has_weights_of_its_own(gate):
    layer, x = layer_of(nn.LSTM), numbers(1, B, I_)
    state = states(layer)
    before = seen(layer, x, state)
    hold(layer, gate, 0.3)
    after = seen(layer, x, state)
    assert {name for name in "ifgo" if not np.array_equal(before[name], after[name])} == {gate}


def test_the_equations_of_the_lstm():
    layer, x = layer_of(nn.LSTM), numbers(1, B, I_)
    h, c = states(layer)
    found, (output, (h_n, c_n)) = seen(layer, x, (h, c)), layer(x, (h, c))
    W, R = layer.weight_ih_l0.numpy(), layer.weight_hh_l0.numpy()
    a = x[0] @ W.T + h.numpy()[0] @ R.T + layer.bias_ih_l0.numpy() + layer.bias_hh_l0.numpy()
    want = {name: (np.tanh if name == "g" else sigma)(a[:, layer.rows(name)]) for name in "ifgo"}
    for name in "ifgo":
        np.testing.assert_allclose(found[name][0], want[name], **EXACT)
    new = want["f"] * c.numpy()[0] + want["i"] * want["g"]
    np.testing.assert_allclose(c_n.numpy()[0], new, **EXACT)
    np.testing.assert_allclose(h_n.numpy()[0], want["o"] * np.tanh(new), **EXACT)
    np.testing.assert_array_equal(output.numpy(), h_n.numpy())


def test_the_candidate_is_the_hidden_state_of_an_rnn():
    layer, x = layer_of(nn.LSTM), numbers(1, B, I_)
    h, c = states(layer)
    rnn = nn.RNN(I_, H, dtype=np.float64)
    for label in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        getattr(rnn, label).assign_(getattr(layer, label).numpy()[layer.rows("g")])
    np.testing.assert_allclose(seen(layer, x, (h, c))["g"], rnn(x, h)[0].numpy(), **EXACT)


def test_a_gate_at_0_lets_nothing_through_and_at_1_everything():
    layer, x = layer_of(nn.LSTM), numbers(1, B, I_)
    h, c = states(layer)
    for forget, kept in ((SHUT, 0.0), (OPEN, 1.0)):
        for entry, written in ((SHUT, 0.0), (OPEN, 1.0)):
            hold(layer, "f", forget)
            hold(layer, "i", entry)
            g, c_n = seen(layer, x, (h, c))["g"][0], layer(x, (h, c))[1][1].numpy()[0]
            np.testing.assert_allclose(c_n, kept * c.numpy()[0] + written * g, **EXACT)
    for out, shown in ((SHUT, 0.0), (OPEN, 1.0)):
        hold(layer, "o", out)
        output, (_, c_n) = layer(x, (h, c))
        np.testing.assert_allclose(output.numpy(), shown * np.tanh(c_n.numpy()), **EXACT)


@pytest.mark.parametrize("f", [0.5, 0.9, 0.99])
def test_a_forget_gate_between_0_and_1_keeps_that_share_at_every_step(f):
    layer = layer_of(nn.LSTM)
    hold(layer, "f", float(np.log(f / (1 - f))))
    hold(layer, "i", SHUT)
    h, c = states(layer)
    np.testing.assert_allclose(layer(numbers(50, B, I_), (h, c))[1][1].numpy(), f**50 * c.numpy(), rtol=1e-9)


def test_the_cell_state_is_a_conveyor_belt():
    """f = 1 and i = 0 carry c over 1,000 steps, and the gradient back, in the same bits, whatever comes in."""
    layer = layer_of(nn.LSTM)
    hold(layer, "f", OPEN)
    hold(layer, "i", SHUT)
    h, c = states(layer)
    c = mg.tensor(c.numpy(), requires_grad=True)
    _, (_, c_n) = layer(numbers(1000, B, I_), (h, c))
    np.testing.assert_array_equal(c_n.numpy(), c.numpy())
    seed = numbers(1, B, H, seed=6)
    (c_n * mg.tensor(seed)).sum().backward()
    np.testing.assert_array_equal(c.grad.numpy(), seed)


def test_what_the_forget_gate_drops_does_not_feed_the_input_gate():
    """h and x go to every gate side by side: whatever f is, i, g and o are the same; and no gradient leads from i to f's weights."""
    layer, x = layer_of(nn.LSTM), numbers(1, B, I_)
    state, found = states(layer), []
    for at in (SHUT, -1.0, OPEN):
        hold(layer, "f", at)
        found.append(seen(layer, x, state))
    for name in "igo":
        np.testing.assert_array_equal(found[0][name], found[1][name])
        np.testing.assert_array_equal(found[0][name], found[2][name])
    assert np.abs(found[0]["c"] - found[2]["c"]).max() > 0.1


def test_gates_see_h_and_x_and_not_the_cell_state():
    layer, x = layer_of(nn.LSTM), numbers(1, B, I_)
    h, c = states(layer)
    base = seen(layer, x, (h, c))
    other = {"h": seen(layer, x, (h + 1.0, c)), "x": seen(layer, x + 1.0, (h, c)), "c": seen(layer, x, (h, c + 1.0))}
    for name in "ifgo":
        assert np.abs(other["h"][name] - base[name]).max() > 1e-3 and np.abs(other["x"][name] - base[name]).max() > 1e-3
        np.testing.assert_array_equal(other["c"][name], base[name])


def test_h_goes_to_the_next_step_and_to_the_output():
    """Its gradient is what comes back from both."""
    layer, x = layer_of(nn.LSTM), numbers(2, B, I_)
    output, (h_n, _) = layer(x)
    np.testing.assert_array_equal(output.numpy()[-1], h_n.numpy()[0])
    cell = nn.LSTMCell(I_, H, dtype=np.float64)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    found = []
    for parts in ("out", "next", "out next"):
        h, c = cell(x[0])
        h.retain_grad()
        loss = mg.tensor(0.0, dtype=np.float64)
        if "out" in parts:
            loss = loss + (h * mg.tensor(numbers(B, H, seed=7))).sum()
        if "next" in parts:
            loss = loss + (cell(x[1], (h, c))[0] * mg.tensor(numbers(B, H, seed=8))).sum()
        loss.backward()
        found.append(h.grad.numpy())
    assert np.abs(found[0]).max() > 0.1 and np.abs(found[1]).max() > 0.01
    np.testing.assert_allclose(found[0] + found[1], found[2], **EXACT)


def test_the_next_layer_gets_the_hidden_states():
    layer, x = layer_of(nn.LSTM, num_layers=2), numbers(T, B, I_)
    below, above = nn.LSTM(I_, H, dtype=np.float64), nn.LSTM(H, H, dtype=np.float64)
    below.load_state_dict({name: value for name, value in layer.state_dict().items() if name.endswith("_l0")})
    above.load_state_dict({name.replace("_l1", "_l0"): value for name, value in layer.state_dict().items() if name.endswith("_l1")})
    np.testing.assert_allclose(layer(x)[0].numpy(), above(below(x)[0])[0].numpy(), **EXACT)


def test_the_product_of_gates_is_elementwise_and_no_convolution():
    """A0 says elementwise, A3 entrywise, A4 pointwise; A1's word is that for a convolution, which would be something else."""
    layer, x = layer_of(nn.LSTM), numbers(1, B, I_)
    hold(layer, "i", SHUT)
    h, c = states(layer)
    f, c_n = seen(layer, x, (h, c))["f"][0], layer(x, (h, c))[1][1].numpy()[0]
    np.testing.assert_allclose(c_n, f * c.numpy()[0], **EXACT)
    convolved = np.array([np.convolve(a, b, mode="same") for a, b in zip(f, c.numpy()[0], strict=True)])
    assert np.abs(c_n - convolved).max() > 0.1
    bumped = c.numpy().copy()
    bumped[..., 2] += 1.0
    moved = layer(x, (h, mg.tensor(bumped)))[1][1].numpy()[0] != c_n
    assert moved[:, 2].all() and not np.delete(moved, 2, axis=1).any()  # unit 2 alone


def test_an_lstm_as_it_is_usually_made_has_a_vanishing_gradient_too():
    """Where the claim fails: at the start, a hundred steps back, all but the LSTM whose forget gates were set open has lost it."""
    left = {bias: gradients_of_states(nn.LSTM(I_, 64, forget_bias=bias, dtype=np.float64), 100)[0] for bias in (0.0, 1.0, 5.0)}
    assert left[0.0] < 1e-15 and left[1.0] < 1e-4 and left[5.0] > 0.1
    for bias, product in ((0.0, 1.6e-30), (1.0, 3.4e-14), (5.0, 0.514)):
        assert sigma(bias) ** 99 == pytest.approx(product, rel=0.05)


def test_sequences_of_any_length_go_into_one_batch():
    layer, x, lengths = layer_of(nn.LSTM), numbers(T, B, I_), [6, 1, 3, 4]
    output, (h_n, _) = layer(x, lengths=lengths)
    for b, length in enumerate(lengths):
        alone = layer(x[:length, b : b + 1])[1][0].numpy()[0, 0]
        np.testing.assert_allclose(h_n.numpy()[0, b], alone, **EXACT)
        assert not output.numpy()[length:, b].any()


@pytest.fixture(scope="module")
def subjects() -> Any:
    """An LSTM that has learned which of two subjects came last: a new one replaces the old. Its forget gates, and where one comes."""
    mg.manual_seed(0)

    def stories(count: int) -> Any:
        rng = mg.random.generator
        comes = rng.random((20, count)) < 0.2
        comes[0] = True
        which = rng.integers(2, size=(20, count))
        x = np.stack([comes & (which == 0), comes & (which == 1), np.zeros_like(comes)], axis=-1).astype(np.float32)
        x[..., 2] = rng.random((20, count))
        last = 19 - comes[::-1].argmax(axis=0)
        return x, comes, which[last, np.arange(count)]

    threads = mg.get_num_threads()
    mg.set_num_threads(1)
    layer, head = nn.LSTM(3, 8, forget_bias=1.0), nn.Linear(8, 2)
    optimizer = optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    for _ in range(300):
        x, _, answer = stories(64)
        loss = nn.cross_entropy(head(layer(x)[0][-1]), answer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(max_norm=1.0)
    mg.set_num_threads(threads)
    x, comes, answer = stories(1000)
    right = (head(layer(x)[0][-1]).numpy().argmax(axis=1) == answer).mean()
    return right, seen(layer, x)["f"], comes


def test_forget_gates_close_when_a_new_subject_comes(subjects):
    """The pronoun's gender (A4), the change of topic (A3)."""
    right, f, comes = subjects
    assert right > 0.98
    drop = f[1:][~comes[1:]].mean(axis=0) - f[1:][comes[1:]].mean(axis=0)  # of each unit
    assert drop.max() > 0.2


# ---- variants (A4) and the GRU (A1, A2, A4)


def test_peepholes_let_the_gates_see_the_cell_state():
    layer, x = layer_of(nn.LSTM, peephole=True), numbers(1, B, I_)
    h, c = states(layer)
    base, other = seen(layer, x, (h, c)), seen(layer, x, (h, c + 1.0))
    assert all(np.abs(other[gate] - base[gate]).max() > 1e-3 for gate in "ifo")
    np.testing.assert_array_equal(other["g"], base["g"])  # which is no gate


def test_with_coupled_gates_what_is_forgotten_is_replaced():
    layer, x = layer_of(nn.LSTM, coupled=True), numbers(T, B, I_)
    found = seen(layer, x)
    np.testing.assert_allclose(found["i"] + found["f"], 1.0, **EXACT)
    assert sum(p.size for p in layer.parameters()) * 4 == sum(p.size for p in nn.LSTM(I_, H).parameters()) * 3


def test_the_gru_writes_with_z_and_keeps_with_1_minus_z():
    """h = (1 - z) h' + z n, as A1 has it, reset before the product; PyTorch's z is 1 minus that."""
    layer, x = layer_of(nn.GRU, reset="before", update="write"), numbers(1, B, I_)
    h = states(layer)
    W, R, b, d = (getattr(layer, label).numpy() for label in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"))
    old, (wr, wz, wn), (ur, uz, un) = h.numpy()[0], np.split(W, 3), np.split(R, 3)
    br, bz, bn = np.split(b + d, 3)
    r, z = sigma(x[0] @ wr.T + old @ ur.T + br), sigma(x[0] @ wz.T + old @ uz.T + bz)
    n = np.tanh(x[0] @ wn.T + (r * old) @ un.T + bn)
    np.testing.assert_allclose(layer(x, h)[0].numpy()[0], (1 - z) * old + z * n, **EXACT)
    keep = layer_of(nn.GRU, reset="before", update="keep")
    for label in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        array = getattr(layer, label).numpy().copy()
        array[layer.rows("z")] *= -1.0
        getattr(keep, label).assign_(array)
    np.testing.assert_allclose(keep(x, h)[0].numpy(), layer(x, h)[0].numpy(), **EXACT)


def test_the_gru_has_one_state_two_gates_and_no_output_gate():
    layer, x = layer_of(nn.GRU, update="write"), numbers(T, B, I_)
    assert layer.states == ("h",)
    found = seen(layer, x)
    assert set(found) == {"r", "z", "n"}
    h = np.concatenate([np.zeros((1, B, H)), layer(x)[0].numpy()])
    low, high = np.minimum(h[:-1], found["n"]), np.maximum(h[:-1], found["n"])
    assert (h[1:] >= low - 1e-12).all() and (h[1:] <= high + 1e-12).all()  # between the old and the new: nothing filters it


def test_one_update_gate_of_the_gru_forgets_and_writes():
    layer, x = layer_of(nn.GRU, update="write"), numbers(1, B, I_)
    h = states(layer)
    hold(layer, "z", SHUT)
    np.testing.assert_array_equal(layer(x, h)[0].numpy(), h.numpy())
    hold(layer, "z", OPEN)
    np.testing.assert_allclose(layer(x, h)[0].numpy(), seen(layer, x, h)["n"], **EXACT)


def test_a_reset_gate_at_0_makes_a_candidate_without_the_past():
    layer, x = layer_of(nn.GRU, reset="before"), numbers(1, B, I_)
    h = states(layer)
    assert np.abs(seen(layer, x, h)["n"] - seen(layer, x, h + 1.0)["n"]).max() > 1e-3
    hold(layer, "r", SHUT)
    np.testing.assert_array_equal(seen(layer, x, h)["n"], seen(layer, x, h + 1.0)["n"])


@pytest.mark.parametrize(("features", "units"), [(3, 5), (64, 128), (1, 1)])
def test_parameters_of_rnn_gru_and_lstm_are_as_1_to_3_to_4(features, units):
    rnn, gru, lstm = (sum(p.size for p in kind(features, units).parameters()) for kind in (nn.RNN, nn.GRU, nn.LSTM))
    assert rnn == units * (features + units + 2) and gru == 3 * rnn and lstm == 4 * rnn


def test_gru_and_lstm_both_learn_to_add_and_the_gru_has_three_quarters_of_the_parameters():
    """Which is better changes with task, rate and steps: docs/articles.md has what came out. That both learn does not."""
    threads = mg.get_num_threads()
    mg.set_num_threads(1)
    errors, sizes = {}, {}
    for kind in (nn.GRU, nn.LSTM):
        mg.manual_seed(0)
        layer, head = kind(2, 24), nn.Linear(24, 1)
        optimizer = optim.Adam([*layer.parameters(), *head.parameters()], lr=0.01)
        losses = []
        for _ in range(400):
            x, y = adding(10, 64)
            loss = nn.mse_loss(head(layer(x)[0][-1])[:, 0], mg.tensor(y))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step(max_norm=1.0)
            losses.append(loss.item())
        errors[kind], sizes[kind] = np.mean(losses[-50:]), sum(p.size for p in layer.parameters())
    mg.set_num_threads(threads)
    assert all(error < 0.02 for error in errors.values()), errors  # always saying 1: 1/6
    assert sizes[nn.GRU] * 4 == sizes[nn.LSTM] * 3


def test_a_stream_needs_one_state_however_long_it_is():
    """Why recurrent networks are still used where Transformers have taken the rest (A2)."""
    layer, x = layer_of(nn.GRU), numbers(300, 1, I_)
    h = None
    with mg.no_grad():
        for step in x:
            output, h = layer(step[None], h)
            assert h.size == H
        np.testing.assert_allclose(output.numpy()[0], layer(x)[0].numpy()[-1], **EXACT)


# ---- four gates: Learn, Forget, Remember, Use (A0)


@pytest.fixture
def four() -> Any:
    """A four-gate LSTM, an event, both memories, what it has named, and both new memories."""
    layer, E = layer_of(nn.FourGateLSTM), numbers(1, B, I_)
    STM, LTM = states(layer)
    output, (new_STM, new_LTM) = layer(E, (STM, LTM))
    arrays = {name: tensor.numpy()[0] for name, tensor in {"STM'": STM, "LTM'": LTM, "STM": new_STM, "LTM": new_LTM}.items()}
    return layer, E[0], arrays, {name: value[0] for name, value in seen(layer, E, (STM, LTM)).items()}, output.numpy()[0]


def joined(layer: Any, gate: str, E: Any, STM: Any) -> Any:
    """W_gate [STM', E] + b."""
    rows = layer.rows(gate)
    W = np.concatenate([layer.weight_hh_l0.numpy(), layer.weight_ih_l0.numpy()], axis=1)[rows]
    return np.concatenate([STM, E], axis=1) @ W.T + (layer.bias_ih_l0.numpy() + layer.bias_hh_l0.numpy())[rows]


def test_learn_combines_and_then_ignores(four):
    layer, E, memory, found, _ = four
    N, i = np.tanh(joined(layer, "N", E, memory["STM'"])), sigma(joined(layer, "i", E, memory["STM'"]))
    np.testing.assert_allclose(found["N"], N, **EXACT)
    np.testing.assert_allclose(found["i"], i, **EXACT)
    np.testing.assert_allclose(memory["LTM"] - memory["LTM'"] * found["f"], N * i, **EXACT)


def test_what_is_ignored_leaves_no_trace(four):
    """The tree of the story: a part of what was combined whose ignore factor is 0 is not in the long-term memory."""
    layer, E, memory, _, _ = four
    for label in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        array = getattr(layer, label).numpy().copy()
        array[layer.rows("i")][2] = SHUT if label == "bias_ih_l0" else 0.0
        getattr(layer, label).assign_(array)
    state = tuple(mg.tensor(memory[name][None]) for name in ("STM'", "LTM'"))
    found, (_, (_, LTM)) = seen(layer, E[None], state), layer(E[None], state)
    kept = memory["LTM'"] * found["f"][0]
    assert np.abs(found["N"][0][:, 2]).min() > 1e-3  # it was combined ...
    np.testing.assert_allclose(LTM.numpy()[0][:, 2], kept[:, 2], **EXACT)  # ... and is ignored,
    assert np.abs(LTM.numpy()[0] - kept)[:, [0, 1, 3, 4]].min() > 1e-6  # the rest is not


def test_the_ignore_factor_is_a_vector_that_multiplies_element_by_element(four):
    _, _, memory, found, _ = four
    assert found["i"].shape == (B, H)
    learned = memory["LTM"] - memory["LTM'"] * found["f"]
    for unit in range(H):
        np.testing.assert_allclose(learned[:, unit], found["N"][:, unit] * found["i"][:, unit], **EXACT)


def test_forget_is_computed_as_ignore_is_with_weights_of_its_own(four):
    layer, E, memory, found, _ = four
    np.testing.assert_allclose(found["f"], sigma(joined(layer, "f", E, memory["STM'"])), **EXACT)
    assert np.abs(found["f"] - found["i"]).max() > 0.1
    for label in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        array = getattr(layer, label).numpy().copy()
        array[layer.rows("f")] = array[layer.rows("i")]
        getattr(layer, label).assign_(array)
    same = seen(layer, E[None], tuple(mg.tensor(memory[name][None]) for name in ("STM'", "LTM'")))
    np.testing.assert_array_equal(same["f"], same["i"])


def test_remember_adds_what_was_kept_and_what_was_learned(four):
    _, _, memory, found, _ = four
    np.testing.assert_allclose(memory["LTM"], memory["LTM'"] * found["f"] + found["N"] * found["i"], **EXACT)


def test_remember_is_the_simplest_gate_it_has_no_weights_and_is_linear(four):
    """N, i, f and V have rows of the weights, and U a matrix: nothing is left for it."""
    layer, E, memory, found, _ = four
    assert layer.gates == "NifV" and {name for name, _ in layer.named_parameters() if "_hh_" not in name and "_ih_" not in name} == {
        "weight_u_l0",
        "bias_u_l0",
    }

    def remembered(LTM: Any) -> Any:
        return layer(E[None], (mg.tensor(memory["STM'"][None]), mg.tensor(LTM[None])))[1][1].numpy()[0]

    a, b = memory["LTM'"], numbers(B, H, seed=12)
    np.testing.assert_allclose(remembered(2.0 * a - 3.0 * b) - remembered(0.0 * a), found["f"] * (2.0 * a - 3.0 * b), **EXACT)


def test_each_gate_is_a_small_network(four):
    """A linear layer over what comes in, and an activation."""
    layer, E, memory, found, _ = four
    for gate, activation in (("N", nn.Tanh()), ("i", nn.Sigmoid()), ("f", nn.Sigmoid()), ("V", nn.Sigmoid())):
        linear, rows = nn.Linear(H + I_, H, dtype=np.float64), layer.rows(gate)
        linear.weight.assign_(np.concatenate([layer.weight_hh_l0.numpy(), layer.weight_ih_l0.numpy()], axis=1)[rows])
        linear.bias.assign_((layer.bias_ih_l0.numpy() + layer.bias_hh_l0.numpy())[rows])
        network = nn.Sequential(linear, activation)
        np.testing.assert_allclose(network(np.concatenate([memory["STM'"], E], axis=1)).numpy(), found[gate], **EXACT)
    linear = nn.Linear(H, H, dtype=np.float64)
    linear.load_state_dict({"weight": layer.weight_u_l0.numpy(), "bias": layer.bias_u_l0.numpy()})
    np.testing.assert_allclose(nn.Sequential(linear, nn.Tanh())(memory["LTM'"] * found["f"]).numpy(), found["U"], **EXACT)


def test_use_reads_the_forgotten_long_term_memory(four):
    layer, E, memory, found, _ = four
    kept = memory["LTM'"] * found["f"]
    U = np.tanh(kept @ layer.weight_u_l0.numpy().T + layer.bias_u_l0.numpy())
    V = sigma(joined(layer, "V", E, memory["STM'"]))
    np.testing.assert_allclose(found["U"], U, **EXACT)
    np.testing.assert_allclose(found["V"], V, **EXACT)
    np.testing.assert_allclose(memory["STM"], U * V, **EXACT)
    new = np.tanh(memory["LTM"] @ layer.weight_u_l0.numpy().T + layer.bias_u_l0.numpy()) * V
    assert np.abs(memory["STM"] - new).max() > 1e-3  # and not the new one, as the LSTM's output gate does


def test_what_use_predicts_is_the_new_short_term_memory(four):
    _, _, memory, found, output = four
    np.testing.assert_array_equal(output, memory["STM"])
    np.testing.assert_array_equal(output, found["STM"])


def test_an_lstm_of_many_nodes_is_the_same_node_again_and_again():
    layer, E = layer_of(nn.FourGateLSTM), numbers(T, B, I_)
    state = None
    for event in E:
        output, state = layer(event[None], state)
    whole, (STM, LTM) = layer(E)
    for one, again in ((whole[-1:], output), (STM, state[0]), (LTM, state[1])):
        np.testing.assert_allclose(one.numpy(), again.numpy(), **EXACT)


def test_a_black_box_can_be_opened_its_answer_is_the_sum_of_what_each_input_did():
    """Integrated gradients (Sundararajan, Taly and Yan, 2017): shares of all inputs at all steps that add up to the whole answer."""
    layer, head = layer_of(nn.LSTM, num_layers=2), numbers(H, seed=11)
    x, count = numbers(T, 1, I_), 200
    along = mg.tensor((np.arange(count) + 0.5)[None, :, None] / count * x, requires_grad=True)  # (T, count, I): from nothing to x
    (layer(along)[0][-1] @ mg.tensor(head)).sum().backward()
    shares = x[:, 0] * along.grad.numpy().mean(axis=1)
    with mg.no_grad():
        answer, nothing = ((layer(some)[0][-1] @ mg.tensor(head)).item() for some in (x, 0.0 * x))
    assert abs(answer - nothing) > 0.05 and (np.abs(shares).sum(axis=1) > 1e-4).all()
    assert shares.sum() == pytest.approx(answer - nothing, abs=1e-3)


# ---- both directions (A3)


def test_a_bidirectional_lstm_is_two_that_share_nothing():
    layer, x = layer_of(nn.LSTM, bidirectional=True), numbers(T, B, I_)
    ahead, back = nn.LSTM(I_, H, dtype=np.float64), nn.LSTM(I_, H, dtype=np.float64)
    ahead.load_state_dict({name: value for name, value in layer.state_dict().items() if name.endswith("_l0")})
    ends = "_reverse"
    back.load_state_dict({name.removesuffix(ends): value for name, value in layer.state_dict().items() if name.endswith(ends)})
    want = np.concatenate([ahead(x)[0].numpy(), back(x[::-1].copy())[0].numpy()[::-1]], axis=-1)
    np.testing.assert_allclose(layer(x)[0].numpy(), want, **EXACT)


def test_with_both_directions_an_output_knows_what_comes_after_it():
    """The context behind a word too; one direction knows what came before."""
    for both, behind in ((True, True), (False, False)):
        layer, x = layer_of(nn.LSTM, bidirectional=both), mg.tensor(numbers(T, B, I_), requires_grad=True)
        output = layer(x)[0]
        (output[2] * mg.tensor(numbers(*output.shape[1:], seed=5))).sum().backward()
        size = np.abs(x.grad.numpy()).max(axis=(1, 2))
        assert (size[:3] > 0.0).all() and ((size[3:] > 0.0) == behind).all()


def test_without_sequences_a_bidirectional_lstm_returns_forward_at_the_last_and_backward_at_the_first_step():
    x = numbers(T, B, I_)
    every = layer_of(nn.LSTM, bidirectional=True)(x)[0].numpy()
    one = layer_of(nn.LSTM, bidirectional=True, return_sequences=False, return_state=False)(x).numpy()
    np.testing.assert_array_equal(one, np.concatenate([every[-1, :, :H], every[0, :, H:]], axis=-1))
    assert np.abs(one - every[-1]).max() > 0.1  # output[-1] is not that: there the backward direction has read one step


# ---- the page


def test_the_page_names_every_test_here_and_none_that_is_not_there():
    page = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    here = {name for name, value in globals().items() if name.startswith("test_") and callable(value)}
    assert here - named == {"test_the_page_names_every_test_here_and_none_that_is_not_there"}
    elsewhere = set(re.findall(r"`tests/(test_\w+)\.py::(test_\w+)`", page))
    for file, test in elsewhere:
        assert f"def {test}(" in (scripts.ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8"), (file, test)
    assert named <= here, named - here
    for script in re.findall(r"`(examples/\w+\.py)", page):
        assert (scripts.ROOT / script).exists(), script
