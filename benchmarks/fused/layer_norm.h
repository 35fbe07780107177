/* The LSTM with layer norm, W b U gain_x gain_h; part of fused_body.h.
 *
 * A row of both products becomes its normalised form in the forward pass, and in the backward pass its gradient:
 * scale * (e - mean(e) - n * mean(e * n)), n being the normalised row and e the gradient of it. */

#define EPS 1e-5f
#define LANES (VECTOR_BYTES / 4)
typedef float FN(Row) __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

INLINE float FN(added)(FN(Row) a, FN(Row) b) {
    float sum = 0;
    a += b;
    for (int k = 0; k < LANES; k++) sum += a[k];
    return sum;
}

/* The mean of a row, and one over its standard deviation. */
INLINE float FN(moments)(const float *x, ptrdiff_t n, float *mean) {
    const ptrdiff_t whole = n / (2 * LANES) * (2 * LANES);
    FN(Row) a = {0}, b = {0};
    float sum = 0, squares = 0;
    for (ptrdiff_t k = 0; k < whole; k += 2 * LANES)
        a += *(const FN(Row) *)(x + k), b += *(const FN(Row) *)(x + k + LANES);
    for (ptrdiff_t k = whole; k < n; k++) sum += x[k];
    const float m = (sum + FN(added)(a, b)) / n;
    a = b = (FN(Row)){0};
    for (ptrdiff_t k = 0; k < whole; k += 2 * LANES) {
        const FN(Row) u = *(const FN(Row) *)(x + k) - m, v = *(const FN(Row) *)(x + k + LANES) - m;
        a += u * u, b += v * v;
    }
    for (ptrdiff_t k = whole; k < n; k++) squares += (x[k] - m) * (x[k] - m);
    *mean = m;
    return 1 / __builtin_sqrtf((squares + FN(added)(a, b)) / n + EPS);
}

static void FN(layer_norm_forward)(const Job *job, const FN(Lstm) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t B = job->B, H = job->H, at = t * B + row;
    const float *b = job->w[1], *gain_x = job->w[3], *gain_h = job->w[4];
    float *x = m->outer + at * 4 * H, *u = m->inner + at * 4 * H, *gates = m->gates + at * 4 * H;
    float *old = m->c + at * H, *c = old + B * H, *tanh_c = m->tanh_c + at * H, *h = job->h + (at + B) * H;
    float mean_x, mean_u;
    const float scale_x = FN(moments)(x, 4 * H, &mean_x), scale_u = FN(moments)(u, 4 * H, &mean_u);
    m->scales[2 * at] = scale_x, m->scales[2 * at + 1] = scale_u;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        float a[4];
        UNROLL for (int p = 0; p < 4; p++) {
            const ptrdiff_t n = p * H + k;
            x[n] = (x[n] - mean_x) * scale_x, u[n] = (u[n] - mean_u) * scale_u;
            a[p] = x[n] * gain_x[n] + u[n] * gain_h[n] + b[n];
        }
        const float in = FN(sigmoid)(a[0]), forget = FN(sigmoid)(a[1]), fresh = FN(tanh)(a[2]), out = FN(sigmoid)(a[3]);
        const float now = forget * old[k] + in * fresh;
        const float bounded = FN(tanh)(now);
        gates[k] = in, gates[H + k] = forget, gates[2 * H + k] = fresh, gates[3 * H + k] = out;
        c[k] = now, tanh_c[k] = bounded, h[k] = out * bounded;
    }
}

/* What a gain and the row behind it get from da, the gradient of their product: n becomes the row's gradient. */
INLINE void FN(norm_grad)(const float *da, const float *gain, float scale, float *n, float *dgain, ptrdiff_t count) {
    const ptrdiff_t whole = count / LANES * LANES;
    FN(Row) a = {0}, b = {0}, none = {0};
    float sum = 0, dot = 0;
    for (ptrdiff_t k = 0; k < whole; k += LANES) {
        const FN(Row) d = *(const FN(Row) *)(da + k), e = d * *(const FN(Row) *)(gain + k);
        const FN(Row) x = *(const FN(Row) *)(n + k);
        a += e, b += e * x;
        *(FN(Row) *)(dgain + k) += d * x;
    }
    for (ptrdiff_t k = whole; k < count; k++) {
        sum += da[k] * gain[k], dot += da[k] * gain[k] * n[k];
        dgain[k] += da[k] * n[k];
    }
    const float mean = (sum + FN(added)(a, none)) / count, along = (dot + FN(added)(b, none)) / count;
    INDEPENDENT for (ptrdiff_t k = 0; k < count; k++) n[k] = scale * (da[k] * gain[k] - mean - n[k] * along);
}

static void FN(layer_norm_backward)(const Job *job, const FN(Lstm) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t B = job->B, H = job->H, at = t * B + row;
    float *i = m->gates + at * 4 * H, *f = i + H, *g = f + H, *o = g + H;
    float *old = m->c + at * H, *tanh_c = m->tanh_c + at * H, *dh = m->dh + row * H, *dc = m->dc + row * H;
    float *bi = job->dw[1], *bf = bi + H, *bg = bf + H, *bo = bg + H;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float in = i[k], forget = f[k], fresh = g[k], out = o[k], bounded = tanh_c[k];
        const float go = dh[k] * bounded * out * (1 - out);
        const float gc = dc[k] + dh[k] * out * (1 - bounded * bounded);
        const float gi = gc * fresh * in * (1 - in);
        const float gf = gc * old[k] * forget * (1 - forget);
        const float gg = gc * in * (1 - fresh * fresh);
        i[k] = gi, f[k] = gf, g[k] = gg, o[k] = go;
        dc[k] = gc * forget;
        bi[k] += gi, bf[k] += gf, bg[k] += gg, bo[k] += go;
    }
    FN(norm_grad)(i, job->w[3], m->scales[2 * at], m->outer + at * 4 * H, job->dw[3], 4 * H);
    FN(norm_grad)(i, job->w[4], m->scales[2 * at + 1], m->inner + at * 4 * H, job->dw[4], 4 * H);
}

static void FN(layer_norm)(Job *job) {
    const ptrdiff_t G = 4 * job->H;
    clear(job->dw[1], G), clear(job->dw[3], G), clear(job->dw[4], G);
    FN(lstm)(job, 4, 1, FN(layer_norm_forward), FN(layer_norm_backward));
}

#undef EPS
#undef LANES
