# Rows of a table by their numbers, and the other way round: sums of rows that have the same number. Included by matmul.pyx.

cdef enum:
    SPARSE = 64  # numbers for each place: where there are more, to sort them costs less than to have room for all

cdef struct Transfer:
    char* table               # rows without gaps, ...
    ptrdiff_t kinds           # ... and how many
    Matrix rows               # one for each place
    const cnp.npy_intp* places
    ptrdiff_t item
    BinaryLoop add
    int count                 # of parts
    int stop


cdef void part_of_taking(void* task, int k) noexcept nogil:
    """Part k of the rows, from the table."""
    cdef Transfer* t = <Transfer*>task
    cdef ptrdiff_t i, place, bytes = t.rows.columns * t.item
    for i in range(t.rows.rows * k // t.count, t.rows.rows * (k + 1) // t.count):
        place = t.places[i]
        if 0 <= place < t.kinds:  # they were, but another thread may write to them meanwhile
            memcpy(t.rows.data + i * bytes, t.table + place * bytes, bytes)
        else:
            t.stop = 1


cdef void part_of_adding(void* task, int k) noexcept nogil:
    """Part k of the columns, whole lines of the cache: each row added to its place in the table, one row after the other."""
    cdef Transfer* t = <Transfer*>task
    cdef ptrdiff_t i, line = LINE // t.item, lines = (t.rows.columns + line - 1) // line
    cdef ptrdiff_t first = lines * k // t.count * line, last = min(lines * (k + 1) // t.count * line, t.rows.columns)
    cdef ptrdiff_t place
    cdef char* into
    for i in range(t.rows.rows if first < last else 0):
        place = t.places[i]
        if 0 <= place < t.kinds:
            into = t.table + (place * t.rows.columns + first) * t.item
            t.add(into, 1, t.rows.data + (i * t.rows.row + first) * t.item, 1, into, last - first)


cdef bint within(cnp.ndarray places, ptrdiff_t count) noexcept:
    """Whether these are whole numbers, element behind element, from 0 to count - 1."""
    cdef ptrdiff_t i
    if cnp.PyArray_TYPE(places) != cnp.NPY_INTP or not cnp.PyArray_IS_C_CONTIGUOUS(places) or not cnp.PyArray_ISBEHAVED_RO(places):
        return False
    cdef const cnp.npy_intp* numbers = <const cnp.npy_intp*>cnp.PyArray_DATA(places)
    for i in range(cnp.PyArray_SIZE(places)):
        if not 0 <= numbers[i] < count:
            return False
    return True


cdef bint is_table(cnp.ndarray table, cnp.ndarray places, Transfer* task) noexcept:
    """Whether a table of two axes has a row for each of the places; starts to fill task."""
    cdef int kind = precision(table)
    if kind < 0 or cnp.PyArray_NDIM(table) != 2 or not cnp.PyArray_IS_C_CONTIGUOUS(table):
        return False
    if not within(places, cnp.PyArray_DIM(table, 0)):
        return False
    task.table, task.item = cnp.PyArray_BYTES(table), cnp.PyArray_ITEMSIZE(table)
    task.kinds = cnp.PyArray_DIM(table, 0)
    task.places, task.add, task.stop = <const cnp.npy_intp*>cnp.PyArray_DATA(places), loops(kind).binary[OP_add], 0
    return True


def take(table, places, /, axis=0):
    """The rows of a matrix at `places`, whole numbers from 0 on, of any shape."""
    cdef Transfer task
    cdef cnp.npy_intp[32] shape
    cdef int i, ndim
    if not (cnp.PyArray_CheckExact(table) and cnp.PyArray_CheckExact(places)) or type(axis) is not int or axis not in (0, -2):
        return NotImplemented
    places = cnp.PyArray_GETCONTIGUOUS(<cnp.ndarray>places)
    ndim = cnp.PyArray_NDIM(<cnp.ndarray>places)
    if ndim > 31 or not is_table(<cnp.ndarray>table, <cnp.ndarray>places, &task):
        return NotImplemented
    for i in range(ndim):
        shape[i] = cnp.PyArray_DIM(<cnp.ndarray>places, i)
    shape[ndim] = cnp.PyArray_DIM(<cnp.ndarray>table, 1)
    out = new_array(ndim + 1, shape, cnp.PyArray_TYPE(<cnp.ndarray>table), task.item)
    as_matrix(out, &task.rows)
    task.count = threads_to_move(task.rows.rows * task.rows.columns, task.rows.rows)
    shared(part_of_taking, &task, task.count, task.count, &task.stop)
    return NotImplemented if task.stop else out


def add_rows(out, x, places, /):
    """out[places[k]] += x[k] for each row in turn, in place; the leading axes of x count as one."""
    cdef Transfer task
    if not (cnp.PyArray_CheckExact(out) and cnp.PyArray_CheckExact(x) and cnp.PyArray_CheckExact(places)):
        return NotImplemented
    cdef cnp.ndarray a = <cnp.ndarray>x
    if not is_table(<cnp.ndarray>out, <cnp.ndarray>places, &task) or not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out):
        return NotImplemented
    if precision(a) != precision(<cnp.ndarray>out) or cnp.PyArray_NDIM(a) < 2:
        return NotImplemented
    a = readable(a, &task.rows)
    if task.rows.column != 1 and task.rows.columns > 1:
        a = cnp.PyArray_NewCopy(a, cnp.NPY_CORDER)
        as_matrix(a, &task.rows)
    if task.rows.rows != cnp.PyArray_SIZE(<cnp.ndarray>places) or task.rows.columns != cnp.PyArray_DIM(<cnp.ndarray>out, 1):
        return NotImplemented
    task.count = threads_to_move(task.rows.rows * task.rows.columns, task.rows.columns * task.item // LINE)
    shared(part_of_adding, &task, task.count, task.count, &task.stop)


def distinct(places, /):
    """Of whole numbers from 0 on: where each different one stands (one of its places), and for each place which of these it is."""
    cdef cnp.ndarray found, which, where, given = cnp.PyArray_GETCONTIGUOUS(numpy.asarray(places, numpy.intp))
    cdef cnp.npy_intp size = cnp.PyArray_SIZE(given), count = 0, bound = (given.max() + 1) if size else 0
    cdef ptrdiff_t i
    if not within(given, bound):
        raise ValueError("distinct: places are whole numbers from 0 on")
    if bound > SPARSE * size:
        given = numpy.unique(given, return_inverse=True)[1].reshape(-1)
        bound = size
    found, which, where = numpy.full(bound, -1, numpy.intp), numpy.empty(size, numpy.intp), numpy.empty(size, numpy.intp)
    cdef const cnp.npy_intp* numbers = <const cnp.npy_intp*>cnp.PyArray_DATA(given)
    cdef cnp.npy_intp* seen = <cnp.npy_intp*>cnp.PyArray_DATA(found)
    cdef cnp.npy_intp* kinds = <cnp.npy_intp*>cnp.PyArray_DATA(which)
    cdef cnp.npy_intp* firsts = <cnp.npy_intp*>cnp.PyArray_DATA(where)
    for i in range(size):
        if seen[numbers[i]] < 0:
            seen[numbers[i]] = count
            firsts[count] = i
            count += 1
        kinds[i] = seen[numbers[i]]
    return where[:count], which
