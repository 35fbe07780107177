/* float32 products on AMX, the matrix unit of newer x86 servers; part of gemm.h.
 *
 * The unit multiplies bfloat16, of 8 significant bits. A float32 has 24: it is the sum of three bfloat16, x = x1 + x2 + x3, each what
 * rounding has left of the one before, and a product of two is the sum of six products of their parts; the three left out, x2 y3, x3 y2
 * and x3 y3, are together no more than one float32 is rounded by. (That a product of short numbers can stand for one of long ones:
 * Henry, Tang and Heinecke, "Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations", 2019.) Six times
 * the work on a unit that is sixteen times as fast. The sums are float32.
 *
 * Each element is one chain: 32 terms after the other, and for those the six products in the order of `dots`. Its bits depend neither on
 * the rows beside it nor on their number. Parts below 1.2e-38 are taken as zero, so that a number below 1e-33 has fewer digits. An
 * infinity has no parts: rows that hold one are multiplied anew without the unit, and a right side that does is refused. */

#pragma once

/* Rows that are summed over: `count` of them, from number `first` on, `group` one behind the other and `apart` from group to group. */
typedef struct {
    ptrdiff_t count, first, group, apart;
} Terms;

/* What a matrix unit offers beyond Gemm. */
typedef struct {
    Gemm gemm;
    ptrdiff_t room; /* bytes that `sum` wants to work in */
    /* C[rows, columns] = A^T B, or that added to C, over rows of A and B, `a_row` and `b_row` elements apart; groups of them are multiples
     * of 16. 0: there is an infinity or a NaN, and C is not the result. */
    int (*sum)(ptrdiff_t rows, ptrdiff_t columns, Terms terms, const float *a, ptrdiff_t a_row, const float *b, ptrdiff_t b_row, int more,
               float *c, ptrdiff_t c_row, char *buffer);
    void (*turn)(ptrdiff_t rows, ptrdiff_t columns, const float *a, const float *more, float *out); /* out = (A + more)^T; more or NULL */
} Unit;

#if HAVE_AMX

#define AMX __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl"), unused))
#define LOAD(tile, from, apart) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(from), "r"((ptrdiff_t)(apart)) : "memory")
#define STORE(tile, to, apart) __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(to), "r"((ptrdiff_t)(apart)) : "memory")
#define CLEAR(tile) __asm__ volatile("tilezero %%tmm" #tile ::)
#define DOT(sums, left, right) __asm__ volatile("tdpbf16ps %%tmm" #right ", %%tmm" #left ", %%tmm" #sums ::)

enum {
    TILE = 1024,    /* bytes: 16 rows of 64 */
    TERMS = 32,     /* of one row of a tile */
    SIX = 6 * TILE, /* 32 rows or columns of so many terms: part 1 of the first 16, of the others, then parts 2 and 3 */
    TERMS_PACKED = 512, /* terms and rows of A at a time, where B is packed already: they stay in the second cache */
    ROWS_PACKED = 128,
    TERMS_FRESH = 128, /* the same where it is not, and columns of B */
    ROWS_FRESH = 256,
    COLUMNS_FRESH = 256,
    PANEL = TERMS_FRESH / TERMS * SIX,
    NEAR = 1 << 20 /* bytes of B that rows of tiles pass over: they stay in the second cache */
};
#define BLOCKS(count) (((count) + 31) / 32)

typedef const float *Source;

static inline ptrdiff_t at_most(ptrdiff_t x, ptrdiff_t most) { return x < most ? x : most; }

