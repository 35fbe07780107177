# Types for the compiler; known.py is the code.
cimport cython

from minigrad.tape cimport Tensor


cpdef tuple fingerprint(object step)


cdef str library(object module)


@cython.final
cdef class Reach:
    cdef public list parts
    cdef public list tensors
    cdef public dict met

    cpdef visit(self, object value, Py_ssize_t depth)

    @cython.locals(known=Py_ssize_t)
    cpdef bint again(self, object value)

    @cython.locals(space=dict)
    cpdef function(self, object function, Py_ssize_t depth)
    cpdef other(self, object value, type kind, Py_ssize_t depth)
    cpdef module(self, object module, type kind, Py_ssize_t depth)
