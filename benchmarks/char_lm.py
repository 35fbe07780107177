"""The character model of examples/char_lm.py in minigrad and in PyTorch: same initial weights, same windows, same number of steps.

    python benchmarks/char_lm.py                     three seeds, six passes each
    python benchmarks/char_lm.py --quick             a small model on a small piece of the text
    OMP_NUM_THREADS=1 python benchmarks/char_lm.py   one thread against one thread
    python benchmarks/char_lm.py --whole --check     both as programs of their own, from the start of the process to the checkpoint

Prints the bits per character of both on held-out text, their difference and their times, and exits with 1 if the mean difference
is larger than 0.02. The two differ in rounding alone, but training is chaotic: after some hundred steps the weights are not
the same any more, so what must agree is how well they do. Passes of the two take turns, so that both meet the same machine.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

try:
    import torch
except ImportError:
    sys.exit("benchmarks/char_lm.py compares with PyTorch: pip install torch")

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import char_lm  # the example: this file runs as __main__

import minigrad as mg
from minigrad import data

BOUND = 0.02
WHOLE_BOUND = 0.7


class TorchLM(torch.nn.Module):
    """CharLM of the example, line for line."""

    def __init__(self, symbols: int, cell: str, embedding: int, hidden: int, layers: int) -> None:
        super().__init__()
        kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
        self.embedding = torch.nn.Embedding(symbols, embedding)
        self.rnn = kind(embedding, hidden, num_layers=layers)
        self.head = torch.nn.Linear(hidden, symbols)

    def forward(self, x, state=None):
        """Scores of the next characters, and the state to go on from."""
        out, state = self.rnn(self.embedding(x), state)
        return self.head(out), state


def window_loss(model, x, y, state):
    """The example's window_loss."""
    scores, state = model(torch.tensor(x.T), state)
    return torch.nn.functional.cross_entropy(scores.reshape(-1, scores.shape[-1]), torch.tensor(y.T).reshape(-1)), state


def learn(model, optimizer, x, y, state, clip):
    """The example's learn."""
    loss, state = window_loss(model, x, y, state)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return loss.item(), tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()


@torch.no_grad()
def held_out_bits(model, stream):
    """The example's held_out_bits."""
    total, state = 0.0, None
    for position in range(stream.windows):
        x, y = stream.at(position)
        loss, state = window_loss(model, x, y, state)
        total += loss.item() * y.size
    return total / stream.characters / math.log(2)


def one_pass(step, model, optimizer, run):
    """Train for one pass over the text; the seconds it took."""
    start, state = time.perf_counter(), None
    for position in range(run.stream.windows):
        _, state = step(model, optimizer, *run.stream.at(position), state, run.settings["clip"])
    return time.perf_counter() - start


def compare(settings, passes):
    """Both models trained from the same start: the run, the bits of minigrad and PyTorch, and the seconds each of their passes took."""
    run = char_lm.Run(settings)
    twin = TorchLM(len(run.vocabulary), *[settings[name] for name in ("cell", "embedding", "hidden", "layers")])
    twin.load_state_dict({name: torch.tensor(np.array(weights)) for name, weights in run.model.state_dict().items()})
    optimizer = torch.optim.Adam(twin.parameters(), lr=settings["lr"])
    seconds = [(one_pass(char_lm.learn, run.model, run.optimizer, run), one_pass(learn, twin, optimizer, run)) for _ in range(passes)]
    return run, (char_lm.held_out_bits(run.model, run.held_stream), held_out_bits(twin, run.held_stream)), seconds


def torch_program(settings, passes, out):
    """The example's `train` with PyTorch: a checkpoint and a test after each pass."""
    run = char_lm.Run(settings)
    twin = TorchLM(len(run.vocabulary), *[settings[name] for name in ("cell", "embedding", "hidden", "layers")])
    optimizer = torch.optim.Adam(twin.parameters(), lr=settings["lr"])
    for _ in range(passes):
        one_pass(learn, twin, optimizer, run)
        print(f"{held_out_bits(twin, run.held_stream):.3f} bits a character")
        torch.save({"model": twin.state_dict(), "optimizer": optimizer.state_dict()}, out)


