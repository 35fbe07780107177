"""A grammar learned from examples: the embedded Reber grammar, a minute, no data, no download.

    python examples/reber.py             five LSTMs and five tanh RNNs; a table, and a picture in runs/reber
    python examples/reber.py --quick     two of each, hardly trained

    B T  B P V P X V V E  T E        B, then T or P; a string of Reber's grammar; the same T or P again; E

At every step a net predicts the next symbol. Inside, one or two symbols are legal, and the last few symbols tell which. At the end only one
is: the T or P of the beginning, across a string of any length that says nothing of it (Hochreiter and Schmidhuber, 1997; Reber, 1967). A
string counts as right if at every step the likeliest symbol is a legal one. Baselines: a guess among all symbols, and a net that knows all
of the grammar inside and has no memory of the beginning: right in half of the strings.

Training: 8000 strings of 12 symbols on average, all lengths in one batch (`lengths=`). Asked: 1000 that are not among them, and so longer,
22 on average. A tanh RNN learns this as well as an LSTM: what it cannot learn is in vanishing.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from _pictures import reber_curves
from _support import Parser, new_folder, number

import minigrad as mg
from minigrad import nn, optim
from minigrad.data import REBER, reber, reber_next

UNITS, BATCH, RATE, PAD = 24, 64, 0.01, -100
LAYERS = {"LSTM": lambda: nn.LSTM(len(REBER), UNITS, forget_bias=1.0), "tanh RNN": lambda: nn.RNN(len(REBER), UNITS)}


def strings(count, unlike=()):
    """`count` strings; with `unlike`, different ones that are not among those."""
    if not unlike:
        return [reber() for _ in range(count)]
    known, found = set(unlike), {}
    while len(found) < count:
        string = reber()
        if string not in known:
            found[string] = None
    return list(found)


def batch(some):
    """x (T, B, 7), the symbols but the last of each as rows of the identity; the next symbols (T, B), PAD behind the end; lengths (B,)."""
    lengths = np.array([len(string) - 1 for string in some])
    codes = np.full((lengths.max() + 1, len(some)), PAD)
    for b, string in enumerate(some):
        codes[: len(string), b] = [REBER.index(symbol) for symbol in string]
    x = (codes[:-1, :, None] == np.arange(len(REBER))).astype(np.float32)
    return x, codes[1:], lengths


class Speller(nn.Module):
    """A recurrent layer, and a linear one from h to the scores of the next symbol."""

    def __init__(self, kind):
        super().__init__()
        self.layer = LAYERS[kind]()
        self.head = nn.Linear(UNITS, len(REBER))

    def forward(self, x, lengths):
        """(T, B, 7) -> (T, B, 7)."""
        return self.head(self.layer(x, lengths=lengths)[0])


@mg.no_grad()
def share_right(net, some):
    """The share of strings of which every predicted symbol is legal."""
    x, _, lengths = batch(some)
    guess = net(x, lengths).numpy().argmax(axis=-1)
    return np.mean([all(REBER[guess[t, b]] in legal for t, legal in enumerate(reber_next(string))) for b, string in enumerate(some)])


def learn(net, known, asked, steps):
    """Adam on batches of the known strings; the share right among `asked` as it grows, ten times in all: (step, share)."""
    optimizer = optim.Adam(net.parameters(), lr=RATE)
    rate = optim.CosineAnnealingLR(optimizer, steps)  # it falls to 0: the last steps make few new mistakes
    curve = [(0, share_right(net, asked))]
    for step in range(1, steps + 1):
        some = [known[k] for k in mg.random.generator.integers(len(known), size=BATCH)]
        x, following, lengths = batch(some)
        loss = nn.cross_entropy(net(x, lengths).reshape(-1, len(REBER)), following.reshape(-1), ignore_index=PAD)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(max_norm=1.0)
        rate.step()
        if step % max(1, steps // 10) == 0:
            curve.append((step, share_right(net, asked)))
    return curve


def guessing(some):
    """What a guess among all symbols gets right, on average."""
    return np.mean([np.prod([len(legal) / len(REBER) for legal in reber_next(string)]) for string in some])


def main():
    """Train for each seed, print the shares, draw how they grew."""
    parser = Parser(prog="reber.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=Path("runs/reber"), metavar="DIR", help="folder for the picture (runs/reber)")
    parser.add_argument("--seeds", type=number(int), metavar="N", help="nets of each kind (5; 2 with --quick)")
    parser.add_argument("--steps", type=number(int), metavar="N", help="training steps a net (1500; 20 with --quick)")
    parser.add_argument("--quick", action="store_true", help="hardly any training")
    options = parser.parse_args()
    seeds, steps = options.seeds or (2 if options.quick else 5), options.steps or (20 if options.quick else 1500)
    new_folder(options.out, parser)
    mg.set_num_threads(1)  # nets of this size do not repay a second one

    print("Strings of which every predicted symbol is legal, in percent, of 1000 that were not in training.\n")
    curves = {}
    for kind in LAYERS:
        curves[kind] = []
        for seed in range(seeds):
            mg.manual_seed(seed)
            known = strings(8000)
            curves[kind].append(learn(Speller(kind), known, asked := strings(1000, known), steps))
        last = 100 * np.array([curve[-1][1] for curve in curves[kind]])
        each = " ".join(f"{share:5.1f}" for share in last)
        print(f"{kind:22}{last.mean():6.1f} +- {last.std():4.1f}    seeds: {each}", flush=True)
    print(f"{'no memory of the first':22}{50:6.1f}\n{'guessing':22}{100 * guessing(asked):6.1f}")
    if reber_curves(curves, options.out / "reber.png"):
        print(f"\nThe picture: {options.out / 'reber.png'}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