/* Registers 0 and 1 hold sums of the rows in 4, 2 and 3 of those in 5: 16 each, or as many as there are. */
static AMX inline void begin_tiles(ptrdiff_t rows) {
    struct {
        uint8_t palette, start, none[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape __attribute__((aligned(64))) = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    if (rows < 16) shape.rows[0] = shape.rows[1] = shape.rows[4] = (uint8_t)rows;
    if (rows > 16 && rows < 32) shape.rows[2] = shape.rows[3] = shape.rows[5] = (uint8_t)(rows - 16);
    __asm__ volatile("ldtilecfg %0" ::"m"(shape));
}

static AMX inline void end_tiles(void) { __asm__ volatile("tilerelease" ::); }

/* Twice 16 numbers as three times 32 bfloat16, those of x and y by turns. What is no finite bfloat16 makes `sum` NaN. */
static AMX inline void in_parts(__m512 x, __m512 y, char *to, ptrdiff_t apart, __m512 *sum) {
    const __m512i half = _mm512_set1_epi32(0x8000), first = _mm512_set1_epi32((int)0xffff0000u);
    UNROLL for (int part = 0; part < 3; part++, to += apart) {
        __m512i a = (__m512i)x, b = (__m512i)y;
        if (part < 2) {
            a = _mm512_and_si512(_mm512_add_epi32(a, half), first), b = _mm512_and_si512(_mm512_add_epi32(b, half), first);
            x = _mm512_sub_ps(x, (__m512)a), y = _mm512_sub_ps(y, (__m512)b);
        }
        _mm512_store_si512(to, _mm512_ternarylogic_epi32(_mm512_srli_epi32(a, 16), b, first, 0xf8)); /* the one or the other's first half */
    }
    *sum = _mm512_add_ps(*sum, _mm512_add_ps(x, y));
}

static AMX inline int has_nan(__m512 x) { return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q) != 0; }

/* Four rows of a matrix of up to 16 columns, `rows` of them within it: zeros elsewhere. */
static AMX inline void four(Source from, ptrdiff_t row, ptrdiff_t column, ptrdiff_t rows, ptrdiff_t columns, __m512 *out) {
    if (column == 1) {
        const __mmask16 there = (__mmask16)(columns >= 16 ? 0xffff : columns > 0 ? (1 << columns) - 1 : 0);
        UNROLL for (ptrdiff_t i = 0; i < 4; i++) out[i] = _mm512_maskz_loadu_ps(i < rows ? there : 0, from + i * row);
    } else if (row == 1 && rows >= 4 && columns >= 16) { /* the rows lie side by side: four by four, turned */
        __m512 x[4];
        UNROLL for (int i = 0; i < 4; i++) {
            Source at = from + i * column;
            x[i] = _mm512_castps128_ps512(_mm_loadu_ps(at));
            x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(at + 4 * column), 1);
            x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(at + 8 * column), 2);
            x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(at + 12 * column), 3);
        }
        const __m512d a = (__m512d)_mm512_unpacklo_ps(x[0], x[1]), b = (__m512d)_mm512_unpackhi_ps(x[0], x[1]);
        const __m512d c = (__m512d)_mm512_unpacklo_ps(x[2], x[3]), d = (__m512d)_mm512_unpackhi_ps(x[2], x[3]);
        out[0] = (__m512)_mm512_unpacklo_pd(a, c), out[1] = (__m512)_mm512_unpackhi_pd(a, c);
        out[2] = (__m512)_mm512_unpacklo_pd(b, d), out[3] = (__m512)_mm512_unpackhi_pd(b, d);
    } else {
        for (ptrdiff_t i = 0; i < 4; i++) {
            float copy[16];
            for (ptrdiff_t j = 0; j < 16; j++) copy[j] = i < rows && j < columns ? from[i * row + j * column] : 0;
            out[i] = _mm512_loadu_ps(copy);
        }
    }
}

/* An eighth of 32 columns of B over 32 terms, SIX bytes in all: a row of a tile holds terms k and k + 16 by turns. `far` is term 16. */
static AMX inline void pack_columns(Source b, Source far, ptrdiff_t b_row, ptrdiff_t b_column, ptrdiff_t depth, ptrdiff_t columns, char *to,
                                    ptrdiff_t eighth, __m512 *sum) {
    const ptrdiff_t i = eighth % 4 * 4, n = eighth / 4 * 16;
    __m512 x[4], y[4];
    four(b + i * b_row + n * b_column, b_row, b_column, depth - i, columns - n, x);
    four(far + i * b_row + n * b_column, b_row, b_column, depth - i - 16, columns - n, y);
    UNROLL for (int j = 0; j < 4; j++) in_parts(x[j], y[j], to + n / 16 * TILE + 64 * (i + j), 2 * TILE, sum);
}

