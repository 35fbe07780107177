"""Module: a tree of layers whose parameters have names. Everything a module knows stands in its own attributes, in the order they were set.

An attribute that holds a tensor with `.parameter` set is a parameter, one that holds a module is a child, and one named by
`register_buffer` is a buffer: saved with the parameters, not trained. No other table exists, so nothing can disagree with one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from minigrad.errors import DtypeError
from minigrad.hooks import Handle
from minigrad.tape import Tensor

from .hooks import Hooks

Item = TypeVar("Item")


class StateDictError(ValueError):
    """A state dict does not fit the module; the message lists every key that is missing, unexpected or of another shape."""


class Keys(NamedTuple):
    """What `load_state_dict(strict=False)` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def Parameter(data: Any, requires_grad: bool = True) -> Tensor:
    """A tensor that a module takes as a parameter when it becomes an attribute: a copy of `data`, in its shape and dtype.

    Raises DtypeError for whole numbers, which cannot require a gradient.

    >>> Parameter([1.0, 2.0])
    tensor([1., 2.], requires_grad=True)
    """
    tensor = Tensor(data, requires_grad=requires_grad)
    tensor.parameter = True
    return tensor


class Module:
    """Base of all layers and models: assign parameters and modules as attributes in `__init__`, write `forward`, call the object.

    >>> class Scale(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = Parameter([2.0])
    ...
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> scale = Scale()
    >>> scale(Tensor([3.0])).detach()
    tensor([6.])
    >>> [name for name, _ in scale.named_parameters()]
    ['factor']
    """

    training: bool
    _buffers: dict[str, bool]  # name -> does state_dict have it
    _path = ""  # where the module was last assigned, for error messages only
    _hooks: Hooks | None = None

    def __init__(self) -> None:
        self.training = True
        self._buffers = {}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What calling the module computes; each layer writes its own."""
        raise NotImplementedError(f"{self.label()} has no forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`forward` with the same arguments, and the hooks around it."""
        if self._hooks is None:
            return self.forward(*args, **kwargs)
        return self._hooks.call(self, args, kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor | Module):
            self._ready(f"assigning '{name}'")
        old = vars(self).get(name)
        if isinstance(old, Tensor) and old.parameter and isinstance(value, Tensor) and not value.parameter:
            raise TypeError(
                f"{self.label()}: '{name}' is a parameter, and a tensor that is none would take its place unnoticed: assign a "
                "Parameter(), or change its numbers with assign_()"
            )
        if isinstance(value, Module):
            below = list(value.named_modules())
            if any(module is self for _, module in below):
                raise ValueError(f"{self.label()}: '{name}' would make the module contain itself")
            for path, module in below:
                vars(module)["_path"] = join(join(self._path, name), path)
        object.__setattr__(self, name, value)

    def _ready(self, doing: str) -> None:
        """Refuse what needs the attributes that __init__ sets."""
        if "_buffers" not in vars(self):
            raise AttributeError(f"{type(self).__name__}: call super().__init__() before {doing}")

    def label(self) -> str:
        """The module in error messages: its class, and its path from the root of the model if it has one."""
        return f"{type(self).__name__} '{self._path}'" if self._path else type(self).__name__

    # ---- the tree

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) for each module that is an attribute of this one, each module once."""
        yield from once((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        """The modules that are attributes of this one, each once."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(path, module) for this module (path '') and all below it, parents first, each module once."""
        yield from once(self._walk(prefix))

    def modules(self) -> Iterator[Module]:
        """This module and all below it, parents first, each once."""
        return (module for _, module in self.named_modules())

    def get_submodule(self, path: str) -> Module:
        """The module at a path such as 'encoder.0'; '' is this one. Raises AttributeError where there is none."""
        found = dict(self._walk("")).get(path)
        if found is None:
            raise AttributeError(f"{self.label()} has no module '{path}'; it has {', '.join(name for name, _ in self._walk('') if name)}")
        return found

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function` with every module below this one and then with this one: to start weights, for example. Returns the module.

        >>> from minigrad import nn
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        >>> model = model.apply(lambda module: nn.init.zeros_(module.bias) if isinstance(module, nn.Linear) else None)
        >>> model[1].bias.item()
        0.0
        """
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def _walk(self, prefix: str) -> Iterator[tuple[str, Module]]:
        """Every path of the tree; a module that stands in two places comes twice."""
        self._ready("anything else")
        yield prefix, self
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield from value._walk(join(prefix, name))

    def _own(self, buffers: bool) -> Iterator[tuple[str, Tensor]]:
        """This module's own parameters, or its own buffers."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor) and (name in self._buffers if buffers else value.parameter):
                yield name, value

    # ---- parameters and buffers

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make `tensor` the attribute `name` that no optimiser trains (None: not there yet), saved unless persistent=False."""
        self._ready(f"registering '{name}'")
        if isinstance(tensor, Tensor) and tensor.parameter:
            raise TypeError(f"{self.label()}: buffer '{name}' is a parameter; register its detach(), or assign it as an attribute")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"{self.label()}: buffer '{name}' must be a tensor or None, got {type(tensor).__name__}")
        self._buffers[name] = persistent
        setattr(self, name, tensor)

    def register_parameter(self, name: str, parameter: Tensor | None) -> None:
        """Make `parameter`, which a Parameter() is, or None, the attribute `name`: what assigning it does too."""
        if parameter is not None and not (isinstance(parameter, Tensor) and parameter.parameter):
            raise TypeError(f"{self.label()}: '{name}' must be a Parameter() or None, got {type(parameter).__name__}")
        setattr(self, name, parameter)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """(path, tensor) for every parameter here and below, as they were assigned; a tied one comes once, under its first name."""
        yield from once((join(path, name), value) for path, module in self.named_modules() for name, value in module._own(buffers=False))

    def parameters(self) -> Iterator[Tensor]:
        """Every parameter here and below, each once: what an optimiser takes."""
        return (tensor for _, tensor in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """(path, tensor) for every buffer here and below, each once."""
        yield from once((join(path, name), value) for path, module in self.named_modules() for name, value in module._own(buffers=True))

    def buffers(self) -> Iterator[Tensor]:
        """Every buffer here and below, each once."""
        return (tensor for _, tensor in self.named_buffers())

    # ---- modes

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all below it to training (or, with False, to evaluation): dropout asks. Returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for the gradient of every parameter, or stop asking (to freeze a part of a model). Returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set `.grad` of every parameter to None; with set_to_none=False, to zeros where there is one."""
        for parameter in self.parameters():
            parameter.grad = None if set_to_none or parameter.grad is None else Tensor(np.zeros(parameter.shape, parameter.dtype))

    # ---- dtypes and devices

    def to(self, *what: Any) -> Self:
        """Give floating parameters and buffers another dtype: to("float64"). They stay the same tensors, so an optimiser keeps them.

        A device is taken too, as code for PyTorch has it: "cpu" changes nothing, any other raises ValueError. Raises DtypeError for
        a dtype that is not floating. Returns the module.

        >>> from minigrad import nn
        >>> nn.Linear(2, 2).to("float64").weight.dtype
        dtype('float64')
        """
        for wanted in what:
            if isinstance(wanted, str) and wanted.split(":")[0] in DEVICES:
                if wanted.split(":")[0] != "cpu":
                    raise ValueError(f"{self.label()}: device {wanted!r} does not exist here: minigrad computes on the CPU alone")
                continue
            try:
                dtype = np.dtype(wanted)
            except TypeError:
                raise TypeError(f"{self.label()}: to() takes a dtype or 'cpu', got {wanted!r}") from None
            if dtype.kind != "f":
                raise DtypeError(f"{self.label()}: parameters are floating, they cannot become {dtype}")
            for tensor in (*self.parameters(), *self.buffers()):
                if tensor.dtype.kind == "f" and tensor.dtype != dtype:
                    recast(tensor, dtype)
            for module in self.modules():
                if isinstance(vars(module).get("dtype"), np.dtype):
                    module.__setattr__("dtype", dtype)
        return self

    def float(self) -> Self:
        """`to("float32")`."""
        return self.to(np.float32)

    def double(self) -> Self:
        """`to("float64")`."""
        return self.to(np.float64)

    # ---- hooks

    def _add_hook(self, kind: str, hook: Any) -> Handle:
        """Note a hook in the module's own `_hooks`."""
        self._ready("registering a hook")
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks.add(kind, hook)

    def register_forward_pre_hook(self, hook: Callable[[Any, tuple[Any, ...]], Any]) -> Handle:
        """Call `hook(module, args)` before each forward; what it returns, if not None, replaces the arguments. Returns a handle.

        `handle.remove()` takes it back, as the end of a `with` block does. A step that a scan traces runs as a loop while hooks are on.
        """
        return self._add_hook("before", hook)

    def register_forward_hook(self, hook: Callable[[Any, tuple[Any, ...], Any], Any]) -> Handle:
        """Call `hook(module, args, output)` after each forward; what it returns, if not None, replaces the output. Returns a handle.

        >>> from minigrad import nn
        >>> layer = nn.Linear(2, 3)
        >>> with layer.register_forward_hook(lambda module, args, output: print(output.shape)):
        ...     _ = layer([[1.0, 2.0]])
        (1, 3)
        """
        return self._add_hook("after", hook)

    def register_full_backward_hook(self, hook: Callable[[Any, tuple[Any, ...], tuple[Any, ...]], Any]) -> Handle:
        """Call `hook(module, grad_input, grad_output)` in each backward pass, once both are known. Returns a handle.

        `grad_input` has a place for each positional argument, `grad_output` for the output or each item of a tuple of them: None for
        what is no tensor, requires no gradient, or got none. A tuple (or a tensor) that the hook returns replaces grad_input. Where no
        argument requires a gradient, the hook is called when grad_output is known.
        """
        return self._add_hook("backward", hook)

    # ---- saving and loading

    def state_dict(self) -> dict[str, Tensor]:
        """Path -> tensor for every parameter and buffer, in order. The tensors are detached and share the module's memory.

        A tied tensor stands under each of its names.

        >>> from minigrad import nn
        >>> {name: tensor.shape for name, tensor in nn.Linear(2, 3).state_dict().items()}
        {'weight': (3, 2), 'bias': (3,)}
        """
        found = {}
        for path, module in self._walk(""):
            for name, tensor in (*module._own(buffers=False), *module._own(buffers=True)):
                if module._buffers.get(name, True):
                    found[join(path, name)] = tensor.detach()
        return found

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Keys:
        """Copy the arrays of `state` into the parameters and buffers of the same names, cast to their dtypes.

        The values may be tensors, NumPy arrays, or what np.asarray takes: a PyTorch state dict loads unchanged. Everything is
        checked first; if anything is wrong nothing is changed, and one StateDictError lists it all. `strict=False` passes over
        missing and unexpected names, and returns them; a wrong shape or dtype is an error all the same.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"{self.label()}: load_state_dict wants a dict from names to arrays, got {type(state).__name__}")
        own = self.state_dict()
        keys = Keys([name for name in own if name not in state], [name for name in state if name not in own])
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        problems = []
        if strict:
            problems += [f"missing: {name}" for name in keys.missing_keys] + [f"unexpected: {name}" for name in keys.unexpected_keys]
        for name, tensor in own.items():
            if name not in state:
                continue
            try:
                array = arrays[name] = np.array(np.asarray(state[name]))  # a copy: `state` may share the memory that is written below
            except Exception as problem:  # whatever __array__ of another library raises
                problems.append(f"unreadable: {name}: {problem}")
                continue
            if array.shape != tensor.shape:
                problems.append(f"wrong shape: {name} has {array.shape}, expected {tensor.shape}")
            elif not np.can_cast(array.dtype, tensor.dtype, "same_kind"):
                problems.append(f"wrong dtype: {name} is {array.dtype}, expected {tensor.dtype}")
        if problems:
            raise StateDictError("\n  ".join([f"{self.label()}: the state dict does not fit, nothing was loaded", *problems]))
        for name, array in arrays.items():
            own[name].assign_(array)
        return keys

    # ---- in print

    def extra_repr(self) -> str:
        """The settings of a layer, as its repr shows them between the brackets."""
        return ""

    def _tree(self) -> str:
        """PyTorch's picture of a module: one line each, children indented."""
        lines = [f"({name}): {value._tree()}" for name, value in vars(self).items() if isinstance(value, Module)]
        settings = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({settings})"
        body = "\n".join([settings, *lines] if settings else lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"

    def __repr__(self) -> str:
        return f"{self._tree()}  # {sum(parameter.size for parameter in self.parameters()):,} parameters"


DEVICES = ("cpu", "cuda", "mps", "xpu", "meta")


def recast(tensor: Tensor, dtype: np.dtype[Any]) -> None:
    """Give a leaf another dtype in place, and its `.grad` too. A tape that kept the old numbers refuses to be played."""
    required, grad, node = tensor.requires_grad, tensor.grad, tensor.node
    tensor.version().bump(f"a change of dtype to {dtype}")
    tensor.grad = None
    if node is not None and node.watch is not None:
        node.watch.tensor = None  # a gradient of the old dtype has nowhere to go
    tensor.node = None
    tensor._version = None
    tensor._array = tensor._array.astype(dtype)
    tensor.requires_grad_(required)
    if grad is not None:
        tensor.grad = Tensor(grad, dtype)


def join(path: str, name: str) -> str:
    """'a.b' of 'a' and 'b'; either may be empty."""
    return f"{path}.{name}" if path and name else path or name


def once(pairs: Iterator[tuple[str, Item]]) -> Iterator[tuple[str, Item]]:
    """The pairs whose object has not come before. By identity: == of two tensors is a tensor."""
    seen: set[int] = set()
    for name, item in pairs:
        if id(item) not in seen:
            seen.add(id(item))
            yield name, item
