"""The tape, and the tensors whose history is on it.

An operation that matters to a gradient leaves a `Node`; walk.py plays them back. Nodes point to the nodes of their arguments, never
to tensors, and each carries a `tick`, a number that grows as operations run. Walking the reachable nodes from the newest tick to the
oldest is therefore reverse topological order, with no recursion and no counting of children. What no live tensor reaches frees itself.

This file is ordinary Python and runs as such; `tape.pxd` beside it gives the compiler its types.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.arithmetic import Arithmetic, operators
from minigrad.arrays import as_array, bare_index, read_only
from minigrad.errors import DtypeError, MutationError, ShapeError, TapeError
from minigrad.hooks import Handle, Watch
from minigrad.recording import is_recording, tracer

clock = itertools.count()  # `next` on it is atomic, so ticks stay in order whatever threads record


class Tracing:
    """How many steps of scans are being written down now, in all threads: where it is 0, nobody need ask for the tracer."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


tracing = Tracing()


def the_tracing() -> Tracing:
    """`tracing`, for other modules: compiled, it is no attribute of this one."""
    return tracing


def escapes(tensor: Any, how: str) -> None:
    """Tell a tracer that the values of `tensor` reach Python, where it cannot follow them."""
    watcher = tracer.get()
    if watcher is not None:
        watcher.escapes(tensor, how)


class Version:
    """When one buffer was last changed in place, by what, and who forbids it. Shared by all tensors that view the buffer.

    `changed` is a tick of the tape's own clock: an entry that is older than it and keeps the buffer must refuse to be played.
    """

    __slots__ = ("cause", "changed", "frozen", "guard", "packs", "shared")

    def __init__(self, guard: str = "") -> None:
        self.changed = -1
        self.cause = ""
        self.guard = guard
        self.shared = False  # with an array whose owner may write to it unseen
        self.frozen: Watch | None = None  # hooks of a leaf whose gradient is not asked for at present
        self.packs: dict[Any, Any] | None = None  # the numbers as matrix products like them (matmul.pyx), as long as they are the numbers

    def bump(self, cause: str) -> None:
        """Note that `cause` has changed the buffer."""
        self.changed = next(clock)
        self.cause = cause
        self.packs = None


class Node:
    """One entry of the tape: which operation, on the results of which nodes, and the arrays its gradient rules need.

    A leaf (a tensor whose gradient was asked for) has no recipe and no parents, and its `watch` knows its tensor weakly. So nothing on
    the tape ever points back at a tensor: no cycles, and the compiled tape is left out of garbage collection altogether.
    """

    __slots__ = ("__weakref__", "cells", "dtype", "kept", "parents", "recipe", "shape", "tick", "watch")

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    recipe: Any
    parents: tuple[Any, ...]  # nodes; None for a constant
    kept: Any  # a tuple of arrays, shapes and settings, as the recipe lists them; None once played
    cells: Any  # a list, or None: versions of the kept arrays that can be changed in place; of a leaf, its own
    watch: Watch | None  # of a leaf, and of a result with hooks or a `.grad` of its own
    tick: int

    @property
    def name(self) -> str:
        """The operation's name, or 'leaf'."""
        return "leaf" if self.recipe is None else str(self.recipe.op.name)

    def refuse_spent(self) -> None:
        """Raise the sentence about a tape that was played already."""
        raise TapeError(
            f"backward through '{self.name}' (result of shape {self.shape}): this part of the tape was already played back and its "
            "arrays were released. The usual cause is a hidden state carried from one training iteration to the next: call "
            "detach() on it before using it again. If two backward passes over one graph are meant, pass retain_graph=True to "
            "the first."
        )


class Rules:
    """What an entry of the tape plays back; op.py has the real one."""

    __slots__ = ()

    def play(self, node: Node, g: Tensor, table: Any) -> None:
        """Run the gradient rules of `node`, whose result has the gradient `g`, into the walk's table."""
        raise NotImplementedError


