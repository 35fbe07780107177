"""Gradients of whole graphs, and the conventions of single operations where mathematics leaves a choice: each by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import minigrad as mg

inf, nan = np.inf, np.nan
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def leaf(data: Any, dtype: Any = "float64") -> mg.Tensor:
    return mg.tensor(data, dtype=dtype, requires_grad=True)


def gradient(function: Callable[..., Any], *args: Any, cotangent: Any = None, dtype: Any = "float64") -> list[Any]:
    """The gradients of `function` at `args`, as nested lists, in the order of the arguments."""
    leaves = [leaf(arg, dtype) for arg in args]
    out = function(*leaves)
    out.backward(np.ones(out.shape, out.dtype) if cotangent is None else np.asarray(cotangent, out.dtype))
    return [x.grad.tolist() for x in leaves]


# ---- the lessons: order, sharing, identity


def test_topological_order() -> None:
    """a = 1; b = a + a; c = b + b: a walk that plays b before all of its gradient has come gives 3 or 6, not 4."""
    a = leaf(1.0)
    b = a + a
    c = b + b
    c.backward()
    assert a.grad.item() == 4.0


def test_a_late_user_of_an_early_result() -> None:
    """The first node is used by the second and by the last: its gradient is complete only at the end."""
    a = leaf(2.0)
    b = a * a
    c = mg.exp(b) * 0.0 + b
    for _ in range(5):
        c = c * 1.0
    (c * b).backward()
    assert a.grad.item() == pytest.approx(4 * 2.0**3)


def test_one_tensor_twice() -> None:
    x = [1.0, -2.0, 3.0]
    assert gradient(lambda a: a * a, x) == [[2.0, -4.0, 6.0]]
    assert gradient(lambda a: a - a, x) == [[0.0, 0.0, 0.0]]
    assert gradient(lambda a: a / a, x) == [[0.0, 0.0, 0.0]]
    assert gradient(lambda a: mg.maximum(a, a), x) == [[1.0, 1.0, 1.0]]
    assert gradient(lambda a: mg.where([True, False, True], a, a), x) == [[1.0, 1.0, 1.0]]
    assert gradient(lambda a: mg.concatenate([a, a])[1:4], x) == [[1.0, 1.0, 1.0]]
    assert gradient(lambda a: a @ a, x) == [[2.0, -4.0, 6.0]]


def test_equal_values_are_distinct_leaves() -> None:
    a, b = leaf(3.0), leaf(3.0)
    (a * a * b).backward()
    assert (a.grad.item(), b.grad.item()) == (18.0, 9.0)


def test_diamonds() -> None:
    """n diamonds on top of each other have 2^n paths; each node is played once."""
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y * 0.25 + y * 0.25
    y.backward()
    assert x.grad.item() == 0.5**60


def test_unused_leaves_have_no_gradient() -> None:
    a, b = leaf([1.0]), leaf([1.0])
    c = b * 2.0
    (a * 3.0).sum().backward()
    assert a.grad.tolist() == [3.0] and b.grad is None and c.grad is None


def test_slices_of_one_tensor_cost_one_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """k slices must not make k arrays of the whole tensor's size on the way back."""
    table = leaf(np.ones((300, 4)))
    indices = [i % 7 for i in range(300)]
    loss = sum((table[i] * float(i) for i in range(300)), mg.tensor(0.0, dtype="float64")).sum()
    loss = loss + sum((mg.take(table, [i, 0]) * 1.0 for i in indices[:50]), mg.tensor(0.0, dtype="float64")).sum()
    made: list[tuple[int, ...]] = []
    zeros = np.zeros

    def counted(shape: Any, *args: Any, **settings: Any) -> Any:
        made.append(shape)
        return zeros(shape, *args, **settings)

    monkeypatch.setattr(np, "zeros", counted)
    loss.backward()
    monkeypatch.undo()
    assert len([shape for shape in made if shape == (300, 4)]) <= 1, f"{len(made)} buffers for one tensor"
    want = np.repeat(np.arange(300.0)[:, None], 4, axis=1)
    np.add.at(want, [[i, 0] for i in indices[:50]], 1.0)
    assert np.array_equal(table.grad.numpy(), want)


