"""Module: a tree of layers whose parameters have names. Everything a module knows stands in its own attributes, in the order they were set.

An attribute that holds a tensor with `.parameter` set is a parameter, one that holds a module is a child, and one named by
`register_buffer` is a buffer: saved with the parameters, not trained. No other table exists, so nothing can disagree with one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from minigrad.tape import Tensor

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
    _buffers: set[str]
    _path = ""  # where the module was last assigned, for error messages only

    def __init__(self) -> None:
        self.training = True
        self._buffers = set()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What calling the module computes; each layer writes its own."""
        raise NotImplementedError(f"{self.label()} has no forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`forward` with the same arguments."""
        return self.forward(*args, **kwargs)

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

    def register_buffer(self, name: str, tensor: Tensor | None) -> None:
        """Make `tensor` the attribute `name` that state_dict saves and no optimiser trains (None: not there yet)."""
        self._ready(f"registering '{name}'")
        if isinstance(tensor, Tensor) and tensor.parameter:
            raise TypeError(f"{self.label()}: buffer '{name}' is a parameter; register its detach(), or assign it as an attribute")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"{self.label()}: buffer '{name}' must be a tensor or None, got {type(tensor).__name__}")
        self._buffers.add(name)
        setattr(self, name, tensor)

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

    def zero_grad(self) -> None:
        """Set `.grad` of every parameter to None."""
        for parameter in self.parameters():
            parameter.grad = None

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
