"""Matrix products with a packed right side (gemm.h), and the kernels of the operations matmul, linear and outer_sum.

Each element is one chain of multiply-adds whatever the shape, so the bits of a row do not depend on the rows around it. The
functions return NotImplemented for what they do not serve (vectors, stacks of matrices, other dtypes).
"""

cimport numpy as cnp
from libc.stddef cimport ptrdiff_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset
from posix.stdlib cimport posix_memalign

from minigrad._elementwise cimport BinaryLoop, Block, OP_add, isa_number, look, loops, new_array, precision, shared
from minigrad._elementwise cimport this_thread, threads_for, threads_to_move

import numpy

cnp.import_array()


cdef extern from "gemm.h" nogil:
    const Gemm* gemm_instances[4][2]
    const int AMX_ISA
    bint packs(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, ptrdiff_t a_row, ptrdiff_t a_k, ptrdiff_t width, ptrdiff_t item) noexcept

    ctypedef struct Terms:
        ptrdiff_t count, first, group, apart

    ctypedef struct Unit:  # of the processor, for products of float32
        Gemm gemm
        ptrdiff_t room
        bint (*sum)(ptrdiff_t, ptrdiff_t, Terms, const float*, ptrdiff_t, const float*, ptrdiff_t, bint, float*, ptrdiff_t,
                    char*) noexcept nogil
        void (*turn)(ptrdiff_t, ptrdiff_t, const float*, const float*, float*) noexcept nogil

    const Unit* amx_unit


cdef double PIECE = 2e9  # floating operations between two looks for signals
cdef double PART = 3e7  # floating operations of a part of a product, at least
cdef enum:
    SMALL = 16  # rows for which packing the right side would cost more than reading it where it is
    LINE = 64   # bytes
    TILE = 32   # rows, columns and terms of a matrix unit's tiles: it is not asked for less
    BROAD = 64  # terms and columns of a right side: with fewer, and few rows, what the unit wins is lost again by the code around it
    TURNED = 1024  # columns up to which a sum is had as its transpose, where that is wider
    PARTS_EACH = 4  # parts of a large product for each thread: a slow core then does fewer of them. Each reads all of B: ...
    TALL = 256  # ... so it has rows enough for that
    STRETCH = 128  # terms that it adds up before it goes on to the next ones: pieces end where it would


cdef void* aligned(ptrdiff_t size) except NULL:
    """Memory that starts on a cache line."""
    cdef void* memory = NULL
    if posix_memalign(&memory, 64, max(size, 64)):
        raise MemoryError(f"no memory for {size} bytes")
    return memory


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
    if not cnp.PyArray_SIZE(a):  # the strides of nothing are anything, also in what NumPy calls contiguous
        for i in range(ndim - 1):
            m.rows *= cnp.PyArray_DIM(a, i)
        return True
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


cdef ptrdiff_t in_lines(Matrix m, ptrdiff_t item) noexcept:
    """The bytes from one row to the next, if rows lie in whole lines of the cache; else 0. Such rows may be read as if they were packed."""
    cdef ptrdiff_t apart = abs(m.row) * item
    return apart if m.column == 1 and not apart % LINE and not <size_t>m.data % LINE else 0


cdef Matrix flipped(Matrix m) noexcept:
    """The transpose."""
    return Matrix(m.data, m.columns, m.rows, m.column, m.row)


cdef Matrix backwards(Matrix m, ptrdiff_t item) noexcept:
    """The same rows, the last one first."""
    return Matrix(m.data + max(m.rows - 1, 0) * m.row * item, m.rows, m.columns, -m.row, m.column)


cdef struct Product:  # A B, with B as gemm.h reads it, and where the sums start
    Matrix a, b
    bint more                # the sums start from what is in `out`
    bint in_place            # B is not to be packed
    const Gemm* gemm
    ptrdiff_t item
    ptrdiff_t whole          # columns of B that are read where they are; those behind them are packed
    char* panels
    char* start
    char* out
    char* buffers            # room of `buffer` bytes for each thread
    ptrdiff_t buffer
    ptrdiff_t piece          # rows between two looks for signals
    int count                # of parts
    int stop
    bint refused             # B cannot be packed


