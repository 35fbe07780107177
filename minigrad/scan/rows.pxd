# Types for the compiler; rows.py is the code.
cimport cython

from minigrad.scan.trace cimport Call, Value


cdef class Buffer:
    cdef public object dtype
    cdef public str kind
    cdef public object number
    cdef public Buffer parent
    cdef public object start
    cdef public object value
    cdef public bint varies
    cdef public object width

    @cython.locals(buffer=Buffer)
    cpdef tuple root(self)


cdef class Ref:
    cdef public Buffer buffer
    cdef public object start
    cdef public object step
    cdef public object width


cdef class Instruction:
    cdef public object columns
    cdef public object dtype
    cdef public list ins
    cdef public str name
    cdef public Ref out
    cdef public object settings


cdef class Lowering:
    cdef public object batch
    cdef public dict level
    cdef public dict refs
    cdef public list instructions
    cdef public list matrices
    cdef public object count

    cpdef object columns_of(self, tuple shape)
    cpdef Ref result(self, Value value, object width, object dtype=*)
    cpdef Ref number(self, object number, object dtype)

    @cython.locals(value=Value, ref=Ref)
    cpdef Ref operand(self, object arg, Call call, object dtype)

    cpdef Ref constant(self, Value value, tuple shape, object width, object dtype)
    cpdef Ref place(self, Value value)
    cpdef Ref dense(self, Ref ref, object width, Value value)
    cpdef lower(self, Call call)

    @cython.locals(out=Value, ref=Ref)
    cpdef Ref elementwise(self, Call call)

    @cython.locals(value=Value)
    cpdef Ref same(self, Call call)

    @cython.locals(value=Value, ref=Ref)
    cpdef Ref slice(self, Call call)
