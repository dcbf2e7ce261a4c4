/* SPDX-License-Identifier: MIT */
/*
 * The scripted life of a runtime: what the steps of tests/faults share.
 *
 * A step does its work, accepts the errors that its calls document where a fault has struck, and demands that whatever was
 * started has ended and whatever went in has come out. Before a fault has struck nothing may fail.
 */
#ifndef FILCH_TESTS_FAULTS_LIFE_H
#define FILCH_TESTS_FAULTS_LIFE_H

#include <errno.h>
#include <filch/filch.h>
#include <filch/io.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/faults/seam.h"

struct life {
    const struct fault *fault;  /* that strikes once, or NULL */
    const char *folder;         /* for files */
    atomic_uint started, ended; /* tasks */
};

extern struct life life; /* the one that goes on */

/* Says what was wrong, and ends the process. */
_Noreturn void life_failed(const char *file, int line, const char *what, long long value);

#define must(condition) ((condition) ? (void)0 : life_failed(__FILE__, __LINE__, #condition, 0))

/* Whether the call succeeded. If not, the fault that struck must be what explains it. */
#define well(answer) life_well((answer), false, __FILE__, __LINE__, #answer)

/* Of a call at whose other end somebody else may have failed, and who then hung up or gave up. */
#define well_with_peer(answer) life_well((answer), true, __FILE__, __LINE__, #answer)

bool life_well(long long answer, bool peer, const char *file, int line, const char *what);

/*
 * For waits for what somebody else is to do, who may never: because of an EAGAIN that no event follows, or since a call
 * fails for good. Those are given up then, and soon; with all other faults they have no deadline.
 */
filch_deadline life_patience(void);

/* A fault has struck, or somebody may have given up. */
bool life_is_disturbed(void);

/* A task of which is known that it ends; NULL where it was not started. */
filch_task *life_start(filch_fn *fn, void *arg);

/* Its result; or 0 for NULL. */
int life_end(filch_task *task);

/* The steps, each by itself and in this order. */
void step_tasks(void);
void step_forks(void);
void step_scopes(void);
void step_locals(void);
void step_blocking(void);
void step_times(void);
void step_locks(void);
void step_meetings(void);
void step_channels(void);
void step_queues(void);
void step_pairs(void);
void step_servers(void);
void step_datagrams(void);
void step_pipes(void);
void step_names(void);
void step_signals(void);
void step_files(void);
void step_processes(void);

/* The whole: makes a runtime, takes all steps, and ends it. Demands that nothing is left. */
void life_live(unsigned workers, filch_poller poller, const struct fault *fault, const char *folder);

#endif
