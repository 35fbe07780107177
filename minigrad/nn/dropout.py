"""Dropout: in training, elements are zeroed at random and the others scaled up, so that the expectation stays (Srivastava et al., 2014)."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import random
from minigrad.errors import DtypeError
from minigrad.ops import where
from minigrad.tape import Tensor

from .module import Module


def check_probability(p: float, what: str) -> None:
    """Refuse what is no probability."""
    if not isinstance(p, int | float | np.number) or not 0.0 <= p <= 1.0:
        raise ValueError(f"{what}: p is the probability to zero an element, from 0 to 1; got {p!r}")


def dropout(x: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """x with each element zeroed with probability p and the others multiplied by 1 / (1 - p); x itself if not training, or p = 0.

    Shape and dtype are those of x. A zeroed element is exactly 0, even if it was infinite, and so is its gradient. Raises
    ValueError if p is not within [0, 1], DtypeError for whole numbers.

    >>> dropout(Tensor([1.0, 2.0]), p=1.0)
    tensor([0., 0.])
    """
    check_probability(p, "dropout")
    tensor = x if isinstance(x, Tensor) else Tensor(x)
    if not training or p == 0.0:
        return tensor
    if tensor.dtype.kind != "f":
        raise DtypeError(f"dropout scales its input, which must be floating; got {tensor.dtype}")
    draws = random.draw("random", tensor.shape, np.float64 if tensor.dtype == np.float64 else np.float32)
    return where(draws >= p, tensor * (1.0 / (1.0 - p) if p < 1.0 else 0.0), 0.0)


class Dropout(Module):
    """A layer that calls `dropout` while `.training` is true, and returns its input otherwise.

    >>> Dropout(0.5).eval()(Tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:  # inplace as in PyTorch: it changes nothing here
        super().__init__()
        check_probability(p, "Dropout")
        self.p = p

    def forward(self, x: Any) -> Tensor:
        """x of any shape, with dropout if the module is in training mode."""
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"
