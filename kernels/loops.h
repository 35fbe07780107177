/* The list of loops, their types, and the table of them that one instruction set fills for one element type.
 *
 * Loops take the address of the first element and a count. `out` may be one of the inputs (same address) but must not
 * overlap one in any other way. To add a loop: name it in a list below, write it in simd_body.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define UNARY_OPS(DO) \
    DO(neg) DO(exp) DO(log) DO(sqrt) DO(square) DO(abs) DO(sign) DO(tanh) DO(sigmoid) DO(softplus) DO(relu) DO(expm1) \
    DO(log1p) DO(log_sigmoid) DO(silu) DO(gelu) DO(erf) DO(erfc)
#define BINARY_OPS(DO)                                                                                                \
    DO(add) DO(sub) DO(mul) DO(div) DO(maximum) DO(minimum) DO(eq) DO(ne) DO(lt) DO(le) DO(gt) DO(ge) DO(tanh_grad) \
    DO(sigmoid_grad) DO(softplus_grad) DO(relu_grad) DO(leaky_relu) DO(elu)
#define TERNARY_OPS(DO) DO(mul_add) DO(mul_tanh_grad) DO(mul_sigmoid_grad)
#define ROW_OPS(DO) DO(softmax) DO(log_softmax) DO(logsumexp) DO(sum) DO(max)

#define NUMBER(name) OP_##name,
enum { UNARY_OPS(NUMBER) UNARY_COUNT };
enum { BINARY_OPS(NUMBER) BINARY_COUNT };
enum { TERNARY_OPS(NUMBER) TERNARY_COUNT };
enum { ROW_OPS(NUMBER) ROW_COUNT };
#undef NUMBER

typedef unsigned char Bool; /* NumPy's bool */
typedef void (*UnaryLoop)(const void *x, void *out, ptrdiff_t n);
typedef void (*BinaryLoop)(const void *a, int a_step, const void *b, int b_step, void *out, ptrdiff_t n);
typedef void (*TernaryLoop)(const void *a, const void *b, const void *c, void *out, ptrdiff_t n);
typedef void (*WhereLoop)(const Bool *cond, const void *a, int a_step, const void *b, int b_step, void *out,
                          ptrdiff_t n);
typedef void (*ClipLoop)(const void *x, double low, double high, void *out, ptrdiff_t n);
typedef void (*RowLoop)(const void *x, void *out, ptrdiff_t rows, ptrdiff_t n);
typedef void (*ColumnLoop)(const void *x, ptrdiff_t groups, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t row_stride,
                           ptrdiff_t n, int more, void *out);
typedef void (*CrossEntropyLoop)(const void *x, const int64_t *target, void *out, ptrdiff_t rows, ptrdiff_t n);
typedef void (*CrossEntropyGradLoop)(const void *g, const void *x, const int64_t *target, void *out, ptrdiff_t rows,
                                     ptrdiff_t n);

typedef struct {
    UnaryLoop unary[UNARY_COUNT];
    BinaryLoop binary[BINARY_COUNT];
    TernaryLoop ternary[TERNARY_COUNT];
    RowLoop row[ROW_COUNT];
    ColumnLoop column_sum;
    WhereLoop where;
    ClipLoop clip;
    CrossEntropyLoop cross_entropy;
    CrossEntropyGradLoop cross_entropy_grad;
} Loops;
