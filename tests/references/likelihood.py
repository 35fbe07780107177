"""References of the losses with a gradient rule of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np


def binary_cross_entropy_terms(p: Any, t: Any) -> Any:
    t = t * 1.0 if not isinstance(t, np.ndarray) or t.dtype.kind != "f" else t
    return -(anp.log(p) * t + anp.log(1.0 - p) * (1.0 - t))


REFERENCES: dict[str, Callable[..., Any]] = {"binary_cross_entropy_terms": binary_cross_entropy_terms}

TORCH: dict[str, Callable[..., Any]] = {
    "binary_cross_entropy_terms": lambda t, p, y: -(t.log(t.as_tensor(p)).clamp(-100) * y + t.log1p(-t.as_tensor(p)).clamp(-100) * (1 - y)),
}
