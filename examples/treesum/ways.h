/* SPDX-License-Identifier: MIT */
/*
 * The ways of going through a tree. Each lists every directory below `sum->root`, hashes every file, and adds it to
 * `sum`. They return 0, or a negative errno where it could not be done at all; what cannot be read is noted in `sum`.
 */
#ifndef TREESUM_WAYS_H
#define TREESUM_WAYS_H

#include "sum.h"

typedef int way_fn(struct sum *sum, unsigned workers);

way_fn run_serial;  /* one after the other; `workers` means nothing */
way_fn run_pthread; /* a pool of threads with one queue */
way_fn run_filch;   /* tasks */

#endif
