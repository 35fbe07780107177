# Types for the compiler; op.py is the code.
cimport cython

from minigrad.tape cimport Gradients, Node, Tensor, Version, wrap


@cython.final
cdef class Into:
    cdef public object rule
    cdef public object add


cdef class Recipe


cdef class Op:
    cdef public object body
    cdef public object kernel
    cdef public str name
    cdef public bint broadcasts
    cdef public bint view
    cdef public list arguments
    cdef public dict settings
    cdef public bint variadic
    cdef public list rules
    cdef public dict recipes

    @cython.locals(found=Recipe)
    cpdef Recipe recipe(self, long mask)


@cython.final
cdef class Recipe:
    cdef public Op op
    cdef public list keeps
    cdef public list pulls

    @cython.locals(op=Op, source=Tensor, version=Version, kept=list, versions=list, kind=int, position=Py_ssize_t, node=Node)
    cpdef record(self, Tensor out, tuple args, list arrays, dict settings)

    @cython.locals(op=Op, parent=Node, wants=list, first=Py_ssize_t, second=Py_ssize_t, position=Py_ssize_t, gradient=Tensor, kept=tuple, parents=tuple, held=list)
    cpdef play(self, Node node, Tensor g, Gradients table)

    @cython.locals(kind=int, position=Py_ssize_t, held=list)
    cpdef list tensors(self, Node node, tuple kept, tuple parents, bint recorded)
