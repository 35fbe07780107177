"""What all recurrent layers share, beside plain NumPy one sequence at a time, with both orders of derivatives.

Padding of every kind, whatever comes out of a layer, learned first states, and the regularisers, whose masks are listened to while they
are drawn.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import pytest
from beside_plain import Case, as_tuple, compiled
from plain_recurrent import Masks, Variant, all_variants, plain

import minigrad as mg
from minigrad import nn
from minigrad.nn import inside

T, B, I_, H = 4, 3, 2, 3
ALL = all_variants()
VARIANTS = {
    **{label: ALL[label] for label in ("RNN tanh", "GRU after keep", "GRU before write", "four gates", "own")},
    "LSTM": ALL["LSTM"],
    "LSTM with options": Variant(
        nn.LSTM, ALL["LSTM"].step, {"peephole": True, "coupled": True, "layer_norm": True, "proj_size": 2, "cell_clip": 1.5}
    ),
}
PADDINGS: dict[str, dict[str, Any]] = {
    "whole": {},
    "lengths": {"lengths": [T, 0, 2]},
    "holes": {"mask": np.array([[1, 0, 1], [0, 0, 1], [1, 0, 0], [1, 0, 1]], bool)},
}
NOISES: dict[str, dict[str, Any]] = {
    "variational": {"variational": (0.3, 0.4, 0.5)},
    "recurrent dropout": {"recurrent_dropout": 0.4},
    "zoneout": {"zoneout": 0.3},
    "weight drop": {"weight_drop": 0.4},
    "all": {"variational": 0.2, "recurrent_dropout": 0.2, "zoneout": 0.2, "weight_drop": 0.2},
}


class Settings(Case):
    """A layer of two layers and both directions, run as a padded batch; in plain NumPy each sequence is alone."""

    def __init__(
        self, variant: Variant, padding: str, asked: str, noise: dict[str, Any], learned: bool = False, training: bool = True
    ) -> None:
        self.padding, self.asked, self.learned = PADDINGS[padding], asked, learned
        layer = variant.layer(
            *(I_, H, 2),
            dtype="float64",
            bidirectional=True,
            learned_state=learned,
            return_sequences=asked != "edge",
            **noise,
        ).train(training)
        self.heard: list[dict[str, Any]] = []  # the masks of the last call, for each layer and direction
        super().__init__(variant, layer, (T, B, I_), 3, layers=2, both=True)

    def first(self) -> tuple[int, ...]:
        """None where the first states are parameters."""
        return () if self.learned else super().first()

    def valid(self) -> Any:
        """(T, B): the steps that count."""
        if "mask" in self.padding:
            return self.padding["mask"]
        return np.arange(T)[:, None] < np.array(self.padding.get("lengths", [T] * B))

    def ours(self, *leaves: Any) -> list[Any]:
        """Outputs, last states and, if they are asked for, all states; each call draws the same masks."""
        vars(self.layer).update(zip(self.names, leaves, strict=False))
        x, *first = leaves[len(self.names) :]
        mg.manual_seed(4)
        state = None if self.learned else first[0] if len(first) == 1 else tuple(first)
        asked = {"trace": True} if self.asked == "trace" else {"all_states": self.asked == "states"}
        output, last, *more = self.layer(x, state, **self.padding, **asked)
        assert mg.scan_report().compiled, mg.scan_report()
        every = as_tuple(more[0]) if self.asked == "states" else ()
        return [*as_tuple(output), *as_tuple(last), *every]

    def plain(self, vector: Any) -> list[Any]:
        """The same, by sequences."""
        if self.layer.noise is not None and not self.heard:
            self.listen(vector)
        weights, x, first = self.parts(vector)
        if self.learned:
            suffixes = self.layer.all_suffixes()
            first = [np.stack([np.stack([weights[f"{name}_0{s}"]] * B) for s in suffixes]) for name in self.layer.states]
        columns = [self.alone(b, weights, x, first) for b in range(B)]
        return [np.concatenate(parts, axis=-2) for parts in zip(*columns, strict=True)]

    def alone(self, b: int, weights: dict[str, Any], x: Any, first: list[Any]) -> list[Any]:
        """What sequence b has in all results, with an axis of length 1 for it."""
        at, times = slice(b, b + 1), np.flatnonzero(self.valid()[:, b])
        own = [state[:, at] for state in first]
        if len(times):
            outputs, last, every = plain(self.variant, weights, x[times][:, at], own, 2, True, masks=self.masks(b))
            output = outputs[0]
            edge = np.concatenate([output[-1, :, : output.shape[-1] // 2], output[0, :, output.shape[-1] // 2 :]], axis=-1)
        else:
            widths = self.layer.widths()
            output, last, every = np.zeros((0, 1, 2 * widths[0])), own, [[np.zeros((0, 1, n)) for n in widths]] * 4
            edge = np.zeros((1, 2 * widths[0]))
        states = [np.stack([spread(seen[k], times) for seen in every]) for k in range(len(last))] if self.asked == "states" else []
        return [edge if self.asked == "edge" else spread(output, times), *last, *states]

    def listen(self, vector: Any) -> None:
        """Run the layer once, and hear its masks."""
        drawn: list[Any] = []
        kept, stays = inside.kept, inside.Noise.stays

        def hear(shape: Any, p: float, dtype: Any) -> Any:
            drawn.append(kept(shape, p, dtype))
            return drawn[-1]

        def hear_stays(noise: Any, *rest: Any) -> Any:
            drawn.append(stays(noise, *rest))
            return drawn[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inside, "kept", hear)
            patch.setattr(inside.Noise, "stays", hear_stays)
            self.ours(*[mg.tensor(point) for point in self.cut(vector)])
        queue = iter(drawn)
        noise, training = self.layer.noise, self.layer.training
        for _ in self.layer.all_suffixes():
            here: dict[str, Any] = {"inside": {}, "weights": {}}
            if training and noise.variational[0]:
                here["x"] = next(queue).numpy()
            if training and noise.weight_drop:
                here["weights"] = {name: next(queue).numpy() for name in self.layer.recurrent}
            if training and noise.variational[1]:
                here["inside"]["mask_hidden"] = next(queue).numpy()
            if training and noise.recurrent_dropout:
                here["inside"]["mask_candidate"] = next(queue).numpy()
            here["stays"] = next(queue)
            if training and noise.variational[2]:
                here["y"] = next(queue).numpy()
            self.heard.append(here)
        assert next(queue, None) is None

    def masks(self, b: int) -> list[Masks] | None:
        """Those of sequence b."""
        if not self.heard:
            return None
        at, valid = slice(b, b + 1), self.valid()
        lengths = valid.sum(axis=0)
        order = np.argsort(-lengths, kind="stable")
        packed = [(t, one) for t in range(lengths.max()) for one in order if lengths[one] > t]  # of each packed row
        rows = [packed.index((t, b)) for t in range(lengths[b])]
        found = []
        for here in self.heard:
            cut = {label: here[label][at] for label in ("x", "y") if label in here}
            inner = {label: mask[at] for label, mask in here["inside"].items()}
            stays = [share.numpy() for share in here["stays"]]
            if not self.layer.training:  # the expectation
                stays = [np.full((B * T, 1), p) for p in self.layer.noise.zoneout]
            elif not valid.all():
                stays = [share[rows][:, None] for share in stays]
            else:
                stays = [share[:, at] for share in stays]
            found.append(Masks(inside=inner, weights=here["weights"], stays=tuple(stays), **cut))
        return found


def spread(values: Any, times: Any) -> Any:
    """(n, 1, H) at these times, zeros at the others."""
    where = {t: k for k, t in enumerate(times)}
    return np.stack([values[where[t]] if t in where else np.zeros(values.shape[1:]) for t in range(T)])


PADDED = [name for name in PADDINGS if name != "whole"]
RESULTS = [*[(asked, padding) for asked in ("outputs", "edge", "states") for padding in PADDED], ("trace", "lengths")]
NOISY = [*[(noise, "lengths") for noise in NOISES], ("all", "whole"), ("all", "holes")]


@compiled
@pytest.mark.parametrize(("asked", "padding"), RESULTS)
@pytest.mark.parametrize("label", VARIANTS)
def test_padding_and_all_that_comes_out(label: str, asked: str, padding: str) -> None:
    Settings(VARIANTS[label], padding, asked, {}, learned=asked == "edge").agrees()


@compiled
@pytest.mark.parametrize(("noise", "padding"), NOISY)
@pytest.mark.parametrize("label", VARIANTS)
def test_regularisers(label: str, noise: str, padding: str) -> None:
    """Each mask stands where its paper has it, is the same at every step, and is one sequence's own."""
    chosen = dict(NOISES[noise])
    if label == "RNN tanh" and chosen.pop("recurrent_dropout", 0) and not chosen:
        pytest.skip("an RNN has no candidate")
    Settings(VARIANTS[label], padding, "states", chosen).agrees()


@compiled
@pytest.mark.parametrize("label", VARIANTS)
def test_zoneout_in_eval_moves_by_the_expectation(label: str) -> None:
    Settings(VARIANTS[label], "lengths", "outputs", {"zoneout": 0.3}, training=False).agrees()


@compiled
def test_a_mask_in_another_place_is_told_apart() -> None:
    """The comparison can fail: with the masks of another sequence."""
    case = Settings(VARIANTS["LSTM"], "lengths", "outputs", {"variational": 0.5})
    right = case.plain(case.vector)
    for here in case.heard:
        here["x"] = here["x"][::-1]
    assert max(np.abs(a - b).max() for a, b in zip(case.plain(case.vector), right, strict=True)) > 1e-2
