/* Activations beyond tanh, sigmoid, softplus and relu, and the error function: part of simd_body.h, whose helpers they use. */

/* exp(x) - 1. Near 0 that is x itself, its sign and its subnormals too. */
INLINE T FN(expm1)(T x) {
    const T least = -2 * FN(flat), raised = x < least ? least : x; /* there and below, -1 */
    const T y = raised > FN(most) ? FN(most) : raised;
    T r;
    const T half = FN(pow2)(FN(split_exponent)(y, BIAS - 1, &r)); /* of the power of two, which may lie above all numbers */
    const T value = MADD(half, FN(expm1_reduced)(r, 1), half - (T)0.5) * 2;
    return FABS(x) < PICK(1e-8, 1e-17) ? x : value;
}

INLINE T FN(log_sigmoid)(T x) { return -FN(softplus)(-x); }

/* x sigmoid(x) as x e / (1 + e) below 0, where e = exp(x) may be subnormal long before the product is. The last line takes back what
 * the rounding of 1 + e has cost; 1 - e / 2 is near enough to 1 / (1 + e) for that. */
INLINE T FN(silu)(T x) {
    const T all = FABS(x), size = all > FN(deepest) ? FN(deepest) : all; /* beyond, the answer is x or 0 */
    const T e = FN(exp_times)(1, -size, UP) * BACK, product = FN(exp_times)(size, -size, UP) * BACK;
    const T below = x == -INFINITE ? (T)__builtin_nan("") : product;
    const T d = 1 + e, lost = e - (d - 1), near = 1 - (T)0.5 * e;
    const T t = MADD((x < 0 ? product : size) * lost, -near * near, (x < 0 ? below : FABS(x)) / d);
    return FN(from_bits)(FN(bits)(t) | (FN(bits)(x) & SIGN_BIT));
}

#if BITS == 32
/* ---- the error function, in double: what rounding x^2 to float32 would lose is all of the tail's precision ---------- */

INLINE double FN(horner)(double x, const double *c, int count) {
    double sum = c[0];
#if HAVE_FMA
    UNROLL for (int k = 1; k < count; k++) sum = __builtin_fma(sum, x, c[k]);
#else
    UNROLL for (int k = 1; k < count; k++) sum = sum * x + c[k];
#endif
    return sum;
}
#define HORNER(x, ...) \
    FN(horner)(x, (const double[]){__VA_ARGS__}, (int)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)))

/* exp(x) for -700 < x <= 0, to a few units of 1e-10. */
INLINE double FN(decay)(double x) {
    const double rounder = 6755399441055744.0 + 1023, sum = x * 1.4426950408889634 + rounder, n = sum - rounder;
    const double r = x - n * 0.6931471805599453;
    uint64_t word;
    memcpy(&word, &sum, sizeof word);
    word <<= 52;
    double power;
    memcpy(&power, &word, sizeof power);
    return power * HORNER(r, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0);
}

/* erfc(z) for 0 <= z <= 11.5: exp(z^2) erfc(z) (z + 3), which has no tail left, is a polynomial in (z - 3) / (z + 3) (Shepherd and
 * Laframboise, 1981). */
INLINE double FN(erfc_tail)(double z) {
    const double r = 1 / (z + 3), t = 1 - 6 * r;
    const double p = HORNER(t, -3.17584973134e-4, -4.68642022122e-4, 3.08253507152e-3, -1.23475020945e-3, -2.68425635445e-2,
                            1.19530628052e-1, -3.10465531277e-1, 5.90228195484e-1, -8.83394504068e-1, 1.07400690896);
    return FN(decay)(-z * z) * r * p;
}

/* erf(x) for |x| <= 1. */
INLINE double FN(erf_near)(double x) {
    return x * HORNER(x * x, 7.85385769513e-5, -8.01019251693e-4, 5.18832755953e-3, -2.68538118688e-2, 1.1283585147e-1,
                      -3.76126258241e-1, 1.12837916573);
}

INLINE T FN(erf)(T x) {
    const double size = FABS(x) > 11 ? 11 : FABS(x), far = 1 - FN(erfc_tail)(size);
    return (T)(size > 1 ? (x < 0 ? -far : far) : FN(erf_near)(x));
}

INLINE T FN(erfc)(T x) {
    const double size = FABS(x) > 11 ? 11 : FABS(x), far = FN(erfc_tail)(size);
    return (T)(x >= (T)0.5 ? far : size > 1 ? 2 - far : 1 - FN(erf_near)(x));
}

/* x times the half of erfc(-x / sqrt(2)). */
INLINE T FN(gelu)(T x) {
    const double size = FABS(x) > 16 ? 16 : FABS(x), half = 0.5 * FN(erfc_tail)(size * 0.7071067811865476);
    const double below = x == -INFINITE ? __builtin_nan("") : -size * half;
    return (T)(x < 0 ? below : x * (1 - half));
}
#undef HORNER
#else
INLINE T FN(erf)(T x) { return __builtin_erf(x); }
INLINE T FN(erfc)(T x) { return __builtin_erfc(x); }
/* As above. What the product with the root (and the root itself) lose to rounding shows in the tail: so much the slope of erfc. */
INLINE T FN(gelu)(T x) {
    const T root = 0.7071067811865476, z = x * -root;
    const T lost = FABS(x) < 40 ? __builtin_fma(x, -root, -z) + x * 4.833646656726457e-17 : 0;
    return (T)0.5 * __builtin_fma(x, __builtin_erfc(z), -x * (lost * 1.1283791670955126 * __builtin_exp(-z * z)));
}
#endif
