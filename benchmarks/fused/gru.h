/* Cells where a gate comes before the second product, W b U Wn bn Un: the minimal gated unit and the first GRU; part of
 * fused_body.h. A step has two products and two passes, as its equations force it to. */

typedef struct {
    float *gates, *n;   /* (T, B, G), (T, B, H) */
    float *gated;       /* (T, B, H): the state that the second product takes */
    float *dh, *dgated; /* (B, H) */
    float *held;        /* (B, H): what the first backward pass leaves to the second */
} FN(Gru);

typedef void (*FN(GruPass))(const Job *, const FN(Gru) *, ptrdiff_t t, ptrdiff_t row);

INLINE void FN(gru)(Job *job, ptrdiff_t parts, FN(GruPass) gate, FN(GruPass) mix, FN(GruPass) mix_grad,
                    FN(GruPass) gate_grad) {
    const ptrdiff_t T = job->T, B = job->B, I = job->I, H = job->H, G = parts * H, rows = T * B;
    const FN(Weight) W = FN(weight)(job, job->w[0], G, I, 0), U = FN(weight)(job, job->w[2], G, H, 1);
    const FN(Weight) Wn = FN(weight)(job, job->w[3], H, I, 0), Un = FN(weight)(job, job->w[5], H, H, 1);
    FN(Gru) m;
    m.gates = take(job, rows * G), m.n = take(job, rows * H), m.gated = take(job, rows * H);
    m.dh = take(job, B * H), m.dgated = take(job, B * H), m.held = take(job, B * H);
    float *packed = take(job, rows * PADDED(I > H ? I : H)), *room = FN(room)(job);
    if (!job->memory) return;

    FN(pack_weight)(job, &W), FN(pack_weight)(job, &U), FN(pack_weight)(job, &Wn), FN(pack_weight)(job, &Un);
    clear(job->dw[1], G), clear(job->dw[4], H);
    FN(of_input)(job, &W, job->w[1], m.gates, room);
    FN(of_input)(job, &Wn, job->w[4], m.n, room);
    for (ptrdiff_t t = 0; t < T; t++) {
        float *gates = m.gates + t * B * G, *n = m.n + t * B * H;
        FN(times)(B, G, H, job->h + t * B * H, U.forward, gates, G, gates);
        for (ptrdiff_t row = 0; row < B; row++) gate(job, &m, t, row);
        FN(times)(B, H, H, m.gated + t * B * H, Un.forward, n, H, n);
        for (ptrdiff_t row = 0; row < B; row++) mix(job, &m, t, row);
    }
    clear(m.dh, B * H);
    for (ptrdiff_t t = T - 1; t >= 0; t--) {
        for (ptrdiff_t row = 0; row < B; row++) mix_grad(job, &m, t, row);
        FN(times)(B, H, H, m.n + t * B * H, Un.backward, NULL, 0, m.dgated);
        for (ptrdiff_t row = 0; row < B; row++) gate_grad(job, &m, t, row);
        if (t) FN(times)(B, H, G, m.gates + t * B * G, U.backward, m.dh, H, m.dh);
    }
    FN(pack_side)(job, job->x, I, packed);
    FN(weight_grad)(job, &W, m.gates, job->x, packed, room, job->dw[0]);
    FN(weight_grad)(job, &Wn, m.n, job->x, packed, room, job->dw[3]);
    FN(pack_side)(job, job->h, H, packed);
    FN(weight_grad)(job, &U, m.gates, job->h, packed, room, job->dw[2]);
    FN(pack_side)(job, m.gated, H, packed);
    FN(weight_grad)(job, &Un, m.n, m.gated, packed, room, job->dw[5]);
}

/* ---- minimal gated unit ------------------------------------------------------------------------------------------ */

static void FN(minimal_gate)(const Job *job, const FN(Gru) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t H = job->H, at = t * job->B + row;
    float *f = m->gates + at * H, *gated = m->gated + at * H, *old = job->h + at * H;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float gate = FN(sigmoid)(f[k]);
        f[k] = gate, gated[k] = gate * old[k];
    }
}

