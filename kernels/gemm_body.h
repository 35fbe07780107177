/* The matrix product for one element type on one instruction set; gemm.h includes this file once for each pair.
 *
 * Each element of a result is one chain of multiply-adds, from the first term to the last, however the matrices are cut
 * into tiles: the bits of a row depend neither on the rows beside it nor on their number. */

#if BITS == 32
#define T float
#else
#define T double
#endif
#define LANES (VECTOR_BYTES / (BITS / 8))
#define WIDTH (2 * LANES) /* columns of a panel */
#define LINE (64 / (BITS / 8)) /* elements of a cache line */
#define AHEAD 8 /* terms that are asked for before they are read */

typedef T FN(vector) __attribute__((vector_size(VECTOR_BYTES), aligned(BITS / 8), may_alias));

typedef T FN(four) __attribute__((vector_size(4 * BITS / 8), aligned(BITS / 8), may_alias));

#if VECTOR_BYTES == 64
#define ROWS_MAX 14 /* 28 of 32 registers hold the tile */
#if BITS == 32
#define FMADD(a, b, c) ((FN(vector))_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#else
#define FMADD(a, b, c) ((FN(vector))_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#endif
#else
#define ROWS_MAX 6 /* 12 of 16 */
#if VECTOR_BYTES == 32 && BITS == 32
#define FMADD(a, b, c) ((FN(vector))_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#elif VECTOR_BYTES == 32
#define FMADD(a, b, c) ((FN(vector))_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#elif defined(__aarch64__) && BITS == 32
#define FMADD(a, b, c) ((FN(vector))vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#elif defined(__aarch64__)
#define FMADD(a, b, c) ((FN(vector))vfmaq_f64((float64x2_t)(c), (float64x2_t)(a), (float64x2_t)(b)))
#else
#define FMADD(a, b, c) ((a) * (b) + (c))
#endif
#endif

/* C[rows, panels * WIDTH] = start + A B over `depth` terms: the whole tile lives in registers. No `start` means zeros. */
INLINE void FN(tile)(ptrdiff_t depth, const T *a, ptrdiff_t a_row, ptrdiff_t a_k, const T *b, ptrdiff_t b_k,
                     ptrdiff_t b_panel, const T *start, ptrdiff_t start_row, T *c, ptrdiff_t c_row, ptrdiff_t columns,
                     const T *next, const int rows, const int panels, const int asks) {
    FN(vector) sum[ROWS_MAX][8];
    T edge[ROWS_MAX][8 * LANES];
    const int width = panels * WIDTH;
    T *into = c;
    ptrdiff_t into_row = c_row;
    if (columns < width) { /* the last columns of a matrix: a copy of full width stands in for them */
        if (start) {
            for (int i = 0; i < rows; i++) memcpy(edge[i], start + i * start_row, (size_t)columns * sizeof(T));
            start = edge[0];
            start_row = 8 * LANES;
        }
        into = edge[0];
        into_row = 8 * LANES;
    }
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < 2 * panels; j++) sum[i][j] =
        start ? *(const FN(vector) *)(start + i * start_row + j * LANES) : (FN(vector)){0};
    if (start && start_row && columns > width) /* what the next panel starts from lies in lines of its own */
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < width; j += LINE)
            __builtin_prefetch(start + i * start_row + width + j);
    const T *at[4]; /* behind the last panel there is nothing to read: the first one stands in, its sums are thrown away */
    UNROLL for (int p = 0; p < panels; p++) at[p] = b + (p * WIDTH < columns ? p : 0) * b_panel;
    for (ptrdiff_t k = 0; k < depth; k++) {
        FN(vector) right[8];
        UNROLL for (int j = 0; j < 2 * panels; j++) right[j] =
            *(const FN(vector) *)(at[j >> 1] + k * b_k + (j & 1) * LANES);
        if (panels == 1 && (rows < 14 || a_k != 1)) /* with more there is no room between the multiply-adds */
            UNROLL for (int j = 0; j < width; j += LINE)
                __builtin_prefetch(at[j / WIDTH] + (k + AHEAD) * b_k + j % WIDTH);
        if (asks) __builtin_prefetch(next + k * LINE, 0, 2);
        if (ROWS_MAX > 8 && a_row == 1 && a_k != 1) __builtin_prefetch(a + AHEAD * a_k); /* not packed, each k lies in a line of its own */
        UNROLL for (int i = 0; i < rows; i++) {
            const FN(vector) left = a[i * a_row] - (FN(vector)){0};
            UNROLL for (int j = 0; j < 2 * panels; j++) sum[i][j] = FMADD(left, right[j], sum[i][j]);
        }
        a += a_k;
    }
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < 2 * panels; j++) *(
        FN(vector) *)(into + i * into_row + j * LANES) = sum[i][j];
    if (columns < width)
        for (int i = 0; i < rows; i++) memcpy(c + i * c_row, edge[i], (size_t)columns * sizeof(T));
}

