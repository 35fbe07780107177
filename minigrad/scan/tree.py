"""Nested tuples, lists and dicts of tensors, as one flat list and back. None is a tree without tensors."""

from __future__ import annotations

from typing import Any

from minigrad.tape import Tensor

Tree = Any


def flatten(tree: Tree) -> tuple[list[Any], Any]:
    """The leaves of a tree in order, and its structure, which compares equal for trees of one kind.

    >>> flatten({"b": (1, 2), "a": None})
    ([1, 2], ('dict', (('a', None), ('b', ('tuple', ('*', '*'))))))
    """
    leaves: list[Any] = []
    return leaves, structure(tree, leaves)


def structure(tree: Tree, leaves: list[Any]) -> Any:
    """The structure of a tree, whose leaves are added to `leaves`."""
    if isinstance(tree, Tensor):
        leaves.append(tree)
        return "*"
    if tree is None:
        return None
    if type(tree) in (tuple, list):
        return type(tree).__name__, tuple([structure(item, leaves) for item in tree])
    if isinstance(tree, tuple):  # a namedtuple is made again from its class
        return type(tree), tuple([structure(item, leaves) for item in tree])
    if isinstance(tree, dict):
        keys = sorted(tree, key=str)
        return "dict", tuple([(key, structure(tree[key], leaves)) for key in keys])
    leaves.append(tree)
    return "*"


def unflatten(kind: Any, leaves: list[Any]) -> Tree:
    """The tree of that structure with these leaves."""
    return grow(kind, iter(leaves))


def grow(kind: Any, leaves: Any) -> Tree:
    """`unflatten` from an iterator."""
    if kind is None:
        return None
    if kind == "*":
        return next(leaves)
    name, items = kind
    if name == "dict":
        return {key: grow(item, leaves) for key, item in items}
    values = [grow(item, leaves) for item in items]
    return values if name == "list" else tuple(values) if name == "tuple" else name(*values)


def detach(tree: Tree) -> Tree:
    """The same numbers (the same memory) without their history: a tensor, or a tuple, list or dict of tensors such as a recurrent state.

    What is no tensor, None among it, stays as it is.

    >>> import minigrad as mg
    >>> w = mg.tensor([2.0], requires_grad=True)
    >>> h, c = detach((w * 3.0, None))
    >>> h.requires_grad, c
    (False, None)
    """
    leaves, kind = flatten(tree)
    return unflatten(kind, [leaf.detach() if isinstance(leaf, Tensor) else leaf for leaf in leaves])
