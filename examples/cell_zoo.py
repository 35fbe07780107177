"""Cells of one's own: eight LSTMs with a part taken out, and five cells of other papers, each a few lines of equations.

    python examples/cell_zoo.py              train each of them on one small task, half a minute; a table
    python examples/cell_zoo.py --quick      the same for a few steps, which teaches them nothing

A function of equations under `nn.cell` is a recurrent layer: its weights are named and shaped beside it, and it gets layers, directions,
padding and the compiled loop as nn.LSTM does. None of these cells is part of the library.

The first eight are the question of Greff et al. (2017, "LSTM: a search space odyssey"): which part of the LSTM is it that matters? Theirs
has peepholes, `nn.LSTM(I, H, peephole=True)`: z = tanh(W_z x + R_z h + b_z);   i, f = sigmoid(W x + R h + p c + b);   c' = f c + i z;
o = sigmoid(W_o x + R_o h + p_o c' + b_o);   h' = o tanh(c'). Each of the eight lacks or changes one thing,
which its first line names.

The task is adding (Hochreiter and Schmidhuber, 1997): of 30 numbers between 0 and 1 two are marked, one in each half; what is their sum?
Who always says 1 has a squared error of 1/6. All get the same steps and the same rate, and nobody's was tuned: the table says that a cell
trains, and what it costs, not which one is best.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from _support import Parser, new_folder, number

import minigrad as mg
from minigrad import nn, optim
from minigrad.data import adding
from minigrad.ops import concatenate, linear, relu, sigmoid, tanh

UNITS, LENGTH, BATCH, BASELINE = 32, 30, 64, 1 / 6


def parts(x, h, W, R, b, count):
    """W x + R h + b, cut into so many blocks of columns."""
    return (linear(x, W, b) + linear(h, R)).split(count, axis=-1)


# ---- the LSTM with peepholes, less one thing each (Greff et al., 2017)


@nn.cell(states="h c", W="3H I", R="3H H", b="3H", p_f="H", p_o="H")
def NIG(carry, x, W, R, b, p_f, p_o):
    """No input gate: i = 1."""
    h, c = carry
    z, f, o = parts(x, h, W, R, b, 3)
    c = sigmoid(f + p_f * c) * c + tanh(z)
    h = sigmoid(o + p_o * c) * tanh(c)
    return (h, c), h


@nn.cell(states="h c", W="3H I", R="3H H", b="3H", p_i="H", p_o="H")
def NFG(carry, x, W, R, b, p_i, p_o):
    """No forget gate: f = 1, the LSTM of 1997 with peepholes."""
    h, c = carry
    z, i, o = parts(x, h, W, R, b, 3)
    c = c + sigmoid(i + p_i * c) * tanh(z)
    h = sigmoid(o + p_o * c) * tanh(c)
    return (h, c), h


@nn.cell(states="h c", W="3H I", R="3H H", b="3H", p_i="H", p_f="H")
def NOG(carry, x, W, R, b, p_i, p_f):
    """No output gate: o = 1."""
    h, c = carry
    z, i, f = parts(x, h, W, R, b, 3)
    c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * tanh(z)
    h = tanh(c)
    return (h, c), h


@nn.cell(states="h c", W="4H I", R="4H H", b="4H", p_i="H", p_f="H", p_o="H")
def NIAF(carry, x, W, R, b, p_i, p_f, p_o):
    """No activation of the input: z as it comes."""
    h, c = carry
    z, i, f, o = parts(x, h, W, R, b, 4)
    c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * z
    h = sigmoid(o + p_o * c) * tanh(c)
    return (h, c), h


@nn.cell(states="h c", W="4H I", R="4H H", b="4H", p_i="H", p_f="H", p_o="H")
def NOAF(carry, x, W, R, b, p_i, p_f, p_o):
    """No activation of the output: h' = o c'."""
    h, c = carry
    z, i, f, o = parts(x, h, W, R, b, 4)
    c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * tanh(z)
    h = sigmoid(o + p_o * c) * c
    return (h, c), h


@nn.cell(states="h c", W="4H I", R="4H H", b="4H")
def NP(carry, x, W, R, b):
    """No peepholes: what is called an LSTM today."""
    h, c = carry
    z, i, f, o = parts(x, h, W, R, b, 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(z)
    h = sigmoid(o) * tanh(c)
    return (h, c), h


@nn.cell(states="h c", W="3H I", R="3H H", b="3H", p_i="H", p_o="H")
def CIFG(carry, x, W, R, b, p_i, p_o):
    """Coupled input and forget gates: f = 1 - i."""
    h, c = carry
    z, i, o = parts(x, h, W, R, b, 3)
    i = sigmoid(i + p_i * c)
    c = (1 - i) * c + i * tanh(z)
    h = sigmoid(o + p_o * c) * tanh(c)
    return (h, c), h


@nn.cell(states="h c i f o", W="4H I", R="4H H", G="3H 3H", b="4H", p_i="H", p_f="H", p_o="H")
def FGR(carry, x, W, R, G, b, p_i, p_f, p_o):
    """Full gate recurrence: every gate sees all gates of the step before."""
    h, c, i, f, o = carry
    gi, gf, go = linear(concatenate([i, f, o], axis=-1), G).split(3, axis=-1)
    z, i, f, o = parts(x, h, W, R, b, 4)
    i, f = sigmoid(i + gi + p_i * c), sigmoid(f + gf + p_f * c)
    c = f * c + i * tanh(z)
    o = sigmoid(o + go + p_o * c)
    h = o * tanh(c)
    return (h, c, i, f, o), h


# ---- other papers


@nn.cell(W="2H I", U_f="H H", U_n="H H", b="2H")
def MGU(h, x, W, U_f, U_n, b):
    """Minimal gated unit: a GRU whose update gate resets too (Zhou, Wu, Zhang and Zhou, 2016)."""
    xf, xn = linear(x, W, b).split(2, axis=-1)
    f = sigmoid(xf + linear(h, U_f))
    h = (1 - f) * h + f * tanh(xn + linear(f * h, U_n))
    return h, h


@nn.cell(W="2H I", R="2H H", b="2H")
def JANET(c, x, W, R, b, *, beta=1.0):
    """Just another network: an LSTM with a forget gate alone (van der Westhuizen and Lasenby, 2018)."""
    s, n = parts(x, c, W, R, b, 2)
    c = sigmoid(s) * c + (1 - sigmoid(s - beta)) * tanh(n)
    return c, c


@nn.cell(W="2H I", R="2H H", b="2H")
def LiGRU(h, x, W, R, b):
    """Light GRU: no reset gate, and relu (Ravanelli, Brakel, Omologo and Bengio, 2018); its batch normalisation of W x is left out."""
    z, n = parts(x, h, W, R, b, 2)
    z = sigmoid(z)
    h = z * h + (1 - z) * relu(n)
    return h, h


@nn.cell(init={"u": nn.init.ones_}, W="H I", u="H", b="H")
def IndRNN(h, x, W, u, b):
    """Independently recurrent network: each unit sees of h itself alone (Li, Li, Cook, Zhu and Gao, 2018)."""
    h = relu(linear(x, W, b) + u * h)
    return h, h


@nn.cell(states="c", W="4H I", b="4H", v_f="H", v_r="H")
def SRU(c, x, W, b, v_f, v_r):
    """Simple recurrent unit: no product with the state (Lei, Zhang, Wang, Dai and Artzi, 2018); W has rows for x, which it adds to y,
    too."""
    n, f, r, skip = linear(x, W, b).split(4, axis=-1)
    f, r = sigmoid(f + v_f * c), sigmoid(r + v_r * c)
    c = f * c + (1 - f) * n
    return c, r * c + (1 - r) * skip


ABLATIONS = {cell.__name__: cell for cell in (NIG, NFG, NOG, NIAF, NOAF, NP, CIFG, FGR)}
OTHERS = {cell.__name__: cell for cell in (MGU, JANET, LiGRU, IndRNN, SRU)}
KNOWN = {"LSTM, peepholes": lambda *sizes: nn.LSTM(*sizes, peephole=True), "GRU": nn.GRU, "tanh RNN": nn.RNN}


class Adder(nn.Module):
    """A recurrent layer, and a linear one from its last output to a number."""

    def __init__(self, make):
        super().__init__()
        self.layer = make(2, UNITS)
        self.head = nn.Linear(UNITS, 1)

    def forward(self, x):
        """(T, B, 2) -> (B,)."""
        return self.head(self.layer(x)[0][-1])[:, 0]


def learn(make, steps):
    """Train one; what stands in its line of the table."""
    net = Adder(make)
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    losses, times = [], []
    for _ in range(steps):
        x, sums = adding(LENGTH, BATCH)
        start = time.perf_counter()
        loss = nn.mse_loss(net(x), sums)
        report = mg.scan_report()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(max_norm=1.0)
        times.append(time.perf_counter() - start)
        losses.append(loss.item())
    return {
        "parameters": sum(p.size for p in net.layer.parameters()),
        "ms": 1e3 * float(np.median(times)),
        "loss": float(np.mean(losses[-50:])),
        "compiled": report.compiled,
    }


def main():
    """Train each, print its line."""
    parser = Parser(prog="cell_zoo.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the table as a file too, DIR/cell_zoo.txt")
    parser.add_argument("--seed", type=number(int, -1), default=0, metavar="N", help="seed of weights and numbers (0)")
    parser.add_argument("--steps", type=number(int), metavar="N", help="training steps a cell (600; 20 with --quick)")
    parser.add_argument("--quick", action="store_true", help="a few steps")
    options = parser.parse_args()
    steps = options.steps or (20 if options.quick else 600)
    if options.out:
        new_folder(options.out, parser)
    mg.set_num_threads(1)  # cells of this size do not repay a second one
    lines = [
        f"Adding two of {LENGTH} numbers, {UNITS} units, {steps} steps of {BATCH}. Squared error of always saying 1: {BASELINE:.4f}.\n"
    ]
    lines.append(f"{'':18}{'parameters':>11}{'ms a step':>11}{'error':>9}  compiled")
    print("\n".join(lines))
    for group in (KNOWN, ABLATIONS, OTHERS):
        for name, make in group.items():
            mg.manual_seed(options.seed)
            found = learn(make, steps)
            compiled = "yes" if found["compiled"] else "no"
            lines.append(f"{name:18}{found['parameters']:11,}{found['ms']:11.2f}{found['loss']:9.4f}  {compiled}")
            print(lines[-1], flush=True)
    if options.out:
        (options.out / "cell_zoo.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
