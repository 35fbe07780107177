"""Compiled elementwise kernels, float32 and float64: each takes the place of the NumPy body of the op of its name.

A kernel returns a fresh C-contiguous array, or NotImplemented when what it was given is not its case; the caller then
runs the NumPy body. So nothing here raises for an array it cannot treat, and nothing here needs to know every array.

Its case is: exact ``ndarray``, float32 or float64 (all operands the same) in native byte order, aligned. Functions of
one or two arrays want rows: the last axis contiguous, the leading axes evenly spaced (every C-contiguous array is, and
so is a gate slice ``x[:, 64:128]``); the others want C-contiguous arrays. Functions of two arrays also take a Python
int or float for one of them, and broadcast one operand into the other's shape: a single element, a trailing part of
the shape (a bias), or a column ``(..., 1)``.

Kernels do not touch NumPy's floating-point error state: log(0) is -inf without a warning.
"""

cimport numpy as cnp
from libc.math cimport INFINITY
from libc.stdint cimport int64_t

import os

cnp.import_array()

include "gate.pxi"
include "pool.pxi"
include "threads.pxi"


cdef extern from "simd.h" nogil:
    enum:
        INSTANCE_COUNT

    ctypedef struct Instance:
        const char* name
        const Loops** loops

    const Instance* instances
    bint instance_runs(int)


# ---- the instruction set ---------------------------------------------------------------------------------------------

cdef const Instance* active = &instances[0]


def isas():
    """Names of the instruction sets that this machine runs, narrowest first."""
    return tuple([instances[i].name.decode() for i in range(INSTANCE_COUNT) if instance_runs(i)])


def isa():
    """Name of the instruction set in use: the widest, or what the environment variable MINIGRAD_ISA names."""
    return active.name.decode()


cdef const Loops* loops(int kind) noexcept nogil:
    return active.loops[kind]


cdef int isa_number() noexcept nogil:
    return <int>(active - &instances[0])


def _use_isa(name):
    """Switch to another instruction set of isas(), for tests and campaigns."""
    global active
    for i in range(INSTANCE_COUNT):
        if instance_runs(i) and instances[i].name.decode() == name:
            active = &instances[i]
            return
    raise ValueError(f"MINIGRAD_ISA names the instruction set {name!r}; this machine runs {', '.join(isas())}.")


_use_isa(os.environ.get("MINIGRAD_ISA") or isas()[len(isas()) - 1])

# ---- one array -------------------------------------------------------------------------------------------------------


cdef void run_unary(UnaryLoop loop, Side x, char* out, cnp.npy_intp rows, cnp.npy_intp columns,
                    cnp.npy_intp item) noexcept nogil:
    cdef cnp.npy_intp row, head = unaligned_head(out, rows, columns, item)
    if head:
        loop(x.data, out, head)
        loop(x.data + head * item, out + head * item, columns - head)
        return
    for row in range(rows):
        loop(x.data + row * x.stride, out + row * columns * item, columns)


cdef unary(a, int op):
    cdef cnp.ndarray x, out
    cdef Side side
    cdef int kind
    cdef cnp.npy_intp size, columns
    cdef UnaryLoop loop
    if not cnp.PyArray_CheckExact(a):
        return NotImplemented
    x = <cnp.ndarray>a
    kind = precision(x)
    if kind < 0:
        return NotImplemented
    size = cnp.PyArray_SIZE(x)
    if op == OP_sqrt and kind == 1 and size >= RELEASE_FROM:
        return NotImplemented  # NumPy is as fast as the processor
    loop = active.loops[kind].unary[op]
    if packed(x) and size < ALIGN_FROM:
        out = empty_like(x, cnp.PyArray_TYPE(x))
        loop(cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(out), size)
        return out
    columns = size if packed(x) else last_axis(x)
    if not as_rows(x, columns, &side):
        return NotImplemented
    out = empty_like(x, cnp.PyArray_TYPE(x))
    if size == 0:
        return out
    cdef char* target = cnp.PyArray_BYTES(out)
    cdef cnp.npy_intp item = cnp.PyArray_ITEMSIZE(x)
    cdef PyThreadState* state = release(size)
    run_unary(loop, side, target, size // columns, columns, item)
    reacquire(state)
    return out

# ---- two arrays ------------------------------------------------------------------------------------------------------


cdef void run_binary(BinaryLoop loop, Side a, Side b, Side out, cnp.npy_intp rows, cnp.npy_intp columns,
                     cnp.npy_intp item, cnp.npy_intp out_item) noexcept nogil:
    cdef cnp.npy_intp row, head = unaligned_head(out.data, rows, columns, out_item)
    if head:
        loop(a.data, a.step, b.data, b.step, out.data, head)
        a.data, b.data = a.data + a.step * head * item, b.data + b.step * head * item
        loop(a.data, a.step, b.data, b.step, out.data + head * out_item, columns - head)
        return
    for row in range(rows):
        loop(a.data + row * a.stride, a.step, b.data + row * b.stride, b.step, out.data + row * out.stride, columns)


cdef inline binary(a, b, int op):
    """The commonest case at once: two packed arrays of one shape, small enough to run at once."""
    cdef cnp.ndarray x, y, out
    cdef int kind
    cdef cnp.npy_intp size
    if cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b):
        x, y = <cnp.ndarray>a, <cnp.ndarray>b
        kind = precision(x)
        if kind >= 0 and kind == precision(y) and packed(x) and packed(y) and same_shape(x, y):
            size = cnp.PyArray_SIZE(x)
            if size < ALIGN_FROM:
                out = empty_like(x, result_type(op, cnp.PyArray_TYPE(x)))
                active.loops[kind].binary[op](
                    cnp.PyArray_BYTES(x), 1, cnp.PyArray_BYTES(y), 1, cnp.PyArray_BYTES(out), size)
                return out
    return binary_general(a, b, op)


