"""Every operation, from its declaration and its SAMPLES: a test here is a promise that all operations keep.

The gradients are compared with HIPS autograd, on references written here in plain NumPy words (they share no code with
minigrad), with difference quotients of these references, and with PyTorch where it is installed.
"""

from __future__ import annotations

import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from samples import SAMPLES, Sample

from minigrad import Tensor, from_numpy
from minigrad.op import Into
from minigrad.ops import all_ops

OPS = all_ops()
KERNELED = sorted(name for name in OPS if OPS[name].kernel is not None)
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)

# ---- the references: one function an operation, in autograd's NumPy


def scatter(x: Any, shape: Any, index: Any) -> Any:
    """A matrix of zeros and ones puts each element in its place: nothing like the buffer that minigrad adds to."""
    places = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)[index].ravel()
    puts = np.zeros((int(np.prod(shape, dtype=int)), places.size))
    puts[places, np.arange(places.size)] = 1.0
    return anp.dot(puts, anp.reshape(x, (places.size,))).reshape(shape)


def matrix(x: Any) -> Any:
    """x as a matrix, all leading axes as one."""
    return x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def scatter_rows(x: Any, indices: Any, shape: Any, axis: int = 0) -> Any:
    index = (slice(None),) * (axis % len(shape)) + (np.asarray(indices),)
    return scatter(x, shape, index)


def sum_to(x: Any, shape: Any) -> Any:
    while len(x.shape) > len(shape):
        x = anp.sum(x, axis=0)
    for axis, length in enumerate(shape):
        x = anp.sum(x, axis=axis, keepdims=True) if length == 1 else x
    return x


def log_sum_exp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return anp.log(anp.sum(anp.exp(x), axis=axis, keepdims=keepdims))


def one_hot(target: Any, like: Any) -> Any:
    return (np.asarray(target)[:, None] == np.arange(like.shape[1])) * 1.0


def softmax(x: Any, axis: int = -1) -> Any:
    return anp.exp(x - log_sum_exp(x, axis=axis, keepdims=True)) if x.size else x * 1.0


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    total = anp.sum(x, axis=axis, keepdims=keepdims)
    return total * (np.float64(total.size) / np.float64(x.size)) if x.size else total * np.nan


