/* SPDX-License-Identifier: MIT */
/* The first touch of one page for each task, as far apart as stacks of 64 KiB are. */
#include <sys/mman.h>

#include "suspended.h"

enum { STRIDE = 65536 };

uint64_t suspended_floor(struct run *run) {
    size_t size = (size_t)run->n * STRIDE;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail("no address space for %zu bytes", size);
    /* Else the kernel may give 2 MiB at each touch. Not every kernel has them: then there is nothing to refuse. */
    (void)madvise(memory, size, MADV_NOHUGEPAGE);
    uint64_t touched = 0;
    struct point from = point_now();
    for (int64_t i = 0; i < run->n; i++) {
        *(volatile char *)(memory + i * STRIDE) = 1;
        touched++;
    }
    struct point to = point_now();
    charge(run, &from, &to);
    munmap(memory, size);
    return touched;
}
