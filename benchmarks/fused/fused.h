/* Training steps of the six cells of benchmarks/_cells.py as loops in C, each fused by hand: what a patient programmer
 * gets out of minigrad's own kernels. The measure is the best that such a loop can do, so:
 *
 *   - the input's product is one GEMM for all steps, ahead of the loop, and no weight gradient is formed inside it;
 *   - a step is a GEMM (two, where a gate comes before the second product) and one pass over each row after it, which
 *     reads and writes an element once: the gates take the place of the products, and their gradients that of the gates;
 *   - memory is laid out once and used again by every call.
 *
 * GEMM and formulas are those of kernels/, compiled for each instruction set in the same way. All arrays are float32 and
 * contiguous. */
#include "gemm.h"
#include "simd.h"

typedef struct {
    ptrdiff_t T, B, I, H;
    const float *x, *cotangent; /* (T, B, I), (T, B, H) */
    const float *w[6];          /* as Task.weights has them */
    float *dw[6];
    float *h;       /* (T + 1, B, H): the first is the state at the start, the others are the output */
    float *memory;  /* to work in, on a cache line; a call with NULL only finds out how much */
    ptrdiff_t used; /* elements */
    const Unit *unit; /* for what does not wait for the step before: the input's product and the weight gradients; or NULL */
} Job;

/* The next `count` elements of the memory. */
static float *take(Job *job, ptrdiff_t count) {
    float *found = job->memory + job->used;
    job->used += (count + 15) / 16 * 16;
    return found;
}

static void clear(float *x, ptrdiff_t count) { memset(x, 0, (size_t)count * sizeof(float)); }

#define BODY "fused_body.h"
#include "isa.h"
#undef BODY

typedef void (*Cell)(Job *);
#define INSTANCE(name, isa)                                                                                  \
    {peephole_32_##isa, coupled_32_##isa,      layer_norm_32_##isa,                                          \
     minimal_32_##isa,  reset_before_32_##isa, independent_32_##isa},
static const Cell cells[][6] = {EACH_ISA(INSTANCE)};
#undef INSTANCE

/* Output and gradients of one training step, on instruction set number `isa`. */
void fused(int isa, int cell, Job *job) {
    job->used = 0;
    job->unit = isa == AMX_ISA ? amx_unit : NULL;
    cells[isa][cell](job);
}
