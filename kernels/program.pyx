"""The executor of compiled scans: one loop over time in C, over rows of the batch, no Python inside.

A program is a list of stages. A stage is either one matrix product with a packed right side, or a block: instructions that
pass, one after the other, over a few rows at a time, so that what they hand on stays in the nearest cache. An operand is an
address: a base, an offset, and distances from one time step to the next and from one row to the next; its elements follow
each other (step 1) or are one for the whole row (step 0). Where the rows of all operands follow each other, one loop serves
the block. Where sequences end at different times (span.py), tables say how many rows run at each time step and where in
packed memory they begin.
"""

cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from posix.stdlib cimport posix_memalign

from minigrad._elementwise cimport Bool, Loops, look, loops, shared
from minigrad._elementwise cimport (
    OP_abs, OP_add, OP_div, OP_elu, OP_eq, OP_erf, OP_erfc, OP_exp, OP_expm1, OP_ge, OP_gelu, OP_gt, OP_le, OP_leaky_relu, OP_log,
    OP_log1p, OP_log_sigmoid, OP_log_softmax, OP_logsumexp, OP_lt, OP_max, OP_maximum, OP_minimum, OP_mul, OP_mul_add,
    OP_mul_sigmoid_grad, OP_mul_tanh_grad, OP_ne, OP_neg, OP_relu, OP_relu_grad, OP_sigmoid, OP_sigmoid_grad, OP_sign, OP_silu,
    OP_softmax, OP_softplus, OP_softplus_grad, OP_sqrt, OP_square, OP_sub, OP_sum, OP_tanh, OP_tanh_grad)
from minigrad._matmul cimport Pack, Packed

import numpy

cnp.import_array()

cdef extern from *:
    """
    #if defined(__SSE2__)
    #include <immintrin.h>
    static inline unsigned flush_subnormals(void) { unsigned mode = _mm_getcsr(); _mm_setcsr(mode | 0x8040); return mode; }
    static inline void restore_subnormals(unsigned mode) { _mm_setcsr(mode); }
    #else
    static inline unsigned flush_subnormals(void) { return 0; }
    static inline void restore_subnormals(unsigned mode) { (void)mode; }
    #endif
    """
    unsigned flush_subnormals() noexcept nogil
    void restore_subnormals(unsigned) noexcept nogil


UNARY = {"neg": OP_neg, "exp": OP_exp, "log": OP_log, "sqrt": OP_sqrt, "square": OP_square, "abs": OP_abs, "sign": OP_sign,
         "tanh": OP_tanh, "sigmoid": OP_sigmoid, "softplus": OP_softplus, "relu": OP_relu, "expm1": OP_expm1, "log1p": OP_log1p,
         "log_sigmoid": OP_log_sigmoid, "silu": OP_silu, "gelu": OP_gelu, "erf": OP_erf, "erfc": OP_erfc}
BINARY = {"add": OP_add, "sub": OP_sub, "mul": OP_mul, "div": OP_div, "maximum": OP_maximum, "minimum": OP_minimum, "eq": OP_eq,
          "ne": OP_ne, "lt": OP_lt, "le": OP_le, "gt": OP_gt, "ge": OP_ge, "tanh_grad": OP_tanh_grad,
          "sigmoid_grad": OP_sigmoid_grad, "softplus_grad": OP_softplus_grad, "relu_grad": OP_relu_grad, "leaky_relu": OP_leaky_relu,
          "elu": OP_elu}
TERNARY = {"mul_add": OP_mul_add, "mul_tanh_grad": OP_mul_tanh_grad, "mul_sigmoid_grad": OP_mul_sigmoid_grad}
ROWS = {"sum": OP_sum, "max": OP_max, "softmax": OP_softmax, "log_softmax": OP_log_softmax, "logsumexp": OP_logsumexp}

cdef enum:
    UNARY_KIND, BINARY_KIND, TERNARY_KIND, ROW_KIND, WHERE_KIND, CLIP_KIND, COPY_KIND, CAST_KIND, MATMUL_KIND

KINDS = {"where": WHERE_KIND, "clip": CLIP_KIND, "copy": COPY_KIND, "cast": CAST_KIND, "matmul": MATMUL_KIND}
CASTS = {"bool": 0, "int32": 1, "int64": 2, "float32": 3, "float64": 4}

