# Types for the compiler; walk.py is the code.
cimport cython

from minigrad.arithmetic cimport binary
from minigrad.tape cimport Node, Rules, Tensor, Version, dtype_of, fits, wrap


@cython.final
cdef class Gradients:
    cdef public dict totals
    cdef public set owned
    cdef public bint recorded
    cdef public bint retain
    cdef public set serves
    cdef public list leaves
    cdef public dict parts
    cdef public dict wanted

    @cython.locals(held=Tensor)
    cpdef add(self, Node node, Tensor g, object op)
    cpdef give(self, Node node, Tensor g, object op)
    cpdef object buffer(self, Node node)

    @cython.locals(held=Tensor)
    cpdef add_rows(self, Node node, object rows)

    @cython.locals(g=Tensor)
    cpdef Tensor total(self, Node node)

    cpdef Tensor arrived(self, Node node, Tensor g)


@cython.locals(found=Gradients, node=Node, leaf=Tensor, live=dict, fresh=dict)
cpdef backward(Tensor tensor, object gradient, bint retain_graph, bint create_graph)


@cython.locals(out=Tensor, node=Node, table=Gradients, starts=list)
cpdef Gradients walk(list outputs, list seeds, object wanted, bint retain_graph, bint create_graph)


cpdef Tensor seed(Tensor out, object given, bint create_graph)


@cython.locals(found=dict, todo=list, node=Node, parent=Node)
cpdef list newest_first(list roots, object since=*)


@cython.locals(node=Node, g=Tensor)
cpdef play_back(list order, Gradients table, set asked, bint retain_graph)
