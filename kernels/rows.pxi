# Kernels that work on whole rows, part of elementwise.pyx: the softmax family and the cross-entropy.

cdef struct ByRows:  # a kernel on n columns of each row: one of the three
    RowLoop row
    CrossEntropyLoop loss
    CrossEntropyGradLoop grad
    const char* g
    const char* x
    const int64_t* labels
    char* out
    cnp.npy_intp rows, n, item, width  # bytes of an element, and of a row of the result
    int count                          # of parts
    int stop


cdef void part_of_rows(void* task, int k) noexcept nogil:
    """Part k of the rows."""
    cdef ByRows* t = <ByRows*>task
    cdef cnp.npy_intp first = t.rows * k // t.count, some = t.rows * (k + 1) // t.count - first
    cdef const char* x = t.x + first * t.n * t.item
    cdef char* out = t.out + first * t.width
    if t.row != NULL:
        t.row(x, out, some, t.n)
    elif t.loss != NULL:
        t.loss(x, t.labels + first, out, some, t.n)
    else:
        t.grad(t.g + first * t.item, x, t.labels + first, out, some, t.n)


cdef by_rows(ByRows* task, cnp.ndarray x, cnp.ndarray out):
    """Fill `out` from the rows of x, on as many threads as are worth it; the same bits on any number, for no row knows of another."""
    cdef cnp.npy_intp size = cnp.PyArray_SIZE(x)
    task.x, task.out, task.item = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(out), cnp.PyArray_ITEMSIZE(x)
    task.n = last_axis(x)
    task.rows = size // task.n
    task.width = cnp.PyArray_NBYTES(out) // max(task.rows, 1)
    task.count, task.stop = threads_to_move(size, task.rows), 0
    if size < RELEASE_FROM and task.count == 1:
        part_of_rows(task, 0)
    else:
        shared(part_of_rows, task, task.count, task.count, &task.stop)
    return out


cdef rows_op(x, int op):
    cdef cnp.ndarray a, out
    cdef int kind, ndim
    cdef cnp.npy_intp size, n
    if not cnp.PyArray_CheckExact(x):
        return NotImplemented
    a = <cnp.ndarray>x
    kind, ndim, n, size = precision(a), cnp.PyArray_NDIM(a), last_axis(a), cnp.PyArray_SIZE(a)
    if kind < 0 or not packed(a) or ndim == 0 or n == 0:  # an empty row has no maximum: the NumPy body says so
        return NotImplemented
    out = cnp.PyArray_SimpleNew(ndim - (op == OP_logsumexp), cnp.PyArray_DIMS(a), cnp.PyArray_TYPE(a))
    cdef ByRows task
    task.row = active.loops[kind].row[op]
    return by_rows(&task, a, out)


def softmax(x, /):
    """exp(x) / sum(exp(x)) along the last axis; 0 for a row of -inf, NaN for a row with +inf."""
    return rows_op(x, OP_softmax)


def log_softmax(x, /):
    """log(softmax(x)) along the last axis; -inf for a row of -inf, NaN for a row with +inf."""
    return rows_op(x, OP_log_softmax)


def logsumexp(x, /):
    """log(sum(exp(x))) over the last axis; -inf for a row of -inf, NaN for a row with +inf."""
    return rows_op(x, OP_logsumexp)


