"""Data to learn from: texts as streams of characters, with what simple methods reach on them, and tasks made of random numbers."""

from __future__ import annotations

from .synthetic import REBER, adding, copy_memory, reber, reber_next
from .text import LICENCES, Stream, TextError, Vocabulary, baselines, python_reference, read_text, shakespeare, split_text

__all__ = [
    "LICENCES", "REBER", "Stream", "TextError", "Vocabulary", "adding", "baselines", "copy_memory", "python_reference", "read_text",
    "reber", "reber_next", "shakespeare", "split_text",
]  # fmt: skip
