"""RNN, LSTM and GRU: against stored results of PyTorch, against PyTorch itself where it is installed, and by their own properties."""

from __future__ import annotations

import numpy as np
import pytest
from make_torch_vectors import CASES, FILE, OUTPUTS, B, Case, H, I, T, draw, subsets, torch_model, torch_run

import minigrad as mg
from minigrad import nn
from minigrad.scan import scan

KINDS = tuple(OUTPUTS)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def distance(a, b):
    """max|a - b| / max(1, max|b|)."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    return np.abs(a - b).max(initial=0.0) / max(1.0, np.abs(b).max(initial=0.0))


def layer_of(case, dtype=np.float64, **more):
    return getattr(nn, case.kind)(I, H, **case.settings(), dtype=dtype, **more)


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def as_state(tensors):
    return tuple(tensors) if len(tensors) == 2 else tensors[0]


def run(case, layer, given):
    """Outputs, and gradients by weights, x and states, in the order of torch_run."""
    names = [name for name, _ in layer.named_parameters()]
    layer.load_state_dict(dict(zip(names, given, strict=False)))
    x, *states = [mg.tensor(array, requires_grad=True) for array in given[len(names) : len(names) + len(OUTPUTS[case.kind])]]
    output, last = layer(x, as_state(states))
    outputs = dict(zip(OUTPUTS[case.kind], [output, *as_tuple(last)], strict=True))
    loss = mg.zeros((), dtype=x.dtype)
    for name, cotangent in zip(case.uses, given[-len(case.uses) :], strict=True):
        loss = loss + (outputs[name] * cotangent).sum()
    loss.backward()
    wanted = [*layer.parameters(), x, *states]
    return [*outputs.values(), *[mg.zeros(leaf.shape, dtype=leaf.dtype) if leaf.grad is None else leaf.grad for leaf in wanted]]


def cut(vector, shapes):
    """The arrays that `flat` put one after another."""
    bounds = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    assert bounds[-1] == len(vector)
    return [vector[start:stop].reshape(shape) for start, stop, shape in zip(bounds, bounds[1:], shapes, strict=False)]


# ---- PyTorch, stored


@pytest.fixture(scope="module")
def stored():
    with np.load(FILE) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_outputs_and_all_gradients_are_those_of_torch(case, dtype, stored):
    """In float32 too, against what torch found in float64: that is the harder comparison."""
    layer = layer_of(case, dtype)
    bounds = (1e-12, 1e-10) if dtype == np.float64 else (1e-6, 5e-5)
    shapes = [array.shape for array in draw(case, [parameter.shape for parameter in layer.parameters()], 0)]
    given = [array.astype(dtype) for array in cut(stored[f"{case}/given"], shapes)]
    found = run(case, layer, given)
    expected = cut(stored[f"{case}/found"], [tensor.shape for tensor in found])
    count = len(OUTPUTS[case.kind])
    for place, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        assert distance(ours, theirs) < bounds[place >= count], place


def test_stored_vectors_can_tell_a_swap(stored):
    """Different non-zero states: an LSTM that takes h_0 for c_0 must not pass."""
    case = next(case for case in CASES if case.kind == "LSTM")
    layer = layer_of(case)
    shapes = [array.shape for array in draw(case, [parameter.shape for parameter in layer.parameters()], 0)]
    *weights, x, h, c, _, _, _ = cut(stored[f"{case}/given"].astype(np.float64), shapes)
    layer.load_state_dict(dict(zip(layer.state_dict(), weights, strict=True)))
    expected = stored[f"{case}/found"][: T * B * H].reshape(T, B, H)
    assert distance(layer(x, (h, c))[0], expected) < 1e-12
    assert distance(layer(x, (c, h))[0], expected) > 1e-3


# ---- PyTorch, live


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", KINDS)
def test_every_subset_of_outputs_against_live_torch(kind, dtype):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    for seed, uses in enumerate([*subsets(OUTPUTS[kind]), OUTPUTS[kind]]):
        case = Case(kind, 1 + seed % 3, bool(seed % 2), seed % 4 > 1, True, uses)
        model = torch_model(case, dtype)
        given = draw(case, [tuple(parameter.shape) for parameter in model.parameters()], 100 + seed, dtype)
        found = run(case, layer_of(case, dtype), given)
        for place, (ours, theirs) in enumerate(zip(found, torch_run(case, given, model), strict=True)):
            outputs = place < len(OUTPUTS[kind])
            bound = (1e-12 if outputs else 1e-10) if dtype == np.float64 else (1e-6 if outputs else 5e-5)
            assert ours.dtype == dtype
            assert distance(ours, theirs) < bound


@pytest.mark.parametrize("kind", KINDS)
def test_a_torch_state_dict_loads_unchanged(kind, rng):
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    settings = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    theirs, ours = getattr(torch.nn, kind)(5, 6, **settings), getattr(nn, kind)(5, 6, **settings)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    x = rng.standard_normal((3, 7, 5)).astype(np.float32)
    for a, b in ((x, torch.from_numpy(x)), (x[0], torch.from_numpy(x[0]))):
        (output, last), (expected, expected_last) = ours(a), theirs(b)
        assert distance(output, expected.detach()) < 1e-6
        for state, expected_state in zip(as_tuple(last), as_tuple(expected_last), strict=True):
            assert distance(state, expected_state.detach()) < 1e-6


def test_relu_against_live_torch(rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.RNN(I, H, 2, "relu").double()
    ours = nn.RNN(I, H, 2, "relu", dtype="float64")
    ours.load_state_dict(theirs.state_dict())
    x = rng.standard_normal((T, B, I))
    assert distance(ours(x)[0], theirs(torch.from_numpy(x))[0].detach()) < 1e-12


# ---- cells and layers are one thing


def cell_of(kind, layer, suffix="_l0"):
    """A cell with the weights of one direction of one layer."""
    weights = {name.removesuffix(suffix): value for name, value in layer.state_dict().items() if name.endswith(suffix)}
    cell = getattr(nn, kind + "Cell")(weights["weight_ih"].shape[1], layer.hidden_size, layer.bias, dtype=layer.dtype)
    cell.load_state_dict(weights)
    return cell


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_cell_in_a_loop_is_the_layer(kind, bias, rng):
    layer = getattr(nn, kind)(I, H, bias=bias, dtype="float64")
    cell = cell_of(kind, layer)
    x = mg.tensor(rng.standard_normal((T, B, I)))
    states = [mg.tensor(rng.standard_normal((1, B, H))) for _ in OUTPUTS[kind][1:]]
    state = as_state([tensor[0] for tensor in states])
    output, last = layer(x, as_state(states))
    one, _ = layer(x[:1], as_state(states))
    assert distance(as_tuple(cell(x[0], state))[0], one[0]) < 1e-14
    ys = []
    for t in range(T):
        state = cell(x[t], state)
        ys.append(as_tuple(state)[0])
    assert distance(mg.stack(ys), output) < 1e-13
    for ours, theirs in zip(as_tuple(state), as_tuple(last), strict=True):
        assert distance(ours, theirs[0]) < 1e-13
    weights = mg.tensor(rng.standard_normal((T, B, H)))
    (mg.stack(ys) * weights).sum().backward()
    (output * weights).sum().backward()
    for ours, theirs in zip(cell.parameters(), layer.parameters(), strict=True):
        assert distance(ours.grad, theirs.grad) < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_takes_one_row_without_a_batch(kind, rng):
    cell = getattr(nn, kind + "Cell")(I, H, dtype="float64")
    x = rng.standard_normal((B, I))
    states = [rng.standard_normal((B, H)) for _ in OUTPUTS[kind][1:]]
    rows = as_tuple(cell(x, as_state(states)))
    row = as_tuple(cell(x[1], as_state([state[1] for state in states])))
    assert distance(row[0], rows[0][1]) < 1e-14
    row[0].sum().backward()
    assert all(parameter.grad.shape == parameter.shape for parameter in cell.parameters())


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_layers_and_directions_are_runs_of_one_layer(kind, bidirectional, rng):
    """A stack by hand: each direction with its own weights, the backward one on the reversed input."""
    layer = getattr(nn, kind)(I, H, 2, bidirectional=bidirectional, dtype="float64")
    x = mg.tensor(rng.standard_normal((T, B, I)))
    output, last = layer(x)
    ends = []
    for k in range(2):
        parts = []
        for suffix in layer.suffixes(k):
            cell, state, ys = cell_of(kind, layer, suffix), None, [None] * T
            for t in reversed(range(T)) if suffix.endswith("reverse") else range(T):
                state = cell(x[t], state)
                ys[t] = as_tuple(state)[0]
            parts.append(mg.stack(ys))
            ends.append(as_tuple(state)[-1])
        x = mg.concatenate(parts, axis=-1)
    assert distance(output, x) < 1e-13
    assert distance(as_tuple(last)[-1], mg.stack(ends)) < 1e-13


@pytest.mark.parametrize("kind", KINDS)
def test_no_state_means_zeros_and_no_batch_means_one_row(kind, rng):
    layer = getattr(nn, kind)(I, H, 2, bidirectional=True, batch_first=True, dtype="float64")
    x = rng.standard_normal((1, T, I))
    count = len(OUTPUTS[kind]) - 1
    output, last = layer(x)
    with_zeros, _ = layer(x, as_state([mg.zeros(4, 1, H, dtype="float64")] * count))
    row, row_last = layer(x[0], as_state([mg.zeros(4, H, dtype="float64")] * count))
    assert distance(output, with_zeros) == 0
    assert row.shape == (T, 2 * H)
    assert distance(row, output[0]) < 1e-14
    for ours, theirs in zip(as_tuple(row_last), as_tuple(last), strict=True):
        assert ours.shape == (4, H)
        assert distance(ours, theirs[:, 0]) < 1e-14


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_in_two_halves_is_the_sequence(kind, rng):
    layer = getattr(nn, kind)(I, H, 2, dtype="float64")
    x = mg.tensor(rng.standard_normal((6, B, I)))
    whole, last = layer(x)
    first, state = layer(x[:4])
    second, end = layer(x[4:], state)
    assert distance(mg.concatenate([first, second]), whole) < 1e-13
    assert distance(as_tuple(end)[-1], as_tuple(last)[-1]) < 1e-13


# ---- properties


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_batch_do_not_mix(kind, rng):
    layer = getattr(nn, kind)(I, H, 2, bidirectional=True, dtype="float64")
    x = mg.tensor(rng.standard_normal((T, 3, I)), requires_grad=True)
    output, _ = layer(x)
    assert distance(layer(x[:, 1:2])[0], output[:, 1:2]) < 1e-14
    (output[:, 1] * rng.standard_normal((T, 2 * H))).sum().backward()
    assert not x.grad.numpy()[:, [0, 2]].any()
    assert x.grad.numpy()[:, 1].all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_state_alone_carries_gradients_to_everything(kind, rng):
    layer = getattr(nn, kind)(I, H, 2, dtype="float64")
    x = mg.tensor(rng.standard_normal((T, B, I)), requires_grad=True)
    _, last = layer(x)
    (as_tuple(last)[0] * rng.standard_normal((2, B, H))).sum().backward()
    assert x.grad.numpy().all()
    assert all(parameter.grad.numpy().any() for parameter in layer.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch(kind):
    layer = getattr(nn, kind)(I, H, 2, bidirectional=True, batch_first=True)
    x = mg.zeros(0, T, I, requires_grad=True)
    output, last = layer(x)
    assert output.shape == (0, T, 2 * H)
    assert as_tuple(last)[-1].shape == (4, 0, H)
    output.sum().backward()
    assert x.grad.shape == x.shape
    assert not any(parameter.grad.numpy().any() for parameter in layer.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_second_order_against_differences_of_the_gradient(kind, rng):
    layer = getattr(nn, kind)(2, 2, bidirectional=True, dtype="float64")
    names = [name for name, _ in layer.named_parameters()]
    points = [parameter.detach() for parameter in layer.parameters()]
    points += [mg.tensor(rng.standard_normal((3, 2, 2))), *[mg.tensor(rng.standard_normal((2, 2, 2))) for _ in OUTPUTS[kind][1:]]]
    weights = [mg.tensor(rng.standard_normal(shape)) for shape in [(3, 2, 4), *[(2, 2, 2)] * len(OUTPUTS[kind][1:])]]

    def loss(*args):
        vars(layer).update(zip(names, args, strict=False))
        output, last = layer(args[len(names)], as_state(args[len(names) + 1 :]))
        return sum(
            ((value * value * weight).sum() for value, weight in zip((output, *as_tuple(last)), weights, strict=True)),
            mg.tensor(np.zeros(())),
        )

    slope = mg.grad(loss, argnums=range(len(points)))
    direction = [mg.tensor(rng.standard_normal(point.shape)) for point in points]
    step = 1e-6
    up = slope(*[point + v * step for point, v in zip(points, direction, strict=True)])
    down = slope(*[point - v * step for point, v in zip(points, direction, strict=True)])
    for ours, high, low in zip(mg.hvp(loss, tuple(points), tuple(direction)), up, down, strict=True):
        assert distance(ours, (high - low) / (2 * step)) < 1e-8


def test_scan_is_the_loop_it_says_it_is(rng):
    xs = mg.tensor(rng.standard_normal((5, 2, 3)), requires_grad=True)
    carry, ys = scan(lambda c, x: ((c[0] + x, c[1] * 0.5), c[0] * x), (mg.zeros(2, 3, dtype="float64"), mg.ones(1, dtype="float64")), xs)
    sums = np.cumsum(xs.numpy(), axis=0)
    assert distance(carry[0], sums[-1]) < 1e-14
    assert carry[1].item() == 0.5**5
    assert distance(ys, np.concatenate([np.zeros((1, 2, 3)), sums[:-1]]) * xs.numpy()) < 1e-14
    _, backwards = scan(lambda c, x: (c + x, c + x), mg.zeros(2, 3, dtype="float64"), xs, reverse=True)
    assert distance(backwards, np.cumsum(xs.numpy()[::-1], axis=0)[::-1]) < 1e-14
    carry, ys = scan(lambda c, x: (c, x), None, mg.zeros(0, 3))
    assert carry is None
    assert ys.shape == (0, 3)


# ---- settings


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_stands_between_layers_and_nowhere_else(kind, rng):
    layer = getattr(nn, kind)(I, H, 2, dropout=1.0, dtype="float64")
    x = rng.standard_normal((T, B, I))
    top = getattr(nn, kind)(H, H, dtype="float64")
    top.load_state_dict({name.replace("_l1", "_l0"): value for name, value in layer.state_dict().items() if name.endswith("_l1")})
    output, last = layer(x)
    assert distance(output, top(np.zeros((T, B, H)))[0]) < 1e-14  # all of the first layer's output dropped, none of the second's
    plain = getattr(nn, kind)(I, H, 2, dtype="float64")
    plain.load_state_dict(layer.state_dict())
    assert distance(as_tuple(last)[0][0], as_tuple(plain(x)[1])[0][0]) == 0  # the state of the first layer is not dropped
    assert distance(layer.eval()(x)[0], plain(x)[0]) == 0
    single = getattr(nn, kind)(I, H, dropout=0.9)
    assert distance(single(x.astype("f4"))[0], single.eval()(x.astype("f4"))[0]) == 0


def test_dropout_between_layers_follows_the_seed(rng):
    layer = nn.GRU(I, H, 3, dropout=0.5)
    x = rng.standard_normal((T, B, I)).astype(np.float32)
    runs = []
    for seed in (1, 1, 2):
        mg.manual_seed(seed)
        runs.append(layer(x)[0].numpy())
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_forget_bias_is_the_sum_of_both_biases_in_the_forget_rows():
    layer = nn.LSTM(I, H, 2, bidirectional=True, forget_bias=1.5)
    for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse"):
        total = getattr(layer, "bias_ih" + suffix).numpy() + getattr(layer, "bias_hh" + suffix).numpy()
        assert np.array_equal(total[H : 2 * H], [1.5] * H)
        assert not np.isin(total, 1.5)[[*range(H), *range(2 * H, 4 * H)]].any()
    cell = nn.LSTMCell(I, H, forget_bias=2.0)
    assert np.array_equal((cell.bias_ih + cell.bias_hh).numpy()[H : 2 * H], [2.0] * H)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_start_uniform_within_one_over_root_hidden(kind):
    layer = getattr(nn, kind)(50, 64)
    for parameter in layer.parameters():
        values = parameter.numpy()
        assert parameter.dtype == np.float32
        assert np.abs(values).max() <= 1 / 8
        assert abs(values.std() - 1 / 8 / np.sqrt(3)) < 0.1 / 8


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: nn.LSTM(3, 4), "LSTM(3, 4)  # 144 parameters"),
        (lambda: nn.RNN(3, 4, 2, "relu", False), "RNN(3, 4, num_layers=2, nonlinearity='relu', bias=False)  # 60 parameters"),
        (lambda: nn.GRU(3, 4, dropout=0.5, bidirectional=True), "GRU(3, 4, dropout=0.5, bidirectional=True)  # 216 parameters"),
        (lambda: nn.LSTMCell(3, 4, bias=False), "LSTMCell(3, 4, bias=False)  # 112 parameters"),
        (
            lambda: nn.LSTM(3, 4, variational=(0.1, 0, 0.2), recurrent_dropout=0.3, zoneout=0.4, peephole=True),
            "LSTM(3, 4, variational=(0.1, 0.0, 0.2), recurrent_dropout=0.3, zoneout=0.4, peephole=True)  # 156 parameters",
        ),
    ],
)
def test_repr(make, shown):
    assert repr(make()) == shown


# ---- errors are sentences

REST = "'sigmoid', 'hard_sigmoid', 'softplus', 'elu', 'gelu', 'silu', 'identity'"


class Encoder(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        self.lstm = nn.LSTM(32, 64, 2, **settings)


class Model(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        self.encoder = Encoder(**settings)


def f4(*shape):
    return mg.zeros(*shape)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (
            lambda: Model().encoder.lstm(f4(20, 64, 30)),
            mg.ShapeError,
            "LSTM 'encoder.lstm': input has 30 features (shape (20, 64, 30) = time, batch, features), expected input_size=32",
        ),
        (
            lambda: Model(batch_first=True).encoder.lstm(f4(20, 64, 30)),
            mg.ShapeError,
            "LSTM 'encoder.lstm': input has 30 features (shape (20, 64, 30) = batch, time, features), expected input_size=32",
        ),
        (
            lambda: nn.GRU(3, 4)(f4(20, 2)),
            mg.ShapeError,
            "GRU: input has 2 features (shape (20, 2) = time, features), expected input_size=3",
        ),
        (
            lambda: nn.GRU(3, 4)(f4(3)),
            mg.ShapeError,
            "GRU: input has shape (3,), expected (time, batch, features), or (time, features) without a batch",
        ),
        (
            lambda: nn.RNN(3, 4)(f4(0, 2, 3)),
            mg.ShapeError,
            "RNN: input has no time steps (shape (0, 2, 3) = time, batch, features), expected a sequence of at least one",
        ),
        (
            lambda: nn.RNN(3, 4)(np.zeros((5, 2, 3))),
            mg.DtypeError,
            "RNN: input is float64, the layer's weights are float32: convert it with .astype('float32'), or build the layer with "
            "dtype='float64'",
        ),
        (
            lambda: nn.RNN(3, 4)(np.zeros((5, 2, 3), int)),
            mg.DtypeError,
            "RNN: input is int64, the layer's weights are float32: convert it with .astype('float32')",
        ),
        (
            lambda: Model(batch_first=True).encoder.lstm(f4(5, 7, 32), (f4(5, 2, 64), f4(2, 5, 64))),
            mg.ShapeError,
            "LSTM 'encoder.lstm': state h has shape (5, 2, 64), expected (2, 5, 64) = layers x directions, batch, hidden "
            "(with batch_first too)",
        ),
        (
            lambda: nn.LSTM(3, 4)(f4(5, 3), (f4(1, 4), f4(1, 1, 4))),
            mg.ShapeError,
            "LSTM: state c has shape (1, 1, 4), expected (1, 4) = layers x directions, hidden",
        ),
        (lambda: nn.LSTM(3, 4)(f4(5, 2, 3), f4(1, 2, 4)), TypeError, "LSTM: the state is a pair (h, c), got a Tensor"),
        (lambda: nn.LSTM(3, 4)(f4(5, 2, 3), (f4(1, 2, 4),)), TypeError, "LSTM: the state is a pair (h, c), got a tuple of 1"),
        (lambda: nn.GRU(3, 4)(f4(5, 2, 3), (f4(1, 2, 4), f4(1, 2, 4))), TypeError, "GRU: the state is one tensor h, got a tuple of 2"),
        (
            lambda: nn.GRU(3, 4)(f4(5, 2, 3), mg.zeros(1, 2, 4, dtype="float64")),
            mg.DtypeError,
            "GRU: state h is float64, the layer's weights are float32: convert it with .astype('float32'), or build the layer with "
            "dtype='float64'",
        ),
        (
            lambda: nn.LSTMCell(3, 4)(f4(2, 5)),
            mg.ShapeError,
            "LSTMCell: input has 5 features (shape (2, 5) = batch, features), expected input_size=3",
        ),
        (
            lambda: nn.GRUCell(3, 4)(f4(5, 2, 3)),
            mg.ShapeError,
            "GRUCell: input has shape (5, 2, 3), expected (batch, features) or (features,): one time step",
        ),
        (
            lambda: nn.RNNCell(3, 4)(f4(2, 3), f4(1, 4)),
            mg.ShapeError,
            "RNNCell: state h has shape (1, 4), expected (2, 4) = batch, hidden. It is the state of a batch of 1, for an input of 2: "
            "give one of this batch, or none to begin with zeros",
        ),
        (lambda: nn.RNN(3, 4, 1, "sine"), ValueError, "RNN: nonlinearity='sine' is not one of 'tanh', 'relu', " + REST),
        (lambda: nn.LSTM(3, 0), ValueError, "LSTM: hidden_size must be a whole number from 1, got 0"),
        (lambda: nn.LSTM(3, 4, 0), ValueError, "LSTM: num_layers must be a whole number from 1, got 0"),
        (lambda: nn.GRU(3, 4, dropout=1.5), ValueError, "GRU: p is the probability to zero an element, from 0 to 1; got 1.5"),
        (lambda: nn.LSTM(3, 4, bias=False, forget_bias=1.0), ValueError, "LSTM: forget_bias=1.0 needs bias=True"),
    ],
)
def test_errors_are_sentences(call, kind, sentence):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == sentence
