# Types for the compiler; request.py is the code.
cimport cython

from minigrad.scan.compiled cimport Plan
from minigrad.scan.replay cimport begun, played
from minigrad.scan.span cimport Even, span_of
from minigrad.scan.trace cimport Trace, wrapped
from minigrad.scan.tree cimport flatten, unflatten
from minigrad.tape cimport Tensor, wrap


@cython.locals(call=Request)
cpdef tuple known_scan(
    object key,
    tuple consts,
    object step,
    object carry,
    object xs,
    bint reverse,
    object length=*,
    object batch_sizes=*,
    bint stream=*,
    object memory=*,
)


cdef class Request:
    cdef public object step
    cdef public object carry
    cdef public object carry_kind
    cdef public object xs
    cdef public object xs_kind
    cdef public bint reverse
    cdef public Even span
    cdef public dict own
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

    @cython.locals(tensor=Tensor, env=dict)
    cpdef tuple play(self, Plan plan, list tensors, bint cached)
