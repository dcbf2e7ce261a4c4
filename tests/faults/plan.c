/* SPDX-License-Identifier: MIT */
#include "tests/faults/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWERS(...) ((const int[]){__VA_ARGS__, 0})

/* As the manual pages have them, without those that only a wrong call gets. A count is a short one. */
static const int *const answers[SEAM_KINDS] = {
    [SEAM_MEMORY] = ANSWERS(-ENOMEM),
    [SEAM_OPERATION] = ANSWERS(-EINTR, -EIO, -ENOSPC, -ENOMEM, 3),
    [SEAM_ACCEPT] = ANSWERS(-EINTR, -EAGAIN, -ECONNABORTED, -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM, -EPROTO, -EPERM),
    [SEAM_BIND] = ANSWERS(-EADDRINUSE, -EACCES, -ENOMEM),
    [SEAM_CLOSE] = ANSWERS(-EINTR, -EIO),
    [SEAM_CONNECT] = ANSWERS(-EINTR, -EAGAIN, -ECONNREFUSED, -ETIMEDOUT, -ENETUNREACH, -EADDRNOTAVAIL, -ENOBUFS),
    [SEAM_DUP] = ANSWERS(-EMFILE),
    [SEAM_EPOLL_CREATE] = ANSWERS(-EMFILE, -ENFILE, -ENOMEM),
    [SEAM_EPOLL_CTL] = ANSWERS(-ENOMEM, -ENOSPC),
    [SEAM_EPOLL_PWAIT2] = ANSWERS(-EINTR, -ENOSYS),
    [SEAM_EPOLL_WAIT] = ANSWERS(-EINTR),
    [SEAM_EVENTFD] = ANSWERS(-EMFILE, -ENFILE, -ENOMEM, -ENODEV),
    [SEAM_FOPEN] = ANSWERS(-EMFILE, -ENFILE, -ENOMEM, -ENOENT),
    [SEAM_FSTAT] = ANSWERS(-ENOMEM, -EIO),
    [SEAM_FSYNC] = ANSWERS(-EIO, -ENOSPC),
    [SEAM_FTRUNCATE] = ANSWERS(-EINTR, -EIO, -ENOSPC),
    [SEAM_FUTEX_WAIT] = ANSWERS(-EINTR, -EAGAIN),
    [SEAM_GETADDRINFO] = ANSWERS(-ENOMEM, -EAGAIN, -EMFILE),
    [SEAM_GETDENTS] = ANSWERS(-EIO, -ENOENT),
    [SEAM_GETRANDOM] = ANSWERS(-EAGAIN, -ENOSYS),
    [SEAM_GETSOCKNAME] = ANSWERS(-ENOBUFS),
    [SEAM_GETSOCKOPT] = ANSWERS(-ENOBUFS, -ENOMEM),
    [SEAM_LISTEN] = ANSWERS(-EADDRINUSE),
    [SEAM_MADVISE] = ANSWERS(-ENOMEM, -EINVAL, -EINTR, -EPERM),
    [SEAM_MEMBARRIER] = ANSWERS(-ENOMEM, -EPERM),
    [SEAM_MMAP] = ANSWERS(-ENOMEM, -EAGAIN),
    [SEAM_MPROTECT] = ANSWERS(-ENOMEM),
    [SEAM_OPEN] = ANSWERS(-EINTR, -EMFILE, -ENFILE, -ENOMEM, -EACCES),
    [SEAM_PATH] = ANSWERS(-EIO, -ENOSPC, -EROFS),
    [SEAM_PIDFD_OPEN] = ANSWERS(-EMFILE, -ENFILE, -ENOMEM, -ENODEV),
    [SEAM_PIPE] = ANSWERS(-EMFILE, -ENFILE),
    [SEAM_POLL] = ANSWERS(-EINTR, -ENOMEM),
    [SEAM_PREAD] = ANSWERS(-EINTR, -EIO, 1),
    [SEAM_PWRITE] = ANSWERS(-EINTR, -EIO, -ENOSPC, 1),
    [SEAM_READ] = ANSWERS(-EINTR, -EIO, 1),
    [SEAM_READV] = ANSWERS(-EINTR, -EAGAIN, -EIO, 1),
    [SEAM_RECV] = ANSWERS(-EINTR, -EAGAIN, -ECONNRESET, -ENOMEM, -ENOBUFS, 1, 7),
    [SEAM_RECVMSG] = ANSWERS(-EINTR, -EAGAIN, -ENOMEM, -ENOBUFS),
    [SEAM_SEND] = ANSWERS(-EINTR, -EAGAIN, -EPIPE, -ECONNRESET, -ENOMEM, -ENOBUFS, 1, 7),
    [SEAM_SENDFILE] = ANSWERS(-EINTR, -EAGAIN, -EIO, -ENOMEM, -EINVAL, 1),
    [SEAM_SENDMSG] = ANSWERS(-EINTR, -EAGAIN, -EPIPE, -ECONNRESET, -ENOMEM, -ENOBUFS, 1),
    [SEAM_SETSOCKOPT] = ANSWERS(-ENOMEM, -ENOBUFS),
    [SEAM_SHUTDOWN] = ANSWERS(-ENOTCONN),
    [SEAM_SOCKET] = ANSWERS(-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM),
    [SEAM_SPAWN] = ANSWERS(-EAGAIN, -ENOMEM, -ENOENT),
    [SEAM_SPLICE] = ANSWERS(-EINTR, -EAGAIN, -ENOMEM, -EINVAL, 1),
    [SEAM_STATX] = ANSWERS(-EIO, -ENOMEM),
    [SEAM_THREAD] = ANSWERS(-EAGAIN),
    [SEAM_URING_ENTER] = ANSWERS(-EINTR, -EAGAIN),
    [SEAM_URING_REGISTER] = ANSWERS(-ENOMEM, -EINVAL),
    [SEAM_URING_SETUP] = ANSWERS(-EMFILE, -ENFILE, -ENOMEM, -EPERM, -ENOSYS),
    [SEAM_WAITID] = ANSWERS(-EINTR),
    [SEAM_WRITE] = ANSWERS(-EINTR, -EIO, -EPIPE, 1),
    [SEAM_WRITEV] = ANSWERS(-EINTR, -EAGAIN, -EPIPE, -EIO, 1),
};

