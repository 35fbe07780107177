"""Tables of vectors: one for each index (Embedding), or one for each bag of indices (EmbeddingBag)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops import getitem, take, where
from minigrad.ops import max as largest
from minigrad.tape import Tensor

from . import init
from .layers import check_sizes, in_dtype
from .module import Module, Parameter

MODES = ("mean", "sum", "max")


class Embedding(Module):
    """A table of vectors: whole numbers of any shape (...) -> (..., embedding_dim).

    Parameter `weight` (num_embeddings, embedding_dim), standard normal at the start, as in PyTorch. The row `padding_idx`, if there is one,
    starts at zero and gets no gradient. With `sparse` the gradient is that of the rows used, and a step of the optimiser costs what these
    rows cost (optim/lag.py), with the same numbers. Raises ShapeError for an index out of range (negative ones too), DtypeError for
    indices that are not whole numbers.

    >>> Embedding(10, 4)([[1, 2, 1]]).shape
    (1, 3, 4)
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *, sparse: bool = False, dtype: Any = np.float32
    ) -> None:
        super().__init__()
        check_sizes(self, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = row_of_padding(type(self).__name__, padding_idx, num_embeddings)
        self.weight = init.normal_(Parameter(np.zeros((num_embeddings, embedding_dim), dtype)))
        self.weight.sparse_grad = sparse
        if self.padding_idx is not None:
            start = self.weight.numpy().copy()
            start[self.padding_idx] = 0.0
            self.weight.assign_(start)

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, **settings: Any) -> Self:
        """A layer with a copy of these vectors (num_embeddings, embedding_dim), which are not trained unless freeze=False.

        >>> Embedding.from_pretrained([[1.0, 2.0], [3.0, 4.0]])([1])
        tensor([[3., 4.]])
        """
        table = Tensor(embeddings)
        if table.ndim != 2 or table.dtype.kind != "f":
            raise ShapeError(
                f"{cls.__name__}: vectors of shape {table.shape}, {table.dtype}, expected floats of (num_embeddings, embedding_dim)"
            )
        layer = cls(*table.shape, dtype=table.dtype, **settings)
        layer.weight.assign_(table)
        layer.requires_grad_(not freeze)
        return layer

    def forward(self, indices: Any) -> Tensor:
        """The rows of the table at `indices`."""
        return rows(self.weight, check_indices(self.label(), indices, self.num_embeddings), self.padding_idx)

    def extra_repr(self) -> str:
        """Rows and columns of the table, and the row of the padding."""
        return f"{self.num_embeddings}, {self.embedding_dim}" + ("" if self.padding_idx is None else f", padding_idx={self.padding_idx}")


