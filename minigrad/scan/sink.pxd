# Types for the compiler; sink.py is the code.
from minigrad.scan.trace cimport Call, Value


cdef class Sink:
    cdef public Call call
    cdef public Value g
    cdef public object position
    cdef public object wants


cdef class Total:
    cdef public Call call
    cdef public Value g
    cdef public object position


cdef class Backward:
    cdef public object calls
    cdef public object once
    cdef public object carry
    cdef public object ys
    cdef public object new_carry
    cdef public object inputs
    cdef public object sinks
    cdef public object totals
    cdef public object consts
    cdef public object tensors
