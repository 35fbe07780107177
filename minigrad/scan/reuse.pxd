# Types for the compiler; reuse.py is the code.
cimport cython

from minigrad.scan.plan cimport Array, Layout, Place
from minigrad.scan.rows cimport Buffer, Instruction, Ref


cdef class Use:
    cdef public object position
    cdef public object start
    cdef public object stop
    cdef public Instruction instruction


cdef class Pool:
    cdef public Layout layout
    cdef public dict reads
    cdef public dict writes
    cdef public dict tenants
    cdef public dict reserved
    cdef public set taken

    @cython.locals(write=Use, use=Use)
    cpdef bint is_free(self, Array array, object at, Buffer buffer)


@cython.locals(root=Buffer)
cpdef note(dict table, Ref ref, object position, Instruction one)


cpdef bint in_place(Instruction one, Buffer buffer)
