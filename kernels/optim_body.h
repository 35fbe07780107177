/* The loops of optim.h for one element type on one instruction set; isa.h says which. */

#if BITS == 32
#define T float
#define SQRT __builtin_sqrtf
#else
#define T double
#define SQRT __builtin_sqrt
#endif
#define LANES 32
#define CHUNK 4096 /* elements between two additions to the total */

typedef double FN(Doubles) __attribute__((vector_size(8 * LANES)));
typedef T FN(Elements) __attribute__((vector_size(sizeof(T) * LANES)));

/* In float64, where squares of float32 are exact. The order is fixed: LANES sums of a chunk, a halving tree, chunks. */
static double FN(sum_of_squares)(const void *px, ptrdiff_t n) {
    const T *xs = (const T *)px;
    double total = 0;
    for (ptrdiff_t start = 0; start < n; start += CHUNK) {
        const ptrdiff_t count = n - start < CHUNK ? n - start : CHUNK, whole = count / LANES * LANES;
        FN(Doubles) sum = {0}, rest = {0};
        for (ptrdiff_t i = 0; i < whole; i += LANES) {
            FN(Elements) x;
            memcpy(&x, xs + start + i, sizeof x);
            const FN(Doubles) wide = __builtin_convertvector(x, FN(Doubles));
            sum += wide * wide;
        }
        for (ptrdiff_t i = whole; i < count; i++) rest[i - whole] = xs[start + i];
        sum += rest * rest;
        for (int half = LANES / 2; half; half /= 2)
            for (int i = 0; i < half; i++) sum[i] += sum[i + half];
        total += sum[0];
    }
    return total;
}

INLINE void FN(adam_loop)(T *p, const T *g, T *m, T *v, T *largest, ptrdiff_t n, const AdamNumbers *numbers,
                          const int decays) {
    const T scale = (T)numbers->scale, decay = (T)numbers->decay, shrink = (T)numbers->shrink;
    const T keep1 = (T)numbers->beta1, take1 = (T)(1 - numbers->beta1);
    const T keep2 = (T)numbers->beta2, take2 = (T)(1 - numbers->beta2);
    const T size = (T)numbers->size, floor = (T)numbers->floor;
    INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) {
        T grad = g[i] * scale;
        if (decays) grad = p[i] * decay + grad;
        const T mean = m[i] * keep1 + grad * take1, square = v[i] * keep2 + grad * grad * take2;
        T top = square;
        if (largest) { /* NaN stays */
            const T before = largest[i];
            top = before >= square ? before : (before < square ? square : before + square);
            largest[i] = top;
        }
        m[i] = mean;
        v[i] = square;
        p[i] = p[i] * shrink - mean / (SQRT(top) + floor) * size;
    }
}

/* One step of Adam and its kin: `largest` is NULL but for AMSGrad. */
static void FN(adam)(void *p, const void *g, void *m, void *v, void *largest, ptrdiff_t n, const AdamNumbers *numbers) {
    if (largest)
        FN(adam_loop)(p, g, m, v, largest, n, numbers, numbers->decay != 0);
    else if (numbers->decay != 0)
        FN(adam_loop)(p, g, m, v, NULL, n, numbers, 1);
    else
        FN(adam_loop)(p, g, m, v, NULL, n, numbers, 0);
}

/* Whether steps without a gradient leave a row as it is: it has had none so far, and its weights do not decay. */
static int FN(untouched)(const T *m, const T *v, ptrdiff_t columns, ptrdiff_t first, ptrdiff_t last,
                         const AdamNumbers *numbers) {
    for (ptrdiff_t i = 0; i < columns; i++)
        if (m[i] != 0 || v[i] != 0) return 0;
    for (ptrdiff_t step = first; step < last; step++)
        if (numbers[step].decay != 0 || numbers[step].shrink != 1 || !((T)numbers[step].floor > 0)) return 0;
    return 1;
}

/* The steps from `first` up to `last`, one after the other, of a row whose gradient is zero in all of them. */
static void FN(idle)(void *p, void *m, void *v, void *largest, ptrdiff_t columns, const void *zeros, ptrdiff_t first,
                     ptrdiff_t last, const AdamNumbers *numbers) {
    if (FN(untouched)((const T *)m, (const T *)v, columns, first, last, numbers)) return;
    for (ptrdiff_t step = first; step < last; step++) FN(adam)(p, zeros, m, v, largest, columns, numbers + step);
}

static const Optim FN(optims) = {FN(sum_of_squares), FN(idle), FN(adam)};

#undef T
#undef SQRT
#undef LANES
#undef CHUNK