/* An eighth of 32 rows of A over 32 terms, in the same way. */
static AMX inline void pack_rows(Source a, Source far, ptrdiff_t a_row, ptrdiff_t a_k, ptrdiff_t rows, ptrdiff_t depth, char *to,
                                 ptrdiff_t eighth, __m512 *sum) {
    const ptrdiff_t i = 4 * eighth;
    __m512 x[4], y[4];
    if (i >= rows) return;
    four(a + i * a_row, a_row, a_k, rows - i, depth, x);
    four(far + i * a_row, a_row, a_k, rows - i, depth - 16, y);
    UNROLL for (int j = 0; j < 4; j++) in_parts(x[j], y[j], to + i / 16 * TILE + 64 * (i % 16 + j), 2 * TILE, sum);
}

/* Matrices A and B with a row for each term, on their way into tiles as A^T and B: an eighth of 32 by 32 at a time. */
typedef struct {
    Source a, b;
    ptrdiff_t a_row, b_row, rows, columns;
    Terms terms;
    char *to_a, *to_b;
    ptrdiff_t term, group, eighth; /* what is next ... */
    ptrdiff_t near, far;           /* ... and the rows of its first term and of the 16th behind that */
    __m512 sum;
} Packing;

/* The place of a term among all rows. */
static inline ptrdiff_t place_of(Terms terms, ptrdiff_t term) {
    term += terms.first;
    return term / terms.group * terms.apart + term % terms.group;
}

static AMX inline int pack_next(Packing *p) {
    const ptrdiff_t t = p->term, left = p->terms.count - t, i = 32 * p->group, n = i - 32 * BLOCKS(p->rows);
    if (left <= 0) return 0;
    if (i == 0 && p->eighth == 0) p->near = place_of(p->terms, t), p->far = place_of(p->terms, t + 16);
    if (n < 0)
        pack_rows(p->a + i + p->near * p->a_row, p->a + i + p->far * p->a_row, 1, p->a_row, p->rows - i, left,
                  p->to_a + i / 32 * PANEL + t / TERMS * SIX, p->eighth, &p->sum);
    else
        pack_columns(p->b + n + p->near * p->b_row, p->b + n + p->far * p->b_row, p->b_row, 1, left, p->columns - n,
                     p->to_b + n / 32 * PANEL + t / TERMS * SIX, p->eighth, &p->sum);
    if (++p->eighth == 8) {
        p->eighth = 0;
        if (n + 32 >= p->columns) p->group = 0, p->term += TERMS;
        else p->group++;
    }
    return 1;
}

/* The sums of a tile of 32 (or, unless `both`, 16) rows and 32 columns, in the registers 0 to 3. Beside the unit there is room for other
 * work: `some` parts of a packing. */
static AMX inline void dots(const char *a, const char *b, ptrdiff_t blocks, const int both, Packing *beside, ptrdiff_t some) {
#define A(part) LOAD(4, a + 2 * (part - 1) * TILE, 64); if (both) LOAD(5, a + (2 * part - 1) * TILE, 64)
#define B(part) LOAD(6, b + 2 * (part - 1) * TILE, 64); LOAD(7, b + (2 * part - 1) * TILE, 64)
#define FOUR DOT(0, 4, 6); DOT(1, 4, 7); if (both) { DOT(2, 5, 6); DOT(3, 5, 7); }
    for (ptrdiff_t k = 0; k < blocks; k++, a += SIX, b += SIX) {
#define BESIDE(turn) for (ptrdiff_t i = turn; beside && i < some; i += 6) pack_next(beside)
        A(1); B(3); FOUR
        BESIDE(0);
        B(2); FOUR
        BESIDE(3);
        A(2); FOUR
        BESIDE(1);
        B(1); FOUR
        BESIDE(4);
        A(3); FOUR
        BESIDE(2);
        A(1); FOUR
        BESIDE(5);
#undef BESIDE
    }
#undef A
#undef B
#undef FOUR
}

/* C = start + A B for up to 32 rows and columns and one stretch of terms. Where the registers reach beyond C a copy stands in: behind its
 * last column, and behind its last row unless they are `cut` to that. */