# ---- conventions at kinks and ties


def test_relu_keeps_its_result_and_not_what_it_was_given() -> None:
    w = mg.tensor([1.0, -2.0, 3.0], requires_grad=True)
    x = mg.tensor([1.0, 1.0, 1.0])
    y = w * 1.0
    out = mg.relu(y)
    assert np.shares_memory(out.node.kept[0], out.numpy())
    (out * x).sum().backward()
    assert w.grad.numpy().tolist() == [1.0, 0.0, 1.0]


def test_relu_at_zero_is_zero() -> None:
    assert gradient(mg.relu, [0.0, -0.0, 1e-310, -1.0, 2.0]) == [[0.0, 0.0, 1.0, 0.0, 1.0]]


def test_abs_at_zero_is_zero() -> None:
    assert gradient(mg.abs, [0.0, -0.0, -3.0, 3.0]) == [[0.0, 0.0, -1.0, 1.0]]


@pytest.mark.parametrize("function", [mg.maximum, mg.minimum])
def test_a_tie_of_two_gives_half_to_each(function: Any) -> None:
    a, b = gradient(function, [1.0, 2.0, 0.0, inf], [1.0, 2.0, -0.0, inf], cotangent=[2.0, 4.0, 6.0, 8.0])
    assert a == b == [1.0, 2.0, 3.0, 4.0]
    a, b = gradient(function, [1.0, 1.0], 1.0)
    assert a == [0.5, 0.5] and b == 1.0


def test_elements_that_tie_for_the_maximum_share_equally() -> None:
    assert gradient(lambda x: x.max(), [3.0, 1.0, 3.0, 3.0], cotangent=6.0) == [[2.0, 0.0, 2.0, 2.0]]
    assert gradient(lambda x: x.max(axis=0), [[1.0, 5.0], [1.0, 4.0]], cotangent=[2.0, 3.0]) == [[[1.0, 3.0], [1.0, 0.0]]]


def test_clip_passes_the_gradient_on_the_bounds() -> None:
    assert gradient(lambda x: x.clip(-1.0, 1.0), [-2.0, -1.0, 0.0, 1.0, 2.0]) == [[0.0, 1.0, 1.0, 1.0, 0.0]]
    assert gradient(lambda x: x.clip(lo=0.0), [-1.0, 0.0, 5.0]) == [[0.0, 1.0, 1.0]]
    assert gradient(lambda x: x.clip(hi=0.0), [-1.0, 0.0, 5.0]) == [[1.0, 1.0, 0.0]]
    assert gradient(lambda x: x.clip(), [-1.0, 5.0]) == [[1.0, 1.0]]


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_where_gives_exactly_nothing_to_the_side_not_taken(bad: float) -> None:
    a, b = gradient(lambda a, b: mg.where([True, False], a, b), [1.0, bad], [bad, 2.0], cotangent=[3.0, 5.0])
    assert a == [3.0, 0.0] and b == [0.0, 5.0]


def test_where_takes_only_what_it_took_of_the_cotangent() -> None:
    a, b = gradient(lambda a, b: mg.where([True, False, True], a, b), [1.0] * 3, [1.0] * 3, cotangent=[nan, inf, 2.0])
    assert np.isnan(a[0]) and a[1:] == [0.0, 2.0] and b == [0.0, inf, 0.0]


