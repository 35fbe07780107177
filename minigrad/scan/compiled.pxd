# Types for the compiler; compiled.py is the code.
from minigrad.scan.hoist cimport Division
from minigrad.scan.sink cimport Backward
from minigrad.scan.trace cimport Trace


cdef class Loop:
    cdef public object stages
    cdef public object taken
    cdef public object program
    cdef public object arrays
    cdef public object matrices
    cdef public object recipes
    cdef public object flops


cdef class Plan:
    cdef public Trace trace
    cdef public object batch
    cdef public object rows
    cdef public object reverse
    cdef public object passes
    cdef public Division division
    cdef public object needs
    cdef public object carry_needs
    cdef public object records
    cdef public object given
    cdef public object backwards
    cdef public object lowering
    cdef public object y_refs
    cdef public object layout
    cdef public object slots
    cdef public object places
    cdef public Loop loop
    cdef public object outs
    cdef public object consts
    cdef public object named
    cdef public object reaching
    cdef public object full


cdef class BackwardPlan:
    cdef public Backward back
    cdef public object totals
    cdef public object rings
    cdef public object inputs
    cdef public object sinks
    cdef public object layout
    cdef public Loop loop
    cdef public object input_places
