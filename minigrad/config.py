"""Which half of minigrad runs: compiled or pure. Two switches, read at import:

MINIGRAD_KERNELS=0   every numeric kernel is left to its NumPy body
MINIGRAD_PURE=1      tape.py and op.py themselves run, their compiled twins ignored; implies the first
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import platform
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

COMPILED = {"tape": "minigrad/tape.py", "op": "minigrad/op.py", "_elementwise": "kernels/elementwise.pyx"}  # module -> source
HERE = Path(__file__).parent


def flag(name: str) -> str:
    """A switch from the environment."""
    return os.environ.get(name, "")


def binary(module: str) -> Path | None:
    """The extension file of a compiled module, if it was built."""
    return next((path for suffix in importlib.machinery.EXTENSION_SUFFIXES if (path := HERE / (module + suffix)).exists()), None)


def prepare() -> None:
    """Before anything else is imported: load the uncompiled engine if that was asked for, say once what is missing."""
    if flag("MINIGRAD_PURE") == "1":
        for name in ("tape", "op"):
            full = f"minigrad.{name}"
            spec = importlib.util.spec_from_file_location(full, HERE / f"{name}.py")
            assert spec is not None and spec.loader is not None
            module = sys.modules[full] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        return
    missing = [name for name in COMPILED if binary(name) is None]
    if missing:
        warnings.warn(
            f"minigrad runs without its compiled modules {', '.join(missing)}: results are the same, training is slower. Install a C "
            "compiler and reinstall, or set MINIGRAD_PURE=1 to say that this is meant.",
            RuntimeWarning,
            stacklevel=3,
        )


def kernels() -> ModuleType | None:
    """The compiled elementwise kernels, or None where they are missing or switched off."""
    if flag("MINIGRAD_PURE") == "1" or flag("MINIGRAD_KERNELS") == "0" or binary("_elementwise") is None:
        return None
    return importlib.import_module("minigrad._elementwise")


def stale() -> list[str]:
    """Compiled modules that are older than their source: a development install that was not rebuilt."""
    old = []
    for name, source in COMPILED.items():
        built = binary(name)
        sources = [path for path in (HERE.parent / source, *(HERE.parent / "kernels").glob("*.h")) if path.exists()]
        if name in ("tape", "op"):
            sources = [HERE / f"{name}.py", HERE / f"{name}.pxd"]
        if built is not None and any(path.stat().st_mtime > built.stat().st_mtime + 1 for path in sources if path.exists()):
            old.append(name)
    return old


def info() -> dict[str, Any]:
    """What runs: versions, engine, kernels, instruction set, threads."""
    import numpy

    import minigrad
    from minigrad import tape

    simd = kernels()
    engine = "compiled" if str(tape.__file__).endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)) else "pure Python"
    return {
        "minigrad": minigrad.__version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "engine": engine,
        "kernels": "compiled" if simd else "NumPy",
        "instruction set": f"{simd.isa()} (this machine can run {', '.join(simd.isas())})" if simd else "NumPy's own",
        "threads": f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores; matrix products use NumPy's BLAS",
    }


def show_config() -> None:
    """Print what runs, a line each."""
    for key, value in info().items():
        print(f"{key:16s} {value}")
