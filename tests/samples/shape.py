"""Samples of the operations that move elements about."""

from __future__ import annotations

from typing import Any

from .elementwise import unary
from .making import Sample, each, laid, spaced, views


def joined() -> list[Sample]:
    """Arrays of different lengths along the axis, empty ones, one alone."""
    found = [*laid(spaced(3, 4), spaced(3, 4)), Sample((spaced(2, 3), spaced(4, 3))), Sample((spaced(2),))]
    found += [Sample((spaced(2), spaced(0), spaced(3))), Sample((spaced(0, 2), spaced(0, 2)), {"axis": 1})]
    return found + [Sample((spaced(2, 3), spaced(2, 1), spaced(2, 2)), {"axis": axis}) for axis in (1, -1)]


def stacked() -> list[Sample]:
    """Arrays of one shape, without axes too."""
    found = laid(spaced(3, 4), spaced(3, 4), axis=1) + [Sample((spaced(3), spaced(3)), {"axis": axis}) for axis in (0, 1, -1)]
    return [*found, Sample((spaced(3), spaced(3))), Sample((spaced(), spaced(), spaced())), Sample((spaced(0, 2),), {"axis": 2})]


CHUNKS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((5, 2), {"chunks": 3, "piece": 0}), ((5, 2), {"chunks": 3, "piece": 2}), ((5,), {"chunks": 4, "piece": 2}),
    ((6, 2), {"chunks": 2, "piece": 1}),
    ((2, 6), {"chunks": 4, "axis": 1, "piece": 1}), ((2, 7), {"chunks": 3, "axis": -1, "piece": -1}), ((2,), {"chunks": 1, "piece": 0}),
    ((2,), {"chunks": 5, "piece": 1}), ((0, 3), {"chunks": 3, "piece": 2}), ((3, 0), {"chunks": 2, "piece": 0}),
]  # fmt: skip

MOVED: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 4), {"source": 0, "destination": -1}), ((2, 3, 4), {"source": -1, "destination": 0}),
    ((2, 3, 4), {"source": (0, 2), "destination": (1, 0)}),
    ((2, 3, 4, 1), {"source": [3, 0], "destination": [0, -1]}), ((3,), {"source": 0, "destination": 0}),
    ((2, 0), {"source": 0, "destination": 1}),
    ((2, 3), {"source": (), "destination": ()}),
]  # fmt: skip

SAMPLES: dict[str, list[Sample]] = {
    "cat()": joined(),
    "chunk()": views(*CHUNKS),
    "flatten()": views(
        ((2, 3, 4), {}), ((2, 3, 4), {"start": 1}), ((2, 3, 4), {"stop": 1}), ((2, 3, 4), {"start": -2, "stop": -2}), ((), {}), ((3,), {}),
        ((2, 0, 3), {}), ((2, 0, 3), {"start": 1}),
    ),
    "moveaxis()": views(*MOVED),
    "ravel()": views(((3, 4), {}), ((2, 3, 2), {}), ((), {}), ((0, 3), {}), ((1,), {})),
    "broadcast_to": each(
        "shape",
        ((3, 4), (2, 3, 4)), ((4,), (3, 4)), ((), (2, 3)), ((2, 1), (2, 3)), ((1,), (0,)), ((3,), (3,)), ((1, 3, 1), (2, 4, 3, 5)),
        ((1, 1), (1, 1)), ((0,), (2, 0)), ((), ()),
    ),
    "concatenate": joined(),
    "detach": unary(),
    "expand_dims": each("axis", ((3, 4), 0), ((3,), 0), ((3,), -1), ((2, 3), (0, 2)), ((), 0), ((0,), 1)),
    "identity": unary(),
    "reshape": each(
        "shape",
        ((3, 4), (2, 6)), ((4,), (2, 2)), ((2, 3), (-1,)), ((2, 3), -1), ((1,), ()), ((), (1, 1)), ((2, 0), (0, 5)), ((6,), (6,)),
        ((2, 3, 4), [4, -1]), ((4,), (4,)),
    ),
    "squeeze": views(((3, 4), {}), ((1, 4), {}), ((1, 3, 1), {}), ((), {}))
    + each("axis", ((1, 3, 1), 0), ((1, 3, 1), (0, -1)), ((1, 0), 0)),
    "stack": stacked(),
    "sum_to": each(
        "shape",
        ((3, 4), (1, 4)), ((3, 4), (4,)), ((2, 3, 4), (3, 1)), ((2, 3), ()), ((2, 3), (2, 3)), ((2, 4, 3, 5), (1, 3, 1)),
        ((0, 3), (3,)), ((0,), (1,)), ((2, 0), (0,)), ((), ()),
    ),
    "swapaxes": [
        sample
        for shape, axis1, axis2 in (((3, 4), 0, 1), ((2, 3, 4), -1, 0), ((2, 3), 1, 1), ((2, 0), 0, -1))
        for sample in laid(spaced(*shape), axis1=axis1, axis2=axis2)
    ],
    "transpose": views(((3, 4), {}), ((3,), {}), ((2, 0, 3), {}))
    + each("axes", ((2, 3, 4), (1, 2, 0)), ((2, 3, 4), (-1, 0, 1)), ((2, 3, 4), [2, 0, 1]), ((), ())),
}  # fmt: skip