def tuple_axis(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """autograd's reductions want a tuple of positive axes where NumPy takes anything."""

    def reduced(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if axis is not None and x.ndim:
            axis = tuple(a % x.ndim for a in (axis if isinstance(axis, list | tuple) else (axis,)))
            if not axis:
                return x * 1.0 if reduce is not log_sum_exp else anp.log(anp.exp(x))
        return reduce(x, axis=axis if x.ndim else None, keepdims=keepdims)

    return reduced


def choose(cond: Any, a: Any, b: Any) -> Any:
    """where, for finite numbers: autograd's own does not broadcast on the way back."""
    mask = np.asarray(cond) != 0
    return a * (1.0 * mask) + b * (1.0 * ~mask)


def clip(x: Any, lo: float | None = None, hi: float | None = None) -> Any:
    x = x if lo is None else choose(x < lo, lo, x)
    return x * 1.0 if hi is None else choose(x > hi, hi, x)


def power(a: Any, b: Any) -> Any:
    """By its definition, so that nothing of autograd's own conventions at 0 comes in."""
    if isinstance(b, int | float) or b.dtype.kind in "iu":
        return anp.power(a, np.asarray(b, float))
    positive = anp.greater(a, 0.0)
    by_definition = anp.exp(b * anp.log(choose(positive, a, 1.0)))
    return choose(positive, by_definition, 1.0 * anp.equal(b, 0.0) + 0.0 * by_definition)


def sigmoid(x: Any) -> Any:
    return 0.5 + 0.5 * anp.tanh(0.5 * x)


REFERENCES: dict[str, Callable[..., Any]] = {
    "abs": lambda x: x * anp.sign(x),
    "add": lambda a, b: a + b,
    "argmax": lambda x, axis=None, keepdims=False: np.argmax(x, axis=axis, keepdims=keepdims),
    "astype": lambda x, dtype: x * 1.0 if dtype == F64 else np.asarray(x).astype(dtype),
    "broadcast_to": lambda x, shape: x + np.zeros(shape),
    "clip": clip,
    "clone": lambda x: x * 1.0,
    "concatenate": lambda *xs, axis=0: anp.concatenate(xs, axis=axis),
    "cross_entropy_grad": lambda dy, x, target: anp.reshape(dy, (-1, 1)) * (softmax(x) - one_hot(target, x)),
    "cross_entropy_rows": lambda x, target: log_sum_exp(x, axis=1) - anp.sum(x * one_hot(target, x), axis=1),
    "detach": lambda x: np.array(x),
    "div": lambda a, b: a / (b * 1.0),
    "eq": lambda a, b: np.equal(a, b),
    "exp": anp.exp,
    "expand_dims": lambda x, axis: anp.reshape(x, np.expand_dims(np.zeros(x.shape), axis).shape),
    "ge": lambda a, b: np.greater_equal(a, b),
    "getitem": lambda x, index: x[index],
    "gt": lambda a, b: np.greater(a, b),
    "identity": lambda x: x * 1.0,
    "le": lambda a, b: np.less_equal(a, b),
    "linear": lambda x, weight, bias: anp.einsum("...i,oi->...o", x, weight) + (0.0 if bias is None else bias),
    "log": anp.log,
    "log_softmax": lambda x, axis=-1: x - log_sum_exp(x, axis=axis, keepdims=True) if x.size else x * 1.0,
    "logsumexp": tuple_axis(log_sum_exp),
    "lt": lambda a, b: np.less(a, b),
    "matmul": anp.matmul,
    "outer_sum": lambda a, b: anp.dot(matrix(a).T, matrix(b)),
    "max": tuple_axis(anp.max),
    "maximum": lambda a, b: choose(anp.greater(a, b), a, choose(anp.less(a, b), b, 0.5 * (a + b))),
    "mean": tuple_axis(mean),
    "minimum": lambda a, b: choose(anp.less(a, b), a, choose(anp.greater(a, b), b, 0.5 * (a + b))),
    "mul": lambda a, b: a * b,
    "ne": lambda a, b: np.not_equal(a, b),
    "neg": lambda x: -x,
    "pow": power,
    "relu": lambda x: choose(x > 0, x, 0.0),
    "relu_grad": lambda dy, x: choose(x > 0, dy, 0.0),
    "reshape": lambda x, shape: anp.reshape(x, tuple(shape) if isinstance(shape, list) else shape),
    "scatter": scatter,
    "scatter_rows": scatter_rows,
    "sigmoid": sigmoid,
    "sigmoid_grad": lambda dy, y: dy * (y - y * y),
    "sign": lambda x: np.sign(x),
    "softmax": softmax,
    "softplus": lambda x: anp.log(1.0 + anp.exp(x)),
    "softplus_grad": lambda dy, x: dy * sigmoid(x),
    "sqrt": anp.sqrt,
    "square": lambda x: x * x,
    "squeeze": lambda x, axis=None: anp.reshape(x, np.squeeze(np.zeros(x.shape), axis).shape),
    "stack": lambda *xs, axis=0: anp.concatenate([anp.expand_dims(x, axis) for x in xs], axis=axis),
    "sub": lambda a, b: a - b,
    "sum": tuple_axis(anp.sum),
    "sum_to": sum_to,
    "swapaxes": anp.swapaxes,
    "take": lambda x, indices, axis=0: x[(slice(None),) * (axis % x.ndim) + (np.asarray(indices),)],
    "tanh": lambda x: 1.0 - 2.0 / (1.0 + anp.exp(2.0 * x)),
    "tanh_grad": lambda dy, y: dy - dy * y * y,
    "transpose": lambda x, axes=None: anp.transpose(x, axes and tuple(a % len(axes) for a in axes)),
    "where": choose,
}

# ---- what the tests are made of

named = pytest.mark.parametrize("name", sorted(OPS))


def differentiable(name: str, sample: Sample) -> list[int]:
    """Places of the arguments that have a gradient: floating arrays with a rule."""
    op = OPS[name]
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


def both_orders(name: str, sample: Sample, dtypes: Any) -> tuple[list[Any], list[Any], Any]:
    """First gradients, then second ones: of <v, first gradients> by the arguments and by the cotangent. And the leaves."""
    args, leaves = lift(name, sample, dtypes)
    out = OPS[name](*args, **sample.settings)
    seed = Tensor(direction(out.shape, 0).astype(out.dtype), requires_grad=True)
    out.backward(seed, create_graph=True)
    first = [leaf.grad for leaf in leaves]
    for leaf in [*leaves, seed]:
        leaf.grad = None
    for k, g in enumerate(first):
        assert g is not None
        if g.requires_grad:
            g.backward(direction(g.shape, 1 + k).astype(g.dtype), retain_graph=True)
    return first, [leaf.grad for leaf in [*leaves, seed]], [*leaves, seed]


def by_autograd(name: str, sample: Sample) -> tuple[list[Any], list[Any]]:
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
    seed = direction(np.shape(REFERENCES[name](*arrays, **sample.settings)), 0)

    def slope(chosen: Any, seed: Any) -> Any:
        return sum(anp.sum(direction(g.shape, 1 + k) * g) for k, g in enumerate(gradient(chosen, seed)))

    second, by_seed = autograd.grad(slope, (0, 1))(chosen, seed)
    return list(gradient(chosen, seed)), [*second, by_seed]


# ---- (0) nothing is left out


def test_every_operation_has_samples_and_a_reference() -> None:
    assert sorted(SAMPLES) == sorted(OPS) == sorted(REFERENCES)
    count = sum(len(found) for found in SAMPLES.values())
    print(f"\n{len(OPS)} operations, {count} samples, {sum(len(cases(name)) for name in OPS)} of them with gradients")
    for name, found in SAMPLES.items():
        layouts = {sample.layout for sample in found}
        assert len(layouts) >= 7, f"{name}: only the layouts {layouts}"
        assert any(isinstance(arg, np.ndarray) and not arg.size for sample in found for arg in sample.args), f"{name}: no empty array"


# ---- (1) values: the body against the reference, the kernel against the body


@named
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_body_agrees_with_the_reference(name: str) -> None:
    for sample in SAMPLES[name]:
        if sample.kind != "extreme":
            want = REFERENCES[name](*sample.arrays(F64), **sample.settings)
            close("value against the reference", OPS[name](*sample.tensors(F64), **sample.settings).numpy(), want, 1e-13, sample)


def ulps(got: Any, want: Any) -> float:
    """The largest distance in units in the last place of `want`, subnormals counted as such."""
    finite = np.isfinite(want)
    assert np.array_equal(np.isfinite(got), finite) and np.array_equal(got[~finite], want[~finite], equal_nan=True), f"{got}\n{want}"
    return float(np.max(np.abs(got[finite].astype(np.longdouble) - want[finite]) / np.spacing(np.abs(want[finite])), initial=0.0))


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("name", KERNELED)
def test_kernel_agrees_with_the_body(name: str, dtype: Any) -> None:
    """Where it serves. A row kernel sums in another order, and differences cancel: those are allowed a few ULP of the largest term."""
    op, served = OPS[name], 0
    rows = name in (
        "linear",
        "matmul",
        "outer_sum",
        "sum_to",
        "softmax",
        "log_softmax",
        "logsumexp",
        "cross_entropy_rows",
        "cross_entropy_grad",
    )
    for sample in SAMPLES[name]:
        arrays = sample.arrays(dtype)
        with np.errstate(all="ignore"):
            got = op.kernel(*arrays, **sample.settings)
            if got is NotImplemented:
                continue
            served += 1
            want = np.asarray(op.body(*arrays, **sample.settings))
        assert type(got) is np.ndarray and got.dtype == want.dtype and got.shape == want.shape, (
            f"{sample}: {got.dtype}{got.shape}, {want.dtype}{want.shape}"
        )
        if want.dtype.kind == "f":
            close_enough = ulps(got, want) <= 8 or (rows and error(got, want) <= 8 * np.finfo(dtype).eps)
            assert close_enough, f"{sample}: {ulps(got, want)} ULP\n{got}\n{want}"
        else:
            assert np.array_equal(got, want), f"{sample}\n{got}\n{want}"
    assert served, f"the kernel of {name} served none of {len(SAMPLES[name])} samples"


def test_a_row_with_infinity_is_the_same_in_kernel_and_body() -> None:
    """With +inf in a row the loss is NaN as its log_softmax is; a row of -inf costs inf. Once the kernel and the body differed."""
    op, target = OPS["cross_entropy_rows"], np.array([1, 0])
    x = np.array([[np.inf, 1.0], [-np.inf, -np.inf]])
    assert np.array_equal(op(from_numpy(x), from_numpy(target)).numpy(), [np.nan, np.inf], equal_nan=True)
    with np.errstate(all="ignore"):
        assert np.array_equal(op.body(x, target), [np.nan, np.inf], equal_nan=True)


# ---- (2) gradients against two oracles


@named
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_gradients_agree_with_autograd(name: str) -> None:
    """First and second order, at every sample where a derivative or a documented convention exists."""
    for sample in cases(name):
        first, second, leaves = both_orders(name, sample, [F64])
        want_first, want_second = by_autograd(name, sample)
        for got, want, leaf in zip(first, want_first, leaves, strict=False):
            close("first order against autograd", value_of(got, leaf), want, 1e-10, sample)
        if not name.startswith("pow") or sample.kind == "smooth":  # at 0 the reference of pow has other second derivatives
            for got, want, leaf in zip(second, want_second, leaves, strict=True):
                close("second order against autograd", value_of(got, leaf), want, 1e-10, sample)


def extrapolated(quotient: Callable[[float], float], h: float) -> float:
    """A difference quotient with an error of h^2, from three steps to an error of h^6."""
    a, b, c = quotient(h), quotient(h / 2), quotient(h / 4)
    ab, bc = b + (b - a) / 3, c + (c - b) / 3
    return bc + (bc - ab) / 15


@named
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_gradients_agree_with_differences(name: str) -> None:
    """Along one random direction, and for the second order a pair of them: quotients of the reference's values, no derivative code."""
    for sample in cases(name, "smooth"):
        first, second, leaves = both_orders(name, sample, [F64])
        arrays, places = sample.arrays(F64), differentiable(name, sample)
        if any(not arrays[i].size for i in places):
            continue
        seed = leaves[-1].numpy()
        steps = {i: 0.5 * direction(arrays[i].shape, 30 + i) for i in places}
        turns = {i: direction(arrays[i].shape, 1 + k) for k, i in enumerate(places)}

        def along(t: float, u: float = 0.0, s: float = 0.0) -> float:
            full = [a + t * steps[i] + u * turns[i] if i in steps else a for i, a in enumerate(arrays)]  # noqa: B023
            weight = seed + s * direction(seed.shape, 50)  # noqa: B023
            return float(np.sum(weight * REFERENCES[name](*full, **sample.settings)))  # noqa: B023

        got = sum(float(np.sum(value_of(g, leaf) * steps[i])) for g, leaf, i in zip(first, leaves, places, strict=False))
        close("first order against differences", got, extrapolated(lambda h: (along(h) - along(-h)) / (2 * h), 0.005), 1e-7, sample)
        mixed = extrapolated(lambda h: (along(h, h) - along(h, -h) - along(-h, h) + along(-h, -h)) / (4 * h * h), 0.005)
        got = sum(float(np.sum(value_of(g, leaf) * steps[i])) for g, leaf, i in zip(second, leaves, places, strict=False))
        close("second order against differences", got, mixed, 1e-6, sample)
        got = float(np.sum(value_of(second[-1], leaves[-1]) * direction(seed.shape, 50)))
        mixed = extrapolated(lambda h: (along(0.0, h, 1.0) - along(0.0, -h, 1.0) - along(0.0, h) + along(0.0, -h)) / (2 * h), 0.005)
        close("second order by the cotangent against differences", got, mixed, 1e-7, sample)


TORCH: dict[str, Callable[..., Any]] = {
    "abs": lambda t, x: t.abs(x),
    "clip": lambda t, x, lo=None, hi=None: t.clip(x, lo, hi) if lo is not None or hi is not None else x.clone(),
    "cross_entropy_rows": lambda t, x, target: t.nn.functional.cross_entropy(x, target.long(), reduction="none"),
    "exp": lambda t, x: t.exp(x),
    "linear": lambda t, x, w, b: t.nn.functional.linear(x, w, b),
    "log": lambda t, x: t.log(x),
    "log_softmax": lambda t, x, axis=-1: t.log_softmax(x, axis),
    "matmul": lambda t, a, b: t.matmul(a, b),
    "outer_sum": lambda t, a, b: matrix(a).T @ matrix(b),
    "maximum": lambda t, a, b: t.maximum(a, b),
    "minimum": lambda t, a, b: t.minimum(a, b),
    "pow": lambda t, a, b: t.pow(a, b),
    "relu": lambda t, x: t.relu(x),
    "sigmoid": lambda t, x: t.sigmoid(x),
    "softmax": lambda t, x, axis=-1: t.softmax(x, axis),
    "softplus": lambda t, x: t.nn.functional.softplus(x, threshold=1000),
    "sqrt": lambda t, x: t.sqrt(x),
    "tanh": lambda t, x: t.tanh(x),
}


@pytest.mark.parametrize("name", sorted(TORCH))
def test_gradients_agree_with_pytorch(name: str) -> None:
    """Where it is installed: a third opinion, on ties and conventions too."""
    torch = pytest.importorskip("torch")
    for sample in cases(name):
        places = differentiable(name, sample)
        plain = all(isinstance(arg, np.ndarray) and arg.dtype.kind == "f" for arg in sample.args)
        if (name in ("maximum", "minimum") and not plain) or any(isinstance(arg, bool) for arg in sample.args):
            continue  # PyTorch takes neither numbers nor whole numbers here
        args: list[Any] = [
            torch.tensor(np.ascontiguousarray(arg).reshape(arg.shape)) if isinstance(arg, np.ndarray) else arg for arg in sample.arrays(F64)
        ]
        leaves = [args[i].requires_grad_() for i in places]
        out = TORCH[name](torch, *args, **sample.settings)
        want = torch.autograd.grad(out, leaves, torch.tensor(direction(tuple(out.shape), 0)))
        first, _, _ = both_orders(name, sample, [F64])
        for g, w in zip(first, want, strict=True):
            close("first order against PyTorch", g.numpy(), w.numpy(), 1e-10, sample)


# ---- (3) shapes and dtypes


def history(node: Any) -> list[Any]:
    """Every entry of the tape that `node` was computed from, and itself."""
    found = {node.tick: node}
    todo = [node]
    while todo:
        for parent in todo.pop().parents:
            if parent is not None and parent.tick not in found:
                found[parent.tick] = parent
                todo.append(parent)
    return list(found.values())


@named
def test_gradients_have_the_shape_and_dtype_of_their_arguments(name: str) -> None:
    """Also when float32 and float64 are mixed; and nothing on the way back is float64 when everything was float32."""
    for sample in SAMPLES[name]:
        count = len(sample.args)
        mixes = [(F32,), (F64,)] + ([(F32, F64), (F64, F32)] if count > 1 else []) + ([(F32, F32, F64)] if count > 2 else [])
        for mix in mixes:
            args, leaves = lift(name, sample, mix)
            out = OPS[name](*args, **sample.settings)
            if len(mix) == 1 and out.dtype.kind == "f" and "dtype" not in sample.settings:
                floats = any(isinstance(arg, np.ndarray) and arg.dtype.kind == "f" for arg in sample.args)
                assert out.dtype == (mix[0] if floats else out.dtype), f"{mix[0]} became {out.dtype} for {sample}"
            if out.dtype.kind != "f":
                assert not out.requires_grad, f"a result of {out.dtype} is a constant: {sample}"
            if not out.requires_grad:
                continue
            seed = Tensor(direction(out.shape, 0).astype(out.dtype), requires_grad=True)
            out.backward(seed, create_graph=True)
            for leaf in leaves:
                assert leaf.grad is not None and leaf.grad.shape == leaf.shape and leaf.grad.dtype == leaf.dtype, f"{sample} {mix}"
                if mix == (F32,) and "dtype" not in sample.settings and leaf.grad.requires_grad:
                    drifted = {node.name for node in history(leaf.grad.node) if node.dtype != F32}
                    assert not drifted, f"float64 inside the gradient of a float32 {name}, in {drifted}: {sample}"


# ---- (4) no input was changed


@named
def test_no_input_is_changed(name: str) -> None:
    """Read-only arrays through both passes, and bytes compared in case somebody writes through a pointer."""
    for sample in SAMPLES[name]:
        for dtype in (F32, F64):
            args, _ = lift(name, sample, [dtype])
            arrays = [arg.numpy() for arg in args if isinstance(arg, Tensor)]
            before = [array.tobytes() for array in arrays]
            for arg in args:
                base = arg._array if isinstance(arg, Tensor) else None
                while isinstance(base, np.ndarray):
                    base.flags.writeable = False
                    base = base.base
            out = OPS[name](*args, **sample.settings)
            if out.requires_grad and out.dtype.kind == "f":
                seed = direction(out.shape, 0).astype(out.dtype)
                seed.flags.writeable = False
                kept = seed.tobytes(), out.numpy().tobytes()
                out.backward(from_numpy(seed))
                assert kept == (seed.tobytes(), out.numpy().tobytes()), f"{sample}: the cotangent or the result was changed"
            assert before == [array.tobytes() for array in arrays], f"{sample}: an argument was changed"


# ---- (5) what is kept


def names_of(rule: Any) -> set[str]:
    """What a rule asks for, but for the g of the walk."""
    return set(inspect.signature(rule.rule if isinstance(rule, Into) else rule).parameters) - {"g"}


@named
def test_kept_is_what_the_rules_name(name: str) -> None:
    """For each subset of arguments: the labels, and on the tape those very values and no others."""
    op = OPS[name]
    if op.variadic:
        assert set(op.recipe(1).labels()) == names_of(op.rules[0])
        return
    for mask in range(1 << op.count):
        needed = [op.rules[i] for i in range(op.count) if mask >> i & 1 and op.rules[i] is not None]
        labels = op.recipe(mask).labels()
        assert len(labels) == len(set(labels)) and set(labels) == set().union(*map(names_of, needed)), (
            f"{name}, arguments {mask:b}: {labels}"
        )
    for sample in cases(name)[:12]:
        for size in range(1, len(differentiable(name, sample)) + 1):
            for chosen in itertools.combinations(differentiable(name, sample), size):
                args, _ = lift(name, sample, [F64], chosen)
                out = op(*args, **sample.settings)
                labels = out.node.recipe.labels()
                assert set(labels) == set().union(*[names_of(op.rules[i]) for i in chosen])
                for label, value in zip(labels, out.node.kept, strict=True):
                    if label in op.settings:
                        assert np.array_equal(value, sample.settings.get(label, op.settings[label]))
                    elif label.endswith("_shape"):
                        assert value == args[op.arguments.index(label.removesuffix("_shape"))].shape
                    else:
                        source = out if label == "out" else args[op.arguments.index(label)]
                        assert value is (source._array if isinstance(source, Tensor) else source) or not isinstance(source, Tensor)


# ---- (6) the shape line


def shape_line(doc: str) -> str:
    """`(m,k),(k,n) -> (m,n)`: the end of the first paragraph."""
    paragraph = " ".join(doc.split("\n\n")[0].split())
    found = re.search(r"((?:\([^()]*\),?)+ -> \([^()]*\))$", paragraph)
    assert found, f"no shape line at the end of: {paragraph}"
    return found.group(1)


def length(term: str, bound: dict[str, int]) -> int | None:
    """`m+n`, `2` or `2n` as a number; None if a name in it is not bound."""
    total = 0
    for part in term.split("+"):
        factor, name = re.fullmatch(r"(\d*)([a-z]*)", part.strip()).groups()  # type: ignore[union-attr]
        if name and name not in bound:
            return None
        total += (int(factor) if factor else 1) * (bound[name] if name else 1)
    return total


def matches(line: str, shapes: list[tuple[int, ...]], result: tuple[int, ...]) -> bool | None:
    """Whether the line holds; None where it does not speak of arguments of these shapes."""
    left, right = line.split(" -> ")
    *patterns, last = [[term for term in text.split(",") if term] for text in re.findall(r"\(([^()]*)\)", left + right)]
    if len(patterns) != len(shapes) or any(len(p) != len(s) for p, s in zip(patterns, shapes, strict=True)):
        return None
    bound: dict[str, int] = {}
    for pattern, shape in zip(patterns, shapes, strict=True):
        for term, size in zip(pattern, shape, strict=True):
            if (length(term, bound) if not re.fullmatch("[a-z]", term) else bound.setdefault(term, size)) != size:
                return None
    if len(set(bound.values())) < len(bound) or len(last) != len(result):
        return None if len(last) == len(result) else False
    return all(length(term, bound) in (None, size) for term, size in zip(last, result, strict=True))


@named
def test_the_shape_line_holds(name: str) -> None:
    """For at least one sample whose lengths all differ; of elementwise operations, for all by the rules of broadcasting."""
    op = OPS[name]
    line = shape_line(op.body.__doc__)
    verdicts = []
    for sample in SAMPLES[name]:
        shapes = [np.shape(arg) for arg in sample.args if arg is not None]
        result = op(*sample.tensors(F64), **sample.settings).shape
        if op.broadcasts:
            assert line == ",".join(["()"] * op.count) + " -> ()" and result == np.broadcast_shapes(*shapes), f"{name}: {line}, {sample}"
        verdicts.append(matches(line, shapes, result))
    assert any(verdicts), f"{name}: no sample bears out {line}"


def test_a_wrong_shape_line_is_noticed() -> None:
    assert matches("(m,k),(k,n) -> (m,n)", [(2, 3), (3, 4)], (2, 4)) is True
    assert matches("(m,k),(k,n) -> (n,m)", [(2, 3), (3, 4)], (2, 4)) is False
    assert matches("(m,k),(n,k) -> (m+n,k)", [(2, 3), (4, 3)], (6, 3)) is True
    assert matches("(n) -> (n,n)", [(2,)], (2,)) is False
    assert matches("(m,k),(k,n) -> (m,n)", [(2, 3), (4, 4)], (2, 4)) is None


# ---- (7) and (8) subsets, and memory


@named
def test_any_subset_of_arguments_gets_the_same_gradients(name: str) -> None:
    for sample in cases(name):
        places = differentiable(name, sample)
        found: dict[int, bytes] = {}
        for size in range(len(places), 0, -1):
            for chosen in itertools.combinations(places, size):
                args, leaves = lift(name, sample, [F64], chosen)
                out = OPS[name](*args, **sample.settings)
                out.backward(direction(out.shape, 0).astype(out.dtype))
                for i, leaf in zip(chosen, leaves, strict=True):
                    assert found.setdefault(i, leaf.grad.numpy().tobytes()) == leaf.grad.numpy().tobytes(), (
                        f"{sample}, argument {i} of {chosen}"
                    )


@named
def test_gradients_share_no_memory(name: str) -> None:
    """Neither with each other, nor with the cotangent, the arguments or the result; also when one tensor is every argument."""
    for sample in cases(name):
        args, leaves = lift(name, sample, [F64])
        out = OPS[name](*args, **sample.settings)
        seed = Tensor(direction(out.shape, 0), dtype=out.dtype)
        out.backward(seed)
        grads = [leaf.grad.numpy() for leaf in leaves]
        others = [arg.numpy() for arg in args if isinstance(arg, Tensor)] + [seed.numpy(), out.numpy()]
        for i, g in enumerate(grads):
            for other in grads[:i] + others:
                assert not np.shares_memory(g, other), f"{sample}: the gradient of argument {i} is memory that somebody else holds"


@named
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_one_tensor_as_every_argument_gets_the_sum(name: str) -> None:
    for sample in cases(name):
        places = differentiable(name, sample)
        if len(places) < 2 or len({sample.args[i].shape for i in places}) > 1:
            continue
        args, leaves = lift(name, sample, [F64])
        value = leaves[0].numpy()
        for i in places:
            args[i] = leaves[0]
        out = OPS[name](*args, **sample.settings)
        seed = direction(out.shape, 0)
        out.backward(seed)
        apart = [Tensor(value, requires_grad=True) if i in places else arg for i, arg in enumerate(args)]
        OPS[name](*apart, **sample.settings).backward(seed)
        close("f(x, x) against the sum of its parts", leaves[0].grad.numpy(), sum(apart[i].grad.numpy() for i in places), 1e-14, sample)


@pytest.fixture(scope="module", autouse=True)
def report() -> Iterator[None]:
    """Prints the counts and the largest errors of the module's tests at their end (pytest -s); they are asserted where they arise."""
    yield
    count = sum(len(samples) for samples in SAMPLES.values())
    print(f"\n{len(SAMPLES)} operations, {count} samples; largest errors:")
    for what, size in sorted(worst.items()):
        print(f"  {what}: {size:.2g}")
