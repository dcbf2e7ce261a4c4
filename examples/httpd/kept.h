/* SPDX-License-Identifier: MIT */
/*
 * Files that stay open for a while after they were served: the next who asks for one does without looking for it.
 *
 * Each path has one place in a table, by its hash, and the last file that came there stays; so there is nothing to grow, to
 * search or to sort. Whoever takes a file has the kernel say what has become of it. So it is seen at once that a file was
 * written to, removed, or replaced by another that was renamed; and no later than after the time in the options that it was
 * renamed itself, that another link leads elsewhere, or that it may not be read any more.
 *
 * A removed file has its room on the disk while it is open. So whoever looks for a file by its name also lets go of what has
 * been kept for too long in one place, which is another one each time.
 */
#ifndef HTTPD_KEPT_H
#define HTTPD_KEPT_H

#include <pthread.h>
#include <stdatomic.h>

#include "file.h"

enum { KEPT_PLACES = 128 };

/* A file that is open. Read-only but for `users`, whose last one closes and frees it: the place, and who sends it. */
struct kept_file {
    atomic_uint users;
    int number;
    int64_t opened; /* seconds, as time(2) */
    char name[];
};

struct kept_files {
    int root;        /* the directory that they are below: its descriptor */
    int64_t seconds; /* how long one is taken for what its path leads to; 0: none is kept */
    struct kept_place {
        pthread_mutex_t lock; /* held for a few steps */
        struct kept_file *file;
    } places[KEPT_PLACES];
    atomic_uint swept; /* counts these places, on and on */
};

void kept_begin(struct kept_files *files, int root, int64_t seconds);

/* Nobody uses one of them any more. */
void kept_end(struct kept_files *files);

/* As file_open below their root, of a file that was kept if there is one; what is opened is kept. `now`: as time(2). */
int kept_open(struct kept_files *files, struct file *file, const char *name, int64_t now);

/* Closes it, or leaves it to who else uses it. */
void kept_close(struct file *file);

#endif
