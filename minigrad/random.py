"""The one source of random numbers: dropout, initialisation and mg.rand draw from it, so one seed fixes a run."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import DtypeError
from minigrad.recording import tracer
from minigrad.tape import Tensor, wrap


def source() -> np.random.Generator:
    """The generator, made when it is first asked for: numpy.random takes as long to import as all operations of minigrad.

    >>> source() is source()
    True
    """
    found: np.random.Generator | None = globals().get("generator")
    return found or globals().setdefault("generator", np.random.Generator(np.random.PCG64()))


def __getattr__(name: str) -> Any:
    if name == "generator":
        return source()
    raise AttributeError(f"module 'minigrad.random' has no attribute '{name}'")


def manual_seed(seed: int) -> None:
    """Start the generator afresh from `seed`, a whole number of 0 or more: the same seed gives the same run.

    >>> manual_seed(0); a = source().random(); manual_seed(0); a == source().random()
    True
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"manual_seed: a seed is a whole number of 0 or more, got {seed!r}")
    source().bit_generator.state = np.random.PCG64(int(seed)).state


def get_rng_state() -> dict[str, Any]:
    """The generator's state, of plain numbers and strings, as set_rng_state takes it.

    >>> state = get_rng_state(); first = source().random(); set_rng_state(state); first == source().random()
    True
    """
    return dict(source().bit_generator.state)


def set_rng_state(state: dict[str, Any]) -> None:
    """Put the generator where it was when get_rng_state was called."""
    source().bit_generator.state = state


def draw(method: str, shape: tuple[int, ...], dtype: Any, *bounds: int) -> Tensor:
    """A tensor from the generator's `method`; a tracer hears of it, so that a scan can make the draws of all its steps.

    >>> draw("random", (2,), np.float32).shape
    (2,)
    """
    try:
        tensor = wrap(np.asarray(getattr(source(), method)(*bounds, shape, np.dtype(dtype))), None)
    except TypeError:
        kind = "whole numbers, int64 for example" if method == "integers" else "float32 or float64"
        raise DtypeError(f"random numbers of this kind are {kind}, got dtype={dtype!r}") from None
    watcher = tracer.get()
    if watcher is not None:
        watcher.draw(tensor, method, shape, dtype, *bounds)
    return tensor


def shuffled(count: int) -> Tensor:
    """The numbers from 0 to count - 1 in random order.

    >>> shuffled(1)
    tensor([0])
    """
    watcher = tracer.get()
    if watcher is not None:
        watcher.fail("a random order is drawn")
    return wrap(source().permutation(count), None)