static AMX void tile(ptrdiff_t rows, int cut, ptrdiff_t columns, const char *a, const char *b, ptrdiff_t blocks, Source start,
                     ptrdiff_t start_row, float *c, ptrdiff_t c_row, Packing *beside, ptrdiff_t some) {
    float edge[32 * 32] __attribute__((aligned(64)));
    const int whole = columns >= 32 && (cut || rows >= 32 || rows == 16), both = rows > 16;
    float *into = whole ? c : edge;
    const ptrdiff_t into_row = whole ? c_row : 32;
    if (rows > 32) rows = 32;
    if (columns > 32) columns = 32;
    if (start && !whole) {
        for (ptrdiff_t i = 0; i < rows; i++) memcpy(edge + 32 * i, start + i * start_row, (size_t)columns * sizeof(float));
        start = edge, start_row = 32;
    }
    if (start) {
        LOAD(0, start, 4 * start_row);
        LOAD(1, start + 16, 4 * start_row);
    } else {
        CLEAR(0);
        CLEAR(1);
    }
    if (start && both) {
        LOAD(2, start + 16 * start_row, 4 * start_row);
        LOAD(3, start + 16 * start_row + 16, 4 * start_row);
    } else {
        CLEAR(2);
        CLEAR(3);
    }
    if (both && beside)
        dots(a, b, blocks, 1, beside, some);
    else if (both)
        dots(a, b, blocks, 1, NULL, 0);
    else
        dots(a, b, blocks, 0, NULL, 0);
    STORE(0, into, 4 * into_row);
    STORE(1, into + 16, 4 * into_row);
    if (both) {
        STORE(2, into + 16 * into_row, 4 * into_row);
        STORE(3, into + 16 * into_row + 16, 4 * into_row);
    }
    for (ptrdiff_t i = 0; i < rows && !whole; i++) memcpy(c + i * c_row, edge + 32 * i, (size_t)columns * sizeof(float));
}

/* Whether a row holds an infinity, or what is rounded to one. */
static AMX int has_infinity(Source a, ptrdiff_t a_k, ptrdiff_t depth) {
    for (ptrdiff_t k = 0; k < depth; k++)
        if (a[k * a_k] >= 3.38e38f || a[k * a_k] <= -3.38e38f) return 1;
    return 0;
}

/* Rows of A that hold an infinity times a packed B, whose numbers are put together again, on AVX-512. */
static AMX void plain_rows(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, Source a, ptrdiff_t a_row, ptrdiff_t a_k, const char *b,
                           Source start, ptrdiff_t start_row, float *c, ptrdiff_t c_row, void *buffer) {
    const ptrdiff_t b_part = BLOCKS(depth) * SIX;
    char here[ROWS_PACKED];
    for (ptrdiff_t i = 0; i < rows; i++) here[i] = (char)has_infinity(a + i * a_row, a_k, depth);
    for (ptrdiff_t k = 0; k < depth; k += TERMS)
        for (ptrdiff_t n = 0; n < columns; n += 32) {
            float panel[TERMS][32] __attribute__((aligned(64)));
            for (ptrdiff_t i = 0; i < TERMS; i++)
                for (ptrdiff_t j = 0; j < 32; j++) {
                    const char *at = b + n / 32 * b_part + k / TERMS * SIX + j / 16 * TILE + i % 16 * 64 + j % 16 * 4 + i / 16 * 2;
                    panel[i][j] = 0;
                    for (int part = 2; part >= 0; part--) { /* a bfloat16 is the first half of a float32 */
                        uint16_t half;
                        memcpy(&half, at + 2 * part * TILE, sizeof half);
                        const uint32_t bits = (uint32_t)half << 16;
                        float number;
                        memcpy(&number, &bits, sizeof number);
                        panel[i][j] += number;
                    }
                }
            for (ptrdiff_t i = 0; i < rows; i++) {
                float *to = c + i * c_row + n;
                Source from = k ? to : start ? start + i * start_row + n : NULL;
                if (here[i])
                    gemms_32_avx512.gemm(1, at_most(columns - n, 32), at_most(depth - k, TERMS), a + i * a_row + k * a_k, a_row, a_k, panel,
                                         32, 0, from, 0, to, c_row, buffer);
            }
        }
}

