/* SPDX-License-Identifier: MIT */
/*
 * Signals as something to wait for. Arrivals are counted in base/signals.c; a handle remembers the count of each of its
 * signals that it has told of, so that all handles get all of them. Each has a copy of the one eventfd, watched by its
 * runtime: it is never read, and becomes ready with each arrival, of whatever signal.
 *
 * No arrival is missed: whoever finds nothing has read the readiness word before it looked at the counts, and waits only if
 * that has not changed since; and an event comes after the count (ARRIVED). What arrives before the descriptor is watched
 * for the first time is an event of the beginning.
 */
#include <filch/signal.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "alloc/heap.h"
#include "base/signals.h"
#include "io/backend.h"
#include "io/io.h"
#include "sched/runtime.h"

struct kind {
    int number;
    uint32_t told; /* of the count. Under the latch */
};

struct filch_signals {
    filch_fd fd;
    ATOMIC(uint32_t) waiting; /* calls that are under way. Users of the record are others too: see io/record.h */
    size_t count;
    struct filch__latch latch;
    size_t turn; /* of the kinds: which is looked at first. Under the latch */
    struct kind kinds[FILCH_SIGNALS_MAX];

    struct filch__io *io;                  /* of its runtime, which closes it at its end, if nobody has before */
    struct filch_signals *next, *previous; /* of that. Under its latch */
};

/* ------------------------------------------------------------------------------------------------------ open, close */

static void unwatch(const struct filch_signals *signals, size_t count) {
    for (size_t i = 0; i < count; i++) filch__signals_unwatch(signals->kinds[i].number);
}

static bool is_listed(const struct filch_signals *signals, size_t count, int number) {
    for (size_t i = 0; i < count; i++) {
        if (signals->kinds[i].number == number) return true;
    }
    return false;
}

/* What arrives after the count was read is this handle's too: it is no later than its opening. */
static int watch(struct filch_signals *signals, const int *numbers) {
    for (size_t i = 0; i < signals->count; i++) {
        int error = is_listed(signals, i, numbers[i]) ? -EINVAL : filch__signals_watch(numbers[i]);
        if (error != 0) {
            unwatch(signals, i);
            return error;
        }
        signals->kinds[i] = (struct kind){numbers[i], filch__signals_count(numbers[i])};
    }
    return 0;
}

static void enlist(struct filch_signals *signals) {
    struct filch__io *io = signals->io;
    filch__latch_take(&io->signals_latch);
    signals->next = io->signals;
    if (io->signals != NULL) io->signals->previous = signals;
    io->signals = signals;
    filch__latch_leave(&io->signals_latch);
}

/* In the child of a fork the list is the parent's, and so is the latch: it may be taken for ever. */
static void strike_off(struct filch_signals *signals) {
    struct filch__io *io = signals->io;
    if (filch__runtime_is_parents(io->runtime)) return;
    filch__latch_take(&io->signals_latch);
    if (signals->previous != NULL) {
        signals->previous->next = signals->next;
    } else {
        io->signals = signals->next;
    }
    if (signals->next != NULL) signals->next->previous = signals->previous;
    filch__latch_leave(&io->signals_latch);
}

static never_inline int copy_of(int number) {
    int copy = fcntl(number, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

static int open_event(filch_fd *fd, const filch_fd_options *options) {
    int number = filch__signals_event();
    if (number >= 0) number = copy_of(number);
    if (number < 0) return number;
    int error = filch_fd_adopt(fd, number, options);
    if (error != 0) (void)filch__system_close(number);
    return error;
}

int filch_signal_open(filch_signals **result, const int *numbers, size_t count, const filch_fd_options *options) {
    if (result == NULL || numbers == NULL || count == 0 || count > FILCH_SIGNALS_MAX) return -EINVAL;
    struct filch_signals *signals = filch__heap_get(sizeof *signals, 64);
    if (signals == NULL) return -ENOMEM;
    signals->count = count;
    int error = open_event(&signals->fd, options);
    if (error == 0) {
        error = filch__io_of(filch__fd_runtime(signals->fd), &signals->io);
        if (error == 0) error = watch(signals, numbers);
        if (error == 0) {
            enlist(signals);
            *result = signals;
            return 0;
        }
        (void)filch_fd_close(signals->fd);
    }
    filch__heap_put(signals, sizeof *signals, 64);
    return error;
}

void filch_signal_close(filch_signals *signals) {
    if (signals == NULL) return;
    /* relaxed: who closes knows that they have returned, or is told of a misuse that a race may hide */
    if (load_relaxed(&signals->waiting) > 0) filch__die("signal_close: signals %p are waited for", (void *)signals);
    strike_off(signals);
    (void)filch_fd_close(signals->fd);
    unwatch(signals, signals->count);
    filch__heap_put(signals, sizeof *signals, 64);
}

/* Nobody else is at it any more: the runtime ends. Its descriptors are closed with all others. */
void filch__io_close_signals(struct filch__io *io) {
    for (struct filch_signals *signals = io->signals, *next; signals != NULL; signals = next) {
        next = signals->next;
        unwatch(signals, signals->count);
        filch__heap_put(signals, sizeof *signals, 64);
    }
}

/* -------------------------------------------------------------------------------------------------------------- wait */

/* Takes what has arrived of a kind, under the latch. False: nothing. */
static bool take_kind(struct kind *kind, filch_signal_info *info) {
    uint32_t count = filch__signals_count(kind->number);
    if (count == kind->told) return false;
    *info = (filch_signal_info){kind->number, count - kind->told, filch__signals_sender(kind->number)};
    kind->told = count;
    return true;
}

static bool take(struct filch_signals *signals, filch_signal_info *info) {
    bool taken = false;
    filch__latch_take(&signals->latch);
    for (size_t i = 0; i < signals->count && !taken; i++) {
        size_t which = (signals->turn + i) % signals->count;
        taken = take_kind(&signals->kinds[which], info);
        if (taken) signals->turn = which + 1;
    }
    filch__latch_leave(&signals->latch);
    return taken;
}

static int wait_in(struct filch_signals *signals, struct filch__record *record, filch_signal_info *info,
                   filch_deadline deadline) {
    for (;;) {
        uint32_t seen = filch__record_ready(record, TO_READ);
        if (take(signals, info)) return 0;
        if ((seen & READY) && !filch__record_clear(record, TO_READ, seen)) continue;
        int error = filch__record_wait(record, TO_READ, deadline);
        if (error != 0) return error;
    }
}

static int enter_and_wait(struct filch_signals *signals, filch_signal_info *info, filch_deadline deadline) {
    struct filch__record *record;
    int error = filch__record_enter(signals->fd, &record);
    if (error != 0) return error;
    error = wait_in(signals, record, info, deadline);
    filch__record_done(record, TO_READ);
    filch__record_leave(record);
    return error;
}

int filch_signal_wait(filch_signals *signals, filch_signal_info *info, filch_deadline deadline) {
    if (signals == NULL || info == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    add_relaxed(&signals->waiting, 1); /* see filch_signal_close */
    int error = enter_and_wait(signals, info, deadline);
    add_relaxed(&signals->waiting, (uint32_t)-1);
    if (error == 0) filch__spend();
    return error;
}
