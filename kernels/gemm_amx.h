/* float32 products on AMX, the matrix unit of newer x86 servers; part of gemm.h.
 *
 * The unit multiplies bfloat16, of 8 significant bits. A float32 has 24: it is the sum of three bfloat16, x = x1 + x2 + x3, each what
 * rounding has left of the one before, and a product of two is the sum of six products of their parts; the three left out, x2 y3, x3 y2
 * and x3 y3, are together no more than the rounding of one float32. (That a product of short numbers can stand for one of long ones:
 * Henry, Tang and Heinecke, "Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations", 2019.) Six times
 * the work on a unit that is sixteen times as fast. The sums are float32.
 *
 * Each element is one chain: 32 terms after the other, and for those the six products in the order of `dots`. Its bits depend neither on
 * the rows beside it nor on their number. Parts below 1.2e-38 are taken as zero, so that a number below 1e-33 has fewer digits. An
 * infinity has no parts: rows that hold one are multiplied anew without the unit, and a right side that does is refused. */

#pragma once

/* What a matrix unit offers beyond Gemm. */
typedef struct {
    Gemm gemm;
    ptrdiff_t room; /* bytes that `sum` wants to work in */
    /* C[rows, columns] = A^T B, or that added to C, over `depth` rows of A and B, `a_row` and `b_row` elements apart. 0: there is an
     * infinity or a NaN, and C is not the result. */
    int (*sum)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, const float *a, ptrdiff_t a_row, const float *b, ptrdiff_t b_row, int more,
               float *c, ptrdiff_t c_row, char *buffer);
} Unit;

#if HAVE_AMX

#define AMX __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl"), unused))
#define LOAD(tile, from, apart) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(from), "r"((ptrdiff_t)(apart)) : "memory")
#define STORE(tile, to, apart) __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(to), "r"((ptrdiff_t)(apart)) : "memory")
#define CLEAR(tile) __asm__ volatile("tilezero %%tmm" #tile ::)
#define DOT(sums, left, right) __asm__ volatile("tdpbf16ps %%tmm" #right ", %%tmm" #left ", %%tmm" #sums ::)

enum {
    TILE = 1024,      /* bytes: 16 rows of 64 */
    TERMS = 32,       /* of one row of a tile */
    SIX = 6 * TILE,   /* 32 rows or columns of so many terms: part 1 of the first 16, of the others, then parts 2 and 3 */
    TERMS_PACKED = 512, /* terms and rows of A at a time, where B is packed already: they stay in the second cache */
    ROWS_PACKED = 128,
    TERMS_FRESH = 128, /* the same where it is not, and columns of B */
    ROWS_FRESH = 512,
    COLUMNS_FRESH = 256
};

typedef const float *Source;

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

/* 32 columns of B over `depth` terms, for each 32 of those SIX bytes: a row of a tile holds terms k and k + 16 by turns. 0: not all is finite. */
static AMX int pack_columns(Source b, ptrdiff_t b_row, ptrdiff_t b_column, ptrdiff_t depth, ptrdiff_t columns, char *to) {
    __m512 sum = _mm512_setzero_ps();
    for (ptrdiff_t k = 0; k < depth; k += TERMS, to += SIX)
        for (ptrdiff_t n = 0; n < 32; n += 16)
            for (ptrdiff_t i = 0; i < 16; i += 4) {
                __m512 x[4], y[4];
                Source at = b + (k + i) * b_row + n * b_column;
                four(at, b_row, b_column, depth - k - i, columns - n, x);
                four(at + 16 * b_row, b_row, b_column, depth - k - i - 16, columns - n, y);
                UNROLL for (int j = 0; j < 4; j++) in_parts(x[j], y[j], to + n / 16 * TILE + 64 * (i + j), 2 * TILE, &sum);
            }
    return !has_nan(sum);
}

/* Up to 32 rows of A over `depth` terms in the same way. */
static AMX int pack_rows(Source a, ptrdiff_t a_row, ptrdiff_t a_k, ptrdiff_t rows, ptrdiff_t depth, char *to) {
    __m512 sum = _mm512_setzero_ps();
    for (ptrdiff_t k = 0; k < depth; k += TERMS, to += SIX)
        for (ptrdiff_t i = 0; i < 32 && i < rows; i += 4) {
            __m512 x[4], y[4];
            Source at = a + i * a_row + k * a_k;
            four(at, a_row, a_k, rows - i, depth - k, x);
            four(at + 16 * a_k, a_row, a_k, rows - i, depth - k - 16, y);
            UNROLL for (int j = 0; j < 4; j++) in_parts(x[j], y[j], to + i / 16 * TILE + 64 * (i % 16 + j), 2 * TILE, &sum);
        }
    return !has_nan(sum);
}

