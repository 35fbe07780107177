/* The formulas and the loops, for one element type on one instruction set. simd.h includes this file once for each pair
 * and says which by three macros: BITS (32 or 64), HAVE_FMA (0 or 1) and FN(name), which gives a name its suffix.
 *
 * Every formula is a scalar function without branches, so that the compiler turns the loop around it into vector code;
 * what is a choice is written `c ? a : b`, both sides computed. A vector body and its scalar tail run the same
 * operations in the same order (the build has -ffp-contract=off, and MADD contracts by name), so an element's bits
 * depend on nothing but the element. Instruction sets with and without FMA may differ in the last bits.
 *
 * Polynomials are minimax fits of their degree. How far each function is from the truth: campaigns/ulp.py. */

#if BITS == 32
#define T float
#define WORD uint32_t
#define INT int32_t
#define MANTISSA 23
#define BIAS 127
#define FABS __builtin_fabsf
#define SQRT __builtin_sqrtf
#define FMA __builtin_fmaf
#define PICK(single, double_) single##f /* a constant */
#else
#define T double
#define WORD uint64_t
#define INT int64_t
#define MANTISSA 52
#define BIAS 1023
#define FABS __builtin_fabs
#define SQRT __builtin_sqrt
#define FMA __builtin_fma
#define PICK(single, double_) double_
#endif

#if HAVE_FMA
#define MADD(a, b, c) FMA(a, b, c)
#else
#define MADD(a, b, c) ((a) * (b) + (c)) /* without the instruction, the builtin would be a slow call */
#endif

#define SIGN_BIT ((WORD)1 << (BITS - 1))
#define INFINITE ((T)__builtin_inf())
#define ROUNDER ((T)3 * ((WORD)1 << (MANTISSA - 1))) /* x + ROUNDER has no fraction bits left: adding it rounds x */

/* ---- helpers ----------------------------------------------------------------------------------------------------- */

INLINE WORD FN(bits)(T x) {
    WORD w;
    memcpy(&w, &x, sizeof w);
    return w;
}

INLINE T FN(from_bits)(WORD w) {
    T x;
    memcpy(&x, &w, sizeof x);
    return x;
}

/* 2^(n - BIAS), for a whole n above 0 that stands in the lowest bits of ROUNDER + n: a shift makes it an exponent. (A conversion to a
 * 64-bit integer would need AVX-512.) */
INLINE T FN(pow2)(T sum) { return FN(from_bits)(FN(bits)(sum) << MANTISSA); }

/* The first choice is one instruction of the processor, and gives b where either is NaN. */
INLINE T FN(larger)(T a, T b) {
    const T most = a > b ? a : b;
    return a != a ? a : most;
}
INLINE T FN(smaller)(T a, T b) {
    const T least = a < b ? a : b;
    return a != a ? a : least;
}

/* Horner's rule in x^2 over pairs of terms; the highest coefficient comes first. The processor waits half as long for it as for a chain in x,
 * which counts where a loop's body is so long that few rounds of it fit into flight together. */
INLINE T FN(polynomial)(T x, const T *c, int count) {
    const T square = x * x;
    T sum = count % 2 ? c[0] : MADD(c[0], x, c[1]);
    UNROLL for (int k = 2 - count % 2; k < count; k += 2) sum = MADD(sum, square, MADD(c[k], x, c[k + 1]));
    return sum;
}
#define POLYNOMIAL(x, ...) \
    FN(polynomial)(x, (const T[]){__VA_ARGS__}, (int)(sizeof((const T[]){__VA_ARGS__}) / sizeof(T)))

/* ---- exp and its family ------------------------------------------------------------------------------------------ */

/* x = n ln 2 + r with a whole n and |r| <= ln(2) / 2; ln 2 in two parts, the first of so few bits that n times it is
 * exact. Gives ROUNDER + n + bias, as pow2 takes it. */
INLINE T FN(split_exponent)(T x, T bias, T *r) {
    const T sum = MADD(x, (T)1.4426950408889634, ROUNDER + bias), n = sum - (ROUNDER + bias);
    const T high = MADD(n, -PICK(0.693359375, 6.93147180369123816490e-01), x);
    *r = MADD(n, -PICK(-2.12194440e-4, 1.90821492927058770002e-10), high);
    return sum;
}

