"""minigrad: a tape for automatic differentiation, and recurrent networks that are written as their equations.

>>> import minigrad as mg
>>> w = mg.tensor([1.0, 2.0], requires_grad=True)
>>> (w * w).sum().backward()
>>> w.grad
tensor([2., 4.])
"""

from __future__ import annotations

from minigrad import config

__version__ = "0.1.0"
config.prepare()


from minigrad.config import show_config  # noqa: E402
from minigrad.grad import grad, hvp, value_and_grad, vjp  # noqa: E402

from minigrad.op import elementwise, op  # noqa: E402
from minigrad.ops import *  # noqa: E402, F403
from minigrad.random import get_rng_state, manual_seed, set_rng_state  # noqa: E402
from minigrad.show import show  # noqa: E402
from minigrad.tape import (  # noqa: E402
    DtypeError, MutationError, ShapeError, TapeError, Tensor, enable_grad, is_grad_enabled, no_grad,
)
