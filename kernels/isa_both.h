/* BODY for both element types on the instruction set that isa.h has just named; part of isa.h. */

#define BITS 32
#include BODY
#undef BITS
#define BITS 64
#include BODY
#undef BITS
#undef ISA
#undef VECTOR_BYTES
