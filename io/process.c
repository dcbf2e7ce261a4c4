/* SPDX-License-Identifier: MIT */
/*
 * Processes that were started. Each is watched by a descriptor, which tells whoever waits that it has ended; the first to
 * look then takes its status, under the lock. Signals are sent under the same lock, and only while the status has not been
 * taken: as long as that is so the system gives its number to nobody else.
 */
#include <errno.h>
#include <filch/blocking.h>
#include <filch/scope.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc/heap.h"
#include "io/io.h"
#include "io/process.h"
#include "sched/child.h"
#include "sched/runtime.h"

/* ------------------------------------------------------------------------------------------- those that were detached */

static struct filch__lock orphans_lock = {PTHREAD_MUTEX_INITIALIZER};
static struct filch_process *orphans; /* under the lock */

static void put(struct filch_process *process) {
    filch__lock_fini(&process->lock);
    filch__heap_put(process, sizeof *process, 64);
}

/* Nobody else reaps it, so that its number is still its own. */
static bool orphan_has_ended(pid_t pid) {
    siginfo_t info = {.si_pid = 0};
    int answer = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
    return answer == 0 ? info.si_pid != 0 : errno == ECHILD;
}

/* Takes away what has ended meanwhile. */
static never_inline void sweep(void) {
    filch__lock_take(&orphans_lock);
    struct filch_process **link = &orphans;
    while (*link != NULL) {
        struct filch_process *process = *link;
        if (orphan_has_ended(process->pid)) {
            *link = process->next;
            put(process);
        } else {
            link = &process->next;
        }
    }
    filch__lock_leave(&orphans_lock);
}

static void add_orphan(struct filch_process *process) {
    filch__lock_take(&orphans_lock);
    process->next = orphans;
    orphans = process;
    filch__lock_leave(&orphans_lock);
}

/* ------------------------------------------------------------------------------------------------------------- start */

struct start {
    struct filch_process *process;
    const char *const *argv;
    const filch_process_options *options;
};

static int start(void *arg) {
    struct start *call = arg;
    sweep();
    return filch__process_spawn(call->process, call->argv, call->options);
}

static bool kind_is_valid(filch_process_stdio kind, bool is_error) {
    return kind >= FILCH_STDIO_INHERIT && kind <= (is_error ? FILCH_STDIO_OUTPUT : FILCH_STDIO_FD);
}

static bool options_are_valid(const filch_process_options *options) {
    return kind_is_valid(options->input, false) && kind_is_valid(options->output, false) &&
           kind_is_valid(options->error, true) && options->group >= FILCH_PROCESS_GROUP_SAME &&
           options->group <= FILCH_PROCESS_SESSION_NEW;
}

int filch_process_start(filch_process **result, const char *const *argv, const filch_process_options *options,
                        filch_deadline deadline) {
    static const filch_process_options defaults;
    if (options == NULL) options = &defaults;
    if (result == NULL || argv == NULL || argv[0] == NULL || !options_are_valid(options)) return -EINVAL;
    struct filch_runtime *runtime = options->runtime != NULL ? options->runtime : filch_runtime_current();
    if (runtime == NULL) return filch__debug_no_task("filch_process_start, without a runtime,");
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN;
    struct filch_process *process = filch__heap_get(sizeof *process, 64);
    if (process == NULL) return -ENOMEM;
    filch__lock_init(&process->lock);
    process->runtime = runtime;
    process->leads = options->group != FILCH_PROCESS_GROUP_SAME;
    struct start call = {process, argv, options};
    int answer = 0;
    int error = filch_blocking(start, &call, &answer, deadline);
    if (error == 0) error = answer;
    if (error == 0) {
        *result = process;
    } else {
        put(process);
    }
    return error;
}

filch_fd filch_process_input(const filch_process *process) {
    return process == NULL ? FILCH_FD_NONE : process->ends[0];
}

filch_fd filch_process_output(const filch_process *process) {
    return process == NULL ? FILCH_FD_NONE : process->ends[1];
}

filch_fd filch_process_error(const filch_process *process) {
    return process == NULL ? FILCH_FD_NONE : process->ends[2];
}

pid_t filch_process_pid(const filch_process *process) {
    return process == NULL ? -EINVAL : process->pid;
}

