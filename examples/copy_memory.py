"""Ten symbols, a silence, the same ten symbols: copy memory, five nets of each of three kinds; no data, no download.

    python examples/copy_memory.py                  a table, and a picture in runs/copy_memory
    python examples/copy_memory.py --nets LSTM      of this kind alone: ten minutes
    python examples/copy_memory.py --quick          two nets of each, three symbols, hardly trained

    heard   3 1 8 5 2 2 7 6 4 1   . . . . . . . . . . . . . . . . . . . >   . . . . . . . . . .
    said    . . . . . . . . . .   . . . . . . . . . . . . . . . . . . . .   3 1 8 5 2 2 7 6 4 1

The task of Hochreiter and Schmidhuber (1997), in the form of Arjovsky, Shah and Bengio (2016): ten symbols of eight, 20 blanks of which the
last is the sign to begin, then the symbols again. The loss is the cross-entropy, a mean over all 40 steps. Who knows when to speak and has
no memory of what has 10 ln 8 / 40 = 0.52, and there a net stands for a while. Ten symbols of eight are 30 bits, to be held for 30 steps.

All get the same: 128 units, batches of 64 new sequences, Adam at 0.005, falling to 0. The LSTM's gates start with memories of up to 40
steps (`nn.init.chrono_`; Tallec and Ollivier, 2018): the other LSTM, of forget bias 1, shows what that is worth. A net may stop when 1000
sequences, the same at every look, have a loss below half of the goal of 0.02; the table has the loss on 10,000 others.
"""

from __future__ import annotations

import math
import sys
from functools import partial

import numpy as np
from _goal import compare, learn, options
from _pictures import goal_curves

from minigrad import nn
from minigrad.data import copy_memory

UNITS, BATCH, RATE, STEPS = 128, 64, 0.005, 10_000
SYMBOLS, GOAL = 8, 0.02
LAYERS = {"LSTM": nn.LSTM, "LSTM, bias 1": partial(nn.LSTM, forget_bias=1.0), "tanh RNN": nn.RNN}
CODES = np.eye(SYMBOLS + 2, dtype=np.float32)  # blank, the symbols, the sign to begin: each a row


class Parrot(nn.Module):
    """A recurrent layer, and a linear one from h to the scores of the symbols."""

    def __init__(self, kind, length):
        super().__init__()
        self.layer = LAYERS[kind](len(CODES), UNITS)
        if kind == "LSTM":
            nn.init.chrono_(self.layer, length)
        self.head = nn.Linear(UNITS, len(CODES))

    def forward(self, x):
        """Symbols (T, B) -> scores (T, B, symbols)."""
        return self.head(self.layer(CODES[x])[0])


def loss(scores, y):
    """Cross-entropy, a mean over all steps."""
    return nn.cross_entropy(scores.reshape(-1, len(CODES)), y.reshape(-1))


def main():
    """Train each kind from each seed, print the table, draw how they learned."""
    given = options("copy_memory", __doc__, LAYERS, STEPS)
    gap, count = (5, 3) if given.quick else (20, 10)
    length = gap + 2 * count
    baseline = count * math.log(SYMBOLS) / length

    def train(kind):
        net, sequences = Parrot(kind, length), partial(copy_memory, gap, symbols=SYMBOLS, count=count)
        return learn(net, sequences, loss, goal=GOAL, steps=given.steps, batch=BATCH, rate=RATE, asked=given.asked)

    print(f"Cross-entropy a step of saying {count} symbols after {gap} blanks. Without a memory: {baseline:.5f}; the goal: {GOAL}.\n")
    runs = compare(given.nets, given.seeds, train)
    title, levels = f"{count} symbols again after {gap} blanks: mean cross-entropy", {"without a\nmemory": baseline, "goal": GOAL}
    if goal_curves(title, runs, levels, given.out / "copy_memory.png"):
        print(f"\nThe picture: {given.out / 'copy_memory.png'}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
