"""lookup: where the rows of x came from a table, as an embedding gives them, a product of x is had once for each different row.

x_t W^T has equal rows where x_t has. So one row of each kind is multiplied, and what comes of it is taken for the others: the same
bits, in as many multiplications as there are different symbols. Backward in the same way: with S, the sums of dz over equal rows, and X,
the different rows, dW = S^T X; and of dx, which the table adds up over equal rows again, one row of each kind gets all of S W. Where
anybody looks at dx itself (a hook, retain_grad, mg.grad for it), each row gets its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.errors import MutationError
from minigrad.op import Op, wants
from minigrad.ops import all_ops
from minigrad.recording import is_recording
from minigrad.sparse import add_up
from minigrad.tape import Node, Rules, Tensor, entry, wrap

try:
    from minigrad._matmul import distinct  # type: ignore[import-not-found]
except ImportError:  # without compiled modules every scan runs as its loop, and nothing here is called
    distinct = None

OPS = all_ops()
TAKE = OPS["take"]
SHAPES = [OPS[name] for name in ("reshape", "expand_dims", "squeeze")]  # the elements in the same order ...
MOVES = [OPS[name] for name in ("transpose", "swapaxes", "getitem")]  # ... or in another, maybe some of them
LEAST = 4e6  # floating operations of a product that takes longer than to look for equal rows


class Lookup(Rules):
    """The entry of a product whose rows were looked up."""

    __slots__ = ("op", "path", "rows", "sums", "weight", "where", "which")

    def __init__(self, op: Op, weight: Tensor, path: list[Node], rows: Any, where: Any, which: Any) -> None:
        self.op = op
        self.weight = weight
        self.path = path  # the entries through which the rows came from their table
        self.rows = rows  # one of each kind
        self.where = where  # ... and its place among all
        self.which = which  # the kind of each row
        self.sums: Any = None  # of which gradient the sums over equal rows are known, and these

    def labels(self) -> list[str]:
        """What an entry keeps, by name."""
        return ["weight", "rows", "where", "which"]

    def summed(self, g: Any) -> Any:
        """g, with its equal rows added up."""
        sums = np.zeros((len(self.rows), g.shape[-1]), g.dtype)
        add_up(sums, g, self.which)
        return sums

    def constant(self, g: Any) -> tuple[Tensor, Tensor]:
        """What stands for the gradient g and for x in the gradient of the weight. The sums wait for `play`."""
        sums = self.summed(g)
        self.sums = g, sums
        return wrap(sums, None), wrap(self.rows, None)

    def play(self, node: Node, g: Tensor, table: Any) -> None:
        """The gradient of x: for rows that only their table hears of, that of one row of each kind."""
        (parent,) = node.parents
        if any(cell.changed > node.tick for cell in node.cells):
            raise MutationError(
                f"'{node.name}' kept a weight for the backward pass, and {node.cells[0].cause} has changed it in place since"
            )
        sums, self.sums = self.sums, None
        if table.serves is not None and parent.tick not in table.serves:
            return
        if table.recorded or table.serves is not None or any(passed.watch is not None for passed in self.path):
            table.add(parent, self.of_x(g, parent.shape), self.op)
            return
        known = sums is not None and same_memory(sums[0], g._array)
        each = self.of_x(wrap(sums[1] if known else self.summed(g._array), None), self.rows.shape)
        found = np.zeros((self.which.size, each.shape[-1]), each.dtype)
        found[self.where] = each._array
        table.give(parent, wrap(found.reshape(parent.shape), None), self.op)

    def of_x(self, g: Tensor, shape: tuple[int, ...]) -> Any:
        """The rule of the product for its rows."""
        given = {"g": g, "a_shape": shape, "weight": self.weight, "b": self.weight}
        rule = self.op.rules[0]
        return rule(*[given[name] for name in wants(rule)])


def same_memory(a: Any, b: Any) -> bool:
    """Whether two arrays are one, seen twice."""
    return a is b or (a.shape == b.shape and a.strides == b.strides and a.ctypes.data == b.ctypes.data)


def product(op: Op, x: Tensor, weights: list[Any], settings: dict[str, Any]) -> Tensor | None:
    """The product of x, which is on the tape, by way of its different rows; None where x is not known to have come from a table, or has few
    that are the same."""
    weight, array = weights[0], x._array
    if x.node is None or not is_recording() or 2.0 * weight.size * array.size < LEAST * array.shape[-1]:
        return None
    path: list[Node] = []
    places = places_of(x.node, path)
    if places is None:
        return None
    where, which = distinct(places)
    if 2 * len(where) > which.size or not which.size:
        return None
    rows = array.reshape(which.size, -1)[where]
    each = op(wrap(rows, None), *weights, **settings)
    out = OPS["take"](each, which.reshape(places.shape))
    recipe = Lookup(op, weight, path, rows, where, which)
    out.node = entry(out._array, recipe, (x.node,), (weight._array, rows, where, which), [weight.version()])
    return out


def places_of(node: Node, path: list[Node]) -> Any:
    """Whole numbers, one for each row of a result, equal where rows are sure to be, for they were taken from one table; None if that is
    not known. The entries that they came through are added to `path`."""
    parent = node.parents[0] if node.parents else None
    if parent is None or node.kept is None or len(parent.shape) < 2:
        return None
    if any(cell.shared or cell.changed > node.tick for cell in node.cells or ()):  # indices that are others now, or may be
        return None
    op, kept = node.recipe.op, dict(zip(node.recipe.labels(), node.kept, strict=True))
    if op is TAKE:
        found = taken(kept, parent, path)
    elif op in SHAPES and node.shape[-1:] == parent.shape[-1:]:
        among = places_of(parent, path)
        found = None if among is None else among.reshape(node.shape[:-1])
    elif op in MOVES:
        found = moved(lambda array: op.body(array, **{label: kept[label] for label in op.settings}), parent, path)
    else:
        found = None
    path.append(node)
    return found


def taken(kept: dict[str, Any], parent: Node, path: list[Node]) -> Any:
    """`places_of` for rows of a table, or of what was taken from one."""
    if kept["axis"] not in (0, -len(parent.shape)):
        return None
    numbers, among = np.asarray(kept["indices"], np.intp), places_of(parent, path)
    if among is not None:
        return among[numbers]
    if len(parent.shape) != 2:
        return None
    return numbers % parent.shape[0] if numbers.min(initial=0) < 0 else numbers


def moved(move: Callable[[Any], Any], parent: Node, path: list[Node]) -> Any:
    """`places_of` for a view with other axes. The columns have to be the last one still: a view of their numbers says where they are."""
    width = parent.shape[-1]
    columns = move(np.broadcast_to(np.arange(width), parent.shape))
    lengths = zip(columns.shape[:-1], columns.strides[:-1], strict=True)
    if width < 2 or not columns.size or not columns.strides[-1] or any(length > 1 and stride for length, stride in lengths):
        return None
    among = places_of(parent, path)
    return None if among is None else move(np.broadcast_to(among[..., None], parent.shape))[..., 0]
