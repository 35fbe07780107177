"""Every recurrent cell with every option: against its equations in plain NumPy, both orders of derivatives against autograd's of those."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from beside_plain import Case, compiled, distance
from plain_recurrent import ACTIVATIONS, Variant, all_variants

import minigrad as mg
from minigrad import nn
from minigrad.nn.equations import ACTIVATIONS as OURS

I_, H, T, B = 3, 4, 5, 2
VARIANTS = all_variants()
FORMS: list[dict[str, Any]] = [
    {"layers": 1, "both": False, "batch_first": True},
    {"layers": 2, "both": True},
]
MORE: list[dict[str, Any]] = [
    {"layers": 3, "both": False, "residual": True},
    *[{"layers": 2, "both": True, "merge": merge} for merge in ("sum", "mul", "ave", None)],
    {"layers": 3, "both": True, "merge": "ave", "residual": True, "batch_first": True},
]
FEW = ["GRU before write", "LSTM peephole", "four gates", "stack of cells", "own"]


def case_of(variant: Variant, seed: int = 0, batch_first: bool = False, **form: Any) -> Case:
    """A layer of this form beside plain NumPy."""
    given = {"bidirectional": form["both"], **{key: form[key] for key in ("merge", "residual") if key in form}}
    layer = variant.layer(I_, H, form["layers"], batch_first=batch_first, dtype="float64", **given)
    return Case(variant, layer, (T, B, I_), seed, **form)


def words(form: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in form.items())


@compiled
@pytest.mark.parametrize("form", FORMS, ids=words)
@pytest.mark.parametrize("label", VARIANTS)
def test_each_variant_is_its_equations_with_both_derivatives(label: str, form: dict[str, Any]) -> None:
    case_of(VARIANTS[label], **form).agrees()


@compiled
@pytest.mark.parametrize("form", MORE, ids=words)
@pytest.mark.parametrize("label", FEW)
def test_each_merge_and_residual_is_its_equations_with_both_derivatives(label: str, form: dict[str, Any]) -> None:
    case_of(VARIANTS[label], seed=1, **form).agrees()


@pytest.mark.parametrize("label", [label for label in VARIANTS if "stack" not in label])
def test_each_cell_takes_the_step_of_its_layer(label: str) -> None:
    """One step of plain NumPy, of a batch and of a row without one."""
    variant, rng = VARIANTS[label], np.random.default_rng(2)
    made = getattr(variant.make, "Cell", None) or getattr(nn, variant.make.__name__ + "Cell")
    cell = made(I_, H, dtype="float64", **variant.options)
    cell.load_state_dict({name: rng.standard_normal(p.shape) for name, p in cell.named_parameters()})
    x, states = rng.standard_normal((B, I_)), [rng.standard_normal((B, n)) for n in cell.widths()]
    weights = SimpleNamespace(**{name: p.numpy() for name, p in cell.named_parameters()})
    want, _ = variant.step(states, x, weights, **variant.options)
    batch, row = (cell(x[k], tuple(s[k] for s in states) if len(states) > 1 else states[0][k]) for k in (slice(None), 1))
    for got, alone, expected in zip(*[part if isinstance(part, tuple) else (part,) for part in (batch, row)], want, strict=True):
        assert distance(got, expected) < 1e-12
        assert distance(alone, expected[1]) < 1e-12


def test_no_activation_and_no_option_is_left_out() -> None:
    assert set(ACTIVATIONS) == set(OURS)
    for kind, classes in (("LSTM", nn.LSTM), ("GRU", nn.GRU), ("RNN", nn.RNN)):
        said = {key for variant in VARIANTS.values() if variant.make is classes for key in variant.options}
        assert said == {*classes.usual, "bias"}, kind
        for option in ("peephole", "coupled", "layer_norm") if kind == "LSTM" else ():
            assert sum(option in variant.options for variant in VARIANTS.values()) >= 3, option
    assert {form.get("merge", "concat") for form in [*FORMS, *MORE]} == set(nn.stack.MERGES)


@pytest.mark.parametrize("label", ["LSTM peephole", "GRU after keep"])
def test_other_equations_are_told_apart(label: str) -> None:
    """The comparison can fail: another order of the gates or of the states is far away."""
    case = case_of(VARIANTS[label], layers=1, both=False)
    right = case.plain(case.vector)
    weight = case.cut(case.vector)[1]
    weight[:] = np.roll(weight, H, axis=0)
    assert distance(case.plain(case.vector)[0], right[0]) > 1e-2


def test_forget_bias_starts_the_forget_gate_and_changes_nothing_else() -> None:
    for options in ({}, {"coupled": True}, {"peephole": True, "layer_norm": True, "proj_size": 2}):
        mg.manual_seed(3)
        plain_layer = nn.LSTM(I_, H, 2, bidirectional=True, **options)
        mg.manual_seed(3)
        biased = nn.LSTM(I_, H, 2, bidirectional=True, forget_bias=2.5, **options)
        at = 0 if "coupled" in options else H
        for name, value in plain_layer.state_dict().items():
            want = np.array(value)
            if name.startswith("bias"):
                want[at : at + H] = 2.5 if name.startswith("bias_ih") else 0.0
            assert np.array_equal(biased.state_dict()[name], want), name
    with pytest.raises(ValueError, match="forget_bias=1.0 needs bias=True"):
        nn.LSTM(I_, H, bias=False, forget_bias=1.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.RNN(I_, H, nonlinearity="sine"), "RNN: nonlinearity='sine' is not one of 'tanh', 'relu'"),
        (lambda: nn.GRU(I_, H, reset="never"), "GRU: reset='never' is not one of 'after', 'before'"),
        (lambda: nn.GRUCell(I_, H, update="often"), "GRUCell: update='often' is not one of 'keep', 'write'"),
        (lambda: nn.LSTM(I_, H, proj_size=H), "LSTM: proj_size=4 should be smaller than hidden_size=4"),
        (lambda: nn.LSTM(I_, H, activations=("tanh", "tanh")), "LSTM: activations are three, of the gates, of g and of c"),
        (lambda: nn.LSTM(I_, H, activations=("tanh", "tanh", "sine")), "LSTM: activations='sine' is not one of"),
        (lambda: nn.LSTM(I_, H, cell_clip=0.0), "LSTM: cell_clip=0.0 should be above 0, or None"),
        (lambda: nn.LSTM(I_, H, bidirectional=True, merge="max"), "LSTM: merge='max' is not one of 'concat', 'sum', 'mul', 'ave', None"),
    ],
)
def test_settings_that_do_not_exist_get_sentences(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(words)):
        make()
