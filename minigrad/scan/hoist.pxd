# Types for the compiler; hoist.py is the code.
from minigrad.scan.trace cimport Trace


cdef class Division:
    cdef public Trace trace
    cdef public object once
    cdef public object ahead
    cdef public object loop
    cdef public object inputs
    cdef public dict left
    cdef public object new_carry
    cdef public object ys
    cdef public dict level
    cdef public object moved
    cdef public object split
