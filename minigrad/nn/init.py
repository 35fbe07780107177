"""Starting values, written into a tensor in place. All randomness comes from the generator that manual_seed sets."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import random
from minigrad.errors import ShapeError
from minigrad.tape import Tensor


def check_tensor(function: str, tensor: Any) -> None:
    """Refuse what is no tensor."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{function} fills a tensor in place, got {type(tensor).__name__}")


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """`tensor`, filled with draws from U[a, b).

    >>> bool((uniform_(Tensor([0.0, 0.0]), 1.0, 2.0) >= 1.0).numpy().all())
    True
    """
    check_tensor("uniform_", tensor)
    if not a <= b:
        raise ValueError(f"uniform_: a={a}, b={b}: the first bound should not be above the second")
    return tensor.assign_(random.generator.uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """`tensor`, filled with normal draws of that mean and standard deviation.

    >>> normal_(Tensor([0.0, 0.0]), mean=3.0, std=0.0)
    tensor([3., 3.])
    """
    check_tensor("normal_", tensor)
    if not std >= 0:
        raise ValueError(f"normal_: std={std} should not be negative")
    return tensor.assign_(random.generator.normal(mean, std, tensor.shape))


def constant_(tensor: Tensor, value: float) -> Tensor:
    """`tensor`, filled with `value`.

    >>> constant_(Tensor([0.0, 0.0]), 0.5)
    tensor([0.5, 0.5])
    """
    check_tensor("constant_", tensor)
    if not isinstance(value, int | float | np.number):
        raise TypeError(f"constant_: value={value!r} should be a number")
    return tensor.assign_(value)


def zeros_(tensor: Tensor) -> Tensor:
    """`tensor`, filled with zeros.

    >>> zeros_(Tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    return tensor.assign_(0.0)


def ones_(tensor: Tensor) -> Tensor:
    """`tensor`, filled with ones.

    >>> ones_(Tensor([0.0, 2.0]))
    tensor([1., 1.])
    """
    return tensor.assign_(1.0)


def eye_(tensor: Tensor) -> Tensor:
    """`tensor`, filled with the identity: ones on the diagonal of a matrix, zeros elsewhere. Raises ShapeError for other than two axes.

    >>> eye_(Tensor([[5.0, 5.0, 5.0], [5.0, 5.0, 5.0]]))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ShapeError(f"eye_ wants a matrix; this tensor has shape {tensor.shape}")
    return tensor.assign_(np.eye(tensor.shape[0], tensor.shape[1]))


def fans(tensor: Tensor, what: str) -> tuple[int, int]:
    """fan_in and fan_out of a weight (out, in, ...): in x ... and out x .... Raises ShapeError for fewer than two axes."""
    if tensor.ndim < 2:
        raise ShapeError(f"{what} wants a weight of two axes or more, (out, in, ...); this tensor has shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


GAINS = {"linear": 1.0, "conv1d": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much a weight should be larger so that signals keep their size through this activation; PyTorch's table.

    1 for linear, conv1d and sigmoid, 5/3 for tanh, sqrt(2) for relu, 3/4 for selu, and sqrt(2 / (1 + slope^2)) for leaky_relu, whose slope
    is `param` (0.01 if None). Raises ValueError for any other word.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ValueError(f"calculate_gain: nonlinearity={nonlinearity!r} is not one of {', '.join(map(repr, [*GAINS, 'leaky_relu']))}")
    return GAINS[nonlinearity]


def xavier_std(tensor: Tensor, gain: float, what: str) -> float:
    """gain sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    total = sum(fans(tensor, what))
    return gain * math.sqrt(2.0 / total) if total else 0.0


def kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str, what: str) -> float:
    """gain / sqrt(fan) (He et al., 2015)."""
    fan_in, fan_out = fans(tensor, what)
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{what}: mode={mode!r} is not one of 'fan_in', 'fan_out'")
    fan = fan_in if mode == "fan_in" else fan_out
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """`tensor`, filled from U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out)): signals keep their variance (Glorot and Bengio, 2010).

    A weight of shape (out, in, ...) has fan_in = in x ..., fan_out = out x .... Raises ShapeError for fewer than two axes.

    >>> abs(xavier_uniform_(Tensor([[0.0] * 3] * 3)).numpy()).max() <= 1.0
    np.True_
    """
    bound = math.sqrt(3.0) * xavier_std(tensor, gain, "xavier_uniform_")
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """`tensor`, filled from N(0, s^2) with s = gain sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010). Raises as xavier_uniform_ does.

    >>> xavier_normal_(Tensor([[1.0, 2.0]]), gain=0.0)
    tensor([[0., 0.]])
    """
    return normal_(tensor, 0.0, abs(xavier_std(tensor, gain, "xavier_normal_")))


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """`tensor`, filled from U(-b, b) with b = gain sqrt(3 / fan), for layers before a rectifier (He et al., 2015).

    The gain is calculate_gain(nonlinearity, a), where `a` is the slope of a leaky_relu; the fan is fan_in, or fan_out if `mode` says so.
    Raises ShapeError for fewer than two axes, ValueError for words that do not exist.

    >>> abs(kaiming_uniform_(Tensor([[0.0] * 6] * 2)).numpy()).max() <= 1.0
    np.True_
    """
    bound = math.sqrt(3.0) * kaiming_std(tensor, a, mode, nonlinearity, "kaiming_uniform_")
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """`tensor`, filled from N(0, s^2) with s = gain / sqrt(fan) (He et al., 2015). Settings and errors are those of kaiming_uniform_.

    >>> kaiming_normal_(Tensor(np.zeros((2, 3)))).shape
    (2, 3)
    """
    return normal_(tensor, 0.0, kaiming_std(tensor, a, mode, nonlinearity, "kaiming_normal_"))


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """`tensor`, filled with `gain` times a random matrix whose rows (or columns, whichever are fewer) are orthonormal (Saxe et al., 2014).

    Axes after the first count as one. Raises ShapeError for fewer than two axes.

    >>> weight = orthogonal_(Tensor(np.zeros((2, 3))))
    >>> np.round(weight @ weight.T, 12) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_ wants two axes or more; this tensor has shape {tensor.shape}")
    if not tensor.size:
        return tensor
    rows = tensor.shape[0]
    columns = tensor.size // rows
    q, r = np.linalg.qr(random.generator.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)  # makes the draw uniform over all orthogonal matrices
    return tensor.assign_(gain * (q.T if rows < columns else q).reshape(tensor.shape))


