# Types for the compiler; span.py is the code.

cdef class Even:
    cdef public object steps
    cdef public object counts
    cdef public object tables
    cdef public object totals
    cdef public object looked

    cpdef tuple shape(self, tuple shape)
    cpdef object room(self, object times, object plus, object rows, object width)
    cpdef object view(self, object array, object memory, object shift)
    cpdef object begin(self, object memory, bint turns, bint reverse, object start)
    cpdef object end(self, object memory, bint turns, bint reverse, tuple shape)


cdef class Ragged(Even):
    cdef public object before
    cdef public object lengths
    cdef public object slots
    cdef public object starts
    cdef public object total


cpdef Even span_of(list xs, object length, object batch_sizes, list carry)
