# What an instruction of a program does with a row. Included by program.pyx.

cdef void copy_row(const char* x, int step, char* out, ptrdiff_t n, ptrdiff_t item) noexcept nogil:
    cdef ptrdiff_t k
    if step:
        memcpy(out, x, n * item)
    elif item == 4:
        for k in range(n):
            (<int32_t*>out)[k] = (<int32_t*>x)[0]
    elif item == 8:
        for k in range(n):
            (<int64_t*>out)[k] = (<int64_t*>x)[0]
    else:
        for k in range(n):
            out[k] = x[0]


ctypedef fused Real:
    float
    double

ctypedef fused Source:
    Bool
    int32_t
    int64_t
    float
    double


cdef void cast(const Source* x, int step, Real* out, ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t k
    for k in range(n):
        out[k] = <Real>x[k * step]


cdef void cast_to(int source, const char* x, int step, Real* out, ptrdiff_t n) noexcept nogil:
    if source == 0:
        cast[Bool, Real](<Bool*>x, step, out, n)
    elif source == 1:
        cast[int32_t, Real](<int32_t*>x, step, out, n)
    elif source == 2:
        cast[int64_t, Real](<int64_t*>x, step, out, n)
    elif source == 3:
        cast[float, Real](<float*>x, step, out, n)
    else:
        cast[double, Real](<double*>x, step, out, n)


cdef void one_row(const Instruction* s, const Loops* table, const char* a, const char* b, const char* c, char* out,
                  ptrdiff_t n) noexcept nogil:
    if s.kind == BINARY_KIND:
        table.binary[s.number](a, s.ins[0].step, b, s.ins[1].step, out, n)
    elif s.kind == UNARY_KIND:
        table.unary[s.number](a, out, n)
    elif s.kind == TERNARY_KIND:
        table.ternary[s.number](a, b, c, out, n)
    elif s.kind == ROW_KIND:
        table.row[s.number](a, out, 1, n)
    elif s.kind == WHERE_KIND:
        table.where(<const Bool*>a, b, s.ins[1].step, c, s.ins[2].step, out, n)
    elif s.kind == CLIP_KIND:
        table.clip(a, s.low, s.high, out, n)
    elif s.kind == COPY_KIND:
        copy_row(a, s.ins[0].step, out, n, s.item)
    elif s.precision == 0:
        cast_to[float](s.number, a, s.ins[0].step, <float*>out, n)
    else:
        cast_to[double](s.number, a, s.ins[0].step, <double*>out, n)
