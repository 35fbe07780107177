# Types for the compiler; compiled.py is the code.
from minigrad.scan.hoist cimport Division
from minigrad.scan.sink cimport Backward
from minigrad.scan.trace cimport Trace, Value


cdef class Loop:
    cdef public object stages
    cdef public object taken
    cdef public object program
    cdef public list arrays
    cdef public list matrices
    cdef public list recipes
    cdef public object flops


cdef class BackwardPlan


cdef class Plan:
    cdef public Trace trace
    cdef public object report
    cdef public object batch
    cdef public object rows
    cdef public bint reverse
    cdef public object passes
    cdef public Division division
    cdef public set needs
    cdef public object carry_needs
    cdef public bint records
    cdef public list given
    cdef public dict backwards
    cdef public object lowering
    cdef public object y_refs
    cdef public object layout
    cdef public list slots
    cdef public dict places
    cdef public Loop loop
    cdef public list outs
    cdef public object consts
    cdef public list read
    cdef public dict reaching
    cdef public object full
    cdef public object redone

    cpdef BackwardPlan backward(self, tuple ys)
    cpdef tuple reached(self, object outputs, object steps)
    cpdef object reported(self, object steps, object looked, bint cached)
    cpdef tuple stacked(self, Value value)


cdef class BackwardPlan:
    cdef public Backward back
    cdef public list totals
    cdef public list rings
    cdef public list inputs
    cdef public list sinks
    cdef public object layout
    cdef public Loop loop
    cdef public list input_places
