"""Derivatives of functions: grad, value_and_grad, vjp, hvp. They take functions of tensors and never touch `.grad`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops import all_ops, sum, zeros
from minigrad.recording import enable_grad, recording
from minigrad.tape import Node, Tensor
from minigrad.walk import newest_first, walk

identity = all_ops()["identity"]


def place(x: Tensor) -> Tensor:
    """x as a place of its own on the tape: the derivative by an argument must not see the same tensor used elsewhere."""
    if not isinstance(x, Tensor):
        x = Tensor(x)
    if x.node is not None:
        return identity(x)
    leaf = x.detach()
    before = leaf.version().guard
    leaf.requires_grad_()
    leaf.version().guard = before  # x itself stays a constant that may be written to; a rule that needs its old numbers will refuse
    return leaf


def flatten(tree: Any) -> list[Any]:
    """The tensors of nested tuples, lists and dicts, in order."""
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in flatten(value)]
    if isinstance(tree, list | tuple):
        return [leaf for value in tree for leaf in flatten(value)]
    return [tree]


def unflatten(tree: Any, leaves: list[Any]) -> Any:
    """`leaves` (taken from the front) in the structure of `tree`."""
    if isinstance(tree, dict):
        return {key: unflatten(value, leaves) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        values = [unflatten(value, leaves) for value in tree]
        return type(tree)(*values) if hasattr(tree, "_fields") else type(tree)(values)  # a named tuple takes them one by one
    return leaves.pop(0)


def pull(outputs: Sequence[Tensor], seeds: Sequence[Any], inputs: Sequence[Tensor], retain_graph: bool = False) -> list[Tensor]:
    """Gradients of `outputs` by `inputs`. They are recorded in turn if, outside, something else on the tape led to the outputs."""
    live = [(out, seed) for out, seed in zip(outputs, seeds, strict=True) if out.node is not None]
    nodes: list[Node] = [x.node for x in inputs if x.node is not None]
    own = {node.tick for node in nodes}
    roots = [out.node for out, _ in live if out.node is not None]
    seeded = any(isinstance(seed, Tensor) and seed.node is not None for _, seed in live)
    deeper = seeded or any(node.recipe is None and node.tick not in own for node in newest_first(roots))
    record = recording.get() and deeper
    found = walk([out for out, _ in live], [seed for _, seed in live], nodes, retain_graph or deeper, record)
    results = []
    for x, node in zip(inputs, nodes, strict=True):
        g = found.total(node)
        results.append(zeros(x.shape, dtype=x.dtype) if g is None else g)
    return results


class Traced:
    """A function run on fresh places of the tape for chosen arguments, and what came out."""

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], argnums: Sequence[int], settings: dict[str, Any]) -> None:
        for number in argnums:
            if not -len(args) <= number < len(args):
                raise ValueError(f"argnums asks for argument {number}; the function was called with {len(args)}")
        if len({number % len(args) for number in argnums}) != len(argnums):
            raise ValueError(f"argnums={tuple(argnums)} names one argument twice")
        self.trees = [args[number] for number in argnums]
        with enable_grad():
            self.inputs = [place(leaf) for leaf in flatten(self.trees)]
            placed = iter(unflatten(self.trees, list(self.inputs)))
            chosen = {number % len(args): next(placed) for number in argnums}
            self.value = function(*[chosen.get(i, arg) for i, arg in enumerate(args)], **settings)

    def gradients(self, seeds: Sequence[Any], retain_graph: bool = False) -> list[Any]:
        """For each chosen argument its gradient, in the argument's own structure."""
        grads = pull(flatten(self.value), seeds, self.inputs, retain_graph)
        return list(unflatten(self.trees, list(grads)))


def value_and_grad(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns `function`'s value (a scalar tensor) and its gradient by the arguments `argnums`.

    An argument may be a tensor or nested tuples, lists and dicts of tensors; its gradient has the same structure. If the function
    uses other tensors that require gradients, or an argument is itself on the tape, the gradient can be differentiated again.

    >>> import minigrad as mg
    >>> value_and_grad(lambda x: (x * x).sum())(mg.tensor([1.0, 2.0]))
    (tensor(5., op=sum), tensor([2., 4.]))
    """
    if not callable(function) or isinstance(argnums, Tensor):
        raise TypeError(
            "grad takes a function and gives a function, grad(f)(x): of a tensor that is computed, call backward() and read .grad of the "
            "leaves"
        )
    many = not isinstance(argnums, int)
    numbers = tuple(argnums) if not isinstance(argnums, int) else (argnums,)

    def differentiated(*args: Any, **settings: Any) -> Any:
        run = Traced(function, args, numbers, settings)
        if not isinstance(run.value, Tensor) or run.value.size != 1:
            what = f"a tensor of shape {run.value.shape}" if isinstance(run.value, Tensor) else type(run.value).__name__
            raise ShapeError(f"grad wants a function with a scalar result; this one returned {what}: sum it, or use vjp")
        grads = run.gradients([None])
        return run.value, tuple(grads) if many else grads[0]

    return differentiated


def grad(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The gradient of a scalar `function` by its arguments `argnums`, as a function; see value_and_grad.

    >>> import minigrad as mg
    >>> cube = lambda x: x * x * x
    >>> grad(cube)(mg.tensor(2.0)), grad(grad(cube))(mg.tensor(2.0)), grad(grad(grad(cube)))(mg.tensor(2.0))
    (tensor(12.), tensor(12.), tensor(6.))
    """
    both = value_and_grad(function, argnums)
    return lambda *args, **settings: both(*args, **settings)[1]


def vjp(function: Callable[..., Any], *args: Any) -> tuple[Any, Callable[..., tuple[Any, ...]]]:
    """`function(*args)`, and a function from cotangents (one for each output, of its shape) to the gradients by all arguments.

    >>> import minigrad as mg
    >>> out, back = vjp(lambda a, b: a * b, mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0]))
    >>> back(mg.tensor([1.0, 10.0]))
    (tensor([ 3., 40.]), tensor([ 1., 20.]))
    """
    run = Traced(function, args, range(len(args)), {})
    count = len(flatten(run.value))

    def back(*seeds: Any) -> tuple[Any, ...]:
        if len(flatten(seeds)) != count:
            raise ValueError(f"vjp: the function has {count} results, and {len(flatten(seeds))} cotangents came: it takes one for each")
        return tuple(run.gradients(flatten(seeds), retain_graph=True))

    return run.value, back


def hvp(function: Callable[..., Any], args: Any, vectors: Any) -> Any:
    """Hessian of a scalar `function` times a vector, without the Hessian; `args` and `vectors` are tensors, or tuples of them.

    >>> import minigrad as mg
    >>> hvp(lambda x: (x * x * x).sum(), mg.tensor([1.0, 2.0]), mg.tensor([1.0, 1.0]))
    tensor([ 6., 12.])
    """
    single = isinstance(args, Tensor)
    xs = (args,) if single else tuple(args)
    vs = flatten(vectors)
    shapes, given = [np.shape(x) for x in flatten(xs)], [np.shape(v) for v in vs]
    if shapes != given:
        raise ShapeError(f"hvp: the arguments have shapes {shapes}, the vectors {given}: each argument needs a vector of its shape")

    def slope(*inner: Any) -> Any:
        first = grad(function, argnums=range(len(inner)))(*inner)
        total: Any = 0.0
        for g, v in zip(flatten(first), vs, strict=True):
            total = total + sum(g * v)
        return total

    second = grad(slope, argnums=range(len(xs)))(*xs)
    return second[0] if single else second
