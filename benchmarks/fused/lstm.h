/* LSTMs whose gates come out of one product; part of fused_body.h.
 *
 * `outer` is the product with x, `inner` that with h, which is added to x's where nothing comes between. A backward pass
 * leaves their gradients in their place, for the GEMMs to read. */

typedef struct {
    float *outer, *inner, *gates; /* (T, B, G); all the same, or three */
    float *c, *tanh_c;            /* (T + 1, B, H), (T, B, H) */
    float *scales;                /* (T, B, 2): of layer norm */
    float *dh, *dc;               /* (B, H): what comes in from above and from the next step */
} FN(Lstm);

typedef void (*FN(Pass))(const Job *, const FN(Lstm) *, ptrdiff_t t, ptrdiff_t row); /* one row of one step */

INLINE void FN(lstm)(Job *job, ptrdiff_t parts, int apart, FN(Pass) forward, FN(Pass) backward) {
    const ptrdiff_t T = job->T, B = job->B, I = job->I, H = job->H, G = parts * H, rows = T * B;
    const FN(Weight) W = FN(weight)(job, job->w[0], G, I, 0), U = FN(weight)(job, job->w[2], G, H, 1);
    FN(Lstm) m;
    m.outer = m.inner = m.gates = take(job, rows * G);
    if (apart) m.inner = take(job, rows * G), m.gates = take(job, rows * G);
    m.scales = take(job, rows * 2);
    m.c = take(job, (T + 1) * B * H), m.tanh_c = take(job, rows * H);
    m.dh = take(job, B * H), m.dc = take(job, B * H);
    float *packed = take(job, rows * PADDED(I > H ? I : H)), *room = FN(room)(job);
    if (!job->memory) return;

    FN(pack_weight)(job, &W), FN(pack_weight)(job, &U);
    FN(of_input)(job, &W, apart ? NULL : job->w[1], m.outer, room);
    clear(m.c, B * H);
    for (ptrdiff_t t = 0; t < T; t++) {
        float *inner = m.inner + t * B * G;
        FN(times)(B, G, H, job->h + t * B * H, U.forward, apart ? NULL : inner, G, inner);
        for (ptrdiff_t row = 0; row < B; row++) forward(job, &m, t, row);
    }
    memcpy(m.dh, job->cotangent + (T - 1) * B * H, (size_t)(B * H) * sizeof(float));
    clear(m.dc, B * H);
    for (ptrdiff_t t = T - 1; t >= 0; t--) {
        for (ptrdiff_t row = 0; row < B; row++) backward(job, &m, t, row);
        if (t) FN(times)(B, H, G, m.inner + t * B * G, U.backward, job->cotangent + (t - 1) * B * H, H, m.dh);
    }
    FN(pack_side)(job, job->x, I, packed);
    FN(weight_grad)(job, &W, m.outer, job->x, packed, room, job->dw[0]);
    FN(pack_side)(job, job->h, H, packed);
    FN(weight_grad)(job, &U, m.inner, job->h, packed, room, job->dw[2]);
}

/* ---- peephole: W b U pi pf po ------------------------------------------------------------------------------------ */

static void FN(peephole_forward)(const Job *job, const FN(Lstm) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t B = job->B, H = job->H, at = t * B + row;
    const float *pi = job->w[3], *pf = job->w[4], *po = job->w[5];
    float *i = m->gates + at * 4 * H, *f = i + H, *g = f + H, *o = g + H;
    float *old = m->c + at * H, *c = old + B * H, *tanh_c = m->tanh_c + at * H, *h = job->h + (at + B) * H;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float in = FN(sigmoid)(i[k] + pi[k] * old[k]);
        const float forget = FN(sigmoid)(f[k] + pf[k] * old[k]);
        const float fresh = FN(tanh)(g[k]);
        const float now = forget * old[k] + in * fresh;
        const float out = FN(sigmoid)(o[k] + po[k] * now);
        const float bounded = FN(tanh)(now);
        i[k] = in, f[k] = forget, g[k] = fresh, o[k] = out;
        c[k] = now, tanh_c[k] = bounded, h[k] = out * bounded;
    }
}