/* A tile of 1 to ROWS_MAX rows. Few rows take several panels at once: enough independent sums to fill the pipeline. */
#define LOW (VECTOR_BYTES == 64 ? 6 : 3)
#define PANELS(rows) ((rows) <= 2 ? 4 : (rows) <= LOW ? 2 : 1)
#define TILE(rows)                                                                                              \
    case rows:                                                                                                  \
        if (a_k == 1)                                                                                           \
            FN(tile)(depth, a, a_row, 1, b, b_k, b_panel, start, start_row, c, c_row, columns, NULL, rows, PANELS(rows), 0); \
        else                                                                                                    \
            FN(tile)(depth, a, 1, a_k, b, b_k, b_panel, start, start_row, c, c_row, columns, NULL, rows, PANELS(rows), 0); \
        break;
static __attribute__((noinline)) void FN(tiles)(int rows, ptrdiff_t depth, const T *a, ptrdiff_t a_row, ptrdiff_t a_k,
                                                const T *b, ptrdiff_t b_k, ptrdiff_t b_panel, const T *start,
                                                ptrdiff_t start_row, T *c, ptrdiff_t c_row, ptrdiff_t columns) {
    switch (rows) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if ROWS_MAX == 14
        TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12) TILE(13) TILE(14)
#endif
    }
}

#if ROWS_MAX == 14
/* Low tiles that ask, a cache line for each term, for what is wanted `next`. */
#define ASKING(rows)                                                                                                   \
    case rows:                                                                                                         \
        FN(tile)(depth, a, a_row, 1, b, b_k, b_panel, start, start_row, c, c_row, columns, next, rows, PANELS(rows), 1); \
        break;
static __attribute__((noinline)) void FN(tiles_asking)(int rows, ptrdiff_t depth, const T *a, ptrdiff_t a_row, const T *b, ptrdiff_t b_k,
                                                       ptrdiff_t b_panel, const T *start, ptrdiff_t start_row, T *c,
                                                       ptrdiff_t c_row, ptrdiff_t columns, const T *next) {
    switch (rows) { ASKING(4) ASKING(5) ASKING(6) }
}
#endif

/* Four rows of four elements, turned in registers. */
INLINE void FN(turn_four)(const T *a, ptrdiff_t a_row, T *out, ptrdiff_t out_row) {
    FN(four) a0, a1, a2, a3;
    memcpy(&a0, a, sizeof a0), memcpy(&a1, a + a_row, sizeof a1);
    memcpy(&a2, a + 2 * a_row, sizeof a2), memcpy(&a3, a + 3 * a_row, sizeof a3);
    const FN(four) low = __builtin_shufflevector(a0, a1, 0, 4, 1, 5), high = __builtin_shufflevector(a0, a1, 2, 6, 3, 7);
    const FN(four) low2 = __builtin_shufflevector(a2, a3, 0, 4, 1, 5), high2 = __builtin_shufflevector(a2, a3, 2, 6, 3, 7);
    *(FN(four) *)out = __builtin_shufflevector(low, low2, 0, 1, 4, 5);
    *(FN(four) *)(out + out_row) = __builtin_shufflevector(low, low2, 2, 3, 6, 7);
    *(FN(four) *)(out + 2 * out_row) = __builtin_shufflevector(high, high2, 0, 1, 4, 5);
    *(FN(four) *)(out + 3 * out_row) = __builtin_shufflevector(high, high2, 2, 3, 6, 7);
}

/* out[columns, rows] = A[rows, columns]^T, both without gaps; 16 rows at a time, so that whole cache lines are written. */
static void FN(turn)(ptrdiff_t rows, ptrdiff_t columns, const void *source, void *target) {
    const T *a = (const T *)source;
    T *out = (T *)target;
    for (ptrdiff_t i = 0; i < rows; i += 16)
        for (ptrdiff_t j = 0; j < columns; j += 4) {
            const ptrdiff_t tall = rows - i < 16 ? rows - i : 16, wide = columns - j < 4 ? columns - j : 4;
            const ptrdiff_t whole = wide == 4 ? tall / 4 * 4 : 0;
            for (ptrdiff_t r = 0; r < whole; r += 4) FN(turn_four)(a + (i + r) * columns + j, columns, out + j * rows + i + r, rows);
            for (ptrdiff_t r = whole; r < tall; r++)
                for (ptrdiff_t q = 0; q < wide; q++) out[(j + q) * rows + i + r] = a[(i + r) * columns + j + q];
        }
}

