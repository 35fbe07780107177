"""Matrix products with a packed right side (gemm.h), and the kernels of the operations matmul and linear.

Each element is one chain of multiply-adds whatever the shape, so the bits of a row do not depend on the rows around it. The
functions return NotImplemented for what they do not serve (vectors, stacks of matrices, other dtypes).
"""

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.stddef cimport ptrdiff_t
from libc.stdlib cimport free
from posix.stdlib cimport posix_memalign

from minigrad._elementwise cimport isa_number, precision

import numpy

from minigrad.threads import together, worth

cnp.import_array()


cdef extern from "gemm.h" nogil:
    const Gemm* gemm_instances[3][2]


cdef double PIECE = 2e9  # floating operations between two looks for signals
cdef double LARGE = 8e6  # from here on a second thread is worth asking for
cdef enum:
    SMALL = 16  # rows for which packing the right side would cost more than reading it where it is


cdef void* aligned(ptrdiff_t size) except NULL:
    """Memory that starts on a cache line."""
    cdef void* memory = NULL
    if posix_memalign(&memory, 64, max(size, 64)):
        raise MemoryError(f"no memory for {size} bytes")
    return memory


include "pool.pxi"


cdef class Packed:
    """The right side of products, (depth, columns), laid out for the micro-kernel; of any strides, float32 or float64."""

    def __cinit__(self, cnp.ndarray b):
        cdef ptrdiff_t item, width
        cdef int kind = precision(b)
        if kind < 0 or cnp.PyArray_NDIM(b) != 2:
            raise TypeError(f"Packed wants a matrix of float32 or float64, got {b.dtype}{(<object>b).shape}")
        cdef const Gemm* gemm = gemm_instances[isa_number()][kind]
        item, width = cnp.PyArray_ITEMSIZE(b), gemm.width
        self.pack = Pack(gemm, cnp.PyArray_DIM(b, 0), cnp.PyArray_DIM(b, 1), NULL)
        self.pack.data = aligned((self.pack.columns + width - 1) // width * width * self.pack.depth * item)
        gemm.pack(cnp.PyArray_BYTES(b), cnp.PyArray_STRIDE(b, 0) // item, cnp.PyArray_STRIDE(b, 1) // item, self.pack.depth,
                  self.pack.columns, self.pack.data)

    def __dealloc__(self):
        free(self.pack.data)


cdef object key_of(cnp.ndarray b):
    return (<size_t>cnp.PyArray_BYTES(b), cnp.PyArray_DIM(b, 0), cnp.PyArray_DIM(b, 1), cnp.PyArray_STRIDE(b, 0), cnp.PyArray_STRIDE(b, 1))


def packed(cnp.ndarray b, packs, /):
    """b packed; kept in the dict `packs`, which lives as long as the numbers of b, and found there the next time."""
    if packs is None:
        return Packed(b)
    cdef object key = key_of(b)
    found = (<dict>packs).get(key)
    if found is None:
        found = (<dict>packs)[key] = Packed(b)
    return found


def dense(cnp.ndarray a, dtype):
    """a, or a copy of it, in this dtype, element behind element."""
    if <void*>cnp.PyArray_DESCR(a) == <void*>dtype and cnp.PyArray_IS_C_CONTIGUOUS(a) and cnp.PyArray_ISALIGNED(a):
        return a
    return numpy.ascontiguousarray(a, dtype)


cdef struct Matrix:
    char* data
    ptrdiff_t rows
    ptrdiff_t columns
    ptrdiff_t row       # elements from one row to the next
    ptrdiff_t column


cdef bint as_matrix(cnp.ndarray a, Matrix* m) noexcept:
    """Whether a reads as a matrix with all leading axes as one; fills m."""
    cdef int ndim = cnp.PyArray_NDIM(a), i
    cdef ptrdiff_t item = cnp.PyArray_ITEMSIZE(a)
    m.data = cnp.PyArray_BYTES(a)
    m.rows = 1
    m.columns = cnp.PyArray_DIM(a, ndim - 1)
    m.column = cnp.PyArray_STRIDE(a, ndim - 1) // item
    m.row = 0
    for i in range(ndim - 2, -1, -1):
        if cnp.PyArray_DIM(a, i) == 1:
            continue
        if m.rows == 1:
            m.row = cnp.PyArray_STRIDE(a, i) // item
        elif cnp.PyArray_STRIDE(a, i) // item != m.row * m.rows:
            return False
        m.rows *= cnp.PyArray_DIM(a, i)
    return True


cdef cnp.ndarray readable(cnp.ndarray a, Matrix* m):
    """a, or a copy of it, that reads as the matrix m."""
    if not as_matrix(a, m):
        a = cnp.PyArray_GETCONTIGUOUS(a)
        as_matrix(a, m)
    return a


cdef Matrix flipped(Matrix m) noexcept:
    """The transpose."""
    return Matrix(m.data, m.columns, m.rows, m.column, m.row)


cdef class Product:
    """One product: A, B as gemm.h reads it, where the sums start, and the result. `part` takes some of the rows."""

    cdef Matrix a, b
    cdef const Gemm* gemm
    cdef ptrdiff_t item
    cdef ptrdiff_t whole     # columns of B that are read where they are; those behind them are packed
    cdef const char* panels
    cdef char* start
    cdef char* out
    cdef int count           # of parts
    cdef int stop

    cdef void some(self, ptrdiff_t first, ptrdiff_t last, void* buffer) noexcept nogil:
        cdef ptrdiff_t item = self.item, width = self.gemm.width, whole = self.whole, columns = self.b.columns
        cdef char* a = self.a.data + first * self.a.row * item
        cdef char* out = self.out + first * columns * item
        if whole:
            self.gemm.gemm(last - first, whole, self.b.rows, a, self.a.row, self.a.column, self.b.data, self.b.row, width, self.start, 0,
                           out, columns, buffer)
        if whole < columns:
            self.gemm.gemm(last - first, columns - whole, self.b.rows, a, self.a.row, self.a.column, self.panels, width,
                           self.b.rows * width, NULL if self.start == NULL else self.start + whole * item, 0, out + whole * item,
                           columns, buffer)

    def part(self, int k):
        """Part k of the rows, in pieces; between them part 0, in the thread that asked, looks for signals."""
        cdef ptrdiff_t first = self.a.rows * k // self.count, last = self.a.rows * (k + 1) // self.count, to
        cdef ptrdiff_t piece = max(1, <ptrdiff_t>(PIECE / (2.0 * max(self.b.rows * self.b.columns, 1))))
        cdef void* buffer = NULL
        if self.a.column != 1:
            buffer = aligned(self.gemm.buffer * self.item)
        try:
            while first < last and not self.stop:
                to = min(first + piece, last)
                with nogil:
                    self.some(first, to, buffer)
                first = to
                if k == 0 and first < last:
                    PyErr_CheckSignals()
        finally:
            free(buffer)

    def halt(self):
        """Make every part return before its next piece."""
        self.stop = 1

    cdef bint suits(self, bint kept) noexcept:
        """Chooses how B is read; False where the BLAS that NumPy has would be faster: few rows, and B to be packed for them alone."""
        if kept or self.a.rows > SMALL:
            return True
        if self.b.column == 1:
            self.whole = self.b.columns // self.gemm.width * self.gemm.width
        return self.whole > 0 or self.b.rows * self.b.columns <= 16384

    cdef run(self, Packed kept, char* out):
        """Pack B unless that was done, and multiply, on as many threads as it is worth."""
        cdef char* memory = NULL
        cdef ptrdiff_t width = self.gemm.width, rest = (self.b.columns - self.whole + width - 1) // width * width
        cdef double work = 2.0 * self.a.rows * self.b.rows * self.b.columns
        self.out = out
        try:
            if kept is not None:
                self.panels = <char*>kept.pack.data
            else:
                self.panels = memory = <char*>aligned(rest * self.b.rows * self.item)
                with nogil:
                    self.gemm.pack(self.b.data + self.whole * self.b.column * self.item, self.b.row, self.b.column, self.b.rows,
                                   self.b.columns - self.whole, memory)
            self.count = 1 if work < LARGE else worth(work, self.a.rows)
            if self.count > 1:
                together(self.part, self.count, self.halt)
            else:
                self.part(0)
        finally:
            free(memory)


cdef Product product_of(cnp.ndarray a, cnp.ndarray b):
    """A product for arrays of these dtypes; None if there is none."""
    cdef int kind = precision(a)
    if kind < 0 or kind != precision(b) or cnp.PyArray_NDIM(a) < 1 or cnp.PyArray_NDIM(a) > 32:
        return None
    cdef Product task = Product.__new__(Product)
    task.gemm, task.item = gemm_instances[isa_number()][kind], cnp.PyArray_ITEMSIZE(a)
    return task


cdef object times_matrix(cnp.ndarray a, cnp.ndarray b, bint turned, bias, packs):
    """a @ b, or a @ b.T if `turned`; the sums start from the bias, if there is one."""
    cdef Product task = product_of(a, b)
    cdef Packed kept = None
    cdef int i, ndim = cnp.PyArray_NDIM(a)
    cdef cnp.npy_intp[32] shape
    if task is None:
        return NotImplemented
    as_matrix(b, &task.b)
    if turned:
        task.b = flipped(task.b)
    if cnp.PyArray_DIM(a, ndim - 1) != task.b.rows:
        return NotImplemented
    for i in range(ndim - 1):
        shape[i] = cnp.PyArray_DIM(a, i)
    shape[ndim - 1] = task.b.columns
    a = readable(a, &task.a)
    if packs is not None:
        view = cnp.PyArray_Transpose(b, NULL) if turned else b
        kept = packed(view, packs) if task.a.rows > SMALL else (<dict>packs).get(key_of(view))
    if not task.suits(kept is not None):
        return NotImplemented
    if bias is not None:
        task.start = cnp.PyArray_BYTES(<cnp.ndarray>bias)
    out = new_array(ndim, shape, cnp.PyArray_TYPE(a), task.item)
    task.run(kept, cnp.PyArray_BYTES(<cnp.ndarray>out))
    return out


def matmul(a, b, packs=None, /):
    """a @ b for a matrix b, and a with any leading axes; `packs` as in `packed`."""
    if not (cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b)) or cnp.PyArray_NDIM(<cnp.ndarray>b) != 2:
        return NotImplemented
    return times_matrix(a, b, False, None, packs)


