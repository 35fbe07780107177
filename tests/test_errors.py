"""What a user does wrong, and the sentence that comes: who speaks, what came, what was expected, the way out."""

from __future__ import annotations

import re

import numpy as np
import pytest

import minigrad as mg
import minigrad.nn.functional as F
from minigrad import nn, ops, optim
from minigrad.op import Op

X, V, S, I = mg.ones(3, 4), mg.ones(3), mg.tensor(1.0), mg.arange(3)  # noqa: E741


def weight():
    return nn.Parameter([1.0, 2.0])


def refused(call, error, message):
    with pytest.raises(error, match="^" + re.escape(message)) as caught:
        call()
    assert type(caught.value) is error


# ---- PyTorch's keywords

WITH_AXIS = sorted(name for name in ops.__all__ if isinstance(getattr(mg, name), Op) and "axis" in getattr(mg, name).settings)
WITH_KEEPDIMS = [name for name in WITH_AXIS if "keepdims" in getattr(mg, name).settings]


def test_there_are_operations_along_axes():
    assert len(WITH_AXIS) >= 20 and len(WITH_KEEPDIMS) >= 12


@pytest.mark.parametrize("name", WITH_AXIS)
def test_dim_is_axis(name):
    operation = getattr(mg, name)
    arrays = [X] * operation.count
    refused(lambda: operation(*arrays, dim=0), TypeError, f"{operation.name}() has no keyword 'dim': here it is called axis=")
    if hasattr(X, name) and operation.count == 1 and name != "expand_dims":  # whose axis Python misses first
        given = (1,) if name == "roll" else ()
        refused(lambda: getattr(X, name)(*given, dims=0), TypeError, f"{operation.name}() has no keyword 'dims': here it is called axis=")


@pytest.mark.parametrize("name", WITH_KEEPDIMS)
def test_keepdim_is_keepdims(name):
    expected = f"{name}() has no keyword 'keepdim': here it is called keepdims="
    refused(lambda: getattr(mg, name)(X, axis=0, keepdim=True), TypeError, expected)
    refused(lambda: getattr(X, name)(axis=0, keepdim=True), TypeError, expected)


@pytest.mark.parametrize(
    "name", [name for name in WITH_AXIS if name not in ("expand_dims", "unsqueeze", "take_along_axis", "scatter_add", "take")]
)
@pytest.mark.parametrize("shape", [(3, 4), (0, 4)])
def test_a_wrong_axis_is_a_shape_error(name, shape):
    operation = getattr(mg, name)
    more = {"shift": 1} if name == "roll" else {}
    for axis in (2, -3):
        refused(
            lambda axis=axis: operation(mg.zeros(shape), axis=axis, **more),
            mg.ShapeError,
            f"{name}: axis {axis} of a tensor of shape {shape}: axes run from -2 to 1",
        )
    refused(lambda: operation(mg.ones(3, 4), axis="rows", **more), mg.DtypeError, f"{name}: an axis is a whole number, got 'rows'")