def test_pow_at_zero() -> None:
    """By the base b a^(b-1), which is 0 where b = 0; by the exponent 0 where a = 0 <= b."""
    a, b = gradient(lambda a, b: a**b, [0.0, 0.0, 0.0, 2.0, -2.0], [0.0, 1.0, 2.0, 0.0, 0.0], cotangent=[3.0] * 5)
    assert a == [0.0, 3.0, 0.0, 0.0, 0.0]
    assert b[:3] == [0.0, 0.0, 0.0] and b[3] == pytest.approx(3 * np.log(2.0)) and np.isnan(b[4])
    for exponent in (0, 0.0):
        assert gradient(lambda x, e=exponent: x**e, [0.0, -1.0, 2.0]) == [[0.0, 0.0, 0.0]]
    for exponent, at_zero in ((1, 1.0), (1.0, 1.0), (2, 0.0), (3.0, 0.0), (0.5, inf)):
        assert gradient(lambda x, e=exponent: x**e, 0.0) == [at_zero]
    assert gradient(lambda x: x**3, -2.0) == [12.0]
    assert gradient(lambda x: 0.0**x, [0.0, 2.0]) == [[0.0, 0.0]]
    assert gradient(lambda x: 2.0**x, 3.0)[0] == pytest.approx(8 * np.log(2.0))


def test_sqrt_and_log_at_zero_are_infinite() -> None:
    assert gradient(mg.sqrt, 0.0) == [inf]
    assert gradient(mg.log, 0.0) == [inf]


def test_repeated_places_are_counted_as_often_as_they_occur() -> None:
    assert gradient(lambda x: x[[0, 0, 2, 0]], [1.0, 2.0, 3.0], cotangent=[1.0, 10.0, 100.0, 1000.0]) == [[1011.0, 0.0, 100.0]]
    assert gradient(lambda x: mg.take(x, [0, 0, -3]), [1.0, 2.0, 3.0], cotangent=[1.0, 10.0, 100.0]) == [[111.0, 0.0, 0.0]]
    rows = gradient(lambda x: mg.take(x, [[1, 1], [0, 1]], axis=1), [[1.0, 2.0]], cotangent=[[[1.0, 2.0], [4.0, 8.0]]])
    assert rows == [[[4.0, 11.0]]]
    assert gradient(lambda x: x[[0, 0], [1, 1]], [[1.0, 2.0]], cotangent=[1.0, 2.0]) == [[[0.0, 3.0]]]


def test_a_mask_gives_the_gradient_to_the_elements_it_chose() -> None:
    mask = np.array([[True, False], [False, True]])
    assert gradient(lambda x: x[mask], [[1.0, 2.0], [3.0, 4.0]], cotangent=[5.0, 7.0]) == [[[5.0, 0.0], [0.0, 7.0]]]
    assert gradient(lambda x: x[x > 2.0], [1.0, 3.0, 4.0], cotangent=[5.0, 7.0]) == [[0.0, 5.0, 7.0]]


def test_an_index_is_copied() -> None:
    """Its owner may write to it before the backward pass."""
    x = leaf([1.0, 2.0, 3.0])
    rows = np.array([0, 0])
    out = x[rows].sum() + mg.take(x, rows).sum()
    rows[:] = 2
    out.backward()
    assert x.grad.tolist() == [4.0, 0.0, 0.0]


def test_whole_numbers_are_constants() -> None:
    x = leaf([1.5, 2.5])
    with pytest.raises(mg.DtypeError):
        mg.tensor([1, 2], requires_grad=True)
    whole = x.astype("int64")
    assert not whole.requires_grad
    (x * whole).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0]


# ---- extremes: a limit where there is one


@each_dtype
def test_rows_of_minus_infinity(dtype: str) -> None:
    """No NaN: the softmax of nothing is zeros, its gradient too, and other rows do not notice."""
    x = np.array([[-inf, -inf, -inf], [0.0, -inf, 0.0], [1.0, 2.0, 3.0]])
    for axis, data in ((-1, x), (0, x.T)):
        out = leaf(data, dtype).logsumexp(axis=axis)
        assert out.tolist()[0] == -inf and out.tolist()[1] == pytest.approx(np.log(2.0))
        g = np.array(gradient(lambda t, a=axis: t.logsumexp(axis=a), data, cotangent=[3.0, 2.0, 1.0], dtype=dtype)[0])
        g = g if axis == -1 else g.T
        assert g[0].tolist() == [0.0] * 3 and g[1].tolist() == [1.0, 0.0, 1.0] and np.isfinite(g).all()
        weights = np.array([[1.0, 2.0, 4.0]] * 3)
        weights = weights if axis == -1 else weights.T
        assert np.isfinite(gradient(lambda t, a=axis: t.softmax(axis=a), data, cotangent=weights, dtype=dtype)[0]).all()
        out = mg.softmax(mg.tensor(data, dtype=dtype), axis=axis).numpy()
        assert (out if axis == -1 else out.T)[0].tolist() == [0.0] * 3
        g = np.array(gradient(lambda t, a=axis: t.log_softmax(axis=a), data, cotangent=weights, dtype=dtype)[0])
        assert np.isfinite(g).all()


