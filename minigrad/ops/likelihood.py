"""Losses that need a gradient rule of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.op import elementwise

from .elementwise import clip, log


@elementwise(
    p=lambda g, p, t: g * (p - t) / clip(p * (1.0 - p), lo=1e-12),
    t=lambda g, p: g * (clip(log(1.0 - p), lo=-100.0) - clip(log(p), lo=-100.0)),
)
def binary_cross_entropy_terms(p: Any, t: Any) -> Any:
    """-(t log p + (1 - t) log(1 - p)), with logarithms cut off at -100 and a gradient that is finite at p = 0 and 1.   (),() -> ()

    >>> binary_cross_entropy_terms([0.5, 0.0], 1.0)
    tensor([  0.6931472, 100.       ])
    """
    return (t - 1) * np.maximum(np.log1p(-p), -100) - t * np.maximum(np.log(p), -100)