KEYWORDS = [
    (lambda: mg.cat([X, X], dim=1), "cat() has no keyword 'dim': here it is called axis="),
    (lambda: mg.concatenate([X, X], dim=1), "concatenate() has no keyword 'dim': here it is called axis="),
    (lambda: mg.stack([X, X], dim=1), "stack() has no keyword 'dim': here it is called axis="),
    (lambda: mg.split(X, 2, dim=1), "split() has no keyword 'dim': here it is called axis="),
    (lambda: X.split(2, dim=1), "split() has no keyword 'dim': here it is called axis="),
    (lambda: X.chunk(2, dim=1), "chunk() has no keyword 'dim': here it is called axis="),
    (lambda: X.topk(1, dim=1), "topk() has no keyword 'dim': here it is called axis="),
    (lambda: X.repeat(2, dim=0), "repeat() has no keyword 'dim': here it is called axis="),
    (lambda: X.unsqueeze(dim=0), "expand_dims() has no keyword 'dim': here it is called axis="),
    (lambda: X.permute(dims=(1, 0)), "transpose() has no keyword 'dims': here it is called axes="),
    (lambda: mg.swapaxes(X, dim0=0, dim1=1), "swapaxes() has no keyword 'dim0': it has axis1, axis2"),
    (lambda: X.flatten(start_dim=1), "flatten() has no keyword 'start_dim': here it is called start="),
    (lambda: X.flatten(end_dim=1), "flatten() has no keyword 'end_dim': here it is called stop="),
    (lambda: X.clip(min=0.0), "clip() has no keyword 'min': here it is called lo="),
    (lambda: mg.clip(X, max=1.0), "clip() has no keyword 'max': here it is called hi="),
    (lambda: mg.norm(X, p=1), "norm() has no keyword 'p': here it is called ord="),
    (lambda: X.var(unbiased=False), "var() has no keyword 'unbiased': here it is called ddof="),
    (lambda: mg.std(X, correction=0), "std() has no keyword 'correction': here it is called ddof="),
    (lambda: mg.exp(input=X), "exp() has no keyword 'input': arrays are given by their place"),
    (lambda: mg.exp(X, out=X), "exp() has no keyword 'out': a result is always a new tensor, leave it out"),
    (lambda: mg.add(X, X, alpha=2), "add() has no keyword 'alpha': it has no settings"),
    (lambda: mg.add(X, b=X), "add: 'b' is an array: arrays are given by their place, settings by name"),
    (lambda: mg.tensor([1.0], device="cuda"), "tensor() has no keyword 'device': all is computed on the CPU, leave it out"),
    (lambda: mg.zeros(2, device="cpu"), "zeros() has no keyword 'device': all is computed on the CPU, leave it out"),
    (lambda: nn.Linear(4, 2, device="cuda"), "Linear() has no keyword 'device': all is computed on the CPU, leave it out"),
    (lambda: nn.LSTM(4, 5, layers=2), "LSTM() has no keyword 'layers': it has input_size, hidden_size, num_layers"),
    (lambda: nn.Softmax(axis=1), "Softmax() has no keyword 'axis': here it is called dim="),
    (lambda: F.relu(X, inplace=True), "relu() has no keyword 'inplace': a result is always a new tensor, leave it out"),
    (lambda: F.softmax(X, axis=1), "softmax() has no keyword 'axis': here it is called dim="),
    (lambda: nn.CrossEntropyLoss(size_average=True), "CrossEntropyLoss() has no keyword 'size_average': here it is called reduction="),
    (lambda: nn.cross_entropy(X, [0, 1, 2], reduce=True), "cross_entropy() has no keyword 'reduce': here it is called reduction="),
    (lambda: optim.Adam([weight()], learning_rate=0.1), "Adam() has no keyword 'learning_rate': here it is called lr="),
    (lambda: optim.SGD([weight()], lr=0.1, beta=0.9), "SGD() has no keyword 'beta': it has params, lr, momentum"),
]


@pytest.mark.parametrize(("call", "message"), KEYWORDS, ids=[message.split(":")[0] for _, message in KEYWORDS])
def test_a_keyword_that_there_is_not(call, message):
    refused(call, TypeError, message)


def test_an_error_of_another_keyword_passes():
    """A TypeError from deeper down is not about a keyword of this call."""

    def start(tensor):
        dict.fromkeys([1], wrong=2)

    with pytest.raises(TypeError, match="takes no keyword"):
        nn.cell(W="H I", init={"W": start})(lambda h, x, W: (h, h))(2, 3)


def test_methods_have_the_keywords_of_their_operations():
    assert X.argmax(axis=1, keepdims=True).shape == X.argmin(axis=1, keepdims=True).shape == (3, 1)


# ---- the rest, one line a mistake

