/* The passes over memory of an optimiser's step, compiled for each instruction set; optim_body.h holds the loops.
 *
 * No multiply-add is contracted and roots and quotients are rounded exactly, so every instruction set gives the bits
 * that NumPy gives for the same equations. */
#pragma once

#include <stddef.h>

typedef struct {
    double scale, decay;        /* the gradient is scale g + decay p */
    double beta1, beta2;        /* how much of the means is kept */
    double size, floor, shrink; /* p = shrink p - size m / (sqrt(v) + floor) */
} AdamNumbers;

typedef struct {
    double (*sum_of_squares)(const void *x, ptrdiff_t n);
    void (*idle)(void *p, void *m, void *v, void *largest, ptrdiff_t columns, const void *zeros, ptrdiff_t first, ptrdiff_t last,
                 const AdamNumbers *numbers);
    void (*adam)(void *p, const void *g, void *m, void *v, void *largest, ptrdiff_t n, const AdamNumbers *numbers);
} Optim;

#define BODY "optim_body.h"
#include "isa.h"
#undef BODY

#define INSTANCE(name, isa) {&optims_32_##isa, &optims_64_##isa},
static const Optim *const optim_instances[][2] = {EACH_ISA(INSTANCE)};
#undef INSTANCE
