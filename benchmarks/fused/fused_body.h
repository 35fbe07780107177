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
    const ptrdiff_t unit = !backward && job->unit ? 2 * ((in + 31) / 32 * 32) * ((out + 31) / 32 * 32) : 0;
    FN(Weight) made = {w, out, in, take(job, unit ? unit : in * PADDED(out)), backward ? take(job, out * PADDED(in)) : NULL};
    return made;
}

static void FN(pack_weight)(const Job *job, const FN(Weight) *w) {
    (w->backward || !job->unit ? FN(pack) : job->unit->gemm.pack)(w->w, 1, w->in, w->in, w->out, w->forward);
    if (w->backward) FN(pack)(w->w, w->in, 1, w->out, w->in, w->backward);
}

/* What the products of all steps work in. */
static float *FN(room)(Job *job) {
    const ptrdiff_t unit = job->unit ? job->unit->room / 4 + job->unit->gemm.buffer : 0;
    return take(job, FN(gemms).buffer > unit ? FN(gemms).buffer : unit);
}

/* out[rows, columns] = start + a[rows, depth] times a packed matrix; `start` repeats one row if start_row is 0. */
static void FN(times)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, const float *a, const float *packed,
                      const float *start, ptrdiff_t start_row, float *out) {
    FN(gemm)(rows, columns, depth, a, depth, 1, packed, WIDTH, depth * WIDTH, start, start_row, out, columns, NULL);
}

/* out[rows, w.out] = start + x W^T for the rows of all steps. */
static void FN(of_input)(const Job *job, const FN(Weight) *w, const float *start, float *out, float *room) {
    const ptrdiff_t rows = job->T * job->B;
    if (job->unit)
        job->unit->gemm.gemm(rows, w->out, w->in, job->x, w->in, 1, w->forward, 0, 0, start, 0, out, w->out, room);
    else
        FN(times)(rows, w->out, w->in, job->x, w->forward, start, 0, out);
}

/* a[T B, in], for weight_grad, which may follow more than once; the unit packs as it goes. */
static void FN(pack_side)(const Job *job, const float *a, ptrdiff_t in, float *packed) {
    if (!job->unit) FN(pack)(a, in, 1, job->T * job->B, in, packed);
}

/* dW[out, in] = g^T a over all rows. */
static void FN(weight_grad)(const Job *job, const FN(Weight) *w, const float *g, const float *a, const float *packed, float *room, float *dw) {
    const ptrdiff_t rows = job->T * job->B;
    const Terms all = {rows, 0, rows, rows};
    if (job->unit)
        job->unit->sum(w->out, w->in, all, g, w->out, a, w->in, 0, dw, w->in, (char *)room);
    else
        FN(gemm)(w->out, w->in, rows, g, 1, w->out, packed, WIDTH, rows * WIDTH, NULL, 0, dw, w->in, room);
}

#include "lstm.h"
#include "layer_norm.h"
#include "gru.h"
#include "indrnn.h"

#undef WIDTH
#undef PADDED

#endif
