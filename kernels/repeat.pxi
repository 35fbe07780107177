# A row for all sequences (a peephole weight, a bias) in the arena once for each row of a block, so that one loop serves the block where
# short rows would take a loop each. Included by program.pyx.

cdef enum:
    SHORT = 8  # rows that pass together, at least: longer and fewer ones are as quick one by one


cdef bint rows_follow(const Instruction* s, const Operand* o) noexcept:
    """Whether an operand reads as one long row: its rows follow each other, or it is one element."""
    return o.row == s.columns * o.item if o.step else o.row == 0


cdef bint for_all(const Operand* o) noexcept:
    """Whether an operand is a row for all sequences and times. It is of a constant: what a loop writes has rows."""
    return o.step and o.mode == ABSOLUTE and not o.row and not o.time


cdef repeat(Program program):
    """Find the instructions that only such rows keep from being one loop, and make them one."""
    cdef int i, j, k
    cdef Instruction* s
    for k in range(program.stage_count):
        for i in range(program.stages[k].first, program.stages[k].last):
            s = &program.code[i]
            if program.stages[k].rows < SHORT or s.flat or s.kind == ROW_KIND or not rows_follow(s, &s.out):
                continue
            for j in range(s.count):
                if not rows_follow(s, &s.ins[j]) and not for_all(&s.ins[j]):
                    break
            else:
                for j in range(s.count):
                    if not rows_follow(s, &s.ins[j]):
                        place_rows(program, &s.ins[j], s.columns * s.ins[j].item, program.stages[k].rows)
                s.flat = 1


cdef place_rows(Program program, Operand* o, ptrdiff_t size, ptrdiff_t rows):
    """Make so many of a row, in the arena, the operand."""
    cdef Repeated* one
    cdef int k
    for k in range(program.repeated_count):
        one = &program.repeated[k]
        if one.base == o.base and one.offset == o.offset and one.size == size and one.rows >= rows:
            break
    else:
        one = &program.repeated[program.repeated_count]
        one.base, one.offset, one.size, one.rows, one.at = o.base, o.offset, size, rows, (program.arena + 63) // 64 * 64
        program.arena = one.at + size * rows
        program.repeated_count += 1
    o.mode, o.offset, o.row, o.apart = BLOCK, one.at, size, size // o.item


cdef void lay_out(const Job* job, ptrdiff_t rows, char* arena) noexcept nogil:
    """Fill the arena of a part that has so many rows."""
    cdef int k
    cdef ptrdiff_t row
    cdef const Repeated* one
    for k in range(job.repeated_count):
        one = &job.repeated[k]
        for row in range(min(one.rows, rows)):
            memcpy(arena + one.at + row * one.size, job.bases[one.base] + one.offset, one.size)
