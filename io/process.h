/* SPDX-License-Identifier: MIT */
/* What the sources of filch/process.h share. */
#ifndef FILCH_IO_PROCESS_H
#define FILCH_IO_PROCESS_H

#include <filch/process.h>

#include "base/atomic.h"
#include "base/lock.h"

struct filch_process {
    /* read-only after the start */
    struct filch_runtime *runtime;
    pid_t pid;
    bool leads;       /* a process group of its own */
    filch_fd watch;   /* readable when it has ended */
    int number;       /* of that: open as long as the handle is; -ESRCH: its status was lost before it was watched */
    filch_fd ends[3]; /* of its pipes */

    /* under the lock; `ended` once true, the rest does not change any more */
    struct filch__lock lock;
    bool ended; /* and its status was taken: the number `pid` may be another's by now */
    int lost;   /* 0, or -ECHILD: somebody else has taken it */
    filch_process_status status;

    ATOMIC(uint32_t) waiting; /* calls of filch_process_wait that are under way */

    struct filch_process *next; /* of those that were detached */
};

/*
 * Starts what `options` and `argv` say, for `process`, of which it fills the fields above; blocks. The ends of the
 * pipes are adopted. 0 or -errno, and then nothing is left.
 */
int filch__process_spawn(struct filch_process *process, const char *const *argv, const filch_process_options *options);

/* Opens the descriptor by which the child `pid` is watched: its number or -errno. */
int filch__process_open(pid_t pid);

/* Takes the status of a child that has ended. 1: taken; 0: it has not ended; -ECHILD: it is not to be had. */
int filch__process_reap(int number, filch_process_status *status);

#endif
