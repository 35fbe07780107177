"""References of sums of products in Einstein's notation: everything as one array with an axis a label, then summed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np


def terms_of(subscripts: str, xs: Any) -> tuple[list[str], str]:
    """A letter for every axis, also for those of an ellipsis."""
    inputs, arrow, out = subscripts.replace(" ", "").partition("->")
    spare = [chr(code) for code in range(0x391, 0x3A9)]
    terms, most = [], 0
    for term, x in zip(inputs.split(","), xs, strict=True):
        loose = len(x.shape) - len(term.replace(".", ""))
        most = max(most, loose)
        terms.append(term.replace("...", "".join(spare[len(spare) - loose :])))
    wide = "".join(spare[len(spare) - most :])
    letters = "".join(terms)
    implied = wide + "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1 and letter not in wide))
    return terms, out.replace("...", wide) if arrow else implied


def einsum(*xs: Any, subscripts: str) -> Any:
    terms, out = terms_of(subscripts, xs)
    letters = sorted(set("".join(terms)))
    total: Any = 1.0
    for term, x in zip(terms, xs, strict=True):
        while len(set(term)) < len(term):  # x_ii is the sum over j of x_ij, where i = j
            second = next(i for i, letter in enumerate(term) if letter in term[:i])
            first = term.index(term[second])
            side = [x.shape[i] if i in (first, second) else 1 for i in range(len(term))]
            x = anp.sum(x * np.eye(x.shape[first]).reshape(side), axis=second)
            term = term[:second] + term[second + 1 :]
        x = anp.transpose(x, [term.index(letter) for letter in letters if letter in term])
        lengths = dict(zip([letter for letter in letters if letter in term], x.shape, strict=True))
        total = total * anp.reshape(x, [lengths.get(letter, 1) for letter in letters])
    gone = tuple(i for i, letter in enumerate(letters) if letter not in out)
    total = anp.sum(total, axis=gone) if gone else total * 1.0
    left = [letter for letter in letters if letter in out]
    return anp.transpose(total, [left.index(letter) for letter in out])


REFERENCES: dict[str, Callable[..., Any]] = {"einsum": einsum, "einsum()": einsum}

TORCH: dict[str, Callable[..., Any]] = {
    "einsum": lambda t, *xs, subscripts: t.einsum(subscripts, *xs),
    "einsum()": lambda t, *xs, subscripts: t.einsum(subscripts, *xs),
}
