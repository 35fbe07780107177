# Types for the compiler; fuse.py is the code.
cimport cython

from minigrad.scan.rows cimport Buffer, Instruction, Ref


cdef class Stage:
    cdef public list instructions
    cdef public object rows


@cython.locals(one=Instruction, other=Ref, product=Ref, maker=Instruction, reader=Instruction, ref=Ref, left=Ref)
cpdef list absorbed(list instructions, set held)


@cython.locals(makers=dict, one=Instruction, buffer=Buffer)
cpdef dict makers_of(list instructions)


@cython.locals(one=Instruction)
cpdef object block_rows(list block)
