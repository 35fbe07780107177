"""How recurrent weights start: orthogonal, as the identity, for a range of times, gate by gate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn


@nn.cell(W="2H I", U="2H H", V="H H", v="H", b="2H")
def own(h, x, W, U, V, v, b):
    f, n = (mg.linear(x, W, b) + mg.linear(h, U)).split(2, axis=-1)
    h = mg.sigmoid(f) * mg.linear(h, V) + v * mg.tanh(n)
    return h, h


LAYERS: dict[str, Any] = {
    "RNN": nn.RNN,
    "LSTM": nn.LSTM,
    "GRU": nn.GRU,
    "LSTM coupled": lambda *a, **k: nn.LSTM(*a, coupled=True, **k),
    "LSTM norm": lambda *a, **k: nn.LSTM(*a, layer_norm=True, **k),
    "LSTM projection": lambda *a, **k: nn.LSTM(*a, proj_size=3, **k),
    "four gates": nn.FourGateLSTM,
    "wrapped": lambda i, h, n=1, **k: nn.Recurrent(nn.GRUCell(i, h), n, **k),
}
CELLS = {"RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell, "four gates": nn.FourGateLSTMCell, "own": own.Cell}


def blocks(layer: Any, suffix: str) -> list[Any]:
    """The square blocks, read from the shapes."""
    names = [name for name in ("weight_hh", "U", "V") if hasattr(layer, name + suffix)]
    found = [getattr(layer, name + suffix).numpy() for name in names]
    return [block for weight in found for block in np.split(weight, len(weight) // layer.hidden_size)]


@pytest.mark.parametrize("kind", [*LAYERS, "own"])
def test_orthogonal_and_identity_blocks(kind):
    make = LAYERS.get(kind, own)
    for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse"):
        usual, orthogonal, identity = (make(2, 5, 2, bidirectional=True, recurrent_init=how) for how in (None, "orthogonal", "identity"))
        found = blocks(orthogonal, suffix)
        assert len(found) == {"RNN": 1, "GRU": 3, "LSTM coupled": 3, "own": 3, "wrapped": 3}.get(kind, 4)
        for block in found:
            np.testing.assert_allclose(block.T @ block, np.eye(block.shape[1]), atol=1e-6)
            assert abs(block - np.eye(*block.shape)).max() > 0.1
        assert all(abs(a - b).max() > 0.1 for k, a in enumerate(found) for b in found[:k])  # each block has its own draw
        for block in blocks(identity, suffix):
            np.testing.assert_array_equal(block, np.eye(*block.shape))
        assert all(abs(block).max() <= 5**-0.5 for block in blocks(usual, suffix))
        changed = {name for name, parameter in identity.named_parameters() if abs(parameter.numpy()).max() > 5**-0.5}
        assert all(name.startswith(("weight_hh", "norm", "U", "V")) for name in changed)


@pytest.mark.parametrize("kind", CELLS)
def test_cells_start_so_too(kind):
    cell = CELLS[kind](2, 5, recurrent_init="orthogonal")
    for block in blocks(cell, ""):
        np.testing.assert_allclose(block.T @ block, np.eye(5), atol=1e-6)
    for block in blocks(CELLS[kind](2, 5, recurrent_init="identity"), ""):
        np.testing.assert_array_equal(block, np.eye(5))


def test_with_the_identity_and_relu_a_state_stays():
    """The IRNN without input."""
    layer = nn.RNN(2, 5, nonlinearity="relu", recurrent_init="identity", bias=False)
    h = mg.rand(1, 3, 5)
    np.testing.assert_array_equal(layer(mg.zeros(50, 3, 2), h)[1].numpy(), h.numpy())


def test_an_unknown_start_gets_a_sentence():
    with pytest.raises(ValueError, match="LSTM: recurrent_init='orthonormal' is not one of 'orthogonal', 'identity', None"):
        nn.LSTM(2, 5, recurrent_init="orthonormal")


@pytest.mark.parametrize(
    ("make", "signs"),
    [
        (lambda: nn.LSTM(2, 2000, 2), {"f": 1, "i": -1}),
        (lambda: nn.LSTM(2, 2000, 2, coupled=True), {"f": 1}),
        (lambda: nn.GRU(2, 2000, 2), {"z": 1}),
        (lambda: nn.GRU(2, 2000, 2, reset="before", update="write"), {"z": -1}),
        (lambda: nn.FourGateLSTM(2, 2000, 2), {"f": 1, "i": -1}),
        (lambda: nn.Recurrent(nn.LSTMCell(2, 2000), 2), {"f": 1, "i": -1}),
        (lambda: nn.LSTMCell(2, 2000), {"f": 1, "i": -1}),
        (lambda: nn.GRUCell(2, 2000, update="write"), {"z": -1}),
    ],
)
def test_chrono(make, signs):
    mg.manual_seed(3)
    layer = make()
    before = {name: parameter.numpy().copy() for name, parameter in layer.named_parameters()}
    assert nn.init.chrono_(layer, 101) is layer
    drawn = []
    for suffix in ("",) if hasattr(layer, "bias_ih") else ("_l0", "_l1"):
        sums = {gate: (layer.gate(gate, "bias_ih" + suffix) + layer.gate(gate, "bias_hh" + suffix)).numpy() for gate in signs}
        kept = next(iter(sums.values())) * next(iter(signs.values()))
        for gate, sign in signs.items():
            np.testing.assert_array_equal(sums[gate] * sign, kept)
        u = np.exp(np.sort(kept.astype(float)))  # U[1, 100]: the distance of its distribution from that of the draws (Kolmogorov)
        steps = np.arange(len(u))
        distance = max(abs((u - 1) / 99 - steps / len(u)).max(), abs((u - 1) / 99 - (steps + 1) / len(u)).max())
        assert distance < 1.95 / len(u) ** 0.5
        drawn.append(kept)
        untouched = [gate for gate in layer.gates if gate not in signs]
        for name in ("bias_ih", "bias_hh"):
            for gate in untouched:
                np.testing.assert_array_equal(layer.gate(gate, name + suffix).numpy(), before[name + suffix][layer.rows(gate)])
        np.testing.assert_array_equal(getattr(layer, "weight_hh" + suffix).numpy(), before["weight_hh" + suffix])
    assert len(drawn) == 1 or abs(drawn[0] - drawn[1]).max() > 0.1


def test_after_chrono_a_state_lasts():
    """Without inputs and other weights c = sigmoid(log u) c, so that u steps leave about 1 / e of it."""
    layer = nn.LSTM(1, 200)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    nn.init.chrono_(layer, 50)
    u = np.exp(layer.gate("f", "bias_ih_l0").numpy())
    _, (_, c) = layer(mg.zeros(10, 1, 1), (mg.zeros(1, 1, 200), mg.ones(1, 1, 200)))
    np.testing.assert_allclose(c.numpy()[0, 0], (u / (u + 1)) ** 10, rtol=1e-4)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: nn.init.chrono_(nn.RNN(2, 3), 50), TypeError, "chrono_ wants a layer or cell with gates that keep its state.*got RNN"),
        (lambda: nn.init.chrono_(nn.Linear(2, 3), 50), TypeError, "chrono_ wants.*got Linear"),
        (lambda: nn.init.chrono_(nn.LSTM(2, 3, bias=False), 50), ValueError, "this LSTM has bias=False"),
        (lambda: nn.init.chrono_(nn.LSTM(2, 3), 2), ValueError, "steps=2 is the longest time to remember, and should be 3 or more"),
        (lambda: nn.LSTM(2, 3).gate("z", "bias_ih_l0"), ValueError, "LSTM: there is no gate 'z': its gates are i, f, g, o"),
        (lambda: own(2, 3).gate("z", "b_l0"), ValueError, "own: there is no gate 'z': its gates have no names"),
        (
            lambda: nn.GRU(2, 3).gate("z", "weight"),
            ValueError,
            "GRU: 'weight' has no rows for each gate; weight_ih_l0, weight_hh_l0, bias_ih",
        ),
        (lambda: nn.LSTM(2, 3, proj_size=1).gate("i", "weight_hr_l0"), ValueError, "'weight_hr_l0' has no rows for each gate"),
    ],
)
def test_mistakes_get_sentences(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


@pytest.mark.parametrize("gate", "ifgo")
def test_a_gate_is_a_view_of_its_rows(gate):
    layer = nn.LSTM(2, 3)
    x, state = mg.randn(1, 2, 2), (mg.zeros(1, 2, 3), mg.zeros(1, 2, 3))
    with mg.no_grad():
        first = [layer(x, state)[1][1].numpy() for _ in range(3)][-1]  # a step that is kept ready
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            expected = getattr(layer, name).numpy().copy()
            expected["ifgo".index(gate) * 3 :][:3] = 2.0
            view = layer.gate(gate, name)
            assert not view.requires_grad
            nn.init.constant_(view, 2.0)
            np.testing.assert_array_equal(getattr(layer, name).numpy(), expected)
        h, c = layer(x, state)[1]
        fresh = nn.LSTM(2, 3)
        fresh.load_state_dict(layer.state_dict())
        for a, b in zip((h, c), fresh(x, state)[1], strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
        assert gate in "fo" or abs(c.numpy() - first).max() > 1e-3


def test_a_gate_that_changes_between_forward_and_backward_is_noticed():
    layer = nn.GRU(2, 3)
    output, _ = layer(mg.randn(4, 2, 2))
    nn.init.zeros_(layer.gate("z", "weight_hh_l0"))
    with pytest.raises(mg.MutationError):
        output.sum().backward()