/* C = start + A B for rows and columns whose parts are packed: 32 of A `a_part` bytes from the next, 32 of B `b_part`. */
static AMX void tiles(ptrdiff_t rows, int cut, ptrdiff_t columns, const char *a, ptrdiff_t a_part, const char *b, ptrdiff_t b_part,
                      ptrdiff_t blocks, Source start, ptrdiff_t start_row, float *c, ptrdiff_t c_row, Packing *beside, ptrdiff_t some) {
    const ptrdiff_t wide = NEAR / (blocks * SIX) > 1 ? NEAR / (blocks * SIX) * 32 : 32;
    for (ptrdiff_t left = 0; left < columns; left += wide)
        for (ptrdiff_t i = 0; i < rows; i += 32)
            for (ptrdiff_t n = left; n < columns && n < left + wide; n += 32)
                tile(rows - i, cut, columns - n, a + i / 32 * a_part, b + n / 32 * b_part, blocks,
                     start ? start + i * start_row + n : NULL, start_row, c + i * c_row + n, c_row, beside, some);
}

static AMX void amx_gemm(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, const void *pa, ptrdiff_t a_row, ptrdiff_t a_k,
                         const void *b, ptrdiff_t b_k, ptrdiff_t b_panel, const void *pstart, ptrdiff_t start_row, void *pc,
                         ptrdiff_t c_row, void *buffer) {
    const ptrdiff_t b_part = BLOCKS(depth) * SIX;
    begin_tiles(rows);
    for (ptrdiff_t first = 0; first < rows; first += ROWS_PACKED) {
        const ptrdiff_t some = at_most(rows - first, ROWS_PACKED);
        Source a = (Source)pa + first * a_row, start = pstart ? (Source)pstart + first * start_row : NULL;
        float *c = (float *)pc + first * c_row;
        __m512 sum = _mm512_setzero_ps();
        for (ptrdiff_t k = 0; k < depth; k += TERMS_PACKED) {
            const ptrdiff_t terms = at_most(depth - k, TERMS_PACKED), blocks = BLOCKS(terms);
            for (ptrdiff_t i = 0; i < some; i += 32)
                for (ptrdiff_t t = 0; t < terms; t += TERMS)
                    for (ptrdiff_t eighth = 0; eighth < 8; eighth++)
                        pack_rows(a + i * a_row + (k + t) * a_k, a + i * a_row + (k + t + 16) * a_k, a_row, a_k, some - i, terms - t,
                                  (char *)buffer + (i / 32 * blocks + t / TERMS) * SIX, eighth, &sum);
            tiles(some, rows < 32, columns, (char *)buffer, blocks * SIX, (const char *)b + k / TERMS * SIX, b_part, blocks, k ? c : start,
                  k ? c_row : start_row, c, c_row, NULL, 0);
        }
        if (has_nan(sum)) plain_rows(some, columns, depth, a, a_row, a_k, (const char *)b, start, start_row, c, c_row, buffer);
    }
    end_tiles();
}

/* A stretch of a sum of outer products. */
typedef struct {
    ptrdiff_t top, term, left;      /* the row, term and column with which it begins */
    ptrdiff_t rows, terms, columns; /* how much it is; no rows: there is none */
    char *a, *b;                    /* where its parts are */
} Stretch;

enum { A_ROOM = ROWS_FRESH / 32 * PANEL, B_ROOM = COLUMNS_FRESH / 32 * PANEL }; /* each twice: for this stretch and the next */

static inline Stretch following(Stretch s, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, char *buffer) {
    s.left += s.columns;
    if (s.left >= columns) s.left = 0, s.term += s.terms;
    if (s.term >= depth) s.term = 0, s.top += s.rows;
    s.rows = at_most(rows - s.top, ROWS_FRESH), s.columns = at_most(columns - s.left, COLUMNS_FRESH);
    s.terms = at_most(depth - s.term, TERMS_FRESH);
    if (s.left == 0) s.a = buffer + (s.a == buffer) * A_ROOM; /* other columns go with the same rows */
    s.b = buffer + 2 * A_ROOM + (s.b == buffer + 2 * A_ROOM) * B_ROOM;
    return s;
}

