"""What modules can do beside computing: lists and dicts of them, hooks, apply, dtypes, summary, frozen parts, starting values."""

from __future__ import annotations

import copy
import math
import pickle
from collections import OrderedDict

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn


@pytest.fixture
def rng():
    return np.random.default_rng(13)


def names(module):
    return [name for name, _ in module.named_parameters()]


# ---- containers


def test_module_list():
    layers = nn.ModuleList([nn.Linear(2, 2), nn.Tanh()])
    a, b = layers
    assert layers.append(c := nn.Linear(2, 1)) is layers and layers.extend([nn.ReLU()]) is layers
    assert len(layers) == 4 and layers[-2] is c and list(layers[1:3]) == [b, c] and type(layers[1:3]) is nn.ModuleList
    assert names(layers) == ["0.weight", "0.bias", "2.weight", "2.bias"] and layers[2].label() == "Linear '2'"
    layers.insert(1, d := nn.Linear(3, 3))
    assert list(layers)[:3] == [a, d, b] and names(layers)[2:4] == ["1.weight", "1.bias"] and c.label() == "Linear '3'"
    layers[0] = b
    assert layers[0] is b and list(dict(layers.named_children())) == ["0", "1", "3", "4"]  # b stands in two places
    del layers[-1]
    assert len(layers) == 4 and [name for name, _ in layers._walk("")] == ["", "0", "1", "2", "3"]
    assert len(nn.ModuleList()) == 0
    for index in (4, -5):
        with pytest.raises(IndexError, match=f"^ModuleList: there is no module {index} among 4$"):
            layers[index]
    with pytest.raises(TypeError, match="^ModuleList takes modules, got int in place 0$"):
        nn.ModuleList([3])
    with pytest.raises(NotImplementedError, match=r"ModuleList has no forward\(\)"):
        layers(1.0)


def test_module_dict():
    heads = nn.ModuleDict({"a": nn.Linear(2, 1), "b": nn.Tanh()})
    assert list(heads) == heads.keys() == ["a", "b"] and len(heads) == 2 and "a" in heads and "c" not in heads and 3 not in heads
    assert heads.values() == [heads["a"], heads["b"]] and heads.items()[1] == ("b", heads["b"])
    heads.update([("c", nn.Linear(1, 1)), ("b", nn.ReLU())])
    assert heads.keys() == ["a", "b", "c"] and isinstance(heads["b"], nn.ReLU) and names(heads)[2:] == ["c.weight", "c.bias"]
    assert isinstance(heads.pop("b"), nn.ReLU)
    del heads["a"]
    assert heads.keys() == ["c"] and heads["c"].label() == "Linear 'c'"
    for name in ("keys", "training", "a.b", "", "forward"):
        with pytest.raises(KeyError, match="ModuleDict"):
            heads[name] = nn.Tanh()
    with pytest.raises(KeyError, match="there is no module 'a', there are 'c'"):
        heads["a"]
    with pytest.raises(TypeError, match="^ModuleDict takes modules, got int for 'x'$"):
        heads["x"] = 3


def test_sequential_with_names_of_its_own():
    model = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), act=nn.Tanh()))
    assert names(model) == ["first.weight", "first.bias"] and model.first is model[0] and model(np.ones((1, 2), np.float32)).shape == (1, 3)
    assert model.append(nn.Linear(3, 1))[2].label() == "Linear '2'" and len(model) == 3


def test_containers_keep_the_names_of_torch():
    torch = pytest.importorskip("torch")

    def build(nn):
        return nn.ModuleDict({"x": nn.ModuleList([nn.Linear(2, 2), nn.Sequential(nn.Tanh(), nn.Linear(2, 1))]), "y": nn.Embedding(3, 2)})

    ours, theirs = build(nn), build(torch.nn)
    assert list(ours.state_dict()) == list(theirs.state_dict()) and [n for n, _ in ours.named_modules()] == [
        n for n, _ in theirs.named_modules()
    ]
    ours.load_state_dict(theirs.state_dict())


# ---- the tree


