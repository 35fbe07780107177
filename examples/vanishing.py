"""Where the gradient goes on its way back over a hundred steps: some minutes, no data, no download.

    python examples/vanishing.py               a table of five seeds, what it says, and a picture in runs/vanishing
    python examples/vanishing.py --seeds 1     the same of one seed, in a minute or two
    python examples/vanishing.py --quick       the same in seconds: hardly trained

On its way from the loss back to step 1 the gradient meets every step once. In a tanh RNN a step multiplies it by W_hh' diag(tanh'), and
tanh' is never above 1, so a hundred steps leave nothing (Hochreiter, 1991). The LSTM has a second way, along its cell state c' = f c + i g:
there a step multiplies by the forget gate f and by nothing else; the GRU's is h' = z h + (1 - z) n. While such a gate is open it loses
nothing: 1^99 = 1. But nothing holds it open. A net that has learned nothing yet has f near sigmoid(forget bias), and sigmoid(0)^99 = 2e-30,
sigmoid(1)^99 = 3e-14, sigmoid(5)^99 = 0.5. That an LSTM's gradient does not vanish is true of gates that have been set, or have learned, to
be open; of the LSTM as most libraries make it, it is not.

Five nets of 64 units, the same but for that. The task: numbers between -1 and 1, one of a hundred is marked; which one was it? The gap from
there to the end is short or long, all orders of size alike. For each net, from each seed:

    way       the product of the gates (of tanh' in the RNN) over the 99 steps back, a mean over units: what the way of its own lets through
    before    the norm of the loss's gradient at the state of step 1 over that at the last, through all ways together, before training
    after     the same after training
    error     mean squared error over the variance when step 1 is marked: 0 is right, 1 is what always saying 0 comes to

The table has the mean of the seeds (of exponents, where numbers are powers), the least and the most. In the tanh RNN these lie far apart:
what is left is about the largest eigenvalue of W_hh to the power of 99, and of weights drawn from U(-1/8, 1/8) that is 0.6, now a bit more,
now less; 5 % of it are a factor of 100. The input matters too: the more of it, the further from 0 is tanh, the smaller tanh'.
"""

from __future__ import annotations

import argparse
import copy
import sys
from pathlib import Path

import numpy as np
from _measure import geometric, gradient_norms
from _pictures import vanishing_poster
from _support import Parser, new_folder, number

import minigrad as mg
from minigrad import nn, optim

STEPS, FEATURES, UNITS = 100, 2, 64
LEARNED = 0.2  # an error below it
LAYERS = {
    "tanh RNN": lambda: nn.RNN(FEATURES, UNITS),
    "GRU": lambda: nn.GRU(FEATURES, UNITS),
    "LSTM, bias 0": lambda: nn.LSTM(FEATURES, UNITS, forget_bias=0.0),
    "LSTM, bias 1": lambda: nn.LSTM(FEATURES, UNITS, forget_bias=1.0),
    "LSTM, bias 5": lambda: nn.LSTM(FEATURES, UNITS, forget_bias=5.0),
}


def signals(count, gap=None):
    """x (STEPS, count, 2), numbers and a mark `gap` steps before the end, or at gaps of all orders of size; and the numbers marked
    (count,)."""
    rng, columns = mg.random.generator, np.arange(count)
    gaps = np.exp(rng.uniform(0, np.log(STEPS - 1), size=count)).round().astype(int) if gap is None else gap
    x = np.zeros((STEPS, count, FEATURES), np.float32)
    x[..., 0] = rng.uniform(-1, 1, size=(STEPS, count))
    x[STEPS - 1 - gaps, columns, 1] = 1.0
    return x, x[STEPS - 1 - gaps, columns, 0]


class Net(nn.Module):
    """A recurrent layer, and a linear one from its last h to a number."""

    def __init__(self, kind):
        super().__init__()
        self.layer = LAYERS[kind]()
        self.head = nn.Linear(UNITS, 1)

    def forward(self, x):
        """(T, B, FEATURES) -> (B,)."""
        return self.answer(self.layer(x)[1])

    def answer(self, state):
        """A number from a state: h, or in an LSTM (h, c)."""
        return self.head(state[0][0] if isinstance(state, tuple) else state[0])[:, 0]


def learn(net, steps):
    """Adam on fresh signals."""
    optimizer = optim.Adam(net.parameters(), lr=0.003)
    for _ in range(steps):
        x, marked = signals(64)
        loss = nn.mse_loss(net(x), marked)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(max_norm=1.0)


