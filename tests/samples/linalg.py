"""Samples of products."""

from __future__ import annotations

from .making import Sample, laid, spaced


def products() -> list[Sample]:
    """All that matmul calls a product, empty ones too."""
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)),
        ((1, 2, 3), (5, 3, 4)), ((2, 3), (5, 3, 4)), ((3,), (5, 3, 4)), ((5, 2, 3), (3,)), ((2, 1, 2, 3), (4, 3, 2)), ((1, 1), (1, 1)),
        ((2, 0), (0, 3)), ((0, 3), (3, 2)), ((0,), (0,)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 4)), ((2, 2, 0), (0, 3)), ((0,), (0, 2)),
    ]  # fmt: skip
    found = [Sample((spaced(*a), spaced(*b))) for a, b in shapes]
    return found + laid(spaced(3, 3), spaced(3, 3)) + laid(spaced(2, 3, 4), spaced(2, 4, 3))


def affine() -> list[Sample]:
    """Inputs of linear: any number of leading axes, with and without a bias, empty batches and no features."""
    shapes: list[tuple[int, ...]] = [(2, 3), (3,), (5, 2, 3), (0, 3), (4, 0, 3), (1, 3)]
    found = [Sample((spaced(*shape), spaced(4, 3), bias)) for shape in shapes for bias in (spaced(4), None)]
    found += [Sample((spaced(*shape), spaced(4, 0), spaced(4))) for shape in ((2, 0), (2, 5, 0))]
    return [*found, Sample((spaced(2, 3), spaced(0, 3), None)), *laid(spaced(3, 4), spaced(2, 4), spaced(2))]


def row_lists() -> list[Sample]:
    """Pairs of row lists: one axis, several leading ones, one column, none of rows or of columns."""
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((5, 3), (5, 4)), ((3,), (4,)), ((2, 5, 3), (2, 5, 4)), ((1, 3), (1, 4)), ((40, 37), (40, 2)), ((40, 37), (40, 1)),
        ((40, 2), (40, 37)), ((0, 3), (0, 4)), ((2, 0, 3), (2, 0, 4)), ((5, 0), (5, 4)), ((5, 3), (5, 0)),
    ]  # fmt: skip
    return [Sample((spaced(*a), spaced(*b))) for a, b in shapes] + laid(spaced(3, 4), spaced(3, 2)) + laid(spaced(2, 3, 4), spaced(2, 3, 2))


def pairs(*shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> list[Sample]:
    """Two arrays of these shapes."""
    return [Sample((spaced(*a), spaced(*b))) for a, b in shapes]


ANY = pairs(
    ((2,), (3,)), ((2, 3), (4,)), ((), (3,)), ((2, 1), ()), ((), ()), ((1,), (1,)), ((0,), (3,)), ((2, 2), (0, 3)), ((2, 1, 2), (2, 3)),
    ((2,), (2, 1, 3)),
)  # fmt: skip

SAMPLES: dict[str, list[Sample]] = {
    "bmm()": pairs(((2, 3, 4), (2, 4, 5)), ((1, 1, 1), (1, 1, 1)), ((0, 2, 3), (0, 3, 2)), ((2, 3, 0), (2, 0, 4)), ((2, 0, 3), (2, 3, 1)))
    + laid(spaced(3, 2, 4), spaced(3, 4, 2)),
    "dot()": pairs(
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 3, 4), (4,)), ((2, 3, 4), (4, 2)), ((2, 3), (4, 3, 2)),
        ((3,), (2, 3, 2)), ((2, 2, 3), (4, 3, 1)), ((), (2, 3)), ((3,), ()), ((), ()), ((0,), (0,)), ((2, 0), (0, 3)), ((2, 0), (3, 0, 2)),
        ((0, 2), (3, 2, 2)),
    )
    + laid(spaced(3, 4), spaced(2, 4, 3)),
    "kron()": ANY + laid(spaced(3, 2), spaced(3, 4)),
    "outer": ANY + laid(spaced(3, 4), spaced(3, 2)),
    "linear": affine(),
    "matmul": products(),
    "outer_sum": row_lists(),
}  # fmt: skip
