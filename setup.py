"""Builds the compiled half of minigrad: kernels/*.pyx, and those .py files of the engine that every step of training passes through.

No compiler, no Cython or MINIGRAD_PURE=1: the package installs without them and runs, slower, on NumPy alone.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from setuptools import Extension, setup

DEBUG = os.environ.get("MINIGRAD_DEBUG") == "1"
PURE = os.environ.get("MINIGRAD_PURE") == "1"

DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,  # the types of the engine stand in its .pxd files
    "boundscheck": DEBUG,
    "cdivision": True,
    "initializedcheck": DEBUG,
    "binding": True,
}

# A method with `binding` does not check its self: Tensor.detach(3) would read foreign memory. ops/elementwise.py needs it, for the names
# that its rules ask for.
ENGINE = {**DIRECTIVES, "binding": False, "embedsignature": True}

# Nodes and tensors cannot form cycles (see minigrad.tape.Node), so the garbage collector need not look at them: that was a fifth of
# the tape's cost. Cython drops class directives that stand in the .pxd of a .py file, and takes them here once it lists them.
TAPE = {**ENGINE, "no_gc": True, "freelist": 256}

# Contraction is off and written out instead (MADD in simd_body.h): a loop's vector body and its tail then give the same bits. What only a
# debugger reads is left out (LDFLAGS too): a tenth of the wheel.
CFLAGS = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-fno-asynchronous-unwind-tables"]
LDFLAGS = ["-s"] if sys.platform == "linux" else []

# On Intel's Skylake to Cascade Lake a jump across 32 bytes keeps its loop out of the cache of decoded instructions: without this it was
# chance which products took a quarter more time.
BRANCHES = "-Wa,-mbranches-within-32B-boundaries"

# The engine waits for objects, not for arithmetic: more than -O2 makes it larger and no faster. The planner runs once a plan: -O1, in half
# the time to compile; those of its modules that nothing else calls -Os, three quarters of the size.
PLANNER = {f"minigrad.scan.{name}" for name in ("trace", "hoist", "sink", "rows", "fuse", "plan", "reuse", "compiled")}
SMALL = {f"minigrad.scan.{name}" for name in ("rows", "plan", "reuse")}

MODULES = {
    "minigrad._elementwise": ("kernels/elementwise.pyx", DIRECTIVES),
    "minigrad._matmul": ("kernels/matmul.pyx", DIRECTIVES),
    "minigrad._program": ("kernels/program.pyx", DIRECTIVES),
    "minigrad._optim": ("kernels/optim.pyx", DIRECTIVES),
    "minigrad.arithmetic": ("minigrad/arithmetic.py", TAPE),
    "minigrad.tape": ("minigrad/tape.py", TAPE),
    "minigrad.walk": ("minigrad/walk.py", TAPE),
    "minigrad.op": ("minigrad/op.py", ENGINE),
    "minigrad.ops.elementwise": ("minigrad/ops/elementwise.py", DIRECTIVES),
    "minigrad.ops.linalg": ("minigrad/ops/linalg.py", DIRECTIVES),
    "minigrad.scan.tree": ("minigrad/scan/tree.py", ENGINE),
    "minigrad.scan.known": ("minigrad/scan/known.py", ENGINE),
    "minigrad.scan.trace": ("minigrad/scan/trace.py", ENGINE),
    "minigrad.scan.hoist": ("minigrad/scan/hoist.py", ENGINE),
    "minigrad.scan.sink": ("minigrad/scan/sink.py", ENGINE),
    "minigrad.scan.rows": ("minigrad/scan/rows.py", ENGINE),
    "minigrad.scan.fuse": ("minigrad/scan/fuse.py", ENGINE),
    "minigrad.scan.plan": ("minigrad/scan/plan.py", ENGINE),
    "minigrad.scan.reuse": ("minigrad/scan/reuse.py", ENGINE),
    "minigrad.scan.span": ("minigrad/scan/span.py", ENGINE),
    "minigrad.scan.compiled": ("minigrad/scan/compiled.py", ENGINE),
    "minigrad.scan.run": ("minigrad/scan/run.py", ENGINE),
    "minigrad.scan.replay": ("minigrad/scan/replay.py", ENGINE),
    "minigrad.scan.request": ("minigrad/scan/request.py", ENGINE),
    "minigrad.nn.equations": ("minigrad/nn/equations.py", DIRECTIVES),
    "minigrad.nn.stack": ("minigrad/nn/stack.py", DIRECTIVES),
}


def compiles(flag: str) -> bool:
    """Whether the C compiler and its assembler know a flag."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "empty.c").write_text("int nothing;\n", encoding="ascii")
        try:
            return subprocess.run([*compiler, flag, "-c", "empty.c"], cwd=folder, capture_output=True, check=False).returncode == 0
        except OSError:
            return False


def extensions() -> list[Extension]:
    """The compiled modules, each optional; none where they cannot or must not be built."""
    if PURE:
        return []
    try:
        import numpy
        from Cython.Build import cythonize
        from Cython.Compiler.Options import get_directive_defaults
    except ImportError as missing:
        print(f"minigrad: building without compiled modules ({missing})", file=sys.stderr)
        return []
    get_directive_defaults().update(no_gc=False, freelist=0)
    kernels = [*CFLAGS, BRANCHES] if compiles(BRANCHES) else CFLAGS
    modules = []
    for name, (source, directives) in MODULES.items():
        level = "-Os" if name in SMALL else "-O1" if name in PLANNER else "-O2"
        extension = Extension(
            name,
            [source],
            include_dirs=["kernels", numpy.get_include()],
            depends=[str(path) for path in Path("kernels").glob("*.[hp]*")],
            extra_compile_args=kernels if source.endswith(".pyx") else [*CFLAGS, level],
            extra_link_args=LDFLAGS,
            define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        )
        modules += cythonize([extension], compiler_directives=directives, build_dir="build/cython")
    for module in modules:
        module.optional = True  # cythonize drops the flag; without it a machine with no compiler cannot install
    return modules


def sweep() -> None:
    """Remove what was compiled of modules that are compiled no longer: beside its source, it would go on being imported."""
    for path in [path for kind in ("*.so", "*.pyd") for path in Path("minigrad").rglob(kind)]:
        if ".".join([*path.parent.parts, path.name.split(".")[0]]) not in MODULES:
            path.unlink()


sweep()
setup(ext_modules=extensions(), options={"build_ext": {"parallel": os.cpu_count() or 1}})
