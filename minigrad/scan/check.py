"""MINIGRAD_SCAN=check: every compiled scan is run as a loop too, and the two must agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import random
from minigrad.errors import TapeError
from minigrad.recording import no_grad

from .tree import Tree, flatten


def compare(call: Any, carry: Tree, ys: Tree) -> None:
    """Raise TapeError if the loop gives another carry or other ys than the compiled scan gave."""
    after = random.get_rng_state()
    random.set_rng_state(call.state)
    with no_grad():
        expected = flatten(call.eager())[0]
    random.set_rng_state(after)
    for number, (got, want) in enumerate(zip(flatten((carry, ys))[0], expected, strict=True)):
        loose = 1e-3 if want.dtype == np.float32 else 1e-9
        if got.shape != want.shape or not np.allclose(got.numpy(), want.numpy(), loose, loose, equal_nan=True):
            raise TapeError(
                f"scan: result {number} of the compiled loop differs from that of the loop itself; run with MINIGRAD_SCAN=eager"
            )
