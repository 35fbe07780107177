/* The numeric loops of the elementwise kernels, compiled for each instruction set; the module chooses at its import.
 *
 * simd_body.h holds the formulas and loops, written once. Here stands what surrounds them: the list of loops, the table
 * that one instruction set fills, the compiler's words for "from here on, compile for AVX2", and the question what this
 * processor has. To add a loop: write it in simd_body.h, name it in a list below and in the enum of elementwise.pyx.
 *
 * Loops take the address of the first element and a count. `out` may be one of the inputs (same address) but must not
 * overlap one in any other way. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UNARY_OPS(DO) \
    DO(neg) DO(exp) DO(log) DO(sqrt) DO(square) DO(abs) DO(sign) DO(tanh) DO(sigmoid) DO(softplus) DO(relu)
#define BINARY_OPS(DO)                                                                                                \
    DO(add) DO(sub) DO(mul) DO(div) DO(maximum) DO(minimum) DO(eq) DO(ne) DO(lt) DO(le) DO(gt) DO(ge) DO(tanh_grad) \
    DO(sigmoid_grad) DO(softplus_grad) DO(relu_grad)
#define ROW_OPS(DO) DO(softmax) DO(log_softmax) DO(logsumexp)

#define NUMBER(name) OP_##name,
enum { UNARY_OPS(NUMBER) UNARY_COUNT };
enum { BINARY_OPS(NUMBER) BINARY_COUNT };
enum { ROW_OPS(NUMBER) ROW_COUNT };
#undef NUMBER

typedef unsigned char Bool; /* NumPy's bool */
typedef void (*UnaryLoop)(const void *x, void *out, ptrdiff_t n);
typedef void (*BinaryLoop)(const void *a, int a_step, const void *b, int b_step, void *out, ptrdiff_t n);
typedef void (*WhereLoop)(const Bool *cond, const void *a, int a_step, const void *b, int b_step, void *out,
                          ptrdiff_t n);
typedef void (*ClipLoop)(const void *x, double low, double high, void *out, ptrdiff_t n);
typedef void (*RowLoop)(const void *x, void *out, ptrdiff_t rows, ptrdiff_t n);
typedef void (*CrossEntropyLoop)(const void *x, const int64_t *target, void *out, ptrdiff_t rows, ptrdiff_t n);
typedef void (*CrossEntropyGradLoop)(const void *g, const void *x, const int64_t *target, void *out, ptrdiff_t rows,
                                     ptrdiff_t n);

typedef struct {
    UnaryLoop unary[UNARY_COUNT];
    BinaryLoop binary[BINARY_COUNT];
    RowLoop row[ROW_COUNT];
    WhereLoop where;
    ClipLoop clip;
    CrossEntropyLoop cross_entropy;
    CrossEntropyGradLoop cross_entropy_grad;
} Loops;

typedef struct {
    const char *name;
    const Loops *loops[2]; /* float32, float64 */
} Instance;

/* ---- compilers --------------------------------------------------------------------------------------------------- */

#define INLINE static inline __attribute__((always_inline, unused))
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define INDEPENDENT _Pragma("GCC ivdep") /* not `restrict`: out may be an input */
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define PASTE_(name, bits, isa) name##_##bits##_##isa
#define PASTE(name, bits, isa) PASTE_(name, bits, isa)
#define FN(name) PASTE(name, BITS, ISA)

/* GCC would follow a clamped value, make branches of its cases and blend them again: a third more instructions. */
#if !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("no-thread-jumps")
#endif

/* ---- the instances, from the one every machine runs to the widest ------------------------------------------------ */

#define ISA baseline
#if defined(__FMA__) || defined(__aarch64__)
#define HAVE_FMA 1
#else
#define HAVE_FMA 0
#endif
#define BITS 32
#include "simd_body.h"
#undef BITS
#define BITS 64
#include "simd_body.h"
#undef BITS
#undef ISA
#undef HAVE_FMA

#if defined(__x86_64__)
#define HAVE_FMA 1

#define ISA avx2
#if defined(__clang__) /* which ignores GCC's pragma */
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define BITS 32
#include "simd_body.h"
#undef BITS
#define BITS 64
#include "simd_body.h"
#undef BITS
#undef ISA
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#define ISA avx512
#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options /* GCC keeps to 256 bits unless told */
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,prefer-vector-width=512")
#endif
#define BITS 32
#include "simd_body.h"
#undef BITS
#define BITS 64
#include "simd_body.h"
#undef BITS
#undef ISA
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#undef HAVE_FMA
#endif /* x86-64 */

#if !defined(__clang__)
#pragma GCC pop_options
#endif

#undef FN
#undef PASTE
#undef PASTE_

#define INSTANCE(isa) {#isa, {&loops_32_##isa, &loops_64_##isa}}
static const Instance instances[] = {
    INSTANCE(baseline),
#if defined(__x86_64__)
    INSTANCE(avx2),
    INSTANCE(avx512),
#endif
};
#undef INSTANCE
enum { INSTANCE_COUNT = sizeof(instances) / sizeof(instances[0]) };

/* Whether processor and operating system run instance number i (the builtin asks both). */
static int instance_runs(int i) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (i == 1) return avx2;
    if (i == 2)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#endif
    return i == 0;
}