/* (exp(k r) - 1) / k for k = 1 or 2 and |k r| <= ln(2) / 2: r + r^2 c(r). Powers of 2 scale the coefficients exactly. */
INLINE T FN(expm1_reduced)(T r, T k) {
    const T k2 = k * k, k3 = k2 * k, k4 = k3 * k, k5 = k4 * k, k6 = k5 * k;
#if BITS == 32
    const T c = POLYNOMIAL(r, k6 * 1.9909898e-4f, k5 * 1.3933491e-3f, k4 * 8.333282e-3f, k3 * 4.166648e-2f,
                           k2 * 1.6666667e-1f, k * 0.5f);
#else
    const T k7 = k6 * k, k8 = k7 * k, k9 = k8 * k, k10 = k9 * k;
    const T c = POLYNOMIAL(r, k10 * 2.51124637027781722e-8, k9 * 2.76225527622625916e-7, k8 * 2.75572348426080295e-6,
                           k7 * 2.48015156111124118e-5, k6 * 1.98412698946176388e-4, k5 * 1.3888888921022984e-3,
                           k4 * 8.33333333331884894e-3, k3 * 4.16666666666189117e-2, k2 * 1.66666666666666787e-1, k * 0.5);
#endif
    return MADD(r * r, c, r);
}

/* factor exp(x) 2^shift. The shift keeps the power of two within the normal exponents where the result, a subnormal or one of the
 * largest values, does not: what takes it back afterwards rounds once. */
INLINE T FN(exp_times)(T factor, T x, T shift) {
    T r;
    const T power = factor * FN(pow2)(FN(split_exponent)(x, BIAS + shift, &r));
    return MADD(FN(expm1_reduced)(r, 1), power, power);
}
#define UP PICK(37.0, 75.0) /* a shift for x <= 0, down to -deepest */
#define BACK PICK(7.275957614183426e-12, 2.6469779601696886e-23) /* 2^-UP */

/* From -deepest down exp(x) is 0, from most on infinity, and from flat on tanh(x) is 1. Variables that the compiler must take for such: where
 * flat is a register, `x > flat ? flat : x` is one instruction; a constant would be compared with and blended in. */
#define BOUND static __attribute__((used)) T
BOUND FN(deepest) = PICK(112.0, 760.0), FN(most) = PICK(89.0, 710.0), FN(flat) = PICK(10.0, 20.0);
#undef BOUND

/* exp(-x) 2^UP for x >= 0 or NaN. */
INLINE T FN(decay_up)(T x) {
    const T y = x > FN(deepest) ? FN(deepest) : x;
    return FN(exp_times)(1, -y, UP);
}

INLINE T FN(exp)(T x) {
    const T least = -FN(deepest), raised = x < least ? least : x;
    return FN(exp_times)(1, raised > FN(most) ? FN(most) : raised, x < 0 ? UP : -1) * (x < 0 ? BACK : 2);
}

/* tanh|x| = h / (h + 1) with h = (exp(2|x|) - 1) / 2, which keeps the small x that 1 - 2 / (exp(2|x|) + 1) would cancel. |x| is
 * n ln(2) / 2 + r, with ln(2) / 2 in one part: what that costs grows with n, and there the answer is near 1. */
INLINE T FN(tanh)(T x) {
    const T size = FABS(x), y = size > FN(flat) ? FN(flat) : size;
    const T sum = MADD(y, (T)(2 * 1.4426950408889634), ROUNDER + BIAS), n = sum - (ROUNDER + BIAS);
    const T r = MADD(n, (T)(-0.5 * 0.6931471805599453), y), scale = FN(pow2)(sum);
    const T h = MADD(scale, FN(expm1_reduced)(r, 2), MADD(scale, (T)0.5, (T)-0.5));
    const T d = h + 1, quotient = h / d;
#if BITS == 64
    /* Takes back what the rounding of d added, 0.7 ULP; 1 / d = 1 - quotient. float32 stays below 2.5 without. */
    const T lost = h < 1 ? h - (d - 1) : 0; /* exact below 1, not needed above */
    const T t = MADD(quotient * lost, quotient - 1, quotient);
#else
    const T t = quotient;
#endif
    return FN(from_bits)(FN(bits)(t) | (FN(bits)(x) & SIGN_BIT));
}

