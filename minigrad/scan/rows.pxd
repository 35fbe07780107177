# Types for the compiler; rows.py is the code.


cdef class Buffer:
    cdef public object dtype
    cdef public str kind
    cdef public object number
    cdef public Buffer parent
    cdef public object start
    cdef public object value
    cdef public bint varies
    cdef public object width


cdef class Ref:
    cdef public Buffer buffer
    cdef public object start
    cdef public object step
    cdef public object width


cdef class Instruction:
    cdef public object columns
    cdef public object dtype
    cdef public object ins
    cdef public str name
    cdef public Ref out
    cdef public object settings


cdef class Lowering:
    cdef public object batch
    cdef public object level
    cdef public object refs
    cdef public object instructions
    cdef public object matrices
    cdef public object count
