# Types for the compiler, also those that replay.py names in its annotations.
cimport cython

from minigrad.scan.compiled cimport Plan
from minigrad.scan.run cimport ahead, apply, evaluate, forward, results
from minigrad.scan.span cimport Even
from minigrad.scan.trace cimport Value
from minigrad.tape cimport Node, Rules, Tensor, wrap


cdef class Replay:
    cdef public dict env
    cdef public object first
    cdef public Plan plan
    cdef public Even span
    cdef public object tick
    cdef public object whole


cdef class HandedRules(Rules):
    cdef public object number
    cdef public object op
    cdef public Replay replay


cpdef dict begun(Plan plan, list tensors)


cpdef tuple played(Plan plan, dict env, Even span, object whole=*, object first=*, bint layers=*)


cdef class Recorded:
    cdef public list carry
    cdef public list consts
    cdef public tuple form
    cdef public object known
    cdef public Plan plan

    @cython.locals(x=Tensor, tensor=Tensor)
    cpdef tuple form_of(self, list given)
