# The matrix product, as the executor of compiled scans calls it.
cimport numpy as cnp
from libc.stddef cimport ptrdiff_t


cdef extern from "gemm.h" nogil:
    ctypedef struct Gemm:
        ptrdiff_t width
        ptrdiff_t terms
        ptrdiff_t item
        ptrdiff_t buffer
        bint always
        bint (*pack)(const void*, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, void*) noexcept nogil
        void (*gemm)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void*, ptrdiff_t, ptrdiff_t, const void*, ptrdiff_t, ptrdiff_t,
                     const void*, ptrdiff_t, void*, ptrdiff_t, void*) noexcept nogil
        void (*turn)(ptrdiff_t, ptrdiff_t, const void*, void*) noexcept nogil


cdef struct Pack:
    const Gemm* gemm
    ptrdiff_t depth
    ptrdiff_t columns
    void* data


cdef class Packed:
    cdef Pack pack
    cdef readonly bint unit

    cdef bint lay_out(self, cnp.ndarray b, const Gemm* gemm) except -1
