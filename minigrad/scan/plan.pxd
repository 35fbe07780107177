# Types for the compiler; plan.py is the code.


cdef class Array:
    cdef public object dtype
    cdef public object index
    cdef public object key
    cdef public str kind
    cdef public object rows
    cdef public str steps
    cdef public object width


cdef class Place:
    cdef public Array array
    cdef public object mode
    cdef public object offset
    cdef public object shift


cdef class Layout:
    cdef public object rows
    cdef public object reverse
    cdef public object reuse
    cdef public object arrays
    cdef public object places
    cdef public object consts