def linear(x, weight, bias, packs=None, /):
    """x @ weight.T + bias; bias may be None; `packs` as in `packed`."""
    if not (cnp.PyArray_CheckExact(x) and cnp.PyArray_CheckExact(weight)) or cnp.PyArray_NDIM(<cnp.ndarray>weight) != 2:
        return NotImplemented
    cdef cnp.ndarray right = <cnp.ndarray>weight
    if bias is not None:
        if not cnp.PyArray_CheckExact(bias) or cnp.PyArray_NDIM(<cnp.ndarray>bias) != 1:
            return NotImplemented
        if cnp.PyArray_TYPE(<cnp.ndarray>bias) != cnp.PyArray_TYPE(right) or precision(<cnp.ndarray>bias) < 0:
            return NotImplemented
        if cnp.PyArray_DIM(<cnp.ndarray>bias, 0) != cnp.PyArray_DIM(right, 0):
            return NotImplemented
        bias = cnp.PyArray_GETCONTIGUOUS(<cnp.ndarray>bias)
    return times_matrix(x, weight, True, bias, packs)


def outer_sum(a, b, /):
    """a^T b, with all leading axes of both as one."""
    if not (cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b)) or cnp.PyArray_NDIM(<cnp.ndarray>b) < 1:
        return NotImplemented
    cdef Product task = product_of(a, b)
    cdef cnp.npy_intp[2] shape
    if task is None:
        return NotImplemented
    cdef int i, ndim = cnp.PyArray_NDIM(<cnp.ndarray>a)
    for i in range(ndim - 1):
        if ndim != cnp.PyArray_NDIM(<cnp.ndarray>b) or cnp.PyArray_DIM(<cnp.ndarray>a, i) != cnp.PyArray_DIM(<cnp.ndarray>b, i):
            return NotImplemented
    a, b = readable(a, &task.a), readable(b, &task.b)
    if task.a.rows != task.b.rows:
        return NotImplemented
    cdef bint swap = 2 * task.b.columns <= task.gemm.width and task.a.columns > task.b.columns  # panels are wide: not for few columns
    task.a, task.b = (flipped(task.b), task.a) if swap else (flipped(task.a), task.b)
    if not task.suits(False):
        return NotImplemented
    shape[0], shape[1] = task.a.rows, task.b.columns
    out = new_array(2, shape, cnp.PyArray_TYPE(<cnp.ndarray>a), task.item)
    task.run(None, cnp.PyArray_BYTES(<cnp.ndarray>out))
    return cnp.PyArray_GETCONTIGUOUS(cnp.PyArray_Transpose(<cnp.ndarray>out, NULL)) if swap else out
