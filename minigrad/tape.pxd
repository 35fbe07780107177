# Types for the compiler; tape.py is the code. Nodes and tensors cannot form cycles (see Node), so the garbage collector need not
# look at them (no_gc, in setup.py). A chain of a million nodes frees itself in bounded stack all the same: between two nodes lies a
# tuple of parents, and CPython defers the release of deeply nested tuples.
cimport cython
cimport numpy as cnp

from minigrad.arithmetic cimport Arithmetic


@cython.final
cdef class Tracing:
    cdef public Py_ssize_t count


cdef Tracing tracing


@cython.final
cdef class Version:
    cdef public object changed
    cdef public str cause
    cdef public str guard
    cdef public object frozen
    cdef public dict packs
    cdef public bint shared


cdef class Node
cdef class Tensor(Arithmetic)


cdef class Rules:
    cpdef play(self, Node node, Tensor g, object table)


@cython.final
cdef class Node:
    cdef object __weakref__
    cdef public tuple shape
    cdef public object dtype
    cdef public Rules recipe
    cdef public tuple parents
    cdef public tuple kept
    cdef public list cells
    cdef public object watch
    cdef public object tick


@cython.final
cdef class Tensor(Arithmetic):
    cdef object __weakref__
    cdef public object _array
    cdef public Tensor _grad
    cdef public Version _version
    cdef public Node node
    cdef public bint parameter
    cdef public bint sparse_grad

    cpdef Version version(self)

    @cython.locals(version=Version)
    cpdef dict packs(self)


@cython.locals(node=Node)
cpdef Node entry(object array, Rules recipe, tuple parents, tuple kept, list cells)


@cython.locals(tensor=Tensor)
cpdef Tensor wrap(object array, Node node)


@cython.locals(ndim=Py_ssize_t, i=Py_ssize_t)
cpdef bint fits(cnp.ndarray array, tuple shape)


@cython.locals(size=Py_ssize_t)
cpdef Py_ssize_t size_of(tuple shape)


cpdef object dtype_of(cnp.ndarray array)


@cython.locals(parent=Node)
cdef tuple shape_of(object array, tuple parents)