def test_get_submodule_and_apply():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Tanh(), nn.Linear(2, 1)))
    assert model.get_submodule("1.1") is model[1][1] and model.get_submodule("") is model
    with pytest.raises(AttributeError, match="^Sequential has no module '1.2'; it has 0, 1, 1.0, 1.1$"):
        model.get_submodule("1.2")
    order = []
    assert model.apply(lambda module: order.append(module)) is model
    assert order == [model[0], model[1][0], model[1][1], model[1], model]


def test_buffers_that_are_not_saved_and_parameters_by_name():
    model = nn.Sequential(nn.Linear(2, 2))
    model.register_buffer("mask", mg.ones(2), persistent=False)
    model.register_parameter("scale", nn.Parameter([2.0]))
    model.register_parameter("shift", None)
    assert [name for name, _ in model.named_buffers()] == ["mask"] and names(model)[0] == "scale" and model.shift is None
    assert list(model.state_dict()) == ["scale", "0.weight", "0.bias"]
    assert model.load_state_dict(model.state_dict()) == ([], [])
    with pytest.raises(TypeError, match=r"^Sequential: 'shift' must be a Parameter\(\) or None, got Tensor$"):
        model.register_parameter("shift", mg.ones(2))


# ---- dtypes and devices


def test_another_dtype_keeps_the_tensors_and_so_the_optimiser(rng):
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = mg.optim.SGD(model.parameters(), lr=0.5)
    before = list(model.parameters())
    assert model.double() is model
    assert all(a is b for a, b in zip(before, model.parameters(), strict=True))
    assert {t.dtype for t in model.state_dict().values()} == {np.dtype("float64"), np.dtype("int64")}
    assert model[0].weight.requires_grad and model[0].weight.parameter
    x = rng.standard_normal((4, 3))
    (model(x) * rng.standard_normal((4, 2))).sum().backward()
    start = model[0].weight.numpy().copy()
    step = model[0].weight.grad.numpy().copy()
    assert step.dtype == np.float64
    optimizer.step()
    assert np.array_equal(model[0].weight, start - 0.5 * step)
    model.float()
    assert model[0].weight.grad.dtype == np.float32 and np.allclose(model[0].weight.grad, step)
    assert model(x.astype(np.float32)).dtype == np.float32


def test_recurrent_layers_change_dtype_too(rng):
    layer = nn.LSTM(3, 2).double()
    assert layer(rng.standard_normal((5, 1, 3)))[0].dtype == np.float64
    twin = nn.LSTM(3, 2, dtype="float64")
    twin.load_state_dict(layer.state_dict())
    x = rng.standard_normal((5, 2, 3))
    assert np.array_equal(layer(x)[0], twin(x)[0])


def test_a_frozen_parameter_stays_frozen_in_another_dtype():
    layer = nn.Linear(2, 2).requires_grad_(False).double()
    assert not layer.weight.requires_grad and layer.weight.dtype == np.float64


def test_a_tape_from_before_the_change_is_refused():
    layer = nn.Linear(2, 2)
    x = mg.ones(1, 2, requires_grad=True)
    loss = layer(x).sum()
    layer.double()
    with pytest.raises(mg.MutationError, match="a change of dtype to float64"):
        loss.backward()
    bias_only = nn.Linear(2, 2)
    loss = (bias_only.bias * 1.0).sum() + bias_only.bias.sum()  # keeps no number of the bias
    bias_only.double()
    loss.backward()
    assert bias_only.bias.grad is None


def test_to_takes_a_dtype_or_the_cpu():
    layer = nn.Linear(2, 2)
    assert layer.to("cpu") is layer and layer.to("cpu:0", "float64").weight.dtype == np.float64
    with pytest.raises(ValueError, match="^Linear: device 'cuda:1' does not exist here: minigrad computes on the CPU alone$"):
        layer.to("cuda:1")
    with pytest.raises(mg.DtypeError, match="^Linear: parameters are floating, they cannot become int64$"):
        layer.to("int64")
    with pytest.raises(TypeError, match="takes a dtype or 'cpu', got 'gpu'"):
        layer.to("gpu")


