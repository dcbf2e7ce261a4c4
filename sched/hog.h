/* SPDX-License-Identifier: MIT */
/* Backtraces of what runs: the thread that it stands on is interrupted, and writes it itself, to standard error. */
#ifndef FILCH_SCHED_HOG_H
#define FILCH_SCHED_HOG_H

struct filch__worker;

/* Has threads of the calling process be able to tell. Once is enough. */
void filch__hog_prepare(void);

/* Has the thread of `worker` write what it runs, if it is still at the turn at which it was found to hog. */
void filch__hog_tell(struct filch__worker *worker);

/* Has it write what it runs at present, if anything. Prepares. */
void filch__worker_tell(struct filch__worker *worker);

#endif