def whole(arguments):
    """Both programs in turns, each from the start of its process to its last checkpoint; 1 if minigrad's share of the time is too large."""
    common = ["--passes", str(arguments.passes), "--cell", arguments.cell, *["--quick"] * arguments.quick]
    seconds = []
    for turn in range(3):
        with tempfile.TemporaryDirectory() as folder:
            ours = [sys.executable, char_lm.__file__, "train", "--out", folder, *common]
            theirs = [sys.executable, __file__, "--torch-program", str(Path(folder) / "twin.pt"), *common]
            found = {}
            last = {"minigrad": Path(folder) / char_lm.CHECKPOINT, "PyTorch": Path(theirs[3])}
            for name, command in [("minigrad", ours), ("PyTorch", theirs)][:: 1 if turn % 2 else -1]:
                start = time.time()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                found[name] = last[name].stat().st_mtime - start
        seconds.append((found["minigrad"], found["PyTorch"]))
        print(f"minigrad {seconds[-1][0]:.2f} s, PyTorch {seconds[-1][1]:.2f} s: {seconds[-1][0] / seconds[-1][1]:.2f}", flush=True)
    share = float(np.median([a / b for a, b in seconds]))
    print(f"median of minigrad's time over PyTorch's: {share:.2f} (bound {WHOLE_BOUND})")
    return int(arguments.check and share > WHOLE_BOUND)


def main() -> int:
    """Print the comparison; 1 if it misses the bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="seeds of the initial weights (0 1 2)")
    parser.add_argument("--passes", type=int, default=6, help="passes over the text (6)")
    parser.add_argument("--cell", choices=char_lm.CELLS, default="lstm", help="kind of recurrent layer (lstm)")
    parser.add_argument("--quick", action="store_true", help="a small model on a small piece of the text")
    parser.add_argument("--whole", action="store_true", help="time whole programs, from the start of the process to the checkpoint")
    parser.add_argument(
        "--check", action="store_true", help="with --whole: exit status 1 if minigrad takes too large a share of PyTorch's time"
    )
    parser.add_argument("--torch-program", metavar="FILE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.whole:
        return whole(arguments)
    settings = {name: option[1 if arguments.quick else 0] for name, option in char_lm.OPTIONS.items()}
    settings |= {"cell": arguments.cell, "corpus": "python", "text": ""}
    if arguments.torch_program:
        torch_program(settings | {"seed": 0}, arguments.passes, arguments.torch_program)
        return 0
    print(f"{settings['cell']} of {settings['hidden']} units, {arguments.passes} passes over the text")
    print(f"minigrad {mg.__version__}, PyTorch {torch.__version__} with {torch.get_num_threads()} threads\n")
    print(f"{'':8s}{'bits a character':^30s}   {'seconds a pass, median':^33s}")
    print(f"{'seed':8s}{'minigrad':>9s}{'torch':>9s}{'difference':>12s}   {'minigrad':>9s}{'torch':>8s}{'torch/minigrad':>16s}")
    rows, times = [], []
    for seed in arguments.seeds:
        run, bits, seconds = compare(settings | {"seed": seed}, arguments.passes)
        rows.append(bits)
        times += seconds
        report(str(seed), bits, np.median(seconds, axis=0))
    mean = np.mean(rows, axis=0)
    report("all", mean, np.median(times, axis=0))
    print("\nfor scale: " + ", ".join(f"{name} {bits:.2f}" for name, bits in data.baselines(run.learned, run.held).items()))
    good = abs(mean[0] - mean[1]) <= BOUND
    print(f"mean difference {mean[0] - mean[1]:+.4f}: {'within' if good else 'NOT WITHIN'} {BOUND}")
    return 0 if good else 1


def report(name, bits, seconds):
    """One row of the table."""
    print(f"{name:8s}{bits[0]:9.3f}{bits[1]:9.3f}{bits[0] - bits[1]:+12.4f}", end="   ")
    print(f"{seconds[0]:9.2f}{seconds[1]:8.2f}{seconds[1] / seconds[0]:16.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
