# Types for the compiler; tree.py is the code.
from minigrad.tape cimport Tensor


cpdef tuple flatten(object tree)


cpdef object structure(object tree, list leaves)


cpdef object unflatten(object kind, list leaves)


cpdef object grow(object kind, object leaves)