/* One exponential of -|x| serves both halves: 1 / (1 + e) for x >= 0, e / (1 + e) below, neither overflows. Both sides of the quotient are
 * 2^UP times that: then a subnormal rounds once, and nothing has to take the power of two back. */
INLINE T FN(sigmoid)(T x) {
    const T e = FN(decay_up)(FABS(x)), one = 1 / BACK;
    return (x < 0 ? e : one) / (one + e);
}

/* ---- log and its family ------------------------------------------------------------------------------------------ */

/* log(1 + f) = 2s + s z R(z), s = f / (2 + f), z = s^2, written as in fdlibm (Sun, 1993): f itself is never rounded. */
INLINE T FN(log1p_unit)(T f) { /* 0 <= f <= 1 */
    const T s = f / (2 + f), z = s * s, half_square = (T)0.5 * f * f;
#if BITS == 32
    const T R = POLYNOMIAL(z, 2.4301160e-1f, 2.1427584e-1f, 2.8616893e-1f, 3.9998877e-1f, 6.6666675e-1f);
#else
    const T R = POLYNOMIAL(z, 1.70184968115964244e-1, 8.34014328624625382e-2, 1.21060769049461798e-1,
                           1.33009747267277258e-1, 1.53865598409280556e-1, 1.81817439284461397e-1,
                           2.22222239696458338e-1, 2.85714285478548836e-1, 4.00000000001572398e-1,
                           6.66666666666663038e-1);
#endif
    return f - (half_square - s * MADD(z, R, half_square));
}

/* x = m 2^k with sqrt(1/2) <= m < sqrt(2), for normal x: f = m - 1, 2^-k, and k + BIAS placed in the fraction of 2^MANTISSA. */
INLINE T FN(split_log)(T x, T *f, T *inverse) {
    const T two_m = (T)((WORD)1 << MANTISSA);
    const WORD root = FN(bits)((T)0.70710678118654752), fraction = ((WORD)1 << MANTISSA) - 1;
    const WORD w = FN(bits)(x) + (FN(bits)((T)1) - root);
    *f = FN(from_bits)((w & fraction) + root) - 1;
    *inverse = FN(from_bits)(((WORD)(2 * BIAS) << MANTISSA) - (w & ~fraction));
    return FN(from_bits)((w >> MANTISSA) | FN(bits)(two_m));
}

/* k ln 2 + log(1 + f) + lost, where lost is next to nothing. */
INLINE T FN(join_log)(T k, T f, T lost) {
#if BITS == 32
    /* f - f^2 / 2 + f^3 P(f): four more terms than the form in s, and no division */
    const T P = POLYNOMIAL(f, 6.91395e-2f, -1.1789084e-1f, 1.187323e-1f, -1.2384489e-1f, 1.4218641e-1f, -1.6669242e-1f,
                           2.0002227e-1f, -2.4999987e-1f, 3.333331e-1f);
    const T square = f * f;
    const T tail = MADD(k, -2.12194440e-4f, square * (f * P)) + lost;
    return MADD(k, 0.693359375f, f + MADD(square, -0.5f, tail));
#else
    const T s = f / (2 + f), z = s * s, half_square = (T)0.5 * f * f;
    const T R = POLYNOMIAL(z, 1.47960671172743637e-1, 1.53140377663368562e-1, 1.81835648778355803e-1,
                           2.22221985612405269e-1, 2.85714287425221527e-1, 3.99999999994139498e-1,
                           6.66666666666673455e-1);
    const T tail = MADD(s, MADD(z, R, half_square), k * 1.90821492927058770002e-10) + lost;
    return MADD(k, 6.93147180369123816490e-01, -((half_square - tail) - f));
#endif
}

/* The logarithm of x, given that of finite x above 0. */
INLINE T FN(log_ends)(T x, T finite) {
    const T nan = (T)__builtin_nan("");
    const T above = x <= PICK(3.40282347e+38, 1.7976931348623157e308) ? finite : x; /* infinity and NaN stay */
    const T below = x == 0 ? -INFINITE : nan;
    return x <= 0 ? below : above;
}

INLINE T FN(log)(T x) {
    const T two_m = (T)((WORD)1 << MANTISSA), smallest = PICK(1.17549435e-38, 2.2250738585072014e-308);
    T f, unused;
    const T biased = FN(split_log)(x < smallest ? x * two_m : x, &f, &unused);
    return FN(log_ends)(x, FN(join_log)(biased - (x < smallest ? two_m + (BIAS + MANTISSA) : two_m + BIAS), f, (T)-0.0));
}

