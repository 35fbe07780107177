/* IndRNN, W b u: no product in the loop, so that a step is a pass and nothing else; part of fused_body.h. */

static void FN(independent)(Job *job) {
    const ptrdiff_t T = job->T, B = job->B, I = job->I, H = job->H, rows = T * B;
    const FN(Weight) W = FN(weight)(job, job->w[0], H, I, 0);
    const float *u = job->w[2];
    float *db = job->dw[1], *du = job->dw[2];
    float *a = take(job, rows * H), *dh = take(job, B * H); /* the product with x, and then its gradient */
    float *packed = take(job, rows * PADDED(I)), *room = FN(room)(job);
    if (!job->memory) return;

    FN(pack_weight)(job, &W);
    FN(of_input)(job, &W, job->w[1], a, room);
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *in = a + row * H, *old = job->h + row * H;
        float *h = job->h + (row + B) * H;
        INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
            const float sum = in[k] + u[k] * old[k];
            h[k] = sum <= 0 ? 0 : sum;
        }
    }
    clear(dh, B * H), clear(db, H), clear(du, H);
    for (ptrdiff_t row = rows - 1; row >= 0; row--) {
        const float *cotangent = job->cotangent + row * H, *old = job->h + row * H, *h = old + B * H;
        float *into = a + row * H, *carried = dh + row % B * H;
        INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
            const float sum = cotangent[k] + carried[k], g = h[k] <= 0 ? 0 : sum;
            into[k] = g, carried[k] = g * u[k];
            db[k] += g, du[k] += g * old[k];
        }
    }
    FN(pack_side)(job, job->x, I, packed);
    FN(weight_grad)(job, &W, a, job->x, packed, room, job->dw[0]);
}
