"""Six cells and the layers in a compiled scan against the loop: lengths, outputs and inputs in part, passes, second order, bits.

`test_scan.py` has the contract of scan line by line; here the same recurrences go through every way there is to call it.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cells_for_scan import ALL, CELLS, LAYERS, numbers

import minigrad as mg
from minigrad import threads
from minigrad.scan import PASSES, build, sink
from minigrad.scan.trace import Tracer

sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
from _compare import busy, differences, set_up

pytestmark = pytest.mark.skipif(mg.config.kernels() is None, reason="the compiled loop needs the compiled kernels")
EVERY = frozenset(PASSES)
SMALL = {"T": 3, "B": 3, "I": 4, "H": 5}
both_ways = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
recurrences = pytest.mark.parametrize("name", ALL)


def subsets(names: Any) -> list[frozenset[str]]:
    """Every subset."""
    return [frozenset(chosen) for count in range(len(names) + 1) for chosen in itertools.combinations(names, count)]


def shapes_of(name: str, reverse: bool, **sizes: int) -> dict[str, tuple[int, ...]]:
    """The shapes of all that a recurrence needs."""
    return ALL[name].shapes({**SMALL, **sizes}, reverse)


def weighted(tensors: dict[str, Any], axes: dict[str, int] | None = None, keep: Any = None) -> Any:
    """The sum of tensors times random numbers; `keep` are the rows that these tensors have of a batch of 64."""
    total = mg.tensor(np.zeros((), next(iter(tensors.values())).dtype)) if tensors else None
    for name, tensor in tensors.items():
        shape = list(tensor.shape)
        if keep is not None:
            shape[axes[name]] = 64
        weights = np.random.default_rng([5, *name.encode()]).standard_normal(shape).astype(tensor.dtype)
        total = total + (tensor * (weights if keep is None else np.take(weights, keep, axes[name]))).sum()
    return total


def played(
    name: str,
    arrays: dict[str, Any],
    reverse: bool,
    mode: str = "compile",
    *,
    passes: frozenset[str] = EVERY,
    used: Any = None,
    wanted: Any = None,
    second: bool = False,
    keep: Any = None,
) -> dict[str, Any]:
    """All results, and gradients to the leaves `wanted` from the results `used` (None: all); `keep` are these rows of a batch."""
    leaves = {leaf: mg.tensor(array, requires_grad=wanted is None or leaf in wanted) for leaf, array in arrays.items()}
    with set_up(mode, passes):
        results = ALL[name](leaves, reverse)
    assert mg.scan_report().compiled == (mode == "compile"), mg.scan_report()
    found = {result: tensor.numpy().copy() for result, tensor in results.items()}
    total = weighted(
        {result: tensor for result, tensor in results.items() if used is None or result in used}, row_axes(name, results), keep
    )
    if total is not None and total.requires_grad:
        (total * total if second else total).backward(create_graph=second)
    first = {leaf: tensor.grad for leaf, tensor in leaves.items()}
    found |= {f"gradient {leaf}": None if g is None else g.numpy().copy() for leaf, g in first.items()}
    if second:
        for tensor in leaves.values():
            tensor.grad = None
        total = weighted({leaf: g for leaf, g in first.items() if g is not None})
        if total is not None:
            total.backward()
        found |= {f"second {leaf}": None if tensor.grad is None else tensor.grad.numpy().copy() for leaf, tensor in leaves.items()}
    return found


def row_axes(name: str, tensors: Any) -> dict[str, int]:
    """The axis of the batch: the first of a cell's states, else the second."""
    return {key: 0 if name in CELLS and key in ("h0", "c0", "h_n", "c_n") else 1 for key in tensors}


def agree(name: str, reverse: bool, sizes: dict[str, int] | None = None, **how: Any) -> None:
    """Compiled and as a loop the same to 1e-12 of the largest element, and None in the same places; no allowance."""
    arrays = numbers(shapes_of(name, reverse, **(sizes or {})), 1, np.float64)
    got = played(name, arrays, reverse, **how)
    want = played(name, arrays, reverse, "eager", **how)
    assert differences(got, want, lambda: [want]) == ([], False)


@recurrences
@both_ways
@pytest.mark.parametrize("T", [1, 2, 7, 100])
def test_a_sequence_of_any_length(name, reverse, T):
    agree(name, reverse, {"T": T})


@recurrences
@both_ways
def test_rules_are_traced_alike_with_and_without_their_numbers(name, reverse, monkeypatch):
    arrays, pages = numbers(shapes_of(name, reverse), 1, np.float32), []
    for listener in (sink.Blind, Tracer, sink.Blind):
        monkeypatch.setattr(sink, "Blind", listener)
        build.plans.clear(), build.known.clear()
        played(name, arrays, reverse)
        pages.append(str(mg.scan_report().plan))
    assert pages[0] == pages[1] == pages[2]


