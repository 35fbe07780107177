"""Backpropagation through time by hand, on one page: an RNN over three steps, every term of every gradient, beside the tape's.

    python examples/bptt.py                small numbers, to follow with a pencil
    python examples/bptt.py --seed 1       other numbers
    python examples/bptt.py --out DIR      the page as a file too, DIR/bptt.txt

    h_t = tanh(W_xh x_t + W_hh h_{t-1})   for t = 1, 2, 3        y = W_hy h_3        L = e^2 / 2   with e = y - d

The same W_xh and W_hh stand at every step, so each of their gradients is a sum over the steps; W_hy is used once, at the end. The terms are
the chain rule along the way back from the loss (Werbos, 1990):

    dL/dW_hy = e h_3'
    dL/dh_3  = W_hy' e
    J_t      = dh_t/dh_{t-1} = diag(1 - h_t^2) W_hh                  one step back: 1 - h^2 is the derivative of tanh
    dL/dh_k  = (J_3 ... J_{k+1})' dL/dh_3                            a Jacobian for each step between k and the end
    dL/dW_hh = sum over k of  [(1 - h_k^2) * dL/dh_k] h_{k-1}'
    dL/dW_xh = sum over k of  [(1 - h_k^2) * dL/dh_k] x_k'

`by_hand` computes these lines with NumPy; nothing in it comes from the tape. `by_tape` runs the same three steps on a tape and goes back;
`mg.ledger(loss, W)` says what each use of W has added to W.grad.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
from _support import Parser, new_folder, number

import minigrad as mg

STEPS = (1, 2, 3)
NUMBERS = {  # of the page; h_0 is not zero, or the first step's term of W_hh would be
    "x": [[1.0, 0.5], [0.5, -1.0], [-1.0, 2.0]],
    "h_0": [0.2, -0.1],
    "W_xh": [[0.5, -0.3], [0.8, 0.2]],
    "W_hh": [[0.6, -0.4], [0.1, 0.7]],
    "W_hy": [[1.0, -2.0]],
    "d": 0.5,
}


def numbers(seed=None):
    """The numbers of the page as float64 arrays, or with a seed others of the same shapes."""
    arrays = {name: np.array(value) for name, value in NUMBERS.items()}
    if seed is None:
        return arrays
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=array.shape) for name, array in arrays.items()}


def by_hand(n):
    """With NumPy alone: all that the page shows. `terms` has for each weight the terms of its gradient, in the order of the steps."""
    h = [n["h_0"]]
    for t in STEPS:
        h.append(np.tanh(n["W_xh"] @ n["x"][t - 1] + n["W_hh"] @ h[t - 1]))
    y = n["W_hy"] @ h[3]
    e = y - n["d"]
    J = {t: np.diag(1 - h[t] ** 2) @ n["W_hh"] for t in STEPS}
    way = {1: J[3] @ J[2], 2: J[3], 3: np.eye(2)}
    dh = {k: way[k].T @ (n["W_hy"].T @ e) for k in STEPS}
    da = {k: (1 - h[k] ** 2) * dh[k] for k in STEPS}
    terms = {
        "W_hy": [np.outer(e, h[3])],
        "W_hh": [np.outer(da[k], h[k - 1]) for k in STEPS],
        "W_xh": [np.outer(da[k], n["x"][k - 1]) for k in STEPS],
    }
    return {"h": h, "y": y, "e": e, "J": J, "way": way, "dh": dh, "da": da, "terms": terms}


def by_tape(n):
    """With minigrad, for each weight: what each of its uses has added to the gradient, oldest first, and the gradient."""
    W_hy, W_hh, W_xh = weights = [mg.tensor(n[name], requires_grad=True) for name in ("W_hy", "W_hh", "W_xh")]
    h = mg.tensor(n["h_0"])
    for x in n["x"]:
        h = (W_xh @ x + W_hh @ h).tanh()
    loss = ((W_hy @ h - n["d"]) ** 2).sum() / 2
    added = [mg.ledger(loss, W).numpy() for W in weights]
    loss.backward()
    return {"W_hy": (added[0], W_hy.grad.numpy()), "W_hh": (added[1], W_hh.grad.numpy()), "W_xh": (added[2], W_xh.grad.numpy())}


# ---- the page


def side_by_side(*parts):
    """Words and arrays as columns of text; words stand on the first line."""
    columns = [
        [part] if isinstance(part, str) else [f"[{''.join(f'{v + 0.0:9.5f}' for v in r)} ]" for r in np.atleast_2d(part)] for part in parts
    ]
    rows = itertools.zip_longest(*columns, fillvalue="")
    return "\n".join("".join(cell.ljust(len(column[0])) for cell, column in zip(row, columns, strict=True)).rstrip() for row in rows)


def page(n):
    """All of it, as text."""
    hand, tape = by_hand(n), by_tape(n)
    h, y, e = hand["h"], hand["y"][0], hand["e"][0]
    lines = ["WEIGHTS", "", side_by_side("W_xh = ", n["W_xh"], "   W_hh = ", n["W_hh"], "   W_hy = ", n["W_hy"])]
    lines += ["", "FORWARD   h_t = tanh(W_xh x_t + W_hh h_{t-1})", "", side_by_side(" " * 27 + "   h_0 = ", h[0])]
    lines += [side_by_side(f"x_{t} = ", n["x"][t - 1], f"   h_{t} = ", h[t]) for t in STEPS]
    lines += ["", f"y = W_hy h_3 = {y:.5f}   d = {n['d']:.5f}   e = y - d = {e:.5f}   L = e^2 / 2 = {e**2 / 2:.5f}"]
    lines += [
        "",
        "BACKWARD   J_t = diag(1 - h_t^2) W_hh takes a gradient one step back; to step k it is dL/dh_k = (J_3 ... J_{k+1})' W_hy' e",
        "",
    ]
    for k, name in ((3, "      1"), (2, "    J_3"), (1, "J_3 J_2")):
        da = (f"   dL/dh_{k} = ", hand["dh"][k], f"   (1 - h_{k}^2) * dL/dh_{k} = ", hand["da"][k])
        lines += [side_by_side(f"k = {k}   {name} = ", hand["way"][k], *da)]
    formulas = {
        "W_hy": "e h_3'",
        "W_hh": "sum over k of [(1 - h_k^2) * dL/dh_k] h_{k-1}'",
        "W_xh": "sum over k of [(1 - h_k^2) * dL/dh_k] x_k'",
    }
    for name, formula in formulas.items():
        terms, (added, grad) = hand["terms"][name], tape[name]
        lines += ["", f"dL/d{name} = {formula}", ""]
        for k, term, entry in zip(STEPS[-len(terms) :], terms, added, strict=True):
            lines += [
                side_by_side(f"k = {k}   by hand ", term, "   the tape's entry ", entry, f"   difference {abs(term - entry).max():.0e}")
            ]
        total = sum(terms)
        lines += [side_by_side("sum     by hand ", total, f"          {name}.grad ", grad, f"   difference {abs(total - grad).max():.0e}")]
    sizes = ", ".join(f"{np.linalg.norm(hand['way'][k], 2):.2f}" for k in (3, 2, 1))
    lines += ["", f"The product of Jacobians has norm {sizes} over 0, 1, 2 steps back. What becomes of it over a hundred: memory.py."]
    return "\n".join(lines)


def main():
    """Print the page."""
    parser = Parser(prog="bptt.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--seed", type=number(int, -1), metavar="N", help="draw other numbers from this seed")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the page as a file")
    parser.add_argument("--quick", action="store_true", help="the same: there is nothing to shorten")
    options = parser.parse_args()
    text = page(numbers(options.seed))
    print(text)
    if options.out:
        new_folder(options.out, parser)
        (options.out / "bptt.txt").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
