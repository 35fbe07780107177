# The threads of workers.h, as the kernels of all modules ask for them. Included by elementwise.pyx.

from cpython.exc cimport PyErr_CheckSignals

from minigrad.threads import worth

cdef extern from "workers.h" nogil:
    int thread_number
    int begin_parts(PartOf part, void* task, int parts, int threads) noexcept
    void other_parts() noexcept
    int parts_done(int64_t time) noexcept

cdef int64_t LOOK = 20000000  # nanoseconds between two looks for signals while others work
cdef double LARGE = 2e6  # floating operations from which on a second thread is worth asking for
cdef double EACH = 16.0  # floating operations that could be done while an element is read and written


cdef int threads_for(double work, ptrdiff_t most):
    """How many threads so many floating operations are worth, of at most so many parts."""
    return 1 if work < LARGE else worth(work, most)


cdef int threads_to_move(ptrdiff_t elements, ptrdiff_t most):
    """The same for so many elements that are read and written once."""
    return threads_for(EACH * elements, most)


cdef int this_thread() noexcept nogil:
    """The number of a worker, from 1 on; 0 of any other thread."""
    return thread_number


caught = None  # what a signal raised while a task ran; signals are the main thread's alone


cdef void look(int* stop) noexcept nogil:
    """Between two pieces, but on a worker: if a signal has come that raises, all parts are to stop."""
    global caught
    if thread_number:
        return
    with gil:
        try:
            PyErr_CheckSignals()
        except BaseException as problem:
            caught = problem
            stop[0] = 1


cdef shared(PartOf part, void* task, int count, int threads, int* stop):
    """All `count` parts of a task: part 0 on this thread, the others on workers or, where those are busy or late, here too."""
    global caught
    cdef bint helped = threads > 1 and begin_parts(part, task, count, threads)
    cdef int k
    with nogil:
        for k in range(1 if helped else count):
            part(task, k)
        if helped:
            other_parts()
        while helped and not parts_done(LOOK):
            look(stop)
    if caught is not None:
        problem, caught = caught, None
        raise problem