def test_what_rules_give_is_known_from_one_element_and_found_again(monkeypatch):
    sizes = []
    rule = sink.OPS["tanh_grad"]
    kernel = rule.kernel
    monkeypatch.setattr(rule, "kernel", lambda dy, y: sizes.append(dy.size) or kernel(dy, y))
    sink.forms.clear()
    for _ in range(2):
        build.plans.clear(), build.known.clear()
        mg.nn.RNN(6, 7)(mg.randn(3, 5, 6))
        assert mg.scan_report().compiled
    assert sizes == [1]


@pytest.mark.parametrize("name", CELLS)
@both_ways
def test_no_time_steps_give_the_states_back(name, reverse):
    leaves = {leaf: mg.tensor(a, requires_grad=True) for leaf, a in numbers(shapes_of(name, reverse, T=0), 1, np.float64).items()}
    results = ALL[name](leaves, reverse)
    weighted(results).backward()
    for state, result in (("h0", "h_n"), ("c0", "c_n")):
        if state in leaves:
            weights = np.random.default_rng([5, *result.encode()]).standard_normal(leaves[state].shape)
            assert np.array_equal(results[result].numpy(), leaves[state].numpy())
            assert np.array_equal(leaves[state].grad.numpy(), weights)
    assert all(results[y].shape == (0, SMALL["B"], SMALL["H"]) for y in ALL[name].outputs if not y.endswith("_n"))
    assert all(leaf.grad is None for key, leaf in leaves.items() if key not in ("h0", "c0"))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("mode", ["compile", "eager"])
def test_a_layer_refuses_no_time_steps(name, mode):
    arrays = numbers(shapes_of(name, False, T=0), 1, np.float64)
    with set_up(mode, EVERY), pytest.raises(mg.ShapeError, match="no time steps"):
        ALL[name]({leaf: mg.tensor(array) for leaf, array in arrays.items()}, False)


@recurrences
@both_ways
def test_every_subset_of_outputs(name, reverse):
    for used in subsets(ALL[name].outputs):
        agree(name, reverse, used=used)


@recurrences
@both_ways
def test_any_subset_of_inputs_that_require_gradients(name, reverse):
    """Every subset of states and x, each with all weights, none, one alone, all but one; some with a part of the outputs."""
    leaves = list(shapes_of(name, reverse))
    data = [leaf for leaf in leaves if leaf in ("h0", "c0", "x")]
    weights = frozenset(leaves) - frozenset(data)
    some = sorted(weights)[:: 1 if len(weights) < 10 else 3]
    chosen = [weights, frozenset(), *[frozenset([one]) for one in some], *[weights - {one} for one in some]]
    parts = itertools.cycle([None, *subsets(ALL[name].outputs)])
    for wanted, more in itertools.product(subsets(data), chosen):
        agree(name, reverse, {"T": 2}, wanted=wanted | more, used=next(parts))


@recurrences
@both_ways
@pytest.mark.parametrize("off", [*PASSES, "all"])
def test_each_pass_off(name, reverse, off):
    passes = EVERY - (EVERY if off == "all" else {off})
    agree(name, reverse, {"T": 6}, passes=passes)
    agree(name, reverse, passes=passes, used={ALL[name].outputs[-1]}, wanted={"h0", "x"})


@recurrences
@both_ways
@pytest.mark.parametrize("passes", [EVERY, frozenset()], ids=["all passes", "no pass"])
def test_gradients_of_gradients(name, reverse, passes):
    agree(name, reverse, passes=passes, second=True)
    agree(name, reverse, passes=passes, second=True, used={ALL[name].outputs[-1]})
    weight = next(leaf for leaf in shapes_of(name, reverse) if leaf in ("W", "weight_hh_l0"))
    agree(name, reverse, passes=passes, second=True, wanted={"h0", weight})


