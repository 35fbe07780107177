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


cdef class Product:
    """One product: rows of A, the right side as gemm.h reads it, the sums' start, and the result. `part` takes some of the rows."""

    cdef const Gemm* gemm
    cdef Rows rows
    cdef ptrdiff_t depth, columns, item, whole, start_row
    cdef ptrdiff_t b_row
    cdef const char* direct        # the first `whole` columns, where they are
    cdef const char* panels        # those behind them, packed
    cdef char* start
    cdef char* out
    cdef int count                 # of parts
    cdef int stop

    cdef void some(self, ptrdiff_t first, ptrdiff_t last, void* buffer) noexcept nogil:
        cdef ptrdiff_t item = self.item, width = self.gemm.width, whole = self.whole
        cdef char* a = self.rows.data + first * self.rows.row * item
        cdef char* out = self.out + first * self.columns * item
        if whole:
            self.gemm.gemm(last - first, whole, self.depth, a, self.rows.row, self.rows.k, self.direct, self.b_row, width, self.start, 0,
                           out, self.columns, buffer)
        if whole < self.columns:
            self.gemm.gemm(last - first, self.columns - whole, self.depth, a, self.rows.row, self.rows.k, self.panels, width,
                           self.depth * width, NULL if self.start == NULL else self.start + whole * item, 0, out + whole * item,
                           self.columns, buffer)

    def part(self, int k):
        """Part k of the rows, in pieces; between them part 0, in the thread that asked, looks for signals."""
        cdef ptrdiff_t first = self.rows.count * k // self.count, last = self.rows.count * (k + 1) // self.count, to
        cdef ptrdiff_t piece = max(1, <ptrdiff_t>(PIECE / (2.0 * max(self.depth * self.columns, 1))))
        cdef void* buffer = NULL
        if self.rows.k != 1:
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


cdef object product(a, b, bint turned, bias, packs):
    """a @ b, or a @ b.T if `turned`; the sums start from the bias, if there is one."""
    cdef cnp.ndarray left = <cnp.ndarray>a, right = <cnp.ndarray>b
    cdef int kind = precision(left), ndim = cnp.PyArray_NDIM(left)
    cdef Product task = Product.__new__(Product)
    cdef Rows* rows = &task.rows
    if ndim < 1 or ndim > 32 or kind < 0 or kind != precision(right):
        return NotImplemented
    if not as_rows(left, rows):
        left = cnp.PyArray_GETCONTIGUOUS(left)
        as_rows(left, rows)
    cdef ptrdiff_t item = cnp.PyArray_ITEMSIZE(left), rest, width
    cdef ptrdiff_t b_row = cnp.PyArray_STRIDE(right, turned) // item, b_column = cnp.PyArray_STRIDE(right, not turned) // item
    task.depth, task.columns, task.item = cnp.PyArray_DIM(right, turned), cnp.PyArray_DIM(right, not turned), item
    if rows.depth != task.depth:
        return NotImplemented
    task.gemm = gemm_instances[isa_number()][kind]
    width, task.b_row, task.direct = task.gemm.width, b_row, cnp.PyArray_BYTES(right)
    cdef Packed kept = None
    if packs is not None:
        view = cnp.PyArray_Transpose(right, NULL) if turned else right
        if rows.count > SMALL:
            kept = packed(view, packs)
        else:
            kept = (<dict>packs).get(key_of(view))
    if kept is None and rows.count <= SMALL:
        if b_column == 1:
            task.whole = task.columns // width * width
        elif task.depth * task.columns > 16384:
            return NotImplemented
    out = result_of(left, task.columns, ndim)
    task.out = cnp.PyArray_BYTES(<cnp.ndarray>out)
    task.start = NULL if bias is None else cnp.PyArray_BYTES(<cnp.ndarray>bias)
    cdef char* memory = NULL
    if kept is not None:
        task.panels = <char*>kept.pack.data
    else:
        rest = (task.columns - task.whole + width - 1) // width * width
        task.panels = memory = <char*>aligned(rest * task.depth * item)
        with nogil:
            task.gemm.pack(task.direct + task.whole * b_column * item, b_row, b_column, task.depth, task.columns - task.whole, memory)
    cdef double work = 2.0 * rows.count * task.depth * task.columns
    try:
        task.count = 1 if work < LARGE else worth(work, rows.count)
        if task.count > 1:
            together(task.part, task.count, task.halt)
        else:
            task.part(0)
    finally:
        free(memory)
    return out


def matmul(a, b, packs=None, /):
    """a @ b for a matrix b, and a with any leading axes; `packs` as in `packed`."""
    if not (cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b)) or cnp.PyArray_NDIM(<cnp.ndarray>b) != 2:
        return NotImplemented
    return product(a, b, False, None, packs)


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
    return product(x, weight, True, bias, packs)