class Tensor(Arithmetic):
    """An n-dimensional array of numbers that remembers how it was computed.

    `Tensor(data, dtype=None, requires_grad=False)` copies `data` (anything NumPy understands: nested lists, arrays, scalars).
    Python floats become float32; a NumPy array keeps its dtype. Integer and boolean tensors are constants: only floating tensors
    can require a gradient. Tensors are values: arithmetic makes new ones, and `+=` rebinds the name.

    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([[2., 4.],
            [6., 8.]])
    """

    __slots__ = ("__weakref__", "_array", "_grad", "_version", "node", "parameter", "sparse_grad")
    __array_ufunc__ = None  # ndarray * Tensor asks the Tensor

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        self._array: np.ndarray[Any, Any] = as_array(data, dtype, copy=True)
        self._version: Version | None = None
        self._grad: Tensor | None = None
        self.node: Node | None = None
        self.parameter = False
        self.sparse_grad = False  # take() gives this leaf a gradient of the rows it took (sparse.py)
        if requires_grad:
            self.requires_grad_()

    # ---- what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype of the elements."""
        return self._array.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._array.size

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return self._array.nbytes

    @property
    def is_leaf(self) -> bool:
        """True unless an operation that was recorded made this tensor."""
        return self.node is None or self.node.recipe is None

    @property
    def requires_grad(self) -> bool:
        """True if operations on this tensor are recorded."""
        if tracing.count:
            escapes(self, "requires_grad")
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have added up, a tensor of its shape and dtype, or None: of leaves, and after `retain_grad`."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f".grad is a tensor or None, got {type(value).__name__}: wrap it with tensor()")
            if self.node is None or self.node.recipe is not None:
                raise TapeError("only a leaf that requires a gradient has a .grad to set")
            if value.shape != self.shape or value.dtype != self.dtype:
                raise ShapeError(f"grad of shape {value.shape}, {value.dtype} set on a tensor of shape {self.shape}, {self.dtype}")
            if value.is_leaf:
                value = value.detach()  # a gradient has no .grad of its own: no chain of them can close a cycle
        self._grad = value

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for this tensor's gradient (or stop asking), and return the tensor. Raises DtypeError for integers and booleans."""
        if tracing.count:
            escapes(self, "requires_grad_()")
        if self.node is not None and self.node.recipe is not None:
            if requires_grad:
                return self
            raise TapeError(f"the result of '{self.node.name}' cannot stop requiring a gradient: use detach()")
        if not requires_grad:
            if self.node is not None and self.node.watch is not None and self.node.watch.hooks:
                self.version().frozen = self.node.watch
            self.node = None
        elif self.node is None:
            if self._array.dtype.kind != "f":
                raise DtypeError(f"a tensor of {self._array.dtype} cannot require a gradient: convert it to float32 or float64 first")
            self.node = entry(np.asarray(self._array), None, (), None, [self.version()])
            before = self.version().frozen
            own = before is not None and before.tensor is not None and before.tensor() is self  # not of another tensor on the same buffer
            self.node.watch = before if own else Watch(weakref.ref(self))
        if self._version is not None and self._version.guard in ("", "leaf"):  # the guard of an operation's result stays
            self._version.guard = "leaf" if requires_grad else ""
        return self

    def detach(self) -> Tensor:
        """The same numbers (the same memory) without the history: a constant to every later gradient."""
        out = wrap(self._array, None)
        out._version = self.version()
        if tracing.count and tracer.get() is not None:
            tracer.get().note(operators["detach"], (self,), {}, out)
        return out

    def version(self) -> Version:
        """The version cell of this tensor's buffer, made at the first call."""
        if self._version is None:
            self._version = Version("" if self.node is None else self.node.name)
        return self._version

    def packs(self) -> dict[Any, Any] | None:
        """Where a matrix product keeps a weight in packed form, for leaves that a model trains and views of them; None for any other."""
        leaf = self.parameter or (self.node is not None and self.node.recipe is None)
        if not leaf and (self._version is None or self._version.guard != "leaf"):
            return None
        version = self.version()
        if version.packs is None and not version.shared:
            version.packs = {}
        return version.packs

    # ---- out to Python and NumPy

    def numpy(self) -> np.ndarray[Any, Any]:
        """A read-only NumPy view of the elements (no copy). Use `.numpy().copy()` to get an array of your own."""
        if tracing.count:
            escapes(self, "numpy()")
        return read_only(self._array)

    def item(self) -> Any:
        """The one element as a Python number. Raises ValueError if there is not exactly one."""
        if tracing.count:
            escapes(self, "item()")
        if self._array.size != 1:
            raise ValueError(f"item() wants a tensor of one element; this one has shape {self.shape}")
        return self._array.item()

    def tolist(self) -> Any:
        """The elements as nested Python lists."""
        if tracing.count:
            escapes(self, "tolist()")
        return self._array.tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if tracing.count:
            escapes(self, "numpy.asarray()")
        if copy is False and dtype is not None and np.dtype(dtype) != self._array.dtype:
            raise ValueError(f"a {dtype} array of a {self._array.dtype} tensor needs a copy")
        if copy or (dtype is not None and np.dtype(dtype) != self._array.dtype):
            return np.array(self._array, dtype=dtype, copy=True)
        return self.numpy()

    def __len__(self) -> int:
        if not self._array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        if not self._array.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter([self[i] for i in range(len(self._array))])

    def __contains__(self, value: object) -> bool:
        if tracing.count:
            escapes(self, "in")
        return value in self._array

    def __bool__(self) -> bool:
        if tracing.count:
            escapes(self, "bool()")
        if self._array.size != 1:
            raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous: compare, then reduce to one element")
        return bool(self._array)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if tracing.count:
            escapes(self, "int()")
        return self._array.__index__()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self._array.size == 1 else format(str(self), spec)

    def __repr__(self) -> str:
        text = np.array2string(self._array, separator=", ", prefix="tensor(", threshold=1000)
        notes = [] if self._array.dtype in (np.float32, np.int64, np.bool_) else [f"dtype={self._array.dtype}"]
        if not self._array.size:
            notes.insert(0, f"shape={self.shape}")
        if self.node is not None:
            notes.append("requires_grad=True" if self.node.recipe is None else f"op={self.node.name}")
        return ", ".join([f"tensor({text}", *notes]) + ")"

    def __reduce__(self) -> tuple[Any, ...]:
        if tracing.count:
            escapes(self, "copy()")
        if self.node is not None and self.node.recipe is not None:
            raise TapeError(
                f"the result of '{self.node.name}' carries its tape and cannot be copied or pickled: use detach() for its values, or "
                "clone() for a copy that stays on the tape"
            )
        return rebuild, (self._array.copy(), self.requires_grad, self.parameter, self.sparse_grad)

    # ---- changing the numbers

    def assign_(self, value: Any) -> Tensor:
        """Overwrite the elements with `value` (broadcast and cast to this tensor's dtype), and return the tensor.

        For constants and leaves; the results of recorded operations refuse with MutationError. A gradient that still needs
        the old numbers refuses later, by name, rather than use the new ones.
        """
        source = self.writable(value, "assign_")
        np.copyto(self.change("assign_", leaf=True), source, casting="same_kind")
        return self

    def writable(self, value: Any, cause: str, index: Any = ...) -> Any:
        """`value` as an array for `cause` to write at `index`: refused where it would leave the tape, or does not fit."""
        copied = cause == "assign_" and isinstance(value, Tensor) and value.is_leaf  # weights to weights: a copy is what is meant
        if isinstance(value, Tensor) and value.node is not None and is_recording() and not copied:
            raise MutationError(
                f"{cause} would write a tensor that requires a gradient into one of shape {self.shape}, which would not know: build the "
                "result with stack(), concatenate() or where(), or detach() the value"
            )
        array = np.asarray(value._array if isinstance(value, Tensor) else value)
        if array.dtype.kind not in "fiub":
            raise DtypeError(f"{cause}: a tensor of {self.dtype} holds real numbers, got {array.dtype}")
        try:
            np.broadcast_to(array, self._array[index].shape)
        except ValueError:
            raise ShapeError(f"{cause}: a value of shape {array.shape} does not fit into shape {self._array[index].shape}") from None
        return array

    def change(self, cause: str, leaf: bool = False) -> np.ndarray[Any, Any]:
        """The buffer, for `cause` to write to: counted in its version, refused where a graph depends on it."""
        if tracing.count:
            escapes(self, cause)
        version = self.version()
        guard = version.guard or ("" if self.node is None else self.node.name)
        if guard and not (leaf and guard == "leaf"):
            what = "a leaf that requires a gradient" if guard == "leaf" else f"the result of '{guard}'"
            raise MutationError(
                f"{cause} would change {what} (or a view of it) of shape {self.shape} in place, under the tape's feet: build a new tensor "
                "with where() or concatenate(), or use assign_() on a leaf between two backward passes"
            )
        if type(self._array) is not np.ndarray:
            self._array = np.asarray(self._array)
        if not self._array.flags.writeable:
            raise MutationError(f"{cause}: the memory of this tensor of shape {self.shape} is read-only: use clone() first")
        version.bump(cause)
        return self._array

    def __setitem__(self, index: Any, value: Any) -> None:
        place = bare_index(index)
        source = self.writable(value, "item assignment", place)
        self.change("item assignment")[place] = source

    # ---- gradients

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Handle:
        """Call `hook` with this tensor's gradient in each backward pass, once all of it has arrived; returns what removes the hook.

        The hook may return a tensor of the same shape and dtype to go on with instead. Several run in the order in which they came, each
        on what the one before returned; those of a leaf run before the gradient is added to `.grad`. What the hook is given is read-only,
        and recorded under create_graph. `mg.grad` differentiates by places of its own: hooks of its arguments do not run, those of
        results on the way do. A hook must not hold the tensor itself, or both live until the tape is played or the hook removed.
        Raises TapeError if the tensor requires no gradient.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> handle = x.register_hook(lambda g: g.clip(-1.0, 1.0))
        >>> (x * [0.5, 30.0]).sum().backward()
        >>> x.grad
        tensor([0.5, 1. ])
        >>> handle.remove()
        """
        if tracing.count and tracer.get() is not None:
            tracer.get().fail("register_hook() waits for the gradient of one step")
            return Handle({}, hook)
        if not callable(hook):
            raise TypeError(f"register_hook() takes a function of the gradient, got {type(hook).__name__}")
        return Handle(self.watch("register_hook()").hooks, hook)

    def retain_grad(self) -> None:
        """Let backward passes add to `.grad` of this tensor too, though an operation made it. Of a leaf this is so anyway.

        It gets what the hooks have made of the gradient. Raises TapeError if the tensor requires no gradient.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> y = x * x
        >>> y.retain_grad()
        >>> (y * 3.0).sum().backward()
        >>> y.grad
        tensor([3., 3.])
        """
        if tracing.count and tracer.get() is not None:
            tracer.get().fail("retain_grad() asks for the gradient of one step")
            return
        watch = self.watch("retain_grad()")
        watch.tensor = watch.tensor or weakref.ref(self)

    @property
    def retains_grad(self) -> bool:
        """True of an operation's result that `retain_grad` was called on."""
        return self.node is not None and self.node.recipe is not None and self.node.watch is not None and self.node.watch.tensor is not None

    def watch(self, asked: str) -> Any:
        """Who waits at this tensor's place on the tape, made at the first call."""
        if self.node is None:
            raise TapeError(
                f"{asked} on a tensor of shape {self.shape} that no gradient will reach: no tensor with requires_grad=True led to it, or "
                "it was made under no_grad or by detach()"
            )
        if self.node.watch is None:
            self.node.watch = Watch(None)
        return self.node.watch

    def backward(self, gradient: Any = None, *, retain_graph: bool | None = None, create_graph: bool = False) -> None:
        """Add the gradient of this tensor to `.grad` of every leaf it was computed from.

        `gradient` (this tensor's shape) is the cotangent to start from; without it the tensor must have one element, and 1 is
        used. The tape is released as it is played unless `retain_graph`. With `create_graph` the gradients are themselves
        recorded, so that they can be differentiated again. If anything fails, every `.grad` is as it was.
        """
        operators["backward"](self, gradient, create_graph if retain_graph is None else retain_graph, create_graph)


