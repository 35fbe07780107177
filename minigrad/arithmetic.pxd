# Types for the compiler; arithmetic.py is the code.
cimport cython


cdef class Operator:
    cpdef object unary(self, object x)
    cpdef object binary(self, object a, object b)


@cython.locals(operator=Operator)
cpdef object unary(str name, object x)


@cython.locals(operator=Operator)
cpdef object binary(str name, object a, object b)


cdef class Arithmetic:
    pass