@each_dtype
def test_log_softmax_is_exact_where_softmax_underflows(dtype: str) -> None:
    x = mg.tensor([[0.0, 2000.0], [-1e30, 0.0]], dtype=dtype)
    assert x.log_softmax().tolist()[0] == [-2000.0, 0.0] and x.log_softmax().numpy()[1, 1] == 0.0
    assert mg.cross_entropy_rows(x, [0, 1]).tolist() == [2000.0, 0.0]


AT = [-inf, -1e38, -750.0, -89.0, -1.0, -1e-310, -0.0, 0.0, 1e-310, 1.0, 89.0, 750.0, 1e38, inf]


@each_dtype
@pytest.mark.parametrize(
    ("name", "left", "right", "slope_left", "slope_right"),
    [("sigmoid", 0.0, 1.0, 0.0, 0.0), ("tanh", -1.0, 1.0, 0.0, 0.0), ("softplus", 0.0, None, 0.0, 1.0), ("relu", 0.0, None, 0.0, 1.0)],
)
def test_squashing_functions_reach_their_limits(
    name: str, left: float, right: float | None, slope_left: float, slope_right: float, dtype: str
) -> None:
    """No NaN and no overflow anywhere, in value, first and second derivative; NaN stays NaN."""
    function = getattr(mg, name)
    x = leaf(AT, dtype)
    y = function(x)
    values = y.numpy()
    assert not np.isnan(values).any() and np.all(np.diff(values) >= 0)
    assert values[0] == left and values[-1] == (inf if right is None else right)
    y.backward(np.ones(len(AT), dtype), create_graph=True)
    first, slopes = x.grad, x.grad.numpy()
    assert not np.isnan(slopes).any() and slopes[0] == slopes[1] == slope_left and slopes[-1] == slopes[-2] == slope_right
    x.grad = None
    if first.requires_grad:
        first.backward(np.ones(len(AT), dtype))
        if x.grad is not None:
            curvature = x.grad.numpy()
            assert not np.isnan(curvature).any() and curvature[0] == curvature[-1] == 0.0
    assert np.isnan(function(mg.tensor([nan], dtype=dtype)).numpy()).all()


@each_dtype
def test_small_tails_are_not_rounded_away(dtype: str) -> None:
    """sigmoid and softplus at -80 are e^-80, and so are their slopes."""
    tail = np.exp(np.float64(-80.0))
    for function in (mg.sigmoid, mg.softplus):
        assert function(mg.tensor(-80.0, dtype=dtype)).item() == pytest.approx(tail, rel=1e-5)
        assert gradient(function, -80.0, dtype=dtype)[0] == pytest.approx(tail, rel=1e-5)


@each_dtype
def test_nan_comes_through(dtype: str) -> None:
    """A NaN is evidence: no operation on the way may turn it into a number."""
    for name in ("relu", "abs", "sign", "exp", "log", "sqrt", "square", "tanh", "sigmoid", "softplus", "neg", "clip", "clone"):
        settings = {"lo": -1.0, "hi": 1.0} if name == "clip" else {}
        assert np.isnan(getattr(mg, name)(mg.tensor([nan], dtype=dtype), **settings).item()), name
    for function in (mg.maximum, mg.minimum):
        assert np.isnan(function(mg.tensor([nan, 1.0], dtype=dtype), mg.tensor([1.0, nan], dtype=dtype)).numpy()).all()
    x = mg.tensor([1.0, nan, 2.0], dtype=dtype)
    for out in (x.max(), x.sum(), x.mean(), x.logsumexp(), x.softmax(), x.log_softmax()):
        assert np.isnan(out.numpy()).all()