/* The sums of a tile of 32 (or, unless `both`, 16) rows and 32 columns, in the registers 0 to 3. */
static AMX inline void dots(const char *a, const char *b, ptrdiff_t blocks, const int both) {
#define A(part) LOAD(4, a + 2 * (part - 1) * TILE, 64); if (both) LOAD(5, a + (2 * part - 1) * TILE, 64)
#define B(part) LOAD(6, b + 2 * (part - 1) * TILE, 64); LOAD(7, b + (2 * part - 1) * TILE, 64)
#define FOUR DOT(0, 4, 6); DOT(1, 4, 7); if (both) { DOT(2, 5, 6); DOT(3, 5, 7); }
    for (ptrdiff_t k = 0; k < blocks; k++, a += SIX, b += SIX) {
        A(1); B(3); FOUR
        B(2); FOUR
        A(2); FOUR
        B(1); FOUR
        A(3); FOUR
        A(1); FOUR
    }
#undef A
#undef B
#undef FOUR
}

/* C = start + A B for up to 32 rows and columns and one stretch of terms. Where the registers reach beyond C a copy stands in: behind its
 * last column, and behind its last row unless they are `cut` to that. */
static AMX void tile(ptrdiff_t rows, int cut, ptrdiff_t columns, const char *a, const char *b, ptrdiff_t blocks, Source start, ptrdiff_t start_row,
                     float *c, ptrdiff_t c_row) {
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
    if (both)
        dots(a, b, blocks, 1);
    else
        dots(a, b, blocks, 0);
    STORE(0, into, 4 * into_row);
    STORE(1, into + 16, 4 * into_row);
    if (both) {
        STORE(2, into + 16 * into_row, 4 * into_row);
        STORE(3, into + 16 * into_row + 16, 4 * into_row);
    }
    for (ptrdiff_t i = 0; i < rows && !whole; i++) memcpy(c + i * c_row, edge + 32 * i, (size_t)columns * sizeof(float));
}

static AMX int has_infinity(Source a, ptrdiff_t a_k, ptrdiff_t depth) {
    for (ptrdiff_t k = 0; k < depth; k++)
        if (!(a[k * a_k] - a[k * a_k] == 0) && a[k * a_k] == a[k * a_k]) return 1;
    return 0;
}

/* One row times a packed B, number by number. */
static AMX void plain_row(Source a, ptrdiff_t a_k, const char *b, ptrdiff_t depth, ptrdiff_t columns, Source start, float *c) {
    const ptrdiff_t blocks = (depth + TERMS - 1) / TERMS;
    for (ptrdiff_t n = 0; n < columns; n++) {
        float sum = start ? start[n] : 0;
        for (ptrdiff_t k = 0; k < depth; k++) {
            const char *at = b + (n / 32 * blocks + k / TERMS) * SIX + n % 32 / 16 * TILE + k % 16 * 64 + n % 16 * 4 + k % TERMS / 16 * 2;
            float value = 0;
            for (int part = 2; part >= 0; part--) {
                uint32_t bits = 0;
                memcpy((char *)&bits + 2, at + 2 * part * TILE, 2);
                float number;
                memcpy(&number, &bits, 4);
                value += number;
            }
            sum += a[k * a_k] * value;
        }
        c[n] = sum;
    }
}

/* C = start + A B for rows and columns whose parts are packed: 32 of A `a_part` bytes from the next, 32 of B `b_part`. */
static AMX void tiles(ptrdiff_t rows, int cut, ptrdiff_t columns, const char *a, ptrdiff_t a_part, const char *b, ptrdiff_t b_part,
                      ptrdiff_t blocks, Source start, ptrdiff_t start_row, float *c, ptrdiff_t c_row) {
    for (ptrdiff_t n = 0; n < columns; n += 32)
        for (ptrdiff_t i = 0; i < rows; i += 32)
            tile(rows - i, cut, columns - n, a + i / 32 * a_part, b + n / 32 * b_part, blocks, start ? start + i * start_row + n : NULL,
                 start_row, c + i * c_row + n, c_row);
}