# ---- hooks


def test_forward_hooks_see_and_replace():
    layer = nn.Linear(2, 2)
    seen = []
    first = layer.register_forward_pre_hook(lambda module, args: seen.append(("before", module, args)))
    second = layer.register_forward_pre_hook(lambda module, args: args[0] * 2.0)
    third = layer.register_forward_hook(lambda module, args, out: seen.append(("after", args[0].tolist(), out)))
    fourth = layer.register_forward_hook(lambda module, args, out: out + 1.0)
    x = mg.ones(1, 2)
    out = layer(x)
    plain = layer.forward(mg.ones(1, 2) * 2.0)
    assert np.array_equal(out, plain + 1.0)
    assert seen[0] == ("before", layer, (x,)) and seen[1][:2] == ("after", [[2.0, 2.0]]) and np.array_equal(seen[1][2], plain)
    for handle in (first, second, third, fourth):
        handle.remove()
        handle.remove()
    assert np.array_equal(layer(x), layer.forward(x)) and len(seen) == 2 and layer._hooks is None
    with layer.register_forward_hook(lambda module, args, out: 7):
        assert layer(x) == 7
    assert isinstance(layer(x), mg.Tensor)
    with pytest.raises(TypeError, match=r"^register_forward_hook\(\) takes a function, got int$"):
        layer.register_forward_hook(3)


def test_a_hook_may_take_itself_away():
    layer, calls = nn.Tanh(), []
    handle = layer.register_forward_hook(lambda module, args, out: (calls.append(1), handle.remove())[0])
    layer([0.0]), layer([0.0])
    assert calls == [1]


class Two(nn.Module):
    """Two inputs, two outputs, one of each without a gradient path to the other."""

    def forward(self, a, b, note=None):
        return (a * b).tanh(), a * a, "text"


def run_backward(torch_like, tensor, module, answer):
    """What a full backward hook sees, and the gradients that arrive."""
    seen = []

    def hook(module, grad_input, grad_output):
        seen.append([None if g is None else np.array(g.tolist()) for g in (*grad_input, *grad_output)])
        return answer(grad_input)

    module.register_full_backward_hook(hook)
    a, b = tensor([1.0, 2.0]), tensor([3.0, 0.5])
    x, y, _ = module(a, b)
    (x * tensor([1.0, -2.0]) + y * tensor([0.5, 0.25])).sum().backward()
    return seen, [a.grad.tolist(), b.grad.tolist()]


@pytest.mark.parametrize("answer", [lambda gs: None, lambda gs: tuple(g * 3.0 for g in gs)], ids=["look", "replace"])
def test_full_backward_hooks_are_those_of_torch(answer):
    torch = pytest.importorskip("torch")

    class TorchTwo(torch.nn.Module):
        forward = Two.forward

    ours = run_backward(mg, lambda v: mg.tensor(v, requires_grad=True), Two(), answer)
    theirs = run_backward(torch, lambda v: torch.tensor(v, requires_grad=True), TorchTwo(), answer)
    assert len(ours[0]) == len(theirs[0]) == 1
    for a, b in zip(ours[0][0], theirs[0][0], strict=True):
        assert (a is None and b is None) or np.allclose(a, b, rtol=0, atol=1e-6)
    assert np.allclose(ours[1], theirs[1], rtol=0, atol=1e-6)


def test_full_backward_hooks_by_hand():
    """All gradients are known when the hook is called, and both replacements go on."""
    seen, (ga, gb) = run_backward(mg, lambda v: mg.tensor(v, requires_grad=True), Two(), lambda gs: tuple(g * 3.0 for g in gs))
    a, b = np.array([1.0, 2.0]), np.array([3.0, 0.5])
    slope = np.array([1.0, -2.0]) * (1 - np.tanh(a * b) ** 2)
    by_a, by_b = slope * b + np.array([0.5, 0.25]) * 2 * a, slope * a
    assert len(seen) == 1
    for got, want in zip(seen[0], [by_a, by_b, [1.0, -2.0], [0.5, 0.25], None], strict=True):
        assert (got is None and want is None) or np.allclose(got, want, rtol=0, atol=1e-6)
    assert np.allclose(ga, 3 * by_a, rtol=0, atol=1e-5) and np.allclose(gb, 3 * by_b, rtol=0, atol=1e-5)


