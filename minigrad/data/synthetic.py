"""Tasks made of random numbers, on which recurrent networks are compared: adding, copying, the embedded Reber grammar."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import random

Floats = np.ndarray[Any, np.dtype[np.float32]]
Codes = np.ndarray[Any, np.dtype[np.int64]]

REBER = "BTPSXVE"  # the symbols; a symbol is its place among them
# the states of the inner grammar: for each symbol that may come next, the state after it
GRAMMAR: tuple[dict[str, int], ...] = (
    {"B": 1},
    {"T": 2, "P": 3},
    {"S": 2, "X": 4},
    {"T": 3, "V": 5},
    {"X": 3, "S": 6},
    {"P": 4, "V": 6},
    {"E": 7},
)


def adding(length: int, batch: int) -> tuple[Floats, Floats]:
    """Numbers of which two are marked, and the sums of the two: x (length, batch, 2) and y (batch,), float32.

    x[..., 0] are from U(0, 1); x[..., 1] is 1 at two steps, one in each half, else 0. Who always answers 1 has a mean squared error of 1/6
    (Hochreiter and Schmidhuber, 1997, in the form of Le, Jaitly and Hinton, 2015). Draws from `mg.random.generator`, which
    `mg.manual_seed` sets. Raises ValueError for a length below 2.

    >>> x, y = adding(10, 3)
    >>> x.shape, y.shape, float(x[..., 1].sum())
    ((10, 3, 2), (3,), 6.0)
    """
    if length < 2:
        raise ValueError(f"adding: two of {length} numbers cannot be marked, one in each half: length should be at least 2")
    rng, columns = random.generator, np.arange(batch)
    x = np.zeros((length, batch, 2), np.float32)
    x[..., 0] = rng.random((length, batch), dtype=np.float32)
    x[rng.integers(0, length // 2, size=batch), columns, 1] = 1.0
    x[rng.integers(length // 2, length, size=batch), columns, 1] = 1.0
    return x, (x[..., 0] * x[..., 1]).sum(axis=0)


def copy_memory(gap: int, batch: int, symbols: int = 8, count: int = 10) -> tuple[Codes, Codes]:
    """Symbols to say again after a gap: x and y, integers (gap + 2 count, batch).

    x has `count` symbols from 1 to `symbols`, then blanks (0) of which one is the sign to begin (symbols + 1), so that `count` steps are
    left; y is blank but for the last `count` steps, where it has the symbols. Who knows all but the symbols has a cross-entropy of count
    ln(symbols) / (gap + 2 count) a step (Hochreiter and Schmidhuber, 1997, in the form of Arjovsky, Shah and Bengio, 2016). Draws from
    `mg.random.generator`. Raises ValueError for a gap below 1.

    >>> x, y = copy_memory(gap=3, batch=1, count=2)
    >>> x.shape, bool((x[:2] == y[-2:]).all()), x[4].tolist(), y[:5].sum().item()
    ((7, 1), True, [9], 0)
    """
    if gap < 1:
        raise ValueError(f"copy_memory: gap={gap} has no room for the sign to begin: it should be at least 1")
    said = random.generator.integers(1, symbols + 1, size=(count, batch))
    x, y = np.zeros((2, gap + 2 * count, batch), np.int64)
    x[:count] = said
    x[count + gap - 1] = symbols + 1
    y[-count:] = said
    return x, y


def reber(embedded: bool = True) -> str:
    """A random string of the Reber grammar; embedded: B, T or P, such a string, the same T or P again, E (Reber, 1967).

    In the embedded one the last symbol but one is the second one's, which has to be remembered across the string between (Hochreiter and
    Schmidhuber, 1997). At every branch both ways have the same chance. Draws from `mg.random.generator`.

    >>> string = reber()
    >>> string[0] == "B", string[1] == string[-2], string[-1] == "E"
    (True, True, True)
    """
    if embedded:
        branch = "TP"[random.generator.integers(2)]
        return "B" + branch + reber(embedded=False) + branch + "E"
    state, string = 0, ""
    while state < len(GRAMMAR):
        ways = GRAMMAR[state]
        symbol = list(ways)[random.generator.integers(len(ways))] if len(ways) > 1 else next(iter(ways))
        string += symbol
        state = ways[symbol]
    return string


def reber_next(string: str) -> list[str]:
    """What may follow each symbol of an embedded Reber string but its last: for each the legal symbols.

    >>> reber_next("BTBTXSETE")
    ['TP', 'B', 'TP', 'SX', 'XS', 'E', 'T', 'E']

    Raises ValueError for a string that the grammar does not make.
    """
    legal, inner = ["TP", "B"], string[2:-2]
    state = 0
    for symbol in inner:
        if state >= len(GRAMMAR) or symbol not in GRAMMAR[state]:
            break
        state = GRAMMAR[state][symbol]
        legal.append("".join(GRAMMAR[state]) if state < len(GRAMMAR) else string[1])
    if (
        state != len(GRAMMAR)
        or len(legal) != len(inner) + 2
        or string[:1] != "B"
        or string[1] not in "TP"
        or string[-2:] != string[1] + "E"
    ):
        raise ValueError(f"reber_next: {string!r} is no string of the embedded Reber grammar")
    return [*legal, "E"]
