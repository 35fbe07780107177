"""The cells of _cells.py as loops in C, fused by hand around minigrad's own kernels: see fused/fused.h."""

from __future__ import annotations

import ast
import ctypes
import functools
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import numpy as np
from _cells import CELLS
from _rivals import Run, Task

ROOT = Path(__file__).resolve().parent.parent
LINE = 64  # bytes of a cache line


class Job(ctypes.Structure):
    """What fused.h declares under this name."""

    _fields_ = (
        *[(name, ctypes.c_ssize_t) for name in "TBIH"],
        ("x", ctypes.c_void_p),
        ("cotangent", ctypes.c_void_p),
        ("w", ctypes.c_void_p * 6),
        ("dw", ctypes.c_void_p * 6),
        ("h", ctypes.c_void_p),
        ("memory", ctypes.c_void_p),
        ("used", ctypes.c_ssize_t),
        ("unit", ctypes.c_void_p),
    )


def compiler() -> list[str] | None:
    """The command of Python's own C compiler, or of another; None without one."""
    for command in (sysconfig.get_config_var("CC") or "", "cc", "gcc", "clang"):
        words = shlex.split(command)
        if words and shutil.which(words[0]):
            return words
    return None


def missing() -> str | None:
    """A sentence if the loops cannot be had here."""
    if compiler() is None:
        return "there is no C compiler here"
    try:
        import minigrad._elementwise  # noqa: F401
    except ImportError:
        return "this minigrad has no compiled kernels to share with them"
    return None


def flags() -> list[str]:
    """CFLAGS of setup.py, with which minigrad's kernels were compiled."""
    for statement in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "CFLAGS":
            return list(ast.literal_eval(statement.value))
    raise LookupError("setup.py has no CFLAGS")


@functools.cache
def library() -> ctypes.CDLL:
    """The loops, compiled now."""
    command = compiler()
    assert command is not None
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "fused.c"), Path(folder, "fused.so")
        source.write_text('#include "fused.h"\n')
        headers = [f"-I{ROOT / place}" for place in ("kernels", "benchmarks/fused")]
        subprocess.run([*command, *flags(), "-shared", "-fPIC", *headers, str(source), "-o", str(target)], check=True)
        return ctypes.CDLL(str(target))


def fused_cell(task: Task) -> Run:
    """The cell as a loop in C, on the instruction set that minigrad uses."""
    from minigrad import _elementwise

    T, B, H = task.cotangent.shape
    h = np.zeros((T + 1, B, H), np.float32)
    arrays = [np.ascontiguousarray(weight) for weight in task.weights.values()]
    gradients = [np.empty_like(weight) for weight in arrays]
    job = Job(T, B, task.x.shape[-1], H, task.x.ctypes.data, task.cotangent.ctypes.data, h=h.ctypes.data)
    for k, (weight, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        job.w[k], job.dw[k] = weight.ctypes.data, gradient.ctypes.data
    loop, isa, number = library().fused, _elementwise.isas().index(_elementwise.isa()), list(CELLS).index(task.cell)
    loop(isa, number, ctypes.byref(job))  # without memory: how much it wants
    memory = np.empty(job.used + LINE // 4, np.float32)
    job.memory = -(-memory.ctypes.data // LINE) * LINE

    def run() -> list[np.ndarray]:
        """One training step; task, weights and memory belong to it, for C knows only their addresses."""
        assert task and arrays and memory.size
        loop(isa, number, ctypes.byref(job))
        return [h[1:], *gradients]

    return run
