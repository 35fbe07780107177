/* The numeric loops of loops.h, compiled for each instruction set; the module chooses at its import.
 *
 * simd_body.h holds the formulas and loops, written once; isa.h compiles it as often as there are instruction sets. */
#pragma once

#include <string.h>

#include "loops.h"

typedef struct {
    const char *name;
    const Loops *loops[2]; /* float32, float64 */
} Instance;

#define BODY "simd_body.h"
#include "isa.h"
#undef BODY

#define INSTANCE(name, isa) {#name, {&loops_32_##isa, &loops_64_##isa}},
static const Instance instances[] = {EACH_ISA(INSTANCE)};
#undef INSTANCE
enum { INSTANCE_COUNT = sizeof(instances) / sizeof(instances[0]) };

