"""Recurrent layers against PyTorch, onnxruntime and Keras, where those are installed: systems that share no code with this one.

What has to be done to carry weights from one to the other is written out here; docs/recurrent.md says it in words.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

I_, H, T = 3, 4, 6
Arrays = dict[str, Any]


def random_weights(layer: Any, seed: int) -> Arrays:
    """Numbers for every weight, put in and given back."""
    rng = np.random.default_rng(seed)
    weights = {name: (0.6 * rng.standard_normal(p.shape)).astype(p.dtype) for name, p in layer.named_parameters()}
    layer.load_state_dict(weights)
    return weights


def blocks(matrix: Any, ours: str, theirs: str) -> Any:
    """The blocks of rows of our gates, in the order of theirs."""
    parts = dict(zip(ours, np.split(matrix, len(ours)), strict=True))
    return np.concatenate([parts[gate] for gate in theirs])


def close(got: Any, want: Any, bound: float = 1e-5) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    assert np.abs(got - want).max(initial=0.0) < bound


def as_tuple(state: Any) -> tuple[Any, ...]:
    return state if isinstance(state, tuple) else (state,)


def as_state(states: list[Any]) -> Any:
    return tuple(states) if len(states) > 1 else states[0]


# ---- PyTorch


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("layers", "both", "batch_first"), [(1, False, False), (2, True, False), (3, True, True)])
def test_projections_against_live_torch(layers: int, both: bool, batch_first: bool, dtype: str) -> None:
    """Outputs, states and every gradient, with a state_dict that goes there and back."""
    torch = pytest.importorskip("torch")
    settings = {"num_layers": layers, "bidirectional": both, "batch_first": batch_first, "proj_size": 2}
    ours = nn.LSTM(I_, H, dtype=dtype, **settings)
    theirs = torch.nn.LSTM(I_, H, dtype=getattr(torch, dtype), **settings)
    random_weights(ours, 0)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.from_numpy(value.numpy().copy()) for name, value in ours.state_dict().items()})
    again = nn.LSTM(I_, H, dtype=dtype, **settings)
    again.load_state_dict(theirs.state_dict())
    assert all(np.array_equal(value, ours.state_dict()[name]) for name, value in again.state_dict().items())
    rng, count = np.random.default_rng(1), layers * (1 + both)
    given = [
        rng.standard_normal(shape).astype(dtype) for shape in ((5, T, I_) if batch_first else (T, 5, I_), (count, 5, 2), (count, 5, H))
    ]
    a = [mg.tensor(array, requires_grad=True) for array in given]
    b = [torch.from_numpy(array.copy()).requires_grad_() for array in given]
    output, last = again(a[0], tuple(a[1:]))
    expected, expected_last = theirs(b[0], tuple(b[1:]))
    bound = 1e-12 if dtype == "float64" else 1e-5
    seeds = [rng.standard_normal(value.shape).astype(dtype) for value in (output, *last)]
    for got, want in zip((output, *last), (expected, *expected_last), strict=True):
        close(got.detach(), want.detach(), bound)
    sum([(value * seed).sum() for value, seed in zip((output, *last), seeds, strict=True)]).backward()
    sum([(value * torch.from_numpy(seed)).sum() for value, seed in zip((expected, *expected_last), seeds, strict=True)]).backward()
    for got, want in zip([*a, *again.parameters()], [*b, *theirs.parameters()], strict=True):
        close(got.grad, want.grad, 100 * bound)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_lengths_are_the_packed_sequences_of_torch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    ours = getattr(nn, kind)(I_, H, 2, bidirectional=True, dtype="float64")
    theirs = getattr(torch.nn, kind)(I_, H, 2, bidirectional=True).double()
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in random_weights(ours, 2).items()})
    rng, lengths = np.random.default_rng(3), [3, 6, 1, 3, 5]
    given = [rng.standard_normal((T, 5, I_)), *[rng.standard_normal((4, 5, H)) for _ in ours.states]]
    a = [mg.tensor(array, requires_grad=True) for array in given]
    b = [torch.from_numpy(array.copy()).requires_grad_() for array in given]
    output, last = ours(a[0], as_state(a[1:]), lengths=lengths)
    expected, expected_last = theirs(pack_padded_sequence(b[0], lengths, enforce_sorted=False), as_state(b[1:]))
    results = [(output, pad_packed_sequence(expected)[0]), *zip(as_tuple(last), as_tuple(expected_last), strict=True)]
    seeds = [rng.standard_normal(got.shape) for got, _ in results]
    for got, want in results:
        close(got.detach(), want.detach(), 1e-12)
    sum([(got * seed).sum() for (got, _), seed in zip(results, seeds, strict=True)]).backward()
    sum([(want * torch.from_numpy(seed)).sum() for (_, want), seed in zip(results, seeds, strict=True)]).backward()
    for got, want in zip([*a, *ours.parameters()], [*b, *theirs.parameters()], strict=True):
        close(got.grad, want.grad, 1e-12)


# ---- onnxruntime: gates in the order i o f c and z r h, peepholes P[iof], both biases in a row, a batch in the middle

ONNX_GATES = {"RNN": ("h", "h"), "GRU": ("rzn", "zrn"), "LSTM": ("ifgo", "iofg")}
ONNX_NAMES = {"tanh": "Tanh", "relu": "Relu", "sigmoid": "Sigmoid", "hard_sigmoid": "HardSigmoid", "softplus": "Softplus", "elu": "Elu"}


def onnx_weights(kind: str, weights: Arrays, both: bool) -> Arrays:
    """W, R, B and P of a node, from the weights of one layer."""
    ours, theirs = ONNX_GATES[kind]
    found: Arrays = {}
    for suffix in ("_l0", "_l0_reverse")[: 1 + both]:
        found.setdefault("W", []).append(blocks(weights["weight_ih" + suffix], ours, theirs))
        found.setdefault("R", []).append(blocks(weights["weight_hh" + suffix], ours, theirs))
        biases = [blocks(weights[name + suffix], ours, theirs) for name in ("bias_ih", "bias_hh")]
        found.setdefault("B", []).append(np.concatenate(biases))
        if "weight_ci" + suffix in weights:
            found.setdefault("P", []).append(np.concatenate([weights[f"weight_c{gate}{suffix}"] for gate in "iof"]))
    return {name: np.stack(parts) for name, parts in found.items()}


def by_onnx(kind: str, given: Arrays, outputs: int, **attributes: Any) -> list[Any]:
    """What onnxruntime gives for one node; `given` by the names of its inputs."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    order = ["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"]
    names = [name if name in given else "" for name in order]
    while not names[-1]:
        names.pop()
    results = ["Y", "Y_h", "Y_c"][:outputs]
    node = onnx.helper.make_node(kind, names, results, hidden_size=H, **attributes)
    kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in given.items()}
    ins = [onnx.helper.make_tensor_value_info(name, kinds[name], value.shape) for name, value in given.items()]
    outs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in results]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "one", ins, outs), opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=8
    )
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(results, given)
    return found