static void FN(minimal_mix)(const Job *job, const FN(Gru) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t B = job->B, H = job->H, at = t * B + row;
    float *f = m->gates + at * H, *n = m->n + at * H, *old = job->h + at * H, *h = old + B * H;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float fresh = FN(tanh)(n[k]);
        n[k] = fresh, h[k] = (1 - f[k]) * old[k] + f[k] * fresh;
    }
}

static void FN(minimal_mix_grad)(const Job *job, const FN(Gru) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t H = job->H, at = t * job->B + row;
    const float *cotangent = job->cotangent + at * H;
    float *f = m->gates + at * H, *n = m->n + at * H, *old = job->h + at * H, *bn = job->dw[4];
    float *dh = m->dh + row * H, *held = m->held + row * H;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float g = cotangent[k] + dh[k], fresh = n[k];
        const float gn = g * f[k] * (1 - fresh * fresh);
        n[k] = gn, bn[k] += gn;
        held[k] = g * (fresh - old[k]), dh[k] = g * (1 - f[k]);
    }
}

static void FN(minimal_gate_grad)(const Job *job, const FN(Gru) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t H = job->H, at = t * job->B + row;
    float *f = m->gates + at * H, *old = job->h + at * H, *b = job->dw[1];
    float *dh = m->dh + row * H, *dgated = m->dgated + row * H, *held = m->held + row * H;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float gate = f[k];
        const float g = (held[k] + dgated[k] * old[k]) * gate * (1 - gate);
        f[k] = g, b[k] += g;
        dh[k] += dgated[k] * gate;
    }
}

static void FN(minimal)(Job *job) {
    FN(gru)(job, 1, FN(minimal_gate), FN(minimal_mix), FN(minimal_mix_grad), FN(minimal_gate_grad));
}

/* ---- GRU, reset before the product ------------------------------------------------------------------------------- */

static void FN(reset_gate)(const Job *job, const FN(Gru) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t H = job->H, at = t * job->B + row;
    float *r = m->gates + at * 2 * H, *z = r + H, *gated = m->gated + at * H, *old = job->h + at * H;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float reset = FN(sigmoid)(r[k]);
        r[k] = reset, z[k] = FN(sigmoid)(z[k]), gated[k] = reset * old[k];
    }
}

static void FN(reset_mix)(const Job *job, const FN(Gru) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t B = job->B, H = job->H, at = t * B + row;
    float *z = m->gates + at * 2 * H + H, *n = m->n + at * H, *old = job->h + at * H, *h = old + B * H;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float fresh = FN(tanh)(n[k]);
        n[k] = fresh, h[k] = (1 - z[k]) * fresh + z[k] * old[k];
    }
}

static void FN(reset_mix_grad)(const Job *job, const FN(Gru) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t H = job->H, at = t * job->B + row;
    const float *cotangent = job->cotangent + at * H;
    float *z = m->gates + at * 2 * H + H, *n = m->n + at * H, *old = job->h + at * H, *dh = m->dh + row * H;
    float *bz = job->dw[1] + H, *bn = job->dw[4];
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float g = cotangent[k] + dh[k], keep = z[k], fresh = n[k];
        const float gn = g * (1 - keep) * (1 - fresh * fresh), gz = g * (old[k] - fresh) * keep * (1 - keep);
        n[k] = gn, z[k] = gz, dh[k] = g * keep;
        bn[k] += gn, bz[k] += gz;
    }
}

static void FN(reset_gate_grad)(const Job *job, const FN(Gru) *m, ptrdiff_t t, ptrdiff_t row) {
    const ptrdiff_t H = job->H, at = t * job->B + row;
    float *r = m->gates + at * 2 * H, *old = job->h + at * H, *br = job->dw[1];
    float *dh = m->dh + row * H, *dgated = m->dgated + row * H;
    INDEPENDENT for (ptrdiff_t k = 0; k < H; k++) {
        const float reset = r[k], g = dgated[k] * old[k] * reset * (1 - reset);
        r[k] = g, br[k] += g;
        dh[k] += dgated[k] * reset;
    }
}

static void FN(reset_before)(Job *job) {
    FN(gru)(job, 2, FN(reset_gate), FN(reset_mix), FN(reset_mix_grad), FN(reset_gate_grad));
}