class EmbeddingBag(Embedding):
    """The mean, sum or maximum of the vectors of each bag of indices: (bags, n) -> (bags, embedding_dim).

    Or bags of different lengths: all indices in one row (n,), and `offsets` (bags,) where each bag begins. Indices equal to `padding_idx`
    do not count; a bag of nothing gives zeros. `per_sample_weights`, in the shape of the indices, multiply the vectors (mode="sum" only).
    Parameter and errors are Embedding's; ValueError for another mode.

    >>> bag = EmbeddingBag.from_pretrained([[1.0, 2.0], [3.0, 4.0]], mode="sum")
    >>> bag([[0, 1], [1, 1]])
    tensor([[4., 6.],
            [6., 8.]])
    >>> bag([0, 1, 1], offsets=[0, 1])
    tensor([[1., 2.],
            [6., 8.]])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        mode: str = "mean",
        padding_idx: int | None = None,
        include_last_offset: bool = False,
        sparse: bool = False,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, sparse=sparse, dtype=dtype)
        if mode not in MODES:
            raise ValueError(f"EmbeddingBag: mode={mode!r} is not one of {', '.join(map(repr, MODES))}")
        self.mode = mode
        self.include_last_offset = include_last_offset

    def forward(self, indices: Any, offsets: Any = None, per_sample_weights: Any = None) -> Tensor:
        """One vector a bag."""
        places = check_indices(self.label(), indices, self.num_embeddings)
        kept = np.ones(places.shape, bool)
        weights = None if per_sample_weights is None else in_dtype(self, per_sample_weights, self.weight.dtype, "per_sample_weights")
        if weights is not None and (self.mode != "sum" or weights.shape != places.shape):
            raise ShapeError(
                f"{self.label()}: per_sample_weights of shape {weights.shape} with indices of shape {places.shape} and mode={self.mode!r}; "
                "expected equal shapes and mode='sum'"
            )
        if places.ndim == 1:
            chosen, kept = self.bags(len(places), offsets)
            places = places[chosen]
            weights = None if weights is None else getitem(weights, chosen)
        elif places.ndim != 2 or offsets is not None:
            raise ShapeError(f"{self.label()}: indices have shape {places.shape}, expected (bags, n), or (n,) with offsets (bags,)")
        if self.padding_idx is not None:
            kept = kept & (places != self.padding_idx)
        return self.pooled(take(self.weight, places), kept, weights)

    def bags(self, count: int, offsets: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Bags of different lengths as a table (bags, longest): which of the `count` indices stands where, and where there is one."""
        starts = None if offsets is None else np.asarray(offsets)
        if starts is None or starts.ndim != 1 or not starts.size or starts.dtype.kind not in "iu":
            raise ShapeError(f"{self.label()}: indices in one row want offsets (bags,), whole numbers that say where each bag begins")
        ends = np.append(starts[1:], count) if not self.include_last_offset else starts[1:]
        starts = starts[: len(ends)]
        if starts[:1].any() or (ends < starts).any() or (ends > count).any():
            raise ShapeError(f"{self.label()}: offsets should begin with 0, not fall, and stay within the {count} indices; got {offsets}")
        places = starts[:, None] + np.arange((ends - starts).max(initial=0))
        kept = places < ends[:, None]
        return np.where(kept, places, 0).astype(np.int64), kept

    def pooled(self, vectors: Tensor, kept: np.ndarray[Any, Any], weights: Tensor | None) -> Tensor:
        """(bags, n, embedding_dim) -> (bags, embedding_dim), of what is kept."""
        if weights is not None:
            vectors = vectors * weights.expand_dims(-1)
        counts = kept.sum(axis=1)[:, None]
        if self.mode == "max":
            if not kept.shape[1]:
                return vectors.sum(axis=1)
            return where(counts > 0, largest(where(kept[..., None], vectors, -np.inf), axis=1), 0.0)
        if not kept.all():
            vectors = where(kept[..., None], vectors, 0.0)
        total = vectors.sum(axis=1)
        return total if self.mode == "sum" else total * (1.0 / np.maximum(counts, 1)).astype(total.dtype)

    def extra_repr(self) -> str:
        """Rows and columns of the table, and what is made of a bag."""
        return f"{super().extra_repr()}, mode={self.mode!r}"


def row_of_padding(what: str, padding_idx: int | None, count: int) -> int | None:
    """`padding_idx` as a row from 0; negative ones count from the end."""
    if padding_idx is None:
        return None
    if not isinstance(padding_idx, int | np.integer) or not -count <= padding_idx < count:
        raise ValueError(f"{what}: padding_idx={padding_idx!r} should be a row of the table of {count}")
    return int(padding_idx) % count


def check_indices(what: str, indices: Any, count: int) -> np.ndarray[Any, Any]:
    """The indices as whole numbers within the table."""
    places = np.asarray(indices)
    if places.dtype.kind not in "iu" and places.size:
        raise DtypeError(f"{what}: indices are {places.dtype}, expected whole numbers: convert them with .astype('int64')")
    if places.size and not 0 <= places.min() <= places.max() < count:
        raise ShapeError(f"{what}: indices run from {places.min()} to {places.max()}, num_embeddings={count} allows 0 to {count - 1}")
    return places.astype(np.int64)


def rows(weight: Tensor, places: np.ndarray[Any, Any], padding: int | None) -> Tensor:
    """The rows of the table at `places`; that of the padding is a constant."""
    found = take(weight, places)
    if padding is not None:
        empty = (places == padding)[..., None]
        if empty.any():
            return where(empty, found.detach(), found)
    return found
