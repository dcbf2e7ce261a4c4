/* SPDX-License-Identifier: MIT */
/* Descriptors: adopted, waited for, closed. */
#include <filch/fd.h>

#include "io/backend.h"
#include "io/io.h"
#include "sched/child.h"
#include "sched/runtime.h"

/* The runtime whose workers are to watch: 0, -EPERM or -ESHUTDOWN. */
static int runtime_for(const filch_fd_options *options, struct filch_runtime **runtime) {
    *runtime = options != NULL && options->runtime != NULL ? options->runtime : filch_runtime_current();
    if (*runtime == NULL) return filch__debug_no_task("a call that opens a descriptor, and names no runtime,");
    return filch__runtime_is_parents(*runtime) ? -ESHUTDOWN : 0;
}

/* Makes a record for a number that is non-blocking already. */
static int take_charge(filch_fd *fd, int number, struct filch__system_kind kind, struct filch__io *io) {
    struct filch__record *record = filch__record_open(io, number, false);
    if (record == NULL) return -ENOMEM;
    record->socket = kind.socket; /* nobody else has its handle yet */
    record->stream = kind.stream;
    record->regular = kind.regular;
    *fd = filch__record_handle(record);
    return 0;
}

int filch_fd_adopt(filch_fd *fd, int number, const filch_fd_options *options) {
    if (fd == NULL) return -EINVAL;
    struct filch_runtime *runtime;
    int error = runtime_for(options, &runtime);
    if (error != 0) return error;
    struct filch__io *io;
    error = filch__io_of(runtime, &io);
    if (error != 0) return error;
    struct filch__system_kind kind;
    error = filch__system_prepare(number, &kind);
    return error != 0 ? error : take_charge(fd, number, kind, io);
}

int filch__fd_take(filch_fd *fd, int number, bool tcp, struct filch_runtime *runtime) {
    struct filch__io *io;
    int error = filch__io_of(runtime, &io);
    if (error == 0) error = take_charge(fd, number, (struct filch__system_kind){.socket = true, .stream = tcp}, io);
    if (error != 0) (void)filch__system_close(number);
    return error;
}

struct filch_runtime *filch__fd_runtime(filch_fd fd) {
    struct filch__record *record;
    if (filch__record_enter(fd, &record) != 0) return NULL;
    struct filch_runtime *runtime = record->io->runtime;
    filch__record_leave(record);
    return runtime;
}

int filch_fd_number(filch_fd fd) {
    struct filch__record *record;
    int error = filch__record_enter(fd, &record);
    if (error != 0) return error;
    int number = record->number;
    filch__record_leave(record);
    return number;
}

/* In the child of a fork: the record is a copy of what others were at, and the poller's entry is the parent's. */
static bool is_parents(const struct filch__record *record) {
    return filch__runtime_is_parents(record->io->runtime);
}

int filch_fd_close(filch_fd fd) {
    struct filch__record *record;
    int error = filch__record_enter(fd, &record);
    if (error != 0) return error;
    error = is_parents(record) ? -ESHUTDOWN : filch__record_close(record);
    filch__record_leave(record);
    return error;
}

int filch_fd_release(filch_fd fd) {
    struct filch__record *record;
    int error = filch__record_enter(fd, &record);
    if (error != 0) return error;
    int number = is_parents(record) ? -ESHUTDOWN : filch__record_release(record);
    filch__record_leave(record);
    return number;
}

/* ------------------------------------------------------------------------------------------------------------- waits */

#define BOTH (FILCH_READABLE | FILCH_WRITABLE)

static short poll_events(unsigned events) {
    return (short)((events & FILCH_READABLE ? POLLIN | POLLRDHUP : 0) | (events & FILCH_WRITABLE ? POLLOUT : 0));
}

/* What poll(2) has told, in ours; an error or an end is something that either kind of call would be told of at once. */
static unsigned events_of(int revents, unsigned asked) {
    unsigned events = 0;
    if (revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) events |= FILCH_READABLE;
    if (revents & (POLLOUT | POLLHUP | POLLERR)) events |= FILCH_WRITABLE;
    return events & asked;
}

/* What can be had now, or 0, or -errno. */
static int look(int number, unsigned asked) {
    int revents = filch__system_poll(number, poll_events(asked), 0);
    if (revents < 0) return revents;
    return revents & POLLNVAL ? -EBADF : (int)events_of(revents, asked);
}

