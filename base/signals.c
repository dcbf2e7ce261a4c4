/* SPDX-License-Identifier: MIT */
#include "base/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/futex.h"
#include "base/lock.h"
#include "base/put_off.h"

static struct arrivals {
    /* the handler */
    ATOMIC(uint32_t) count;
    ATOMIC(int) sender;

    /* under the lock */
    unsigned users;
    struct sigaction former;
} arrivals[NSIG];

static ATOMIC(uint32_t) word;
static ATOMIC(int) event = -1; /* written once, under the lock */
static struct filch__lock lock = {PTHREAD_MUTEX_INITIALIZER};

/* ----------------------------------------------------------------------------------------------------------- handler */

void filch__signals_rouse(void) {
    add_seq_cst(&word, 1); /* ARRIVED */
    filch__futex_wake(&word, INT_MAX);
}

/* The process that has sent it, where the system tells. */
static pid_t sender_of(const siginfo_t *info) {
    bool tells = info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE;
    return tells ? info->si_pid : 0;
}

static void handle(int number, siginfo_t *info, void *context) {
    (void)context;
    int before = errno;
    struct arrivals *its = &arrivals[number];
    store_relaxed(&its->sender, sender_of(info)); /* ARRIVED carries it */
    add_seq_cst(&its->count, 1);                  /* ARRIVED */
    filch__signals_rouse();
    int number_of_event = load_acquire(&event);
    uint64_t one = 1;
    ssize_t ignored = number_of_event < 0 ? 0 : write(number_of_event, &one, sizeof one);
    (void)ignored;
    errno = before;
}

/* -------------------------------------------------------------------------------------------------------- watch, unwatch */

static bool is_for_programs(int number) {
    switch (number) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT:
    case SIGURG: /* the report of hogs */
        return false;
    default:
        return number > 0 && number < NSIG;
    }
}

static int install(struct arrivals *its, int number) {
    int restart = HANDLERS_ARE_PUT_OFF ? 0 : SA_RESTART;
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | restart};
    sigfillset(&action.sa_mask); /* one at a time in a thread: its signal stack is small */
    return sigaction(number, &action, &its->former) == 0 ? 0 : -errno;
}

/* Unless somebody has put another handler in the place of ours. */
static void restore(struct arrivals *its, int number) {
    struct sigaction now;
    if (sigaction(number, NULL, &now) != 0) return;
    if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == handle) sigaction(number, &its->former, NULL);
}

int filch__signals_watch(int number) {
    if (!is_for_programs(number)) return -EINVAL;
    struct arrivals *its = &arrivals[number];
    filch__lock_take(&lock);
    int error = its->users == 0 ? install(its, number) : 0;
    if (error == 0) its->users++;
    filch__lock_leave(&lock);
    return error;
}

void filch__signals_unwatch(int number) {
    struct arrivals *its = &arrivals[number];
    filch__lock_take(&lock);
    if (--its->users == 0) restore(its, number);
    filch__lock_leave(&lock);
}

uint32_t filch__signals_count(int number) {
    return load_seq_cst(&arrivals[number].count); /* ARRIVED */
}

pid_t filch__signals_sender(int number) {
    return load_relaxed(&arrivals[number].sender); /* ARRIVED */
}

uint32_t *filch__signals_word(void) {
    return &word;
}

int filch__signals_event(void) {
    filch__lock_take(&lock);
    int number = load_relaxed(&event); /* written under the lock */
    if (number < 0) {
        number = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (number < 0) {
            number = -errno;
        } else {
            store_release(&event, number);
        }
    }
    filch__lock_leave(&lock);
    return number;
}
