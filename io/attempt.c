/* SPDX-License-Identifier: MIT */
#include "io/attempt.h"

#include "io/io.h"

ssize_t filch__attempt_once(filch_fd fd, filch__attempt_fn *fn, void *arg) {
    struct filch__record *record;
    int error = filch__record_enter(fd, &record);
    if (error != 0) return error;
    ssize_t answer = fn(record->number, arg);
    filch__record_leave(record);
    return answer;
}

/* The call would have to wait, which says of the descriptor that `mark` is true. What the word is with that. */
static uint32_t note(struct filch__record *record, enum filch__direction direction, uint32_t seen, uint32_t mark) {
    if ((seen & mark) == mark) return seen;
    (void)or_seq_cst(&record->ready[direction], mark); /* if more has changed meanwhile, clearing will fail */
    return seen | mark;
}

/*
 * Where the direction is not known to be ready, somebody whose deadline has passed already tries all the same, once; and so
 * does who does not see `mark`.
 */
static ssize_t attempt_in(struct filch__record *record, enum filch__direction direction, uint32_t mark,
                          filch__attempt_fn *fn, void *arg, filch_deadline deadline) {
    for (bool tried = false;; tried = true) {
        uint32_t seen = filch__record_ready(record, direction);
        if ((seen & READY) || (!tried && ((seen & mark) != mark || filch_now() >= deadline.at_ns))) {
            ssize_t answer = fn(record->number, arg);
            if (answer != -EAGAIN) return answer;
            if (!filch__record_clear(record, direction, note(record, direction, seen, mark))) continue;
        }
        int error = filch__record_wait(record, direction, deadline);
        if (error != 0) return error;
    }
}

static ssize_t attempt(filch_fd fd, enum filch__direction direction, uint32_t mark, filch__attempt_fn *fn, void *arg,
                       filch_deadline deadline) {
    if (filch__cancelled()) return -ECANCELED;
    struct filch__record *record;
    int error = filch__record_enter(fd, &record);
    if (error != 0) return error;
    ssize_t answer = attempt_in(record, direction, mark, fn, arg, deadline);
    filch__record_done(record, direction);
    filch__record_leave(record);
    if (answer >= 0) filch__spend();
    return answer;
}

ssize_t filch__attempt(filch_fd fd, enum filch__direction direction, filch__attempt_fn *fn, void *arg,
                       filch_deadline deadline) {
    return attempt(fd, direction, 0, fn, arg, deadline);
}

ssize_t filch__attempt_accept(filch_fd fd, filch__attempt_fn *fn, void *arg, filch_deadline deadline) {
    return attempt(fd, TO_READ, LISTENS, fn, arg, deadline);
}

int filch__pause(int64_t *pause_ns, int64_t max_ns, filch_deadline deadline) {
    if (filch_now() >= deadline.at_ns) return -ETIMEDOUT;
    filch_deadline until = filch_after(*pause_ns);
    *pause_ns = *pause_ns < max_ns / 2 ? *pause_ns * 2 : max_ns;
    return filch_sleep_until(until.at_ns < deadline.at_ns ? until : deadline);
}
