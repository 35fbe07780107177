"""What the tests of operations are made of: first and second gradients of a sample, by minigrad and by others, and their difference."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from functions import FUNCTIONS
from references import REFERENCES, TORCH
from samples import SAMPLES, Sample

from minigrad import Tensor
from minigrad.ops import all_ops

OPS = all_ops()
CALLS: dict[str, Any] = {**OPS, **FUNCTIONS}
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


def differentiable(name: str, sample: Sample) -> list[int]:
    """Places of the arguments that have a gradient: floating arrays with a rule."""
    op = CALLS[name]
    ruled = [rule is not None for rule in op.rules] if not op.variadic else [True] * len(sample.args)
    return [i for i, arg in enumerate(sample.args) if isinstance(arg, np.ndarray) and arg.dtype.kind == "f" and ruled[i]]


def cases(name: str, *kinds: str) -> list[Sample]:
    """The samples of an operation that may be asked for gradients."""
    return [sample for sample in SAMPLES[name] if sample.kind in (kinds or ("smooth", "kink")) and differentiable(name, sample)]


def lift(name: str, sample: Sample, dtypes: Any, chosen: Any = None) -> tuple[list[Any], list[Tensor]]:
    """The arguments as tensors, those in `chosen` (all that can, unless said) requiring a gradient, and the list of these."""
    args = list(sample.tensors(*dtypes))
    places = differentiable(name, sample) if chosen is None else chosen
    return args, [args[i].requires_grad_() for i in places]


def direction(shape: tuple[int, ...], number: int) -> np.ndarray[Any, Any]:
    """Random numbers of either sign, the same at each call: cotangents that hide nothing."""
    rng = np.random.default_rng(100 + number)
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def error(got: Any, want: Any) -> float:
    """max |a - b| / max(1, max |b|); NaN and infinities must be in the same places."""
    got, want = np.asarray(got), np.asarray(want, float)
    assert got.shape == want.shape, f"shape {got.shape}, expected {want.shape}"
    finite = np.isfinite(want)
    assert np.array_equal(finite, np.isfinite(got)) and np.array_equal(got[~finite], want[~finite], equal_nan=True)
    return float(np.max(np.abs(got[finite] - want[finite]), initial=0.0) / max(1.0, float(np.max(np.abs(want[finite]), initial=0.0))))


worst: dict[str, float] = {}


def close(what: str, got: Any, want: Any, tolerance: float, sample: Any) -> None:
    """Assert, and note the largest error of its kind."""
    found = error(got, want)
    worst[what] = max(worst.get(what, 0.0), found)
    assert found <= tolerance, f"{what}: error {found:.3g} for {sample}\n{got}\n{want}"


def value_of(g: Tensor | None, like: Tensor) -> np.ndarray[Any, Any]:
    """A gradient as an array; none at all counts as zeros."""
    return np.zeros(like.shape) if g is None else g.numpy()


def both_orders(name: str, sample: Sample, dtypes: Any, turn: int = 0) -> tuple[list[Any], list[Any], Any]:
    """First gradients, then second ones: of <v, first gradients> by the arguments and by the cotangent. And the leaves.

    Each `turn` has other cotangents.
    """
    args, leaves = lift(name, sample, dtypes)
    out = CALLS[name](*args, **sample.settings)
    seed = Tensor(direction(out.shape, 1000 * turn).astype(out.dtype), requires_grad=True)
    out.backward(seed, create_graph=True)
    first = [leaf.grad for leaf in leaves]
    for leaf in [*leaves, seed]:
        leaf.grad = None
    for k, g in enumerate(first):
        assert g is not None
        if g.requires_grad:
            g.backward(direction(g.shape, 1000 * turn + 1 + k).astype(g.dtype), retain_graph=True)
    return first, [leaf.grad for leaf in [*leaves, seed]], [*leaves, seed]


def by_autograd(name: str, sample: Sample, turn: int = 0) -> tuple[list[Any], list[Any]]:
    """The same two orders from HIPS autograd on the reference."""
    arrays = sample.arrays(F64)
    places = differentiable(name, sample)

    def loss(chosen: Any, seed: Any) -> Any:
        full = list(arrays)
        for i, x in zip(places, chosen, strict=True):
            full[i] = x
        return anp.sum(seed * REFERENCES[name](*full, **sample.settings))

    gradient = autograd.grad(loss, 0)
    chosen = tuple(arrays[i] for i in places)
    seed = direction(np.shape(REFERENCES[name](*arrays, **sample.settings)), 1000 * turn)

    def slope(chosen: Any, seed: Any) -> Any:
        return sum(anp.sum(direction(g.shape, 1000 * turn + 1 + k) * g) for k, g in enumerate(gradient(chosen, seed)))

    second, by_seed = autograd.grad(slope, (0, 1))(chosen, seed)
    return list(gradient(chosen, seed)), [*second, by_seed]


def in_torch(torch: Any, name: str, sample: Sample) -> tuple[list[Any], Any]:
    """The arguments as PyTorch's tensors, those that can requiring a gradient, and what its function makes of them."""
    args = [torch.tensor(np.array(arg, order="C")) if isinstance(arg, np.ndarray) else arg for arg in sample.arrays(F64)]
    leaves = [args[i].requires_grad_() for i in differentiable(name, sample)]
    return leaves, TORCH[name](torch, *args, **sample.settings)


def by_torch(torch: Any, name: str, sample: Sample, turn: int = 0) -> tuple[list[Any], list[Any]]:
    """The same two orders from PyTorch."""
    leaves, out = in_torch(torch, name, sample)
    seed = torch.tensor(direction(tuple(out.shape), 1000 * turn), requires_grad=True)
    first = torch.autograd.grad(out, leaves, seed, create_graph=True)
    slope = sum((torch.tensor(direction(tuple(g.shape), 1000 * turn + 1 + k)) * g).sum() for k, g in enumerate(first))
    slope = slope + 0.0 * seed.sum()  # also where the gradients depend on nothing
    second = torch.autograd.grad(slope, [*leaves, seed], allow_unused=True, materialize_grads=True)
    return [g.numpy(force=True) for g in first], [g.numpy(force=True) for g in second]


def where_it_has_one(want: Any, got: Any, sample: Sample) -> Any:
    """A second derivative by an oracle, with ours in its places at kinks where it has none: PyTorch gives NaN there, we a number."""
    if sample.kind != "kink":
        return want
    assert np.isfinite(got).all(), f"no finite second derivative at a kink: {sample}\n{got}"
    return np.where(np.isnan(want), got, want)


def print_errors() -> None:
    """The counts, and the largest error of each comparison so far."""
    print(f"\n{len(SAMPLES)} operations, {sum(len(samples) for samples in SAMPLES.values())} samples; largest errors:")
    for what, size in sorted(worst.items()):
        print(f"  {what}: {size:.2g}")
