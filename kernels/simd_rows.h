/* Loops over whole rows, for one instruction set and dtype: part of simd_body.h, whose macros it uses. */

/* A compiler may not reorder a sum or a maximum of floats, so the order is written out: LANES partial results, then a
 * halving tree. It is the same for every instruction set, and a row's result depends on that row alone. */
#define LANES (64 / (BITS / 8))
#define BLOCK 256

typedef T FN(Vector) __attribute__((vector_size(64), may_alias));
typedef INT FN(Mask) __attribute__((vector_size(64)));

/* Copies n <= BLOCK elements and fills up to whole vectors with -infinity, which changes neither max nor sum of exp. */
INLINE ptrdiff_t FN(load_block)(T *block, const T *x, ptrdiff_t n) {
    const ptrdiff_t padded = (n + LANES - 1) / LANES * LANES;
    memcpy(block, x, n * sizeof(T));
    for (ptrdiff_t i = n; i < padded; i++) block[i] = -INFINITE;
    return padded;
}

INLINE T FN(row_max)(const T *x, ptrdiff_t n) {
    FN(Vector) best = {0};
    best -= INFINITE;
    for (ptrdiff_t start = 0; start < n; start += BLOCK) {
        T block[BLOCK] __attribute__((aligned(64)));
        const ptrdiff_t padded = FN(load_block)(block, x + start, n - start < BLOCK ? n - start : BLOCK);
        for (ptrdiff_t i = 0; i < padded; i += LANES) {
            const FN(Vector) v = *(const FN(Vector) *)(block + i);
            const FN(Mask) greater = v > best;
            best = (FN(Vector))((greater & (FN(Mask))v) | (~greater & (FN(Mask))best));
        }
    }
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) best[i] = best[i + half] > best[i] ? best[i + half] : best[i];
    return best[0];
}

INLINE T FN(row_sum)(const T *x, ptrdiff_t n) {
    FN(Vector) total = {0};
    for (ptrdiff_t start = 0; start < n; start += BLOCK) {
        const ptrdiff_t count = n - start < BLOCK ? n - start : BLOCK, whole = count / LANES * LANES;
        FN(Vector) sum = {0}, rest = {0}; /* of one block, then of blocks: long rows of float32 lose less */
        for (ptrdiff_t i = 0; i < whole; i += LANES) {
            FN(Vector) v;
            memcpy(&v, x + start + i, sizeof v);
            sum += v;
        }
        for (ptrdiff_t i = whole; i < count; i++) rest[i - whole] = x[start + i];
        total += sum + rest;
    }
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) total[i] += total[i + half];
    return total[0];
}

/* Sum of exp(x - shift); the terms themselves go to out unless that is NULL. */
INLINE T FN(row_sum_exp)(const T *x, T shift, T *out, ptrdiff_t n) {
    FN(Vector) total = {0};
    for (ptrdiff_t start = 0; start < n; start += BLOCK) {
        T block[BLOCK] __attribute__((aligned(64)));
        const ptrdiff_t count = n - start < BLOCK ? n - start : BLOCK;
        const ptrdiff_t padded = FN(load_block)(block, x + start, count);
        INDEPENDENT for (ptrdiff_t i = 0; i < padded; i++) block[i] = FN(exp_bounded)(block[i] - shift);
        FN(Vector) sum = {0}; /* of one block, then of blocks: long rows of float32 lose less */
        for (ptrdiff_t i = 0; i < padded; i += LANES) sum += *(const FN(Vector) *)(block + i);
        total += sum;
        if (out) memcpy(out + start, block, count * sizeof(T));
    }
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) total[i] += total[i + half];
    return total[0];
}

/* What is subtracted before exp: the row's maximum, or 0 for a row of -infinity, where the difference would be NaN. */
INLINE T FN(row_shift)(const T *x, ptrdiff_t n) {
    const T max = FN(row_max)(x, n);
    return max == -INFINITE ? 0 : max;
}

/* The logsumexp of a row with +infinity: infinity, or the NaN that is there too. */
INLINE T FN(row_top)(const T *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++)
        if (x[i] != x[i]) return x[i];
    return INFINITE;
}

/* A row of -infinity has the softmax 0, the log_softmax -infinity. With +infinity in a row the result is NaN, as
 * exp(x - max) / sum has it. */
