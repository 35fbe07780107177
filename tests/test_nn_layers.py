"""Normalisation, convolution, pooling, embeddings, activations: against PyTorch where it is installed, by their formulas everywhere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from beside_torch import compare

import minigrad as mg
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.testing import check_grads


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def torch_module():
    return pytest.importorskip("torch")


def moved(ours, theirs):
    """The same weights in both, other than those they start with: our module from the state of PyTorch's."""
    torch = torch_module()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(torch.randn(parameter.shape, dtype=parameter.dtype, generator=torch.Generator().manual_seed(parameter.numel())))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def same_state(ours, theirs, tolerance=1e-12):
    mine, other = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(other)
    for name, tensor in mine.items():
        assert tensor.shape == tuple(other[name].shape) and str(tensor.dtype) == str(other[name].dtype).removeprefix("torch.")
        assert np.allclose(tensor, other[name].numpy(), rtol=tolerance, atol=tolerance), name


# ---- layer norm


@pytest.mark.parametrize(("shape", "over"), [((4,), 4), ((3, 4), 4), ((2, 3, 4), (3, 4)), ((2, 3, 4), [4]), ((2, 2, 1), 1), ((0, 4), 4)])
@pytest.mark.parametrize("affine", [(True, True), (True, False), (False, True)])
def test_layer_norm(rng, shape, over, affine):
    x = rng.standard_normal(shape) * 3 + 1
    layer = nn.LayerNorm(over, 1e-3, *affine, dtype="float64")
    for parameter in layer.parameters():
        parameter.assign_(rng.standard_normal(parameter.shape))
    axes = tuple(range(-len(layer.normalized_shape), 0))
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-3)
    expected = expected if layer.weight is None else expected * layer.weight.numpy()
    expected = expected if layer.bias is None else expected + layer.bias.numpy()
    assert np.allclose(layer(x), expected, rtol=0, atol=1e-12)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"][: affine[0] * (1 + affine[1])]
    assert np.array_equal(F.layer_norm(x, over, layer.weight, layer.bias, 1e-3), layer(x))
    if x.size:
        check_grads(
            lambda x, w, b: nn.layer_norm(x, over, w, b), (mg.tensor(x), *rng.standard_normal((2, *layer.normalized_shape))), tol=1e-5
        )


@pytest.mark.parametrize(("shape", "over"), [((3, 4), (4,)), ((2, 3, 4), (3, 4)), ((2, 5, 3, 4), (4,))])
def test_layer_norm_is_that_of_torch(rng, shape, over):
    torch = torch_module()
    arrays = [rng.standard_normal(shape), *rng.standard_normal((2, *over))]
    compare(lambda x, w, b: nn.layer_norm(x, over, w, b), lambda x, w, b: torch.nn.functional.layer_norm(x, over, w, b), arrays)
    same_state(*moved(nn.LayerNorm(over), torch.nn.LayerNorm(over)))


# ---- batch norm


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 6), (2, 3, 1)])
def test_batch_norm_step_by_step_as_torch(rng, shape, momentum, affine, tracked):
    torch = torch_module()
    settings = {"eps": 1e-3, "momentum": momentum, "affine": affine, "track_running_stats": tracked}
    ours, theirs = moved(nn.BatchNorm1d(3, **settings, dtype="float64"), torch.nn.BatchNorm1d(3, **settings, dtype=torch.float64))
    for mode in (True, True, False, True, False):
        ours.train(mode), theirs.train(mode)
        compare(ours, theirs, [rng.standard_normal(shape) * 2 + 1])
        same_state(ours, theirs)
    with mg.no_grad(), torch.no_grad():
        x = rng.standard_normal(shape)
        ours.train()(x), theirs.train()(torch.tensor(x))
    same_state(ours, theirs)


