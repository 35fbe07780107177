"""Modules that hold modules: Sequential calls them one after another, ModuleList and ModuleDict only keep them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from .module import Module


class Numbered(Module):
    """Modules with the names '0', '1' ... in a row, or under names that were given."""

    def _put(self, name: str, module: Any, place: object) -> None:
        """Make `module` the child `name`."""
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__} takes modules, got {type(module).__name__} in place {place}")
        setattr(self, name, module)

    def append(self, module: Module) -> Self:
        """Put a module behind the last. Returns this one."""
        self._put(str(len(self)), module, len(self))
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Put modules behind the last. Returns this one."""
        for module in list(modules):
            self.append(module)
        return self

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator[Module]:
        return iter([vars(self)[name] for name in self._names()])

    def _names(self) -> list[str]:
        """The names of the modules, in order."""
        return [name for name, value in vars(self).items() if isinstance(value, Module)]

    def _at(self, index: int) -> str:
        """The name of the module in a place, counted from the end if below 0."""
        names = self._names()
        if not -len(names) <= index < len(names):
            raise IndexError(f"{self.label()}: there is no module {index} among {len(names)}")
        return names[index]

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if not isinstance(index, slice):
            return vars(self)[self._at(index)]
        part = type(self)()
        vars(part).update((str(place), module) for place, module in enumerate(list(self)[index]))  # they keep their paths in the whole
        return part

    def __setitem__(self, index: int, module: Module) -> None:
        self._put(self._at(index), module, index)

    def __delitem__(self, index: int) -> None:
        names, modules = self._names(), list(self)
        del modules[names.index(self._at(index))]
        self._refill(modules)

    def _refill(self, modules: list[Module]) -> None:
        """Hold these modules and no others, numbered afresh."""
        for name in self._names():
            delattr(self, name)
        self.extend(modules)


class Sequential(Numbered):
    """Modules called one after another. It has a length, iterates, and an index gives a module, a slice a Sequential of the same modules.

    A dict gives them names of its own: Sequential({"first": Linear(2, 4), "act": Tanh()}).

    >>> from minigrad import nn
    >>> model = Sequential(nn.Linear(2, 4), nn.Linear(4, 1))
    >>> model
    Sequential(
      (0): Linear(in_features=2, out_features=4, bias=True)
      (1): Linear(in_features=4, out_features=1, bias=True)
    )  # 17 parameters
    >>> len(model), model[-1]
    (2, Linear(in_features=4, out_features=1, bias=True)  # 5 parameters)
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        named = modules[0] if len(modules) == 1 and isinstance(modules[0], Mapping) else {str(i): m for i, m in enumerate(modules)}
        for place, (name, module) in enumerate(named.items()):
            self._put(name, module, place)

    def forward(self, x: Any) -> Any:
        """The last module's output for the first module's input x."""
        for module in self:
            x = module(x)
        return x


class ModuleList(Numbered):
    """A list of modules whose parameters the model owns; what calls them is your forward().

    >>> from minigrad import nn
    >>> layers = ModuleList(nn.Linear(2, 2) for _ in range(3))
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one in place `index`."""
        modules = list(self)
        modules.insert(index, module)
        self._refill(modules)


class ModuleDict(Module):
    """A dict of modules whose parameters the model owns; what calls them is your forward().

    >>> from minigrad import nn
    >>> heads = ModuleDict({"colour": nn.Linear(2, 3), "size": nn.Linear(2, 1)})
    >>> heads["size"].out_features, "shape" in heads
    (1, False)
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Put in modules under their names; a name that is there already gets the new module."""
        for name, module in dict(modules).items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"ModuleDict takes modules, got {type(module).__name__} for {name!r}")
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"ModuleDict: {name!r} is no name for a module: it should be a string without a dot")
        if hasattr(type(self), name) or (name in vars(self) and name not in self):
            raise KeyError(f"ModuleDict: {name!r} is an attribute of every ModuleDict: use another name")
        setattr(self, name, module)

    def __getitem__(self, name: str) -> Module:
        if name not in self:
            raise KeyError(f"{self.label()}: there is no module {name!r}, there are {', '.join(map(repr, self))}")
        module: Module = vars(self)[name]
        return module

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str) -> Module:
        """Take a module out."""
        module = self[name]
        delattr(self, name)
        return module

    def __contains__(self, name: object) -> bool:
        return isinstance(vars(self).get(str(name)), Module)

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """The names, in order."""
        return [name for name, value in vars(self).items() if isinstance(value, Module)]

    def values(self) -> list[Module]:
        """The modules, in order."""
        return [self[name] for name in self]

    def items(self) -> list[tuple[str, Module]]:
        """(name, module), in order."""
        return [(name, self[name]) for name in self]