def test_a_backward_hook_of_a_first_layer_and_in_two_passes():
    layer, calls = nn.Linear(2, 2), []
    handle = layer.register_full_backward_hook(lambda module, gi, go: calls.append((gi, go[0].tolist())))
    out = layer(mg.ones(1, 2))
    out.sum().backward(retain_graph=True)
    (out * 2.0).sum().backward()
    assert calls == [((None,), [[1.0, 1.0]]), ((None,), [[2.0, 2.0]])]
    assert layer.weight.grad.tolist() == [[3.0, 3.0], [3.0, 3.0]]
    x = mg.ones(1, 2, requires_grad=True)
    out = layer(x)
    out.sum().backward(retain_graph=True)
    out.backward([[2.0, 0.0]])
    assert [go for _, go in calls[2:]] == [[[1.0, 1.0]], [[2.0, 0.0]]] and all(gi[0] is not None for gi, _ in calls[2:])
    handle.remove()
    layer(x).sum().backward()
    assert len(calls) == 4
    with mg.no_grad():
        layer.register_full_backward_hook(lambda *args: calls.append(args))
        layer(x)
    assert len(calls) == 4


def test_a_backward_hook_that_returns_too_few():
    layer = Two()
    layer.register_full_backward_hook(lambda module, gi, go: gi[0])
    x, _, _ = layer(mg.ones(2, requires_grad=True), mg.ones(2))
    with pytest.raises(ValueError, match="^Two: a backward hook returned 1 gradients for 2 inputs; return None to leave them as they are"):
        x.sum().backward()


def test_second_order_through_a_backward_hook():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda module, gi, go: (gi[0] * 2.0,))
    x = mg.tensor([0.5], dtype="float64", requires_grad=True)
    layer(x).backward([1.0], create_graph=True)
    g = x.grad
    x.grad = None
    g.backward()
    t = math.tanh(0.5)
    assert abs(g.item() - 2 * (1 - t * t)) < 1e-15 and abs(x.grad.item() + 4 * t * (1 - t * t)) < 1e-14


def test_hooks_inside_a_scan_are_called_at_every_step():
    cell, calls = nn.RNNCell(2, 2), []
    cell.register_forward_hook(lambda module, args, out: calls.append(out.shape))
    h, _ = mg.scan(lambda h, x: (cell(x, h), None), mg.zeros(1, 2), mg.ones(6, 1, 2))
    assert calls == [(1, 2)] * 6
    h.sum().backward()


def test_hooks_survive_copies():
    layer = nn.Linear(1, 1)
    layer.register_forward_hook(double)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert np.array_equal(twin([[1.0]]), layer([[1.0]])) and not np.array_equal(twin([[1.0]]), twin.forward([[1.0]]))


def double(module, args, out):
    return out * 2.0


# ---- summary