/* log(1 + x): the logarithm of the rounded sum, and what the rounding has lost over the sum; 1 / m is 1 - f + f^2, exact
 * enough for that. */
INLINE T FN(log1p)(T x) {
    const T sum = 1 + x, lost = x >= 1 ? 1 - (sum - x) : x - (sum - 1);
    T f, inverse;
    const T k = FN(split_log)(sum, &f, &inverse) - ((T)((WORD)1 << MANTISSA) + BIAS);
    const T share = x < PICK(1e20, 1e40) ? lost * inverse * (1 - f * (1 - f)) : 0; /* the largest have no inverse */
    const T value = FN(log_ends)(sum, FN(join_log)(k, f, share));
    return FABS(x) < PICK(1e-8, 1e-17) ? x : value;
}

/* log(1 + exp(x)) without overflow. */
INLINE T FN(softplus)(T x) { return (x > 0 ? x : 0) + FN(log1p_unit)(FN(decay_up)(FABS(x)) * BACK); }

#include "simd_activations.h"

/* ---- loops: one element type in, the same or bool out ------------------------------------------------------------ */

#define UNARY(name, formula)                                               \
    static void FN(name##_loop)(const void *px, void *pout, ptrdiff_t n) { \
        const T *xs = (const T *)px;                                       \
        T *out = (T *)pout;                                                \
        UNROLLED for (ptrdiff_t i = 0; i < n; i++) {                       \
            const T x = xs[i];                                             \
            out[i] = formula;                                              \
        }                                                                  \
    }

UNARY(neg, -x)
UNARY(exp, FN(exp)(x))
UNARY(log, FN(log)(x))
UNARY(sqrt, SQRT(x))
UNARY(square, x * x)
UNARY(abs, FABS(x))
UNARY(sign, x > 0 ? 1 : (x < 0 ? -1 : (x == 0 ? 0 : x)))
UNARY(tanh, FN(tanh)(x))
UNARY(sigmoid, FN(sigmoid)(x))
UNARY(softplus, FN(softplus)(x))
UNARY(relu, x <= 0 ? 0 : x)
UNARY(expm1, FN(expm1)(x))
UNARY(log1p, FN(log1p)(x))
UNARY(log_sigmoid, FN(log_sigmoid)(x))
UNARY(silu, FN(silu)(x))
UNARY(gelu, FN(gelu)(x))
UNARY(erf, FN(erf)(x))
UNARY(erfc, FN(erfc)(x))

/* A step of 0 repeats one value, a step of 1 walks an array; at least one of the two walks. */
#define BINARY(name, RESULT, formula)                                                               \
    static void FN(name##_loop)(const void *pa, int a_step, const void *pb, int b_step, void *pout, \
                                ptrdiff_t n) {                                                      \
        const T *as = (const T *)pa, *bs = (const T *)pb;                                           \
        RESULT *out = (RESULT *)pout;                                                               \
        if (a_step && b_step) {                                                                     \
            UNROLLED for (ptrdiff_t i = 0; i < n; i++) {                                            \
                const T a = as[i], b = bs[i];                                                       \
                out[i] = formula;                                                                   \
            }                                                                                       \
        } else if (a_step) {                                                                        \
            const T b = *bs;                                                                        \
            UNROLLED for (ptrdiff_t i = 0; i < n; i++) {                                            \
                const T a = as[i];                                                                  \
                out[i] = formula;                                                                   \
            }                                                                                       \
        } else {                                                                                    \
            const T a = *as;                                                                        \
            UNROLLED for (ptrdiff_t i = 0; i < n; i++) {                                            \
                const T b = bs[i];                                                                  \
                out[i] = formula;                                                                   \
            }                                                                                       \
        }                                                                                           \
    }