def test_batch_norm_by_its_formula(rng):
    """Biased variance to normalise, unbiased for the running one; both moved by the momentum from 0 and 1."""
    layer = nn.BatchNorm1d(3, momentum=0.25, dtype="float64")
    layer.weight.assign_([2.0, 3.0, 4.0])
    layer.bias.assign_([-1.0, 0.0, 1.0])
    x = rng.standard_normal((4, 3, 5)) + 2
    rows = x.swapaxes(1, 2).reshape(20, 3)
    centred = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5)
    expected = (centred * [2.0, 3.0, 4.0] + [-1.0, 0.0, 1.0]).reshape(4, 5, 3).swapaxes(1, 2)
    assert np.allclose(layer(x), expected, rtol=0, atol=1e-12)
    assert np.allclose(layer.running_mean, 0.25 * rows.mean(0)) and np.allclose(layer.running_var, 0.75 + 0.25 * rows.var(0, ddof=1))
    assert layer.num_batches_tracked.item() == 1 and layer.num_batches_tracked.dtype == np.int64
    layer.eval()
    mean, var = layer.running_mean.numpy().copy(), layer.running_var.numpy().copy()
    still = (rows - mean) / np.sqrt(var + 1e-5) * [2.0, 3.0, 4.0] + [-1.0, 0.0, 1.0]
    assert np.allclose(layer(x), still.reshape(4, 5, 3).swapaxes(1, 2), rtol=0, atol=1e-12)
    assert np.array_equal(layer.running_mean, mean) and layer.num_batches_tracked.item() == 1
    layer.reset_running_stats()
    assert layer.running_var.tolist() == [1.0] * 3 and layer.num_batches_tracked.item() == 0
    assert list(layer.state_dict()) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]


def test_batch_norm_without_momentum_keeps_the_plain_average(rng):
    layer = nn.BatchNorm1d(2, momentum=None, dtype="float64")
    batches = rng.standard_normal((3, 6, 2))
    for batch in batches:
        layer(batch)
    assert np.allclose(layer.running_mean, batches.mean((0, 1))) and np.allclose(layer.running_var, batches.var(1, ddof=1).mean(0))


def test_batch_norm_in_a_step_of_a_scan_counts_every_step_once(rng):
    layers = nn.BatchNorm1d(3, dtype="float64"), nn.BatchNorm1d(3, dtype="float64")
    xs = mg.tensor(rng.standard_normal((6, 4, 3)))
    mg.scan(lambda h, x: (layers[0](h + x).tanh(), None), mg.zeros(4, 3, dtype="float64"), xs)
    h = mg.zeros(4, 3, dtype="float64")
    for x in xs:
        h = layers[1](h + x).tanh()
    for name, tensor in layers[1].state_dict().items():
        assert np.array_equal(layers[0].state_dict()[name], tensor), name
    means = [mg.zeros(3, dtype="float64") for _ in range(2)]
    mg.scan(lambda h, x: (nn.batch_norm(h + x, means[0], None, training=True), None), mg.zeros(4, 3, dtype="float64"), xs)
    h = mg.zeros(4, 3, dtype="float64")
    for x in xs:
        h = nn.batch_norm(h + x, means[1], None, training=True)
    assert np.array_equal(*means) and layers[1].num_batches_tracked.item() == 6


def test_batch_norm_gradients(rng):
    x, w, b = mg.tensor(rng.standard_normal((4, 3, 2))), rng.uniform(1, 2, 3), rng.standard_normal(3)
    check_grads(lambda x, w, b: nn.batch_norm(x, None, None, w, b, training=True), (x, mg.tensor(w), mg.tensor(b)), tol=1e-5)
    mean, var = mg.tensor(rng.standard_normal(3)), mg.tensor(rng.uniform(1, 2, 3))
    check_grads(lambda x, w, b: nn.batch_norm(x, mean, var, w, b), (x, mg.tensor(w), mg.tensor(b)))


# ---- convolution

