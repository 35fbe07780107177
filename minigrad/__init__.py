"""minigrad: a tape for automatic differentiation, and recurrent networks that are written as their equations.

>>> import minigrad as mg
>>> w = mg.tensor([1.0, 2.0], requires_grad=True)
>>> (w * w).sum().backward()
>>> w.grad
tensor([2., 4.])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from numpy import float32, float64, int32, int64

from minigrad import config

__version__ = "0.1.0"
long = int64  # PyTorch's name for it
config.prepare()  # before anything compiled is imported

from minigrad import ops  # noqa: E402
from minigrad.config import show_config  # noqa: E402
from minigrad.errors import DtypeError, MutationError, ShapeError, TapeError  # noqa: E402
from minigrad.grad import grad, hvp, value_and_grad, vjp  # noqa: E402
from minigrad.ledger import ledger  # noqa: E402
from minigrad.op import elementwise, op  # noqa: E402
from minigrad.ops import *  # noqa: E402, F403
from minigrad.random import get_rng_state, manual_seed, set_rng_state  # noqa: E402
from minigrad.recording import enable_grad, is_grad_enabled, no_grad  # noqa: E402
from minigrad.scan import scan, scan_report  # noqa: E402
from minigrad.scan.tree import detach  # noqa: E402
from minigrad.show import show  # noqa: E402
from minigrad.tape import Tensor  # noqa: E402
from minigrad.tbptt import tbptt  # noqa: E402
from minigrad.threads import get_num_threads, set_num_threads  # noqa: E402

if TYPE_CHECKING:
    from minigrad import nn, optim
    from minigrad.io import load, save
    from minigrad.nn.summary import summary

__all__ = [
    "DtypeError",
    "MutationError",
    "ShapeError",
    "TapeError",
    "Tensor",
    "detach",
    "elementwise",
    "enable_grad",
    "float32",
    "float64",
    "get_num_threads",
    "get_rng_state",
    "grad",
    "hvp",
    "int32",
    "int64",
    "is_grad_enabled",
    "ledger",
    "load",
    "long",
    "manual_seed",
    "nn",
    "no_grad",
    "op",
    "optim",
    "save",
    "scan",
    "scan_report",
    "set_num_threads",
    "set_rng_state",
    "show",
    "show_config",
    "summary",
    "tbptt",
    "value_and_grad",
    "vjp",
    *ops.__all__,
]


# What is imported when it is first asked for, and from where: more than half of what all of it takes.
LATE = {"nn": "nn", "optim": "optim", "summary": "nn", "io": "io", "load": "io", "save": "io"}


def __getattr__(name: str) -> Any:
    if name not in LATE:
        raise AttributeError(f"module 'minigrad' has no attribute '{name}'")
    module = import_module(f"minigrad.{LATE[name]}")
    return globals().setdefault(name, getattr(module, name, module))


def __dir__() -> list[str]:
    return sorted({*globals(), *LATE})
