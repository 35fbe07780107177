# Types for the compiler; trace.py is the code.
from minigrad.tape cimport Tensor, wrap


cdef class Call


cdef class Value:
    cdef public object call
    cdef public object dtype
    cdef public str kind
    cdef public object number
    cdef public tuple shape


cdef class Call:
    cdef public tuple args
    cdef public object op
    cdef public Value out
    cdef public bint recorded
    cdef public dict settings


cdef class Trace:
    cdef public object calls
    cdef public object carry
    cdef public object xs
    cdef public object consts
    cdef public object draws
    cdef public object tensors
    cdef public object new_carry
    cdef public object ys
    cdef public object carry_kind
    cdef public object ys_kind
    cdef public object drawn
    cdef public object passing


cpdef Tensor wrapped(object leaf)
