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
from collections.abc import Callable, Sequence
from typing import Any, Never

import numpy as np
from numpy import ndarray

from minigrad.arithmetic import Operator
from minigrad.arrays import as_array, axes_of, settled
from minigrad.errors import DtypeError, MutationError, ShapeError
from minigrad.keywords import unknown
from minigrad.recording import is_recording, tracer
from minigrad.sparse import Deferred
from minigrad.tape import Node, Rules, Tensor, Version, entry, the_tracing, wrap
from minigrad.walk import Gradients

GRADIENT = -1  # what a rule wants that is not kept: the g of the walk
RESULT = -2  # what is kept of an operation, beside an argument (its position) and a setting (its name) ...
SHAPES = 1000  # ... and the shape of an argument (this plus its position)
NO_SETTINGS: dict[str, Any] = {}
tracing = the_tracing()


class Into:
    """A rule that may add its gradient to a buffer instead of making an array of the argument's shape.

    `rule` is the ordinary rule, used where the gradient is recorded in turn; `add(buffer, g, ...)` takes NumPy arrays and
    the same names. It lets k slices of one tensor cost one buffer and not k.

    With `later` the rule makes the first contribution and `add` those that come after it.

    `rows(g, ...)` gives the gradient as Rows, for leaves that want them (`sparse_grad`), or None where it cannot. The operation then reads
    nothing of its first argument but rows, by the `take` of the array it is given.
    """

    __slots__ = ("add", "later", "rows", "rule")

    def __init__(
        self, rule: Callable[..., Any], add: Callable[..., None], rows: Callable[..., Any] | None = None, later: bool = False
    ) -> None:
        self.rule = rule
        self.add = add
        self.rows = rows
        self.later = later


class Pull:
    """How one argument's gradient is had: the rule, and where its wants lie among the kept values (GRADIENT for the g)."""

    __slots__ = ("add", "count", "first", "later", "position", "rows", "rule", "second", "wants")

    def __init__(self, position: int, rule: Any, into: Into | None, wants: list[int]) -> None:
        self.position = position
        self.rule = rule
        self.add = None if into is None else into.add
        self.rows = None if into is None else into.rows
        self.later = into is not None and into.later
        self.wants = wants
        self.count = len(wants)
        self.first, self.second = (*wants, GRADIENT, GRADIENT)[:2]


def wants(rule: Any) -> Sequence[str]:
    """What a rule asks for, by name: read off its code where that says all, since inspect.signature takes ten times as long."""
    if isinstance(rule, Into):
        rule = rule.rule
    code = None if inspect.ismethod(rule) else getattr(rule, "__code__", None)
    if code is None or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        return list(inspect.signature(rule).parameters)
    return tuple(code.co_varnames[: code.co_argcount])


