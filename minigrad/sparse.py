"""Arrays that are made when they are read: a tensor may hold one in place of its numbers, and whoever asks for them gets a NumPy array.

The gradient of a table of which few rows were used is one (`Rows`: these rows and their values), and so is a table whose unused rows
are behind their optimiser (optim/lag.py). Operations read them as they begin, but for those that want no more than some rows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Deferred(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that `read` gives. Its shape and dtype are known before; anything else that is asked of it reads it."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype

    def read(self) -> Array:
        """The array, or the part of it that `take` leaves out too."""
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, once they are read."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.read()
        return np.array(array, dtype, copy=True) if copy else np.asarray(array, dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        return getattr(ufunc, method)(*[one.read() if isinstance(one, Deferred) else one for one in inputs], **settings)

    def __getitem__(self, index: Any) -> Any:
        return self.read()[index]

    def __contains__(self, value: object) -> bool:
        return value in self.read()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.read(), name)


class Rows(Deferred):
    """An array of zeros but for some rows: whole numbers `rows` (k), rising, none twice, and their `values` (k, ...)."""

    def __init__(self, shape: tuple[int, ...], rows: Array, values: Array) -> None:
        super().__init__(shape, values.dtype)
        self.rows = rows
        self.values = values

    def read(self) -> Array:
        """The array with all its zeros."""
        out = np.zeros(self.shape, self.dtype)
        out[self.rows] = self.values
        return out

    def plus(self, other: Rows) -> Rows:
        """The sum of both."""
        return Rows(self.shape, *summed(np.concatenate([self.rows, other.rows]), np.concatenate([self.values, other.values])))


def summed(places: Array, values: Array) -> tuple[Array, Array]:
    """The values (k, ...) of equal places (k) added up: the places in rising order, each once, and their sums."""
    if not places.size:
        return places, values
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    if starts.size == places.size:  # none comes twice: nothing to add
        return ordered, values[order]
    rows = ordered[starts]
    sums = np.zeros((len(rows), *values.shape[1:]), values.dtype)
    if kernels["add_rows"](sums, values, np.searchsorted(rows, places)) is NotImplemented:
        sums = np.add.reduceat(values[order], starts, axis=0)
    return rows, sums


kernels: dict[str, Any] = {"add_rows": lambda *args: NotImplemented}  # it works in place, so it is no operation's own


def add_up(out: Array, values: Array, places: Array) -> None:
    """out[places[k]] += values[k] for every k: by the kernel, or sorted, then one sum a row."""
    if kernels["add_rows"](out, values, places) is NotImplemented:
        rows, sums = summed(places, values)
        out[rows] += sums
