"""How far back can a network learn to look? Run this first: half a minute on two cores, no data, no download.

    python examples/memory.py              a table as it grows, and a picture in runs/memory
    python examples/memory.py --quick      the whole of it in a few seconds, with shorter gaps
    python examples/memory.py --mixed      one net for all gaps instead of one for each: see below

    Korea  bread river near the ... snow  speaks    ->    Korean

A country, a gap of some words, "speaks": which language? The words between are drawn at random, so only the first one tells. To answer, a
net has to carry it across the gap. To learn that, its gradient has to come back across the gap, multiplied once at each step. In a tanh RNN
by W_hh' diag(1 - h^2), and a hundred of these make nothing (Hochreiter, 1991; Bengio et al., 1994). The LSTM (Hochreiter and Schmidhuber,
1997) and the GRU (Cho et al., 2014) carry their state past a step through a gate: while it is open the factor is close to 1.

For each gap one net of each kind is trained afresh and asked about new sentences; those of the longest gap are also asked about gaps twice
and four times as long. All get the same: 32 units, 500 steps of Adam at 0.01, 64 new sentences a step. Neither another rate (0.001, 0.003,
0.03) nor eight times the steps takes the tanh RNN across 30 words. The gates start as is usual where memories are to be long: see `gates`.

Can a tanh RNN not hold a word for long? It can. With --mixed, where one net learns all gaps together, the short ones teach it what the long
ones cannot, and what it then holds it holds for good. It is learning across a gap that fails, for want of a gradient.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import _measure as measure
import numpy as np
from _pictures import memory_poster
from _support import Parser, new_folder, number

import minigrad as mg
from minigrad import nn, optim

LANGUAGES = {
    "Brazil": "Portuguese", "Egypt": "Arabic", "France": "French", "Germany": "German",
    "Greece": "Greek", "Japan": "Japanese", "Korea": "Korean", "Poland": "Polish",
}  # fmt: skip
FILLER = [
    "the", "a", "some", "old", "new", "little", "river", "house", "street", "garden", "bread", "tea",
    "music", "rain", "snow", "light", "trees", "under", "over", "near", "behind", "and", "then", "with",
]  # fmt: skip
WORDS = [*LANGUAGES, *FILLER, "speaks"]  # a word is its place in this list, a language the place of its country
CHANCE = 1 / len(LANGUAGES)
LAYERS = {"tanh RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


def sentences(count, gap):
    """Random sentences (gap + 2, count), one a column, and the language (count,) that each of them asks for."""
    country = mg.random.generator.integers(len(LANGUAGES), size=count)
    filler = mg.random.generator.integers(len(LANGUAGES), len(WORDS) - 1, size=(gap, count))
    return np.concatenate([country[None], filler, np.full((1, count), len(WORDS) - 1)]), country


class Reader(nn.Module):
    """Embedding, one recurrent layer, and a linear layer from its last state to the scores of the languages."""

    def __init__(self, kind, units=32):
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 16)
        self.layer = LAYERS[kind](16, units)
        self.head = nn.Linear(units, len(LANGUAGES))

    def forward(self, words):
        """Scores (B, languages) after the last of the words (T, B)."""
        return self.answer(self.layer(self.embedding(words))[1])

    def answer(self, state):
        """Scores from a state: h, or in an LSTM (h, c)."""
        return self.head(state[0][0] if isinstance(state, tuple) else state[0])


def gates(layer, steps):
    """Start with gates that keep a memory for about `steps` steps: sigmoid(log(steps - 1)) = 1 - 1 / steps (Tallec and Ollivier, 2018)."""
    keep = {nn.LSTM: [-1, 1, 0, 0], nn.GRU: [0, 1, 0]}.get(type(layer))  # write little, keep much: i f g o of the LSTM, r z n of the GRU
    if keep:
        layer.bias_ih_l0.assign_(np.repeat(keep, layer.hidden_size) * math.log(steps - 1))


def learn(net, gaps, steps):
    """Adam on one batch a step, of a gap drawn from `gaps`."""
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        words, country = sentences(64, mg.random.generator.choice(gaps))
        loss = nn.cross_entropy(net(words), country)
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()


@mg.no_grad()
def accuracy(net, gap, count=1000):
    """The share of right answers on new sentences."""
    words, country = sentences(count, gap)
    return (net(words).numpy().argmax(axis=1) == country).mean()


def gradient_norms(net, gap):
    """What comes back of the gradient: its norm by the state after each word, over that by the last state; a mean over 64 sentences."""
    words, country = sentences(64, gap)
    return measure.gradient_norms(net.layer, net.embedding(words), lambda state: nn.cross_entropy(net.answer(state), country))


def reach(asked, right):
    """The longest gap up to which at least nine answers of ten are right; 0 if there is none."""
    return max([gap for i, gap in enumerate(asked) if min(right[: i + 1]) >= 0.9], default=0)


def main():
    """Train, ask and measure net by net, print what comes out, draw it."""
    parser = Parser(prog="memory.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=Path("runs/memory"), metavar="DIR", help="folder for the picture (runs/memory)")
    parser.add_argument("--seed", type=number(int, -1), default=0, metavar="N", help="seed of weights and sentences (0)")
    parser.add_argument("--steps", type=number(int), metavar="N", help="training steps a net (500; 150 with --quick)")
    parser.add_argument("--mixed", action="store_true", help="one net for all gaps, with the steps of all, instead of one for each gap")
    parser.add_argument("--quick", action="store_true", help="gaps up to 40")
    options = parser.parse_args()
    gaps, steps = ([1, 5, 40], options.steps or 150) if options.quick else ([1, 2, 5, 10, 20, 30, 50, 100], options.steps or 500)
    longest, asked = gaps[-1], [*gaps, 2 * gaps[-1], 4 * gaps[-1]]
    new_folder(options.out, parser)
    mg.set_num_threads(1)  # nets of this size do not repay a second one

    print(f'A country, a gap, "speaks": which of {len(LANGUAGES)} languages? Right answers in percent; guessing gives {100 * CHANCE:g}.\n')
    print("words in the gap " + "".join(f"{gap:6}" for gap in asked))
    right, before, after = {}, {}, {}
    for kind in LAYERS:
        print(f"{kind:17}", end="", flush=True)
        right[kind] = []
        for gap in asked:
            if gap <= longest and not (options.mixed and right[kind]):
                mg.manual_seed(options.seed)
                net = Reader(kind)
                gates(net.layer, longest)
                before[kind] = gradient_norms(net, longest)
                learn(net, gaps if options.mixed else [gap], steps * (len(gaps) if options.mixed else 1))
            right[kind].append(accuracy(net, gap))
            print(f"{100 * right[kind][-1]:6.1f}", end="", flush=True)
        after[kind] = gradient_norms(net, longest)
        print()
    print(f"{'chance':17}" + f"{100 * CHANCE:6.1f}" * len(asked))
    if not options.mixed:
        print(f"\nGaps above {longest} were in no training: the nets of gap {longest} answer for them.")
    print(f"\nWhat is left of the gradient after its way back over {longest} words, from the answer to the country (1 would be all):\n")
    print(f"{'':17}{'before training':>18}{'after training':>18}")
    for kind in LAYERS:
        print(f"{kind:17}" + "".join(f"{format(norms[kind][0], '.0e') if norms[kind][0] else '< 1e-38':>18}" for norms in (before, after)))
    reaches = {kind: reach(asked, right[kind]) for kind in LAYERS}
    print("\nAt least nine answers of ten are right for gaps up to: " + ", ".join(f"{kind} {gap}" for kind, gap in reaches.items()) + ".")
    if memory_poster(asked, longest, CHANCE, right, reaches, {"before": before, "after": after}, options.out / "memory.png"):
        print(f"The picture: {options.out / 'memory.png'}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
