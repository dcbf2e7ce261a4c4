/* SPDX-License-Identifier: MIT */
/*
 * The report of a hog: the thread that it stands on is interrupted by a signal, and notes itself what it runs, with a
 * backtrace; a handler may not do more than that. Only where that was asked for: the signal may cut short system calls that SA_RESTART does not restart.
 *
 * SIGURG is ignored by default, so that one too many does no harm, and used by few; Go's runtime uses it for the like.
 */
#include "sched/hog.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sched/complaint.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/task.h"

static struct sigaction former;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

/* For a dump. */
static void write_running(struct filch__worker *worker) {
    const struct filch_task *task = region_task(worker->deque.hot.region);
    char line[192];
    int length = snprintf(line, sizeof line, "filch: task %p \"%.31s\" runs on worker %u. It is at:\n",
                          (const void *)task, filch_task_name(task), worker->index);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
    void *frames[48];
    int count = backtrace(frames, 48);
    backtrace_symbols_fd(frames, count, STDERR_FILENO);
}

/* In the handler. */
static never_inline void answer(struct filch__worker *worker) {
    enum { OWN = 3 }; /* this, the handler, and what the kernel returns to from there */
    struct filch__hog *hog = &worker->hog;
    uint32_t asked = HOG_ASKED;
    if (load_relaxed(&hog->turn) != load_relaxed(&worker->turn)) return; /* it has gone on since */
    if (!cas_acq_rel(&hog->state, &asked, (uint32_t)HOG_ANSWERS)) return;
    struct filch_task *task = region_task(worker->deque.hot.region);
    void *frames[HOG_FRAMES + OWN];
    int depth = backtrace(frames, HOG_FRAMES + OWN);
    hog->task = task;
    hog->spawned_at = load_relaxed(&task->spawned_at); /* it runs */
    memcpy(hog->name, filch_task_name(task), strnlen(filch_task_name(task), sizeof hog->name - 1) + 1);
    hog->depth = depth > OWN ? (unsigned)(depth - OWN) : 0;
    memcpy(hog->frames, frames + OWN, hog->depth * sizeof *frames);
    store_release(&hog->state, (uint32_t)HOG_HAS_ANSWERED);
}

static void handle(int signal, siginfo_t *info, void *context) {
    struct filch__worker *worker = filch__worker_current();
    if (info->si_code == SI_QUEUE && worker != NULL && info->si_value.sival_ptr == worker) {
        bool asked = exchange_seq_cst(&worker->tell, 0) != 0;
        if (worker->deque.hot.region == NULL) return; /* it is between two tasks */
        if (asked) write_running(worker);
        answer(worker);
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

void filch__hog_ask(struct filch__worker *worker) {
    struct filch__hog *hog = &worker->hog;
    uint32_t not_asked = HOG_NOT_ASKED;
    if (load_acquire(&hog->state) == HOG_HAS_ANSWERED)
        store_relaxed(&hog->state, not_asked);     /* too late, once before */
    store_relaxed(&hog->turn, worker->watch.turn); /* `state` carries it, and the signal comes after that */
    if (!cas_acq_rel(&hog->state, &not_asked, (uint32_t)HOG_ASKED)) return;
    pthread_sigqueue(worker->thread, SIGURG, (union sigval){.sival_ptr = worker});
}

static void begin(struct filch__complaint *complaint, const struct filch__worker *worker) {
    filch__complaint_begin(complaint, worker->runtime, "hog");
    filch__complaint_name(complaint, worker->hog.task, worker->hog.name);
}

bool filch__hog_tell(struct filch__worker *worker, int64_t held_ns) {
    struct filch__hog *hog = &worker->hog;
    if (load_acquire(&hog->state) != HOG_HAS_ANSWERED) return false;
    struct filch__complaint complaint;
    begin(&complaint, worker);
    filch__complaint_say(&complaint, " has held worker %u for %lld ms%s; spawned at ", worker->index,
                         (long long)(held_ns / 1000000),
                         worker->runtime->debug.hog_ns > 0 ? "" : ", and others wait for that");
    filch__complaint_place(&complaint, hog->spawned_at);
    filch__complaint_say(&complaint, ". It is at\n");
    filch__complaint_frames(&complaint, hog->frames, hog->depth);
    filch__complaint_send(&complaint);
    store_release(&hog->state, (uint32_t)HOG_NOT_ASKED);
    return true;
}

void filch__hog_gone_on(struct filch__worker *worker, int64_t held_ns) {
    uint32_t asked = HOG_ASKED;
    if (cas_acq_rel(&worker->hog.state, &asked, (uint32_t)HOG_NOT_ASKED) || asked == HOG_ANSWERS) return;
    (void)filch__hog_tell(worker, held_ns);
    struct filch__complaint complaint;
    begin(&complaint, worker);
    filch__complaint_say(&complaint, " has gone on, after %lld ms\n", (long long)(held_ns / 1000000));
    filch__complaint_send(&complaint);
}

void filch__worker_tell(struct filch__worker *worker) {
    filch__hog_prepare();
    store_seq_cst(&worker->tell, 1); /* the signal comes after it */
    pthread_sigqueue(worker->thread, SIGURG, (union sigval){.sival_ptr = worker});
}
