"""What PyTorch calls torch.nn.functional, with its signatures: `import minigrad.nn.functional as F` lets code for PyTorch run as it is.

These are the functions of minigrad and minigrad.nn; those that are written out here differ only in what their settings are called
(`dim` for an axis), or take what a layer keeps for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.errors import ShapeError
from minigrad.keywords import word
from minigrad.ops import linear, log_sigmoid, relu, selu, sigmoid, silu, tanh
from minigrad.ops.creation import as_tensor
from minigrad.tape import Tensor

from .activations import hardtanh, softplus
from .conv import conv1d
from .distances import (
    cosine_embedding_loss,
    cosine_similarity,
    huber_loss,
    l1_loss,
    mse_loss,
    pairwise_distance,
    smooth_l1_loss,
    triplet_margin_loss,
)
from .dropout import dropout
from .embedding import check_indices, row_of_padding, rows
from .likelihoods import binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, kl_div, nll_loss
from .norm import batch_norm, layer_norm
from .pooling import adaptive_avg_pool1d, adaptive_max_pool1d, avg_pool1d, max_pool1d
from .reduction import floating

logsigmoid = log_sigmoid


def softmax(input: Any, dim: int = -1) -> Tensor:
    """`minigrad.softmax` along the axis `dim`.

    >>> softmax([[1.0, 1.0]], dim=1)
    tensor([[0.5, 0.5]])
    """
    return ops.softmax(input, axis=dim)


def log_softmax(input: Any, dim: int = -1) -> Tensor:
    """`minigrad.log_softmax` along the axis `dim`.

    >>> log_softmax([[1.0, 1.0]], dim=1)
    tensor([[-0.6931472, -0.6931472]])
    """
    return ops.log_softmax(input, axis=dim)


def gelu(input: Any, approximate: str = "none") -> Tensor:
    """`minigrad.gelu`, with its setting by place or by name.

    >>> gelu([0.0])
    tensor([0.])
    """
    return ops.gelu(input, approximate=approximate)


def elu(input: Any, alpha: float = 1.0) -> Tensor:
    """`minigrad.elu`, with its setting by place or by name.

    >>> elu([1.0], 2.0)
    tensor([1.])
    """
    return ops.elu(input, alpha=alpha)


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Tensor:
    """`minigrad.leaky_relu`, with its setting by place or by name.

    >>> leaky_relu([-1.0], 0.5)
    tensor([-0.5])
    """
    return ops.leaky_relu(input, negative_slope=negative_slope)


def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """`minigrad.one_hot` as whole numbers; with num_classes=-1 there is one class more than the largest index.

    >>> one_hot([1, 0])
    tensor([[0, 1],
            [1, 0]])
    """
    indices = np.asarray(tensor)
    if num_classes == -1:
        if not indices.size:
            raise ShapeError("one_hot: without an index num_classes cannot be found: say how many")
        num_classes = int(indices.max()) + 1
    return ops.one_hot(indices, num_classes=num_classes, dtype=np.int64)


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """x with pad[0] elements more before its last axis and pad[1] behind it, then pad[2] and pad[3] for the axis before, and so on.

    `mode` is "constant", "reflect", "replicate" or "circular". Numbers below 0 are refused with ShapeError: cut with a slice.

    >>> pad([[1.0, 2.0]], (1, 0))
    tensor([[0., 1., 2.]])
    """
    x = as_tensor(input)
    pairs = [(int(a), int(b)) for a, b in zip(pad[::2], pad[1::2], strict=False)]
    if len(pad) % 2 or len(pairs) > x.ndim:
        raise ShapeError(f"pad: {tuple(pad)} should be a pair of numbers for each of the last axes of shape {x.shape}")
    names = {"replicate": "edge", "circular": "wrap"}
    return ops.pad(x, [*[(0, 0)] * (x.ndim - len(pairs)), *pairs[::-1]], mode=names.get(mode, mode), constant_values=value)


def embedding(input: Any, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The rows of `weight` at the indices `input`; the row `padding_idx` is a constant. Errors are those of nn.Embedding.

    >>> embedding([1], Tensor([[1.0], [2.0]]))
    tensor([[2.]])
    """
    (weight,) = floating("embedding", weight=weight)
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight has shape {weight.shape}, expected (num_embeddings, embedding_dim)")
    return rows(weight, check_indices("embedding", input, len(weight)), row_of_padding("embedding", padding_idx, len(weight)))


def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(|x|_p, eps) along the axis `dim`.

    >>> normalize([[3.0, 4.0]])
    tensor([[0.6, 0.8]])
    """
    x = as_tensor(input)
    return x / ops.clip(ops.norm(x, ord=p, axis=dim, keepdims=True), lo=eps)


__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "avg_pool1d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "hardtanh",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "max_pool1d",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
    "triplet_margin_loss",
]

word(globals(), __all__)
