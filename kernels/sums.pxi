# Sums over rows of outer products: the gradient of a weight. Included by matmul.pyx.

import threading
from contextlib import contextmanager

cdef double WORTH = 2e7  # floating operations: below, what a matrix unit wins is lost again by the code around it

cdef struct Sum:  # A^T B on a matrix unit, rows from the last to the first
    Product* product
    ptrdiff_t rows           # of the sum
    ptrdiff_t columns
    bint more                # added to what is in `out`
    bint tall                # parts are of the sum's rows, else of its columns
    ptrdiff_t piece          # rows of A and B between two looks for signals
    char* out
    char* room
    int count
    int stop
    bint refused


class Share(threading.local):
    """Of a longer sum, the part that the sums of this thread are now: `rows` of `whole` ones."""

    rows = 1
    whole = 1


share = Share()


@contextmanager
def part_of_sums(rows, whole):
    """Within, sums over rows are parts of longer ones."""
    share.rows, share.whole = max(rows, 1), max(whole, 1)
    try:
        yield
    finally:
        share.rows = share.whole = 1


def steps_together(ptrdiff_t rows, ptrdiff_t steps, list weights):
    """The number of time steps, of so many rows each, at whose multiples the sums for these weights can be cut and give the same bits."""
    cdef ptrdiff_t together = 1
    cdef double size = sum([w.size for w in weights if w.ndim > 1 and w.dtype == numpy.float32])  # some may be summed for as one
    while isa_number() == AMX_ISA and 2.0 * rows * steps * size >= WORTH and rows * together % TILE:
        together *= 2
    return together


cdef bint worth_it(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t other_columns) noexcept:
    """Whether a sum is for the unit; half a tile of columns is enough if the sum is twice as large."""
    cdef ptrdiff_t least = min(columns, other_columns)
    return unit_for(0, rows, 2 * least) != NULL and 2.0 * rows * columns * other_columns >= (WORTH if least >= TILE else 2 * WORTH)


