"""What people get wrong with recurrent layers and their losses: each gets a sentence that says what came and the way out."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

T, B, I_, H = 7, 4, 3, 5
WITH = ". If the input is (batch, time, ...), batch_first=True says so"
OTHER = ". It is the state of a batch of 6, for an input of 4: give one of this batch, or none to begin with zeros"
UP_TO = ": a length is one from 0 to {}, and a batch is padded to its longest sequence"
WITHOUT = ". If the input is (time, batch, ...), leave batch_first=True out"


def said(kind: Any, sentence: str) -> Any:
    """That this error comes, with exactly these words."""
    return pytest.raises(kind, match=f"^{re.escape(sentence)}$")


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM, nn.FourGateLSTM])
def test_batch_and_time_swapped_are_told_by_the_state(kind: Any) -> None:
    """A batch-first input to a layer that takes time first, and the other way round."""
    for batch_first, hint in ((False, WITH), (True, WITHOUT)):
        layer = kind(I_, H, batch_first=batch_first)
        state = [mg.zeros(1, B, H) for _ in layer.states]
        x = mg.zeros(T, B, I_) if batch_first else mg.zeros(B, T, I_)
        first = " = layers x directions, batch, hidden" + (" (with batch_first too)" if batch_first else "")
        sentence = f"{kind.__name__}: state {layer.states[0]} has shape (1, 4, 5), expected (1, 7, 5){first}{hint}"
        with said(mg.ShapeError, sentence):
            layer(x, tuple(state) if len(state) > 1 else state[0])


def test_a_state_of_another_batch() -> None:
    """No hint where nothing seems swapped: the last batch of an epoch is often smaller."""
    with said(mg.ShapeError, f"GRU: state h has shape (1, 6, 5), expected (1, 4, 5) = layers x directions, batch, hidden{OTHER}"):
        nn.GRU(I_, H)(mg.zeros(T, B, I_), mg.zeros(1, 6, H))
    with said(mg.ShapeError, f"LSTM: state c has shape (2, 6, 5), expected (2, 4, 5) = layers x directions, batch, hidden{OTHER}"):
        nn.LSTM(I_, H, 2)(mg.zeros(T, B, I_), (mg.zeros(2, B, H), mg.zeros(2, 6, H)))
    with said(mg.ShapeError, f"GRU: state h has shape (1, 6, 5), expected (1, 4, 5) = layers x directions, batch, hidden{OTHER}"):
        nn.GRU(I_, H)(mg.zeros(B, B, I_), mg.zeros(1, 6, H))
    with said(mg.ShapeError, f"LSTMCell: state h has shape (6, 5), expected (4, 5) = batch, hidden{OTHER}"):
        nn.LSTMCell(I_, H)(mg.zeros(B, I_), (mg.zeros(6, H), mg.zeros(B, H)))
    with said(mg.ShapeError, "GRU: state h has shape (2, 5), expected (1, 5) = layers x directions, hidden"):
        nn.GRU(I_, H)(mg.zeros(T, I_), mg.zeros(2, H))
    with said(mg.ShapeError, "GRU: state h has shape (2, 6, 5), expected (1, 4, 5) = layers x directions, batch, hidden"):
        nn.GRU(I_, H)(mg.zeros(T, B, I_), mg.zeros(2, 6, H))


@pytest.mark.parametrize(
    ("batch_first", "how", "sentence"),
    [
        (False, {"lengths": [1] * 4}, f"lengths has shape (4,), expected (7,): one for each sequence of the batch{WITH}"),
        (True, {"lengths": [1] * 7}, f"lengths has shape (7,), expected (4,): one for each sequence of the batch{WITHOUT}"),
        (False, {"lengths": [1] * 5}, "lengths has shape (5,), expected (7,): one for each sequence of the batch"),
        (False, {"lengths": [1, 6, 0, 0, 0, 0, 0]}, f"lengths[1] is 6, but the input has 4 time steps{UP_TO.format(4)}{WITH}"),
        (False, {"lengths": [1, 9, 0, 0, 0, 0, 0]}, f"lengths[1] is 9, but the input has 4 time steps{UP_TO.format(4)}"),
        (True, {"lengths": [1, 2, 3, 8]}, f"lengths[3] is 8, but the input has 7 time steps{UP_TO.format(7)}"),
        (
            False,
            {"mask": np.ones((7, 4), bool)},
            f"mask has shape (7, 4), expected (4, 7) = time, batch, a truth value for each step{WITH}, or give mask.T",
        ),
        (
            True,
            {"mask": np.ones((7, 4), bool)},
            f"mask has shape (7, 4), expected (4, 7) = batch, time, a truth value for each step{WITHOUT}, or give mask.T",
        ),
        (True, {"mask": np.ones((4, 6), bool)}, "mask has shape (4, 6), expected (4, 7) = batch, time, a truth value for each step"),
        (True, {"mask": np.ones(7, bool)}, "mask has shape (7,), expected (4, 7) = batch, time, a truth value for each step"),
    ],
)
def test_lengths_and_masks_that_do_not_fit(batch_first: bool, how: dict[str, Any], sentence: str) -> None:
    with said(mg.ShapeError, f"LSTM: {sentence}"):
        nn.LSTM(I_, H, batch_first=batch_first)(mg.zeros(4, 7, I_), **how)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM, nn.FourGateLSTM])
def test_a_state_that_was_not_detached(kind: Any) -> None:
    """The second pass would go back into the first call, whose tape is gone; with `mg.detach` it stops at the state."""
    layer, x = kind(I_, H), mg.randn(T, B, I_)
    output, state = layer(x)
    output.sum().backward()
    again = layer(x, state)[0].sum()
    with pytest.raises(
        mg.TapeError, match=r"already played back.*hidden state carried from one training iteration to the next: call detach"
    ):
        again.backward()
    output, _ = layer(x, mg.detach(state))
    output.sum().backward()


def test_a_state_that_was_not_detached_and_weights_that_have_moved() -> None:
    """With `retain_graph` the tape is there, but not the weights that it was made with."""
    layer, x = nn.GRU(I_, H), mg.randn(T, B, I_)
    output, state = layer(x)
    output.sum().backward(retain_graph=True)
    mg.optim.SGD(layer.parameters(), lr=0.1).step()
    with pytest.raises(
        mg.MutationError, match=r"the SGD step has changed .* in place since: .*, or detach\(\) a state that was carried over"
    ):
        layer(x, state)[0].sum().backward()


@pytest.mark.parametrize("loss", [nn.cross_entropy, nn.CrossEntropyLoss(), nn.functional.cross_entropy])
def test_a_softmax_before_cross_entropy_is_warned_of(loss: Any) -> None:
    logits, target = mg.randn(6, 4), np.arange(6) % 4
    for given in (mg.softmax(logits), mg.softmax(logits.astype("float64")), mg.zeros(6, 4) + 0.25):
        with pytest.warns(UserWarning, match="cross_entropy: each row of the input is non-negative and sums to 1, as after a softmax"):
            loss(given, target)
    with pytest.warns(UserWarning, match="leave yours out"):
        loss(mg.softmax(mg.randn(6, 4, 3), axis=1), np.zeros((6, 3), int))
    with pytest.warns(UserWarning, match="leave yours out"):
        loss(mg.softmax(mg.randn(4)), 1)


@pytest.mark.filterwarnings("error")
def test_logits_are_not_warned_of() -> None:
    p = mg.softmax(mg.randn(6, 4)).numpy()
    other = p.copy()
    other[3, 1] += 0.01
    empty = np.zeros((0, 4), np.float32)
    for given in (mg.randn(6, 4), mg.log_softmax(mg.randn(6, 4)), np.log(p), 2 * p, p - 0.25, other, np.ones((6, 1)), p * np.nan, empty):
        nn.cross_entropy(given, np.zeros(len(given), int))
    nn.cross_entropy(np.full((6, 4), 3e38, np.float32), np.zeros(6, int))


def test_a_target_beyond_the_classes() -> None:
    for target, words in (([0, 4], "4"), ([0, -1], "-1")):
        with pytest.raises(mg.ShapeError, match=rf"^cross_entropy: targets run .*{words}.*; 4 classes allow 0 to 3: .*ignore_index$"):
            nn.cross_entropy(mg.randn(2, 4), target)
        with pytest.raises(mg.ShapeError, match=rf"{words}.*; 4 classes allow 0 to 3: give the input one column for each class"):
            nn.sequence_cross_entropy(mg.randn(3, 2, 4), np.array([target] * 3), lengths=[3, 1])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: nn.LSTM(I_, H, peepholes=True),
            r"LSTM\(\) has no keyword 'peepholes': it has .*, peephole, .*, merge, .*, zoneout, .*stateful",
        ),
        (
            lambda: nn.LSTMCell(I_, H, peepholes=True),
            r"LSTMCell\(\) has no keyword 'peepholes': it has .*, peephole, coupled, layer_norm, ",
        ),
        (lambda: nn.Recurrent(nn.GRUCell(I_, H), zone_out=0.1), r"Recurrent\(\) has no keyword 'zone_out': .*, residual, .*, zoneout, "),
    ],
)
def test_an_option_that_there_is_not_gets_the_list_of_all(make: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words) as caught:
        make()
    assert "others" not in str(caught.value) and str(caught.value).count("residual") <= 1
