/* SPDX-License-Identifier: MIT */
/*
 * The kernel's half of an asymmetric barrier: one thread pays for a full barrier on all of them, so that the others
 * need only a compiler's one (compiler_barrier in base/atomic.h).
 */
#ifndef FILCH_BASE_BARRIER_H
#define FILCH_BASE_BARRIER_H

#include <stdbool.h>

/* Registers the process for filch__barrier_all. False: the kernel cannot do it, and it must not be called. */
bool filch__barrier_register(void);

/* Every running thread of the process, the caller too, passes a full memory barrier between the call and the return. */
bool filch__barrier_all(void);

#endif
