/* Loops over whole rows, for one instruction set and dtype: part of simd_body.h, whose macros it uses. */

/* A compiler may not reorder a sum or a maximum of floats, so the order is written out: LANES partial results, then a
 * halving tree. It is the same for every instruction set, and a row's result depends on that row alone. */
#define LANES (64 / (BITS / 8))
#define PARTS (64 / VECTOR_BYTES)
#define BLOCK 256 /* numbers that one partial result adds up at most, times LANES: long sums of float32 lose less */
#define ROOM 1024 /* numbers whose exponentials are taken at once, of as many short rows as fit */
#define GROUP 64  /* rows whose logarithms are taken at once */

typedef T FN(Vector) __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef INT FN(Mask) __attribute__((vector_size(VECTOR_BYTES)));
typedef struct {
    FN(Vector) part[PARTS]; /* registers */
} FN(Lanes);

INLINE FN(Lanes) FN(load)(const T *x) {
    FN(Lanes) v;
    UNROLL for (int p = 0; p < PARTS; p++) memcpy(&v.part[p], x + p * (LANES / PARTS), VECTOR_BYTES);
    return v;
}

INLINE void FN(store)(T *x, FN(Lanes) v) {
    UNROLL for (int p = 0; p < PARTS; p++) memcpy(x + p * (LANES / PARTS), &v.part[p], VECTOR_BYTES);
}

INLINE FN(Lanes) FN(all)(T x) {
    FN(Lanes) v;
    UNROLL for (int p = 0; p < PARTS; p++) v.part[p] = (FN(Vector)){0} + x;
    return v;
}

INLINE FN(Lanes) FN(plus)(FN(Lanes) a, FN(Lanes) b) {
    UNROLL for (int p = 0; p < PARTS; p++) a.part[p] += b.part[p];
    return a;
}

/* v from number `from` to before number `to`; 0 in place of the rest. */
INLINE FN(Lanes) FN(part)(FN(Lanes) v, ptrdiff_t from, ptrdiff_t to) {
    static const INT numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    UNROLL for (int p = 0; p < PARTS; p++) {
        FN(Mask) number;
        memcpy(&number, numbers + p * (LANES / PARTS), VECTOR_BYTES);
        v.part[p] = (FN(Vector))((FN(Mask))v.part[p] & (number >= (INT)from) & (number < (INT)to));
    }
    return v;
}

/* Where b is NaN, a. */
INLINE FN(Lanes) FN(higher)(FN(Lanes) a, FN(Lanes) b) {
    UNROLL for (int p = 0; p < PARTS; p++) {
        const FN(Mask) greater = b.part[p] > a.part[p];
        a.part[p] = (FN(Vector))((greater & (FN(Mask))b.part[p]) | (~greater & (FN(Mask))a.part[p]));
    }
    return a;
}

/* The halving tree. */
INLINE T FN(total)(FN(Lanes) v) {
    T sum[LANES] __attribute__((aligned(64)));
    FN(store)(sum, v);
    UNROLL for (int half = LANES / 2; half; half /= 2)
        UNROLL for (int i = 0; i < half; i++) sum[i] += sum[i + half];
    return sum[0];
}

/* The maximum of what is not NaN. */
INLINE T FN(row_max)(const T *x, ptrdiff_t n) {
    T top[LANES] __attribute__((aligned(64))) = {-INFINITE};
    if (n < LANES) {
        for (ptrdiff_t i = 0; i < n; i++) top[0] = x[i] > top[0] ? x[i] : top[0];
        return top[0];
    }
    FN(Lanes) best = FN(all)(-INFINITE);
    for (ptrdiff_t i = 0; i + LANES <= n; i += LANES) best = FN(higher)(best, FN(load)(x + i));
    best = FN(higher)(best, FN(load)(x + n - LANES)); /* some for the second time */
    FN(store)(top, best);
    UNROLL for (int half = LANES / 2; half; half /= 2)
        UNROLL for (int k = 0; k < half; k++) top[k] = top[k + half] > top[k] ? top[k + half] : top[k];
    return top[0];
}

/* LANES sums of n numbers, n a multiple of LANES, added to `sum`. */
INLINE FN(Lanes) FN(lane_sums)(FN(Lanes) sum, const T *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i += LANES) sum = FN(plus)(sum, FN(load)(x + i));
    return sum;
}

INLINE T FN(row_sum)(const T *x, ptrdiff_t n) {
    const FN(Lanes) zero = FN(all)(0);
    FN(Lanes) total = zero;
    if (n < LANES) {
        T sum = 0;
        for (ptrdiff_t i = 0; i < n; i++) sum += x[i];
        return sum;
    }
    const ptrdiff_t whole = n / LANES * LANES;
    ptrdiff_t start = 0;
    for (; start + BLOCK < whole; start += BLOCK) total = FN(plus)(total, FN(lane_sums)(zero, x + start, BLOCK));
    total = FN(plus)(total, FN(lane_sums)(zero, x + start, whole - start));
    if (whole < n) total = FN(plus)(total, FN(part)(FN(load)(x + n - LANES), LANES - (n - whole), LANES));
    return FN(total)(total);
}

