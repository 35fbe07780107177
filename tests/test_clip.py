"""Clipping: the norm of all gradients, what it refuses, and what a step that clips by itself does."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.optim import SGD, Adagrad, Adam, clip_grad_norm_, clip_grad_value_


def leaf():
    return mg.tensor(np.random.default_rng(0).standard_normal(3).astype("float32"), requires_grad=True)


def error(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.abs(a - b).max(initial=0) / max(1, np.abs(b).max(initial=0))


def with_gradients(*grads):
    params = []
    for g in grads:
        g = None if g is None else np.asarray(g)
        params.append(mg.zeros(() if g is None else g.shape, dtype="float32" if g is None else g.dtype, requires_grad=True))
        params[-1].grad = None if g is None else mg.tensor(g)
    return params


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("order", [1, 1.5, 2.0, 3, math.inf])
def test_the_norm_is_that_of_all_gradients_as_one_vector(order, dtype):
    rng = np.random.default_rng(0)
    grads = [rng.standard_normal(shape).astype(dtype) for shape in [(200, 111), (5,), (), (0, 3)]]
    exact = np.linalg.norm(np.concatenate([g.ravel().astype(np.float64) for g in grads]), order)
    params = with_gradients(*grads, None)
    norm = clip_grad_norm_(params, max_norm=1e9, norm_type=order)
    assert norm.shape == () and abs(norm.item() - exact) <= (1e-6 if dtype == "float32" else 1e-12) * exact
    assert all(np.array_equal(p.grad.numpy(), g) for p, g in zip(params, grads, strict=False))
    clip_grad_norm_(params, max_norm=0.5, norm_type=order)
    tolerance = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-12}[dtype]
    for p, g in zip(params, grads, strict=False):
        assert p.grad.dtype == dtype
        assert error(p.grad.numpy(), g.astype(np.float64) * (0.5 / (exact + 1e-6))) <= tolerance
    assert params[-1].grad is None


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 0.3, 1e3])
def test_clipping_is_pytorchs(order, max_norm):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    grads = [rng.standard_normal(shape).astype("float32") for shape in [(20, 11), (5,), ()]]
    params, twins = with_gradients(*grads), [torch.zeros(g.shape, requires_grad=True) for g in grads]
    for twin, g in zip(twins, grads, strict=True):
        twin.grad = torch.tensor(g)
    theirs = torch.nn.utils.clip_grad_norm_(twins, max_norm, order)
    assert error(clip_grad_norm_(params, max_norm, order).item(), theirs.item()) <= 1e-6
    for p, twin in zip(params, twins, strict=True):
        assert error(p.grad.numpy(), twin.grad.numpy()) <= 1e-6


@pytest.mark.parametrize(("dtype", "sizes"), [("float32", [3e38, 1e25, 1e-25, 1e-40]), ("float64", [1e300, 1e160, 1e-160, 1e-310])])
def test_squares_out_of_range_do_not_spoil_the_norm(dtype, sizes):
    for size in sizes:
        params = with_gradients(np.full(10000, size, dtype), np.array(size, dtype))
        value = float(np.array(size, dtype))
        norm = clip_grad_norm_(params, max_norm=1.0).item()
        assert abs(norm / value - math.sqrt(10001)) < 1e-6 * 100
        scaled = np.append(params[0].grad.numpy(), params[1].grad.numpy())
        assert error(np.linalg.norm(scaled.astype(np.float64)), min(norm, 1.0)) < 1e-5


def test_a_million_float32_squares_are_added_accurately():
    g = np.full((1000, 1001), 0.1, np.float32)
    norm = clip_grad_norm_(with_gradients(g), 1e9).item()
    assert abs(norm - float(g[0, 0]) * math.sqrt(g.size)) < 1e-6 * norm


class Module:
    def __init__(self, **params):
        self.params = params

    def named_parameters(self):
        return iter(self.params.items())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("order", [1.0, 2.0, math.inf])
def test_a_norm_that_is_not_finite_names_the_parameter_and_changes_nothing(value, order):
    good, bad = [3.0, 4.0], [[1.0, value, 2.0]]
    for form, name in [
        (lambda params: params, r"parameter 1 of shape \(1, 3\)"),
        (lambda params: iter(params), r"parameter 1 of shape \(1, 3\)"),
        (lambda params: zip(["encoder.bias", "decoder.weight"], params, strict=True), r"'decoder.weight' of shape \(1, 3\)"),
        (lambda params: Module(bias=params[0], weight=params[1]), r"'weight' of shape \(1, 3\)"),
    ]:
        params = with_gradients(np.float32(good), np.float32(bad))
        with pytest.raises(RuntimeError, match=f"norm is (nan|inf) .* because of the gradient of {name} .norm (nan|inf).. Nothing"):
            clip_grad_norm_(form(params), 1.0, order)
        assert params[0].grad.tolist() == good and np.array_equal(params[1].grad.numpy(), np.float32(bad), equal_nan=True)


def test_the_error_names_three_parameters_at_most_and_the_largest_if_only_the_sum_overflows():
    with pytest.raises(RuntimeError, match="parameter 0 .* parameter 2 .* and 2 more. Nothing"):
        clip_grad_norm_(with_gradients(*[np.float32(math.nan)] * 5), 1.0)
    with pytest.raises(RuntimeError, match=r"parameter 1 of shape \(\) \(norm 1.7e\+308, the largest\)"):
        clip_grad_norm_(with_gradients(1.6e308, 1.7e308), 1.0)


def test_without_the_error_it_scales_as_pytorch_does():
    params = with_gradients(np.float32([1.0, math.inf]))
    assert clip_grad_norm_(params, 1.0, error_if_nonfinite=False).item() == math.inf
    assert np.array_equal(params[0].grad.numpy(), [0.0, math.nan], equal_nan=True)
    params = with_gradients(np.float32([1.0, math.nan]))
    assert math.isnan(clip_grad_norm_(params, 1.0, error_if_nonfinite=False).item())
    assert np.isnan(params[0].grad.numpy()).all()


def test_gradients_are_scaled_where_they_lie_and_a_tied_one_once():
    (w,) = with_gradients(np.float32([3.0, 4.0]))
    address = w.grad.numpy().ctypes.data
    assert clip_grad_norm_([w, w], 2.5).item() == 5.0
    assert error(w.grad.numpy(), [1.5, 2.0]) < 1e-6 and w.grad.numpy().ctypes.data == address
    assert clip_grad_norm_(w, 10.0).item() == pytest.approx(2.5)
    assert clip_grad_norm_(with_gradients(None), 1.0).item() == 0.0 and clip_grad_norm_([], 1.0).item() == 0.0


def test_a_gradient_that_is_on_the_tape_is_not_scaled_under_its_feet():
    w, v = leaf(), leaf()
    v.grad = mg.ones(3)
    (w * w * w).sum().backward(create_graph=True)
    with pytest.raises(mg.MutationError, match="clip_grad_norm_ would change the result of"):
        clip_grad_norm_([v, w], 1e-3)
    assert v.grad.tolist() == [1.0] * 3


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (([], -1.0), ValueError, "max_norm=-1.0 should not be negative"),
        (([], math.nan), ValueError, "max_norm=nan"),
        (([], 1.0, 0), ValueError, "norm_type=0 should be above 0"),
        (([], 1.0, -math.inf), ValueError, "norm_type=-inf"),
        (([np.ones(3)], 1.0), TypeError, "entry 0 is a ndarray"),
        (([("name", 3)], 1.0), TypeError, "entry 0 is a tuple"),
    ],
)
def test_clipping_refuses_wrong_arguments_in_a_sentence(arguments, kind, message):
    with pytest.raises(kind, match=message):
        clip_grad_norm_(*arguments)


# ---- a step that clips


@pytest.mark.parametrize("kind", [SGD, Adam, Adagrad])
@pytest.mark.parametrize("max_norm", [0.0, 1e-42, 0.3, 1e3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_with_max_norm_is_clipping_and_a_step_to_the_bit(kind, max_norm, dtype):
    rng = np.random.default_rng(0)
    ours, theirs = ([mg.zeros(*shape, dtype=dtype, requires_grad=True) for shape in [(300, 70), (5,), ()]] for _ in range(2))
    stepping, clipping = kind(ours), kind(theirs)
    for _ in range(3):
        for a, b in zip(ours, theirs, strict=True):
            g = rng.standard_normal(a.shape).astype(dtype)
            a.grad, b.grad = mg.tensor(g), mg.tensor(g)
        before = [p.grad.numpy().copy() for p in ours]
        norm = stepping.step(max_norm=max_norm)
        assert norm.item() == clip_grad_norm_(theirs, max_norm).item() and norm.dtype == np.float64
        assert clipping.step() is None
        for a, b, g in zip(ours, theirs, before, strict=True):
            assert np.array_equal(a.numpy(), b.numpy()) and np.array_equal(a.grad.numpy(), g)


def test_a_step_whose_norm_is_not_finite_names_the_parameter_and_changes_nothing():
    good, bad = with_gradients(np.float32([1.0]), np.float32([math.nan, 1.0]))
    optimizer = SGD([{"params": [good]}, {"params": [bad]}])
    with pytest.raises(RuntimeError, match=r"because of the gradient of parameter 1 of shape \(2,\) .*lower the learning rate$"):
        optimizer.step(max_norm=1.0)
    assert good.tolist() == [0.0] and bad.tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="the SGD step: max_norm=-1.0 should not be negative"):
        optimizer.step(max_norm=-1)


# ---- by value


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_values_are_held_between_the_limits_in_place(dtype):
    g = np.array([[-3.0, -0.5, 0.0], [0.25, 7.0, math.inf]], dtype)
    params = with_gradients(g, np.array(math.nan, dtype), None)
    address = params[0].grad.numpy().ctypes.data
    assert clip_grad_value_(params, 0.5) is None
    assert np.array_equal(params[0].grad.numpy(), [[-0.5, -0.5, 0.0], [0.25, 0.5, 0.5]]) and params[0].grad.dtype == dtype
    assert params[0].grad.numpy().ctypes.data == address and math.isnan(params[1].grad.item())


def test_clipping_values_is_pytorchs():
    torch = pytest.importorskip("torch")
    g = np.random.default_rng(0).standard_normal((20, 11)).astype("float32")
    (p,), twin = with_gradients(g), torch.zeros(g.shape, requires_grad=True)
    twin.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_value_([twin], 0.7)
    clip_grad_value_({"weight": p}.items(), 0.7)
    assert np.array_equal(p.grad.numpy(), twin.grad.numpy())


@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_a_limit_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match=f"clip_value={value} should not be negative"):
        clip_grad_value_([], value)
    with pytest.raises(TypeError, match="clip_grad_value_ wants tensors or .name, tensor. pairs, entry 0 is a int"):
        clip_grad_value_([3], 1.0)
