/* SPDX-License-Identifier: MIT */
/*
 * The running sum of a tree: what all ways of going through it have in common. Every function may be called by any
 * thread or task at any time, except sum_init and sum_fini.
 *
 * The digest of a tree is the sum of the digests of its files, each of which covers the file's path below the root. A
 * sum does not depend on the order in which files are reached.
 */
#ifndef TREESUM_SUM_H
#define TREESUM_SUM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "digest.h"
#include "walk.h"

#define SUM_ERRORS_SHOWN 10

struct sum_error {
    char *path;
    int error; /* negative errno */
};

struct sum {
    /* read-only after init */
    const char *root;

    /* any thread, atomic */
    _Atomic uint64_t files, bytes, directories, left_out, changed;
    _Atomic uint64_t content_low, content_high, stamp_low, stamp_high;

    /* any thread, under the lock */
    pthread_mutex_t lock;
    uint64_t error_count;
    struct sum_error errors[SUM_ERRORS_SHOWN];
};

void sum_init(struct sum *sum, const char *root);
void sum_fini(struct sum *sum);

/* Lists `directory`, and notes what that gave. On an error the listing is empty. */
void sum_list(struct sum *sum, const char *directory, struct listing *listing);

/* Hashes the file `name` in `directory`, and adds it. */
void sum_file(struct sum *sum, const char *directory, const char *name);

/* Notes that `path` cannot be read. */
void sum_note_error(struct sum *sum, const char *path, int error);

#endif
