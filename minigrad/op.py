"""An operation is one statement: the NumPy body, and one gradient rule for each array argument.

    @op(a=lambda g, b: g * b,
        b=lambda g, a: g * a)
    def mul(a, b): ...

A rule names what it needs and gets just that: `g` (the gradient of the result), `out` (the result), an argument, the shape
of one (`a_shape`), or a setting. What no rule names is not kept. Rules are ordinary minigrad code: with recording off they are
the first derivative, with recording on they are differentiated themselves, to any order.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.tape import DtypeError, Gradients, MutationError, Node, ShapeError, Tensor, Version, as_array, operators, recording, wrap

ARGUMENT, SHAPE, SETTING, RESULT = range(4)  # what a kept value is
GRADIENT = -1  # a rule's want that is not kept: the g of the walk


class Into:
    """A rule that may add its gradient to a buffer instead of making an array of the argument's shape.

    `rule` is the ordinary rule, used where the gradient is recorded in turn; `add(buffer, g, ...)` takes NumPy arrays and
    the same names. It lets k slices of one tensor cost one buffer and not k.
    """

    __slots__ = ("add", "rule")

    def __init__(self, rule: Callable[..., Any], add: Callable[..., None]) -> None:
        self.rule = rule
        self.add = add


class Recipe:
    """What one operation keeps and plays back when a given subset of its arguments needs a gradient."""

    __slots__ = ("keeps", "op", "pulls")

    def __init__(self, op: Op, needed: list[int]) -> None:
        self.op = op
        self.keeps: list[tuple[int, int, str]] = []  # (kind, position of the argument, name of the setting)
        self.pulls: list[tuple[int, Any, Any, list[int]]] = []  # (argument, rule, its `add` or None, what it wants)
        for position in needed:
            rule = op.rules[position]
            add = None
            if isinstance(rule, Into):
                rule, add = rule.rule, rule.add
            if rule is not None:
                self.pulls.append((position, rule, add, [self.want(name) for name in inspect.signature(rule).parameters]))

    def want(self, name: str) -> int:
        """The place in `kept` of what a rule calls `name`."""
        op = self.op
        if name == "g":
            return GRADIENT
        if name == "out":
            source = (RESULT, 0, "")
        elif name in op.arguments and not op.variadic:
            source = (ARGUMENT, op.arguments.index(name), "")
        elif name.endswith("_shape") and name[:-6] in op.arguments:
            source = (SHAPE, op.arguments.index(name[:-6]), "")
        elif name in op.settings:
            source = (SETTING, 0, name)
        else:
            raise TypeError(f"a rule of operation '{op.name}' asks for '{name}', which is neither g, out, an argument, its shape nor a setting")
        if source not in self.keeps:
            self.keeps.append(source)
        return self.keeps.index(source)

    def labels(self) -> list[str]:
        """What each kept value is, in the rules' words."""
        return [
            "out" if kind == RESULT else name if kind == SETTING else self.op.arguments[position] + ("_shape" if kind == SHAPE else "")
            for kind, position, name in self.keeps
        ]

    def record(self, out: Tensor, args: Any, arrays: list[Any], settings: dict[str, Any]) -> None:
        """Give `out` its node: the parents, and what the rules have named."""
        op = self.op
        result = out._array
        kept: list[Any] = []
        versions: list[Any] = []
        for kind, position, name in self.keeps:
            if kind == ARGUMENT:
                source = args[position]
                if isinstance(source, Tensor):
                    kept.append(source._array)
                    if source._version is not None or source.node is None or source.node.recipe is None:
                        version = source.version()
                        versions.append((version, version.count, op.arguments[position]))
                else:
                    array = arrays[position]  # not a tensor: its owner may write to it, so a copy is kept
                    kept.append(array.copy() if isinstance(array, np.ndarray) else array)
            elif kind == RESULT:
                kept.append(result)
            elif kind == SHAPE:
                kept.append([np.shape(array) for array in arrays] if op.variadic else np.shape(arrays[position]))
            else:
                kept.append(settings.get(name, op.settings[name]))
        parents = tuple([arg.node if isinstance(arg, Tensor) else None for arg in args])
        node = Node(result.shape, result.dtype, self, parents, tuple(kept))
        if versions:
            node.versions = versions
        out.node = node

    def play(self, node: Node, g: Tensor, table: Gradients) -> None:
        """Run the rules: from the gradient of the result to those of the arguments, into the walk's table."""
        op = self.op
        kept = node.kept
        parents = node.parents
        if node.versions is not None:
            for version, count, name in node.versions:
                if version.count != count:
                    refuse_moved(node, version, name)
        held = self.tensors(node, kept, parents, table.recorded)
        for position, rule, add, wants in self.pulls:
            if op.variadic:
                self.play_variadic(rule(*[g if want < 0 else held[want] for want in wants]), parents, table)
                continue
            parent = parents[position]
            if table.serves is not None and parent.tick not in table.serves:
                continue
            if add is not None and not table.recorded:
                buffer = table.buffer(parent)
                add(buffer, *[g._array if want < 0 else kept[want] for want in wants])
                continue
            if len(wants) == 2:
                first, second = wants
                gradient = rule(g if first < 0 else held[first], g if second < 0 else held[second])
            else:
                gradient = rule(*[g if want < 0 else held[want] for want in wants])
            if gradient is None:
                continue
            if op.broadcasts and gradient._array.shape != parent.shape:
                gradient = sum_to(gradient, parent.shape)
            table.add(parent, gradient, op.name)

    def play_variadic(self, gradients: Any, parents: Any, table: Gradients) -> None:
        """A variadic rule gives the gradients of all its arguments at once."""
        for parent, gradient in zip(parents, gradients, strict=True):
            if parent is not None and (table.serves is None or parent.tick in table.serves):
                table.add(parent, gradient, self.op.name)

    def tensors(self, node: Node, kept: Any, parents: Any, recorded: bool) -> list[Any]:
        """The kept values as rules want them: arrays as tensors, and under create_graph with their place on the tape."""
        held = []
        for (kind, position, _), value in zip(self.keeps, kept):
            if kind == ARGUMENT:
                if isinstance(value, np.ndarray):
                    value = wrap(value, parents[position] if recorded else None)
            elif kind == RESULT:
                value = wrap(value, node if recorded else None)
            held.append(value)
        return held


