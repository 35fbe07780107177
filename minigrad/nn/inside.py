"""What goes on inside a step besides its equations: masks that regularise it, and a look at what it has named.

A `Step` is the step of one direction of one layer, for one call. Masks are drawn once for the call and are constants of the scan, with a
row for each sequence (or, for zoneout, inputs with a row for each step of each sequence), so every replay meets the same ones.
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np

from minigrad import random
from minigrad.ops import astype, mul, ones, take
from minigrad.ops.naming import listening
from minigrad.recording import is_grad_enabled, no_grad
from minigrad.tape import Tensor

from .dropout import check_probability, dropout
from .sequences import Packing

CANDIDATES = ("g", "n", "N")  # what cells name the new content that their gates let in


def kept(shape: tuple[int, ...], p: float, dtype: Any) -> Tensor:
    """A mask: 0 with probability p, else 1 / (1 - p)."""
    return dropout(ones(shape, dtype=dtype), p)


def several(value: Any, count: int, option: str, who: str) -> tuple[float, ...]:
    """A probability for each of several places, from one number or one for each."""
    values = tuple([float(one) for one in (value if isinstance(value, tuple | list) else (value,) * count)])
    if len(values) != count:
        raise ValueError(f"{who}: {option} is one probability or {count}, got {value!r}")
    for one in values:
        check_probability(one, f"{who}: {option}")
    return values


class Noise:
    """The regularisers of a layer.

    `variational`: dropout with one mask for all time steps, of the input, of h where the recurrent product reads it, and of the output
    (Gal and Ghahramani, 2016). `recurrent_dropout`: one mask for all steps on the candidate, the new content of the memory (Semeniuta,
    Severyn and Barth, 2016). `zoneout`: at each step and place h and c stay what they were with these probabilities (Krueger et al.,
    2017); in `eval` they move by the expectation. `weight_drop`: W_hh with elements dropped, once for a call (Merity, Keskar and
    Socher, 2018).
    """

    def __init__(self, who: str, states: int, variational: Any, recurrent_dropout: float, zoneout: Any, weight_drop: float) -> None:
        self.who = who
        self.variational = several(variational, 3, "variational", who)
        self.recurrent_dropout = several(recurrent_dropout, 1, "recurrent_dropout", who)[0]
        self.zoneout = several(zoneout, states, "zoneout", who)
        self.weight_drop = several(weight_drop, 1, "weight_drop", who)[0]

    def changed(self) -> list[str]:
        """The settings that do anything, as they would be written."""
        parts = {label: getattr(self, label) for label in ("variational", "recurrent_dropout", "zoneout", "weight_drop")}
        short = {label: p[0] if isinstance(p, tuple) and len({*p}) == 1 else p for label, p in parts.items()}
        return [f"{label}={p!r}" for label, p in short.items() if p]

    def active(self, training: bool) -> bool:
        """Whether anything is to be done."""
        others = any(self.variational) or self.recurrent_dropout > 0 or self.weight_drop > 0
        return any(self.zoneout) or (training and others)

    def weights(self, weights: dict[str, Tensor], recurrent: tuple[str, ...], training: bool) -> dict[str, Tensor]:
        """The weights, those that multiply h with a mask; raises ValueError if there are none."""
        p = self.weight_drop if training else 0.0
        if p and not recurrent:
            raise ValueError(f"{self.who}: weight_drop acts on matrices that multiply the state, and there are none")
        return {label: mul(W, kept(W.shape, p, W.dtype)) if p and label in recurrent else W for label, W in weights.items()}

    def masks(self, batch: int, widths: tuple[int, ...], dtype: Any, training: bool) -> dict[str, Tensor]:
        """The masks of a call that stand inside the step."""
        found = {}
        if training and self.variational[1]:
            found["mask_hidden"] = kept((batch, widths[0]), self.variational[1], dtype)
        if training and self.recurrent_dropout:
            found["mask_candidate"] = kept((batch, widths[-1]), self.recurrent_dropout, dtype)
        return found

    def stays(self, leading: tuple[int, ...], widths: tuple[int, ...], dtype: Any, training: bool) -> tuple[Tensor | None, ...]:
        """For each state 1 where it stays what it was and 0 where it moves, for all steps; None where it always moves. Empty in `eval`."""
        if not training or not any(self.zoneout):
            return ()
        pairs = zip(self.zoneout, widths, strict=True)
        return tuple([astype(random.draw("random", (*leading, width), np.float32) < p, dtype=dtype) if p else None for p, width in pairs])

    def outside(self, x: Tensor, p: float, batch: int, valid: Packing | None, training: bool) -> Tensor:
        """x for all steps with one mask a sequence."""
        if not (training and p):
            return x
        mask = kept((batch, x.shape[-1]), p, x.dtype)
        return x * (mask if valid is None else take(mask, valid.row))


class Step:
    """A layer's step with masks inside, and with probes: zeros that are added to what it names, whose gradients are those of the names."""

    def __init__(self, layer: Any, names: tuple[str, ...], zoneout: tuple[float, ...], all_states: bool, probes: tuple[str, ...]) -> None:
        self.layer = layer
        self.names = names  # of the weights, and of the masks behind them
        self.zoneout = zoneout  # where nothing is drawn: the share that stays
        self.all_states = all_states
        self.probes = probes

    def __call__(self, tensors: tuple[Tensor, ...], carry: Any, xs: Any) -> tuple[Any, Any]:
        """(carry, y) as the layer's own step; y with the states and the named values behind it, if they are asked for."""
        x, stays, probes = xs
        w = SimpleNamespace(**{name: running(name, tensor, x) for name, tensor in zip(self.names, tensors, strict=True)})
        seen: dict[str, Tensor] = {}
        added = dict(zip(self.probes, probes, strict=True))
        mask, met = getattr(w, "mask_candidate", None), False

        def listener(label: str, tensor: Tensor) -> Tensor:
            nonlocal met
            if label in CANDIDATES and mask is not None:
                tensor, met = tensor * mask, True
            if label in added:
                tensor = seen[label] = tensor + added[label]
            return tensor

        with listening(listener):
            after, y = self.layer.step(carry, x, w)
        if mask is not None and not met:
            raise ValueError(
                f"{self.layer.label()}: recurrent_dropout acts on the new content of the memory, what the step names 'g', 'n' or 'N', "
                'and this step names none of them: write mg.name("n", ...) around it'
            )
        olds, news = (state if isinstance(state, tuple) else (state,) for state in (carry, after))
        held = [hold(old, new, stay, p) for old, new, stay, p in itertools.zip_longest(olds, news, stays, self.zoneout)]
        if any(state is not new for state, new in zip(held, news, strict=True)):
            y = held[0] if y is news[0] else y
            after = tuple(held) if isinstance(after, tuple) else held[0]
        return after, (y, *(held if self.all_states else ()), *[seen[label] for label in self.probes])