cdef enum:
    ABSOLUTE, EVEN, ODD, BLOCK  # how an operand follows time: step by step; two places by turns (this one, the other); not at all

cdef enum:
    APART = 4096  # bytes between the arenas of two parts: a core takes the lines behind those it writes too, if need be from another core


cdef struct Operand:
    int base
    int mode
    int step
    ptrdiff_t offset  # bytes
    ptrdiff_t time
    ptrdiff_t row
    ptrdiff_t item       # of an element
    ptrdiff_t apart      # from row to row in elements
    bint lags            # of a carry that is kept: the slot before that of this time step


cdef struct Instruction:
    int kind
    int number           # which loop; of a cast, the type it reads; of a product, the packed matrix
    int precision        # 0 float32, 1 float64
    int flat             # rows follow each other in all operands: one loop serves them all
    int count            # operands read
    ptrdiff_t columns    # elements of a row of the result; of a row operation, of what it reads
    ptrdiff_t item       # bytes of an element of the result
    double low
    double high
    Operand out
    Operand ins[3]


cdef struct Stage:
    int first
    int last
    int rows             # rows that pass together; 0: a matrix product


cdef struct Repeated:  # a row for all sequences, which lies in the arena once for each of those that pass together
    int base
    ptrdiff_t offset
    ptrdiff_t size
    ptrdiff_t at         # in the arena
    ptrdiff_t rows


cdef struct Job:  # a program with the memory of one call
    const Instruction* code
    const Stage* stages
    int stage_count
    const Repeated* repeated
    int repeated_count
    char** bases
    const Pack** packs
    ptrdiff_t steps
    ptrdiff_t rows
    const ptrdiff_t* counts  # rows that run at each time step, and where those begin; NULL: all rows at all times
    const ptrdiff_t* starts
    const ptrdiff_t* slots   # the same in a carry that is kept
    const ptrdiff_t* sums    # of the lengths of the rows up to each
    bint reverse
    char* arenas         # room of `arena` bytes for each part
    ptrdiff_t arena
    ptrdiff_t piece      # time steps between two looks for signals
    int count            # of parts
    int stop


cdef inline char* place(const Operand* o, const Job* job, char* arena, ptrdiff_t i, ptrdiff_t t, ptrdiff_t row) noexcept nogil:
    """The address of an operand's row at iteration i, which is time t."""
    if o.mode == BLOCK:
        return arena + o.offset
    cdef char* base = job.bases[o.base] + o.offset + row * o.row
    if o.mode != ABSOLUTE:
        return base + ((i + (o.mode == ODD)) & 1) * o.time
    if job.counts == NULL or not o.time:
        return base + t * o.time
    return base + (job.slots[t] if o.lags else job.starts[t]) * o.row