/* B[depth, columns] into panels of WIDTH columns, each with its rows one after the other; the last is filled with 0. Returns 1. */
static int FN(pack)(const void *source, ptrdiff_t b_row, ptrdiff_t b_column, ptrdiff_t depth, ptrdiff_t columns,
                     void *target) {
    const T *b = (const T *)source;
    T *out = (T *)target;
    for (ptrdiff_t n = 0; n < columns; n += WIDTH, out += depth * WIDTH) {
        const ptrdiff_t width = columns - n < WIDTH ? columns - n : WIDTH;
        if (b_column == 1 && width == WIDTH) {
            for (ptrdiff_t k = 0; k < depth; k++) memcpy(out + k * WIDTH, b + k * b_row + n, WIDTH * sizeof(T));
            continue;
        }
        if (width < WIDTH) {
            for (ptrdiff_t k = 0; k < depth; k++)
                for (ptrdiff_t j = 0; j < WIDTH; j++)
                    out[k * WIDTH + j] = j < width ? b[k * b_row + (n + j) * b_column] : 0;
            continue;
        }
        ptrdiff_t k = 0;
        for (; b_row == 1 && k + 4 <= depth; k += 4)
            for (ptrdiff_t j = 0; j < WIDTH; j += 4)
                FN(turn_four)(b + (n + j) * b_column + k, b_column, out + k * WIDTH + j, WIDTH);
        for (; k < depth; k++)
            for (ptrdiff_t j = 0; j < WIDTH; j++) out[k * WIDTH + j] = b[k * b_row + (n + j) * b_column];
    }
    return 1;
}

#define ROOM (ROWS_MAX <= 8 ? 8 : 16)
#define DEPTH 320 /* terms at a time: a panel of so many rows stays in the nearest cache, ... */
#define DEEP (ROWS_MAX > 8 ? 640 : DEPTH) /* ... where A is read as it lies in the next one: to begin anew costs more than to read from there */
#define FAR 900000 /* bytes */
#define ROWS_AT_ONCE (12 * ROWS_MAX)

/* Of rows that are cut into tiles of `least` rows, the first `more` of them with one row more: where tile i begins. (A division for
 * each tile would take as long as a small tile.) */
#define TOP(i) ((i) * least + ((i) < more ? (i) : more))

/* `some` rows of A, cut into `count` tiles: each tile term by term, one behind the other. */
static void FN(pack_rows)(const T *a, ptrdiff_t a_row, ptrdiff_t a_k, ptrdiff_t some, ptrdiff_t count, ptrdiff_t depth, T *out) {
    const ptrdiff_t least = some / count, more = some % count;
    ptrdiff_t tops[ROWS_AT_ONCE + 1];
    for (ptrdiff_t i = 0; i <= count; i++) tops[i] = TOP(i);
    for (ptrdiff_t k = 0; k < depth; k++) { /* A is read in the order in which it lies, when its columns are contiguous */
        const T *from = a + k * a_k;
        for (ptrdiff_t i = 0; a_row == 1 && i < some; i += LINE) __builtin_prefetch(from + 4 * a_k + i); /* each k in a page of its own */
        /* Whole vectors: what they read too much lies in the next row of A, what they write too much is written again by the tile's
         * next terms. The last terms have neither; nor have the first, of rows that are taken from the last to the first, a next row. */
        const ptrdiff_t apart = a_k < 0 ? -a_k : a_k;
        const int inside = k < depth - 1 && (a_k > 0 || k > 0) && (depth - k) * least >= ROOM;
        const ptrdiff_t whole = a_row == 1 && apart >= ROOM && inside ? count : 0;
        for (ptrdiff_t i = 0; i < whole; i++)
            memcpy(out + tops[i] * depth + k * (tops[i + 1] - tops[i]), from + tops[i], ROOM * sizeof(T));
        for (ptrdiff_t i = whole; i < count; i++) {
            T *to = out + tops[i] * depth + k * (tops[i + 1] - tops[i]);
            for (ptrdiff_t j = 0; j < tops[i + 1] - tops[i]; j++) to[j] = from[(tops[i] + j) * a_row];
        }
    }
}

/* C = start + A B, `start` being rows (the same one for all if start_row is 0; C itself; or NULL for zeros). B is packed (b_k = WIDTH,
 * b_panel = depth * WIDTH), or a matrix whose rows are contiguous (b_k = the distance of its rows, b_panel = WIDTH) with a whole number
 * of panels. Rows of A that are packed pass through `buffer`, which holds ROWS_AT_ONCE * DEPTH + ROOM elements. */
