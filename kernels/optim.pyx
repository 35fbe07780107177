"""What an optimiser does to whole parameters, in one pass over memory each: the norm of a gradient, the step of Adam.

The functions return NotImplemented for arrays that are not contiguous, aligned, in native byte order and of one dtype, float32
or float64.
"""

cimport numpy as cnp
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from minigrad._elementwise cimport isa_number, precision, shared, threads_to_move

import numpy

cnp.import_array()

cdef extern from "optim.h" nogil:
    ctypedef struct AdamNumbers:
        double scale, decay, beta1, beta2, size, floor, shrink

    ctypedef struct Optim:
        double (*sum_of_squares)(const void*, ptrdiff_t) noexcept nogil
        void (*idle)(void*, void*, void*, void*, ptrdiff_t, const void*, ptrdiff_t, ptrdiff_t,
                     const AdamNumbers*) noexcept nogil
        void (*adam)(void*, const void*, void*, void*, void*, ptrdiff_t, const AdamNumbers*) noexcept nogil

    const Optim* optim_instances[3][2]


cdef double SMALLEST[2]
SMALLEST[:] = [1.1754943508222875e-38, 2.2250738585072014e-308]


cdef int served(a) except -2:
    """0 for float32, 1 for float64, -1 for an array that no kernel reads."""
    if not cnp.PyArray_CheckExact(a) or not cnp.PyArray_FLAGS(<cnp.ndarray>a) & cnp.NPY_ARRAY_C_CONTIGUOUS:
        return -1
    return precision(<cnp.ndarray>a)


cdef enum:
    CHUNK = 4096  # elements whose squares are added up by themselves (optim_body.h); parts begin where chunks do

cdef struct Pass:  # over a parameter: the squares of x, or a step
    const Optim* loops
    const AdamNumbers* numbers  # NULL: the squares
    double* squares             # of each chunk
    char* p                     # ... which for the squares is x
    const char* g
    char* m
    char* v
    char* largest
    ptrdiff_t size, item
    int count                   # of parts
    int stop


cdef void part_of_pass(void* task, int k) noexcept nogil:
    """Part k of the chunks."""
    cdef Pass* t = <Pass*>task
    cdef ptrdiff_t chunks = (t.size + CHUNK - 1) // CHUNK, first = chunks * k // t.count, last = chunks * (k + 1) // t.count, i
    cdef ptrdiff_t at = first * CHUNK * t.item, some = min(last * CHUNK, t.size) - first * CHUNK
    if t.numbers != NULL:
        t.loops.adam(t.p + at, t.g + at, t.m + at, t.v + at, NULL if t.largest == NULL else t.largest + at, some, t.numbers)
        return
    for i in range(first, last):
        t.squares[i] = t.loops.sum_of_squares(t.p + i * CHUNK * t.item, min(CHUNK, t.size - i * CHUNK))


cdef run_pass(Pass* task, cnp.ndarray a):
    """The pass over a, on as many threads as it is worth."""
    task.loops = optim_instances[isa_number()][precision(a)]
    task.size, task.item = cnp.PyArray_SIZE(a), cnp.PyArray_ITEMSIZE(a)
    task.count, task.stop = threads_to_move(task.size, (task.size + CHUNK - 1) // CHUNK), 0
    shared(part_of_pass, task, task.count, task.count, &task.stop)


def sum_of_squares(x, /):
    """The sum of the squares of x, added up in float64. It may overflow, or lose what is very small, for float64 alone."""
    if served(x) < 0:
        return NotImplemented
    cdef Pass task
    cdef ptrdiff_t i, chunks = (cnp.PyArray_SIZE(<cnp.ndarray>x) + CHUNK - 1) // CHUNK
    cdef double total = 0
    task.numbers, task.p = NULL, cnp.PyArray_BYTES(<cnp.ndarray>x)
    task.squares = <double*>malloc(max(chunks, 1) * sizeof(double))
    if task.squares == NULL:
        raise MemoryError(f"no memory for {chunks} numbers")
    try:
        run_pass(&task, <cnp.ndarray>x)
        for i in range(chunks):
            total += task.squares[i]
    finally:
        free(task.squares)
    return total


def adam_step(p, g, m, v, largest, double scale, double decay, double beta1, double beta2, double size, double floor,
              double shrink, /):
    """One step of Adam in place, as minigrad.optim.Adam.update has it; `largest` is None but for AMSGrad."""
    cdef cnp.ndarray a = p
    cdef int kind = served(p)
    cdef ptrdiff_t count = cnp.PyArray_SIZE(a)
    cdef AdamNumbers numbers = AdamNumbers(scale, decay, beta1, beta2, size, floor, shrink)
    if kind < 0 or abs(scale) < SMALLEST[kind]:
        return NotImplemented
    for other in (g, m, v, p if largest is None else largest):
        if served(other) != kind or cnp.PyArray_SIZE(<cnp.ndarray>other) != count:
            return NotImplemented
    cdef Pass task
    task.numbers, task.p, task.g = &numbers, cnp.PyArray_BYTES(a), cnp.PyArray_BYTES(<cnp.ndarray>g)
    task.m, task.v = cnp.PyArray_BYTES(<cnp.ndarray>m), cnp.PyArray_BYTES(<cnp.ndarray>v)
    task.largest = NULL if largest is None else cnp.PyArray_BYTES(<cnp.ndarray>largest)
    run_pass(&task, a)


def adam_idle(p, m, v, largest, const int64_t[::1] rows, const int64_t[::1] seen, const double[:, ::1] numbers, ptrdiff_t now,
              ptrdiff_t most, /):
    """Up to `most` steps of Adam for each of the `rows` of a table, without a gradient: row r those from seen[r] up to `now`.

    `numbers` holds what AdamNumbers has, a row for each step.
    """
    cdef int kind = served(p)
    if kind < 0 or not cnp.PyArray_NDIM(<cnp.ndarray>p) or not numbers.shape[1] == sizeof(AdamNumbers) // sizeof(double):
        return NotImplemented
    cdef cnp.ndarray a = <cnp.ndarray>p
    for other in (m, v, p if largest is None else largest):
        if served(other) != kind or cnp.PyArray_SIZE(<cnp.ndarray>other) != cnp.PyArray_SIZE(a):
            return NotImplemented
    cdef ptrdiff_t columns = cnp.PyArray_SIZE(a) // max(cnp.PyArray_DIM(a, 0), 1), wide = columns * cnp.PyArray_ITEMSIZE(a), i, at
    cdef cnp.ndarray nothing = numpy.zeros(columns, a.dtype)
    cdef char* weights = cnp.PyArray_BYTES(a)
    cdef char* mean = cnp.PyArray_BYTES(<cnp.ndarray>m)
    cdef char* square = cnp.PyArray_BYTES(<cnp.ndarray>v)
    cdef char* top = NULL if largest is None else cnp.PyArray_BYTES(<cnp.ndarray>largest)
    cdef const void* zeros = cnp.PyArray_DATA(nothing)
    cdef const AdamNumbers* first = <const AdamNumbers*>&numbers[0, 0]
    cdef const Optim* loops = optim_instances[isa_number()][kind]
    with nogil:
        for i in range(rows.shape[0]):
            at = rows[i] * wide
            loops.idle(weights + at, mean + at, square + at, NULL if top == NULL else top + at, columns, zeros, seen[rows[i]],
                       min(now, seen[rows[i]] + most), first)