@mg.no_grad()
def factors(layer, x):
    """(T, B, H): what each step multiplies the state before it by on the way of its own: f, z, or for the RNN tanh'."""
    h, _, seen = layer(x, trace=True)
    gate = 1.0 - h**2 if isinstance(layer, nn.RNN) else seen["f_l0" if isinstance(layer, nn.LSTM) else "z_l0"]
    return gate.numpy()


def measure(net):
    """The way's product from each step to the last, the loss's gradient at each step over the last one's, and the error."""
    x, marked = signals(32, STEPS - 1)
    x, fine = mg.tensor(x).astype("float64"), copy.deepcopy(net).double()  # float32 does not hold all that may be left
    after = factors(fine.layer, x)[1:]
    way = np.append(np.cumprod(after[::-1], axis=0)[::-1].mean(axis=(1, 2)), 1.0)
    norms = gradient_norms(fine.layer, x, lambda state: nn.mse_loss(fine.answer(state), mg.tensor(marked).astype("float64")))
    with mg.no_grad():
        x, marked = signals(1000, STEPS - 1)
        error = ((net(x).numpy() - marked) ** 2).mean() / marked.var()
    return {"way": way, "loss": norms, "error": error}


def of(runs, what):
    """One thing that was measured, of all seeds: an array whose first axis is the seed."""
    return np.array([run[what] for run in runs])


def line(kind, before, after):
    """One net's line of the table."""
    columns = [of(before, "way")[:, 0], of(before, "loss")[:, 0], of(after, "loss")[:, 0]]
    powers = "".join(f"{geometric(each):9.0e} {f'{each.min():.0e} to {each.max():.0e}':17}" for each in columns)
    errors = of(after, "error")
    return f"{kind:13}{powers}{errors.mean():7.2f} {errors.min():.2f} to {errors.max():.2f}"


def lesson(before, after):
    """What these numbers say, in words that they bear out."""
    seeds = len(next(iter(before.values())))
    right = {kind: int((of(after[kind], "error") < LEARNED).sum()) for kind in after}
    tiny = [kind for kind in before if geometric(of(before[kind], "loss")[:, 0]) < 1e-6]
    yet = [kind for kind in tiny if right[kind]]
    said = [f"Before training less than a millionth comes back over {STEPS - 1} steps in: {'; '.join(tiny) or 'none'}."]
    if yet:
        counts = "; ".join(f"{kind}, {right[kind]} of {seeds} seeds" for kind in yet)
        said.append(f"And yet these have learned to answer across that gap (error below {LEARNED}): {counts}.")
        said.append(
            "Short gaps have a gradient; it opens gates, and open gates carry the gradient of longer ones. See memory.py for gaps to 400."
        )
    late = [f"{kind}, {seeds - right[kind]} of {seeds} seeds" for kind in before if kind not in tiny and right[kind] < seeds]
    if late:
        said.append(f"A gradient at the start is not all: it came back, and these steps were not enough, in: {'; '.join(late)}.")
    return "\n".join(said)


def main():
    """Measure, train, measure again, net by net and seed by seed; print and draw what came out."""
    parser = Parser(prog="vanishing.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=Path("runs/vanishing"), metavar="DIR", help="folder for the picture (runs/vanishing)")
    parser.add_argument("--seeds", type=number(int), metavar="N", help="how often with other weights and signals (5; 2 with --quick)")
    parser.add_argument("--steps", type=number(int), metavar="N", help="training steps a net (1000; 5 with --quick)")
    parser.add_argument("--quick", action="store_true", help="hardly any training")
    options = parser.parse_args()
    seeds, steps = options.seeds or (2 if options.quick else 5), options.steps or (5 if options.quick else 1000)
    new_folder(options.out, parser)
    mg.set_num_threads(1)  # nets of this size do not repay a second one

    print(f"What is left of a gradient {STEPS - 1} steps back (1 would be all), {seeds} seeds: the mean, the least and the most;")
    print(f"before and after {steps} steps of training.\n")
    print(f"{'':13}{'way':>9}{'':18}{'before':>9}{'':18}{'after':>9}{'':18}{'error':>7}")
    before, after = {}, {}
    for kind in LAYERS:
        before[kind], after[kind] = [], []
        for seed in range(seeds):
            mg.manual_seed(seed)
            net = Net(kind)
            before[kind].append(measure(net))
            learn(net, steps)
            after[kind].append(measure(net))
        print(line(kind, before[kind], after[kind]), flush=True)
    print(f"\n{lesson(before, after)}")
    if vanishing_poster(before, after, options.out / "vanishing.png"):
        print(f"The picture: {options.out / 'vanishing.png'}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
