# Types for the compiler; fuse.py is the code.
cimport cython

from minigrad.scan.rows cimport Buffer, Instruction, Ref


cdef class Stage:
    cdef public list instructions
    cdef public object rows


@cython.locals(one=Instruction)
cpdef list absorbed(list instructions, set held)


@cython.locals(stage=Stage, one=Instruction, found=list)
cpdef merge(list stages, object layout)


@cython.locals(one=Instruction, later=Instruction, ref=Ref)
cpdef merge_last(list found, dict reads, object layout)


@cython.locals(one=Instruction, ref=Ref, reads=dict)
cpdef dict reads_of(list instructions)


@cython.locals(product=Ref, other=Ref, maker=Instruction)
cpdef list fed_by(str name, list found, tuple pairs, dict reads, object held)


@cython.locals(one=Instruction, maker=Instruction)
cpdef join(str name, list found, int k, Ref other)


cpdef object location(Ref ref, object layout)


cpdef bint meet(object a, object b)


@cython.locals(makers=dict, one=Instruction, buffer=Buffer)
cpdef dict makers_of(list instructions)


@cython.locals(one=Instruction)
cpdef object block_rows(list block)
