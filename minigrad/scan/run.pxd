# The types that run.py names in its annotations.
from minigrad.scan.compiled cimport BackwardPlan, Loop, Plan
from minigrad.scan.hoist cimport Division
from minigrad.scan.span cimport Even
from minigrad.scan.trace cimport Call, Trace, Value
from minigrad.tape cimport Node, Rules, Tensor


cdef class ResultRules(Rules):
    cdef public object number
    cdef public object op


cdef class ScanRules(Rules):
    cdef public object op
    cdef public Plan plan
    cdef public dict targets
    cdef public object replay


cdef class Totals:
    cdef public dict arrays
    cdef public dict owed
