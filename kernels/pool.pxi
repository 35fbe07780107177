# Memory for large arrays, taken again when they are gone: fresh pages cost more than the arithmetic on them, for the system
# fills them with zeros. Included by elementwise.pyx; what lies unused is bounded.

from libc.stdlib cimport free
from libc.string cimport memset

cdef extern from *:
    """
    #include <stdlib.h>
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif
    static void *huge_block(size_t size) {
        void *memory = NULL;
        if (posix_memalign(&memory, size >= (4u << 20) ? (2u << 20) : 64, size)) return NULL;
    #if defined(MADV_HUGEPAGE)
        if (size >= (4u << 20)) madvise(memory, size, MADV_HUGEPAGE);
    #endif
        return memory;
    }
    """
    void* huge_block(size_t size) noexcept nogil

cdef extern from "numpy/arrayobject.h":
    object PyArray_View(cnp.ndarray a, void* dtype, void* type)

cdef enum:
    POOLED_FROM = 65536       # bytes; smaller blocks are as quick from the allocator
    MAPPED_FROM = 131072      # bytes above which the allocator may ask the system, for results that come one by one
    IDLE_MOST = 536870912     # bytes kept for the next call
    IDLE_BLOCKS = 64

cdef void* idle[IDLE_BLOCKS]
cdef size_t idle_size[IDLE_BLOCKS]
cdef int idle_count = 0
cdef size_t idle_bytes = 0


cdef class Block:
    """Memory of an array, given back for the next one of its size. Only ever touched under the interpreter's lock."""

    def __cinit__(self, size_t size):
        global idle_count, idle_bytes
        cdef int k
        self.size = size
        for k in range(idle_count - 1, -1, -1):
            if idle_size[k] == size:
                self.memory = idle[k]
                self.forget(k)
                return
        self.memory = huge_block(size)
        if self.memory == NULL:
            drop_idle()
            self.memory = huge_block(size)
        if self.memory == NULL:
            raise MemoryError(f"no memory for an array of {size} bytes")

    cdef void forget(self, int k) noexcept:
        global idle_count, idle_bytes
        idle_bytes -= idle_size[k]
        idle_count -= 1
        for k in range(k, idle_count):
            idle[k], idle_size[k] = idle[k + 1], idle_size[k + 1]

    def __dealloc__(self):
        global idle_count, idle_bytes
        if self.memory == NULL:
            return
        if self.size > IDLE_MOST:
            free(self.memory)
            return
        while idle_count == IDLE_BLOCKS or (idle_count and idle_bytes + self.size > IDLE_MOST):
            free(idle[0])
            self.forget(0)
        idle[idle_count], idle_size[idle_count] = self.memory, self.size
        idle_count += 1
        idle_bytes += self.size


cdef void drop_idle() noexcept:
    """Give all idle memory back to the system."""
    global idle_count, idle_bytes
    while idle_count:
        idle_count -= 1
        free(idle[idle_count])
    idle_bytes = 0


cdef object new_array(int ndim, cnp.npy_intp* shape, int number, size_t item):
    """An array of unset elements, in pooled memory if it is large."""
    cdef size_t size = item
    cdef int i
    for i in range(ndim):
        size *= shape[i]
    if size < POOLED_FROM:
        return cnp.PyArray_SimpleNew(ndim, shape, number)
    cdef Block block = Block(size)
    cdef cnp.ndarray array = cnp.PyArray_SimpleNewFromData(ndim, shape, number, block.memory)
    cnp.set_array_base(array, block)
    return array


cdef inline cnp.ndarray empty_like(cnp.ndarray a, int number):
    """An array of unset elements in the shape of a, of its dtype or of Booleans."""
    cdef size_t item = 1 if number == cnp.NPY_BOOL else cnp.PyArray_ITEMSIZE(a)
    if cnp.PyArray_SIZE(a) * item <= MAPPED_FROM:
        return cnp.PyArray_SimpleNew(cnp.PyArray_NDIM(a), cnp.PyArray_DIMS(a), number)
    return new_array(cnp.PyArray_NDIM(a), cnp.PyArray_DIMS(a), number, item)


cpdef object empty(tuple shape, cnp.dtype dtype, bint zeros=False):
    """As numpy.empty or numpy.zeros, in pooled memory if it is large."""
    cdef cnp.npy_intp[32] lengths
    cdef int i
    if dtype is None:
        raise TypeError("empty: an array has a dtype")
    for i in range(len(shape)):
        lengths[i] = shape[i]
    cdef cnp.ndarray array = new_array(len(shape), lengths, dtype.type_num, dtype.itemsize)
    if zeros:
        memset(cnp.PyArray_DATA(array), 0, cnp.PyArray_NBYTES(array))
    return array


def read_only(a, /):
    """A view of an array, or of what stands for one, that cannot be written to."""
    if not cnp.PyArray_CheckExact(a):
        other = a.view()
        other.setflags(write=False)
        return other
    cdef cnp.ndarray view = PyArray_View(<cnp.ndarray>a, NULL, NULL)
    cnp.PyArray_CLEARFLAGS(view, cnp.NPY_ARRAY_WRITEABLE)
    return view