/* Waits until there seems to be something to be had of what was `seen` not to be. */
static int wait_for(struct filch__record *record, unsigned events, const uint32_t *seen, filch_deadline deadline) {
    bool changed = false;
    if (events & FILCH_READABLE) changed |= !filch__record_clear(record, TO_READ, seen[TO_READ]);
    if (events & FILCH_WRITABLE) changed |= !filch__record_clear(record, TO_WRITE, seen[TO_WRITE]);
    if (changed) return 0;
    if (events == BOTH) return filch__record_wait_both(record, deadline);
    return filch__record_wait(record, events == FILCH_READABLE ? TO_READ : TO_WRITE, deadline);
}

static int wait_in(struct filch__record *record, unsigned events, filch_deadline deadline) {
    for (;;) {
        uint32_t seen[2] = {filch__record_ready(record, TO_READ), filch__record_ready(record, TO_WRITE)};
        int answer = look(record->number, events);
        if (answer == 0) answer = wait_for(record, events, seen, deadline);
        if (answer == 0) continue;
        if (events & FILCH_READABLE) filch__record_done(record, TO_READ);
        if (events & FILCH_WRITABLE) filch__record_done(record, TO_WRITE);
        return answer;
    }
}

static bool events_are_valid(unsigned events) {
    return events != 0 && (events & ~(unsigned)BOTH) == 0;
}

int filch_fd_wait(filch_fd fd, unsigned events, filch_deadline deadline) {
    if (!events_are_valid(events)) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    struct filch__record *record;
    int answer = filch__record_enter(fd, &record);
    if (answer != 0) return answer;
    answer = record->regular ? -EPERM : wait_in(record, events, deadline);
    filch__record_leave(record);
    if (answer > 0) filch__spend();
    return answer;
}

/* ------------------------------------------------------------------------------------------------------------ guests */

/* As poll(2), on a thread that is no worker. */
static int poll_in_thread(int number, unsigned events, filch_deadline deadline) {
    int revents = filch__system_poll(number, poll_events(events), deadline.at_ns);
    if (revents < 0) return revents;
    if (revents & POLLNVAL) return -EBADF;
    return revents == 0 ? -ETIMEDOUT : (int)events_of(revents, events);
}

int filch_poll(int number, unsigned events, filch_deadline deadline) {
    if (!events_are_valid(events)) return -EINVAL;
    if (number < 0) return -EBADF; /* poll(2) would pass it over */
    if (filch__worker_current() == NULL) return poll_in_thread(number, events, deadline);
    if (filch__cancelled()) return -ECANCELED;
    int answer = look(number, events);
    if (answer != 0) {
        if (answer > 0) filch__spend();
        return answer;
    }
    struct filch__io *io;
    answer = filch__io_of(filch__worker_current()->runtime, &io);
    if (answer != 0) return answer;
    struct filch__record *record = filch__record_open(io, number, true);
    if (record == NULL) return -ENOMEM;
    add_acq_rel(&record->state, 1); /* entered */
    answer = wait_in(record, events, deadline);
    (void)filch__record_close(record);
    filch__record_leave(record); /* the last: it is watched no more from here on */
    return answer;
}

/* ------------------------------------------------------------------------------------------------------------- pipes */

int filch_pipe_open(filch_fd *reading, filch_fd *writing, const filch_fd_options *options) {
    if (reading == NULL || writing == NULL) return -EINVAL;
    int numbers[2];
    struct filch_runtime *runtime;
    int error = runtime_for(options, &runtime);
    if (error == 0) error = filch__system_pipe(numbers);
    if (error != 0) return error;
    filch_fd ends[2] = {FILCH_FD_NONE, FILCH_FD_NONE};
    for (int i = 0; i < 2 && error == 0; i++) {
        error = filch_fd_adopt(&ends[i], numbers[i], &(filch_fd_options){.runtime = runtime});
    }
    if (error == 0) {
        *reading = ends[0];
        *writing = ends[1];
        return 0;
    }
    for (int i = 0; i < 2; i++) {
        if (filch_fd_close(ends[i]) != 0) (void)filch__system_close(numbers[i]); /* it was not adopted */
    }
    return error;
}