def equals_onnx(kind: str, layer: Any, weights: Arrays, batch: int, lengths: Any = None, **attributes: Any) -> None:
    """A layer with one node: outputs and last states, from different non-zero first ones."""
    both = layer.bidirectional
    rng = np.random.default_rng(batch)
    x = rng.standard_normal((T, batch, I_)).astype("f")
    states = [rng.standard_normal((1 + both, batch, H)).astype("f") for _ in layer.states]
    given = {"X": x, **weights, **dict(zip(("initial_h", "initial_c"), states, strict=False))}
    if lengths is not None:
        given["sequence_lens"] = np.array(lengths, np.int32)
    direction = "bidirectional" if both else "forward"
    Y, *last = by_onnx(kind, given, 1 + len(states), direction=direction, **attributes)
    output, ours = layer(x, as_state(states), lengths=lengths)
    close(output, np.concatenate(list(Y.swapaxes(0, 1)), axis=-1))
    for got, want in zip(as_tuple(ours), last, strict=True):
        close(got, want)


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("peephole", [False, True])
def test_lstm_with_peepholes_against_onnxruntime(peephole: bool, both: bool, batch: int) -> None:
    layer = nn.LSTM(I_, H, bidirectional=both, peephole=peephole)
    weights = onnx_weights("LSTM", random_weights(layer, batch), both)
    assert ("P" in weights) == peephole
    equals_onnx("LSTM", layer, weights, batch)
    equals_onnx("LSTM", layer, weights, batch, np.random.default_rng(0).integers(1, T + 1, batch))


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("reset", ["before", "after"])
def test_gru_of_both_resets_against_onnxruntime(reset: str, both: bool, batch: int) -> None:
    layer = nn.GRU(I_, H, bidirectional=both, reset=reset)
    weights = onnx_weights("GRU", random_weights(layer, batch), both)
    for lengths in (None, np.random.default_rng(0).integers(1, T + 1, batch)):
        equals_onnx("GRU", layer, weights, batch, lengths, linear_before_reset=int(reset == "after"))