cdef void some(Product* p, ptrdiff_t first, ptrdiff_t last, ptrdiff_t left, ptrdiff_t right, char* buffer) noexcept nogil:
    """Rows first to last of the columns left to right, which are whole panels."""
    cdef ptrdiff_t item = p.item, width = p.gemm.width, columns = p.b.columns
    cdef ptrdiff_t whole = max(0, min(right, p.whole) - left), rest = right - left - whole, behind = left + whole - p.whole
    cdef char* a = p.a.data + first * p.a.row * item
    cdef char* out = p.out + (first * columns + left) * item
    cdef char* start = out if p.more else NULL if p.start == NULL else p.start + left * item
    cdef ptrdiff_t start_row = columns if p.more else 0
    if whole:
        p.gemm.gemm(last - first, whole, p.b.rows, a, p.a.row, p.a.column, p.b.data + left * item, p.b.row, width, start, start_row, out,
                    columns, buffer)
    if rest:
        p.gemm.gemm(last - first, rest, p.b.rows, a, p.a.row, p.a.column, p.panels + behind * p.b.rows * item, width, p.b.rows * width,
                    NULL if start == NULL else start + whole * item, start_row, out + whole * item, columns, buffer)


cdef ptrdiff_t column_bytes(const Gemm* gemm, ptrdiff_t depth) noexcept nogil:
    """Of a packed matrix of so many terms."""
    return (depth + gemm.terms - 1) // gemm.terms * gemm.terms * gemm.item


cdef void part_of_packing(void* task, int k) noexcept nogil:
    """Part k of the panels of B."""
    cdef Product* p = <Product*>task
    cdef ptrdiff_t item = p.item, width = p.gemm.width, columns = p.b.columns - p.whole, panels = (columns + width - 1) // width
    cdef ptrdiff_t first = panels * k // p.count * width, last = min(panels * (k + 1) // p.count * width, columns)
    if first < last and not p.gemm.pack(p.b.data + (p.whole + first) * p.b.column * item, p.b.row, p.b.column, p.b.rows, last - first,
                                        p.panels + first * column_bytes(p.gemm, p.b.rows)):
        p.refused = True


cdef void part_of_product(void* task, int k) noexcept nogil:
    """Part k of the rows, or of the panels, piece by piece."""
    cdef Product* p = <Product*>task
    cdef ptrdiff_t first = 0, last = p.a.rows, left = 0, right = p.b.columns, to, tall = TILE if p.gemm.always else 1
    cdef ptrdiff_t panels = (right + p.gemm.width - 1) // p.gemm.width
    if p.in_place:  # B is what is large
        left, right = panels * k // p.count * p.gemm.width, min(right, panels * (k + 1) // p.count * p.gemm.width)
    else:
        first, last = last * k // p.count // tall * tall, last if k + 1 == p.count else last * (k + 1) // p.count // tall * tall
    while first < last and left < right and not p.stop:
        to = min(first + p.piece, last)
        some(p, first, to, left, right, p.buffers + this_thread() * p.buffer)
        first = to
        if first < last:
            look(&p.stop)