def sum_to(x, /, shape, into=None):
    """x summed over its leading axes to `shape`, the axes behind them; added to the array `into` if there is one.

    The sums of the last leading axis are added one behind the other, from the last to the first: what comes in several calls, the last part
    of the axes before it first, gives the bits that it gives in one.
    """
    cdef cnp.ndarray a, out
    cdef cnp.npy_intp n = 1, item, groups, stride = 0, rows = 1, row_stride = 0
    cdef int kind, i, ndim, lead
    if not cnp.PyArray_CheckExact(x) or type(shape) is not tuple:
        return NotImplemented
    a = <cnp.ndarray>x
    kind, ndim, item = precision(a), cnp.PyArray_NDIM(a), cnp.PyArray_ITEMSIZE(a)
    lead = ndim - len(<tuple>shape)
    if kind < 0 or lead < 0 or lead == ndim or not cnp.PyArray_SIZE(a):
        return NotImplemented
    for i in range(ndim - 1, lead - 1, -1):
        if cnp.PyArray_DIM(a, i) != (<tuple>shape)[i - lead] or (cnp.PyArray_STRIDE(a, i) != n * item and cnp.PyArray_DIM(a, i) != 1):
            return NotImplemented
        n *= cnp.PyArray_DIM(a, i)
    if lead:
        rows, row_stride = cnp.PyArray_DIM(a, lead - 1), cnp.PyArray_STRIDE(a, lead - 1)
    if not even(a, lead - 1, &groups, &stride):
        return NotImplemented
    if into is None:
        out = cnp.PyArray_SimpleNew(ndim - lead, cnp.PyArray_DIMS(a) + lead, cnp.PyArray_TYPE(a))
    else:
        if not cnp.PyArray_CheckExact(into):
            return NotImplemented
        out = <cnp.ndarray>into
        if cnp.PyArray_TYPE(out) != cnp.PyArray_TYPE(a) or (<object>out).shape != shape:
            return NotImplemented
        if not (cnp.PyArray_ISBEHAVED(out) and packed(out)):
            return NotImplemented
    cdef void* target = cnp.PyArray_DATA(out)
    cdef void* source = cnp.PyArray_DATA(a)
    cdef bint more = into is not None
    cdef PyThreadState* state = release(cnp.PyArray_SIZE(a))
    active.loops[kind].column_sum(source, groups, stride // item, rows, row_stride // item, n, more, target)
    reacquire(state)
    return out


cdef bint labelled(x, target):
    """Whether x is (N, C) with C > 0 and target (N,) of int64 within [0, C)."""
    cdef cnp.ndarray a, t
    cdef cnp.npy_intp row
    cdef const int64_t* label
    if not (cnp.PyArray_CheckExact(x) and cnp.PyArray_CheckExact(target)):
        return False
    a, t = <cnp.ndarray>x, <cnp.ndarray>target
    if (precision(a) < 0 or not packed(a) or cnp.PyArray_NDIM(a) != 2
            or cnp.PyArray_TYPE(t) != cnp.NPY_INT64 or cnp.PyArray_NDIM(t) != 1 or not packed(t)
            or not cnp.PyArray_ISBEHAVED_RO(t) or cnp.PyArray_DIM(t, 0) != cnp.PyArray_DIM(a, 0)):
        return False
    label = <const int64_t*>cnp.PyArray_DATA(t)
    for row in range(cnp.PyArray_DIM(t, 0)):
        if not 0 <= label[row] < cnp.PyArray_DIM(a, 1):
            return False
    return cnp.PyArray_DIM(a, 1) > 0


def cross_entropy(x, target, /):
    """logsumexp(x) - x[target] for each row: x (N, C), target (N,) of int64 -> (N,). All targets must be in [0, C)."""
    if not labelled(x, target):
        return NotImplemented
    cdef cnp.ndarray a = <cnp.ndarray>x, t = <cnp.ndarray>target
    cdef cnp.ndarray out = cnp.PyArray_SimpleNew(1, cnp.PyArray_DIMS(a), cnp.PyArray_TYPE(a))
    cdef ByRows task
    task.row, task.loss, task.labels = NULL, active.loops[precision(a)].cross_entropy, <const int64_t*>cnp.PyArray_DATA(t)
    return by_rows(&task, a, out)


def cross_entropy_grad(g, x, target, /):
    """g[:, None] * (softmax(x) - onehot(target)): g (N,), x (N, C), target (N,) of int64 -> (N, C)."""
    if not cnp.PyArray_CheckExact(g) or not labelled(x, target):
        return NotImplemented
    cdef cnp.ndarray a = <cnp.ndarray>x, t = <cnp.ndarray>target, gs = <cnp.ndarray>g
    if precision(gs) != precision(a) or not same_shape(gs, t) or not packed(gs):
        return NotImplemented
    cdef cnp.ndarray out = empty_like(a, cnp.PyArray_TYPE(a))
    cdef ByRows task
    task.row, task.loss, task.grad = NULL, NULL, active.loops[precision(a)].cross_entropy_grad
    task.g, task.labels = cnp.PyArray_BYTES(gs), <const int64_t*>cnp.PyArray_DATA(t)
    return by_rows(&task, a, out)
