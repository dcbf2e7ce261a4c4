/* SPDX-License-Identifier: MIT */
/*
 * Guards: pages that fault when touched. Lightweight ones (MADV_GUARD_INSTALL, Linux 6.13) are marks in the page
 * table and cost no mapping; mprotect(2) splits mappings, of which a process may have some 65,000. Private to alloc/.
 *
 * A guard is a sixteenth of its stack, at least a page and at most 64 KiB. It costs addresses, not memory. What it
 * must stop is a function that skips it with one big frame: compilers do not let that happen under
 * -fstack-clash-protection, but not all code that is called on a stack is compiled so, and who asks for a large stack
 * asks for code with large frames.
 */
#ifndef FILCH_ALLOC_GUARD_H
#define FILCH_ALLOC_GUARD_H

#include <stdbool.h>
#include <stddef.h>

enum filch__guard {
    GUARD_BATCH,    /* MADV_GUARD_INSTALL of many guards in one process_madvise(2) */
    GUARD_SINGLE,   /* MADV_GUARD_INSTALL, a call for each */
    GUARD_MPROTECT, /* mprotect(2), a call for each */
};

/* The best that the kernel has, tried out: a write(2) from a guarded page must fail with EFAULT. */
enum filch__guard filch__guard_probe(void);

/* Bytes of the guard of a stack of `stack_size` bytes. */
size_t filch__guard_size(size_t stack_size);

/* `count` ranges of `size` bytes, the first at `base`, `stride` bytes from one to the next. */
struct filch__ranges {
    char *base;
    size_t stride, size, count;
};

/*
 * Makes the ranges guards. `*kind` changes to GUARD_MPROTECT where this memory does not take the other (it is locked).
 * False: no memory; then some of them may be guards.
 */
bool filch__guard_install(enum filch__guard *kind, const struct filch__ranges *ranges);

/* All of [base, base + size) is plain memory again. False: no memory; then some guards may be left. */
bool filch__guard_remove(enum filch__guard kind, void *base, size_t size);

/*
 * madvise(2) of each range, in as few calls as the kernel takes where `batch`. The first range's errno is what is
 * returned, negative, or 0.
 */
int filch__advise(const struct filch__ranges *ranges, int advice, bool batch);

#endif
