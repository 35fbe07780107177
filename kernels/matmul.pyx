"""Matrix products with a packed right side (gemm.h), and the kernels of the operations matmul and linear.

Each element is one chain of multiply-adds whatever the shape, so the bits of a row do not depend on the rows around it. The
functions return NotImplemented for what they do not serve (vectors, stacks of matrices, other dtypes).
"""

cimport numpy as cnp
from libc.stddef cimport ptrdiff_t
from libc.stdlib cimport free
from libc.string cimport memcpy
from posix.stdlib cimport posix_memalign

from minigrad._elementwise cimport isa_number, precision

cnp.import_array()


cdef extern from "gemm.h" nogil:
    const Gemm* gemm_instances[3][2]


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


cdef struct Rows:  # the left side
    char* data
    ptrdiff_t count
    ptrdiff_t depth
    ptrdiff_t row
    ptrdiff_t k


cdef bint as_rows(cnp.ndarray a, Rows* rows) noexcept:
    """Whether a reads as a matrix with all leading axes as one; fills rows."""
    cdef int ndim = cnp.PyArray_NDIM(a), i
    cdef ptrdiff_t item = cnp.PyArray_ITEMSIZE(a)
    rows.data = cnp.PyArray_BYTES(a)
    rows.count = 1
    rows.depth = cnp.PyArray_DIM(a, ndim - 1)
    rows.k = cnp.PyArray_STRIDE(a, ndim - 1) // item
    rows.row = 0
    for i in range(ndim - 2, -1, -1):
        if cnp.PyArray_DIM(a, i) == 1:
            continue
        if rows.count == 1:
            rows.row = cnp.PyArray_STRIDE(a, i) // item
        elif cnp.PyArray_STRIDE(a, i) // item != rows.row * rows.count:
            return False
        rows.count *= cnp.PyArray_DIM(a, i)
    return True


cdef object result_of(cnp.ndarray a, ptrdiff_t columns, int ndim):
    cdef cnp.npy_intp[32] shape
    cdef int i
    for i in range(ndim - 1):
        shape[i] = cnp.PyArray_DIM(a, i)
    shape[ndim - 1] = columns
    return new_array(ndim, shape, cnp.PyArray_TYPE(a), cnp.PyArray_ITEMSIZE(a))


cdef object product(a, b, ptrdiff_t b_row, ptrdiff_t b_column, ptrdiff_t depth, ptrdiff_t columns, bias):
    """a @ b for b[k, n] at k * b_row + n * b_column elements from its start; the sums start from the bias, if there is one."""
    cdef cnp.ndarray left = <cnp.ndarray>a, right = <cnp.ndarray>b
    cdef int kind = precision(left), ndim = cnp.PyArray_NDIM(left)
    cdef Rows rows
    if ndim < 1 or ndim > 32 or kind < 0 or kind != precision(right):
        return NotImplemented
    if not as_rows(left, &rows):
        left = cnp.PyArray_GETCONTIGUOUS(left)
        as_rows(left, &rows)
    if rows.depth != depth:
        return NotImplemented
    cdef const Gemm* gemm = gemm_instances[isa_number()][kind]
    cdef ptrdiff_t item = cnp.PyArray_ITEMSIZE(left), width = gemm.width, whole = 0, rest
    if rows.count <= SMALL:
        if b_column == 1:
            whole = columns // width * width  # read where they are
        elif depth * columns > 16384:
            return NotImplemented
    out = result_of(left, columns, ndim)
    cdef char* target = cnp.PyArray_BYTES(<cnp.ndarray>out)
    cdef char* start = NULL if bias is None else cnp.PyArray_BYTES(<cnp.ndarray>bias)
    cdef ptrdiff_t i
    cdef char* source = cnp.PyArray_BYTES(right)
    rest = (columns - whole + width - 1) // width * width
    cdef char* packed = <char*>aligned((rest * depth + (0 if rows.k == 1 else gemm.buffer)) * item)
    cdef char* buffer = packed + rest * depth * item
    cdef bint add = start != NULL
    with nogil:
        if add:
            for i in range(rows.count):
                memcpy(target + i * columns * item, start, columns * item)
        if whole:
            gemm.gemm(rows.count, whole, depth, rows.data, rows.row, rows.k, source, b_row, width, target, columns, add, buffer)
        if rest:
            gemm.pack(source + whole * b_column * item, b_row, b_column, depth, columns - whole, packed)
            gemm.gemm(rows.count, columns - whole, depth, rows.data, rows.row, rows.k, packed, width, depth * width,
                      target + whole * item, columns, add, buffer)
        free(packed)
    return out


def matmul(a, b, /):
    """a @ b for a matrix b, and a with any leading axes."""
    if not (cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b)) or cnp.PyArray_NDIM(<cnp.ndarray>b) != 2:
        return NotImplemented
    cdef cnp.ndarray right = <cnp.ndarray>b
    cdef ptrdiff_t item = cnp.PyArray_ITEMSIZE(right)
    return product(a, b, cnp.PyArray_STRIDE(right, 0) // item, cnp.PyArray_STRIDE(right, 1) // item, cnp.PyArray_DIM(right, 0),
                   cnp.PyArray_DIM(right, 1), None)


def linear(x, weight, bias, /):
    """x @ weight.T + bias; bias may be None."""
    if not (cnp.PyArray_CheckExact(x) and cnp.PyArray_CheckExact(weight)) or cnp.PyArray_NDIM(<cnp.ndarray>weight) != 2:
        return NotImplemented
    cdef cnp.ndarray right = <cnp.ndarray>weight
    cdef ptrdiff_t item = cnp.PyArray_ITEMSIZE(right)
    if bias is not None:
        if not cnp.PyArray_CheckExact(bias) or cnp.PyArray_NDIM(<cnp.ndarray>bias) != 1:
            return NotImplemented
        if cnp.PyArray_TYPE(<cnp.ndarray>bias) != cnp.PyArray_TYPE(right) or precision(<cnp.ndarray>bias) < 0:
            return NotImplemented
        if cnp.PyArray_DIM(<cnp.ndarray>bias, 0) != cnp.PyArray_DIM(right, 0):
            return NotImplemented
        bias = cnp.PyArray_GETCONTIGUOUS(<cnp.ndarray>bias)
    return product(x, weight, cnp.PyArray_STRIDE(right, 1) // item, cnp.PyArray_STRIDE(right, 0) // item,
                   cnp.PyArray_DIM(right, 1), cnp.PyArray_DIM(right, 0), bias)