def hold(old: Tensor, new: Tensor, stay: Tensor | None, p: float) -> Tensor:
    """A state with zoneout: `stay` says where it is what it was; without, a share p of it is."""
    if stay is not None:
        return old * stay + new * (1.0 - stay)
    return old * p + new * (1.0 - p) if p else new


def running(name: str, tensor: Tensor, x: Tensor) -> Tensor:
    """A weight; of a mask, the rows of the sequences that run."""
    return tensor[: len(x)] if name.startswith("mask") and len(tensor) != len(x) else tensor


def look(layer: Any, carry: Any, x: Tensor, w: Any) -> dict[str, tuple[int, ...]]:
    """What a step names, with the shapes of one row: it is run once for that. Raises ValueError if a name stands for two things."""
    seen: dict[str, tuple[int, ...]] = {}

    def listener(label: str, tensor: Tensor) -> Tensor:
        if label in seen:
            raise ValueError(f"{layer.label()}: its step names two things {label!r}; trace=True shows one by that name")
        seen[label] = tensor.shape[1:]
        return tensor

    state = random.get_rng_state()
    with no_grad(), listening(listener):
        layer.step(carry, x, w)
    random.set_rng_state(state)
    return seen


def probe(shape: tuple[int, ...], dtype: Any) -> Tensor:
    """Zeros whose gradient will be that of what they are added to."""
    return Tensor(np.zeros(shape, dtype), requires_grad=is_grad_enabled())


def shown(values: Tensor, gradient_of: Tensor, as_given: Any) -> Tensor:
    """The values of a name at all times, as a constant whose `.grad` is set when a backward pass has reached the probe."""
    seen: Tensor = as_given(values.detach())

    def arrive(g: Tensor) -> None:
        with no_grad():
            mine = as_given(g.detach())
            seen._grad = mine if seen._grad is None else seen._grad + mine

    if gradient_of.requires_grad:
        gradient_of.register_hook(arrive)
    return seen
