"""Data to learn from: texts as streams of characters, with what simple methods reach on them."""

from __future__ import annotations

from .text import LICENCES, Stream, TextError, Vocabulary, baselines, python_reference, read_text, shakespeare, split_text

__all__ = [
    "LICENCES", "Stream", "TextError", "Vocabulary", "baselines", "python_reference", "read_text", "shakespeare", "split_text",
]  # fmt: skip
