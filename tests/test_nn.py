"""Modules, plain layers, dropout, losses and starting values."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn

ALLOWED = "; 3 classes allow 0 to 2: give the input one column for each class; a target that should not count is ignore_index"


@pytest.fixture
def rng():
    return np.random.default_rng(3)


class Block(nn.Module):
    """Two layers, a parameter of its own and a buffer."""

    def __init__(self, width=3):
        super().__init__()
        self.first = nn.Linear(width, 4)
        self.scale = nn.Parameter([1.0, 2.0])
        self.register_buffer("count", mg.tensor([7]))
        self.drop = nn.Dropout(0.25)
        self.note = "no tensor"
        self.plain = mg.tensor([1.0])  # neither parameter nor buffer

    def forward(self, x):
        return self.drop(self.first(x)) * self.scale[0]


class Tied(nn.Module):
    """A language model's old trick: the output layer's weight is the embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, indices):
        return self.head(self.embedding(indices))


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = Block()
        self.right = Block()


# ---- modules


def test_parameter_is_a_copy_with_a_mark():
    source = np.array([1.0, 2.0])
    parameter = nn.Parameter(source)
    source[0] = 9.0
    assert parameter.parameter and parameter.requires_grad and parameter.is_leaf
    assert parameter.dtype == np.float64
    assert parameter.tolist() == [1.0, 2.0]
    assert not nn.Parameter(source, requires_grad=False).requires_grad
    assert not (parameter * 2.0).parameter and not parameter.detach().parameter
    with pytest.raises(mg.DtypeError):
        nn.Parameter([1, 2])


def test_names_come_in_the_order_of_assignment():
    outer = Outer()
    assert [name for name, _ in outer.named_parameters()] == [
        "left.scale", "left.first.weight", "left.first.bias", "right.scale", "right.first.weight", "right.first.bias",
    ]  # fmt: skip
    assert [name for name, _ in outer.named_buffers()] == ["left.count", "right.count"]
    assert [name for name, _ in outer.named_modules()] == ["", "left", "left.first", "left.drop", "right", "right.first", "right.drop"]
    assert list(outer.children()) == [outer.left, outer.right]
    assert [name for name, _ in outer.left.named_children()] == ["first", "drop"]
    assert list(outer.state_dict())[:4] == ["left.scale", "left.count", "left.first.weight", "left.first.bias"]
    assert len(list(outer.modules())) == 7 and len(list(outer.buffers())) == 2


def test_replacing_and_deleting_an_attribute():
    block = Block()
    block.scale = nn.Parameter([5.0])
    block.count = mg.tensor([8])
    assert block.state_dict()["scale"].tolist() == [5.0] and block.state_dict()["count"].tolist() == [8]
    del block.scale
    block.first = None
    assert list(block.state_dict()) == ["count"]


def test_tied_weights_are_one_parameter_under_two_names():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["embedding.weight"]
    assert list(model.state_dict()) == ["embedding.weight", "head.weight"]
    model([0, 1]).sum().backward()
    by_hand = Tied()
    by_hand.head.weight = nn.Parameter(model.head.weight)
    by_hand.embedding.weight.assign_(model.embedding.weight)
    by_hand([0, 1]).sum().backward()
    total = by_hand.head.weight.grad + by_hand.embedding.weight.grad
    assert np.abs((model.embedding.weight.grad - total).numpy()).max() < 1e-6
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.head.weight is twin.embedding.weight is not model.head.weight


def test_a_module_in_two_places():
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, shared)
    assert len(list(model.parameters())) == 2 and len(model) == 2
    assert list(model.children()) == [shared]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_train_and_eval_reach_every_module():
    outer = Outer()
    assert all(module.training for module in outer.modules())
    assert outer.eval() is outer
    assert not any(module.training for module in outer.modules())
    outer.train()
    assert all(module.training for module in outer.modules())


def test_requires_grad_and_zero_grad():
    block = Block()
    block.requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in block.parameters())
    assert len(list(block.parameters())) == 3
    block.requires_grad_()
    block(np.ones((2, 3), np.float32)).sum().backward()
    assert block.first.weight.grad is not None
    block.zero_grad(set_to_none=False)
    assert block.first.weight.grad.tolist() == [[0.0] * 3] * 4
    block.zero_grad()
    assert all(parameter.grad is None for parameter in block.parameters())


