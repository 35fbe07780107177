"""Builds the compiled half of minigrad: kernels/*.pyx and the engine's own tape.py and op.py.

No compiler, no Cython or MINIGRAD_PURE=1: the package installs without them and runs, slower, on NumPy alone.
"""

import os
import sys

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

# Contraction is off and written out instead (MADD in simd.h): a loop's vector body and its tail then give the same bits.
CFLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"]

MODULES = {
    "minigrad._elementwise": "kernels/elementwise.pyx",
    "minigrad.tape": "minigrad/tape.py",
    "minigrad.op": "minigrad/op.py",
}


def extensions() -> list[Extension]:
    if PURE:
        return []
    try:
        import numpy
        from Cython.Build import cythonize
    except ImportError as missing:
        print(f"minigrad: building without compiled modules ({missing})", file=sys.stderr)
        return []
    modules = cythonize(
        [
            Extension(
                name,
                [source],
                include_dirs=["kernels", numpy.get_include()],
                depends=["kernels/simd.h"],
                extra_compile_args=CFLAGS,
                define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
            )
            for name, source in MODULES.items()
        ],
        compiler_directives=DIRECTIVES,
        build_dir="build/cython",
    )
    for module in modules:
        module.optional = True  # cythonize drops the flag; without it a machine with no compiler cannot install
    return modules


setup(ext_modules=extensions())
