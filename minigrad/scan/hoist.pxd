# Types for the compiler; hoist.py is the code.
from minigrad.scan.trace cimport Trace


cdef class Division:
    cdef public Trace trace
    cdef public list once
    cdef public list ahead
    cdef public list loop
    cdef public list inputs
    cdef public dict left
    cdef public list new_carry
    cdef public list ys
    cdef public dict level
    cdef public object moved
    cdef public object split
