"""What can go wrong, by name. Every message is a sentence: what came, what was expected, the way out."""

from __future__ import annotations


class ShapeError(ValueError):
    """Shapes, axes or indices that do not fit; the sentence names the operation and every shape."""


class DtypeError(TypeError):
    """A dtype that an operation cannot serve."""


class MutationError(RuntimeError):
    """An array was changed in place that a gradient still needs, or is about to be."""


class TapeError(RuntimeError):
    """The tape cannot be played: nothing was recorded, it was played already, or a seed is missing."""