/* What is subtracted before exp: the row's maximum, or 0 for a row of -infinity, where the difference would be NaN. */
INLINE T FN(row_shift)(const T *x, ptrdiff_t n) {
    const T max = FN(row_max)(x, n);
    return max == -INFINITE ? 0 : max;
}

/* LANES sums of n numbers, behind which LANES more can be read. */
INLINE FN(Lanes) FN(block_sums)(const T *x, ptrdiff_t n) {
    const ptrdiff_t whole = n / LANES * LANES;
    const FN(Lanes) sum = FN(lane_sums)(FN(all)(0), x, whole);
    return whole < n ? FN(plus)(sum, FN(part)(FN(load)(x + whole), 0, n - whole)) : sum;
}

/* Of each row the shift, and the sum of exp(x - shift); the terms themselves go to out unless that is NULL. What one row gives does
 * not depend on the others: they only share the loop over exp. */
INLINE void FN(exp_rows)(const T *x, T *out, T *shift, T *sum, ptrdiff_t rows, ptrdiff_t n) {
    T block[ROOM + LANES] __attribute__((aligned(64)));
    const ptrdiff_t width = n < ROOM ? n : ROOM, most = ROOM / width;
    for (ptrdiff_t row = 0; row < rows; row++) shift[row] = FN(row_shift)(x + row * n, n);
    for (ptrdiff_t first = 0; first < rows; first += most) {
        const ptrdiff_t some = most < rows - first ? most : rows - first;
        FN(Lanes) total = FN(all)(0);
        for (ptrdiff_t start = 0; start < n; start += width) {
            const ptrdiff_t count = width < n - start ? width : n - start, used = some * count;
            for (ptrdiff_t row = 0; row < some; row++) {
                const T *from = x + (first + row) * n + start, down = shift[first + row];
                T *to = block + row * count;
                INDEPENDENT for (ptrdiff_t i = 0; i < count; i++) to[i] = down - from[i];
            }
            UNROLL for (int i = 0; i < LANES; i++) block[used + i] = 0;
            const ptrdiff_t padded = (used + LANES - 1) / LANES * LANES;
            INDEPENDENT for (ptrdiff_t i = 0; i < padded; i++) block[i] = FN(decay_up)(block[i]) * BACK;
            if (out) memcpy(out + first * n + start, block, used * sizeof(T));
            if (count == n)
                for (ptrdiff_t row = 0; row < some; row++)
                    sum[first + row] = FN(total)(FN(block_sums)(block + row * n, n));
            else
                total = FN(plus)(total, FN(block_sums)(block, count));
        }
        if (width < n) sum[first] = FN(total)(total);
    }
}

/* log(sum), and 0 for a sum of 0. */
INLINE void FN(log_sums)(const T *sum, T *out, ptrdiff_t rows) {
    INDEPENDENT for (ptrdiff_t row = 0; row < rows; row++) out[row] = sum[row] == 0 ? 0 : FN(log)(sum[row]);
}

/* The logsumexp of a row with +infinity: infinity, or the NaN that is there too. */
INLINE T FN(row_top)(const T *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++)
        if (x[i] != x[i]) return x[i];
    return INFINITE;
}

/* Rows in groups: `count` of them from row `first` on. */
#define EACH_GROUP(rows) for (ptrdiff_t first = 0, count; count = rows - first < GROUP ? rows - first : GROUP, first < rows; first += count)

/* g softmax(x), with g = 1 if that is NULL. A row of -infinity has the softmax 0. With +infinity in a row the result is NaN, as
 * exp(x - max) / sum has it. */
INLINE void FN(softmax_rows)(const T *x, const T *g, T *out, ptrdiff_t rows, ptrdiff_t n) {
    T shift[GROUP], sum[GROUP];
    EACH_GROUP(rows) {
        FN(exp_rows)(x + first * n, out + first * n, shift, sum, count, n);
        for (ptrdiff_t row = 0; row < count; row++) {
            T *to = out + (first + row) * n;
            const T scale = sum[row] == 0 ? 0 : (g ? g[first + row] : 1) / sum[row];
            INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) to[i] *= scale;
        }
    }
}

static void FN(softmax_loop)(const void *px, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    FN(softmax_rows)((const T *)px, NULL, (T *)pout, rows, n);
}

/* -infinity for a row of -infinity, NaN for one with +infinity. */
static void FN(log_softmax_loop)(const void *px, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    T shift[GROUP], sum[GROUP];
    EACH_GROUP(rows) {
        const T *x = (const T *)px + first * n;
        T *out = (T *)pout + first * n;
        FN(exp_rows)(x, NULL, shift, sum, count, n);
        FN(log_sums)(sum, sum, count);
        for (ptrdiff_t row = 0; row < count; row++, x += n, out += n) {
            const T down = shift[row], log_sum = sum[row];
            INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) out[i] = (x[i] - down) - log_sum;
        }
    }
}

