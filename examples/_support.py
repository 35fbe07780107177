"""What the example scripts need beside their lesson: command lines, progress, pictures, and the care for earlier files."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import math
import os
import sys
import time


class Refusal(Exception):
    """A wish that cannot be met, said in one sentence."""


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line."""

    def error(self, message):
        """Say it, and leave with 2."""
        self.exit(2, f"{os.path.basename(sys.argv[0])}: {message}\n")


def new_folder(path, parser):
    """Make the folder if there is none; where that cannot be done, the parser says so and leaves."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")


def number(kind, above=0):
    """A type for argparse: a finite number of `kind` above `above`."""

    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not above < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number above {above}")
        return value

    return convert


def threads_option(apply):
    """A parser with --threads alone, to be a parent of others; with `apply` the command line's value is set at once.

    The libraries of matrix products look at it once, while NumPy is imported: call this before.
    """
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--threads", type=number(int), metavar="N", help="threads for matrix products (default: one a core)")
    if apply and (threads := parser.parse_known_args()[0].threads):
        for library in ("OPENBLAS", "MKL", "OMP", "VECLIB_MAXIMUM"):
            os.environ[f"{library}_NUM_THREADS"] = str(threads)
    return parser


class Progress:
    """What training says as it goes: a bar where there are tqdm and a terminal, else a line now and then."""

    def __init__(self, run, steps):
        self.first, self.steps, self.begun, self.bar = run.step, steps, time.perf_counter(), None
        self.size = run.stream.characters // run.stream.windows  # characters a step
        with contextlib.suppress(ImportError):
            from tqdm import tqdm

            if sys.stderr.isatty():
                self.bar = tqdm(total=steps * self.size, initial=run.step * self.size, unit="char", unit_scale=True, dynamic_ncols=True)

    def show(self, run):
        """One more step is done."""
        recent = run.curve[-50:]
        bits = sum(recent) / len(recent)
        words = f"loss {bits * math.log(2):.3f}, {bits:.3f} bits a character"
        if self.bar is not None:
            self.bar.set_postfix_str(words, refresh=False)
            self.bar.update(self.size)
        elif run.step % max(1, self.steps // 20) == 0:
            speed = (run.step - self.first) * self.size / (time.perf_counter() - self.begun)
            left = (self.steps - run.step) * self.size / speed
            self.say(f"step {run.step} of {self.steps}: {words}, {speed:,.0f} characters a second, {left:.0f} s left")

    def say(self, line):
        """Print a line, above the bar if there is one."""
        print(line, file=sys.stderr, flush=True) if self.bar is None else self.bar.write(line, file=sys.stderr)

    def close(self):
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()


def set_aside(out, files):
    """Move the files of an earlier run into a folder of their own: a new run loses nothing."""
    if old := [out / name for name in files if (out / name).exists()]:
        folder = next(path for i in itertools.count(1) if not (path := out / f"earlier-{i}").exists())
        folder.mkdir()
        for path in old:
            path.rename(folder / path.name)
        print(f"the earlier run is now in {folder}", file=sys.stderr)