cdef bint by_unit(cnp.ndarray a, const Product* p):
    """The same for a sum that may be a part of one. Not for rows along one axis: so lie those of sequences that end at different times."""
    cdef ptrdiff_t some, whole
    cdef int i, axes = 0
    if p.item != sizeof(float) or isa_number() != AMX_ISA:
        return False
    some, whole = share.rows, share.whole
    for i in range(cnp.PyArray_NDIM(a) - 1):
        axes += cnp.PyArray_DIM(a, i) > 1 or (i == 0 and some != whole)  # a part may be a single time step
    return axes > 1 and worth_it(p.a.rows * whole // some, p.a.columns, p.b.columns)


cdef void part_of_sum(void* task, int k) noexcept nogil:
    """Part k of the sum, piece by piece."""
    cdef Sum* s = <Sum*>task
    cdef Matrix a = s.product.a, b = s.product.b
    cdef ptrdiff_t across = s.rows if s.tall else s.columns, tiles = (across + TILE - 1) // TILE
    cdef ptrdiff_t first = tiles * k // s.count * TILE, last = min(tiles * (k + 1) // s.count * TILE, across)
    cdef ptrdiff_t top = first if s.tall else 0, left = 0 if s.tall else first, row = 0, some
    cdef ptrdiff_t rows = last - first if s.tall else s.rows, columns = s.columns if s.tall else last - first
    while row < a.rows and first < last and not s.stop and not s.refused:
        some = min(s.piece, a.rows - row)
        if not amx_unit.sum(rows, columns, some, <const float*>a.data + row * a.row + top, a.row, <const float*>b.data + row * b.row + left,
                            b.row, s.more or row > 0, <float*>s.out + top * s.columns + left, s.columns, s.room + k * amx_unit.room):
            s.refused = True
        row += some
        if k == 0 and row < a.rows:
            look(&s.stop)


cdef object sum_by_unit(cnp.ndarray a, Product* p, into):
    """The sum, added to `into` if there is one; None, and `into` as it was, if not all numbers are finite.

    What has fewer columns takes the part of A, whose rows have to be turned. Then the sums are those of the transpose.
    """
    cdef Sum task
    cdef Product q = p[0]
    cdef cnp.npy_intp[2] shape
    cdef bint turn = p.b.columns < p.a.columns <= TURNED
    memset(&task, 0, sizeof(Sum))
    shape[0], shape[1] = p.a.columns, p.b.columns
    if into is not None and not has_room(into, a, shape):
        return None
    out = new_array(2, shape, cnp.PyArray_TYPE(a), p.item) if into is None else into
    if turn:
        q.a, q.b = p.b, p.a
        shape[0], shape[1] = q.a.columns, q.b.columns
        sums = new_array(2, shape, cnp.PyArray_TYPE(a), p.item)
        if into is not None:
            amx_unit.turn(p.a.columns, p.b.columns, <const float*>numbers(into), <float*>numbers(sums))
    else:
        sums = out if into is None else into.copy()
    cdef double work = 2.0 * q.a.rows * q.a.columns * q.b.columns
    task.product, task.rows, task.columns, task.tall = &q, q.a.columns, q.b.columns, q.a.columns >= q.b.columns
    task.more, task.out = into is not None, numbers(sums)
    task.count = 1 if work < LARGE else worth(work, (max(task.rows, task.columns) + TILE - 1) // TILE)
    task.piece = max(1, <ptrdiff_t>(PIECE / work * q.a.rows / STRETCH)) * STRETCH
    cdef Block room = Block(amx_unit.room * task.count)
    task.room = <char*>room.memory
    shared(part_of_sum, &task, task.count, &task.stop)
    if task.refused:
        return None
    if turn:
        amx_unit.turn(q.a.columns, q.b.columns, <const float*>numbers(sums), <float*>numbers(out))
    elif into is not None:
        into[...] = sums
    return out


cdef char* numbers(array):
    return cnp.PyArray_BYTES(<cnp.ndarray>array)


cdef cnp.ndarray in_rows(cnp.ndarray a, Matrix* m, ptrdiff_t item):
    """a, or a copy of it whose rows are contiguous, as m with the last one first."""
    if m.column != 1:
        a = cnp.PyArray_NewCopy(a, cnp.NPY_CORDER)
        as_matrix(a, m)
        m[0] = backwards(m[0], item)
    return a


def outer_sum(a, b, into=None, /):
    """a^T b, with all leading axes of both as one, added to the matrix `into` if there is one.

    An element is one chain of multiply-adds from the last row to the first: rows that come in several calls, the last ones first, give the
    bits that they give in one. Not so on a matrix unit, which adds up 32 of them at a time.
    """
    if not (cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b)) or cnp.PyArray_NDIM(<cnp.ndarray>b) < 1:
        return NotImplemented
    cdef Product task
    cdef cnp.npy_intp[2] shape
    if not has_product(a, b, &task):
        return NotImplemented
    cdef int i, ndim = cnp.PyArray_NDIM(<cnp.ndarray>a)
    for i in range(ndim - 1):
        if ndim != cnp.PyArray_NDIM(<cnp.ndarray>b) or cnp.PyArray_DIM(<cnp.ndarray>a, i) != cnp.PyArray_DIM(<cnp.ndarray>b, i):
            return NotImplemented
    a, b = readable(a, &task.a), readable(b, &task.b)
    if task.a.rows != task.b.rows:
        return NotImplemented
    task.a, task.b = backwards(task.a, task.item), backwards(task.b, task.item)
    if by_unit(a, &task):
        a, b = in_rows(a, &task.a, task.item), in_rows(b, &task.b, task.item)
        found = sum_by_unit(a, &task, into)
        if found is not None:
            return found
    # What has few columns is best packed into the rows of a tile, and the other matrix left where it is, if it lies well.
    cdef ptrdiff_t apart = in_lines(task.a, task.item), few = 32 if apart else task.gemm.width // 2
    if apart and apart < 4096 and task.a.rows * 4 >= apart:
        few = 64 if in_lines(task.b, task.item) else 256
    cdef bint swap = into is None and task.b.columns <= few and task.a.columns > task.b.columns
    if swap:
        task.a, task.b, task.in_place = flipped(task.b), task.a, apart > 0
    else:
        task.a = flipped(task.a)
    shape[0], shape[1] = task.a.rows, task.b.columns
    out = into
    if into is None:
        out = new_array(2, shape, cnp.PyArray_TYPE(<cnp.ndarray>a), task.item)
    elif not has_room(into, a, shape):
        return NotImplemented
    task.more = into is not None
    multiply(&task, None, cnp.PyArray_BYTES(<cnp.ndarray>out))
    return cnp.PyArray_GETCONTIGUOUS(cnp.PyArray_Transpose(<cnp.ndarray>out, NULL)) if swap else out


cdef bint has_room(into, cnp.ndarray like, const cnp.npy_intp* shape):
    """Whether `into` is a matrix of this shape, element behind element, of the type of another."""
    cdef cnp.ndarray out
    if not cnp.PyArray_CheckExact(into):
        return False
    out = <cnp.ndarray>into
    return (cnp.PyArray_NDIM(out) == 2 and cnp.PyArray_DIM(out, 0) == shape[0] and cnp.PyArray_DIM(out, 1) == shape[1]
            and cnp.PyArray_TYPE(out) == cnp.PyArray_TYPE(like) and cnp.PyArray_ISBEHAVED(out) and cnp.PyArray_IS_C_CONTIGUOUS(out))
