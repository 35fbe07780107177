"""Starting values, written into a tensor in place. All randomness comes from the generator that manual_seed sets."""

from __future__ import annotations

import math

import numpy as np

from minigrad import random
from minigrad.errors import ShapeError
from minigrad.tape import Tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """`tensor`, filled with draws from U[a, b).

    >>> bool((uniform_(Tensor([0.0, 0.0]), 1.0, 2.0) >= 1.0).numpy().all())
    True
    """
    return tensor.assign_(random.generator.uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """`tensor`, filled with normal draws of that mean and standard deviation.

    >>> normal_(Tensor([0.0, 0.0]), mean=3.0, std=0.0)
    tensor([3., 3.])
    """
    return tensor.assign_(random.generator.normal(mean, std, tensor.shape))


def constant_(tensor: Tensor, value: float) -> Tensor:
    """`tensor`, filled with `value`.

    >>> constant_(Tensor([0.0, 0.0]), 0.5)
    tensor([0.5, 0.5])
    """
    return tensor.assign_(value)


def zeros_(tensor: Tensor) -> Tensor:
    """`tensor`, filled with zeros.

    >>> zeros_(Tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    return tensor.assign_(0.0)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """`tensor`, filled from U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out)): signals keep their variance (Glorot and Bengio, 2010).

    A weight of shape (out, in, ...) has fan_in = in x ..., fan_out = out x .... Raises ShapeError for fewer than two axes.

    >>> abs(xavier_uniform_(Tensor([[0.0] * 3] * 3)).numpy()).max() <= 1.0
    np.True_
    """
    if tensor.ndim < 2:
        raise ShapeError(f"xavier_uniform_ wants a weight of two axes or more, (out, in, ...); this tensor has shape {tensor.shape}")
    fans = (tensor.shape[0] + tensor.shape[1]) * math.prod(tensor.shape[2:])
    bound = gain * math.sqrt(6.0 / fans) if fans else 0.0
    return uniform_(tensor, -bound, bound)


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