def blocks_(tensor: Tensor, rows: int, start: Callable[[Tensor], Any]) -> Tensor:
    """`tensor`, of which each block of so many rows is filled by `start` for itself: a weight that holds those of several gates.

    >>> blocks_(Tensor(np.zeros((4, 2))), 2, eye_)
    tensor([[1., 0.],
            [0., 1.],
            [1., 0.],
            [0., 1.]], dtype=float64)
    """
    for at in range(0, len(tensor), rows):
        start(tensor.detach()[at : at + rows])
    return tensor


def chrono_(layer: Any, steps: int) -> Any:
    """`layer`, recurrent, with gate biases such that its memories last between 1 and `steps` - 1 steps (Tallec and Ollivier, 2018).

    b_f = log u with u from U[1, steps - 1), one for each unit, and b_i = -b_f: a unit forgets over about u steps. Both stand in
    bias_ih, and bias_hh is 0 there. With coupled gates there is no b_i; in a GRU the update gate has log u, or -log u where it writes
    (update="write"). Every layer and direction draws its own. A cell is taken too. Raises ValueError for a layer without biases and for
    less than 3 steps, TypeError for what has no such gates.

    >>> from minigrad import nn
    >>> lstm = chrono_(nn.LSTM(3, 4), 100)
    >>> b = lstm.gate("f", "bias_ih_l0").numpy()
    >>> bool((0 <= b).all() and (b <= np.log(99)).all()), bool((lstm.gate("i", "bias_ih_l0").numpy() == -b).all())
    (True, True)
    """
    gates = layer.keeps() if hasattr(layer, "keeps") else {}
    if not gates:
        raise TypeError(f"chrono_ wants a layer or cell with gates that keep its state, like nn.LSTM or nn.GRU, got {type(layer).__name__}")
    if not layer.bias:
        raise ValueError(f"chrono_ starts biases, and this {type(layer).__name__} has bias=False")
    if not steps >= 3:
        raise ValueError(f"chrono_: steps={steps} is the longest time to remember, and should be 3 or more")
    for suffix in layer.all_suffixes():
        kept = np.log(random.generator.uniform(1.0, steps - 1.0, layer.hidden_size))
        for gate, sign in gates.items():
            layer.set_gate_bias(suffix, gate, sign * kept)
    return layer