ERRORS = [
    # shapes and values of operations
    (
        lambda: X + V,
        mg.ShapeError,
        "add: shapes (3, 4), (3,) do not broadcast: from the right, two lengths must be equal, or one of them 1",
    ),
    (lambda: X < V, mg.ShapeError, "lt: shapes (3, 4), (3,) do not broadcast"),
    (lambda: mg.where(V > 0, X, 0.0), mg.ShapeError, "where: shapes (3,), (3, 4) do not broadcast"),
    (lambda: mg.sum(X, axis=(0, 0)), mg.ShapeError, "sum: axis=(0, 0) names an axis of shape (3, 4) twice"),
    (lambda: mg.linear(X, mg.ones(2, 4), V), mg.ShapeError, "linear: bias has shape (3,), weight (2, 4): expected a bias of shape (2,)"),
    (lambda: mg.pow(I, -1), mg.DtypeError, "pow: whole numbers to negative powers are no whole numbers: take floats"),
    (lambda: X.clip("low"), mg.DtypeError, "clip(float32(3, 4), lo='low', hi=None): not all of this is numbers"),
    (
        lambda: X.clip(V),
        mg.DtypeError,
        "clip: lo= is a setting, a plain value that gets no gradient, and not a tensor of shape (3,): item()",
    ),
    (lambda: X.clip(weight().sum()), mg.DtypeError, "clip: lo= is a setting, a plain value that gets no gradient, and not a tensor of"),
    # creation
    (lambda: mg.tensor([[1, 2], [3]]), mg.ShapeError, "the rows of a nested list must have one length: fill the shorter ones up"),
    (lambda: mg.ones(2, dtype="foo"), mg.DtypeError, "there is no dtype 'foo': float32, float64, int64 and bool are some that there are"),
    (lambda: mg.zeros_like(X, dtype="foo"), mg.DtypeError, "there is no dtype 'foo'"),
    (lambda: mg.randint("a"), mg.DtypeError, "randint: the bounds are whole numbers, got 0 and 'a'"),
    (lambda: mg.split(X, 2.5), mg.DtypeError, "split: 2.5 should be a number of equal parts, or a list of the places to cut at"),
    (lambda: X.topk(2.5), mg.DtypeError, "topk: k and axis are whole numbers, got k=2.5, axis=-1"),
    (lambda: X.take([0], axis="a"), mg.DtypeError, "take: an axis is a whole number, got 'a'"),
    (lambda: mg.arange("a"), TypeError, "arange('a'): expected numbers: stop, or start and stop, or start, stop and step"),
    (lambda: mg.arange(), TypeError, "arange(): expected numbers"),
    (lambda: mg.linspace(0, 1, 2.5), mg.ShapeError, "linspace: num=2.5 is no count of numbers; expected 0 or more"),
    (lambda: mg.rand(2, dtype="int32"), mg.DtypeError, "random numbers of this kind are float32 or float64, got dtype='int32'"),
    (lambda: mg.manual_seed(-1), ValueError, "manual_seed: a seed is a whole number of 0 or more, got -1"),
    (lambda: mg.manual_seed("a"), ValueError, "manual_seed: a seed is a whole number of 0 or more, got 'a'"),
    # gradients
    (lambda: mg.tensor([1], requires_grad=True), mg.DtypeError, "a tensor of int64 cannot require a gradient: convert it to float32"),
    (lambda: nn.Parameter([1]), mg.DtypeError, "a tensor of int64 cannot require a gradient: convert it to float32"),
    (lambda: X.backward(), mg.TapeError, "backward on a tensor that does not require a gradient: no tensor with requires_grad=True led"),
    (lambda: (weight() * 2).backward(), mg.ShapeError, "backward needs a scalar, this tensor has shape (2,): reduce it with .sum()"),
    (lambda: weight().sum().backward(V), mg.ShapeError, "gradient= has shape (3,), the tensor it is the gradient of has shape ()"),
    (
        lambda: mg.grad(S),
        TypeError,
        "grad takes a function and gives a function, grad(f)(x): of a tensor that is computed, call backward()",
    ),
    (lambda: mg.grad(lambda x: x, V), TypeError, "grad takes a function and gives a function"),
    (lambda: weight().__setitem__(0, 1.0), mg.MutationError, "item assignment would change a leaf that requires a gradient"),
    (lambda: mg.ones(2).assign_("a"), mg.DtypeError, "assign_: a tensor of float32 holds real numbers, got <U1"),
    (lambda: mg.ones(2).__setitem__(0, "a"), mg.DtypeError, "item assignment: a tensor of float32 holds real numbers, got <U1"),
    (lambda: mg.show(3), TypeError, "show prints the tape behind a tensor, got int"),
    (lambda: mg.ledger(3, V), TypeError, "ledger: loss must be a tensor, got int"),
    (lambda: mg.scan(3, V, X), TypeError, "scan: step is a function of (carry, x) that returns (carry, y), got int"),
    # operations of one's own
    (
        lambda: mg.op(lambda x: x),
        TypeError,
        "op stands before a body with a rule for each of its arguments, by name: @op(x=lambda g, x: ...)",
    ),
    (lambda: mg.elementwise(lambda x: x), TypeError, "op stands before a body with a rule for each of its arguments, by name"),
    (
        lambda: mg.op(x=None)(lambda x: "text")(X),
        mg.DtypeError,
        "<lambda>: the body of an operation returns an array of real numbers, this one returned <U4",
    ),
    # layers
    (lambda: nn.Linear(2, 3).to("cuda"), ValueError, "Linear: device 'cuda' does not exist here: minigrad computes on the CPU alone"),
    (lambda: nn.Dropout("half"), ValueError, "Dropout: p is the probability to zero an element, from 0 to 1; got 'half'"),
    (
        lambda: nn.Linear(2, 3).load_state_dict({"weight": np.ones((3, 2)), "wrong": np.ones(3)}),
        nn.StateDictError,
        "Linear: the state dict does not fit, nothing was loaded\n  missing: bias\n  unexpected: wrong",
    ),
    (lambda: nn.mse_loss(X, X, reduction="avg"), ValueError, "mse_loss: reduction='avg' is not one of 'none', 'mean', 'sum'"),
    (lambda: nn.init.uniform_(3), TypeError, "uniform_ fills a tensor in place, got int"),
    (lambda: nn.init.uniform_(mg.ones(2), 2.0, 1.0), ValueError, "uniform_: a=2.0, b=1.0: the first bound should not be above the second"),
    (lambda: nn.init.normal_(mg.ones(2), std=-1.0), ValueError, "normal_: std=-1.0 should not be negative"),
    (lambda: nn.init.constant_(mg.ones(2), "a"), TypeError, "constant_: value='a' should be a number"),
    (
        lambda: nn.cell(W="H I")(lambda h, x, W: h)(4, 5)(mg.ones(3, 2, 4)),
        TypeError,
        "<lambda>: the function should return a pair (carry, y), got a tensor of shape (2, 5)",
    ),
    (
        lambda: nn.cell(W="H I")(lambda h, x, W: (x, x))(4, 5)(mg.ones(3, 2, 4)),
        mg.ShapeError,
        "<lambda>: the function got as carry a tensor of shape (2, 5) and returned a tensor of shape (2, 4): the shapes should be equal",
    ),
    # optimisers
    (lambda: optim.SGD([], lr=0.1), ValueError, "SGD was given no parameters (a generator that was read already is empty too)"),
    (lambda: optim.SGD([V], lr=0.1), ValueError, "SGD: parameter 0 of group 0, of shape (3,), does not require a gradient"),
    (lambda: optim.SGD([weight()] * 2, lr=0.1), ValueError, "SGD: parameter 1 of group 0, of shape (2,), was given twice"),
    (lambda: optim.Adam([weight()], lr=-0.1), ValueError, "Adam: lr=-0.1 should be a finite number that is not negative"),
    (lambda: optim.Adam([weight()], betas=0.9), ValueError, "Adam: betas=0.9 should be two numbers from 0 up to, not with, 1"),
    (lambda: optim.Adam([weight()], betas=("a", "b")), ValueError, "Adam: betas=('a', 'b') should be two numbers from 0 up to"),
    (
        lambda: optim.Adam(nn.Linear(2, 3).named_parameters()),
        TypeError,
        "Adam: parameter 0 of group 0 is a tuple, not a tensor: pass parameters(), without names",
    ),
    (
        lambda: optim.Adam([weight()]).step(lambda: S),
        TypeError,
        "Adam: step() takes no closure: compute the loss and call backward() before",
    ),
    (lambda: optim.clip_grad_norm_([weight()], "a"), TypeError, "clip_grad_norm_: max_norm='a' and norm_type=2.0 should be numbers"),
    (lambda: optim.EMA(3), TypeError, "EMA takes a module, got int"),
    (lambda: optim.MultiStepLR(optim.Adam([weight()]), 3), TypeError, "MultiStepLR: milestones=3 should be a list of numbers of steps"),
    (lambda: optim.LambdaLR(optim.Adam([weight()]), 3), TypeError, "LambdaLR: lr_lambda=3 should be a function of the number of steps"),
]


@pytest.mark.parametrize(
    ("call", "error", "message"), ERRORS, ids=[message.split(":")[0][:40] + f" {i}" for i, (_, _, message) in enumerate(ERRORS)]
)
def test_errors_are_sentences(call, error, message):
    refused(call, error, message)
