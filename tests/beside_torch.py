"""The same function by minigrad and by PyTorch: values, first and second gradients, with cotangents that hide nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from oracles import direction, error

import minigrad as mg


def as_list(out: Any) -> list[Any]:
    return list(out) if isinstance(out, tuple | list) else [out]


def compare(
    ours: Callable[..., Any], theirs: Callable[..., Any], arrays: list[Any], order: int = 2, tolerance: float = 1e-10, constants: Any = ()
) -> None:
    """`ours` of minigrad tensors against `theirs` of PyTorch's: float64 arrays are differentiated, others and `constants` (places) not."""
    torch = pytest.importorskip("torch")
    wanted = [i for i, a in enumerate(arrays) if np.asarray(a).dtype.kind == "f" and i not in constants]
    mine = [mg.tensor(np.array(a), requires_grad=i in wanted) for i, a in enumerate(arrays)]
    other = [torch.tensor(np.array(a)).requires_grad_(i in wanted) for i, a in enumerate(arrays)]
    found, expected = as_list(ours(*mine)), as_list(theirs(*other))
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert error(a, b.detach().numpy(force=True)) <= tolerance, (a, b)
    if not order:
        return
    seeds = [direction(tuple(b.shape), k) for k, b in enumerate(expected)]
    mg_loss, torch_loss = mg.zeros((), dtype="float64"), torch.zeros((), dtype=torch.float64)
    for a, b, seed in zip(found, expected, seeds, strict=True):
        mg_loss, torch_loss = mg_loss + (a * seed).sum(), torch_loss + (b * torch.tensor(seed)).sum()
    leaves = [other[i] for i in wanted]
    first = torch.autograd.grad(torch_loss, leaves, create_graph=order > 1, materialize_grads=True)
    mg_loss.backward(create_graph=order > 1)
    got = [mine[i].grad for i in wanted]
    for a, b in zip(got, first, strict=True):
        assert error(np.zeros(tuple(b.shape)) if a is None else a, b.detach().numpy(force=True)) <= tolerance, (a, b)
    if order == 1:
        return
    slope = sum((g * torch.tensor(direction(tuple(g.shape), 9 + k))).sum() for k, g in enumerate(first))
    mg_slope = mg.zeros((), dtype="float64")
    for k, g in enumerate(got):
        if g is not None and g.requires_grad:
            mg_slope = mg_slope + (g * direction(g.shape, 9 + k)).sum()
        mine[wanted[k]].grad = None
    second = torch.autograd.grad(slope, leaves, materialize_grads=True) if slope.requires_grad else [torch.zeros(x.shape) for x in leaves]
    if mg_slope.requires_grad:
        mg_slope.backward()
    for i, b in zip(wanted, second, strict=True):
        a = mine[i].grad
        assert error(np.zeros(tuple(b.shape)) if a is None else a, b.detach().numpy(force=True)) <= tolerance, (i, a, b)
