# Types for the compiler; fuse.py is the code.


cdef class Stage:
    cdef public object instructions
    cdef public object rows
