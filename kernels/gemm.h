/* Products of matrices whose right side was packed once and is used many times, compiled for each instruction set.
 *
 * gemm_body.h holds the micro-kernel and its loops. Distances are in elements, not bytes. */
#pragma once

#include <stddef.h>

typedef struct {
    ptrdiff_t width;  /* columns of a panel: a packed matrix has a whole number of them */
    ptrdiff_t terms;  /* and for each a multiple of so many terms */
    ptrdiff_t item;   /* bytes of a packed element */
    ptrdiff_t buffer; /* elements that `gemm` wants to work in */
    int always;       /* also where the rows of A are contiguous */
    int (*pack)(const void *b, ptrdiff_t b_row, ptrdiff_t b_column, ptrdiff_t depth, ptrdiff_t columns, void *out);
    void (*gemm)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, const void *a, ptrdiff_t a_row, ptrdiff_t a_k,
                 const void *b, ptrdiff_t b_k, ptrdiff_t b_panel, const void *start, ptrdiff_t start_row, void *c,
                 ptrdiff_t c_row, void *buffer);
    void (*turn)(ptrdiff_t rows, ptrdiff_t columns, const void *a, void *out); /* the transpose */
} Gemm;

/* Whether A is packed, a tile of rows after the other. Not where a row's terms lie side by side; nor where a term's rows do (A is the
 * transpose of a matrix), if few panels read them, and they lie close enough to be found in a near cache each time: there, to pack them takes
 * longer than it saves. */
static inline int packs(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, ptrdiff_t a_row, ptrdiff_t a_k, ptrdiff_t width, ptrdiff_t item) {
    const ptrdiff_t apart = (a_k < 0 ? -a_k : a_k) * item;
    return a_k != 1 && (a_row != 1 || columns > 8 * width || apart >= 4096 || rows * depth * item > 2 << 20);
}

#define BODY "gemm_body.h"
#include "isa.h"
#undef BODY

#define INSTANCE(name, isa) {&gemms_32_##isa, &gemms_64_##isa},
static const Gemm *const gemm_instances[][2] = {EACH_ISA(INSTANCE)};
#undef INSTANCE

#include "gemm_amx.h"
