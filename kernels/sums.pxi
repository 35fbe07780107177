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
    int halves               # 2: each group of rows is cut in two, for two sums
    ptrdiff_t group          # rows that a sum takes of each group
    ptrdiff_t terms          # and of all
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
    cdef ptrdiff_t each = rows // 2 if rows % TILE == 0 else rows  # of a batch that is summed in halves
    cdef double size = sum([w.size for w in weights if w.ndim > 1 and w.dtype == numpy.float32])  # some may be summed for as one
    while isa_number() == AMX_ISA and 2.0 * rows * steps * size >= WORTH and each * together % TILE:
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
    """Part k of the sum; where there are two, the first parts do the one with the first rows of each group, as they did in the loop."""
    cdef Sum* s = <Sum*>task
    cdef int half, each = max(s.count // s.halves, 1)
    for half in range(s.halves):
        if s.count == 1 or k // each == half:
            part_of_half(s, half, k % each, each, k)


cdef void part_of_half(Sum* s, int half, int j, int each, int k) noexcept nogil:
    """Part j of `each` of one of the sums, piece by piece."""
    cdef Matrix a = s.product.a, b = s.product.b
    cdef ptrdiff_t across = s.rows if s.tall else s.columns, tiles = (across + TILE - 1) // TILE
    cdef ptrdiff_t first = tiles * j // each * TILE, last = min(tiles * (j + 1) // each * TILE, across), row = 0
    cdef ptrdiff_t top = first if s.tall else 0, left = 0 if s.tall else first
    cdef ptrdiff_t rows = last - first if s.tall else s.rows, columns = s.columns if s.tall else last - first
    cdef ptrdiff_t begin = s.group * (s.halves - 1 - half if a.row < 0 else half)  # rows that run backwards begin with the last
    cdef const float* left_side = <const float*>a.data + begin * a.row + top
    cdef const float* right_side = <const float*>b.data + begin * b.row + left
    cdef float* out = <float*>s.out + (half * s.rows + top) * s.columns + left
    cdef Terms terms
    terms.group, terms.apart = s.group, s.group * s.halves
    while row < s.terms and first < last and not s.stop and not s.refused:
        terms.first, terms.count = row, min(s.piece, s.terms - row)
        if not amx_unit.sum(rows, columns, terms, left_side, a.row, right_side, b.row, s.more or row > 0, out, s.columns,
                            s.room + k * amx_unit.room):
            s.refused = True
        row += terms.count
        if row < s.terms:
            look(&s.stop)


cdef int halves_of(cnp.ndarray a) noexcept:
    """Into how many sums rows are cut: two where there are groups of them, a batch at each time, whose halves fill tiles."""
    cdef int ndim = cnp.PyArray_NDIM(a)
    return 2 if ndim > 2 and cnp.PyArray_DIM(a, ndim - 2) and cnp.PyArray_DIM(a, ndim - 2) % TILE == 0 else 1


cdef bint turned(const Product* p) noexcept:
    """What has fewer columns takes the part of A, whose rows have to be turned. Then the sums are those of the transpose."""
    return p.b.columns < p.a.columns <= TURNED


def sums_of(cnp.ndarray a, ptrdiff_t columns, ptrdiff_t other_columns):
    """The shape of what holds a sum that comes in several calls: (columns, other columns); if it is two, (2, ...), the last ones maybe
    in the other order."""
    cdef Product p
    memset(&p, 0, sizeof(Product))
    p.item, p.a.columns, p.b.columns = cnp.PyArray_ITEMSIZE(a), columns, other_columns
    p.a.rows = cnp.PyArray_SIZE(a) // max(cnp.PyArray_DIM(a, cnp.PyArray_NDIM(a) - 1), 1)
    if halves_of(a) == 1 or precision(a) != 0 or not by_unit(a, &p):
        return columns, other_columns
    return (2, other_columns, columns) if turned(&p) else (2, columns, other_columns)


cdef object sum_by_unit(cnp.ndarray a, Product* p, into):
    """The sum, added to `into` if there is one; None, and `into` as it was, if not all numbers are finite."""
    cdef Sum task
    cdef Product q = p[0]
    cdef int halves = halves_of(a)
    cdef cnp.npy_intp[3] shape
    cdef bint turn = turned(p), held = into is not None and into.ndim == 3, chain = held or (into is not None and halves == 1)
    shape[0], shape[1] = p.a.columns, p.b.columns
    if into is not None and not held and not has_room(into, a, shape):
        return None
    if turn:
        q.a, q.b = p.b, p.a
    shape[0], shape[1], shape[2] = halves, q.a.columns, q.b.columns
    sums = into if held else new_array(3, shape, cnp.PyArray_TYPE(a), p.item)
    before = into.copy() if held else None
    if chain and not held and turn:
        amx_unit.turn(p.a.columns, p.b.columns, <const float*>numbers(into), NULL, <float*>numbers(sums))
    elif chain and not held:
        sums[0] = into
    cdef double work = 2.0 * q.a.rows * q.a.columns * q.b.columns
    memset(&task, 0, sizeof(Sum))
    task.product, task.rows, task.columns, task.tall = &q, q.a.columns, q.b.columns, q.a.columns >= q.b.columns
    task.more, task.halves, task.terms = chain, halves, q.a.rows // halves
    task.group = cnp.PyArray_DIM(a, cnp.PyArray_NDIM(a) - 2) // 2 if halves == 2 else task.terms
    task.count = threads_for(work, (max(task.rows, task.columns) + TILE - 1) // TILE)
    task.count -= task.count > 1 and task.count % halves
    task.piece = max(1, <ptrdiff_t>(PIECE / work * q.a.rows / STRETCH)) * STRETCH
    cdef Block room = Block(amx_unit.room * task.count)
    task.out, task.room = numbers(sums), <char*>room.memory
    shared(part_of_sum, &task, task.count, task.count, &task.stop)
    if task.refused:
        if held:
            into[...] = before
        return None
    return into if held else put_together(&task, sums, turn, into, chain)


cdef object put_together(Sum* task, cnp.ndarray sums, bint turn, into, bint chain):
    """The sum, or two, as one matrix, in `into` (or, unless it begins there, added to that)."""
    cdef const float* first = <const float*>task.out
    cdef const float* second = first + task.rows * task.columns if task.halves == 2 else NULL
    cdef cnp.npy_intp[2] shape
    if not turn and second == NULL and into is None:
        return sums[0]
    shape[0], shape[1] = task.columns if turn else task.rows, task.rows if turn else task.columns
    out = into if chain else new_array(2, shape, cnp.PyArray_TYPE(sums), cnp.PyArray_ITEMSIZE(sums))
    if turn:
        amx_unit.turn(task.rows, task.columns, first, second, <float*>numbers(out))
    elif second != NULL:
        numpy.add(sums[0], sums[1], out=out)
    else:
        out[...] = sums[0]
    if into is not None and not chain:
        into += out
    return out if into is None else into


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
    bits that they give in one. Not so on a matrix unit, which adds up 32 of them at a time, and of a batch one half after the other: there
    `into` has to be of the shape that `sums_of` says.
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
    if into is not None and into.ndim == 3:  # the unit has refused
        found = outer_sum(a, b)
        into[0] += found if found.shape == into[0].shape else found.T
        return into
    # What has few columns is best taken for A, packed into the rows of a tile, and the other matrix left where it is, if it lies well;
    # unless that can be A without being packed, and the few are whole panels.
    cdef ptrdiff_t apart = in_lines(task.a, task.item), few = 32 if apart else task.gemm.width // 2
    if apart and apart < 4096 and task.a.rows * 4 >= apart:
        few = 256
    task.a = flipped(task.a)
    cdef bint swap = into is None and task.b.columns <= few and task.a.rows > task.b.columns
    swap = swap and (task.b.columns % task.gemm.width != 0
                     or packs(task.a.rows, task.b.columns, task.b.rows, task.a.row, task.a.column, task.gemm.width, task.item))
    if swap:
        task.a, task.b, task.in_place = flipped(task.b), flipped(task.a), apart > 0
    shape[0], shape[1] = task.a.rows, task.b.columns
    out = into
    if into is None:
        out = new_array(2, shape, cnp.PyArray_TYPE(<cnp.ndarray>a), task.item)
    elif not has_room(into, a, shape):
        return NotImplemented
    task.more = into is not None
    multiply(&task, None, cnp.PyArray_BYTES(<cnp.ndarray>out))
    return transposed(out, task.gemm) if swap else out


cdef object transposed(cnp.ndarray sums, const Gemm* gemm):
    """The transpose of a matrix, both without gaps."""
    cdef cnp.npy_intp[2] shape
    shape[0], shape[1] = cnp.PyArray_DIM(sums, 1), cnp.PyArray_DIM(sums, 0)
    out = new_array(2, shape, cnp.PyArray_TYPE(sums), cnp.PyArray_ITEMSIZE(sums))
    gemm.turn(shape[1], shape[0], cnp.PyArray_DATA(sums), numbers(out))
    return out


cdef bint has_room(into, cnp.ndarray like, const cnp.npy_intp* shape):
    """Whether `into` is a matrix of this shape, element behind element, of the type of another."""
    cdef cnp.ndarray out
    if not cnp.PyArray_CheckExact(into):
        return False
    out = <cnp.ndarray>into
    return (cnp.PyArray_NDIM(out) == 2 and cnp.PyArray_DIM(out, 0) == shape[0] and cnp.PyArray_DIM(out, 1) == shape[1]
            and cnp.PyArray_TYPE(out) == cnp.PyArray_TYPE(like) and cnp.PyArray_ISBEHAVED(out) and cnp.PyArray_IS_C_CONTIGUOUS(out))