def refuse_moved(node: Node, version: Version, name: str) -> None:
    """Raise the sentence about a kept array that was changed."""
    raise MutationError(
        f"'{node.name}' (result of shape {node.shape}) kept its argument '{name}' for the backward pass, and {version.cause} has changed it in "
        "place since: run backward before changing it, or give the operation a clone()"
    )


def level(arrays: list[Any]) -> list[Any]:
    """Whole numbers beside floats take the float's dtype: NumPy would turn float32 and int64 into float64, unasked."""
    kinds = {array.dtype.kind for array in arrays if isinstance(array, np.ndarray)}
    if "f" not in kinds or kinds <= {"f", "b"}:
        return arrays
    to = np.result_type(*[array.dtype for array in arrays if isinstance(array, np.ndarray) and array.dtype.kind == "f"])
    return [array.astype(to) if isinstance(array, np.ndarray) and array.dtype.kind in "iu" else array for array in arrays]


class Op:
    """A differentiable operation. Call it with arrays by position and settings by keyword; it returns a new tensor."""

    __slots__ = ("arguments", "body", "broadcasts", "kernel", "name", "recipes", "rules", "settings", "variadic", "view")

    def __init__(self, body: Callable[..., Any], rules: dict[str, Any], broadcasts: bool, view: bool) -> None:
        self.body = body
        self.kernel: Any = None
        self.name: str = body.__name__.rstrip("_")
        self.broadcasts = broadcasts  # a rule's gradient is summed to the shape of its argument
        self.view = view  # the result may look at the memory of the first argument
        self.arguments: list[str] = []
        self.settings: dict[str, Any] = {}
        self.variadic = False
        for parameter in inspect.signature(body).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                self.settings[parameter.name] = parameter.default
            else:
                self.arguments.append(parameter.name)
                self.variadic |= parameter.kind is parameter.VAR_POSITIONAL
        if sorted(rules) != sorted(self.arguments):
            raise TypeError(
                f"operation '{self.name}' has the array arguments {self.arguments} and rules for {sorted(rules)}: each argument needs one rule, "
                "None if it has no derivative"
            )
        self.rules = [rules[name] for name in self.arguments]
        self.recipes: dict[int, Recipe] = {}
        self.recipe((1 << len(self.arguments)) - 1)  # a rule that asks for something unknown fails at import

    def __repr__(self) -> str:
        return f"<operation {self.name}{inspect.signature(self.body)}>"

    def recipe(self, mask: int) -> Recipe:
        """The recipe for the arguments whose bits are set in `mask`."""
        found = self.recipes.get(mask)
        if found is None:
            count = 1 if self.variadic else len(self.arguments)
            found = self.recipes[mask] = Recipe(self, [i for i in range(count) if mask >> i & 1])
        return found

    def __call__(self, *args: Any, **settings: Any) -> Tensor:
        if len(args) != len(self.arguments) and not self.variadic:
            args, settings = self.sorted_out(args, settings)
        arrays: list[Any] = []
        mask = 0
        tensors = 0
        bit = 1
        for arg in args:
            if isinstance(arg, Tensor):
                arrays.append(arg._array)
                if arg.node is not None:
                    mask |= bit
                tensors += 1
            else:
                arrays.append(arg)
            if not self.variadic:
                bit += bit
        if tensors != len(arrays):
            arrays = self.constants(args, arrays)
        result: Any = NotImplemented
        if self.kernel is not None:
            result = self.kernel(*arrays, **settings)
        if result is NotImplemented:
            result = self.run(arrays, settings)
        out = wrap(result, None)
        if mask and recording.get():
            recipe = self.recipe(mask)
            if recipe.pulls and result.dtype.kind == "f":
                recipe.record(out, args, arrays, settings)
        if self.view:
            self.share(out, args[0])
        return out

    def run(self, arrays: list[Any], settings: dict[str, Any]) -> Any:
        """The NumPy body, its complaints turned into a sentence that names the operation and the shapes."""
        if self.broadcasts:
            arrays = level(arrays)
        try:
            with np.errstate(all="ignore"):
                result = self.body(*arrays, **settings)
        except (ValueError, IndexError, TypeError) as problem:
            if isinstance(problem, ShapeError | DtypeError):
                raise
            given = ", ".join(f"{array.dtype}{array.shape}" if isinstance(array, np.ndarray) else repr(array) for array in arrays)
            said = "".join(f", {name}={value!r}" for name, value in settings.items())
            kind = DtypeError if isinstance(problem, TypeError) else ShapeError
            raise kind(f"{self.name}({given}{said}): {problem}") from None
        return result if type(result) is np.ndarray else np.asarray(result)

    def constants(self, args: Any, arrays: list[Any]) -> list[Any]:
        """Arguments that are not tensors: Python numbers stay weak beside an array, the rest becomes arrays."""
        lone = not any(isinstance(array, np.ndarray) for array in arrays)
        return [
            array
            if array is None or (isinstance(array, int | float) and type(array) in (int, float, bool) and not lone)
            else array
            if type(array) is np.ndarray and array.dtype.kind in "fiub" and array.dtype.isnative and not self.view
            else as_array(array, copy=True if self.view else None)
            for array in arrays
        ]

    def sorted_out(self, args: Any, settings: dict[str, Any]) -> Any:
        """Settings given by position, as NumPy allows: `sum(x, 0)`."""
        count = len(self.arguments)
        if len(args) < count:
            raise TypeError(f"{self.name}() wants {count} arrays ({', '.join(self.arguments)}), got {len(args)}")
        if len(args) - count > len(self.settings):
            raise TypeError(f"{self.name}() takes {count} arrays and the settings {', '.join(self.settings) or 'none'}; got {len(args)} positional")
        return args[:count], dict(zip(self.settings, args[count:], strict=False)) | settings

    def share(self, out: Tensor, source: Any) -> None:
        """A view and its source share one version, so that a change of either is seen by whoever kept the other."""
        if isinstance(source, Tensor) and (source._version is not None or source.node is None or source.node.recipe is None):
            if np.may_share_memory(out._array, source._array):
                out._version = source.version()


class Operation(Op):
    """An Op as users meet it: help(), inspect and doctest read its name, signature and documentation from the body."""

    __slots__ = ()
    __doc__ = property(lambda self: self.body.__doc__)  # type: ignore[assignment]
    __name__ = property(lambda self: self.name)
    __wrapped__ = property(lambda self: self.body)


def op(*, broadcasts: bool = False, view: bool = False, **rules: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare an operation: decorate its NumPy body, with a rule (or None) for each array argument.

    >>> @op(x=lambda g, x: 3.0 * g * x * x)
    ... def cube(x):
    ...     return x**3
    >>> x = Tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """

    return lambda body: Operation(body, rules, broadcasts, view)


def elementwise(**rules: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare an operation that works element by element and broadcasts: each gradient is summed to its argument's shape."""
    return op(broadcasts=True, **rules)


def sum_to(g: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`g` summed to `shape`, by the operation of that name."""
    return operators["sum_to"](g, shape=shape)
