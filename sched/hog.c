/* SPDX-License-Identifier: MIT */
/*
 * The report of a hog: the thread that it stands on is interrupted by a signal, and says itself what it runs, with a
 * backtrace. Only where that was asked for: the signal may cut short system calls that SA_RESTART does not restart.
 *
 * SIGURG is ignored by default, so that one too many does no harm, and used by few; Go's runtime uses it for the like.
 */
#include "sched/hog.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/task.h"

static struct sigaction former;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static void tell(struct filch__worker *worker, bool hogs) {
    const struct filch_task *task = region_task(worker->deque.hot.region);
    char line[192];
    int length =
        snprintf(line, sizeof line, "filch: %stask %p \"%.31s\" %s on worker %u. It is at:\n", hogs ? "hog: " : "",
                 (const void *)task, filch_task_name(task), hogs ? "keeps others waiting" : "runs", worker->index);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
    void *frames[48];
    int count = backtrace(frames, 48);
    backtrace_symbols_fd(frames, count, STDERR_FILENO);
}

static void handle(int signal, siginfo_t *info, void *context) {
    struct filch__worker *worker = filch__worker_current();
    if (info->si_code == SI_QUEUE && worker != NULL && info->si_value.sival_ptr == worker) {
        bool asked = exchange_seq_cst(&worker->tell, 0) != 0;
        bool hogs = load_relaxed(&worker->hog_turn) == load_relaxed(&worker->turn); /* else it has gone on since */
        if ((asked || hogs) && worker->deque.hot.region != NULL)
            tell(worker, !asked); /* else it is between two tasks */
    } else if ((former.sa_flags & SA_SIGINFO) != 0 && former.sa_sigaction != NULL) {
        former.sa_sigaction(signal, info, context);
    } else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) {
        former.sa_handler(signal);
    }
}

static void prepare(void) {
    void *frame;
    backtrace(&frame, 1); /* the first call loads what unwinds */
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGURG, &action, &former);
}

void filch__hog_prepare(void) {
    pthread_once(&prepared, prepare);
}

void filch__hog_tell(struct filch__worker *worker) {
    store_relaxed(&worker->hog_turn, worker->watch.turn); /* the signal comes after it */
    pthread_sigqueue(worker->thread, SIGURG, (union sigval){.sival_ptr = worker});
}

void filch__worker_tell(struct filch__worker *worker) {
    filch__hog_prepare();
    store_seq_cst(&worker->tell, 1); /* the signal comes after it */
    pthread_sigqueue(worker->thread, SIGURG, (union sigval){.sival_ptr = worker});
}