class Recipe(Rules):
    """What one operation keeps and plays back when a given subset of its arguments needs a gradient."""

    __slots__ = ("keeps", "op", "pulls", "settings")

    def __init__(self, op: Op, needed: list[int]) -> None:
        self.op = op
        self.keeps: list[int] = []
        self.settings: list[str] = []  # kept behind `keeps`
        wanted = []
        for position in needed:
            rule: Any = op.rules[position]
            into = None
            if isinstance(rule, Into):
                rule, into = rule.rule, rule
            if rule is not None:
                wanted.append((position, rule, into, [self.source(name) for name in wants(rule)]))
        places: list[Any] = [*self.keeps, *self.settings]
        self.pulls = [
            Pull(position, rule, into, [GRADIENT if source == GRADIENT else places.index(source) for source in sources])
            for position, rule, into, sources in wanted
        ]

    def source(self, name: str) -> Any:
        """What a rule calls `name`, noted among the things to keep."""
        op = self.op
        argument = name.removesuffix("_shape")
        if name == "g":
            return GRADIENT
        if name in op.settings:
            self.settings += [] if name in self.settings else [name]
            return name
        if name == "out":
            source = RESULT
        elif name in op.arguments and not op.variadic:
            source = op.arguments.index(name)
        elif argument in op.arguments and argument != name:
            source = SHAPES + op.arguments.index(argument)
        else:
            raise TypeError(
                f"a rule of operation '{op.name}' asks for '{name}', which is neither g, out, an argument, its shape nor a setting"
            )
        self.keeps += [] if source in self.keeps else [source]
        return source

    def labels(self) -> list[str]:
        """What each kept value is, in the rules' words."""
        names = self.op.arguments
        kept = ["out" if k == RESULT else names[k] if k < SHAPES else f"{names[k - SHAPES]}_shape" for k in self.keeps]
        return kept + self.settings

    def record(self, out: Tensor, args: tuple[Any, ...], settings: dict[str, Any]) -> None:
        """Give `out` its node: the parents, and what the rules have named."""
        if not self.pulls:
            return
        keeps = self.keeps
        count = len(keeps)
        if self.settings or count > 2:
            kept: tuple[Any, ...] = tuple(
                [self.value(source, out, args) for source in keeps] + [settled(settings.get(n, self.op.settings[n])) for n in self.settings]
            )
        elif count == 2:
            kept = (self.value(keeps[0], out, args), self.value(keeps[1], out, args))
        elif count == 1:
            kept = (self.value(keeps[0], out, args),)
        else:
            kept = ()
        out.node = entry(out._array, self, nodes_of(args), kept, self.cells(args))

    def value(self, source: int, out: Tensor, args: tuple[Any, ...]) -> Any:
        """One thing to keep."""
        if source == RESULT:
            return out._array
        if source >= SHAPES:
            if self.op.variadic:
                return [np.shape(bare(arg)) for arg in args]
            whole = bare(args[source - SHAPES])
            return whole.shape if type(whole) is ndarray else np.shape(whole)
        arg = args[source]
        if isinstance(arg, Tensor):
            tensor = arg
            return tensor._array if type(tensor._array) is ndarray else np.asarray(tensor._array)
        # not a tensor: whoever owns it may write to it, so a copy is kept
        return arg if arg is None or isinstance(arg, int | float) else as_array(arg, copy=True)

    def cells(self, args: tuple[Any, ...]) -> Any:
        """The versions of kept arguments that can be changed in place, but for leaves: those have it in their node."""
        found = None
        for source in self.keeps:
            if 0 <= source < SHAPES:
                arg = args[source]
                if isinstance(arg, Tensor):
                    tensor = arg
                    if tensor.node is None or (tensor._version is not None and tensor.node.recipe is not None):
                        found = [] if found is None else found
                        found.append(tensor.version())
        return found

    def play(self, node: Node, g: Tensor, table: Any) -> None:
        """Run the rules: from the gradient of the result to those of the arguments, into the walk's gradients."""
        op = self.op
        gradients: Gradients = table
        kept = node.kept
        parents = node.parents
        if kept is None:  # another thread has played it meanwhile
            node.refuse_spent()
        if node.cells is not None:
            for cell in node.cells:
                check_still(node, cell)
        for pull in self.pulls:
            if op.variadic:
                several = pull.rule(*[self.given(want, g, node, kept, parents, gradients) for want in pull.wants])
                for parent, gradient in zip(parents, several, strict=True):
                    wanted = parent is not None and (gradients.serves is None or parent.tick in gradients.serves)
                    if wanted and gradient is not None:
                        gradients.add(parent, gradient, op)
                continue
            parent = parents[pull.position]
            if gradients.serves is not None and parent.tick not in gradients.serves:
                continue
            if pull.add is not None and not gradients.recorded and (not pull.later or parent.tick in gradients.totals):
                if pull.rows is not None and wants_rows(parent):
                    rows = pull.rows(*[g._array if want < 0 else kept[want] for want in pull.wants])
                    if rows is not None:
                        gradients.add_rows(parent, rows)
                        continue
                pull.add(gradients.buffer(parent), *[bare(self.given(want, g, node, kept, parents, gradients)) for want in pull.wants])
                continue
            if pull.count == 1:
                gradient = pull.rule(self.given(pull.first, g, node, kept, parents, gradients))
            elif pull.count == 2:
                gradient = pull.rule(
                    self.given(pull.first, g, node, kept, parents, gradients), self.given(pull.second, g, node, kept, parents, gradients)
                )
            else:
                gradient = pull.rule(*[self.given(want, g, node, kept, parents, gradients) for want in pull.wants])
            if gradient is not None:
                gradients.add(parent, gradient, op)

    def given(self, want: int, g: Tensor, node: Node, kept: Any, parents: Any, gradients: Gradients) -> Any:
        """What a rule asked for: arrays as tensors, which under create_graph have their place on the tape."""
        if want < 0:
            return g
        value = kept[want]
        if want >= len(self.keeps):
            return value
        source = self.keeps[want]
        if source == RESULT:
            return wrap(value, node if gradients.recorded else None)
        if source >= SHAPES or not isinstance(value, ndarray):
            return value
        parent = parents[source]
        if parent is not None and parent.recipe is None:
            check_still(node, parent.cells[0])
        return wrap(value, parent if gradients.recorded else None)