cdef class Program:
    """A program ready to run: see the module. `stages` is a list of (rows, [instruction]), an instruction a tuple

    (name, precision, columns, item, settings, out, *ins), an operand (base, mode, step, offset, time, row, item, lags), all in bytes.
    """

    cdef Instruction* code
    cdef Stage* stages
    cdef readonly int stage_count
    cdef Repeated* repeated
    cdef int repeated_count
    cdef readonly int packs
    cdef readonly ptrdiff_t arena
    cdef char* spare      # the arenas of a call that is over, for the next one
    cdef int spare_count

    def __cinit__(self, list stages, ptrdiff_t arena):
        cdef int i = 0, k, total = sum([len(instructions) for _, instructions in stages])
        cdef Instruction* s
        self.stage_count = len(stages)
        self.arena = arena
        self.code = <Instruction*>calloc(max(total, 1), sizeof(Instruction))
        self.stages = <Stage*>calloc(max(self.stage_count, 1), sizeof(Stage))
        self.repeated = <Repeated*>calloc(max(3 * total, 1), sizeof(Repeated))
        if self.code == NULL or self.stages == NULL or self.repeated == NULL:
            raise MemoryError("no memory for a program")
        for k, (rows, instructions) in enumerate(stages):
            self.stages[k] = Stage(i, i + len(instructions), rows)
            for name, precision, columns, item, settings, out, *ins in instructions:
                s = &self.code[i]
                i += 1
                s.precision, s.columns, s.item, s.count = precision, columns, item, len(ins)
                self.operation(s, name, settings)
                s.flat = s.kind != ROW_KIND and s.kind != MATMUL_KIND
                self.operand(s, &s.out, out)
                for j in range(s.count):
                    self.operand(s, &s.ins[j], ins[j])
        repeat(self)

    cdef operation(self, Instruction* s, name, settings):
        if name in UNARY:
            s.kind, s.number = UNARY_KIND, UNARY[name]
        elif name in BINARY:
            s.kind, s.number = BINARY_KIND, BINARY[name]
        elif name in TERNARY:
            s.kind, s.number = TERNARY_KIND, TERNARY[name]
        elif name in ROWS:
            s.kind, s.number = ROW_KIND, ROWS[name]
        else:
            s.kind = KINDS[name]
            if s.kind == CLIP_KIND:
                s.low, s.high = settings
            elif s.kind == CAST_KIND:
                s.number = CASTS[settings]
            elif s.kind == MATMUL_KIND:
                s.number = settings
                self.packs = max(self.packs, s.number + 1)

    cdef operand(self, Instruction* s, Operand* o, values):
        o.base, o.mode, o.step, o.offset, o.time, o.row, o.item, o.lags = values
        o.apart = o.row // o.item
        if not rows_follow(s, o):
            s.flat = 0

    def __dealloc__(self):
        free(self.code)
        free(self.stages)
        free(self.repeated)
        free(self.spare)


cdef void block(const Job* job, const Stage* stage, const Loops** tables, char* arena, ptrdiff_t i, ptrdiff_t t, ptrdiff_t row,
                ptrdiff_t rows) noexcept nogil:
    """A few rows through the instructions of a block."""
    cdef int k
    cdef ptrdiff_t _r
    cdef const Instruction* s
    cdef char* out
    cdef char* a
    cdef char* b
    cdef char* c
    cdef ptrdiff_t out_row, a_row, b_row, c_row
    for k in range(stage.first, stage.last):
        s = &job.code[k]
        out, a = place(&s.out, job, arena, i, t, row), place(&s.ins[0], job, arena, i, t, row)
        b = place(&s.ins[1], job, arena, i, t, row) if s.count > 1 else NULL
        c = place(&s.ins[2], job, arena, i, t, row) if s.count > 2 else NULL
        if s.flat:
            one_row(s, tables[s.precision], a, b, c, out, rows * s.columns)
            continue
        out_row, a_row, b_row, c_row = s.out.row, s.ins[0].row, s.ins[1].row, s.ins[2].row
        for _r in range(rows):
            one_row(s, tables[s.precision], a, b, c, out, s.columns)
            out, a, b, c = out + out_row, a + a_row, b + b_row, c + c_row


cdef void play(const Job* job, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t first, ptrdiff_t bound, char* arena) noexcept nogil:
    """Iterations begin to end, of the rows first to bound those that run."""
    cdef ptrdiff_t i, t, row, some, last = bound
    cdef int k
    cdef const Stage* stage
    cdef const Instruction* s
    cdef const Pack* pack
    cdef const Loops* tables[2]
    cdef unsigned mode = flush_subnormals()
    tables[0], tables[1] = loops(0), loops(1)
    lay_out(job, bound - first, arena)
    for i in range(begin, end):
        if job.stop:
            break
        t = job.steps - 1 - i if job.reverse else i
        if job.counts != NULL:
            last = min(bound, job.counts[t])
            if first >= last:
                continue
        for k in range(job.stage_count):
            stage = &job.stages[k]
            if stage.rows == 0:
                s = &job.code[stage.first]
                pack = job.packs[s.number]
                pack.gemm.gemm(last - first, s.columns, pack.depth, place(&s.ins[0], job, arena, i, t, first),
                               s.ins[0].apart, 1, pack.data, pack.gemm.width, pack.depth * pack.gemm.width,
                               place(&s.ins[1], job, arena, i, t, first) if s.count > 1 else NULL, s.ins[1].apart,
                               place(&s.out, job, arena, i, t, first), s.out.apart, NULL)
                continue
            row = first
            while row < last:
                some = stage.rows if last - row > stage.rows else last - row
                block(job, stage, tables, arena, i, t, row, some)
                row += some
    restore_subnormals(mode)


