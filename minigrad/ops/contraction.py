"""Sums of products in Einstein's notation: einsum, and the product of two arrays that it is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.op import op
from minigrad.tape import Tensor

from .creation import as_tensors
from .diagonals import diagonal
from .elementwise import mul
from .linalg import linear, matmul
from .reduce import sum_
from .shape import reshape, transpose

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
Labels = list[Any]  # of the axes: a letter each; for the axes that ... stands for, their places from the right: -2, -1


def turned(subscripts: str, order: str) -> str:
    """The product that has the gradient of one operand: "ab,bc->ac" and (2, 1, 0) become "ac,bc->ab"."""
    terms = subscripts.replace("->", ",").split(",")
    a, b, out = [terms[int(place)] for place in order]
    return f"{a},{b}->{out}"


@op(
    a=lambda g, b, subscripts: einsum_(g, b, subscripts=turned(subscripts, "210")),
    b=lambda g, a, subscripts: einsum_(a, g, subscripts=turned(subscripts, "021")),
)
def einsum_(a: Any, b: Any, *, subscripts: str) -> Any:
    """The product of two arrays, summed over the axes that the result does not have.   (m,k),(k,n) -> (m,n)

    Each axis of an operand is one of the other or of the result. A label stands once in an operand, with one length everywhere:
    einsum sees to that. The gradients are such products too.
    """
    left, right, out = subscripts.replace("->", ",").split(",")
    batch = [label for label in left if label in right and label in out]
    inner = [label for label in left if label in right and label not in out]
    rows = [label for label in left if label not in right]
    cols = [label for label in right if label not in left]
    if not inner or not (rows or cols):
        return np.einsum(subscripts, a, b)  # no matrix product in it
    lengths = dict(zip(left, a.shape, strict=True)) | dict(zip(right, b.shape, strict=True))
    product = np.matmul(stacked(a, left, batch, rows, inner), stacked(b, right, batch, inner, cols))
    order = batch + rows + cols
    return product.reshape([lengths[label] for label in order]).transpose([order.index(label) for label in out])


def stacked(x: Any, labels: str, batch: list[str], rows: list[str], cols: list[str]) -> Any:
    """x as matrices, one for each place along the axes of `batch`."""
    x = x.transpose([labels.index(label) for label in (*batch, *rows, *cols)])
    some = len(batch)
    return x.reshape(*x.shape[:some], math.prod(x.shape[some : some + len(rows)]), math.prod(x.shape[some + len(rows) :]))


def refuse(subscripts: str, problem: str) -> ShapeError:
    """What einsum raises."""
    return ShapeError(f"einsum({subscripts!r}): {problem}")


def labels_of(term: str, subscripts: str) -> tuple[str, bool, str]:
    """The letters of one term: before an ellipsis, whether there is one, and behind it."""
    before, dots, behind = term.partition("...")
    for letter in before + behind:
        if letter not in LETTERS:
            raise refuse(subscripts, f"{letter!r} in {term!r} is no label: an axis is a letter, any number of axes is '...', once a term")
    return before, bool(dots), behind


def read(subscripts: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[Labels], Labels]:
    """The labels of every operand's axes, and of the result's. Raises ShapeError where NumPy would refuse."""
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(shapes):
        raise refuse(subscripts, f"{len(terms)} terms before '->', {len(shapes)} operands: each operand needs one term")
    found: list[Labels] = []
    for number, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        before, dots, behind = labels_of(term, subscripts)
        loose = len(shape) - len(before) - len(behind)
        if loose < 0 or (loose and not dots):
            more = "" if dots else "; '...' stands for axes without a letter"
            raise refuse(subscripts, f"operand {number} has shape {shape} and the term {term!r}: one letter an axis{more}")
        found.append([*before, *range(-loose, 0), *behind])
    everything = [label for labels in found for label in labels]
    wide = range(-max([sum(isinstance(label, int) for label in labels) for labels in found]), 0)
    if not arrow:
        return found, [*wide, *sorted({label for label in everything if isinstance(label, str) and everything.count(label) == 1})]
    before, dots, behind = labels_of(output, subscripts)
    if wide and not dots:
        raise refuse(subscripts, f"'...' stands for {len(wide)} axes that the result has no '...' for: write '->...' to keep them")
    out = [*before, *(wide if dots else ()), *behind]
    for label in before + behind:
        if out.count(label) > 1 or label not in everything:
            raise refuse(subscripts, f"the result's label {label!r} must stand in an operand, and in the result once")
    return found, out


def lengths_of(subscripts: str, shapes: Sequence[tuple[int, ...]], labels: list[Labels]) -> dict[Any, int]:
    """The length of every label: one number for all, but that axes of 1 stretch beside other operands."""
    lengths: dict[Any, int] = {}
    for number, (shape, own) in enumerate(zip(shapes, labels, strict=True)):
        here: dict[Any, int] = {}
        for axis, (label, length) in enumerate(zip(own, shape, strict=True)):
            known = lengths.get(label, 1)
            if here.setdefault(label, length) != length or (1 not in (known, length) and known != length):
                name = "axes of '...'" if isinstance(label, int) else repr(label)
                want = here[label] if here[label] != length else known
                problem = f"operand {number} of shape {shape} has length {length} at axis {axis}, but {name} is {want} elsewhere"
                raise refuse(subscripts, problem)
            lengths[label] = length if known == 1 else known
    return lengths


def single(x: Tensor, labels: Labels, lengths: dict[Any, int]) -> tuple[Tensor, Labels]:
    """x with each label once (its diagonal), and without the axes of length 1 that another operand has in full."""
    labels = list(labels)
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = diagonal(x, axis1=first, axis2=second)
            labels = [*labels[:first], *labels[first + 1 : second], *labels[second + 1 :], label]
    kept = [axis for axis, label in enumerate(labels) if x.shape[axis] == lengths[label]]
    if len(kept) < len(labels):
        x = reshape(x, shape=tuple([x.shape[axis] for axis in kept]))
    return x, [labels[axis] for axis in kept]


def summed(x: Tensor, labels: Labels, wanted: set[Any]) -> tuple[Tensor, Labels]:
    """x without the axes that nobody else wants."""
    gone = tuple([axis for axis, label in enumerate(labels) if label not in wanted])
    return (sum_(x, axis=gone), [label for label in labels if label in wanted]) if gone else (x, labels)


def product(a: Tensor, left: Labels, b: Tensor, right: Labels, wanted: set[Any]) -> tuple[Tensor, Labels]:
    """Two operands as one, with the axes that are wanted later; as the plain operation it is where it is one."""
    if left == right and wanted.issuperset(left):
        return mul(a, b), left
    if len(left) > 1 and len(right) == 2 and wanted.issuperset(left[:-1]) and left[-1] not in wanted:
        if right[0] == left[-1] and right[1] not in left and right[1] in wanted:
            return matmul(a, b), [*left[:-1], right[1]]
        if right[1] == left[-1] and right[0] not in left and right[0] in wanted:
            return linear(a, b), [*left[:-1], right[0]]
    names = dict(zip(dict.fromkeys([*left, *right]), LETTERS, strict=False))
    result = [label for label in names if label in wanted]
    a_names, b_names, out = ["".join([names[label] for label in part]) for part in (left, right, result)]
    return einsum_(a, b, subscripts=f"{a_names},{b_names}->{out}"), result


def path(labels: list[Labels], lengths: dict[Any, int], out: Labels) -> list[tuple[int, ...]]:
    """In which order to multiply: NumPy's greedy choice, which looks at the sizes of what lies between."""
    if len(labels) < 3:
        return [tuple(range(len(labels)))]
    numbers = {label: number for number, label in enumerate(lengths)}
    pairs: list[Any] = []
    for own in labels:
        pairs += [np.broadcast_to(0.0, [lengths[label] for label in own]), [numbers[label] for label in own]]
    order: Any = np.einsum_path(*pairs, [numbers[label] for label in out], optimize="greedy")[0]
    return list(order[1:])


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """The sum of products that `subscripts` describes, as NumPy reads them: a letter an axis.   (m,k),(k,n) -> (m,n)

    Axes with the same letter run together: in one operand, they are its diagonal; in several, elements are multiplied. Letters that
    the part behind `->` leaves out are summed. Without `->` the result has the letters that stand once, in alphabetical order.
    `...` stands for the axes without a letter, which broadcast; so do axes of length 1. Three operands and more are multiplied
    in pairs, in the order that NumPy's greedy path finds cheapest. Raises ShapeError if letters and shapes do not fit.

    >>> einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])
    tensor([21., 43.])
    >>> einsum("ii->i", [[1.0, 2.0], [3.0, 4.0]])
    tensor([1., 4.])
    """
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: the first argument is a string of subscripts such as 'ij,jk->ik', got {type(subscripts).__name__}")
    tensors = as_tensors(*operands)
    shapes = [x.shape for x in tensors]
    labels, out = read(subscripts, shapes)
    lengths = lengths_of(subscripts, shapes, labels)
    if len(lengths) > len(LETTERS):
        raise refuse(subscripts, f"{len(lengths)} different axes; at most {len(LETTERS)} can be told apart")
    for number, own in enumerate(labels):
        tensors[number], labels[number] = single(tensors[number], own, lengths)
    for number, own in enumerate(labels):
        others = {label for k, other in enumerate(labels) if k != number for label in other}
        tensors[number], labels[number] = summed(tensors[number], own, others | set(out))
    for group in path(labels, lengths, out):
        parts = [(tensors[number], labels[number]) for number in group]
        for number in sorted(group, reverse=True):
            del tensors[number], labels[number]
        result, own = parts[0]
        for count, (x, more) in enumerate(parts[1:], 2):
            later = {label for rest in labels + [other for _, other in parts[count:]] for label in rest}
            result, own = product(result, own, x, more, later | set(out))
        tensors.append(result)
        labels.append(own)
    result, own = tensors[0], labels[0]
    return result if own == out else transpose(result, axes=tuple([own.index(label) for label in out]))