@pytest.mark.parametrize("lengths", [None, [3, T, 1, 0, 4]], ids=str)
@pytest.mark.parametrize("kind", ONNX_GATES)
def test_a_layer_over_flipped_time_is_reverse_of_onnxruntime(kind: str, lengths: Any) -> None:
    """One direction alone, the backward one; the mask is flipped with x."""
    layer, rng, batch = getattr(nn, kind)(I_, H), np.random.default_rng(1), 5
    weights = onnx_weights(kind, random_weights(layer, 0), False)
    x, states = rng.standard_normal((T, batch, I_)).astype("f"), [rng.standard_normal((1, batch, H)).astype("f") for _ in layer.states]
    given = {"X": x, **weights, **dict(zip(("initial_h", "initial_c"), states, strict=False))}
    counts = np.array([T] * batch if lengths is None else lengths)
    if lengths is not None:
        given["sequence_lens"] = counts.astype(np.int32)
    more = {"linear_before_reset": 1} if kind == "GRU" else {}
    Y, *last = by_onnx(kind, given, 1 + len(states), direction="reverse", **more)
    output, ours = layer(mg.flip(x, 0), as_state(states), mask=(np.arange(T)[:, None] < counts)[::-1])
    close(mg.flip(output, 0), Y[:, 0])
    for got, want in zip(as_tuple(ours), last, strict=True):
        close(got.numpy()[:, counts > 0], want[:, counts > 0])  # of no steps: see below


@pytest.mark.parametrize("reset", ["before", "after"])
def test_a_gru_that_writes_is_onnx_with_the_update_gate_negated(reset: str) -> None:
    layer = nn.GRU(I_, H, bidirectional=True, reset=reset, update="write")
    weights = random_weights(layer, 0)
    turned = {name: np.concatenate([r, -z, n]) for name, (r, z, n) in ((name, np.split(w, 3)) for name, w in weights.items())}
    equals_onnx("GRU", layer, onnx_weights("GRU", turned, True), 2, linear_before_reset=int(reset == "after"))


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("nonlinearity", sorted(ONNX_NAMES))
def test_rnn_against_onnxruntime(nonlinearity: str, both: bool, batch: int) -> None:
    layer = nn.RNN(I_, H, bidirectional=both, nonlinearity=nonlinearity)
    weights = onnx_weights("RNN", random_weights(layer, batch), both)
    names = [ONNX_NAMES[nonlinearity]] * (1 + both)
    for lengths in (None, np.random.default_rng(0).integers(1, T + 1, batch)):
        equals_onnx("RNN", layer, weights, batch, lengths, activations=names)


@pytest.mark.parametrize("activations", [("hard_sigmoid", "relu", "tanh"), ("sigmoid", "softplus", "elu")])
def test_activations_of_the_lstm_against_onnxruntime(activations: tuple[str, str, str]) -> None:
    layer = nn.LSTM(I_, H, bidirectional=True, peephole=True, activations=activations)
    weights = onnx_weights("LSTM", random_weights(layer, 0), True)
    equals_onnx("LSTM", layer, weights, 2, activations=[ONNX_NAMES[name] for name in activations] * 2)


