"""Which two of two hundred numbers? The adding problem, five nets of each of four kinds; some minutes, no data, no download.

    python examples/adding.py                a table, and a picture in runs/adding
    python examples/adding.py --nets GRU     of this kind alone
    python examples/adding.py --quick        two nets of each, 20 numbers, hardly trained

    0.42  0.17  0.93  ...  0.08  ...  0.61  ...        two are marked, one in each half        ->    0.17 + 0.61
          ^^^^                        ^^^^

The test of a long memory of Hochreiter and Schmidhuber (1997), in the form of Le, Jaitly and Hinton (2015): 200 steps, numbers from
U(0, 1), the sum of the marked ones at the end. A number waits for a hundred steps and more, among others that look like it. Who always says
1 has a squared error of 1/6, and there a net stands until it begins to remember. Below 0.001 it may be said to add.

All get the same: 64 units, batches of 64 new sequences, Adam at 0.005, falling to 0. The LSTM's gates start with memories of up to 200
steps (`nn.init.chrono_`; Tallec and Ollivier, 2018), those of the others as they come. A net may stop when 1000 sequences, the same at
every look, have an error below half of the goal; the table has the error on 10,000 others. MGU is no layer of the library but eight lines
of cell_zoo.py, and "compiled" says of all of them whether their steps ran as one compiled loop. On what the tanh RNN lacks: vanishing.py.
"""

from __future__ import annotations

import sys
from functools import partial

from _goal import compare, learn, options
from _pictures import goal_curves
from cell_zoo import MGU

from minigrad import nn
from minigrad.data import adding

UNITS, BATCH, RATE, STEPS = 64, 64, 0.005, 3000
BASELINE, GOAL = 1 / 6, 1e-3
LAYERS = {"GRU": nn.GRU, "LSTM": nn.LSTM, "MGU": MGU, "tanh RNN": nn.RNN}


class Adder(nn.Module):
    """A recurrent layer, and a linear one from its last output to a number."""

    def __init__(self, kind, length):
        super().__init__()
        self.layer = LAYERS[kind](2, UNITS)
        if kind == "LSTM":
            nn.init.chrono_(self.layer, length)
        self.head = nn.Linear(UNITS, 1)

    def forward(self, x):
        """(T, B, 2) -> (B,)."""
        return self.head(self.layer(x)[0][-1])[:, 0]


def main():
    """Train each kind from each seed, print the table, draw how they learned."""
    given = options("adding", __doc__, LAYERS, STEPS)
    length = 20 if given.quick else 200

    def train(kind):
        net, sequences = Adder(kind, length), partial(adding, length)
        return learn(net, sequences, nn.mse_loss, goal=GOAL, steps=given.steps, batch=BATCH, rate=RATE, asked=given.asked)

    print(f"Mean squared error of adding two of {length} numbers. Always saying 1: {BASELINE:.5f}; the goal: {GOAL}.\n")
    runs = compare(given.nets, given.seeds, train)
    title, levels = f"adding two of {length} numbers: mean squared error", {"always\nsaying 1": BASELINE, "goal": GOAL}
    if goal_curves(title, runs, levels, given.out / "adding.png"):
        print(f"\nThe picture: {given.out / 'adding.png'}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
