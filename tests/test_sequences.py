"""Forms of what recurrent layers give, which steps of a padded batch count, and what is said of mistakes; for bits see test_padding.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DtypeError, ShapeError
from minigrad.nn.sequences import packing

I_, H = 3, 4


@pytest.mark.parametrize("batch_first", [False, True])
def test_forms_of_the_output(batch_first: bool) -> None:
    rng = np.random.default_rng(0)
    lengths = [4, 0, 2]
    x = rng.standard_normal((3, 5, I_)).astype("f")
    layer = nn.GRU(I_, H, 2, bidirectional=True, batch_first=batch_first)
    given = x if batch_first else x.swapaxes(0, 1)
    output, h_n, states = layer(given, lengths=lengths, all_states=True)
    output = output.numpy() if batch_first else output.numpy().swapaxes(0, 1)
    states = states.numpy() if batch_first else states.numpy().swapaxes(1, 2)
    assert states.shape == (4, 3, 5, H)
    assert np.array_equal(np.concatenate([states[2], states[3]], axis=-1), output)
    assert np.array_equal(h_n.numpy()[2, 0], output[0, 3, :H]) and np.array_equal(h_n.numpy()[3, 2], output[2, 0, H:])
    edge = nn.GRU(I_, H, 2, bidirectional=True, batch_first=batch_first, return_sequences=False, return_state=False)
    edge.load_state_dict(layer.state_dict())
    last = edge(given, lengths=lengths).numpy()
    assert np.array_equal(last[0], np.concatenate([output[0, 3, :H], output[0, 0, H:]])) and not last[1].any()
    whole = edge(given).numpy()
    full = layer(given)[0].numpy()
    full = full if batch_first else full.swapaxes(0, 1)
    assert np.array_equal(whole, np.concatenate([full[:, -1, :H], full[:, 0, H:]], axis=-1))
    assert not np.array_equal(whole, full[:, -1])  # the last place in time is not the last step of the backward direction


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
def test_merges_and_residuals(merge: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 2, I_)).astype("f")
    cell = nn.LSTMCell(I_, H)
    one = nn.Recurrent(cell, bidirectional=True, merge=merge)
    assert one.weight_ih_l0 is cell.weight_ih
    assert {name for name, _ in one.named_parameters()} == {f"{w}_l0{d}" for w in cell.weight_names for d in ("", "_reverse")}
    same = nn.LSTM(I_, H, bidirectional=True)
    same.load_state_dict(one.state_dict())
    a, b = np.split(same(x)[0].numpy(), 2, axis=-1)
    got = one(x)[0]
    if merge is None:
        assert np.array_equal(got[0].numpy(), a) and np.array_equal(got[1].numpy(), b)
    else:
        want = {"concat": np.concatenate([a, b], -1), "sum": a + b, "mul": a * b, "ave": (a + b) / 2}[merge]
        assert np.allclose(got.numpy(), want, atol=1e-7)
    deep = nn.GRU(I_, H, 2, residual=True)
    plain = nn.GRU(I_, H, 2)
    plain.load_state_dict(deep.state_dict())
    first = nn.GRU(I_, H)
    first.load_state_dict({key: value for key, value in plain.state_dict().items() if key.endswith("l0")})
    assert np.allclose(deep(x)[0].numpy(), plain(x)[0].numpy() + first(x)[0].numpy(), atol=1e-6)


def test_time_is_spent_on_valid_steps_alone() -> None:
    """As many rows go through the loop as there are valid steps."""
    found = packing("LSTM", (50, 6), [1, 0, 3, 3, 50, 2], None, False)
    assert found is not None
    assert found.batch_sizes.tolist() == [5, 4, 3, *[1] * 47]
    assert found.pack(mg.zeros(50, 6, I_)).shape == (59, I_)
    assert packing("LSTM", (50, 2), [50, 50], None, False) is None


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ({"lengths": [1, 2]}, ShapeError, r"LSTM: lengths has shape \(2,\), expected \(3,\)"),
        ({"lengths": [1, 2, 6]}, ShapeError, r"LSTM: lengths\[2\] is 6, but the input has 5 time steps"),
        ({"lengths": [1, -2, 5]}, ShapeError, r"LSTM: lengths\[1\] is -2"),
        ({"lengths": [1.0, 2.0, 3.0]}, DtypeError, "LSTM: lengths are whole numbers"),
        ({"mask": np.ones((3, 5), bool)}, ShapeError, r"LSTM: mask has shape \(3, 5\), expected \(5, 3\) = time, batch"),
        ({"mask": np.full((5, 3), 0.5)}, DtypeError, "LSTM: a mask is True where a step counts"),
        ({"mask": np.ones((5, 3), bool), "lengths": [1, 1, 1]}, TypeError, "give one of them"),
    ],
)
def test_mistakes_get_sentences(how: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        nn.LSTM(I_, H)(mg.zeros(5, 3, I_), **how)
    with pytest.raises(ShapeError, match="is one sequence"):
        nn.LSTM(I_, H)(mg.zeros(5, I_), lengths=[3])


def test_a_cell_says_what_is_wrong_with_its_function() -> None:
    with pytest.raises(TypeError, match="W='HxI' is no shape"):
        nn.cell(W="HxI")
    with pytest.raises(TypeError, match=r"takes \(h, x, W\), expected .*\(carry, x\)"):
        nn.cell()(lambda h, x, W: (h, h))
    with pytest.raises(TypeError, match=r"takes \(h\), expected .*\(carry, x, W\)"):
        nn.cell(W="H")(lambda h: (h, h))

    def step(h, x, W, *, gain=1.0):
        h = mg.tanh(h + gain * mg.linear(x, W))
        return h, h

    made = nn.cell(W="H I")(step)
    assert made(I_, H, gain=2.0).gain == 2.0
    with pytest.raises(TypeError, match="has the options gain"):
        made(I_, H, loss=1.0)
    with pytest.raises(TypeError, match="init names V"):
        nn.cell(init={"V": nn.init.zeros_}, W="H I")
    x = np.random.default_rng(0).standard_normal((4, 2, I_)).astype("f")
    layer, one = made(I_, H, gain=2.0), made.Cell(I_, H, gain=2.0)
    one.load_state_dict({"W": layer.W_l0.numpy()})
    h = None
    for t in range(4):
        h = one(x[t], h)
    assert np.allclose(layer(x)[1].numpy()[0], h.numpy(), atol=1e-6)
    layer(x)
    assert mg.scan_report().cached or not mg.scan_report().compiled