BINARY(add, T, a + b)
BINARY(sub, T, a - b)
BINARY(mul, T, a * b)
BINARY(div, T, a / b)
BINARY(maximum, T, FN(larger)(a, b))
BINARY(minimum, T, FN(smaller)(a, b))
BINARY(eq, unsigned char, a == b)
BINARY(ne, unsigned char, a != b)
BINARY(lt, unsigned char, a < b)
BINARY(le, unsigned char, a <= b)
BINARY(gt, unsigned char, a > b)
BINARY(ge, unsigned char, a >= b)
/* Activations with a number: a is x, b the slope or alpha. */
BINARY(leaky_relu, T, a > 0 ? a : a * b)
BINARY(elu, T, a > 0 ? a : b * FN(expm1)(a > 0 ? 0 : a))
/* Gradients: a is the incoming gradient g, b what the rule kept. */
BINARY(tanh_grad, T, a * (1 - b * b))
BINARY(sigmoid_grad, T, a * b * (1 - b))
BINARY(softplus_grad, T, a * FN(sigmoid)(b))
BINARY(relu_grad, T, b <= 0 ? 0 : a)

/* What follows a product at once, rounded as the two operations that it is. */
#define TERNARY(name, formula)                                                                                        \
    static void FN(name##_loop)(const void *pa, const void *pb, const void *pc, void *pout, ptrdiff_t n) {            \
        const T *as = (const T *)pa, *bs = (const T *)pb, *cs = (const T *)pc;                                        \
        T *out = (T *)pout;                                                                                           \
        UNROLLED for (ptrdiff_t i = 0; i < n; i++) {                                                                  \
            const T product = as[i] * bs[i], c = cs[i];                                                               \
            out[i] = formula;                                                                                         \
        }                                                                                                             \
    }

TERNARY(mul_add, product + c)
TERNARY(mul_tanh_grad, product * (1 - c * c))
TERNARY(mul_sigmoid_grad, product * c * (1 - c))

/* where(cond, a, b): a branch inside would hide the loads from the vectoriser, so both are read. */
#define WHERE_LOOP(A, B)                         \
    UNROLLED for (ptrdiff_t i = 0; i < n; i++) { \
        const T a = A, b = B;                    \
        out[i] = cond[i] ? a : b;                \
    }
static void FN(where_loop)(const Bool *cond, const void *pa, int a_step, const void *pb, int b_step, void *pout,
                           ptrdiff_t n) {
    const T *as = (const T *)pa, *bs = (const T *)pb;
    T *out = (T *)pout;
    if (a_step && b_step) {
        WHERE_LOOP(as[i], bs[i])
    } else if (a_step) {
        const T b0 = *bs;
        WHERE_LOOP(as[i], b0)
    } else if (b_step) {
        const T a0 = *as;
        WHERE_LOOP(a0, bs[i])
    } else {
        const T a0 = *as, b0 = *bs;
        WHERE_LOOP(a0, b0)
    }
}
#undef WHERE_LOOP

/* minimum(maximum(x, low), high), as NumPy has it when the bounds cross; NaN stays. */
static void FN(clip_loop)(const void *px, double low, double high, void *pout, ptrdiff_t n) {
    const T *xs = (const T *)px;
    T *out = (T *)pout;
    const T lo = (T)low, hi = (T)high;
    if (lo != lo || hi != hi) {
        for (ptrdiff_t i = 0; i < n; i++) out[i] = lo + hi;
        return;
    }
    UNROLLED for (ptrdiff_t i = 0; i < n; i++) { /* where x is NaN, both choices are x */
        const T raised = lo > xs[i] ? lo : xs[i];
        out[i] = hi < raised ? hi : raised;
    }
}

#include "simd_rows.h"

#define ENTRY(name) FN(name##_loop),
static const Loops FN(loops) = {
    {UNARY_OPS(ENTRY)},    {BINARY_OPS(ENTRY)}, {TERNARY_OPS(ENTRY)}, {ROW_OPS(ENTRY)},
    FN(column_sum_loop), FN(where_loop),      FN(clip_loop),        FN(cross_entropy_loop),
    FN(cross_entropy_grad_loop),
};

#undef T
#undef WORD
#undef INT
#undef MANTISSA
#undef BIAS
#undef FABS
#undef SQRT
#undef FMA
#undef PICK
#undef MADD
#undef SIGN_BIT
#undef INFINITE
#undef ROUNDER
#undef POLYNOMIAL
#undef UP
#undef BACK
#undef UNARY
#undef BINARY
#undef TERNARY
#undef LANES
#undef PARTS
#undef BLOCK
#undef ROOM
#undef GROUP
#undef EACH_GROUP
#undef ENTRY
