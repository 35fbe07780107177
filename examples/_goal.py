"""Training until a goal is reached, seed by seed, and the table of what came out: what adding.py and copy_memory.py share."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _support import Parser, new_folder, number

import minigrad as mg
from minigrad import optim

LOOKS = 1000  # sequences in the test on the way


class Run(NamedTuple):
    """What became of one net: (step, loss on the test) as it learned, the loss on other sequences at the end, and what it cost."""

    curve: list
    loss: float
    seconds: float
    compiled: bool


def options(name, doc, kinds, steps):
    """What the command line of the script `name` says; `kinds`: its nets by name; `steps`: how many they train for at most."""
    parser = Parser(prog=f"{name}.py", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    folder = Path("runs") / name
    parser.add_argument("--out", type=Path, default=folder, metavar="DIR", help=f"folder for the picture ({folder})")
    parser.add_argument("--nets", nargs="+", choices=kinds, default=list(kinds), metavar="KIND", help=f"of: {', '.join(kinds)} (all)")
    parser.add_argument("--seeds", type=number(int), metavar="N", help="nets of each kind (5; 2 with --quick)")
    parser.add_argument("--steps", type=number(int), metavar="N", help=f"training steps a net, at most ({steps}; 20 with --quick)")
    parser.add_argument("--quick", action="store_true", help="shorter sequences, hardly any training")
    found = parser.parse_args()
    found.seeds = found.seeds or (2 if found.quick else 5)
    found.steps = found.steps or (20 if found.quick else steps)
    found.asked = LOOKS if found.quick else 10_000
    new_folder(found.out, parser)
    return found


@mg.no_grad()
def mean_loss(net, loss, x, y):
    """The loss over many sequences, x (T, count, ...) and y (..., count), a thousand at a time."""
    parts = [slice(at, at + 1000) for at in range(0, x.shape[1], 1000)]
    return float(np.mean([loss(net(x[:, part]), y[..., part]).item() for part in parts]))


def learn(net, sequences, loss, *, goal, steps, batch, rate, asked):
    """Adam on fresh batches, `sequences(batch)`, until the loss on a test is below half of the goal. The rate falls to 0.

    The test is the same at every look. The loss at the end is that of as many other sequences as are `asked`: who stops at a good moment
    was lucky on the test.
    """
    test = sequences(LOOKS)
    optimizer = optim.Adam(net.parameters(), lr=rate)
    schedule = optim.CosineAnnealingLR(optimizer, steps)
    curve, begun = [(0, mean_loss(net, loss, *test))], time.perf_counter()
    for step in range(1, steps + 1):
        x, y = sequences(batch)
        error = loss(net(x), y)
        report = mg.scan_report()
        optimizer.zero_grad()
        error.backward()
        optimizer.step(max_norm=1.0)
        schedule.step()
        if step % 50 == 0 or step == steps:
            curve.append((step, mean_loss(net, loss, *test)))
            if curve[-1][1] < goal / 2:
                break
    seconds = time.perf_counter() - begun
    return Run(curve, mean_loss(net, loss, *sequences(asked)), seconds, report.compiled)


def compare(kinds, seeds, train):
    """`train(kind)` for each kind from each seed: kind -> its runs. The table grows as they end."""
    mg.set_num_threads(1)  # nets of this size do not repay a second one
    print(f"{'':13}{'mean':>9} +- {'spread':7}  compiled   seeds: loss (seconds)")
    found = {}
    for kind in kinds:
        found[kind] = []
        for seed in range(seeds):
            mg.manual_seed(seed)
            found[kind].append(train(kind))
        print(line(kind, found[kind]), flush=True)
    return found


def line(kind, runs):
    """The table's line of one kind of net."""
    losses = np.array([run.loss for run in runs])
    each = "  ".join(f"{run.loss:.5f} ({run.seconds:.0f})" for run in runs)
    compiled = "yes" if all(run.compiled for run in runs) else "no"
    return f"{kind:13}{losses.mean():9.5f} +- {losses.std():.5f}  {compiled:9}  {each}"