def test_attributes_before_init_are_refused():
    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)
            super().__init__()

    class Never(nn.Module):
        def __init__(self):
            pass

    with pytest.raises(AttributeError, match=r"^Early: call super\(\).__init__\(\) before assigning 'layer'$"):
        Early()
    with pytest.raises(AttributeError, match=r"^Never: call super\(\).__init__\(\) before registering 'x'$"):
        Never().register_buffer("x", mg.ones(1))
    with pytest.raises(AttributeError, match=r"^Never: call super\(\).__init__\(\) before anything else$"):
        list(Never().parameters())


def test_what_a_module_refuses():
    block = Block()
    with pytest.raises(ValueError, match="'inner' would make the module contain itself"):
        block.first.inner = block
    with pytest.raises(TypeError, match="buffer 'x' must be a tensor or None, got list"):
        block.register_buffer("x", [1.0])
    with pytest.raises(TypeError, match="buffer 'x' is a parameter"):
        block.register_buffer("x", nn.Parameter([1.0]))
    with pytest.raises(NotImplementedError, match="Outer has no forward"):
        Outer()(1.0)


def test_repr_is_a_tree_with_a_count():
    assert repr(Outer()) == (
        "Outer(\n"
        "  (left): Block(\n"
        "    (first): Linear(in_features=3, out_features=4, bias=True)\n"
        "    (drop): Dropout(p=0.25)\n"
        "  )\n"
        "  (right): Block(\n"
        "    (first): Linear(in_features=3, out_features=4, bias=True)\n"
        "    (drop): Dropout(p=0.25)\n"
        "  )\n"
        ")  # 36 parameters"
    )
    assert repr(nn.Embedding(1000, 12)) == "Embedding(1000, 12)  # 12,000 parameters"
    assert repr(nn.CrossEntropyLoss()) == "CrossEntropyLoss(reduction='mean')  # 0 parameters"


@pytest.mark.parametrize("twice", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_equal_and_independent(twice):
    model = Outer().eval()
    model.left.scale.requires_grad_(False)
    twin = twice(model)
    assert list(twin.state_dict()) == list(model.state_dict())
    assert not twin.training and not twin.left.scale.requires_grad and twin.right.scale.requires_grad
    assert repr(twin) == repr(model)
    x = np.ones((2, 3), np.float32)
    assert np.array_equal(twin.left(x), model.left(x))
    twin.left.first.weight.assign_(0.0)
    assert model.left.first.weight.numpy().any()
    assert twin.left.first.label() == "Linear 'left.first'"


def test_labels_follow_the_last_assignment():
    linear = nn.Linear(1, 1)
    assert linear.label() == "Linear"
    model = nn.Sequential(nn.Sequential(linear))
    assert linear.label() == "Linear '0.0'" and model.label() == "Sequential"
    outer = Outer()
    outer.extra = model
    assert linear.label() == "Linear 'extra.0.0'"


# ---- state dicts


def test_state_dict_shares_memory_and_is_detached():
    block = Block()
    state = block.state_dict()
    assert not any(tensor.requires_grad for tensor in state.values())
    block.scale.assign_([3.0, 4.0])
    assert state["scale"].tolist() == [3.0, 4.0]


@pytest.mark.parametrize("read", [lambda t: t, lambda t: t.numpy().astype("f8" if t.dtype.kind == "f" else "i8"), lambda t: t.tolist()])
def test_load_state_dict_takes_what_numpy_takes(read):
    source, target = Outer(), Outer()
    keys = target.load_state_dict({name: read(tensor) for name, tensor in source.state_dict().items()})
    assert keys == ([], [])
    for ours, theirs in zip(target.state_dict().values(), source.state_dict().values(), strict=True):
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs)
    assert all(parameter.requires_grad for parameter in target.parameters())


