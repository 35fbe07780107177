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
    cdef public list calls
    cdef public list carry
    cdef public list xs
    cdef public list consts
    cdef public list draws
    cdef public list tensors
    cdef public list new_carry
    cdef public list ys
    cdef public object carry_kind
    cdef public object ys_kind
    cdef public object drawn
    cdef public object passing


cpdef Tensor wrapped(object leaf)
