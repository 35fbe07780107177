"""The states of recurrent layers: learned, kept from call to call, and cut from their history in truncated backpropagation."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ShapeError
from minigrad.testing import check_grads

I_, H = 3, 4


@nn.cell(states="h c", W="2H I", U="2H H", b="2H")
def two_states(carry, x, W, U, b):
    h, c = carry
    a, n = (mg.linear(x, W, b) + mg.linear(h, U)).split(2, axis=-1)
    c = mg.sigmoid(a) * c + mg.tanh(n)
    h = mg.tanh(c)
    return (h, c), h


KINDS: dict[str, Any] = {
    "RNN": nn.RNN,
    "LSTM": nn.LSTM,
    "GRU": nn.GRU,
    "LSTM projection": lambda *a, **k: nn.LSTM(*a, proj_size=2, **k),
    "four gates": nn.FourGateLSTM,
    "own": two_states,
    "wrapped": lambda i, h, n=1, **k: nn.Recurrent(nn.LSTMCell(i, h, dtype=k.pop("dtype")), n, **k),
}
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def tensors(state: Any) -> list[Any]:
    return list(state) if isinstance(state, tuple) else [state]


def twins(kind: str, *sizes: int, **form: Any) -> tuple[Any, Any]:
    """A layer with a setting, and one with the same weights without it."""
    given = {label: form.pop(label) for label in ("learned_state", "stateful") if label in form}
    layer, plain = (KINDS[kind](I_, H, *sizes, dtype=np.float64, **form, **more) for more in (given, {}))
    plain.load_state_dict(layer.state_dict(), strict=False)
    return layer, plain


# ---- learned first states


def given_as(layer: Any, batch: int) -> list[Any]:
    """The learned first states as arguments, (layers x directions, batch, width) for each state."""
    rows = [[getattr(layer, f"{label}_0{suffix}").numpy() for suffix in layer.all_suffixes()] for label in layer.states]
    return [np.stack([np.stack([row] * batch) for row in column]) for column in rows]


@pytest.mark.parametrize(
    "how", [{}, {"lengths": [5, 0, 3, 1]}, {"mask": np.arange(20).reshape(5, 4) % 3 > 0}], ids=["all", "lengths", "holes"]
)
@pytest.mark.parametrize("shape", [(1, False), (2, True)], ids=str)
@kinds
def test_a_learned_state_is_that_state_given_to_every_sequence(kind, shape, how, rng):
    layer, plain = twins(kind, shape[0], bidirectional=shape[1], learned_state=True)
    names = [f"{label}_0{suffix}" for label in layer.states for suffix in layer.all_suffixes()]
    assert all((getattr(layer, name).numpy() == 0).all() for name in names)
    for name in names:
        nn.init.normal_(getattr(layer, name))
    x = rng.standard_normal((5, 4, I_))
    states = [mg.tensor(state, requires_grad=True) for state in given_as(layer, 4)]
    results = layer(x, **how), plain(x, tuple(states) if len(states) > 1 else states[0], **how)
    seeds = [rng.standard_normal(one.shape) for one in (results[0][0], *tensors(results[0][1]))]
    for output, last in results:
        sum((one * seed).sum() for one, seed in zip((output, *tensors(last)), seeds, strict=True)).backward()
    np.testing.assert_array_equal(results[0][0].numpy(), results[1][0].numpy())
    for label, state in zip(layer.states, states, strict=True):
        for k, suffix in enumerate(layer.all_suffixes()):
            np.testing.assert_allclose(getattr(layer, f"{label}_0{suffix}").grad.numpy(), state.grad.numpy()[k].sum(axis=0), atol=1e-13)
    for name, parameter in plain.named_parameters():
        np.testing.assert_allclose(getattr(layer, name).grad.numpy(), parameter.grad.numpy(), atol=1e-13)


@kinds
def test_second_derivatives_of_a_learned_state(kind, rng):
    layer = KINDS[kind](I_, 3, dtype=np.float64, learned_state=True)
    x, weight = rng.standard_normal((3, 2, I_)), mg.tensor(rng.standard_normal((3, 2, layer.widths()[0])))
    first = getattr(layer, f"{layer.states[0]}_0_l0")

    def f(start):
        vars(layer)[f"{layer.states[0]}_0_l0"] = start
        return (layer(x)[0] * weight).sum()

    check_grads(f, mg.tensor(rng.standard_normal(first.shape)), order=2)


def test_a_learned_state_is_saved_trained_and_used_only_without_one(rng):
    layer = nn.GRU(I_, H, 2, learned_state=True, dtype=np.float64)
    assert [name for name in layer.state_dict() if "_0_" in name] == ["h_0_l0", "h_0_l1"]
    assert "learned_state=True" in repr(layer)
    nn.init.ones_(layer.h_0_l0)
    x, zero = rng.standard_normal((4, 2, I_)), mg.zeros(2, 2, H, dtype=np.float64)
    assert not np.allclose(layer(x)[0].numpy(), layer(x, zero)[0].numpy())
    layer.zero_grad()
    layer(x, zero)[0].sum().backward()
    assert layer.h_0_l0.grad is None
    np.testing.assert_array_equal(layer(x[:, 0])[0].numpy(), layer(x[:, :1])[0].numpy()[:, 0])
    assert layer.to("float32")(x.astype(np.float32))[0].dtype == np.float32


@pytest.mark.skipif(mg.config.kernels() is None, reason="nothing runs compiled without the kernels")
@kinds
def test_a_learned_state_costs_no_loop(kind, rng):
    layer = KINDS[kind](I_, H, dtype=np.float64, learned_state=True)
    layer(rng.standard_normal((4, 2, I_)), lengths=[4, 2])[0].sum().backward()
    assert mg.scan_report().compiled


# ---- states kept from call to call


@pytest.mark.parametrize("batch_first", [False, True])
@kinds
def test_stateful_calls_are_the_sequence_in_pieces(kind, batch_first, rng):
    layer, plain = twins(kind, 2, batch_first=batch_first, stateful=True)
    x = rng.standard_normal((4, 7, I_) if batch_first else (7, 4, I_))
    whole, last = plain(x)
    for _ in range(2):
        layer.reset_state()
        pieces = [layer(x[:, a:b] if batch_first else x[a:b]) for a, b in ((0, 3), (3, 4), (4, 7))]
        found = np.concatenate([output.numpy() for output, _ in pieces], axis=1 if batch_first else 0)
        np.testing.assert_array_equal(found, whole.numpy())
        for a, b in zip(tensors(pieces[-1][1]), tensors(last), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_stateful_with_lengths_goes_on_where_each_sequence_ended(rng):
    layer, plain = twins("LSTM", stateful=True, learned_state=True)
    x, lengths = rng.standard_normal((2, 5, 3, I_)), np.array([[5, 0, 2], [0, 4, 5]])
    state = None
    for k in range(2):
        output, _ = layer(x[k], lengths=lengths[k])
        expected, state = plain(x[k], state, lengths=lengths[k])
        np.testing.assert_array_equal(output.numpy(), expected.numpy())


def test_what_stateful_keeps_has_no_history_and_is_not_saved(rng):
    layer, plain = twins("GRU", stateful=True)
    x = rng.standard_normal((2, 4, 3, I_))
    layer(x[0])
    assert list(layer.state_dict()) == list(plain.state_dict())
    assert not list(layer.buffers())
    given = plain(x[0])[1].detach()
    again = copy.deepcopy(layer)
    for one, state in ((layer, None), (plain, given)):
        (one(x[1], state)[0] ** 2).sum().backward()
    for name, parameter in plain.named_parameters():
        np.testing.assert_array_equal(getattr(layer, name).grad.numpy(), parameter.grad.numpy())
    np.testing.assert_array_equal(again.eval()(x[1])[0].numpy(), plain(x[1], given)[0].numpy())
    given = mg.tensor(rng.standard_normal((1, 3, H)))
    np.testing.assert_array_equal(layer(x[1], given)[0].numpy(), plain(x[1], given)[0].numpy())


def test_a_stateful_stream_of_single_steps(rng):
    """The step that is kept ready, as for a stream of inputs with states of its own."""
    layer, plain = twins("LSTM", stateful=True)
    x = rng.standard_normal((9, 2, I_))
    with mg.no_grad():
        found = np.concatenate([layer(mg.tensor(x[t : t + 1]))[0].numpy() for t in range(9)])
        np.testing.assert_array_equal(found, plain(mg.tensor(x))[0].numpy())
        layer.reset_state()
        np.testing.assert_array_equal(layer(mg.tensor(x[:1]))[0].numpy(), found[:1])


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (
            (2, 4, I_),
            (2, 3, I_),
            "GRU: stateful=True kept the state of a batch of 4, and this input is a batch of 3: call reset_state() before",
        ),
        ((2, 4, I_), (2, I_), "kept the state of a batch of 4, and this input is one sequence without a batch: call reset_state()"),
        ((2, I_), (2, 1, I_), "kept the state of one sequence without a batch, and this input is a batch of 1: call reset_state()"),
    ],
)
def test_stateful_wants_the_same_batch(first, second, words):
    layer = nn.GRU(I_, H, stateful=True)
    layer(mg.zeros(first))
    with pytest.raises(ShapeError, match=words.replace("(", r"\(").replace(")", r"\)")):
        layer(mg.zeros(second))
    layer.reset_state()
    layer(mg.zeros(second))


def test_stateful_runs_forward_only():
    with pytest.raises(ValueError, match=r"GRU: stateful=True goes on where .* use it with bidirectional=False"):
        nn.GRU(I_, H, bidirectional=True, stateful=True)


def test_stateful_follows_a_change_of_dtype():
    layer = nn.RNN(I_, H, stateful=True)
    layer(mg.ones(2, 4, I_))
    assert layer.double()(mg.ones(2, 4, I_, dtype=np.float64))[0].dtype == np.float64


# ---- detach


def test_detach_goes_through_trees():
    w = mg.tensor([2.0], requires_grad=True)
    tree = {"b": [w * 2, (w, None)], "a": 3}
    found = mg.detach(tree)
    assert found["a"] == 3
    assert found["b"][1][1] is None
    for one, old in ((found["b"][0], tree["b"][0]), (found["b"][1][0], w)):
        assert not one.requires_grad
        assert one.item() == old.item()
        assert np.shares_memory(one.numpy(), old.numpy())


def test_a_state_with_history_gets_a_sentence(rng):
    layer, x = nn.LSTM(I_, H, dtype=np.float64), rng.standard_normal((4, 2, I_))
    output, state = layer(x)
    output.sum().backward()
    with pytest.raises(mg.TapeError, match=r"detach\(\)"):
        layer(x, state)[0].sum().backward()
    layer(x, mg.detach(state))[0].sum().backward()


# ---- truncated backpropagation


class Reader(nn.Module):
    """A recurrent layer and a linear one."""

    def __init__(self, batch_first: bool = False) -> None:
        super().__init__()
        self.rnn = nn.LSTM(I_, H, 2, batch_first=batch_first, dtype=np.float64)
        self.head = nn.Linear(H, 2, dtype=np.float64)

    def forward(self, x, state=None, **how):
        output, state = self.rnn(x, state, **how)
        return self.head(output), state


def squares(output, y, **how):
    return nn.sequence_mse_loss(output, y, reduction="sum", **how)


def gradients(model: Any) -> dict[str, Any]:
    found = {name: parameter.grad.numpy().copy() for name, parameter in model.named_parameters()}
    model.zero_grad()
    return found


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name], gradient, atol=1e-12, err_msg=name)


def stepwise(model: Any, x: Any, y: Any, k1: int, k2: int) -> list[dict[str, Any]]:
    """For each end of k1 steps, from the definition: the losses of these steps, with a history that is cut k2 steps before the end."""
    found = []
    for end in [*range(k1, len(x), k1), len(x)]:
        state, losses = None, []
        for t in range(end):
            if t and t == end - k2:
                state = tuple(part.detach() for part in state)
            output, state = model(x[t : t + 1], state)
            losses.append(((output - y[t : t + 1]) ** 2).sum())
        since = (end - 1) // k1 * k1
        sum(losses[since:]).backward()
        found.append({"loss": sum(losses[since:]).item(), "state": [part.numpy() for part in state], **gradients(model)})
    return found


@pytest.mark.parametrize(("k1", "k2"), [(4, 4), (1, 1), (1, 3), (3, 4), (3, 6), (3, 7), (2, 9), (5, 50), (10, 10), (30, 30)])
def test_every_k1_steps_a_pass_over_the_last_k2(k1, k2, rng):
    mg.manual_seed(1)
    model, x, y = Reader(), rng.standard_normal((10, 3, I_)), rng.standard_normal((10, 3, 2))
    expected = stepwise(model, x, y, k1, k2)
    found = 0
    for (loss, state), one in zip(mg.tbptt(model, x, y, k1, k2, squares), expected, strict=True):
        np.testing.assert_allclose(loss.item(), one.pop("loss"), rtol=1e-12)
        for part, other in zip(state, one.pop("state"), strict=True):
            assert not part.requires_grad
            np.testing.assert_allclose(part.numpy(), other, atol=1e-13)
        same(gradients(model), one)
        found += 1
    assert found == -(-10 // k1)


def test_truncation_cuts(rng):
    """What the comparison above would not see if no history were ever cut."""
    model, x, y = Reader(), rng.standard_normal((10, 3, I_)), rng.standard_normal((10, 3, 2))
    x[0] *= 100.0
    whole, cut = ([one["rnn.weight_ih_l0"] for one in stepwise(model, x, y, 5, k2)] for k2 in (10, 5))
    np.testing.assert_array_equal(whole[0], cut[0])
    assert abs(whole[1] - cut[1]).max() > 1e-3


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(("k1", "k2"), [(1, 12), (5, 12), (4, 100), (12, 12)])
def test_with_all_steps_in_reach_it_is_full_backpropagation(k1, k2, batch_first, rng):
    model = Reader(batch_first)
    x, y = rng.standard_normal((12, 12, I_)), rng.standard_normal((12, 12, 2))
    state = [mg.tensor(rng.standard_normal((2, 12, H)), requires_grad=True) for _ in range(2)]
    squares(model(x, tuple(state))[0], y).backward()
    expected, first = gradients(model), [part.grad.numpy().copy() for part in state]
    for part in state:
        part.grad = None
    total = sum(loss.item() for loss, _ in mg.tbptt(model, x, y, k1, k2, squares, tuple(state), batch_first=batch_first))
    same(gradients(model), expected)
    np.testing.assert_allclose(total, squares(model(x, tuple(state))[0], y).item())
    for part, gradient in zip(state, first, strict=True):
        np.testing.assert_allclose(part.grad.numpy(), gradient, atol=1e-12)


def test_weights_may_change_between_the_windows(rng):
    """Against a loop of the same windows by hand, an optimiser in it: the k1 = k2 of every character model, and an overlap of half."""
    x, y = rng.standard_normal((8, 3, I_)), rng.standard_normal((8, 3, 2))
    for k2 in (2, 4):
        mg.manual_seed(2)
        model = Reader()
        other = copy.deepcopy(model)
        steps = [mg.optim.SGD(one.parameters(), lr=0.05) for one in (model, other)]
        for _ in mg.tbptt(model, x, y, 2, k2):
            steps[0].step()
            steps[0].zero_grad()
        state = None
        for end in range(2, 9, 2):
            start = max(0, end - k2)
            middle, early = state, None
            if end - start > 2:
                early, middle = other(x[start : end - 2], state)
            output, last = other(x[end - 2 : end], middle)
            nn.mse_loss(output, y[end - 2 : end]).backward()
            if k2 == 2 or early is not None:
                state = mg.detach(last if k2 == 2 else middle)
            steps[1].step()
            steps[1].zero_grad()
        for (name, a), b in zip(model.named_parameters(), other.parameters(), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-12, err_msg=name)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("holes", [False, True], ids=["lengths", "holes"])
def test_padded_batches(holes, batch_first, rng):
    model = Reader(batch_first)
    lengths = np.array([7, 0, 3, 10, 1])
    mask = rng.random((12, 5)) < 0.5 if holes else np.arange(12)[:, None] < lengths
    mask[10:] = False
    x, y = rng.standard_normal((12, 5, I_)), rng.standard_normal((12, 5, 2))
    x[~mask] = y[~mask] = np.nan
    if batch_first:
        x, y, mask = x.swapaxes(0, 1), y.swapaxes(0, 1), mask.T
    how = {"mask": mask} if holes else {"lengths": lengths}
    loss = squares(model(x, **how)[0], y, batch_first=batch_first, **how)
    loss.backward()
    expected = gradients(model)

    def summed(output, y, mask):
        return squares(output, y, mask=mask, batch_first=batch_first)

    losses = [loss.item() for loss, _ in mg.tbptt(model, x, y, 2, 12, summed, batch_first=batch_first, **how)]
    assert len(losses) == 5  # the last window has no step that counts
    np.testing.assert_allclose(sum(losses), loss.item())
    same(gradients(model), expected)
    assert all(np.isfinite(loss.item()) for loss, _ in mg.tbptt(model, x, y, 2, 3, batch_first=batch_first, **how))


def test_the_usual_losses(rng):
    model, x = Reader(), rng.standard_normal((4, 3, I_))
    classes, numbers = rng.integers(0, 2, (4, 3)), rng.standard_normal((4, 3, 2))
    output = model(x)[0]
    ((loss, _),) = mg.tbptt(model, x, classes, 4)
    assert loss.item() == nn.cross_entropy(output.reshape(-1, 2), classes.reshape(-1)).item()
    ((loss, _),) = mg.tbptt(model, mg.tensor(x), mg.tensor(numbers), 4)
    assert loss.item() == nn.mse_loss(output, numbers).item()


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ({"k1": 0}, ValueError, "tbptt: k1=0 is a number of time steps"),
        ({"k2": 2.5}, ValueError, "tbptt: k2=2.5 is a number of time steps"),
        ({"k2": 1}, ValueError, r"tbptt: .* k2=1 steps every k1=2 would leave steps without a gradient: k2 >= k1"),
        ({"y": np.zeros((3, 4, 2))}, ShapeError, r"tbptt: x has shape \(4, 4, 3\), y \(3, 4, 2\): both should be \(time, ...\)"),
        (
            {"model": nn.LSTM(I_, 2, stateful=True)},
            ValueError,
            "tbptt: it carries the state .* itself: build the model with stateful=False",
        ),
        ({"lengths": [5, 1, 1, 1]}, ShapeError, r"tbptt: lengths\[0\] is 5, but the input has 4 time steps"),
        ({"model": lambda x, state: mg.tensor(x)}, TypeError, r"tbptt: model\(x, state\) should return \(output, state\).*got Tensor"),
        ({"model": lambda x, state: (mg.tensor(x)[0], state)}, ShapeError, r"tbptt: for 2 steps the model's output has shape \(4, 3\)"),
    ],
)
def test_mistakes_get_sentences(how, kind, words):
    usual = {"model": Reader(), "x": np.zeros((4, 4, I_)), "y": np.zeros((4, 4, 2)), "k1": 2}
    with pytest.raises(kind, match=words):
        list(mg.tbptt(**{**usual, **how}))