static AMX void amx_gemm(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, const void *pa, ptrdiff_t a_row, ptrdiff_t a_k, const void *b,
                         ptrdiff_t b_k, ptrdiff_t b_panel, const void *pstart, ptrdiff_t start_row, void *pc, ptrdiff_t c_row, void *buffer) {
    const ptrdiff_t b_part = (depth + TERMS - 1) / TERMS * SIX;
    begin_tiles(rows);
    for (ptrdiff_t first = 0; first < rows; first += ROWS_PACKED) {
        const ptrdiff_t some = rows - first < ROWS_PACKED ? rows - first : ROWS_PACKED;
        Source a = (Source)pa + first * a_row, start = pstart ? (Source)pstart + first * start_row : NULL;
        float *c = (float *)pc + first * c_row;
        int finite = 1;
        for (ptrdiff_t k = 0; k < depth; k += TERMS_PACKED) {
            const ptrdiff_t terms = depth - k < TERMS_PACKED ? depth - k : TERMS_PACKED, blocks = (terms + TERMS - 1) / TERMS;
            for (ptrdiff_t i = 0; i < some; i += 32)
                finite &= pack_rows(a + i * a_row + k * a_k, a_row, a_k, some - i, terms, (char *)buffer + i / 32 * blocks * SIX);
            tiles(some, rows < 32, columns, (char *)buffer, blocks * SIX, (const char *)b + k / TERMS * SIX, b_part, blocks, k ? c : start,
                  k ? c_row : start_row, c, c_row);
        }
        for (ptrdiff_t i = 0; i < some && !finite; i++)
            if (has_infinity(a + i * a_row, a_k, depth))
                plain_row(a + i * a_row, a_k, (const char *)b, depth, columns, start ? start + i * start_row : NULL, c + i * c_row);
    }
    end_tiles();
}

static AMX int amx_sum(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, Source a, ptrdiff_t a_row, Source b, ptrdiff_t b_row, int more,
                       float *c, ptrdiff_t c_row, char *buffer) {
    const ptrdiff_t blocks = TERMS_FRESH / TERMS;
    char *right = buffer + ROWS_FRESH / 32 * blocks * SIX;
    int finite = 1;
    begin_tiles(32);
    for (ptrdiff_t top = 0; top < rows; top += ROWS_FRESH)
        for (ptrdiff_t k = 0; k < depth; k += TERMS_FRESH) {
            const ptrdiff_t some = rows - top < ROWS_FRESH ? rows - top : ROWS_FRESH, last = depth - k < TERMS_FRESH ? depth : k + TERMS_FRESH;
            for (ptrdiff_t t = k; t < last; t += TERMS)
                for (ptrdiff_t i = 0; i < some; i += 32)
                    finite &= pack_rows(a + top + i + t * a_row, 1, a_row, some - i, last - t < TERMS ? last - t : TERMS,
                                        buffer + (i / 32 * blocks + (t - k) / TERMS) * SIX);
            for (ptrdiff_t left = 0; left < columns; left += COLUMNS_FRESH) {
                const ptrdiff_t wide = columns - left < COLUMNS_FRESH ? columns - left : COLUMNS_FRESH;
                for (ptrdiff_t t = k; t < last; t += TERMS)
                    for (ptrdiff_t n = 0; n < wide; n += 32)
                        finite &= pack_columns(b + left + n + t * b_row, b_row, 1, last - t < TERMS ? last - t : TERMS, wide - n,
                                               right + (n / 32 * blocks + (t - k) / TERMS) * SIX);
                float *to = c + top * c_row + left;
                tiles(some, 0, wide, buffer, blocks * SIX, right, blocks * SIX, (last - k + TERMS - 1) / TERMS, more || k ? to : NULL, c_row,
                      to, c_row);
            }
        }
    end_tiles();
    return finite;
}

static AMX int amx_pack(const void *b, ptrdiff_t b_row, ptrdiff_t b_column, ptrdiff_t depth, ptrdiff_t columns, void *out) {
    const ptrdiff_t panel = (depth + TERMS - 1) / TERMS * SIX;
    int finite = 1;
    for (ptrdiff_t n = 0; n < columns; n += 32)
        finite &= pack_columns((Source)b + n * b_column, b_row, b_column, depth, columns - n, (char *)out + n / 32 * panel);
    return finite;
}

static const Unit amx = {{32, TERMS, 3 * 2, ROWS_PACKED / 32 * (TERMS_PACKED / TERMS) * SIX / 4, 1, amx_pack, amx_gemm},
                         (ROWS_FRESH + COLUMNS_FRESH) / 32 * (TERMS_FRESH / TERMS) * SIX, amx_sum};
static const Unit *const amx_unit = &amx;

#undef AMX
#undef LOAD
#undef STORE
#undef CLEAR
#undef DOT
#else
static const Unit *const amx_unit = NULL;
#endif
