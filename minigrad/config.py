"""Which half of minigrad runs: compiled or pure. Two switches, read at import:

MINIGRAD_KERNELS=0   every numeric kernel is left to its NumPy body
MINIGRAD_PURE=1      the .py files of the engine themselves run, their compiled twins ignored; implies the first
"""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import platform
import sys
import warnings
from types import ModuleType
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENGINE = {
    f"minigrad.{name}": f"{ROOT}/minigrad/{name.replace('.', '/')}.py"
    for name in (
        *("arithmetic", "tape", "walk", "op", "ops.elementwise", "ops.linalg"),
        *("scan.tree", "scan.trace", "scan.hoist", "scan.sink", "scan.rows", "scan.fuse", "scan.plan", "scan.reuse", "scan.span"),
        *("scan.compiled", "scan.run", "scan.replay", "scan.request", "scan.known"),
        *("nn.equations", "nn.stack"),
    )
}  # module -> source
KERNELS = {f"minigrad._{name}": f"{ROOT}/kernels/{name}.pyx" for name in ("elementwise", "matmul", "program", "optim")}
COMPILED = {**ENGINE, **KERNELS}


def flag(name: str) -> str:
    """A switch from the environment."""
    return os.environ.get(name, "")


def binary(module: str) -> str | None:
    """The extension file of a compiled module, if it was built."""
    paths = [f"{ROOT}/{module.replace('.', '/')}{suffix}" for suffix in importlib.machinery.EXTENSION_SUFFIXES]
    return next(filter(os.path.exists, paths), None)


class FromSource:
    """An import finder that takes the engine's modules from their .py files, though compiled twins lie beside them."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        """The source of an engine module; nothing to say about any other."""
        if name not in ENGINE:
            return None
        import importlib.util

        return importlib.util.spec_from_file_location(name, ENGINE[name])


def prepare() -> None:
    """Before anything else is imported: choose the uncompiled engine if that was asked for, say once what is missing."""
    if flag("MINIGRAD_PURE") == "1":
        sys.meta_path.insert(0, FromSource)
        return
    missing = [name for name in COMPILED if binary(name) is None]
    if missing:
        warnings.warn(
            f"minigrad runs without its compiled modules {', '.join(missing)}: results agree to rounding, training is slower. Install a C "
            "compiler and reinstall, or set MINIGRAD_PURE=1 to say that this is meant.",
            RuntimeWarning,
            stacklevel=3,
        )


def kernels() -> ModuleType | None:
    """The compiled elementwise kernels, or None where they are missing or switched off."""
    if flag("MINIGRAD_PURE") == "1" or flag("MINIGRAD_KERNELS") == "0" or any(binary(name) is None for name in KERNELS):
        return None
    return importlib.import_module("minigrad._elementwise")


def products() -> ModuleType:
    """The compiled matrix products, which come with the kernels."""
    return importlib.import_module("minigrad._matmul")


def optim_kernel(name: str) -> Any:
    """A kernel of the optimisers; without kernels a function that has no case, and leaves everything to NumPy."""
    return getattr(importlib.import_module("minigrad._optim"), name) if kernels() else lambda *arguments: NotImplemented


def stale() -> list[str]:
    """Compiled modules that are older than their source: a development install that was not rebuilt."""
    from glob import glob

    old = []
    for name, source in COMPILED.items():
        built = binary(name)
        sources = [source, *([source[:-3] + ".pxd"] if name in ENGINE else glob(f"{ROOT}/kernels/*.*[hi]"))]
        if built is not None and any(os.path.exists(path) and os.path.getmtime(path) > os.path.getmtime(built) + 1 for path in sources):
            old.append(name)
    return old


def info() -> dict[str, Any]:
    """What runs: versions, engine, kernels, instruction set, threads."""
    import numpy

    import minigrad
    from minigrad import tape, threads

    simd = kernels()
    engine = "compiled" if str(tape.__file__).endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)) else "pure Python"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "minigrad": minigrad.__version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "engine": engine,
        "kernels": "compiled" if simd else "NumPy",
        "instruction set": f"{simd.isa()} (this machine can run {', '.join(simd.isas())})" if simd else "NumPy's own",
        "threads": f"{threads.get_num_threads()} of {cores} cores",
    }


def show_config() -> None:
    """Print what runs, a line each."""
    for key, value in info().items():
        print(f"{key:16s} {value}")