cdef class Packed:
    """The right side of products, (depth, columns), laid out for the micro-kernel; of any strides, float32 or float64.

    For the processor's matrix unit if it is asked `by_unit`, there is one, and the matrix can and is worth it: `unit` tells.
    """

    def __cinit__(self, cnp.ndarray b, bint by_unit=False):
        cdef int kind = precision(b)
        if kind < 0 or cnp.PyArray_NDIM(b) != 2:
            raise TypeError(f"Packed wants a matrix of float32 or float64, got {b.dtype}{(<object>b).shape}")
        cdef const Unit* unit = NULL
        if by_unit and min(cnp.PyArray_DIM(b, 0), cnp.PyArray_DIM(b, 1)) >= BROAD:  # however many rows, or a row's bits would tell
            unit = unit_for(kind, cnp.PyArray_DIM(b, 0), cnp.PyArray_DIM(b, 1))
        self.unit = unit != NULL and self.lay_out(b, &unit.gemm)
        if not self.unit:
            self.lay_out(b, gemm_instances[isa_number()][kind])

    cdef bint lay_out(self, cnp.ndarray b, const Gemm* gemm) except -1:
        """Pack b; whether that was possible."""
        cdef Product task
        memset(&task, 0, sizeof(Product))
        self.pack.gemm, self.pack.depth, self.pack.columns = gemm, cnp.PyArray_DIM(b, 0), cnp.PyArray_DIM(b, 1)
        free(self.pack.data)
        self.pack.data = NULL
        self.pack.data = aligned((self.pack.columns + gemm.width - 1) // gemm.width * gemm.width * column_bytes(gemm, self.pack.depth))
        task.gemm, task.item, task.panels = gemm, cnp.PyArray_ITEMSIZE(b), <char*>self.pack.data
        as_matrix(b, &task.b)
        task.count = threads_to_move(cnp.PyArray_SIZE(b), self.pack.columns)
        shared(part_of_packing, &task, task.count, task.count, &task.stop)
        return not task.refused

    def __dealloc__(self):
        free(self.pack.data)


cdef const Unit* unit_for(int kind, ptrdiff_t terms, ptrdiff_t columns) noexcept:
    """The matrix unit, where there is one and it can."""
    return amx_unit if isa_number() == AMX_ISA and kind == 0 and terms >= TILE and columns >= TILE else NULL


def packed(cnp.ndarray b, packs, bint by_unit=False, /):
    """b packed; kept in the dict `packs`, which lives as long as the numbers of b, and found there the next time."""
    if packs is None:
        return Packed(b, by_unit)
    cdef object key = (<size_t>cnp.PyArray_BYTES(b), cnp.PyArray_DIM(b, 0), cnp.PyArray_DIM(b, 1), cnp.PyArray_STRIDE(b, 0),
                       cnp.PyArray_STRIDE(b, 1), by_unit)
    found = (<dict>packs).get(key)
    if found is None:
        found = (<dict>packs)[key] = Packed(b, by_unit)
    return found


cdef multiply(Product* p, Packed kept, char* out):
    """Pack B unless that was done or is not worth it for a few rows, and multiply, on as many threads as it is worth."""
    cdef char* memory = NULL
    if kept is not None:
        p.gemm = kept.pack.gemm
    cdef ptrdiff_t apart = in_lines(p.b, p.item)
    cdef bint often = p.a.rows > 64 and (apart > 2048 or p.a.rows * apart > 1048576)  # read so often that packing pays
    if kept is None and p.b.column == 1 and (p.a.rows <= SMALL or p.in_place or (apart and not often)):
        p.whole = p.b.columns // p.gemm.width * p.gemm.width
    cdef ptrdiff_t width = p.gemm.width, rest = (p.b.columns - p.whole + width - 1) // width * width
    cdef double work = 2.0 * p.a.rows * p.b.rows * p.b.columns
    p.out = out
    cdef int threads = threads_for(work, p.whole // width if p.in_place else p.a.rows)
    p.count = threads
    if threads > 1 and not p.in_place and not p.gemm.always:
        p.count *= max(1, min(PARTS_EACH, <ptrdiff_t>(work / PART) // threads, p.a.rows // (threads * TALL)))
    p.piece = max(1, <ptrdiff_t>(PIECE / (2.0 * max(p.b.rows * p.b.columns, 1))))
    if p.piece > TILE:
        p.piece -= p.piece % TILE
    cdef bint buffered = p.gemm.always or packs(p.a.rows, p.b.columns, p.b.rows, p.a.row, p.a.column, width, p.item)
    p.buffer = (p.gemm.buffer * p.item + 63) // 64 * 64 if buffered else 0
    if p.gemm.always and p.a.column == 1:
        p.buffer = min(p.buffer, (p.a.rows + TILE - 1) // TILE * TILE * column_bytes(p.gemm, p.b.rows))
    try:
        if p.buffer:
            p.buffers = <char*>aligned(p.buffer * threads)
        if kept is not None:
            p.panels = <char*>kept.pack.data
        elif rest:
            p.panels = memory = <char*>aligned(rest * p.b.rows * p.item)
            shared(part_of_packing, p, p.count, threads, &p.stop)
        shared(part_of_product, p, p.count, threads, &p.stop)
    finally:
        free(memory)
        free(p.buffers)


cdef bint has_product(cnp.ndarray a, cnp.ndarray b, Product* p) noexcept:
    """Whether there is a product for arrays of these dtypes; starts to fill p."""
    cdef int kind = precision(a)
    if kind < 0 or kind != precision(b) or cnp.PyArray_NDIM(a) < 1 or cnp.PyArray_NDIM(a) > 32:
        return False
    memset(p, 0, sizeof(Product))
    p.gemm, p.item = gemm_instances[isa_number()][kind], cnp.PyArray_ITEMSIZE(a)
    return True


cdef object times_matrix(cnp.ndarray a, cnp.ndarray b, bint turned, bias, packs):
    """a @ b, or a @ b.T if `turned`; the sums start from the bias, if there is one."""
    cdef Product task
    cdef Packed kept = None
    cdef int i, ndim = cnp.PyArray_NDIM(a)
    cdef cnp.npy_intp[32] shape
    if not has_product(a, b, &task):
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
    cdef bint turn = task.a.row < 0  # rows from the last to the first: the result lies in the order of memory, and is seen as x is
    if turn:
        task.a = backwards(task.a, task.item)
    if packs is not None:
        view = cnp.PyArray_Transpose(b, NULL) if turned else b
        kept = packed(view, packs, True)
    if bias is not None:
        task.start = cnp.PyArray_BYTES(<cnp.ndarray>bias)
    out = new_array(ndim, shape, cnp.PyArray_TYPE(a), task.item)
    multiply(&task, kept, cnp.PyArray_BYTES(<cnp.ndarray>out))
    return out[(BACK,) * (ndim - 1)] if turn else out


BACK = slice(None, None, -1)


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


include "sums.pxi"
include "lookup.pxi"