def wrap(array: Any, node: Node | None) -> Tensor:
    """A tensor around `array` as it is: no copy, no check."""
    tensor = Tensor.__new__(Tensor)
    tensor._array = array
    tensor._version = None
    tensor._grad = None
    tensor.node = node
    tensor.parameter = False
    tensor.sparse_grad = False
    return tensor


def fits(array: Any, shape: tuple[int, ...]) -> bool:
    """array.shape == shape, without making a tuple: compiled, this reads the array's own memory."""
    ndim = array.ndim
    if ndim != len(shape):
        return False
    for i in range(ndim):  # noqa: SIM110
        if array.shape[i] != shape[i]:
            return False
    return True


def size_of(shape: tuple[int, ...]) -> int:
    """How many elements an array of this shape has."""
    size = 1
    for length in shape:
        size *= length
    return size


def shape_of(array: Any, parents: tuple[Node | None, ...]) -> tuple[int, ...]:
    """array.shape; the very tuple of a parent where it is equal, for a tape holds as many as entries."""
    for parent in parents:
        if parent is not None and fits(array, parent.shape):
            return parent.shape
    return array.shape


def dtype_of(array: Any) -> Any:
    """array.dtype, read from the array's own memory when compiled."""
    return array.dtype


def entry(array: Any, recipe: Any, parents: tuple[Node | None, ...], kept: Any, cells: Any) -> Node:
    """A new node of the tape for the result `array`; without a recipe, a leaf."""
    node = Node.__new__(Node)
    node.shape = shape_of(array, parents)
    node.dtype = dtype_of(array)
    node.recipe = recipe
    node.parents = parents
    node.kept = kept
    node.cells = cells
    node.watch = None
    node.tick = next(clock)
    return node


def rebuild(array: np.ndarray[Any, Any], requires_grad: bool, parameter: bool, sparse_grad: bool = False) -> Tensor:
    """What a pickle calls to make a leaf again."""
    tensor = wrap(array, None).requires_grad_(requires_grad)
    tensor.parameter = parameter
    tensor.sparse_grad = sparse_grad
    return tensor