def wants_rows(node: Node) -> bool:
    """True of a leaf whose tensor has asked for gradients of rows."""
    tensor = node.watch.tensor() if node.recipe is None and node.watch is not None and node.watch.tensor is not None else None
    return tensor is not None and tensor.sparse_grad


def bare(arg: Any) -> Any:
    """The array of a tensor, anything else as it is."""
    return arg._array if isinstance(arg, Tensor) else arg


def node_of(arg: Any) -> Node | None:
    """The place of an argument on the tape; None for a constant."""
    if isinstance(arg, Tensor):
        tensor = arg
        return tensor.node
    return None


def nodes_of(args: tuple[Any, ...]) -> tuple[Node | None, ...]:
    """The places of all arguments on the tape."""
    if len(args) == 1:
        return (node_of(args[0]),)
    if len(args) == 2:
        return (node_of(args[0]), node_of(args[1]))
    return tuple([node_of(arg) for arg in args])


def check_still(node: Node, cell: Version) -> None:
    """Raise MutationError if an array that `node` kept was changed after it was kept."""
    if cell.changed > node.tick:
        raise MutationError(
            f"'{node.name}' (result of shape {node.shape}) kept an argument for the backward pass, and {cell.cause} has changed it "
            "in place since: run backward before changing it, give the operation a clone(), or detach() a state that was carried over from "
            "before the change"
        )


