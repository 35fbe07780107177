# Types for the compiler; tape.py is the code. A chain of nodes is as long as training makes it: without trashcan, freeing one
# would recurse through all of them and overrun the C stack.
cimport cython


@cython.final
cdef class Version:
    cdef public Py_ssize_t count
    cdef public str cause
    cdef public str guard


@cython.final
@cython.trashcan(True)
cdef class Node:
    cdef object __weakref__
    cdef public tuple shape
    cdef public object dtype
    cdef public object recipe
    cdef public tuple parents
    cdef public tuple kept
    cdef public list versions
    cdef public object grad
    cdef public object tick


@cython.final
@cython.freelist(64)
cdef class Tensor:
    cdef object __weakref__
    cdef public object _array
    cdef public Version _version
    cdef public Node node
    cdef public bint parameter

    cpdef Version version(self)


@cython.final
cdef class Gradients:
    cdef public dict totals
    cdef public set owned
    cdef public bint recorded
    cdef public set serves
    cdef public list leaves
    cdef public dict wanted

    @cython.locals(held=Tensor)
    cpdef add(self, Node node, Tensor g, str name)
    cpdef object buffer(self, Node node)
    @cython.locals(g=Tensor)
    cpdef Tensor total(self, Node node)



cpdef Tensor wrap(object array, Node node)

@cython.locals(node=Node, table=Gradients, g=Tensor)
cpdef Gradients walk(object outputs, object seeds, object wanted, bint retain_graph, bint create_graph)

@cython.locals(found=dict, todo=list, node=Node, parent=Node)
cpdef list newest_first(list roots)