static void FN(gemm)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, const void *pa, ptrdiff_t a_row, ptrdiff_t a_k,
                     const void *pb, ptrdiff_t b_k, ptrdiff_t b_panel, const void *pstart, ptrdiff_t start_row, void *pc,
                     ptrdiff_t c_row, void *buffer) {
    const T *a = (const T *)pa, *b = (const T *)pb, *start = (const T *)pstart;
    T *c = (T *)pc;
    const int packed = packs(rows, columns, depth, a_row, a_k, WIDTH, sizeof(T));
    if (depth == 0)
        for (ptrdiff_t i = 0; i < rows; i++)
            for (ptrdiff_t n = 0; n < columns; n++) c[i * c_row + n] = start ? start[i * start_row + n] : 0;
    /* Low, broad tiles, which load less beside a multiply-add, where there are rows enough for whole ones; and where those of A would
     * drive each other out of the nearest cache. */
    const int low = ROWS_MAX > 8 && a_k == 1 && (rows >= 4 * LOW || (rows > ROWS_MAX && a_row * (ptrdiff_t)sizeof(T) % 4096 == 0));
#if ROWS_MAX == 14
    /* What the second cache has no room for is asked for while the panels before it are in use: each tile asks for its share. */
    const int far = low && b_k == WIDTH && columns * depth * (ptrdiff_t)sizeof(T) > FAR;
#endif
    /* A large result that begins with nothing or with a bias: few rows at a time fill its lines from end to end, ... */
    const int cold = a_k == 1 && !start_row && rows * c_row * (ptrdiff_t)sizeof(T) > FAR;
    const ptrdiff_t at_once = cold ? 8 * LOW : ROWS_AT_ONCE;
    const ptrdiff_t most = packed ? DEPTH : DEEP, parts = (depth + most - 1) / most;
    for (ptrdiff_t part = 0, from = 0; part < parts; part++) {
        const ptrdiff_t to = part + 1 == parts ? depth : depth * (part + 1) / parts;
        for (ptrdiff_t first = 0; first < rows; first += at_once) {
            const ptrdiff_t some = rows - first < at_once ? rows - first : at_once;
            const ptrdiff_t count = low ? (some + LOW - 1) / LOW : (some + ROWS_MAX - 1) / ROWS_MAX;
            const ptrdiff_t least = (int)some / (int)count, more = some - least * count;
            if (packed) FN(pack_rows)(a + first * a_row + from * a_k, a_row, a_k, some, count, to - from, (T *)buffer);
            const int panels = PANELS(least);
            for (ptrdiff_t n = 0; n < columns; n += panels * WIDTH) {
                const T *panel = b + n / WIDTH * b_panel + from * b_k;
                for (ptrdiff_t i = 0; i < count; i++) {
                    const ptrdiff_t top = TOP(i), height = least + (i < more);
                    const T *left = packed ? (T *)buffer + top * (to - from) : a + (first + top) * a_row + from * a_k;
                    T *target = c + (first + top) * c_row + n;
                    const T *sums = part ? target : start ? start + (first + top) * start_row + n : NULL;
                    const ptrdiff_t sums_row = part ? c_row : start_row;
                    const int wide = PANELS(height);
                    if (cold && !part) /* ... and the lines of a tile come while it is computed */
                        for (ptrdiff_t r = 0; r < height; r++)
                            for (ptrdiff_t j = 0; j < panels * WIDTH; j += LINE) __builtin_prefetch(target + r * c_row + j, 1);
                    for (ptrdiff_t m = 0; m < panels && n + m * WIDTH < columns; m += wide) {
                        ptrdiff_t width = columns - n - m * WIDTH;
#if ROWS_MAX == 14
                        if (far && least >= 4) {
                            const T *after = n + panels * WIDTH < columns ? panel + panels * b_panel : b; /* what is wanted next */
                            const T *next = after + 2 * i / count * b_panel + 2 * i % count * (to - from) / count * WIDTH;
                            FN(tiles_asking)((int)height, to - from, left, a_row, panel, b_k, b_panel, sums, sums_row, target, c_row, width,
                                             next);
                            continue;
                        }
#endif
                        FN(tiles)
                        ((int)height, to - from, left, a_row, packed ? height : a_k, panel + m * b_panel, b_k, b_panel,
                         sums ? sums + m * WIDTH : NULL, sums_row, target + m * WIDTH, c_row, width);
                    }
                }
            }
        }
        from = to;
    }
}

static const Gemm FN(gemms) = {WIDTH, 1, BITS / 8, ROWS_AT_ONCE *DEPTH + ROOM, 0, FN(pack), FN(gemm), FN(turn)};

#undef T
#undef LANES
#undef WIDTH
#undef LINE
#undef AHEAD
#undef ROWS_MAX
#undef FMADD
#undef PANELS
#undef LOW
#undef TILE
#undef ASKING
#undef DEPTH
#undef DEEP
#undef FAR
#undef ROOM
#undef ROWS_AT_ONCE
#undef TOP
