# Types for the compiler; request.py is the code.
cimport cython

from minigrad.scan.compiled cimport Plan
from minigrad.scan.span cimport Even
from minigrad.scan.trace cimport Trace
from minigrad.tape cimport Tensor


cdef class Request:
    cdef public object step
    cdef public object carry
    cdef public object carry_kind
    cdef public object xs
    cdef public object xs_kind
    cdef public bint reverse
    cdef public Even span
    cdef public object steps
    cdef public tuple known
    cdef public bint stream
    cdef public object segments
    cdef public object traces
    cdef public bint peeled_before
    cdef public object state
    cdef public object whole
    cdef public object first

    @cython.locals(tensor=Tensor)
    cpdef object signature(self)

    cpdef object remembered(self)
    cpdef tuple run(self)
    cpdef tuple play(self, object plan, list tensors, bint cached)