class Op(Operator):
    """A differentiable operation. Call it with arrays by position and settings by keyword; it returns a new tensor."""

    __slots__ = (
        "arguments",
        "body",
        "broadcasts",
        "count",
        "kernel",
        "name",
        "quiet",
        "reads_rows",
        "recipes",
        "rules",
        "settings",
        "variadic",
        "view",
        "weight",
    )

    def __init__(self, body: Callable[..., Any], rules: dict[str, Any], broadcasts: bool, view: bool) -> None:
        self.body = body
        self.quiet = body if view else np.errstate(all="ignore")(body)  # infinities and NaN are results, not warnings
        self.kernel: Any = None
        self.name: str = body.__name__.rstrip("_")
        self.broadcasts = broadcasts  # a rule's gradient is summed to the shape of its argument
        self.view = view  # the result may look at the memory of the first argument
        self.weight = -1  # which argument the kernel may pack and keep packed: a weight that many products read
        self.arguments: list[str] = []
        self.settings: dict[str, Any] = {}
        self.variadic = False
        for parameter in inspect.signature(body).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                self.settings[parameter.name] = parameter.default
            else:
                self.arguments.append(parameter.name)
                self.variadic |= parameter.kind is parameter.VAR_POSITIONAL
        self.count = len(self.arguments)
        if sorted(rules) != sorted(self.arguments):
            raise TypeError(
                f"operation '{self.name}' has the array arguments {self.arguments} and rules for {sorted(rules)}: each argument needs one "
                "rule, None if it has no derivative"
            )
        self.rules: list[Any] = [rules[name] for name in self.arguments]
        self.reads_rows = any(isinstance(rule, Into) and rule.rows is not None for rule in self.rules)
        self.recipes: list[Recipe | None] = [None] * (2 if self.variadic else 1 << self.count)
        self.recipe(len(self.recipes) - 1)  # a rule that asks for something unknown fails at import

    def __repr__(self) -> str:
        return f"<operation {self.name}{inspect.signature(self.body)}>"

    def recipe(self, mask: int) -> Recipe:
        """The recipe for the arguments whose bits are set in `mask`."""
        found = self.recipes[mask]
        if found is None:
            found = self.recipes[mask] = Recipe(self, [i for i in range(self.count) if mask >> i & 1])
        return found

    def __call__(self, *args: Any, **settings: Any) -> Tensor:
        """The result for arrays `args`; `settings` as the body names them."""
        if not settings and not self.variadic:
            if len(args) == 1:
                return self.unary(args[0])
            if len(args) == 2:
                return self.binary(args[0], args[1])
        return self.apply(args, settings)

    def unary(self, x: Any) -> Tensor:
        """`apply` for one tensor that the kernel can serve; anything else is handed on."""
        if self.kernel is not None and self.count == 1 and isinstance(x, Tensor) and not tracing.count:
            tensor = x
            result = self.kernel(tensor._array)
            if result is not NotImplemented:
                out = wrap(result, None)
                if tensor.node is not None and is_recording():
                    self.recipe(1).record(out, (x,), NO_SETTINGS)
                return out
        return self.apply((x,), {})

    def binary(self, a: Any, b: Any) -> Tensor:
        """`apply` for two tensors, or a tensor and a Python number, that the kernel can serve; anything else is handed on."""
        if self.kernel is not None and self.count == 2 and self.weight < 0 and not tracing.count:
            mask = 0
            left, right = a, b
            if isinstance(a, Tensor):
                tensor = a
                left = tensor._array
                if tensor.node is not None:
                    mask = 1
            if isinstance(b, Tensor):
                tensor = b
                right = tensor._array
                if tensor.node is not None:
                    mask += 2
            result = self.kernel(left, right)
            if result is not NotImplemented:
                out = wrap(result, None)
                if mask and is_recording():
                    self.recipe(mask).record(out, (a, b), NO_SETTINGS)
                return out
        return self.apply((a, b), {})

    def apply(self, args: tuple[Any, ...], settings: dict[str, Any]) -> Tensor:
        """Run the kernel, or else the body, and record what gradients will need; a tracer hears of it."""
        for keyword, value in settings.items():
            if keyword not in self.settings:
                if keyword in self.arguments:
                    raise TypeError(f"{self.name}: '{keyword}' is an array: arrays are given by their place, settings by name")
                raise unknown(self.name, keyword, self.settings)
            if node_of(value) is not None:
                raise DtypeError(self.no_setting(keyword, value))
        if len(args) != self.count and not self.variadic:
            args, settings = self.sorted_out(args, settings)
        watcher = tracer.get() if tracing.count else None
        return self.evaluate(args, settings) if watcher is None else watcher.run(self, args, settings)

    def evaluate(self, args: tuple[Any, ...], settings: dict[str, Any]) -> Tensor:
        """`apply`, unseen."""
        arrays = []
        mask = 0
        constants = 0
        for position, arg in enumerate(args):
            if isinstance(arg, Tensor):
                tensor = arg
                array = tensor._array
                if type(array) is not ndarray and not self.reads_rows:
                    array = np.asarray(array)
                arrays.append(array)
                if tensor.node is not None:
                    mask |= 1 if self.variadic else 1 << position
            else:
                arrays.append(arg)
                constants += 1
        if constants:
            arrays = self.constants(arrays)
        result = NotImplemented
        if self.kernel is not None:
            if self.weight >= 0:
                weight = args[self.weight]
                result = self.kernel(*arrays, weight.packs() if isinstance(weight, Tensor) else None)
            elif settings:
                result = self.kernel(*arrays, **settings)
            elif len(arrays) == 2:
                result = self.kernel(arrays[0], arrays[1])
            else:
                result = self.kernel(*arrays)
        if result is NotImplemented:
            result = self.run(arrays, settings)
        out = wrap(result, None)
        if mask and is_recording() and result.dtype.kind == "f":
            self.recipe(mask).record(out, args, settings)
        if self.view:
            self.share(out, args[0])
        return out

    def run(self, arrays: list[Any], settings: dict[str, Any]) -> Any:
        """The NumPy body, its complaints turned into a sentence that names the operation and the shapes."""
        try:
            result = self.quiet(*arrays, **settings)
        except (ValueError, IndexError, TypeError) as problem:
            if isinstance(problem, ShapeError | DtypeError):
                raise
            raise self.refusal(problem, arrays, settings) from None
        if self.view and type(result) is ndarray:
            return result
        if type(result) is not ndarray:
            result = np.asarray(result)
            if result.dtype.kind not in "fiub":
                raise DtypeError(
                    f"{self.name}: the body of an operation returns an array of real numbers, this one returned {result.dtype}"
                )
        if (
            result.dtype == np.float64
            and "dtype" not in settings
            and not any(getattr(array, "dtype", None) == np.float64 for array in arrays)
        ):
            return result.astype(np.float32)  # NumPy makes float64 of whole numbers, alone or beside float32; here only float64 does
        suspect = not self.view and (result.base is not None or any(result is array for array in arrays))
        if suspect and any(isinstance(array, ndarray) and np.may_share_memory(result, array) for array in arrays):
            return result.copy()  # a body that hands back its argument must not tie the two tensors to one buffer
        return result

    def no_setting(self, name: str, value: Tensor) -> str:
        """The sentence about a tensor where a plain value is wanted."""
        return (
            f"{self.name}: {name}= is a setting, a plain value that gets no gradient, and not a tensor of shape {value.shape}: item() "
            "takes the number out of a tensor of one element"
        )

    def refusal(self, problem: Exception, arrays: list[Any], settings: dict[str, Any]) -> Exception:
        """What NumPy complains of, in words: the operation, what came, what was expected."""
        shapes = [array.shape for array in arrays if isinstance(array, ndarray)]
        for name, value in settings.items():
            if isinstance(value, Tensor):
                return DtypeError(self.no_setting(name, value))
        if shapes and settings.get("axis") is not None:
            axes_of(self.name, settings["axis"], shapes[0])
        if self.broadcasts:
            try:
                np.broadcast_shapes(*shapes)
            except ValueError:
                return ShapeError(
                    f"{self.name}: shapes {', '.join(map(str, shapes))} do not broadcast: from the right, two lengths must be "
                    "equal, or one of them 1; reshape() makes axes of length 1"
                )
        given = ", ".join(f"{array.dtype}{array.shape}" if isinstance(array, ndarray) else repr(array) for array in arrays)
        said = "".join(f", {name}={value!r}" for name, value in settings.items())
        why = "not all of this is numbers" if "ufunc" in str(problem) else str(problem)
        return (DtypeError if isinstance(problem, TypeError) else ShapeError)(f"{self.name}({given}{said}): {why}")

    def constants(self, arrays: list[Any]) -> list[Any]:
        """Arguments that are not tensors: Python numbers stay weak beside an array, the rest becomes arrays."""
        beside = any(isinstance(array, ndarray | Deferred) for array in arrays)
        made = []
        for array in arrays:
            if type(array) is ndarray and not self.view and array.dtype.isnative:
                if array.dtype.kind not in "fiub":
                    raise DtypeError(f"{self.name}: tensors hold real numbers, this array has dtype {array.dtype}")
            elif not (array is None or isinstance(array, Deferred) or (beside and type(array) in (int, float, bool))):
                try:
                    array = as_array(array, copy=True if self.view else None)
                except DtypeError as problem:
                    raise DtypeError(f"{self.name}: {problem}") from None
            made.append(array)
        return made

    def sorted_out(self, args: Any, settings: dict[str, Any]) -> Any:
        """Settings given by position, as NumPy allows: `sum(x, 0)`."""
        count = len(self.arguments)
        if len(args) < count:
            raise TypeError(f"{self.name}() wants {count} arrays ({', '.join(self.arguments)}) by their place, got {len(args)}")
        if len(args) - count > len(self.settings):
            raise TypeError(
                f"{self.name}() takes {count} arrays and the settings {', '.join(self.settings) or 'none'}; got {len(args)} positional"
            )
        return args[:count], dict(zip(self.settings, args[count:], strict=False)) | settings

    def share(self, out: Tensor, source: Any) -> None:
        """A view and its source share one version, so that a change of either is seen by whoever kept the other."""
        # A recorded view of a recorded result needs no version: neither can be changed. An unrecorded one must know whose it is.
        if not isinstance(source, Tensor):
            return
        tensor = source
        if out.node is None or tensor._version is not None or tensor.node is None or tensor.node.recipe is None:
            base = out._array.base
            if base is not None and (base is tensor._array or base is tensor._array.base or np.may_share_memory(out._array, tensor._array)):
                out._version = tensor.version()