static AMX inline Packing packing(const Stretch *s, Source a, ptrdiff_t a_row, Source b, ptrdiff_t b_row, Terms terms, __m512 sum) {
    const Terms these = {s->terms, terms.first + s->term, terms.group, terms.apart};
    Packing p = {a + s->top, b + s->left, a_row, b_row, s->left ? 0 : s->rows, s->columns, these, s->a, s->b, 0, 0, 0, 0, 0, sum};
    return p;
}

static AMX int amx_sum(ptrdiff_t rows, ptrdiff_t columns, Terms terms, Source a, ptrdiff_t a_row, Source b, ptrdiff_t b_row, int more,
                       float *c, ptrdiff_t c_row, char *buffer) {
    Stretch now = {.top = 0};
    now = following(now, rows, columns, terms.count, buffer);
    Packing next = packing(&now, a, a_row, b, b_row, terms, _mm512_setzero_ps());
    while (pack_next(&next)) continue;
    begin_tiles(32);
    while (now.rows > 0) { /* multiplies one stretch and packs the next one */
        const Stretch then = following(now, rows, columns, terms.count, buffer);
        const ptrdiff_t turns = BLOCKS(now.rows) * BLOCKS(now.columns) * BLOCKS(now.terms);
        ptrdiff_t work = 0;
        if (then.rows > 0) {
            next = packing(&then, a, a_row, b, b_row, terms, next.sum);
            work = 8 * (BLOCKS(next.rows) + BLOCKS(next.columns)) * BLOCKS(then.terms);
        }
        float *to = c + now.top * c_row + now.left;
        tiles(now.rows, 0, now.columns, now.a, PANEL, now.b, PANEL, BLOCKS(now.terms), more || now.term ? to : NULL, c_row, to, c_row,
              work ? &next : NULL, (work + turns - 1) / turns);
        while (work && pack_next(&next)) continue;
        now = then;
    }
    end_tiles();
    return !has_nan(next.sum);
}

static AMX void amx_turn(ptrdiff_t rows, ptrdiff_t columns, Source a, Source more, float *out) {
    for (ptrdiff_t i = 0; i < rows; i += 16)
        for (ptrdiff_t j = 0; j < columns; j += 4) {
            const __mmask16 there = (__mmask16)((1 << at_most(rows - i, 16)) - 1);
            __m512 x[4], y[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
            four(a + i * columns + j, 1, columns, columns - j, rows - i, x);
            if (more) four(more + i * columns + j, 1, columns, columns - j, rows - i, y);
            for (ptrdiff_t q = 0; q < 4 && j + q < columns; q++)
                _mm512_mask_storeu_ps(out + (j + q) * rows + i, there, more ? _mm512_add_ps(x[q], y[q]) : x[q]);
        }
}

static AMX int amx_pack(const void *b, ptrdiff_t b_row, ptrdiff_t b_column, ptrdiff_t depth, ptrdiff_t columns, void *out) {
    const ptrdiff_t panel = BLOCKS(depth) * SIX;
    __m512 sum = _mm512_setzero_ps();
    for (ptrdiff_t n = 0; n < columns; n += 32)
        for (ptrdiff_t k = 0; k < depth; k += TERMS)
            for (ptrdiff_t eighth = 0; eighth < 8; eighth++)
                pack_columns((Source)b + k * b_row + n * b_column, (Source)b + (k + 16) * b_row + n * b_column, b_row, b_column, depth - k,
                             columns - n, (char *)out + n / 32 * panel + k / TERMS * SIX, eighth, &sum);
    return !has_nan(sum);
}

static const Unit amx = {{32, TERMS, 3 * 2, ROWS_PACKED / 32 * (TERMS_PACKED / TERMS) * SIX / 4, 1, amx_pack, amx_gemm, NULL},
                         2 * (A_ROOM + B_ROOM), amx_sum, amx_turn};
static const Unit *const amx_unit = &amx;

#undef AMX
#undef LOAD
#undef STORE
#undef CLEAR
#undef DOT
#undef BLOCKS
#else
static const Unit *const amx_unit = NULL;
#endif