INLINE void FN(softmax_row)(const T *x, T g, T *out, ptrdiff_t n) {
    const T shift = FN(row_shift)(x, n);
    const T sum = FN(row_sum_exp)(x, shift, out, n);
    const T scale = sum == 0 ? 0 : g / sum;
    INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) out[i] *= scale;
}

static void FN(softmax_loop)(const void *px, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    const T *x = (const T *)px;
    T *out = (T *)pout;
    for (ptrdiff_t row = 0; row < rows; row++, x += n, out += n) FN(softmax_row)(x, 1, out, n);
}

static void FN(log_softmax_loop)(const void *px, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    const T *x = (const T *)px;
    T *out = (T *)pout;
    for (ptrdiff_t row = 0; row < rows; row++, x += n, out += n) {
        const T shift = FN(row_shift)(x, n);
        const T sum = FN(row_sum_exp)(x, shift, NULL, n);
        const T log_sum = sum == 0 ? 0 : FN(log)(sum);
        INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) out[i] = (x[i] - shift) - log_sum;
    }
}

static void FN(logsumexp_loop)(const void *px, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    const T *x = (const T *)px;
    T *out = (T *)pout;
    for (ptrdiff_t row = 0; row < rows; row++, x += n) {
        const T shift = FN(row_shift)(x, n);
        out[row] = shift == INFINITE ? FN(row_top)(x, n) : shift + FN(log)(FN(row_sum_exp)(x, shift, NULL, n));
    }
}

static void FN(sum_loop)(const void *px, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    const T *x = (const T *)px;
    T *out = (T *)pout;
    for (ptrdiff_t row = 0; row < rows; row++, x += n) out[row] = FN(row_sum)(x, n);
}

/* out[n] = the sum of a column over all rows: of BLOCK rows, then of those sums. Rows are read as they lie, some columns at a time. */
static void FN(column_sum_loop)(const void *px, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    const T *x = (const T *)px;
    T *out = (T *)pout;
    for (ptrdiff_t first = 0; first < n; first += 8 * BLOCK) {
        const ptrdiff_t width = n - first < 8 * BLOCK ? n - first : 8 * BLOCK;
        memset(out + first, 0, (size_t)width * sizeof(T));
        for (ptrdiff_t start = 0; start < rows; start += BLOCK) {
            const ptrdiff_t end = start + BLOCK < rows ? start + BLOCK : rows;
            T sum[8 * BLOCK];
            memset(sum, 0, (size_t)width * sizeof(T));
            ptrdiff_t row = start;
            for (; row + 4 <= end; row += 4) {
                const T *a = x + row * n + first, *b = a + n, *c = b + n, *d = c + n;
                INDEPENDENT for (ptrdiff_t i = 0; i < width; i++) sum[i] += (a[i] + b[i]) + (c[i] + d[i]);
            }
            for (; row < end; row++) {
                const T *a = x + row * n + first;
                INDEPENDENT for (ptrdiff_t i = 0; i < width; i++) sum[i] += a[i];
            }
            INDEPENDENT for (ptrdiff_t i = 0; i < width; i++) out[first + i] += sum[i];
        }
    }
}

static void FN(max_loop)(const void *px, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    const T *x = (const T *)px;
    T *out = (T *)pout;
    for (ptrdiff_t row = 0; row < rows; row++, x += n) {
        T best = x[0];
        for (ptrdiff_t i = 1; i < n; i++) best = FN(larger)(best, x[i]);
        out[row] = best;
    }
}

/* logsumexp(x) - x[target], with the maximum taken off both before they meet. */
static void FN(cross_entropy_loop)(const void *px, const int64_t *target, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    const T *x = (const T *)px;
    T *out = (T *)pout;
    for (ptrdiff_t row = 0; row < rows; row++, x += n) {
        const T shift = FN(row_shift)(x, n);
        const T sum = FN(row_sum_exp)(x, shift, NULL, n);
        out[row] = sum == 0 ? INFINITE : FN(log)(sum) - (x[target[row]] - shift);
    }
}

/* g (softmax(x) - 1[target]) */
static void FN(cross_entropy_grad_loop)(const void *pg, const void *px, const int64_t *target, void *pout,
                                        ptrdiff_t rows, ptrdiff_t n) {
    const T *g = (const T *)pg, *x = (const T *)px;
    T *out = (T *)pout;
    for (ptrdiff_t row = 0; row < rows; row++, x += n, out += n) {
        FN(softmax_row)(x, g[row], out, n);
        out[target[row]] -= g[row];
    }
}
