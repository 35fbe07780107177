# One step of a program, kept with all its memory: what a stream of inputs is served from. Included by program.pyx.

def nothing():
    """What a copy or a pickle has in the place of a Ready."""


cdef class Ready:
    """One step of a program with all its memory and constants in place, to be done again with other numbers.

    `ins` and `outs` are the parts of the program's memory that hold the numbers that come and go. `bind` says in which shapes they do.
    (`Sequence` of scan/replay.py is the same for any other scan.)
    """

    cdef Program program
    cdef Run run
    cdef list ins, outs, ins_like, outs_like, guards
    cdef readonly object known, report

    def __cinit__(self, Program program, Run run, list ins, list outs):
        self.program, self.run, self.ins, self.outs, self.ins_like, self.outs_like = program, run, ins, outs, [], []
        run.room(1)

    def __reduce__(self):
        return nothing, ()

    def bind(self, list ins, list outs, list guards, known, report):
        """Take arrays like `ins`, give arrays like `outs` from now on, as long as no version changes: guards are (version, its tick).

        `known` is what the step was known by, for the caller to compare.
        """
        if [like.nbytes for like in (*ins, *outs)] != [part.nbytes for part in (*self.ins, *self.outs)]:
            return None
        self.ins_like, self.outs_like = [like.copy() for like in ins], [like.copy() for like in outs]
        self.guards, self.known, self.report = guards, known, report
        return self

    def __call__(self, tuple arrays):
        """The results for these arrays; None if they are not like those of `bind`, or a constant has changed."""
        cdef cnp.ndarray given, like, inner
        cdef int k, i
        if len(arrays) != len(self.ins_like):
            return None
        for version, tick in self.guards:
            if version.changed != tick:
                return None
        for k in range(len(arrays)):
            if not cnp.PyArray_CheckExact(arrays[k]):
                return None
            given, like = <cnp.ndarray>arrays[k], <cnp.ndarray>self.ins_like[k]
            if (cnp.PyArray_TYPE(given) != cnp.PyArray_TYPE(like) or cnp.PyArray_NDIM(given) != cnp.PyArray_NDIM(like)
                    or not cnp.PyArray_ISCARRAY_RO(given)):
                return None
            for i in range(cnp.PyArray_NDIM(given)):
                if cnp.PyArray_DIM(given, i) != cnp.PyArray_DIM(like, i):
                    return None
        for k in range(len(arrays)):
            inner = <cnp.ndarray>self.ins[k]
            memcpy(cnp.PyArray_BYTES(inner), cnp.PyArray_BYTES(<cnp.ndarray>arrays[k]), cnp.PyArray_NBYTES(inner))
        play(&self.run.job, 0, 1, 0, self.run.job.rows, self.run.job.arenas)  # with the interpreter's lock: nobody else uses this memory
        found = []
        for k in range(len(self.outs)):
            like, inner = <cnp.ndarray>self.outs_like[k], <cnp.ndarray>self.outs[k]
            given = cnp.PyArray_SimpleNew(cnp.PyArray_NDIM(like), cnp.PyArray_DIMS(like), cnp.PyArray_TYPE(like))
            memcpy(cnp.PyArray_BYTES(given), cnp.PyArray_BYTES(inner), cnp.PyArray_NBYTES(inner))
            found.append(given)
        return found
