# Types for the compiler; plan.py is the code.
cimport cython

from minigrad.scan.fuse cimport Stage
from minigrad.scan.rows cimport Buffer, Instruction, Ref


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
    cdef public list arrays
    cdef public dict places
    cdef public dict consts

    cpdef given(self, Buffer buffer)

    @cython.locals(stage_of=dict, stage=Stage, one=Instruction, ref=Ref, root=Buffer, array=Array)
    cpdef object settle(self, list stages)

    @cython.locals(first=dict, last=dict, one=Instruction, ref=Ref, root=Buffer)
    cpdef object pack_arena(self, Stage stage, set local)

    @cython.locals(root=Buffer, place=Place, array=Array)
    cpdef tuple operand(self, Ref ref)
