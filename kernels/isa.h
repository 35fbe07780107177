/* Compiles the file that the macro BODY names for each instruction set and both element types: the compiler's words for
 * "from here on, compile for AVX2", and the question what this processor has. BODY is told which by the macros ISA, BITS
 * (32 or 64), HAVE_FMA (0 or 1), VECTOR_BYTES and FN(name), which gives a name its suffix. */

#ifndef MINIGRAD_ISA_ONCE
#define MINIGRAD_ISA_ONCE
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* ---- compilers --------------------------------------------------------------------------------------------------- */

#define INLINE static inline __attribute__((always_inline, unused))
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#define UNROLLED _Pragma("clang loop vectorize(assume_safety) unroll_count(4)")
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define INDEPENDENT _Pragma("GCC ivdep") /* not `restrict`: out may be an input */
#define UNROLLED _Pragma("GCC ivdep") _Pragma("GCC unroll 4") /* for loops over much: more loads in flight */
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* The instruction sets, from the one every machine runs to the widest, each with the one that its loops are compiled for: amx is
 * AVX-512 with a matrix unit, which gemm_amx.h alone knows. */
#if defined(__x86_64__)
#define EACH_ISA(DO) DO(baseline, baseline) DO(avx2, avx2) DO(avx512, avx512) DO(amx, avx512)
#else
#define EACH_ISA(DO) DO(baseline, baseline)
#endif
enum { AMX_ISA = 3 };

#if defined(__x86_64__) && defined(__linux__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define HAVE_AMX 1
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether this machine has the unit and the system lets this process use it. */
static int amx_runs(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return 0; /* amx-bf16, amx-tile */
    return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* the tiles */) == 0;
}
#else
#define HAVE_AMX 0
static int amx_runs(void) { return 0; }
#endif

/* Whether processor and operating system run instance number i (the builtin asks both). */
static int instance_runs(int i) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (i == 1) return avx2;
    const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    if (i == 2) return avx512;
    if (i == AMX_ISA) return avx512 && amx_runs();
#endif
    return i == 0;
}
#endif /* once */

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
#define VECTOR_BYTES 16
#if defined(__FMA__) || defined(__aarch64__)
#define HAVE_FMA 1
#else
#define HAVE_FMA 0
#endif
#include "isa_both.h"
#undef HAVE_FMA

#if defined(__x86_64__)
#define HAVE_FMA 1

#define ISA avx2
#define VECTOR_BYTES 32
#if defined(__clang__) /* which ignores GCC's pragma */
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#include "isa_both.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#define ISA avx512
#define VECTOR_BYTES 64
#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options /* GCC keeps to 256 bits unless told */
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,prefer-vector-width=512")
#endif
#include "isa_both.h"
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
