# Kernels of three arguments, part of elementwise.pyx: where and clip.

cdef bint choice(value, cnp.ndarray cond, int kind, Side* side, double* cell):
    """Whether value is what where() can choose from: an array of cond's shape, one element, or a Python number."""
    cdef cnp.ndarray x
    cdef double number
    if cnp.PyArray_CheckExact(value):
        x = <cnp.ndarray>value
        side.data = cnp.PyArray_BYTES(x)
        side.step = same_shape(x, cond)
        return packed(x) and precision(x) == kind and (
            side.step or (cnp.PyArray_SIZE(x) == 1 and cnp.PyArray_NDIM(x) <= cnp.PyArray_NDIM(cond)))
    if not as_double(value, &number):
        return False
    store(number, kind, cell)
    side.data, side.step = <char*>cell, 0
    return True


def where(cond, a, b, /):
    """a where cond, else b. cond is a bool array and has the shape of the result; a and b may be single elements."""
    cdef cnp.ndarray c, out
    cdef Side x, y
    cdef double x_cell, y_cell
    cdef int kind = -1
    cdef cnp.npy_intp size
    if cnp.PyArray_CheckExact(a):
        kind = precision(<cnp.ndarray>a)
    elif cnp.PyArray_CheckExact(b):
        kind = precision(<cnp.ndarray>b)
    if kind < 0 or not cnp.PyArray_CheckExact(cond):
        return NotImplemented
    c = <cnp.ndarray>cond
    if cnp.PyArray_TYPE(c) != cnp.NPY_BOOL or not packed(c):
        return NotImplemented
    if not choice(a, c, kind, &x, &x_cell) or not choice(b, c, kind, &y, &y_cell):
        return NotImplemented
    out = empty_like(c, cnp.NPY_FLOAT64 if kind else cnp.NPY_FLOAT32)
    size = cnp.PyArray_SIZE(c)
    cdef const Bool* mask = <const Bool*>cnp.PyArray_DATA(c)
    cdef void* target = cnp.PyArray_DATA(out)
    cdef WhereLoop loop = active.loops[kind].where
    cdef PyThreadState* state = release(size)
    loop(mask, x.data, x.step, y.data, y.step, target, size)
    reacquire(state)
    return out


def clip(x, lo, hi, /):
    """x held between two Python numbers, as np.clip does it; None leaves that side open."""
    cdef cnp.ndarray a, out
    cdef double low = -INFINITY, high = INFINITY
    cdef int kind
    cdef cnp.npy_intp size
    if not cnp.PyArray_CheckExact(x):
        return NotImplemented
    if not (lo is None or as_double(lo, &low)) or not (hi is None or as_double(hi, &high)):
        return NotImplemented
    a = <cnp.ndarray>x
    kind = precision(a)
    if kind < 0 or not packed(a):
        return NotImplemented
    out = empty_like(a, cnp.PyArray_TYPE(a))
    size = cnp.PyArray_SIZE(a)
    cdef void* source = cnp.PyArray_DATA(a)
    cdef void* target = cnp.PyArray_DATA(out)
    cdef ClipLoop loop = active.loops[kind].clip
    cdef PyThreadState* state = release(size)
    loop(source, low, high, target, size)
    reacquire(state)
    return out