class Operation(Op):
    """An Op as users meet it: help(), inspect and doctest read its name, signature and documentation from the body."""

    __slots__ = ()
    __doc__ = property(lambda self: self.body.__doc__)
    __name__ = property(lambda self: self.name)
    __wrapped__ = property(lambda self: self.body)


def op(*bare: Never, broadcasts: bool = False, view: bool = False, **rules: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare an operation: decorate its NumPy body, with a rule (or None) for each array argument.

    >>> import minigrad as mg
    >>> @op(x=lambda g, x: 3.0 * g * x * x)
    ... def cube(x):
    ...     return x**3
    >>> x = mg.tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """
    if bare:
        raise TypeError(
            "op stands before a body with a rule for each of its arguments, by name: @op(x=lambda g, x: ...), None for no derivative"
        )
    return lambda body: Operation(body, rules, broadcasts, view)


def elementwise(*bare: Never, **rules: Any) -> Callable[[Callable[..., Any]], Op]:
    """Declare an operation that works element by element and broadcasts: each gradient is summed to its argument's shape.

    >>> import minigrad as mg
    >>> @elementwise(a=lambda g: g, b=lambda g: 2.0 * g)
    ... def add_twice(a, b):
    ...     return a + 2 * b
    >>> b = mg.tensor(1.0, requires_grad=True)
    >>> add_twice(mg.ones(3), b).sum().backward()
    >>> b.grad
    tensor(6.)
    """
    return op(*bare, broadcasts=True, **rules)
