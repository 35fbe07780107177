"""Keywords that a function does not have, refused in words: what PyTorch calls `dim` is `axis` here, in nn it is `dim`."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

# What is called by two names: whoever writes one is told of the other, where a function has that.
TWINS = (
    ("dim", "axis", "axes"), ("dims", "axis", "axes"), ("keepdim", "keepdims"), ("start_dim", "start"), ("end_dim", "stop"), ("min", "lo"),
    ("max", "hi"), ("p", "ord"), ("unbiased", "ddof"), ("correction", "ddof"), ("size_average", "reduction"), ("reduce", "reduction"),
    ("learning_rate", "lr"),
)  # fmt: skip
REASONS = {
    "device": "all is computed on the CPU, leave it out",
    "out": "a result is always a new tensor, leave it out",
    "inplace": "a result is always a new tensor, leave it out",
    "input": "arrays are given by their place",
    "other": "arrays are given by their place",
    "closure": "call backward() before the step",
}


def unknown(name: str, keyword: str, has: Iterable[str]) -> TypeError:
    """The error about a keyword that the function `name` does not have; it has those."""
    has = [other for other in has if other != "self"]
    twins = [twin for names in TWINS for twin in names if keyword in names and twin in has]
    if twins:
        way = f"here it is called {twins[0]}="
    elif keyword in REASONS:
        way = REASONS[keyword]
    else:
        way = f"it has {', '.join(has)}" if has else "it has no settings"
    return TypeError(f"{name}() has no keyword '{keyword}': {way}")


def worded(function: Callable[..., Any], name: str, more: Iterable[str] = ("others",)) -> Callable[..., Any]:
    """`function`, whose refusal of a keyword says what to write instead; `more` are those it takes as **keywords."""

    @functools.wraps(function)
    def called(*args: Any, **keywords: Any) -> Any:
        try:
            return function(*args, **keywords)
        except TypeError as problem:
            found = re.search(r"unexpected keyword argument '(\w+)'", str(problem))
            if found is None or found[1] not in keywords:
                raise
        parameters = inspect.signature(function).parameters.values()
        has = [[*more] if one.kind is one.VAR_KEYWORD else [one.name] for one in parameters]
        raise unknown(name, found[1], dict.fromkeys(label for labels in has for label in labels))

    return called


def word(space: dict[str, Any], names: Iterable[str]) -> None:
    """Let the functions and classes of these names in a module refuse keywords in words."""
    for name in names:
        value = space[name]
        if inspect.isfunction(value):
            space[name] = worded(value, name)
        elif inspect.isclass(value) and inspect.isfunction(value.__init__):
            value.__init__ = worded(value.__init__, name, getattr(value, "keywords", ("others",)))  # type: ignore[method-assign]
