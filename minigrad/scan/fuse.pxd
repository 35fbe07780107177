# Types for the compiler; fuse.py is the code.
cimport cython

from minigrad.scan.rows cimport Buffer, Instruction, Ref


cdef class Stage:
    cdef public list instructions
    cdef public object rows


@cython.locals(one=Instruction, other=Ref, product=Ref, maker=Instruction, reader=Instruction, ref=Ref, left=Ref)
cpdef list absorbed(list instructions, set held)


@cython.locals(reads=dict, stage=Stage, one=Instruction, ref=Ref, found=list)
cpdef merge(list stages, dict places)


@cython.locals(one=Instruction, maker=Instruction, later=Instruction, product=Ref, other=Ref, ref=Ref, buffer=Buffer)
cpdef merge_last(list found, dict reads, dict places)


@cython.locals(root=Buffer)
cpdef object location(Ref ref, dict places)


cpdef bint meet(object a, object b)


@cython.locals(makers=dict, one=Instruction, buffer=Buffer)
cpdef dict makers_of(list instructions)


@cython.locals(one=Instruction)
cpdef object block_rows(list block)