static void FN(peephole_backward)(const Job *job, const FN(Lstm) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t B = job->B, H = job->H, at = t * B + row;
    const float *pi = job->w[3], *pf = job->w[4], *po = job->w[5];
    float *i = m->gates + at * 4 * H, *f = i + H, *g = f + H, *o = g + H;
    float *old = m->c + at * H, *c = old + B * H, *tanh_c = m->tanh_c + at * H;
    float *dh = m->dh + row * H, *dc = m->dc + row * H;
    float *bi = job->dw[1], *bf = bi + H, *bg = bf + H, *bo = bg + H;
    float *dpi = job->dw[3], *dpf = job->dw[4], *dpo = job->dw[5];
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float in = i[k], forget = f[k], fresh = g[k], out = o[k], bounded = tanh_c[k];
        const float go = dh[k] * bounded * out * (1 - out);
        const float gc = dc[k] + dh[k] * out * (1 - bounded * bounded) + go * po[k];
        const float gi = gc * fresh * in * (1 - in);
        const float gf = gc * old[k] * forget * (1 - forget);
        const float gg = gc * in * (1 - fresh * fresh);
        i[k] = gi, f[k] = gf, g[k] = gg, o[k] = go;
        dc[k] = gc * forget + gi * pi[k] + gf * pf[k];
        bi[k] += gi, bf[k] += gf, bg[k] += gg, bo[k] += go;
        dpi[k] += gi * old[k], dpf[k] += gf * old[k], dpo[k] += go * c[k];
    }
}

static void FN(peephole)(Job *job) {
    const ptrdiff_t H = job->H;
    clear(job->dw[1], 4 * H), clear(job->dw[3], H), clear(job->dw[4], H), clear(job->dw[5], H);
    FN(lstm)(job, 4, 0, FN(peephole_forward), FN(peephole_backward));
}

/* ---- coupled: W b U ---------------------------------------------------------------------------------------------- */

static void FN(coupled_forward)(const Job *job, const FN(Lstm) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t B = job->B, H = job->H, at = t * B + row;
    float *f = m->gates + at * 3 * H, *g = f + H, *o = g + H;
    float *old = m->c + at * H, *c = old + B * H, *tanh_c = m->tanh_c + at * H, *h = job->h + (at + B) * H;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float forget = FN(sigmoid)(f[k]), fresh = FN(tanh)(g[k]), out = FN(sigmoid)(o[k]);
        const float now = forget * old[k] + (1 - forget) * fresh;
        const float bounded = FN(tanh)(now);
        f[k] = forget, g[k] = fresh, o[k] = out;
        c[k] = now, tanh_c[k] = bounded, h[k] = out * bounded;
    }
}

static void FN(coupled_backward)(const Job *job, const FN(Lstm) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t B = job->B, H = job->H, at = t * B + row;
    float *f = m->gates + at * 3 * H, *g = f + H, *o = g + H;
    float *old = m->c + at * H, *tanh_c = m->tanh_c + at * H, *dh = m->dh + row * H, *dc = m->dc + row * H;
    float *bf = job->dw[1], *bg = bf + H, *bo = bg + H;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float forget = f[k], fresh = g[k], out = o[k], bounded = tanh_c[k];
        const float go = dh[k] * bounded * out * (1 - out);
        const float gc = dc[k] + dh[k] * out * (1 - bounded * bounded);
        const float gf = gc * (old[k] - fresh) * forget * (1 - forget);
        const float gg = gc * (1 - forget) * (1 - fresh * fresh);
        f[k] = gf, g[k] = gg, o[k] = go;
        dc[k] = gc * forget;
        bf[k] += gf, bg[k] += gg, bo[k] += go;
    }
}

static void FN(coupled)(Job *job) {
    clear(job->dw[1], 3 * job->H);
    FN(lstm)(job, 3, 0, FN(coupled_forward), FN(coupled_backward));
}
