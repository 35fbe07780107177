"""What samples are made of: a call of an operation, the layouts of its arrays, numbers without ties."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import from_numpy


def unaligned(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same numbers one byte past where the processor wants them, as in a packed file."""
    raw = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    raw[...] = a
    return raw


def spread_out(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Every second element of a larger array."""
    wide = np.zeros([2 * n + 1 for n in a.shape], a.dtype)
    view = wide[(slice(1, None, 2),) * a.ndim]
    view[...] = a
    return view


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "C": lambda a: a.copy(),
    "Fortran": lambda a: a.copy(order="F"),
    "transposed": lambda a: np.swapaxes(np.swapaxes(a, 0, -1).copy(), 0, -1),
    "negative strides": lambda a: a[(slice(None, None, -1),) * a.ndim].copy()[(slice(None, None, -1),) * a.ndim],
    "every second": spread_out,
    "zero stride": lambda a: np.broadcast_to(a[:1], a.shape),  # the one layout that changes numbers: all rows are the first
    "unaligned": unaligned,
}


@dataclasses.dataclass(frozen=True)
class Sample:
    """One call of an operation: arrays (None and Python numbers too) and settings.

    `kind` says what may be asked: "smooth", every derivative exists here; "kink", it is a matter of convention (ties, zeros), so
    no difference quotients; "extreme", the value alone (NaN, infinities, numbers at the ends of the range).
    """

    args: tuple[Any, ...]
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    kind: str = "smooth"
    layout: str = "C"

    def arrays(self, *dtypes: Any) -> tuple[Any, ...]:
        """Fresh arguments in this sample's layout, floats in `dtypes` (given to the arguments in turn)."""
        made = []
        with np.errstate(all="ignore"):
            for i, arg in enumerate(self.args):
                if isinstance(arg, np.ndarray):
                    arg = arg.astype(dtypes[i % len(dtypes)]) if arg.dtype.kind == "f" else arg
                    arg = LAYOUTS[self.layout](arg) if arg.ndim else arg.copy()
                made.append(arg)
        return tuple(made)

    def tensors(self, *dtypes: Any) -> tuple[Any, ...]:
        """`arrays` as constants that share their memory, strides and all."""
        return tuple(from_numpy(arg) if isinstance(arg, np.ndarray) else arg for arg in self.arrays(*dtypes))

    def __str__(self) -> str:
        shapes = ", ".join(str(arg.shape) if isinstance(arg, np.ndarray) else repr(arg) for arg in self.args)
        return f"{shapes} {self.settings or ''} {self.kind} {self.layout}"


source = np.random.default_rng(20240229)


def spaced(*shape: int, shift: float = 0.0, positive: bool = False, step: float = 0.0) -> np.ndarray[Any, Any]:
    """Shuffled numbers with gaps of at least 0.2 between each other and 0: no ties and no kinks within a difference quotient's reach."""
    count = math.prod(shape)
    places = source.permutation(count).reshape(shape)
    return np.asarray((places + 1.0 if positive else places - count // 2 + 0.5) * (step or 0.2 + 1.6 / max(count, 4)) + shift)


ENDS = np.array([0.0, 1e-310, 1e-40, 1e-5, 0.3, 1.0, 20.0, 89.0, 104.0, 750.0, 3e38, 1e308, np.inf])

EXTREME = np.concatenate([ENDS, -ENDS, [np.nan]])


def laid(*args: Any, kind: str = "smooth", tied: bool = False, **settings: Any) -> list[Sample]:
    """One call in every layout. `tied` says that equal rows (the zero stride) tie."""
    return [Sample(args, settings, "kink" if tied and name == "zero stride" else kind, name) for name in LAYOUTS]


def views(*cases: tuple[tuple[int, ...], dict[str, Any]]) -> list[Sample]:
    """An operation that moves elements about: (shape, settings); the first case in every layout."""
    return laid(spaced(*cases[0][0]), **cases[0][1]) + [Sample((spaced(*shape),), settings) for shape, settings in cases[1:]]


def each(setting: str, *cases: tuple[tuple[int, ...], Any]) -> list[Sample]:
    """`views` of an operation with one setting: (shape, value)."""
    return views(*[(shape, {setting: value}) for shape, value in cases])
