# Types for the compiler, also those that replay.py names in its annotations.
from minigrad.scan.compiled cimport Plan
from minigrad.scan.run cimport ahead, apply, forward, results
from minigrad.scan.span cimport Even
from minigrad.scan.trace cimport Value
from minigrad.tape cimport Node, Rules, Tensor


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


cpdef tuple played(Plan plan, dict env, Even span, object whole=*, object first=*)