/* -------------------------------------------------------------------------------------------------------------- wait */

/* Under the lock: whether it has ended, and then its status has been taken. */
static never_inline bool look(struct filch_process *process) {
    if (process->ended) return true;
    int answer = filch__process_reap(process->number, &process->status);
    if (answer == 0) return false;
    process->lost = answer < 0 ? answer : 0;
    process->ended = true;
    return true;
}

/* 1: it has ended; 0: not yet; -ECHILD. */
static int status_of(struct filch_process *process, filch_process_status *status) {
    filch__lock_take(&process->lock);
    bool ended = look(process);
    int lost = process->lost;
    if (ended && lost == 0 && status != NULL) *status = process->status;
    filch__lock_leave(&process->lock);
    return lost != 0 ? lost : ended;
}

static int wait_for_end(struct filch_process *process, filch_process_status *status, filch_deadline deadline) {
    for (;;) {
        int answer = status_of(process, status);
        if (answer != 0) return answer < 0 ? answer : 0;
        answer = filch_fd_wait(process->watch, FILCH_READABLE, deadline);
        if (answer < 0) return answer;
    }
}

int filch_process_wait(filch_process *process, filch_process_status *status, filch_deadline deadline) {
    if (process == NULL) return -EINVAL;
    if (filch__runtime_is_parents(process->runtime)) return -ESHUTDOWN;
    if (filch__cancelled()) return -ECANCELED;
    add_relaxed(&process->waiting, 1); /* see refuse_if_waited_for */
    int answer = wait_for_end(process, status, deadline);
    add_relaxed(&process->waiting, (uint32_t)-1);
    return answer;
}

/* ------------------------------------------------------------------------------------------------------------ signals */

static never_inline int send_signal(struct filch_process *process, int signal) {
    long answer =
        process->leads ? kill(-process->pid, signal) : syscall(SYS_pidfd_send_signal, process->number, signal, NULL, 0);
    return answer < 0 ? -errno : 0;
}

int filch_process_signal(filch_process *process, int signal) {
    if (process == NULL || signal < 0 || signal >= NSIG) return -EINVAL;
    if (filch__runtime_is_parents(process->runtime)) return -ESHUTDOWN;
    filch__lock_take(&process->lock);
    int answer = look(process) ? -ESRCH : send_signal(process, signal);
    filch__lock_leave(&process->lock);
    return answer;
}

int filch_process_terminate(filch_process *process) {
    return filch_process_signal(process, SIGTERM);
}

int filch_process_kill(filch_process *process) {
    return filch_process_signal(process, SIGKILL);
}

/* -------------------------------------------------------------------------------------------------------------- ends */

static void close_ends(struct filch_process *process) {
    for (int i = 0; i < 3; i++) (void)filch_fd_close(process->ends[i]);
}

/* relaxed: who gives it up knows that they have returned, or is told of a misuse that a race may hide */
static void refuse_if_waited_for(struct filch_process *process, const char *call) {
    if (load_relaxed(&process->waiting) > 0) {
        filch__die("process_%s: process %p, number %d, is waited for", call, (void *)process, (int)process->pid);
    }
}

/* Whose ends are closed and who is not waited for: it is reaped when it has ended, now or later. */
static void let_go(struct filch_process *process) {
    bool ended = status_of(process, NULL) != 0;
    (void)filch_fd_close(process->watch);
    if (ended) {
        put(process);
    } else {
        add_orphan(process);
    }
    sweep();
}

void filch_process_destroy(filch_process *process) {
    if (process == NULL || filch__runtime_is_parents(process->runtime)) return;
    refuse_if_waited_for(process, "destroy");
    close_ends(process);
    int error = filch_process_kill(process);
    if (error == -EPERM) {
        let_go(process);
        return;
    }
    filch_shield shield;
    filch_shield_begin(&shield);
    if (error != -ESRCH) (void)!filch_process_wait(process, NULL, FILCH_NEVER);
    (void)filch_fd_close(process->watch);
    filch_shield_end(&shield);
    put(process);
}

void filch_process_detach(filch_process *process) {
    if (process == NULL || filch__runtime_is_parents(process->runtime)) return;
    refuse_if_waited_for(process, "detach");
    close_ends(process);
    let_go(process);
}
