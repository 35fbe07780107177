"""The table of differences in docs/guide.md, its two columns side by side: what is written so in PyTorch is written so here."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
import minigrad.nn.functional as F

A = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
PLACES = np.array([[0, 1], [2, 3], [1, 1]])
SRC = np.ones((3, 2), np.float32)

ROWS = {
    "sum": (lambda t, T: t.sum(dim=1, keepdim=True), lambda x: x.sum(axis=1, keepdims=True)),
    "cat": (lambda t, T: T.cat([t, t], dim=1), lambda x: mg.cat([x, x], axis=1)),
    "softmax": (lambda t, T: T.nn.functional.softmax(t, dim=1), lambda x: F.softmax(x, dim=1)),
    "max": (lambda t, T: t.max(1), lambda x: (x.max(1), x.argmax(1))),
    "min": (lambda t, T: t.min(1), lambda x: (x.min(1), x.argmin(1))),
    "sort": (lambda t, T: t.sort(1), lambda x: (x.sort(1), x.argsort(1))),
    "topk": (lambda t, T: t.topk(2, 1), lambda x: x.topk(2, 1)),
    "size": (lambda t, T: (t.size(0), t.dim(), t.numel()), lambda x: (x.shape[0], x.ndim, x.size)),
    "transpose": (lambda t, T: t.transpose(0, 1), lambda x: x.swapaxes(0, 1)),
    "t": (lambda t, T: t.t(), lambda x: x.T),
    "repeat": (lambda t, T: t.repeat(2, 3), lambda x: x.tile(2, 3)),
    "repeat_interleave": (lambda t, T: t.repeat_interleave(2, 1), lambda x: x.repeat(2, 1)),
    "split": (lambda t, T: t.split(3, 1), lambda x: x.split([3], axis=1)),
    "chunk": (lambda t, T: t.chunk(3, 1), lambda x: x.chunk(3, axis=1)),
    "expand": (lambda t, T: t[0].expand(3, 4), lambda x: x[0].broadcast_to(3, 4)),
    "clamp": (lambda t, T: t.clamp(min=0), lambda x: x.clip(lo=0)),
    "gather": (lambda t, T: t.gather(1, T.tensor(PLACES)), lambda x: x.take_along_axis(PLACES, axis=1)),
    "index_select": (lambda t, T: t.index_select(0, T.tensor([2, 0])), lambda x: x.take([2, 0], axis=0)),
    "scatter_add": (lambda t, T: t.scatter_add(1, T.tensor(PLACES), T.tensor(SRC)), lambda x: x.scatter_add(PLACES, SRC, axis=1)),
    "flatten": (lambda t, T: t.reshape(3, 2, 2).flatten(start_dim=1), lambda x: x.reshape(3, 2, 2).flatten(1)),
    "var": (lambda t, T: (t.var(), t.std()), lambda x: (x.var(ddof=1), x.std(ddof=1))),
    "norm": (lambda t, T: T.norm(t, p=1), lambda x: mg.norm(x, ord=1)),
    "double": (lambda t, T: (t.double(), t.long()), lambda x: (x.astype("float64"), x.astype("int64"))),
}


def plain(value):
    """Results as NumPy arrays."""
    return [np.asarray(one) for one in (value if isinstance(value, tuple) else (value,))]


@pytest.mark.parametrize("name", ROWS)
def test_both_columns_give_the_same(name):
    torch = pytest.importorskip("torch")
    theirs, ours = ROWS[name]
    for a, b in zip(plain(theirs(torch.tensor(A), torch)), plain(ours(mg.tensor(A))), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5)


def test_each_row_stands_in_the_table():
    table = (Path(__file__).parents[1] / "docs" / "guide.md").read_text(encoding="utf8").partition("## From PyTorch")[2]
    left = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| "))
    said = set(re.findall(r"\w+", left)) | {"softmax", "topk", "min", "sort"}
    assert set(ROWS) <= said