/* What asks for the call to be made again is not answered for ever. */
static enum seam_mode longest_mode(enum seam_call call, int answer) {
    bool again = answer == -EINTR || answer == -EAGAIN;
    return again && call != SEAM_THREAD && call != SEAM_MMAP ? SEAM_THRICE : SEAM_ALL;
}

static void add(struct plan *plan, const struct trial *trial) {
    if (plan->count == plan->room) {
        plan->room = plan->room * 2 + 1024;
        plan->trials = realloc(plan->trials, plan->room * sizeof *plan->trials);
        if (plan->trials == NULL) abort();
    }
    plan->trials[plan->count++] = *trial;
}

void plan_add(struct plan *plan, const struct setting *setting, const unsigned counts[SEAM_KINDS]) {
    for (int call = 0; call < SEAM_KINDS; call++) {
        for (const int *answer = answers[call]; counts[call] > 0 && *answer != 0; answer++) {
            for (unsigned nth = 1; nth <= counts[call]; nth++) {
                struct trial trial = {*setting, {(enum seam_call)call, nth, *answer, SEAM_ONCE}};
                add(plan, &trial);
                trial.fault.mode = longest_mode(trial.fault.call, *answer);
                add(plan, &trial);
            }
        }
    }
}

void plan_shuffle(struct plan *plan, unsigned long seed) {
    unsigned short state[3] = {(unsigned short)seed, (unsigned short)(seed >> 16), 0x330e};
    for (size_t i = plan->count; i > 1; i--) {
        size_t other = (size_t)(erand48(state) * (double)i);
        struct trial kept = plan->trials[i - 1];
        plan->trials[i - 1] = plan->trials[other];
        plan->trials[other] = kept;
    }
}

static int by_fault(const void *left, const void *right) {
    const struct fault *a = left, *b = right;
    if (a->call != b->call) return a->call < b->call ? -1 : 1;
    if (a->nth != b->nth) return a->nth < b->nth ? -1 : 1;
    if (a->answer != b->answer) return a->answer < b->answer ? -1 : 1;
    return (a->mode > b->mode) - (a->mode < b->mode);
}

size_t plan_different(const struct plan *plan, const unsigned char *chosen) {
    struct fault *faults = malloc((plan->count + 1) * sizeof *faults);
    size_t count = 0, different = 0;
    if (faults == NULL) abort();
    for (size_t i = 0; i < plan->count; i++) {
        if (chosen[i]) faults[count++] = plan->trials[i].fault;
    }
    qsort(faults, count, sizeof *faults, by_fault);
    for (size_t i = 0; i < count; i++) different += i == 0 || by_fault(&faults[i - 1], &faults[i]) != 0;
    free(faults);
    return different;
}

/* -------------------------------------------------------------------------------------------------------------- as text */

const char *trial_format(const struct trial *trial, char text[TRIAL_TEXT_MAX]) {
    const struct fault *fault = &trial->fault;
    char answer[24];
    if (fault->answer < 0) {
        snprintf(answer, sizeof answer, "%s", strerrorname_np(-fault->answer));
    } else {
        snprintf(answer, sizeof answer, "%d", fault->answer);
    }
    snprintf(text, TRIAL_TEXT_MAX, "--workers %u --poller %s --fault %s:%u:%s:%s", trial->setting.workers,
             trial->setting.poller == FILCH_POLLER_IO_URING ? "io_uring" : "epoll", seam_names[fault->call], fault->nth,
             answer, seam_modes[fault->mode]);
    return text;
}

static int index_of(const char *name, const char *const *names, int count) {
    for (int i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) return i;
    }
    return -1;
}

static int answer_of(const char *name) {
    for (int error = 1; error < 200; error++) {
        const char *its = strerrorname_np(error);
        if (its != NULL && strcmp(its, name) == 0) return -error;
    }
    return atoi(name);
}

bool fault_parse(struct fault *fault, const char *text) {
    char call[32], answer[32], mode[32];
    if (sscanf(text, "%31[^:]:%u:%31[^:]:%31s", call, &fault->nth, answer, mode) != 4) return false;
    int kind = index_of(call, seam_names, SEAM_KINDS), how = index_of(mode, seam_modes, SEAM_MODES);
    fault->answer = answer_of(answer);
    if (kind < 0 || how < 0 || fault->answer == 0 || fault->nth == 0) return false;
    fault->call = (enum seam_call)kind;
    fault->mode = (enum seam_mode)how;
    return true;
}

bool poller_parse(filch_poller *poller, const char *text) {
    *poller = strcmp(text, "io_uring") == 0 ? FILCH_POLLER_IO_URING : FILCH_POLLER_EPOLL;
    return *poller == FILCH_POLLER_IO_URING || strcmp(text, "epoll") == 0;
}
