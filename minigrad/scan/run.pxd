# Types for the compiler; run.py is the code.
cimport cython

from minigrad._elementwise cimport empty
from minigrad.op cimport Into
from minigrad.scan.compiled cimport BackwardPlan, Loop, Plan
from minigrad.scan.hoist cimport Division
from minigrad.scan.plan cimport Array
from minigrad.scan.sink cimport Backward, Sink, Total
from minigrad.scan.span cimport Even
from minigrad.scan.trace cimport Call, Trace, Value
from minigrad.tape cimport Node, Rules, Tensor, Version, entry, fits, size_of, wrap
from minigrad.walk cimport Gradients


cdef int CONSTANT, MADE, NUMBER, TOTAL


cdef class ResultRules(Rules):
    cdef public object number
    cdef public object shape
    cdef public object op

    @cython.locals(gradients=Gradients, scan=Node)
    cpdef play(self, Node node, Tensor g, object table)


cdef class ScanRules(Rules):
    cdef public object op
    cdef public Plan plan
    cdef public dict targets
    cdef public object replay

    @cython.locals(gradients=Gradients, target=Node)
    cpdef play(self, Node node, Tensor g, object table)


cdef class Totals:
    cdef public dict arrays
    cdef public dict owed

    cpdef object array(self, object number, tuple shape, object dtype)

    @cython.locals(node=Node)
    cpdef pay(self, Gradients table)


@cython.locals(cell=Version)
cpdef check_kept(Node node, str does)


@cython.locals(call=Call)
cpdef evaluate(list calls, dict env)


cpdef Tensor apply(Call call, list args)


@cython.locals(division=Division, call=Call, x=Tensor)
cpdef ahead(Plan plan, dict env, Even span)


@cython.locals(tensor=Tensor, how=int)
cpdef list memory(list recipes, dict env, dict given, Even span, Totals totals=*)


@cython.locals(tensor=Tensor)
cpdef list matrices(Loop loop, dict env)


@cython.locals(work=double, whole=double)
cpdef play(Loop loop, list arrays, dict env, Even span, object rows, bint reverse)


@cython.locals(tensor=Tensor, slot=Array)
cpdef list forward(Plan plan, dict env, Even span)


@cython.locals(slot=Array, value=Value)
cpdef list final(Plan plan, list arrays, Even span, bint layers)


@cython.locals(array=Array)
cpdef object stacked(list arrays, tuple where, Even span, tuple shape)


@cython.locals(mine=BackwardPlan, back=Backward, g=Tensor, ring=Array, array=Array, value=Value, node=Node, sink=Sink, total=Total,
               call=Call, totals=Totals)
cpdef backward(Plan plan, list arrays, dict env, Even span, dict parts, dict targets, Gradients table)


@cython.locals(call=Call, rows=Value, weight=Value, rule=Into, parts=list)
cpdef object sunk(Plan plan, Sink sink, object g, list memory, dict env, Even span, object into)


cpdef Tensor in_order(object rows, bint turn)


@cython.locals(division=Division, value=Value)
cpdef tuple results(Plan plan, dict env, list arrays, Even span, object replay, bint layers)


cpdef Tensor result(object array, Node scan, object number, bint needs, tuple shape=*)


@cython.locals(tensor=Tensor)
cpdef Node node_of(Plan plan, dict env, list arrays, Even span, object replay)


@cython.locals(tensor=Tensor)
cpdef list versions(list tensors)