CONVOLUTIONS = [
    {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    for kernel, stride, padding, dilation, groups in itertools.product((1, 2, 3), (1, 2), (0, 2, "same", "valid"), (1, 2), (1, 2))
    if padding != "same" or stride == 1
]


def by_loops(x, weight, bias, stride, padding, dilation, groups):
    """The definition, one multiplication after another."""
    size = weight.shape[2]
    total = dilation * (size - 1) if padding == "same" else 0
    left, right = {"same": (total // 2, total - total // 2), "valid": (0, 0)}.get(padding, (padding, padding))
    x = np.pad(x, ((0, 0), (0, 0), (left, right)))
    length = (x.shape[2] - dilation * (size - 1) - 1) // stride + 1
    out = np.zeros((len(x), len(weight), length))
    inner, outer = weight.shape[1], len(weight) // groups
    for n, o, t, c, k in itertools.product(range(len(x)), range(len(weight)), range(length), range(inner), range(size)):
        out[n, o, t] += weight[o, c, k] * x[n, o // outer * inner + c, t * stride + k * dilation]
    return out + (0.0 if bias is None else bias[:, None])


@pytest.mark.parametrize("settings", CONVOLUTIONS, ids=str)
def test_convolution_by_its_definition(rng, settings):
    given = dict(settings)
    size, groups = given.pop("kernel"), given["groups"]
    x, weight, bias = rng.standard_normal((2, 4, 7)), rng.standard_normal((6, 4 // groups, size)), rng.standard_normal(6)
    assert np.allclose(F.conv1d(x, weight, bias, **given), by_loops(x, weight, bias, **given), rtol=0, atol=1e-12)
    assert np.allclose(F.conv1d(x[1], weight, None, **given), by_loops(x, weight, None, **given)[1], rtol=0, atol=1e-12)
    check_grads(lambda *s: F.conv1d(*s, **given), (mg.tensor(x[:, :, :5]), mg.tensor(weight), mg.tensor(bias)), directions=1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("settings", CONVOLUTIONS, ids=str)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_convolution_is_that_of_torch(rng, settings, bias):
    f = torch_module().nn.functional
    given = dict(settings)
    size, groups = given.pop("kernel"), given["groups"]
    arrays = [rng.standard_normal((3, 4, 9)), rng.standard_normal((6, 4 // groups, size)), *([rng.standard_normal(6)] if bias else [])]
    compare(lambda *s: F.conv1d(*s, **given), lambda *s: f.conv1d(*s, **given), arrays)


def test_convolution_layer(rng):
    layer = nn.Conv1d(4, 6, (3,), stride=(2,), padding=1, groups=2, dtype="float64")
    x = rng.standard_normal((2, 4, 9))
    assert np.allclose(layer(x), by_loops(x, layer.weight.numpy(), layer.bias.numpy(), 2, 1, 1, 2), rtol=0, atol=1e-12)
    assert repr(layer) == "Conv1d(4, 6, kernel_size=3, stride=2, padding=1, groups=2)  # 42 parameters"
    assert nn.Conv1d(1, 1, 2, bias=False).bias is None and layer(np.zeros((0, 4, 9))).shape == (0, 6, 5)
    big = nn.Conv1d(25, 80, 4)
    for parameter in big.parameters():
        assert np.abs(parameter.numpy()).max() <= 0.1 and abs(parameter.numpy().std() - 0.1 / np.sqrt(3)) < 0.015


@pytest.mark.skipif(mg.config.kernels() is None, reason="bits of rows are a promise of the compiled kernels")
def test_a_row_of_a_convolution_does_not_depend_on_the_batch_around_it(rng):
    layer = nn.Conv1d(8, 16, 3, padding=1)
    x = rng.standard_normal((5, 8, 20)).astype(np.float32)
    whole = layer(x).numpy()
    for n in range(5):
        assert np.array_equal(layer(x[n : n + 1]).numpy()[0], whole[n])


# ---- pooling


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, None, 0), (3, 1, 1), (3, 2, 0), (2, 3, 1), ((2,), (1,), 0), (4, 4, 2)])
def test_pooling(rng, size, stride, padding):
    x = rng.standard_normal((2, 3, 9))
    k, s = np.ravel(size)[0], np.ravel(size if stride is None else stride)[0]
    starts = range(0, 9 + 2 * padding - k + 1, s)
    low, zero, one = (
        np.pad(a, ((0, 0), (0, 0), (padding, padding)), constant_values=v) for a, v in ((x, -np.inf), (x, 0), (np.ones_like(x), 0))
    )
    largest = np.stack([low[..., i : i + k].max(-1) for i in starts], -1)
    total, count = (np.stack([a[..., i : i + k].sum(-1) for i in starts], -1) for a in (zero, one))
    assert np.array_equal(nn.MaxPool1d(size, stride, padding)(x), largest)
    assert np.allclose(nn.AvgPool1d(size, stride, padding)(x), total / k, rtol=0, atol=1e-14)
    assert np.allclose(nn.AvgPool1d(size, stride, padding, count_include_pad=False)(x[0]), (total / count)[0], rtol=0, atol=1e-14)
    for pool in (nn.MaxPool1d(size, stride, padding), nn.AvgPool1d(size, stride, padding, count_include_pad=False)):
        check_grads(pool, mg.tensor(rng.permutation(54).reshape(2, 3, 9) * 0.3))
    f = torch_module().nn.functional
    ties = np.round(x)
    for data in (x, ties):
        compare(lambda x: F.max_pool1d(x, size, stride, padding), lambda x: f.max_pool1d(x, size, stride, padding), [data])
    for counted in (True, False):
        compare(
            lambda x: F.avg_pool1d(x, size, stride, padding, count_include_pad=counted),  # noqa: B023
            lambda x: f.avg_pool1d(x, size, stride, padding, count_include_pad=counted),  # noqa: B023
            [x],
        )


def test_dilated_pooling_and_ties(rng):
    x = mg.tensor([[[1.0, 3.0, 3.0, 0.0]]], requires_grad=True)
    nn.max_pool1d(x, 2, stride=1).backward([[[1.0, 10.0, 100.0]]])
    assert x.grad.tolist() == [[[0.0, 11.0, 100.0, 0.0]]]  # the first of a tie has it all
    torch = torch_module()
    compare(
        lambda x: F.max_pool1d(x, 3, 1, 1, 2), lambda x: torch.nn.functional.max_pool1d(x, 3, 1, 1, 2), [rng.standard_normal((2, 3, 9))]
    )


@pytest.mark.parametrize("parts", [1, 2, 4, 7, 9])
def test_adaptive_pooling(rng, parts):
    x = rng.standard_normal((2, 3, 7))
    cuts = [(int(np.floor(i * 7 / parts)), int(np.ceil((i + 1) * 7 / parts))) for i in range(parts)]
    assert np.allclose(nn.AdaptiveAvgPool1d(parts)(x), np.stack([x[..., a:b].mean(-1) for a, b in cuts], -1), rtol=0, atol=1e-14)
    assert np.array_equal(nn.AdaptiveMaxPool1d(parts)(x), np.stack([x[..., a:b].max(-1) for a, b in cuts], -1))
    assert nn.AdaptiveAvgPool1d((parts,))(x[0]).shape == (3, parts)
    f = torch_module().nn.functional
    compare(lambda x: F.adaptive_avg_pool1d(x, parts), lambda x: f.adaptive_avg_pool1d(x, parts), [x])
    compare(lambda x: F.adaptive_max_pool1d(x, parts), lambda x: f.adaptive_max_pool1d(x, parts), [x])


# ---- embeddings


def test_the_row_of_the_padding_is_zero_and_stays(rng):
    layer = nn.Embedding(5, 3, padding_idx=-2, dtype="float64")
    assert layer.padding_idx == 3 and not layer.weight.numpy()[3].any() and layer.weight.numpy()[[0, 1, 2, 4]].all()
    assert repr(layer) == "Embedding(5, 3, padding_idx=3)  # 15 parameters"
    places, seed = np.array([[3, 1], [1, 3]]), rng.standard_normal((2, 2, 3))
    (layer(places) * seed).sum().backward()
    expected = np.zeros((5, 3))
    expected[1] = seed[0, 1] + seed[1, 0]
    assert np.array_equal(layer.weight.grad, expected)
    assert np.array_equal(F.embedding(places, layer.weight, 3), layer(places))


def test_embedding_from_vectors_is_frozen():
    table = np.arange(6.0).reshape(3, 2)
    layer = nn.Embedding.from_pretrained(table, padding_idx=0)
    assert layer.weight.dtype == np.float64 and not layer.weight.requires_grad and np.array_equal(layer.weight, table)
    table[:] = 0
    assert layer.weight.numpy().any() and nn.Embedding.from_pretrained([[1.0]], freeze=False).weight.requires_grad


BAGS = [np.array([[0, 1, 1], [4, 2, 0]]), np.array([[3, 3], [1, 1], [3, 0]])]


@pytest.mark.parametrize("mode", ["mean", "sum", "max"])
@pytest.mark.parametrize("padding", [None, 3])
def test_bags_by_hand(rng, mode, padding):
    layer = nn.EmbeddingBag(5, 4, mode=mode, padding_idx=padding, dtype="float64")
    table = layer.weight.numpy()
    made = {"mean": lambda rows: rows.mean(0), "sum": lambda rows: rows.sum(0), "max": lambda rows: rows.max(0)}[mode]

    def by_hand(bag):
        rows = table[[i for i in bag if i != padding]]
        return made(rows) if len(rows) else np.zeros(4)

    for bags in BAGS:
        assert np.allclose(layer(bags), [by_hand(bag) for bag in bags], rtol=0, atol=1e-14)
    row = np.array([0, 3, 1, 1, 4, 3])
    for offsets in ([0, 2, 2, 5], [0], [0, 6], [0, 0, 1]):
        cut = [row[a:b] for a, b in itertools.pairwise([*offsets, 6])]
        assert np.allclose(layer(row, offsets), [by_hand(bag) for bag in cut], rtol=0, atol=1e-14)
    assert layer(np.zeros((2, 0), int)).tolist() == [[0.0] * 4] * 2 and layer(np.zeros(0, int), [0, 0]).shape == (2, 4)

    def loss(weight):
        twin = nn.EmbeddingBag(5, 4, mode=mode, padding_idx=padding, dtype="float64")
        vars(twin)["weight"] = weight
        return twin(BAGS[1]) * rng.uniform(1, 1, (3, 4)), twin(row, [0, 2, 2, 5])

    if mode != "max":  # equal rows tie
        check_grads(loss, mg.tensor(table))


@pytest.mark.parametrize("mode", ["mean", "sum", "max"])
@pytest.mark.parametrize("padding", [None, 3])
@pytest.mark.parametrize("last", [False, True])
def test_bags_are_those_of_torch(rng, mode, padding, last):
    torch = torch_module()
    settings = {"mode": mode, "padding_idx": padding, "include_last_offset": last}
    ours, theirs = moved(nn.EmbeddingBag(5, 4, **settings, dtype="float64"), torch.nn.EmbeddingBag(5, 4, **settings, dtype=torch.float64))
    same_state(ours, theirs)
    row, offsets = np.array([0, 3, 1, 1, 4, 2]), np.array([0, 2, 2, 5, 6][: 4 + last])
    for bags in BAGS:
        weights = [rng.standard_normal(bags.shape)] if mode == "sum" else []
        for inputs, extra in (((bags,), []), ((row, offsets), []), ((bags,), weights)):
            other = [torch.tensor(array) for array in inputs]
            more = {"per_sample_weights": mg.tensor(extra[0], requires_grad=True)} if extra else {}
            their = {"per_sample_weights": torch.tensor(extra[0], requires_grad=True)} if extra else {}
            found, expected = ours(*inputs, **more), theirs(*other, **their)
            assert np.allclose(found, expected.detach().numpy(), rtol=0, atol=1e-12)
            seed = rng.standard_normal(found.shape)
            ours.zero_grad(), theirs.zero_grad()
            found.backward(seed), expected.backward(torch.tensor(seed))
            assert np.allclose(ours.weight.grad, theirs.weight.grad.numpy(), rtol=0, atol=1e-12)
            if extra:
                assert np.allclose(more["per_sample_weights"].grad, their["per_sample_weights"].grad.numpy(), rtol=0, atol=1e-12)


# ---- activations and the rest of functional

ACTIVATIONS = [
    (nn.ReLU(inplace=True), "ReLU", {}), (nn.Tanh(), "Tanh", {}), (nn.Sigmoid(), "Sigmoid", {}), (nn.LogSigmoid(), "LogSigmoid", {}),
    (nn.SiLU(), "SiLU", {}), (nn.SELU(), "SELU", {}), (nn.GELU(), "GELU", {}), (nn.GELU("tanh"), "GELU", {"approximate": "tanh"}),
    (nn.ELU(0.7), "ELU", {"alpha": 0.7}), (nn.LeakyReLU(0.3), "LeakyReLU", {"negative_slope": 0.3}),
    (nn.Softplus(2.0), "Softplus", {"beta": 2.0, "threshold": 1e9}), (nn.Softplus(), "Softplus", {"threshold": 1e9}),
    (nn.Hardtanh(-0.5, 2.0), "Hardtanh", {"min_val": -0.5, "max_val": 2.0}), (nn.Softmax(dim=1), "Softmax", {"dim": 1}),
    (nn.LogSoftmax(dim=0), "LogSoftmax", {"dim": 0}), (nn.Identity(3, depth=2), "Identity", {}),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "name", "settings"), ACTIVATIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_activations(rng, ours, name, settings):
    x = rng.standard_normal((3, 4)) * 2
    check_grads(ours, mg.tensor(x))
    assert not list(ours.parameters()) and ours(x).shape == (3, 4)
    torch = torch_module()
    compare(ours, getattr(torch.nn, name)(**settings), [x])


def test_activations_show_their_settings():
    shown = [repr(module).partition("  #")[0] for module in (nn.ReLU(), nn.GELU(), nn.ELU(0.5), nn.Softmax(dim=1), nn.Hardtanh())]
    assert shown == ["ReLU()", "GELU(approximate='none')", "ELU(alpha=0.5)", "Softmax(dim=1)", "Hardtanh(min_val=-1.0, max_val=1.0)"]


def test_flatten_and_identity(rng):
    x = rng.standard_normal((2, 3, 4, 5))
    assert np.array_equal(nn.Flatten()(x), x.reshape(2, 60)) and np.array_equal(nn.Flatten(-3, 2)(x), x.reshape(2, 12, 5))
    assert mg.tensor(x).flatten(2).shape == (2, 3, 20) and mg.tensor(x).permute(3, 0, 2, 1).shape == (5, 2, 4, 3)
    assert repr(nn.Flatten(2)) == "Flatten(start_dim=2, end_dim=-1)  # 0 parameters"


def test_functional_is_that_of_torch(rng):
    torch = torch_module()
    f = torch.nn.functional
    x = rng.standard_normal((3, 4))
    for name, args in [
        ("relu", ()), ("gelu", ()), ("elu", (0.5,)), ("leaky_relu", (0.2,)), ("silu", ()), ("selu", ()), ("tanh", ()),
        ("sigmoid", ()), ("logsigmoid", ()), ("softmax", (1,)), ("log_softmax", (0,)), ("hardtanh", (-0.3, 0.6)), ("normalize", ()),
        ("normalize", (1.0, 0)), ("pad", ((1, 2),)), ("pad", ((1, 0, 2, 3), "constant", 0.5)), ("dropout", (0.5, False)),
    ]:  # fmt: skip
        compare(lambda x: getattr(F, name)(x, *args), lambda x: getattr(f, name)(x, *args), [x])  # noqa: B023
    for mode in ("reflect", "replicate", "circular"):
        compare(lambda x: F.pad(x, (1, 2), mode), lambda x: f.pad(x, (1, 2), mode), [rng.standard_normal((2, 3, 4))])  # noqa: B023
    for classes in ((), (5,)):
        assert F.one_hot(np.array([[1, 3]]), *classes).tolist() == f.one_hot(torch.tensor([[1, 3]]), *classes).tolist()
    w, b = rng.standard_normal((2, 4)), rng.standard_normal(2)
    compare(F.linear, f.linear, [x, w, b])


def test_every_name_of_functional_exists():
    assert all(callable(getattr(F, name)) for name in F.__all__)


# ---- sentences

X = np.zeros((2, 4, 5), np.float32)


def put(layer):
    """The layer as it stands in a model, so that errors can say where."""
    return nn.Sequential(layer)[0]


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (
            lambda: put(nn.LayerNorm(3))(X),
            mg.ShapeError,
            "LayerNorm '0': input has shape (2, 4, 5), its last axes should be normalized_shape=(3,)",
        ),
        (lambda: nn.LayerNorm(()), ValueError, "LayerNorm: normalized_shape is empty"),
        (lambda: nn.LayerNorm(0), ValueError, "LayerNorm: normalized_shape must be a whole number from 1, got 0"),
        (lambda: nn.LayerNorm(3, eps=-1), ValueError, "LayerNorm: eps=-1 should be a small number, 0 or above"),
        (lambda: nn.LayerNorm(5)(X.astype(float)), mg.DtypeError, "LayerNorm: input is float64, the layer's weights are float32"),
        (lambda: F.layer_norm(X, 5, np.ones(4)), mg.ShapeError, "layer_norm: weight has shape (4,), expected normalized_shape=(5,)"),
        (
            lambda: put(nn.BatchNorm1d(3))(X),
            mg.ShapeError,
            "BatchNorm1d '0': input has shape (2, 4, 5), expected (batch, num_features=3) or (batch, num_features=3, length)",
        ),
        (
            lambda: nn.BatchNorm1d(4)(np.zeros(4, np.float32)),
            mg.ShapeError,
            "BatchNorm1d: input has shape (4,), expected (batch, num_features=4)",
        ),
        (
            lambda: nn.BatchNorm1d(4)(np.zeros((1, 4), np.float32)),
            ValueError,
            "batch_norm: an input of shape (1, 4) has 1 value a channel, and one has no variance: train with more examples, or call eval()",
        ),
        (lambda: F.batch_norm(X, None, None), ValueError, "batch_norm: without training it needs running_mean and running_var"),
        (
            lambda: F.batch_norm(X, mg.ones(3), None),
            mg.ShapeError,
            "batch_norm: running_mean has shape (3,), expected (4,), the channels of the input (2, 4, 5)",
        ),
        (lambda: F.batch_norm(X[0, 0], None, None), mg.ShapeError, "batch_norm: input has shape (5,), expected (N, C) or (N, C, ...)"),
        (
            lambda: put(nn.Conv1d(3, 6, 3))(X),
            mg.ShapeError,
            "Conv1d '0': input has 4 channels (shape (2, 4, 5) = batch, channels, length), expected 3",
        ),
        (
            lambda: nn.Conv1d(4, 6, 3)(X[0, 0]),
            mg.ShapeError,
            "Conv1d: input has shape (5,), expected (batch, channels, length), or (channels",
        ),
        (
            lambda: nn.Conv1d(4, 6, 4, padding=1, dilation=3)(X),
            mg.ShapeError,
            "Conv1d: the input's length 5 (shape (2, 4, 5)) and padding 1 + 1 is less than the 10 that a window spans",
        ),
        (lambda: nn.Conv1d(4, 6, 3)(X.astype(float)), mg.DtypeError, "Conv1d: input is float64, the layer's weights are float32"),
        (lambda: nn.Conv1d(4, 6, 0), ValueError, "Conv1d: kernel_size must be a whole number from 1, got 0"),
        (lambda: nn.Conv1d(4, 6, 3, stride=1.5), ValueError, "Conv1d: stride must be a whole number from 1, got 1.5"),
        (lambda: nn.Conv1d(4, 6, 3, padding=-1), ValueError, "Conv1d: padding must be a whole number from 0, got -1"),
        (lambda: nn.Conv1d(4, 6, 3, padding="full"), ValueError, "Conv1d: padding='full' is not one of 'valid', 'same', or a whole number"),
        (lambda: nn.Conv1d(4, 6, 3, 2, "same"), ValueError, "padding='same' keeps the length, which stride=2 does not"),
        (lambda: nn.Conv1d(4, 6, 3, groups=3), ValueError, "Conv1d: in_channels=4 and out_channels=6 must be multiples of groups=3"),
        (lambda: nn.Conv1d(4, 6, 3, padding_mode="reflect"), ValueError, "Conv1d: padding_mode='reflect' does not exist, 'zeros' does"),
        (lambda: F.conv1d(X, X[0]), mg.ShapeError, "conv1d: weight has shape (4, 5), expected (out, in / groups, kernel)"),
        (
            lambda: F.conv1d(X, X, [1.0]),
            mg.ShapeError,
            "conv1d: bias has shape (1,), expected one number for each of the 2 output channels",
        ),
        (lambda: F.max_pool1d(X, 2, padding=2), ValueError, "max_pool1d: padding=2 is more than half of kernel_size=2"),
        (
            lambda: F.avg_pool1d(X, 6),
            mg.ShapeError,
            "avg_pool1d: the input's length 5 (shape (2, 4, 5)) is less than the 6 that a window spans",
        ),
        (lambda: nn.MaxPool1d(0), ValueError, "MaxPool1d: kernel_size must be a whole number from 1, got 0"),
        (lambda: nn.AdaptiveMaxPool1d(0), ValueError, "AdaptiveMaxPool1d: output_size must be a whole number from 1, got 0"),
        (lambda: F.adaptive_avg_pool1d(X[..., :0], 1), mg.ShapeError, "the input of shape (2, 4, 0) has no elements along its last axis"),
        (lambda: nn.Embedding(4, 2, padding_idx=4), ValueError, "Embedding: padding_idx=4 should be a row of the table of 4"),
        (
            lambda: nn.Embedding.from_pretrained([1.0]),
            mg.ShapeError,
            "Embedding: vectors of shape (1,), float32, expected floats of (num_embed",
        ),
        (lambda: F.embedding([4], mg.ones(4, 2)), mg.ShapeError, "embedding: indices run from 4 to 4, num_embeddings=4 allows 0 to 3"),
        (lambda: nn.EmbeddingBag(4, 2, mode="median"), ValueError, "EmbeddingBag: mode='median' is not one of 'mean', 'sum', 'max'"),
        (lambda: nn.EmbeddingBag(4, 2)([1, 2]), mg.ShapeError, "EmbeddingBag: indices in one row want offsets (bags,)"),
        (lambda: nn.EmbeddingBag(4, 2)([1, 2], [1]), mg.ShapeError, "offsets should begin with 0, not fall, and stay within the 2 indices"),
        (lambda: nn.EmbeddingBag(4, 2)([[1]], [0]), mg.ShapeError, "indices have shape (1, 1), expected (bags, n), or (n,) with offsets"),
        (lambda: nn.EmbeddingBag(4, 2)([[1]], None, [[1.0]]), mg.ShapeError, "expected equal shapes and mode='sum'"),
        (lambda: nn.Softmax(dim=3)(X), mg.ShapeError, "Softmax: input of shape (2, 4, 5) has no axis dim=3"),
        (lambda: nn.Softmax(dim="last"), TypeError, "Softmax: dim='last' should be the number of an axis"),
        (lambda: nn.Softplus(0.0)(X), ValueError, "softplus: beta=0.0 should be above 0"),
        (lambda: nn.Hardtanh(1.0, 1.0)(X), ValueError, "hardtanh: min_val=1.0 should be below max_val=1.0"),
        (lambda: F.one_hot([]), mg.ShapeError, "one_hot: without an index num_classes cannot be found"),
        (
            lambda: F.pad(X, (1, 2, 3)),
            mg.ShapeError,
            "pad: (1, 2, 3) should be a pair of numbers for each of the last axes of shape (2, 4, 5)",
        ),
        (lambda: mg.tensor(X).transpose(1, 2), mg.ShapeError, "axes=(1, 2) should list all 3 axes of shape (2, 4, 5)"),
    ],
)
def test_layers_refuse_in_sentences(call, kind, sentence):
    with pytest.raises(kind) as caught:
        call()
    assert sentence in str(caught.value)
