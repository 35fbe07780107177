# What other kernels share with the elementwise ones: the table of loops, the instruction set in use, and the threads.
cimport numpy as cnp
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int64_t


cdef extern from "loops.h" nogil:
    enum:
        OP_neg, OP_exp, OP_log, OP_sqrt, OP_square, OP_abs, OP_sign, OP_tanh, OP_sigmoid, OP_softplus, OP_relu
        OP_expm1, OP_log1p, OP_log_sigmoid, OP_silu, OP_gelu, OP_erf, OP_erfc
        OP_add, OP_sub, OP_mul, OP_div, OP_maximum, OP_minimum, OP_eq, OP_ne, OP_lt, OP_le, OP_gt, OP_ge
        OP_tanh_grad, OP_sigmoid_grad, OP_softplus_grad, OP_relu_grad, OP_leaky_relu, OP_elu
        OP_mul_add, OP_mul_tanh_grad, OP_mul_sigmoid_grad
        OP_softmax, OP_log_softmax, OP_logsumexp, OP_sum, OP_max

    ctypedef unsigned char Bool
    ctypedef void (*UnaryLoop)(const void*, void*, ptrdiff_t) noexcept nogil
    ctypedef void (*BinaryLoop)(const void*, int, const void*, int, void*, ptrdiff_t) noexcept nogil
    ctypedef void (*TernaryLoop)(const void*, const void*, const void*, void*, ptrdiff_t) noexcept nogil
    ctypedef void (*WhereLoop)(const Bool*, const void*, int, const void*, int, void*, ptrdiff_t) noexcept nogil
    ctypedef void (*ClipLoop)(const void*, double, double, void*, ptrdiff_t) noexcept nogil
    ctypedef void (*RowLoop)(const void*, void*, ptrdiff_t, ptrdiff_t) noexcept nogil
    ctypedef void (*ColumnLoop)(
        const void*, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, int, void*) noexcept nogil
    ctypedef void (*CrossEntropyLoop)(const void*, const int64_t*, void*, ptrdiff_t, ptrdiff_t) noexcept nogil
    ctypedef void (*CrossEntropyGradLoop)(
        const void*, const void*, const int64_t*, void*, ptrdiff_t, ptrdiff_t) noexcept nogil

    ctypedef struct Loops:
        UnaryLoop* unary
        BinaryLoop* binary
        TernaryLoop* ternary
        RowLoop* row
        ColumnLoop column_sum
        WhereLoop where
        ClipLoop clip
        CrossEntropyLoop cross_entropy
        CrossEntropyGradLoop cross_entropy_grad


cdef const Loops* loops(int kind) noexcept nogil
cdef int isa_number() noexcept nogil
cdef int precision(cnp.ndarray a) noexcept


cdef class Block:
    cdef void* memory
    cdef size_t size

    cdef void forget(self, int k) noexcept


cpdef object empty(tuple shape, cnp.dtype dtype, bint zeros=*)
cdef object new_array(int ndim, cnp.npy_intp* shape, int number, size_t item)

ctypedef void (*PartOf)(void* task, int part) noexcept nogil

cdef void look(int* stop) noexcept nogil
cdef shared(PartOf part, void* task, int count, int threads, int* stop)
cdef int threads_for(double work, ptrdiff_t most)
cdef int threads_to_move(ptrdiff_t elements, ptrdiff_t most)
cdef int this_thread() noexcept nogil
