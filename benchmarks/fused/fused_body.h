/* The loops of fused.h for one instruction set: isa.h includes this file for each, and simd_body.h and gemm_body.h have
 * gone before with the same suffixes. */
#if BITS == 32

#define WIDTH (FN(gemms).width)
#define PADDED(columns) (((columns) + WIDTH - 1) / WIDTH * WIDTH)

/* What a weight W[out, in] is multiplied by: a W^T forward, and g W backward if anything is behind it. */
typedef struct {
    const float *w;
    ptrdiff_t out, in;
    float *forward, *backward;
} FN(Weight);

static FN(Weight) FN(weight)(Job *job, const float *w, ptrdiff_t out, ptrdiff_t in, int backward) {
    FN(Weight) made = {w, out, in, take(job, in * PADDED(out)), backward ? take(job, out * PADDED(in)) : NULL};
    return made;
}

static void FN(pack_weight)(const FN(Weight) *w) {
    FN(pack)(w->w, 1, w->in, w->in, w->out, w->forward);
    if (w->backward) FN(pack)(w->w, w->in, 1, w->out, w->in, w->backward);
}

/* out[rows, columns] = start + a[rows, depth] times a packed matrix; `start` repeats one row if start_row is 0. */
static void FN(times)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, const float *a, const float *packed,
                      const float *start, ptrdiff_t start_row, float *out) {
    FN(gemm)(rows, columns, depth, a, depth, 1, packed, WIDTH, depth * WIDTH, start, start_row, out, columns, NULL);
}

/* dW[out, in] = g^T a over all rows; a is packed. */
static void FN(weight_grad)(ptrdiff_t rows, const FN(Weight) *w, const float *g, const float *packed, float *buffer,
                            float *dw) {
    FN(gemm)(w->out, w->in, rows, g, 1, w->out, packed, WIDTH, rows * WIDTH, NULL, 0, dw, w->in, buffer);
}

#include "lstm.h"
#include "layer_norm.h"
#include "gru.h"
#include "indrnn.h"

#undef WIDTH
#undef PADDED

#endif