class Tagger(nn.Module):
    """An embedding, a recurrent layer called once, a head called twice, and a layer that is not called."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.lstm = nn.LSTM(4, 3)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 10))
        self.spare = nn.Linear(1, 1)

    def forward(self, x):
        y, _ = self.lstm(self.embedding(x))
        return {"now": self.head(y), "again": self.head(y)}


def test_summary_is_a_table():
    model = Tagger()
    model.embedding.requires_grad_(False)
    model.head[1].bias.requires_grad_(False)
    mg.manual_seed(3)
    state = mg.get_rng_state()
    found = mg.summary(model, np.zeros((5, 2), int))
    assert mg.get_rng_state() == state and all(module.training for module in model.modules())
    assert repr(found).split("\n") == [
        "layer        kind        output                                parameters",
        "(model)      Tagger      {now: (5, 2, 10), again: (5, 2, 10)}  -",
        "  embedding  Embedding   (5, 2, 4)                             40 frozen",
        "  lstm       LSTM        [(5, 2, 3), [(1, 2, 3), (1, 2, 3)]]   108",
        "  head       Sequential  (5, 2, 10)                            -",
        "    0        Dropout     (5, 2, 3)                             -",
        "    1        Linear      (5, 2, 10)                            40 (10 frozen)",
        "  head       Sequential  (5, 2, 10)                            -",
        "    0        Dropout     (5, 2, 3)                             -",
        "    1        Linear      (5, 2, 10)                            -",
        "  spare      Linear      not called                            2",
        "190 parameters, 140 of them trainable, 0.00076 MB",
    ]
    assert (found.parameters, found.trainable, found.nbytes) == (190, 140, 760) and found.rows[1].path == "embedding"
    assert not any(module._hooks and module._hooks.after for module in model.modules())


def test_summary_leaves_statistics_alone_and_counts_a_tied_weight_once():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2))
    model[2].weight = model[0].weight
    found = nn.summary(model, np.ones((3, 2), np.float32))
    assert model[1].num_batches_tracked.item() == 0 and found.parameters == 12 and [row.parameters for row in found.rows] == [0, 6, 4, 2]
    with pytest.raises(mg.ShapeError):
        mg.summary(model, np.ones((3, 5), np.float32))
    assert all(module.training for module in model.modules()) and not any(
        module._hooks.before for module in model.modules() if module._hooks
    )
    with pytest.raises(TypeError, match="summary takes a module and an example of its input, got int"):
        mg.summary(3)


# ---- starting values


def drawn(fill, shape, *args, **settings):
    mg.manual_seed(0)
    return fill(mg.zeros(shape, dtype="float64"), *args, **settings).numpy()


FANS = [((300, 200), 200, 300), ((60, 50, 20), 1000, 1200)]


@pytest.mark.parametrize(("shape", "fan_in", "fan_out"), FANS)
@pytest.mark.parametrize("gain", [1.0, 5 / 3])
def test_xavier(shape, fan_in, fan_out, gain):
    std = gain * math.sqrt(2 / (fan_in + fan_out))
    check_uniform(drawn(nn.init.xavier_uniform_, shape, gain), std)
    check_normal(drawn(nn.init.xavier_normal_, shape, gain), std)


@pytest.mark.parametrize(("shape", "fan_in", "fan_out"), FANS)
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize(("nonlinearity", "a", "gain"), [("relu", 0, 2**0.5), ("leaky_relu", 5**0.5, 3**-0.5), ("tanh", 0, 5 / 3)])
def test_kaiming(shape, fan_in, fan_out, mode, nonlinearity, a, gain):
    std = gain / math.sqrt(fan_in if mode == "fan_in" else fan_out)
    check_uniform(drawn(nn.init.kaiming_uniform_, shape, a, mode, nonlinearity), std)
    check_normal(drawn(nn.init.kaiming_normal_, shape, a, mode, nonlinearity), std)


def check_uniform(values, std):
    """60,000 draws: within the bound, reaching it, with its mean and its variance to six standard errors."""
    bound = math.sqrt(3) * std
    assert 0.999 * bound < np.abs(values).max() <= bound
    assert abs(values.mean()) < 6 * std / math.sqrt(values.size)
    assert abs(values.var() / std**2 - 1) < 6 * math.sqrt(0.8 / values.size)  # kurtosis 1.8


def check_normal(values, std):
    """The same for a normal distribution, and 4.55 % of it beyond two standard deviations."""
    assert abs(values.mean()) < 6 * std / math.sqrt(values.size)
    assert abs(values.var() / std**2 - 1) < 6 * math.sqrt(2 / values.size)
    assert abs((np.abs(values) > 2 * std).mean() - 0.0455) < 6 * math.sqrt(0.0455 / values.size)


def test_uniform_and_normal():
    check_uniform(drawn(nn.init.uniform_, (300, 200), -2.0, 4.0) - 1.0, 3.0 / math.sqrt(3))
    check_normal(drawn(nn.init.normal_, (300, 200), 4.0, 0.5) - 4.0, 0.5)


def test_simple_starts():
    assert nn.init.eye_(mg.zeros(2, 3)).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    assert nn.init.ones_(mg.zeros(2)).tolist() == [1.0, 1.0]
    assert nn.init.xavier_normal_(mg.zeros(0, 3)).shape == nn.init.kaiming_normal_(mg.zeros(3, 0)).shape[::-1] == (0, 3)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: nn.init.eye_(mg.zeros(3)), mg.ShapeError, r"^eye_ wants a matrix; this tensor has shape \(3,\)$"),
        (lambda: nn.init.kaiming_uniform_(mg.zeros(3)), mg.ShapeError, r"^kaiming_uniform_ wants a weight of two axes or more, .*\(3,\)$"),
        (lambda: nn.init.kaiming_normal_(mg.zeros(3, 3), mode="fan"), ValueError, "mode='fan' is not one of 'fan_in', 'fan_out'"),
        (lambda: nn.init.calculate_gain("gelu"), ValueError, "nonlinearity='gelu' is not one of 'linear', .*'leaky_relu'"),
    ],
)
def test_starting_values_refuse_in_sentences(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()


@pytest.mark.parametrize("name", ["linear", "conv1d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_those_of_torch(name):
    init = pytest.importorskip("torch").nn.init
    assert nn.init.calculate_gain(name) == init.calculate_gain(name)
    assert nn.init.calculate_gain("leaky_relu", 0.3) == init.calculate_gain("leaky_relu", 0.3)


DEFAULTS = [
    ("Linear", (400, 150), {}), ("Conv1d", (100, 150, 4), {}), ("Conv1d", (100, 200, 4), {"groups": 2}), ("Embedding", (300, 200), {}),
    ("EmbeddingBag", (300, 200), {}), ("LSTM", (100, 100), {}), ("GRU", (100, 100), {}), ("LayerNorm", (50,), {}),
    ("BatchNorm1d", (50,), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sizes", "settings"), DEFAULTS, ids=lambda value: str(value))
def test_every_layer_starts_from_the_distributions_of_torch(name, sizes, settings):
    """The same bounds and the same spread for every parameter, and the same names and shapes."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    mg.manual_seed(0)
    ours, theirs = getattr(nn, name)(*sizes, **settings), getattr(torch.nn, name)(*sizes, **settings)
    for (own, a), (other, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        b = b.detach().numpy()
        assert own == other and a.shape == b.shape
        if a.size > 1000:
            assert abs(np.std(a.numpy()) / b.std() - 1) < 0.05 and abs(np.mean(a.numpy())) < 0.1 * b.std()
            assert abs(np.abs(a.numpy()).max() / np.abs(b).max() - 1) < 0.3
        else:
            assert np.abs(a.numpy()).max() <= np.abs(b).max() * 1.1 + 1e-12


# ---- frozen parts


def test_a_frozen_part_gets_no_gradient_and_stays(rng):
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    before = model[0].weight.numpy().copy(), model[2].weight.numpy().copy()
    optimizer = mg.optim.Adam(model.parameters(), lr=0.1)
    nn.mse_loss(model(rng.standard_normal((5, 3)).astype(np.float32)), mg.zeros(5, 2)).backward()
    assert model[0].weight.grad is None and model[2].weight.grad is not None
    optimizer.step()
    assert np.array_equal(model[0].weight, before[0]) and not np.array_equal(model[2].weight, before[1])


def test_a_part_frozen_later_stays_though_it_has_a_gradient_still(rng):
    model = nn.Linear(3, 2)
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    nn.mse_loss(model(mg.ones(1, 3)), mg.zeros(1, 2)).backward()
    model.weight.requires_grad_(False)
    before = model.weight.numpy().copy(), model.bias.numpy().copy()
    optimizer.step()
    assert np.array_equal(model.weight, before[0]) and not np.array_equal(model.bias, before[1])
