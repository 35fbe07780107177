# What a call of a scan does with its arrays before and after the loop. Included by program.pyx.

def form(list arrays, int first):
    """The types of arrays and their lengths from axis `first` on, as bytes; None if one of them is no plain array."""
    cdef Py_ssize_t size = 0
    cdef int i
    cdef cnp.ndarray a
    for array in arrays:
        if not cnp.PyArray_CheckExact(array):
            return None
        size += 2 + cnp.PyArray_NDIM(<cnp.ndarray>array)
    cdef bytes found = PyBytes_FromStringAndSize(NULL, size * sizeof(int64_t))
    cdef int64_t* out = <int64_t*>PyBytes_AS_STRING(found)
    for array in arrays:
        a = <cnp.ndarray>array
        out[0], out[1] = cnp.PyArray_TYPE(a), cnp.PyArray_NDIM(a)
        out += 2
        for i in range(cnp.PyArray_NDIM(a)):
            out[0] = cnp.PyArray_DIM(a, i) if i >= first else 0
            out += 1
    return found


cdef Py_ssize_t bytes_at(cnp.ndarray memory, Py_ssize_t place) except -1:
    """How many bytes memory[place] has; strides do not tell where there are none."""
    cdef Py_ssize_t count = cnp.PyArray_DIM(memory, 0)
    if not 0 <= place < count:
        raise IndexError(f"place {place} of {count}")
    return cnp.PyArray_NBYTES(memory) // count


def lay(cnp.ndarray memory, Py_ssize_t place, start):
    """memory[place] = start, an array of as many elements, or 0."""
    cdef Py_ssize_t size = bytes_at(memory, place)
    cdef char* target = cnp.PyArray_BYTES(memory) + place * size
    if type(start) is int:
        memset(target, 0, size)
    elif (cnp.PyArray_CheckExact(start) and cnp.PyArray_TYPE(<cnp.ndarray>start) == cnp.PyArray_TYPE(memory)
            and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>start) and cnp.PyArray_NBYTES(<cnp.ndarray>start) == size):
        memcpy(target, cnp.PyArray_BYTES(<cnp.ndarray>start), size)
    else:
        memory[place] = numpy.asarray(start).reshape((<object>memory).shape[1:])


def lift(cnp.ndarray memory, Py_ssize_t place, tuple shape):
    """memory[place] in memory of its own, in that shape."""
    cdef Py_ssize_t size = bytes_at(memory, place)
    cdef cnp.npy_intp[64] lengths  # NumPy has no more axes
    cdef int i
    for i in range(min(len(shape), 64)):
        lengths[i] = shape[i]
    cdef cnp.ndarray found = cnp.PyArray_SimpleNew(len(shape), lengths, cnp.PyArray_TYPE(memory))
    if cnp.PyArray_NBYTES(found) != size:
        raise IndexError(f"place {place} of {(<object>memory).shape} in the shape {shape}")
    memcpy(cnp.PyArray_BYTES(found), cnp.PyArray_BYTES(memory) + place * size, size)
    return found
