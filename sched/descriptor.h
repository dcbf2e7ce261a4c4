/* SPDX-License-Identifier: MIT */
/* The table of the process's runtimes, which stands where readers from outside find it: see filch/descriptor.h. */
#ifndef FILCH_SCHED_DESCRIPTOR_H
#define FILCH_SCHED_DESCRIPTOR_H

#include "base/atomic.h"

struct filch_runtime;

enum { RUNTIMES_MAX = 256 };

/* sched/quit.c writes it. */
extern ATOMIC(struct filch_runtime *) filch__runtimes_table[RUNTIMES_MAX];

#endif