def test_load_state_dict_from_own_memory():
    """Every value is read before any is written: two parameters can be exchanged."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    first, second = model[0].weight.numpy().copy(), model[1].weight.numpy().copy()
    state = model.state_dict()
    model.load_state_dict(state | {"0.weight": state["1.weight"], "1.weight": state["0.weight"]})
    assert np.array_equal(model[0].weight, second) and np.array_equal(model[1].weight, first)


class Unreadable:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("on another device")


def test_load_state_dict_lists_everything_and_changes_nothing():
    outer = Outer()
    before = {name: tensor.numpy().copy() for name, tensor in outer.state_dict().items()}
    state = {name: tensor.numpy() + 1 for name, tensor in outer.state_dict().items()}
    del state["left.scale"], state["right.count"]
    state["left.first.weight"] = np.zeros((3, 4))
    state["right.scale"] = np.zeros(2, complex)
    state["right.first.bias"] = Unreadable()
    state["more"] = np.zeros(1)
    with pytest.raises(nn.StateDictError) as caught:
        outer.load_state_dict(state)
    assert str(caught.value).split("\n  ") == [
        "Outer: the state dict does not fit, nothing was loaded",
        "missing: left.scale",
        "missing: right.count",
        "unexpected: more",
        "wrong shape: left.first.weight has (3, 4), expected (4, 3)",
        "wrong dtype: right.scale is complex128, expected float32",
        "unreadable: right.first.bias: on another device",
    ]
    for name, tensor in outer.state_dict().items():
        assert np.array_equal(tensor, before[name])


def test_load_state_dict_not_strict():
    outer = Outer()
    state = {"left.scale": [5.0, 6.0], "more": [1.0]}
    keys = outer.load_state_dict(state, strict=False)
    assert outer.left.scale.tolist() == [5.0, 6.0]
    assert keys.unexpected_keys == ["more"] and len(keys.missing_keys) == 7
    with pytest.raises(nn.StateDictError, match=r"wrong shape: left.scale has \(3,\), expected \(2,\)$"):
        outer.load_state_dict({"left.scale": [1.0, 2.0, 3.0]}, strict=False)


def test_loading_between_forward_and_backward_is_noticed():
    linear = nn.Linear(2, 2)
    loss = linear(mg.ones(1, 2, requires_grad=True)).sum()
    linear.load_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(mg.MutationError, match="assign_"):
        loss.backward()


# ---- layers


def test_sequential(rng):
    layers = [nn.Linear(2, 3), nn.Dropout(0.0), nn.Linear(3, 1)]
    model = nn.Sequential(*layers)
    x = rng.standard_normal((5, 2)).astype(np.float32)
    assert np.array_equal(model(x), layers[2](layers[0](x)))
    assert len(model) == 3 and list(model) == layers and model[0] is layers[0] and model[-1] is layers[2]
    part = model[1:]
    assert isinstance(part, nn.Sequential) and list(part) == layers[1:]
    assert list(part.state_dict()) == ["1.weight", "1.bias"]
    assert layers[2].label() == "Linear '2'"  # a slice looks at the layers, it does not move them
    assert len(nn.Sequential()) == 0
    with pytest.raises(IndexError):
        model[3]
    with pytest.raises(TypeError, match="^Sequential takes modules, got function in place 1$"):
        nn.Sequential(layers[0], lambda x: x)


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3), (0, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(rng, shape, bias):
    layer = nn.Linear(3, 2, bias, dtype="float64")
    x = rng.standard_normal(shape)
    expected = x @ layer.weight.numpy().T + (layer.bias.numpy() if bias else 0.0)
    assert np.allclose(layer(x), expected, rtol=0, atol=1e-14)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"][: 1 + bias]


def test_linear_starts_within_one_over_root_features():
    layer = nn.Linear(100, 50)
    for parameter in layer.parameters():
        assert np.abs(parameter.numpy()).max() <= 0.1
        assert abs(parameter.numpy().std() - 0.1 / np.sqrt(3)) < 0.01


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (
            lambda m: m[0](mg.zeros(5, 4)),
            mg.ShapeError,
            "Linear '0': input has 4 features (the last axis of shape (5, 4)), expected in_features=3",
        ),
        (lambda m: m[0](mg.zeros(())), mg.ShapeError, "Linear '0': input has no axis, expected in_features=3"),
        (
            lambda m: m[0](np.zeros((5, 3))),
            mg.DtypeError,
            "Linear '0': input is float64, the layer's weights are float32: convert it with .astype('float32'), or build the layer with "
            "dtype='float64'",
        ),
        (lambda m: m[1]([0, 10]), mg.ShapeError, "Embedding '1': indices run from 0 to 10, num_embeddings=10 allows 0 to 9"),
        (lambda m: m[1]([-1]), mg.ShapeError, "Embedding '1': indices run from -1 to -1, num_embeddings=10 allows 0 to 9"),
        (
            lambda m: m[1](mg.zeros(2)),
            mg.DtypeError,
            "Embedding '1': indices are float32, expected whole numbers: convert them with .astype('int64')",
        ),
        (lambda m: nn.Linear(0, 3), ValueError, "Linear: in_features must be a whole number from 1, got 0"),
        (lambda m: nn.Embedding(3, 2.0), ValueError, "Embedding: embedding_dim must be a whole number from 1, got 2.0"),
    ],
)
def test_errors_are_sentences(call, kind, sentence):
    with pytest.raises(kind) as caught:
        call(nn.Sequential(nn.Linear(3, 2), nn.Embedding(10, 2)))
    assert str(caught.value) == sentence


def test_embedding_adds_the_gradients_of_repeated_indices(rng):
    layer = nn.Embedding(5, 3, dtype="float64")
    indices = np.array([[1, 4, 1], [1, 0, 4]])
    out = layer(mg.tensor(indices))
    assert np.array_equal(out, layer.weight.numpy()[indices])
    cotangent = rng.standard_normal((2, 3, 3))
    (out * cotangent).sum().backward()
    expected = np.zeros((5, 3))
    np.add.at(expected, indices, cotangent)
    assert np.allclose(layer.weight.grad, expected, rtol=0, atol=1e-14)
    assert layer(np.zeros((0, 2), int)).shape == layer([[], []]).swapaxes(0, 1).shape == (0, 2, 3)
    indices[:] = 3  # the layer keeps a copy
    assert np.array_equal(out[0, 0], layer.weight[1])


def test_embedding_starts_standard_normal():
    values = nn.Embedding(100, 100).weight.numpy()
    assert abs(values.mean()) < 0.05 and abs(values.std() - 1.0) < 0.05


# ---- dropout


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_statistics(p, dtype):
    x = mg.ones(200, 200, dtype=dtype, requires_grad=True)
    out = nn.dropout(x, p)
    values = out.numpy()
    assert out.dtype == x.dtype
    assert abs((values == 0).mean() - p) < 0.01
    assert np.allclose(values[values != 0], 1 / (1 - p))
    assert abs(values.mean() - 1.0) < 5 * np.sqrt(p / (1 - p)) / 200
    out.sum().backward()
    assert np.array_equal(x.grad, values)  # the same mask, the same scale


def test_dropout_off_is_the_input_itself():
    x = mg.ones(3)
    assert nn.dropout(x, 0.5, training=False) is x and nn.dropout(x, 0.0) is x
    layer = nn.Dropout(0.5)
    assert layer.eval()(x) is x and layer.train()(x) is not x


def test_dropout_of_everything_is_zero_never_nan():
    x = mg.tensor([1.0, np.inf, np.nan], requires_grad=True)
    out = nn.dropout(x, 1.0)
    assert out.tolist() == [0.0, 0.0, 0.0]
    out.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_dropout_draws_anew_each_call_and_follows_the_seed():
    x = mg.ones(100)
    first, second = nn.dropout(x), nn.dropout(x)
    mg.manual_seed(0)
    again = nn.dropout(x)
    assert np.array_equal(first, again) and not np.array_equal(first, second)


def test_dropout_refuses():
    with pytest.raises(ValueError, match="^dropout: p is the probability to zero an element, from 0 to 1; got -0.1$"):
        nn.dropout(mg.ones(1), -0.1)
    with pytest.raises(ValueError, match=r"^Dropout: .* got nan$"):
        nn.Dropout(float("nan"))
    with pytest.raises(mg.DtypeError, match="dropout scales its input, which must be floating; got int64"):
        nn.dropout(mg.tensor([1]))


# ---- losses


def log_softmax(x, axis):
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


@pytest.mark.parametrize("shape", [(4,), (5, 4), (5, 4, 3), (2, 4, 3, 2)])
@pytest.mark.parametrize("as_target", [lambda t: t, mg.tensor, lambda t: t.astype(np.uint8)])
def test_cross_entropy_against_its_formula(rng, shape, as_target):
    axis = min(len(shape) - 1, 1)
    logits = mg.tensor(rng.standard_normal(shape) * 3, requires_grad=True)
    target = rng.integers(0, 4, shape[:axis] + shape[axis + 1 :])
    one_hot = np.moveaxis(np.eye(4)[target], -1, axis)
    expected = -(log_softmax(logits.numpy(), axis) * one_hot).sum(axis=axis)
    losses = nn.cross_entropy(logits, as_target(np.array(target)), reduction="none")
    assert losses.shape == target.shape
    assert np.allclose(losses, expected, rtol=0, atol=1e-13)
    assert abs(nn.cross_entropy(logits, target).item() - expected.mean()) < 1e-13
    assert abs(nn.CrossEntropyLoss(reduction="sum")(logits, target).item() - expected.sum()) < 1e-12
    cotangent = rng.standard_normal(target.shape)
    losses.backward(cotangent)
    by_hand = np.expand_dims(cotangent, axis) * (np.exp(log_softmax(logits.numpy(), axis)) - one_hot)
    assert np.allclose(logits.grad, by_hand, rtol=0, atol=1e-13)


@pytest.mark.filterwarnings("ignore:cross_entropy. each row:UserWarning")  # of [0.5, 0.5], which are logits too
@settings(deadline=None, max_examples=30)
@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.integers(0, 1))
def test_cross_entropy_stays_finite(a, b, target):
    logits = mg.tensor([[a, b]], requires_grad=True)
    loss = nn.cross_entropy(logits, [target])
    loss.backward()
    assert np.isfinite(loss.item()) and loss.item() >= 0
    assert np.isfinite(logits.grad.numpy()).all()


def test_second_order_of_losses(rng):
    """Hessians by hand: of cross_entropy diag(p) - p p^T, of mse 2 / n."""
    logits, v = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    target = np.array([1, 3, 0])
    p = np.exp(log_softmax(logits, 1))
    expected = (p * v - p * (p * v).sum(axis=1, keepdims=True)) / 3
    found = mg.hvp(lambda x: nn.cross_entropy(x, target), mg.tensor(logits), mg.tensor(v))
    assert np.allclose(found, expected, rtol=0, atol=1e-13)
    found = mg.hvp(lambda x: nn.mse_loss(x, mg.tensor(logits)), mg.tensor(v), mg.tensor(v))
    assert np.allclose(found, 2 * v / 12, rtol=0, atol=1e-13)


def test_mse_against_its_formula(rng):
    a, b = rng.standard_normal((2, 3, 4))
    x, y = mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)
    assert np.allclose(nn.mse_loss(x, y, "none"), (a - b) ** 2)
    assert abs(nn.MSELoss("sum")(x, y).item() - ((a - b) ** 2).sum()) < 1e-13
    loss = nn.mse_loss(x, y)
    assert abs(loss.item() - ((a - b) ** 2).mean()) < 1e-14
    loss.backward()
    assert np.allclose(x.grad, (a - b) / 6) and np.allclose(y.grad, (b - a) / 6)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (
            lambda: nn.mse_loss(mg.ones(3, 1), mg.ones(3)),
            mg.ShapeError,
            "mse_loss: input has shape (3, 1), target (3,): they must be equal, reshape one of them",
        ),
        (lambda: nn.mse_loss([1.0], [1.0], "avg"), ValueError, "mse_loss: reduction='avg' is not one of 'none', 'mean', 'sum'"),
        (lambda: nn.MSELoss("avg"), ValueError, "MSELoss: reduction='avg' is not one of 'none', 'mean', 'sum'"),
        (
            lambda: nn.cross_entropy(mg.ones(5, 7, 3), np.zeros((5, 7), int)),
            mg.ShapeError,
            "cross_entropy: logits of shape (5, 7, 3) have their classes on axis 1 and want targets of shape (5, 3), got (5, 7); if the "
            "classes are the last axis, reshape the logits to (-1, C) and the targets to (-1)",
        ),
        (
            lambda: nn.cross_entropy(mg.ones(5, 3), np.zeros((5, 1), int)),
            mg.ShapeError,
            "cross_entropy: logits of shape (5, 3) have their classes on axis 1 and want targets of shape (5,), got (5, 1)",
        ),
        (
            lambda: nn.cross_entropy(mg.ones(2, 3), [0.0, 1.0]),
            mg.DtypeError,
            "cross_entropy: targets are class numbers (whole numbers), got float64; make them with .astype('int64')",
        ),
        (
            lambda: nn.cross_entropy([[1, 2]], [0]),
            mg.DtypeError,
            "cross_entropy: logits must be floating, got int64: convert it with .astype('float32')",
        ),
        (lambda: nn.cross_entropy(mg.ones(1, 3), [3]), mg.ShapeError, "cross_entropy: targets run from 3 to 3" + ALLOWED),
        (lambda: nn.cross_entropy(mg.ones(1, 3), [-1]), mg.ShapeError, "cross_entropy: targets run from -1 to -1" + ALLOWED),
    ],
)
def test_losses_refuse_in_sentences(call, kind, sentence):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == sentence


def test_losses_of_nothing():
    logits = mg.zeros(0, 3, requires_grad=True)
    assert nn.cross_entropy(logits, np.zeros(0, int), reduction="none").shape == (0,)
    nn.cross_entropy(logits, [], reduction="sum").backward()
    assert logits.grad.shape == (0, 3)


# ---- starting values


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_starting_values_in_place(dtype):
    tensor = nn.Parameter(np.zeros((40, 60), dtype))
    assert nn.init.uniform_(tensor, -2.0, 3.0) is tensor
    assert tensor.numpy().min() >= -2.0 and tensor.numpy().max() <= 3.0 and abs(tensor.numpy().mean() - 0.5) < 0.2
    nn.init.normal_(tensor, 4.0, 0.5)
    assert abs(tensor.numpy().mean() - 4.0) < 0.05 and abs(tensor.numpy().std() - 0.5) < 0.05
    nn.init.xavier_uniform_(tensor, gain=2.0)
    bound = 2 * np.sqrt(6 / 100)
    assert 0.95 * bound < np.abs(tensor.numpy()).max() <= bound
    assert np.array_equal(nn.init.constant_(tensor, 1.5), np.full((40, 60), 1.5))
    assert not nn.init.zeros_(tensor).numpy().any()
    assert tensor.dtype == dtype and tensor.requires_grad and tensor.is_leaf


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (2, 3, 2)])
def test_orthogonal(shape):
    matrix = nn.init.orthogonal_(mg.zeros(shape, dtype="float64"), gain=3.0).numpy().reshape(shape[0], -1)
    gram = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    assert np.allclose(gram, 9 * np.eye(len(gram)), rtol=0, atol=1e-12)


def test_orthogonal_prefers_no_sign():
    """LAPACK's q alone is +1 for every 1 x 1 matrix; a uniform draw takes both signs."""
    assert {nn.init.orthogonal_(mg.zeros(1, 1)).item() for _ in range(50)} == {-1.0, 1.0}


def test_starting_values_follow_the_seed_and_refuse_vectors():
    drawn = []
    for dtype in ("float32", "float64"):
        mg.manual_seed(5)
        drawn.append(nn.LSTM(3, 4, dtype=dtype).weight_ih_l0.numpy())
    assert np.array_equal(drawn[0], drawn[1].astype("float32"))  # one seed, one model, whatever the dtype
    for fill in (nn.init.orthogonal_, nn.init.xavier_uniform_):
        with pytest.raises(mg.ShapeError, match=r"two axes or more.*this tensor has shape \(3,\)"):
            fill(mg.zeros(3))


def test_a_parameter_is_not_replaced_unnoticed():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="'weight' is a parameter"):
        layer.weight = mg.ones(2, 2, requires_grad=True)
    layer.weight = nn.Parameter(np.ones((2, 2), np.float32))
    assert len(list(layer.parameters())) == 2
    with pytest.raises(TypeError, match="wants a dict from names to arrays, got Linear"):
        layer.load_state_dict(layer)