cdef inline bint is_comparison(int op) noexcept:
    return OP_eq <= op <= OP_ge


cdef inline int result_type(int op, int number) noexcept:
    return cnp.NPY_BOOL if is_comparison(op) else number


cdef binary_general(a, b, int op):
    cdef cnp.ndarray big, small, out
    cdef Side sides[2]
    cdef Side target
    cdef double number, cell
    cdef int kind, more, first = 0  # which of a, b gives the result its shape
    cdef cnp.npy_intp size, columns
    if cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b):
        big, small = <cnp.ndarray>a, <cnp.ndarray>b
        kind = precision(big)
        if kind < 0 or kind != precision(small):
            return NotImplemented
        if same_shape(big, small):
            columns = cnp.PyArray_SIZE(big) if packed(big) and packed(small) else last_axis(big)
            if not as_rows(small, columns, &sides[1]):
                return NotImplemented
        else:
            more = cnp.PyArray_NDIM(small) - cnp.PyArray_NDIM(big)
            if more > 0 or (more == 0 and cnp.PyArray_SIZE(small) > cnp.PyArray_SIZE(big)):
                big, small, first = small, big, 1
            if not broadcasts(small, big, &columns, &sides[1 - first]):
                return NotImplemented
    else:
        if cnp.PyArray_CheckExact(b):
            a, b, first = b, a, 1
        if not cnp.PyArray_CheckExact(a) or not as_double(b, &number):
            return NotImplemented
        big = <cnp.ndarray>a
        kind = precision(big)
        if kind < 0:
            return NotImplemented
        columns = cnp.PyArray_SIZE(big) if packed(big) else last_axis(big)
        store(number, kind, &cell)
        sides[1 - first] = Side(<char*>&cell, 0, 0)
    size = cnp.PyArray_SIZE(big)
    if not as_rows(big, columns, &sides[first]):
        return NotImplemented
    if size >= RELEASE_FROM and kind == 1 and (is_comparison(op) or op == OP_div):
        return NotImplemented  # NumPy packs the booleans of many float64 better, and divides as fast as the processor does
    out = empty_like(big, result_type(op, cnp.PyArray_TYPE(big)))
    if size == 0:
        return out
    cdef BinaryLoop loop = active.loops[kind].binary[op]
    cdef cnp.npy_intp item = cnp.PyArray_ITEMSIZE(big), out_item = cnp.PyArray_ITEMSIZE(out)
    target = Side(cnp.PyArray_BYTES(out), columns * out_item, 1)
    cdef PyThreadState* state = release(size)
    run_binary(loop, sides[0], sides[1], target, size // columns, columns, item, out_item)
    reacquire(state)
    return out


cdef bint disjoint(Side x, Side y, cnp.npy_intp rows, cnp.npy_intp width) noexcept:
    """Whether no element of x shares memory with another element of y (the very same elements may)."""
    cdef cnp.npy_intp x_last = (rows - 1) * x.stride, y_last = (rows - 1) * y.stride
    if x.data == y.data and (x.stride == y.stride or rows == 1):
        return True
    return (x.data + max(x_last, 0) + width <= y.data + min(y_last, 0)
            or y.data + max(y_last, 0) + width <= x.data + min(x_last, 0))


def iadd(a, b, /):
    """a += b in place, for arrays of one shape; returns a. Refuses a read-only a, and a b that overlaps a shifted."""
    cdef cnp.ndarray x, y
    cdef Side into, other
    cdef int kind
    cdef cnp.npy_intp size, columns, item
    if not (cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b)):
        return NotImplemented
    x, y = <cnp.ndarray>a, <cnp.ndarray>b
    kind = precision(x)
    if kind < 0 or kind != precision(y) or not same_shape(x, y) or not cnp.PyArray_ISWRITEABLE(x):
        return NotImplemented
    size = cnp.PyArray_SIZE(x)
    columns = size if packed(x) and packed(y) else last_axis(x)
    if not as_rows(x, columns, &into) or not as_rows(y, columns, &other):
        return NotImplemented
    if size == 0:
        return a
    item = cnp.PyArray_ITEMSIZE(x)
    if not disjoint(into, other, size // columns, columns * item):
        return NotImplemented
    cdef BinaryLoop loop = active.loops[kind].binary[OP_add]
    cdef PyThreadState* state = release(size)
    run_binary(loop, into, other, into, size // columns, columns, item, item)
    reacquire(state)
    return a


include "select.pxi"
include "rows.pxi"
include "functions.pxi"