static void FN(logsumexp_loop)(const void *px, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    const T *x = (const T *)px;
    T *out = (T *)pout, shift[GROUP], sum[GROUP];
    EACH_GROUP(rows) {
        FN(exp_rows)(x + first * n, NULL, shift, sum, count, n);
        INDEPENDENT for (ptrdiff_t row = 0; row < count; row++) out[first + row] = shift[row] + FN(log)(sum[row]);
        for (ptrdiff_t row = 0; row < count; row++)
            if (shift[row] == INFINITE) out[first + row] = FN(row_top)(x + (first + row) * n, n);
    }
}

static void FN(sum_loop)(const void *px, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    const T *x = (const T *)px;
    T *out = (T *)pout;
    for (ptrdiff_t row = 0; row < rows; row++, x += n) out[row] = FN(row_sum)(x, n);
}

/* out[n] = the sum of a column over all rows, which come in groups of at least one, added to what is there already if
 * `more`. The sum of a group is that of BLOCK rows, then of those sums; groups are added one behind the other from the last
 * to the first, so whoever has the groups in several parts, and begins with the last part, has the same bits. Strides are in
 * elements. */
static void FN(column_sum_loop)(const void *px, ptrdiff_t groups, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t n,
                                int more, void *pout) {
    T *out = (T *)pout;
    if (!more) memset(out, 0, (size_t)n * sizeof(T));
    for (ptrdiff_t first = 0; first < n; first += 8 * BLOCK) {
        const ptrdiff_t width = n - first < 8 * BLOCK ? n - first : 8 * BLOCK;
        for (ptrdiff_t group = groups - 1; group >= 0; group--) {
            const T *x = (const T *)px + group * stride + first;
            T total[8 * BLOCK], sum[8 * BLOCK], *into = rows > BLOCK ? sum : total;
            for (ptrdiff_t start = 0; start < rows; start += BLOCK) {
                const ptrdiff_t end = start + BLOCK < rows ? start + BLOCK : rows;
                memset(into, 0, (size_t)width * sizeof(T));
                ptrdiff_t row = start;
                for (; row + 4 <= end; row += 4) {
                    const T *a = x + row * row_stride, *b = a + row_stride, *c = b + row_stride, *d = c + row_stride;
                    INDEPENDENT for (ptrdiff_t i = 0; i < width; i++) into[i] += (a[i] + b[i]) + (c[i] + d[i]);
                }
                for (; row < end; row++) {
                    const T *a = x + row * row_stride;
                    INDEPENDENT for (ptrdiff_t i = 0; i < width; i++) into[i] += a[i];
                }
                if (rows <= BLOCK) continue;
                if (start == 0) memset(total, 0, (size_t)width * sizeof(T));
                INDEPENDENT for (ptrdiff_t i = 0; i < width; i++) total[i] += sum[i];
            }
            INDEPENDENT for (ptrdiff_t i = 0; i < width; i++) out[first + i] += total[i];
        }
    }
}

static void FN(max_loop)(const void *px, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    const T *x = (const T *)px;
    T *out = (T *)pout;
    for (ptrdiff_t row = 0; row < rows; row++, x += n) {
        const T best = FN(row_max)(x, n);
        INT strange = 0;
        INDEPENDENT for (ptrdiff_t i = 0; i < n; i++) strange |= x[i] != x[i];
        out[row] = strange ? (T)__builtin_nan("") : best;
    }
}

/* logsumexp(x) - x[target], with the maximum taken off both before they meet. */
static void FN(cross_entropy_loop)(const void *px, const int64_t *target, void *pout, ptrdiff_t rows, ptrdiff_t n) {
    T *out = (T *)pout, shift[GROUP], sum[GROUP];
    EACH_GROUP(rows) {
        const T *x = (const T *)px + first * n;
        FN(exp_rows)(x, NULL, shift, sum, count, n);
        INDEPENDENT for (ptrdiff_t row = 0; row < count; row++) out[first + row] = sum[row] == 0 ? INFINITE : FN(log)(sum[row]);
        for (ptrdiff_t row = 0; row < count; row++) out[first + row] -= x[row * n + target[first + row]] - shift[row];
    }
}

/* g (softmax(x) - 1[target]) */
static void FN(cross_entropy_grad_loop)(const void *pg, const void *px, const int64_t *target, void *pout,
                                        ptrdiff_t rows, ptrdiff_t n) {
    const T *g = (const T *)pg;
    T *out = (T *)pout;
    FN(softmax_rows)((const T *)px, g, out, rows, n);
    for (ptrdiff_t row = 0; row < rows; row++) out[row * n + target[row]] -= g[row];
}