def coupled_for_onnx(weights: Arrays) -> Arrays:
    """Weights of the coupled LSTM with those of an input gate: 1 - sigmoid(a) = sigmoid(-a), so the forget gate's, negated.

    onnxruntime computes the input gate and takes f = 1 - i; here it is i = 1 - f. Its own rows of the forget gate are not read.
    """
    found = {}
    for name, value in weights.items():
        if name.startswith("weight_c"):
            found[name] = value
            if name.startswith("weight_cf"):
                found[name.replace("weight_cf", "weight_ci")] = -value
                found[name] = np.full_like(value, 7.0)
        else:
            f, g, o = np.split(value, 3)
            found[name] = np.concatenate([-f, np.full_like(f, 7.0), g, o])
    return found


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("peephole", [False, True])
def test_the_coupled_lstm_is_input_forget_of_onnxruntime(peephole: bool, batch: int) -> None:
    layer = nn.LSTM(I_, H, bidirectional=True, coupled=True, peephole=peephole)
    weights = onnx_weights("LSTM", coupled_for_onnx(random_weights(layer, batch)), True)
    for lengths in (None, np.random.default_rng(0).integers(1, T + 1, batch)):
        equals_onnx("LSTM", layer, weights, batch, lengths, input_forget=1)


def test_a_sequence_of_no_steps_keeps_its_first_state_where_onnxruntime_has_zeros() -> None:
    """Keras keeps it too (see below). Everything else is the same."""
    layer = nn.GRU(I_, H)
    weights = onnx_weights("GRU", random_weights(layer, 0), False)
    x, h, lengths = np.random.default_rng(0).standard_normal((T, 3, I_)).astype("f"), np.ones((1, 3, H), "f"), [3, 0, 6]
    given = {"X": x, "initial_h": h, "sequence_lens": np.array(lengths, np.int32), **weights}
    Y, Y_h = by_onnx("GRU", given, 2, linear_before_reset=1)
    output, last = layer(x, h, lengths=lengths)
    close(output, Y[:, 0])
    assert not Y_h[0, 1].any()
    Y_h[0, 1] = 1.0
    close(last, Y_h)