cdef ptrdiff_t cut(const Job* job, int k) noexcept nogil:
    """The first row of part k: parts are of equal work."""
    cdef ptrdiff_t row = 0
    if job.counts == NULL:
        return job.rows * k // job.count
    while row < job.rows and job.sums[row] * job.count <= job.sums[job.rows - 1] * k:
        row += 1
    return row


cdef void part_of_job(void* task, int k) noexcept nogil:
    """All time steps for part k of the rows, piece by piece."""
    cdef Job* job = <Job*>task
    cdef ptrdiff_t first = cut(job, k), last = cut(job, k + 1), begin = 0, end
    while begin < job.steps and not job.stop:
        end = min(begin + job.piece, job.steps)
        play(job, begin, end, first, last, job.arenas + k * job.arena)
        begin = end
        if begin < job.steps:
            look(&job.stop)


cdef const ptrdiff_t* table(cnp.ndarray numbers, ptrdiff_t size) except NULL:
    if cnp.PyArray_TYPE(numbers) != cnp.NPY_INTP or cnp.PyArray_SIZE(numbers) != size or not cnp.PyArray_IS_C_CONTIGUOUS(numbers):
        raise ValueError(f"a table of a scan has {size} numbers, got {numbers.dtype}{(<object>numbers).shape}")
    return <const ptrdiff_t*>cnp.PyArray_DATA(numbers)


cdef class Run:
    """One call of a program: its arrays and packed matrices."""

    cdef Program program
    cdef list arrays
    cdef list packed
    cdef object tables
    cdef Job job

    def __cinit__(self, Program program, list arrays, list packed, ptrdiff_t steps, bint reverse, ptrdiff_t rows, tables=None):
        cdef int k
        cdef Job* job = &self.job
        self.program, self.arrays, self.packed = program, arrays, packed
        if len(packed) < program.packs:
            raise ValueError(f"the program multiplies by {program.packs} matrices, got {len(packed)}")
        job.code, job.stages, job.stage_count = program.code, program.stages, program.stage_count
        job.repeated, job.repeated_count = program.repeated, program.repeated_count
        job.steps, job.rows, job.reverse, job.piece, job.count = steps, rows, reverse, steps, 1
        job.arena = (program.arena + 127) // 64 * 64 + APART
        if tables is not None:
            self.tables = counts, starts, slots, sums = tables
            job.counts, job.starts = table(counts, steps), table(starts, steps)
            job.slots, job.sums = table(slots, steps + 1), table(sums, rows)
        job.bases = <char**>calloc(len(arrays) + 1, sizeof(char*))
        job.packs = <const Pack**>calloc(len(packed) + 1, sizeof(void*))
        if job.bases == NULL or job.packs == NULL:
            raise MemoryError("no memory to run a program")
        for k in range(len(arrays)):
            job.bases[k] = cnp.PyArray_BYTES(<cnp.ndarray?>arrays[k])
        for k in range(len(packed)):
            job.packs[k] = &(<Packed?>packed[k]).pack

    def __dealloc__(self):
        free(self.job.bases)
        free(self.job.packs)
        if self.program is None or self.program.spare != NULL:  # None if the collector was here before
            free(self.job.arenas)
        else:
            self.program.spare, self.program.spare_count = self.job.arenas, self.job.count

    cdef room(self, int count):
        """Memory for so many parts."""
        self.job.count = count
        if self.program.spare != NULL and self.program.spare_count == count:
            self.job.arenas, self.program.spare = self.program.spare, NULL
        elif posix_memalign(<void**>&self.job.arenas, 64, self.job.arena * count):
            raise MemoryError("no memory to run a program")

    def play(self, ptrdiff_t piece, int count):
        """All time steps, once, the rows cut into `count` parts for as many threads; after `piece` steps each a look for signals."""
        self.job.piece = piece
        self.room(count)
        shared(part_of_job, &self.job, count, count, &self.job.stop)


include "instruction.pxi"
include "repeat.pxi"
include "calls.pxi"
include "ready.pxi"
