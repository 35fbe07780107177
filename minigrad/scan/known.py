"""Whether a step is one that was traced before: everything its Python code can reach, as a key; or that it cannot be told.

A function's calls depend on its code, on what its names mean, and on the values it closes over. If all of those are of kinds whose
whole content can be compared (numbers, strings, containers and modules of them, tensors, other such functions), equal keys mean equal
calls, and the step need not be traced again. Anything else in reach, and it is.
"""

from __future__ import annotations

import functools
from opcode import opmap
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from minigrad.ops import linear, relu
from minigrad.tape import Tensor

PLAIN = {int, bool, str, bytes, complex, type(None), type(Ellipsis), np.dtype}
LIBRARIES = {"minigrad", "numpy", "math"}  # whose functions give the same for the same; but for what a name in MOODS tells
MOODS = {"random", "grad", "default_rng", "environ", "open", "input", "print", "next", "iter", "id", "globals", "locals", "eval", "exec"}
MOODS |= {"vars", "getattr", "setattr", "delattr", "object", "super", "hash", "__import__", "breakpoint", "compile", "memoryview", "dir"}
MOODS |= {"is_leaf", "version", "parameter", "now", "time"}
REACHES_OUT = {opmap["IMPORT_NAME"], opmap["STORE_GLOBAL"], opmap["DELETE_GLOBAL"]}  # every second byte of code is an operation
MOST = 2000  # parts of a key: to compare more takes longer than to trace
FIXED = {FunctionType, BuiltinFunctionType, np.ufunc, type(np.sum), type(relu), type(linear)}  # NumPy's, an operation, compiled
DEEP = 12  # containers in containers


class Unknown(Exception):
    """Something in reach cannot be compared."""


def fingerprint(step: Any) -> tuple[Any, tuple[Tensor, ...]]:
    """(key, tensors in reach); (None, ()) if steps with this key could differ."""
    reach = Reach()
    try:
        reach.visit(step, 0)
    except (Unknown, TypeError):  # TypeError: a key that has no hash
        return None, ()
    return tuple(reach.parts), tuple(reach.tensors)


def library(module: Any) -> str:
    """The package in which a module is."""
    return str(module).partition(".")[0]


class Reach:
    """What has been found so far: the parts of the key, and the tensors by the order in which they were met."""

    __slots__ = ("met", "parts", "tensors")

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.tensors: list[Tensor] = []
        self.met: dict[int, int] = {}  # id of a tensor or function -> its number: what is met again adds nothing but that

    def visit(self, value: Any, depth: int) -> None:
        """Add one value, and all that it reaches."""
        kind = type(value)
        if kind is Tensor:
            if self.again(value):
                self.tensors.append(value)
        elif value is None or kind in PLAIN:
            self.parts.append(kind)
            self.parts.append(value)
        elif kind is float:
            self.parts.append(repr(value))
        elif kind is FunctionType and library(value.__module__) not in LIBRARIES:
            if self.again(value):
                self.function(value, depth)
        elif depth > DEEP or len(self.parts) > MOST:
            raise Unknown
        elif kind is ModuleType and library(value.__name__) in LIBRARIES:
            self.parts.append(value.__name__)
        elif kind is tuple or kind is list:
            self.parts.append((kind, len(value)))
            for item in value:
                self.visit(item, depth + 1)
        elif kind is dict or kind is SimpleNamespace:
            items = value if kind is dict else value.__dict__
            self.parts.append((kind, tuple(items)))
            for item in items.values():
                self.visit(item, depth + 1)
        else:
            self.other(value, kind, depth)

    def again(self, value: Any) -> bool:
        """Note a value by the number of its first meeting; whether this is it."""
        known = len(self.met)
        number = self.met.setdefault(id(value), known)
        self.parts.append(number)
        return number == known

    def function(self, function: Any, depth: int) -> None:
        """A Python function: its code, defaults, closure, and what its global names stand for."""
        code = function.__code__
        self.parts.append(code)
        self.visit(function.__defaults__, depth + 1)
        self.visit(function.__kwdefaults__, depth + 1)
        self.visit(function.__dict__, depth + 1)
        try:
            for cell in function.__closure__ or ():
                self.visit(cell.cell_contents, depth + 1)
        except ValueError:  # an empty cell
            raise Unknown from None
        space = function.__globals__
        names = names_in(code)
        if names is None:
            raise Unknown
        for name in names:
            if name in space:
                self.parts.append(name)
                self.visit(space[name], depth + 1)

    def other(self, value: Any, kind: type, depth: int) -> None:
        """Bound methods, layers, libraries and what is in them."""
        if kind is MethodType:
            self.visit(value.__func__, depth + 1)
            self.visit(value.__self__, depth + 1)
        elif kind is functools.partial:
            for part in (value.func, value.args, value.keywords):
                self.visit(part, depth + 1)
        elif hasattr(kind, "named_parameters") and "_buffers" in vars(value):  # a layer or a model
            if self.again(value):
                self.module(value, kind, depth)
        elif kind in FIXED or isinstance(value, type):
            home = str(getattr(value, "__module__", None) or getattr(getattr(value, "__self__", None), "__name__", ""))
            if library(home) not in LIBRARIES | {"builtins"}:
                raise Unknown
            self.parts.append((value,))  # bare, a class would look like the kind of what comes next
        else:
            raise Unknown

    def module(self, module: Any, kind: type, depth: int) -> None:
        """A layer or model: its class, with the methods that others wrote, and its attributes."""
        self.parts.append(kind)
        for base in kind.__mro__:
            if str(base.__module__).partition(".")[0] not in ("minigrad", "builtins", "typing"):
                for name, attribute in vars(base).items():
                    if name not in ("__init__", "__repr__") and (isinstance(attribute, FunctionType) or not name.startswith("__")):
                        self.visit(attribute, depth + 1)
        for name, attribute in vars(module).items():
            if name not in ("_path", "_buffers", "_again"):
                self.parts.append(name)
                self.visit(attribute, depth + 1)


@functools.lru_cache(maxsize=4096)
def names_in(code: CodeType) -> tuple[str, ...] | None:
    """The names that code, and code inside it, asks for; None if it imports, or if what one gives may differ each time."""
    names = set(code.co_names)
    if names & MOODS or REACHES_OUT.intersection(code.co_code[::2]):
        return None
    for const in code.co_consts:
        if isinstance(const, CodeType):
            inner = names_in(const)
            if inner is None:
                return None
            names.update(inner)
    return tuple(sorted(names))