@pytest.mark.parametrize("second", [False, True])
@both_ways
def test_one_tensor_in_every_role(reverse, second):
    """The first carry, both leaves of it, is also a constant of the step and a row of xs: all its gradients meet."""
    found = []
    for mode in ("compile", "eager"):
        rng = np.random.default_rng(2)
        a, w = mg.tensor(rng.standard_normal((3, 4)), requires_grad=True), mg.tensor(rng.standard_normal((4, 4)), requires_grad=True)
        with set_up(mode, EVERY):
            (h, c), ys = mg.scan(
                lambda carry, x: ((mg.tanh(carry[0] @ w + x * a), carry[1] * mg.sigmoid(a @ w)), carry[0] * a),  # noqa: B023
                (a, a),
                mg.stack([a, mg.tanh(a), a @ w]),
                reverse=reverse,
            )
        weighted({"h": h * h, "c": c, "ys": ys}).backward(create_graph=second)
        if second:
            first = {"a": a.grad, "w": w.grad}
            a.grad = w.grad = None
            weighted(first).backward()
        found.append({"h": h.numpy(), "ys": ys.numpy(), "a": a.grad.numpy(), "w": w.grad.numpy()})
    assert differences(*found, lambda: [found[1]]) == ([], False)


# ---- bits


@recurrences
@both_ways
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bits_of_a_row_depend_on_no_other_row(name, reverse, dtype):
    """Neither on the number of rows, nor on what stands in the others, nor on their order."""
    shapes = shapes_of(name, reverse, T=4, B=9, I=6, H=17)
    whole = numbers(shapes, 1, dtype)
    axis = row_axes(name, [leaf for leaf in shapes if leaf in ("h0", "c0", "x")])
    axes = {**row_axes(name, ALL[name].outputs), **{f"gradient {leaf}": where for leaf, where in axis.items()}}
    want = played(name, whole, reverse, keep=np.arange(9))

    def rows(arrays: dict[str, Any], keep: Any) -> dict[str, Any]:
        return {leaf: np.take(a, keep, axis[leaf]) if leaf in axis else a for leaf, a in arrays.items()}

    for keep in (np.arange(4, 5), np.arange(2, 8), np.arange(8), np.arange(9)[::-1]):
        got = played(name, rows(whole, keep), reverse, keep=keep)
        for key, where in axes.items():
            assert np.array_equal(got[key], np.take(want[key], keep, where)), (key, keep)
    spoiled = {leaf: a.copy() for leaf, a in whole.items()}
    for leaf, where in axis.items():
        np.moveaxis(spoiled[leaf], where, 0)[[0, 3, 8]] = np.nan
    got = played(name, spoiled, reverse, keep=np.arange(9))
    for key, where in axes.items():
        assert np.array_equal(np.delete(got[key], [0, 3, 8], where), np.delete(want[key], [0, 3, 8], where)), key


@recurrences
@both_ways
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bits_are_the_same_on_any_number_of_threads(name, reverse, dtype, monkeypatch):
    arrays = numbers(shapes_of(name, reverse, T=6, B=13, I=16, H=40), 1, dtype)
    used: list[int] = []
    worth = threads.worth
    monkeypatch.setattr(threads, "worth", lambda work, rows: used.append(worth(work, rows)) or used[-1])
    found = []
    for count in (1, 2, 3, 4):
        with busy(count):
            found.append(played(name, arrays, reverse))
    assert {2, 3, 4} <= set(used)
    for other in found[1:]:
        assert [key for key, array in found[0].items() if not np.array_equal(array, other[key])] == []


ACTIVATIONS: dict[str, Any] = {
    "silu": mg.silu,
    "gelu": mg.gelu,
    "elu": lambda x: mg.elu(x, alpha=0.7),
    "leaky_relu": lambda x: mg.leaky_relu(x, negative_slope=0.2),
    "log_sigmoid": mg.log_sigmoid,
    "erf": mg.erf,
    "erfc": mg.erfc,
    "expm1": lambda x: mg.expm1(mg.tanh(x)),
    "log1p": lambda x: mg.log1p(x * x),
    "reciprocal": lambda x: mg.reciprocal(x * x + 1.0),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_cell_with_any_activation_runs_compiled(name: str, dtype: str) -> None:
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in ((5, 3, 4), (3, 4), (4, 4), (5, 3, 4))]
    found = []
    for mode in ("compile", "eager"):
        xs, h0, W = (mg.tensor(array, requires_grad=True) for array in arrays[:3])
        with set_up(mode, EVERY):
            h, ys = mg.scan(lambda h, x, W=W: (ACTIVATIONS[name](mg.matmul(h, W) + x),) * 2, h0, xs)
        assert mg.scan_report().compiled == (mode == "compile"), mg.scan_report()
        ((ys * arrays[3]).sum() + h.sum()).backward()
        found.append({"ys": ys.numpy(), "h0": h0.grad.numpy(), "xs": xs.grad.numpy(), "W": W.grad.numpy()})
    for key, want in found[1].items():
        np.testing.assert_allclose(found[0][key], want, rtol=0, atol=(1e-5 if dtype == "float32" else 1e-12) * np.abs(want).max())
