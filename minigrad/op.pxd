# Types for the compiler; op.py is the code.
cimport cython

from minigrad.arithmetic cimport Operator
from minigrad.tape cimport Node, Rules, Tensor, Tracing, Version, entry, wrap
from minigrad.walk cimport Gradients


@cython.final
cdef class Into:
    cdef public object rule
    cdef public object add
    cdef public object rows
    cdef public bint later


cdef class Recipe


cdef int GRADIENT
cdef int RESULT
cdef int SHAPES
cdef Tracing tracing


cdef class Op(Operator):
    cdef public object body
    cdef public object quiet
    cdef public object kernel
    cdef public str name
    cdef public bint broadcasts
    cdef public bint view
    cdef public bint reads_rows
    cdef public Py_ssize_t weight
    cdef public list arguments
    cdef public Py_ssize_t count
    cdef public dict settings
    cdef public bint variadic
    cdef public list rules
    cdef public list recipes

    @cython.locals(found=Recipe)
    cpdef Recipe recipe(self, Py_ssize_t mask)

    cpdef Tensor apply(self, tuple args, dict settings)

    @cython.locals(arrays=list, mask=Py_ssize_t, constants=Py_ssize_t, position=Py_ssize_t, tensor=Tensor, out=Tensor, recipe=Recipe)
    cpdef Tensor evaluate(self, tuple args, dict settings)

    @cython.locals(tensor=Tensor, out=Tensor)
    cpdef object unary(self, object x)

    @cython.locals(tensor=Tensor, out=Tensor, mask=Py_ssize_t)
    cpdef object binary(self, object a, object b)

    @cython.locals(tensor=Tensor)
    cpdef share(self, Tensor out, object source)


@cython.final
cdef class Pull:
    cdef public Py_ssize_t position
    cdef public object rule
    cdef public object add
    cdef public object rows
    cdef public bint later
    cdef public list wants
    cdef public Py_ssize_t count
    cdef public Py_ssize_t first
    cdef public Py_ssize_t second


cdef class Recipe(Rules):
    cdef public Op op
    cdef public list keeps
    cdef public list settings
    cdef public list pulls

    @cython.locals(keeps=list, count=Py_ssize_t)
    cpdef record(self, Tensor out, tuple args, dict settings)

    @cython.locals(tensor=Tensor)
    cpdef object value(self, Py_ssize_t source, Tensor out, tuple args)

    @cython.locals(found=list, source=Py_ssize_t, tensor=Tensor)
    cpdef list cells(self, tuple args)

    @cython.locals(op=Op, kept=tuple, parents=tuple, cell=Version, pull=Pull, parent=Node, want=Py_ssize_t, gradients=Gradients)
    cpdef play(self, Node node, Tensor g, object table)

    @cython.locals(source=Py_ssize_t, parent=Node)
    cpdef object given(self, Py_ssize_t want, Tensor g, Node node, tuple kept, tuple parents, Gradients gradients)


@cython.locals(tensor=Tensor)
cdef Node node_of(object arg)


cdef tuple nodes_of(tuple args)


cdef check_still(Node node, Version cell)
