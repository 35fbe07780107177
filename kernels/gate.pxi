# The gate of the elementwise kernels: what they are given, read once and by one mechanism. Past it there are no checks,
# before it no raw pointers. Included by elementwise.pyx.

cimport numpy as cnp
from cpython.float cimport PyFloat_CheckExact
from cpython.long cimport PyLong_AsDouble, PyLong_CheckExact
from cpython.pystate cimport PyThreadState

cdef extern from "Python.h":
    PyThreadState* PyEval_SaveThread() noexcept
    void PyEval_RestoreThread(PyThreadState*) noexcept

cdef enum:
    ALIGN_FROM = 4096     # elements; below, it does not matter where a line of the cache begins
    RELEASE_FROM = 32768  # elements; below, releasing the interpreter's lock costs more than it gives


cdef struct Side:            # one operand of a loop over rows
    char* data
    cnp.npy_intp stride      # bytes from one row to the next
    int step                 # 1: the row's elements follow each other, 0: one element serves the whole row


cdef int precision(cnp.ndarray a) noexcept:
    """0 for float32, 1 for float64, -1 for what no kernel reads."""
    cdef int number = cnp.PyArray_TYPE(a)
    if not (cnp.PyArray_FLAGS(a) & cnp.NPY_ARRAY_ALIGNED and cnp.PyArray_ISNOTSWAPPED(a)):
        return -1
    return 0 if number == cnp.NPY_FLOAT32 else 1 if number == cnp.NPY_FLOAT64 else -1


cdef inline bint packed(cnp.ndarray a) noexcept:
    return cnp.PyArray_FLAGS(a) & cnp.NPY_ARRAY_C_CONTIGUOUS != 0


cdef inline bint same_shape(cnp.ndarray a, cnp.ndarray b) noexcept:
    cdef int i, ndim = cnp.PyArray_NDIM(a)
    if ndim != cnp.PyArray_NDIM(b):
        return False
    for i in range(ndim):
        if cnp.PyArray_DIM(a, i) != cnp.PyArray_DIM(b, i):
            return False
    return True


cdef inline cnp.npy_intp last_axis(cnp.ndarray a) noexcept:
    cdef int ndim = cnp.PyArray_NDIM(a)
    return cnp.PyArray_DIM(a, ndim - 1) if ndim else 1


cdef bint even(cnp.ndarray a, int axes, cnp.npy_intp* count, cnp.npy_intp* stride) noexcept:
    """Whether the first axes read as one: its length, and the bytes from one to the next, which stay as they are if there is but one."""
    cdef int i
    count[0] = 1
    for i in range(axes - 1, -1, -1):
        if cnp.PyArray_DIM(a, i) == 1:
            continue
        if count[0] == 1:
            stride[0] = cnp.PyArray_STRIDE(a, i)
        elif cnp.PyArray_STRIDE(a, i) != count[0] * stride[0]:
            return False
        count[0] *= cnp.PyArray_DIM(a, i)
    return True


cdef bint as_rows(cnp.ndarray a, cnp.npy_intp columns, Side* side) noexcept:
    """Whether a reads as evenly spaced rows of that many elements; fills side."""
    cdef cnp.npy_intp item = cnp.PyArray_ITEMSIZE(a), rows
    cdef int ndim = cnp.PyArray_NDIM(a)
    side.data = cnp.PyArray_BYTES(a)
    side.step = 1
    side.stride = columns * item
    if packed(a):
        return True
    if ndim < 2 or columns != last_axis(a) or (columns > 1 and cnp.PyArray_STRIDE(a, ndim - 1) != item):
        return False
    return even(a, ndim - 1, &rows, &side.stride)


cdef bint broadcasts(cnp.ndarray small, cnp.ndarray big, cnp.npy_intp* columns, Side* side) noexcept:
    """Whether small stretches to the shape of big in one of the ways that rows can express; fills columns and side."""
    cdef int ndim = cnp.PyArray_NDIM(small), more = cnp.PyArray_NDIM(big) - ndim, ones = 0, i
    cdef cnp.npy_intp size = cnp.PyArray_SIZE(small)
    if more < 0 or size == 0 or not packed(small):
        return False
    side.data = cnp.PyArray_BYTES(small)
    side.stride = side.step = 0
    if size == 1:
        columns[0] = cnp.PyArray_SIZE(big) if packed(big) else last_axis(big)
        return True
    while cnp.PyArray_DIM(small, ones) == 1:
        ones += 1
    for i in range(ones, ndim - 1):
        if cnp.PyArray_DIM(small, i) != cnp.PyArray_DIM(big, i + more):
            return False
    if last_axis(small) == last_axis(big):
        columns[0] = size
        side.step = 1
        return True
    if last_axis(small) == 1 and size * last_axis(big) == cnp.PyArray_SIZE(big):
        columns[0] = last_axis(big)
        side.stride = cnp.PyArray_ITEMSIZE(small)
        return True
    return False


cdef bint as_double(value, double* number):
    """Whether value is a Python number (they take the arrays' dtype), and which."""
    if PyFloat_CheckExact(value):
        number[0] = <double>value
        return True
    if PyLong_CheckExact(value):
        try:
            number[0] = PyLong_AsDouble(value)
        except OverflowError:
            return False
        return True
    return False


cdef inline PyThreadState* release(cnp.npy_intp size) noexcept:
    """Lets other threads run while a large array is worked on. Until reacquire, no Python object may be touched."""
    return PyEval_SaveThread() if size >= RELEASE_FROM else NULL


cdef inline void reacquire(PyThreadState* state) noexcept:
    if state:
        PyEval_RestoreThread(state)


cdef inline void store(double number, int kind, double* cell) noexcept:
    if kind == 0:
        (<float*>cell)[0] = <float>number
    else:
        cell[0] = number


cdef inline cnp.npy_intp unaligned_head(const char* out, cnp.npy_intp rows, cnp.npy_intp columns,
                                        cnp.npy_intp item) noexcept nogil:
    """How many elements of one long row to run apart so that the rest is written in whole cache lines.

    Large arrays start 16 bytes into a line (the allocator's header): without this, each 64-byte vector straddles two.
    """
    return 0 if rows > 1 or columns < ALIGN_FROM else (-<cnp.npy_intp>out & 63) // item