# ---- random graphs


class Graph:
    """A random program over named places, that runs with any array library: each step is a function of earlier places."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.leaves = [self.number((2, 3)), self.number((3,)), self.number((2, 1)), self.number(()), self.number((2, 3))]
        self.leaves[4] = self.leaves[0].copy()  # equal values, another leaf
        self.steps: list[tuple[str, tuple[int, ...], Any]] = []
        shapes = [array.shape for array in self.leaves]
        for _ in range(int(self.rng.integers(3, 41))):
            self.steps.append(self.step(shapes))
        self.weights = [self.number(shape) for shape in shapes]
        # the loss uses the last place and a few more: the rest of the graph leads nowhere
        self.used = sorted({len(shapes) - 1, *self.rng.integers(0, len(shapes), 2).tolist()})

    def number(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        return np.asarray(self.rng.uniform(0.2, 1.0, shape) * self.rng.choice([-1.0, 1.0], shape))

    def pick(self, shapes: list[tuple[int, ...]]) -> int:
        """A place, the latest more often than the first: deep graphs with fan-out."""
        return len(shapes) - 1 - min(int(self.rng.exponential(3.0)), len(shapes) - 1)

    def step(self, shapes: list[tuple[int, ...]]) -> tuple[str, tuple[int, ...], Any]:
        """One more operation; appends the shape of its result."""
        while True:
            name = str(self.rng.choice(list(STEPS)))
            i = self.pick(shapes)
            j = i if self.rng.random() < 0.15 else self.pick(shapes)
            more = None
            shape = shapes[i]
            if name in BINARY:
                try:
                    shape = np.broadcast_shapes(shapes[i], shapes[j])
                except ValueError:
                    continue
            elif name == "matmul":
                if len(shapes[i]) != 2 or len(shapes[j]) != 2 or shapes[i][1] != shapes[j][0]:
                    continue
                shape = (shapes[i][0], shapes[j][1])
            elif name in ("sum", "mean", "max", "logsumexp"):
                if not shape:
                    continue
                more = (int(self.rng.integers(-len(shape), len(shape))), bool(self.rng.integers(2)))
                shape = np.sum(np.zeros(shape), axis=more[0], keepdims=more[1]).shape
            elif name == "softmax":
                if not shape:
                    continue
                more = int(self.rng.integers(-len(shape), len(shape)))
            elif name == "transpose":
                shape = shape[::-1]
            elif name == "ravel":
                more = shape = (int(np.prod(shape)),)
            elif name == "unsqueeze":
                if len(shape) > 2:
                    continue
                more = int(self.rng.integers(0, len(shape) + 1))
                shape = (*shape[:more], 1, *shape[more:])
            elif name == "slice":
                if not shape:
                    continue
                more = tuple(
                    slice(None, None, int(self.rng.choice([-1, 1, 2]))) if self.rng.random() < 0.6 else int(self.rng.integers(-n, n))
                    for n in shape
                )
                shape = np.zeros(shape)[more].shape
            elif name == "gather":
                if not shape:
                    continue
                more = self.rng.integers(0, shape[0], 3)
                shape = (3, *shape[1:])
            elif name == "join":
                if not shape or shapes[j][1:] != shape[1:] or len(shapes[j]) != len(shape) or shape[0] + shapes[j][0] > 12:
                    continue
                shape = (shape[0] + shapes[j][0], *shape[1:])
            elif name == "where":
                if shapes[i] != shapes[j]:
                    continue
                more = self.rng.random(shape) < 0.5
            if len(shape) > 4 or np.prod(shape, dtype=int) > 400:
                continue
            shapes.append(tuple(shape))
            return name, (i, j), more

    def run(self, leaves: Any, table: dict[str, Callable[..., Any]], add_up: Any = mg.sum) -> Any:
        """The loss."""
        places = list(leaves)
        for name, (i, j), more in self.steps:
            places.append(table[name](places[i], places[j], more))
        total: Any = 0.0
        for place in self.used:
            total = total + add_up(places[place] * self.weights[place])
        return total


BINARY = ("add", "sub", "mul", "div", "maximum", "pow")
# Each keeps numbers of order one: products are squashed, quotients have denominators above 1.
STEPS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b, _: (a + b) * 0.5,
    "sub": lambda a, b, _: (a - b) * 0.5,
    "mul": lambda a, b, _: a * b,
    "div": lambda a, b, _: a / (1.5 + b * b),
    "pow": lambda a, b, _: (1.1 + a * a) ** mg.tanh(b),
    "maximum": lambda a, b, _: mg.maximum(a, b),
    "neg": lambda a, b, _: -a,
    "tanh": lambda a, b, _: mg.tanh(a),
    "sigmoid": lambda a, b, _: mg.sigmoid(a),
    "softplus": lambda a, b, _: mg.softplus(a),
    "relu": lambda a, b, _: mg.relu(a),
    "exp": lambda a, b, _: mg.exp(-(a * a)),
    "log": lambda a, b, _: mg.log(1.0 + a * a),
    "square": lambda a, b, _: mg.square(mg.tanh(a)),
    "sqrt": lambda a, b, _: mg.sqrt(0.1 + mg.square(a)),
    "matmul": lambda a, b, _: (a @ b) * 0.3,
    "sum": lambda a, b, m: a.sum(*m) * 0.3,
    "mean": lambda a, b, m: a.mean(*m),
    "max": lambda a, b, m: a.max(*m),
    "logsumexp": lambda a, b, m: a.logsumexp(*m) * 0.5,
    "softmax": lambda a, b, m: a.softmax(m),
    "transpose": lambda a, b, _: a.T,
    "ravel": lambda a, b, m: a.reshape(m),
    "unsqueeze": lambda a, b, m: mg.expand_dims(a, axis=m),
    "slice": lambda a, b, m: a[m],
    "gather": lambda a, b, m: mg.take(a, m),
    "join": lambda a, b, _: mg.concatenate([a, b]),
    "where": lambda a, b, m: mg.where(m, a, b),
}


def axis_of(a: Any, m: Any) -> dict[str, Any]:
    return {"axis": m[0] % len(a.shape), "keepdims": m[1]}


ORACLE: dict[str, Callable[..., Any]] = {
    **STEPS,
    "pow": lambda a, b, _: anp.exp(anp.tanh(b) * anp.log(1.1 + a * a)),
    "maximum": lambda a, b, _: a * (1.0 * anp.greater(a, b) + 0.5 * anp.equal(a, b)) + b * (1.0 * anp.less(a, b) + 0.5 * anp.equal(a, b)),
    "tanh": lambda a, b, _: anp.tanh(a),
    "sigmoid": lambda a, b, _: 1.0 / (1.0 + anp.exp(-a)),
    "softplus": lambda a, b, _: anp.log(1.0 + anp.exp(a)),
    "relu": lambda a, b, _: a * (a > 0.0),
    "exp": lambda a, b, _: anp.exp(-(a * a)),
    "log": lambda a, b, _: anp.log(1.0 + a * a),
    "square": lambda a, b, _: anp.tanh(a) * anp.tanh(a),
    "sqrt": lambda a, b, _: (0.1 + a * a) ** 0.5,
    "matmul": lambda a, b, _: anp.dot(a, b) * 0.3,
    "sum": lambda a, b, m: anp.sum(a, **axis_of(a, m)) * 0.3,
    "mean": lambda a, b, m: anp.sum(a, **axis_of(a, m)) / float(a.shape[m[0]]),
    "max": lambda a, b, m: anp.max(a, **axis_of(a, m)),
    "logsumexp": lambda a, b, m: anp.log(anp.sum(anp.exp(a), **axis_of(a, m))) * 0.5,
    "softmax": lambda a, b, m: anp.exp(a) / anp.sum(anp.exp(a), axis=m, keepdims=True),
    "transpose": lambda a, b, _: anp.transpose(a),
    "ravel": lambda a, b, m: anp.reshape(a, m),
    "unsqueeze": lambda a, b, m: anp.expand_dims(a, m),
    "gather": lambda a, b, m: a[m],
    "join": lambda a, b, _: anp.concatenate([a, b]),
    "where": lambda a, b, m: a * (1.0 * m) + b * (1.0 * ~m),
}
GRAPHS, CHUNK = 400, 50
largest = {"first": 0.0, "second": 0.0, "operations": 0, "graphs": 0}


@pytest.mark.filterwarnings("ignore:Output seems independent of input")  # autograd, of a graph that is linear
@pytest.mark.parametrize("start", range(0, GRAPHS, CHUNK))
def test_random_graphs_agree_with_autograd(start: int) -> None:
    """Fan-out, repeated operands, views, slices, reductions, dead ends and unused leaves; the error is relative to max(1, |g|)."""
    for seed in range(start, start + CHUNK):
        graph = Graph(seed)
        leaves = [leaf(array) for array in graph.leaves]
        loss = graph.run(leaves, STEPS)
        want = autograd.grad(lambda *arrays, g=graph: g.run(arrays, ORACLE, anp.sum), tuple(range(5)))(*graph.leaves)
        second = seed % 5 == 0
        loss.backward(create_graph=second)
        grads = [x.grad for x in leaves]
        compare("first", seed, graph, grads, want)
        if second:
            turns = [np.random.default_rng(seed + k).normal(size=array.shape) for k, array in enumerate(graph.leaves)]

            def slope(*arrays: Any, graph: Graph = graph, turns: Any = turns) -> Any:
                inner = autograd.grad(lambda *a: graph.run(a, ORACLE, anp.sum), tuple(range(5)))(*arrays)
                return sum(anp.sum(turn * g) for turn, g in zip(turns, inner, strict=True))

            with np.errstate(all="ignore"):
                want = autograd.grad(slope, tuple(range(5)))(*graph.leaves)
            for x in leaves:
                x.grad = None
            total = leaves[0].sum() * 0.0
            for g, turn in zip(grads, turns, strict=True):
                total = total if g is None else total + (g * turn).sum()
            total.backward()
            compare("second", seed, graph, [x.grad for x in leaves], want)
        largest["graphs"] += 1
        largest["operations"] += len(graph.steps)


def compare(order: str, seed: int, graph: Graph, got: Any, want: Any) -> None:
    for k, (g, w) in enumerate(zip(got, want, strict=True)):
        g = np.zeros(graph.leaves[k].shape) if g is None else g.numpy()
        assert g.shape == graph.leaves[k].shape
        found = float(np.max(np.abs(g - w))) / max(1.0, float(np.max(np.abs(w))))
        largest[order] = max(largest[order], found)
        assert found <= 1e-10, f"graph {seed}, leaf {k}, {order} order: error {found:.3g}\n{graph.steps}"


def test_the_graphs_were_what_they_claim() -> None:
    """Prints how many ran (pytest -s), and checks that every kind of step occurs."""
    seen = [name for seed in range(GRAPHS) for name, _, _ in Graph(seed).steps]
    repeated = sum(i == j for seed in range(GRAPHS) for name, (i, j), _ in Graph(seed).steps if name in BINARY)
    assert set(seen) == set(STEPS) and min(seen.count(name) for name in set(seen)) >= 20 and repeated > 100
    print(f"\n{largest['graphs']:.0f} graphs, {largest['operations']:.0f} operations", end="; ")
    print(f"largest errors: first order {largest['first']:.2g}, second {largest['second']:.2g}")