@nn.cell(states="h c", W="4H I", U="4H H", b="4H")
def held(carry: Any, x: Any, W: Any, U: Any, b: Any, *, limit: float = 0.25) -> Any:
    """An LSTM whose gates see sums held in [-limit, limit]: what ONNX calls clip."""
    h, c = carry
    a = mg.clip(mg.linear(x, W, b) + mg.linear(h, U), -limit, limit)
    i, f, g, o = a.split(4, axis=-1)
    c = mg.sigmoid(f) * c + mg.sigmoid(i) * mg.tanh(g)
    h = mg.sigmoid(o) * mg.tanh(c)
    return (h, c), h


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("both", [False, True])
def test_clip_of_onnxruntime_holds_the_gates_and_not_the_cell(both: bool, batch: int) -> None:
    theirs = nn.LSTM(I_, H, bidirectional=both)
    weights = random_weights(theirs, batch)
    onnx = onnx_weights("LSTM", weights, both)
    own = held(I_, H, bidirectional=both)
    for suffix in own.all_suffixes():
        W, U, b, d = (weights[name + suffix] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        own.load_state_dict({"W" + suffix: W, "U" + suffix: U, "b" + suffix: b + d}, strict=False)
    for lengths in (None, np.random.default_rng(0).integers(1, T + 1, batch)):
        equals_onnx("LSTM", own, onnx, batch, lengths, clip=0.25)
    clipped = nn.LSTM(I_, H, bidirectional=both, cell_clip=0.25)
    clipped.load_state_dict(weights)
    with pytest.raises(AssertionError):
        equals_onnx("LSTM", clipped, onnx, batch, clip=0.25)


# ---- Keras on JAX: matrices transposed, gates in the order i f c o and z r h, one bias, but for a GRU that resets after the product

KERAS_GATES = {"RNN": ("h", "h"), "GRU": ("rzn", "zrn"), "LSTM": ("ifgo", "ifgo")}


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    pytest.importorskip("jax")
    return pytest.importorskip("keras")


def keras_weights(kind: str, weights: Arrays, both: bool, split_bias: bool) -> list[Any]:
    """The list that a Keras layer of one or both directions takes, from the weights of one of our layers."""
    found = []
    for suffix in ("_l0", "_l0_reverse")[: 1 + both]:
        W, U, b, d = (blocks(weights[name + suffix], *KERAS_GATES[kind]) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        found += [W.T, U.T, np.stack([b, d]) if split_bias else b + d]
    return found


def keras_layer(keras: Any, kind: str, **settings: Any) -> Any:
    return getattr(keras.layers, {"RNN": "SimpleRNN"}.get(kind, kind))(H, return_state=True, **settings)


KERAS_KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "RNN": ("RNN", {}, {}),
    "RNN relu": ("RNN", {"nonlinearity": "relu"}, {"activation": "relu"}),
    "LSTM": ("LSTM", {}, {}),
    "LSTM elu": ("LSTM", {"activations": ("sigmoid", "elu", "elu")}, {"activation": "elu"}),
    "GRU after": ("GRU", {"reset": "after"}, {"reset_after": True}),
    "GRU before": ("GRU", {"reset": "before"}, {"reset_after": False}),
}


def keras_mask(pattern: str, batch: int) -> Any:
    """(B, T): nothing, sequences of some lengths (one of none), or holes anywhere."""
    rng = np.random.default_rng(4)
    if pattern == "holes":
        return rng.random((batch, T)) < 0.6
    return np.arange(T) < np.array([4, 0, T, 1, 4])[:batch, None] if pattern == "lengths" else None


@pytest.mark.parametrize("pattern", ["whole", "lengths", "holes"])
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("label", KERAS_KINDS)
def test_layers_and_go_backwards_against_keras(keras: Any, label: str, sequences: bool, pattern: str) -> None:
    """Both directions of a layer of ours are two layers there, one of which goes backwards and gives its outputs in that order."""
    kind, options, theirs = KERAS_KINDS[label]
    layer = getattr(nn, kind)(I_, H, bidirectional=True, merge=None, batch_first=True, return_sequences=sequences, **options)
    weights = random_weights(layer, 0)
    rng, batch, mask = np.random.default_rng(1), 5, keras_mask(pattern, 5)
    x = rng.standard_normal((batch, T, I_)).astype("f")
    states = [rng.standard_normal((2, batch, H)).astype("f") for _ in layer.states]
    outputs, last = layer(x, as_state(states), mask=mask)
    for place, suffix in enumerate(("_l0", "_l0_reverse")):
        other = keras_layer(keras, kind, go_backwards=place == 1, return_sequences=sequences, **theirs)
        other.build(x.shape)
        own = {name.replace("_reverse", ""): value for name, value in weights.items() if name.endswith(suffix)}
        other.set_weights(keras_weights(kind, own, False, theirs.get("reset_after", False)))
        expected, *ends = other(x, mask=mask, initial_state=[state[place] for state in states])
        expected = np.asarray(expected)
        if sequences:
            expected = expected[:, ::-1] if place else expected
        if mask is not None:  # where nothing counts, Keras repeats an earlier output, or the first state; here it is 0
            expected = np.where(mask[..., None] if sequences else mask.any(axis=1)[:, None], expected, 0.0)
        close(outputs[place], expected)
        for got, want in zip(as_tuple(last), ends, strict=True):
            close(got[place], want)


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("pattern", ["whole", "holes"])
@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("label", ["LSTM", "GRU before"])
def test_bidirectional_merges_against_keras(keras: Any, label: str, merge: Any, pattern: str, sequences: bool) -> None:
    kind, options, theirs = KERAS_KINDS[label]
    layer = getattr(nn, kind)(I_, H, bidirectional=True, merge=merge, batch_first=True, return_sequences=sequences, **options)
    other = keras.layers.Bidirectional(keras_layer(keras, kind, return_sequences=sequences, **theirs), merge_mode=merge)
    x, mask = np.random.default_rng(1).standard_normal((4, T, I_)).astype("f"), keras_mask(pattern, 4)
    other.build(x.shape)
    other.set_weights(keras_weights(kind, random_weights(layer, 0), True, theirs.get("reset_after", False)))
    output, last = layer(x, mask=mask)
    found = [np.asarray(value) for value in other(x, mask=mask)]
    count = 2 if merge is None else 1
    for got, want in zip(output if merge is None else [output], found[:count], strict=True):
        kept = want if mask is None or not sequences else np.where(mask[..., None], want, 0.0)
        close(got, kept)
    ends = found[count:]
    for place, state in enumerate(as_tuple(last)):
        close(state, np.stack([ends[place], ends[place + len(ends) // 2]]))
