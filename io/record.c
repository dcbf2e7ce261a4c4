/* SPDX-License-Identifier: MIT */
#include "io/record.h"

#include "io/backend.h"
#include "io/system.h"
#include "sched/child.h"
#include "sched/runtime.h"

/* ------------------------------------------------------------------------------------------------------ open, close */

struct filch__record *filch__record_open(struct filch__io *io, int number, bool guest) {
    struct filch__record *record = filch__slab_depot_get(&io->records);
    if (record == NULL) return NULL;
    /* Nobody has the handle yet; but who enters with an old one counts itself in the state meanwhile, and reads no more. */
    record->io = io;
    record->number = number;
    record->guest = guest;
    record->socket = record->stream = record->regular = false;
    store_relaxed(&record->ready[TO_READ], (uint32_t)READY); /* ENTER carries all these */
    store_relaxed(&record->ready[TO_WRITE], (uint32_t)READY);
    store_relaxed(&record->watched, (uint32_t)WATCH_NOT);
    add_acq_rel(&record->state, RECORD_OPEN + 1); /* ENTER */
    add_relaxed(&io->poller.opened, 1);           /* a count, as the other */
    return record;
}

filch_fd filch__record_handle(struct filch__record *record) {
    return (filch_fd){record, load_relaxed(&record->state) / RECORD_GENERATION + 1}; /* 0 is no handle's generation */
}

int filch__record_enter(filch_fd fd, struct filch__record **result) {
    struct filch__record *record = fd.filch__record;
    if (unlikely(record == NULL)) return -EBADF;
    uint64_t state = add_acq_rel(&record->state, 1); /* ENTER */
    *result = record;
    bool same = state / RECORD_GENERATION + 1 == fd.filch__generation;
    if (likely(same && (state & (RECORD_OPEN | RECORD_CLOSING)) == RECORD_OPEN)) return 0;
    filch__record_leave(record);
    return -EBADF;
}

/* Nobody uses the number any more: it goes back to the kernel, and the record to whoever opens the next. */
static void finish(struct filch__record *record) {
    struct filch__io *io = record->io;
    if (load_relaxed(&record->watched) == WATCH_ON) io->backend->unwatch(io, record); /* LEAVE carries it */
    if (!record->guest) (void)filch__system_close(record->number);
    add_acq_rel(&io->poller.closed, 1); /* who reads it sees the opening counted, too */
    /* Whoever is between enter and leave in vain has only its count in the state. */
    uint64_t state = load_relaxed(&record->state);
    uint64_t next;
    do {
        next = (state & RECORD_USERS) + (state / RECORD_GENERATION + 1) * RECORD_GENERATION;
    } while (!cas_acq_rel(&record->state, &state, next)); /* ENTER, of the next that opens it */
    filch__slab_depot_put(&io->records, record);
}

/* The state in which one of those who see it finishes: taken from CLOSING alone to neither OPEN nor CLOSING. */
static void finish_if_last(struct filch__record *record, uint64_t state) {
    uint64_t last = state & ~RECORD_USERS;
    if (cas_acq_rel(&record->state, &last, last & ~(RECORD_OPEN | RECORD_CLOSING))) finish(record); /* LEAVE */
}

void filch__record_leave(struct filch__record *record) {
    uint64_t state = sub_acq_rel(&record->state, 1) - 1; /* LEAVE */
    if (unlikely((state & (RECORD_CLOSING | RECORD_USERS)) == RECORD_CLOSING)) finish_if_last(record, state);
}

int filch__record_close(struct filch__record *record) {
    if (or_seq_cst(&record->state, RECORD_CLOSING) & RECORD_CLOSING) return -EBADF; /* CLOSE */
    filch__latch_take(&record->latch);
    struct filch__clause *readers = filch__waitlist_take_all(&record->waiters[TO_READ]);
    struct filch__clause *writers = filch__waitlist_take_all(&record->waiters[TO_WRITE]);
    filch__latch_leave(&record->latch);
    filch__grant_all(readers, -EBADF);
    filch__grant_all(writers, -EBADF);
    sub_acq_rel(&record->state, 1); /* the opening's own use; the caller still has its */
    return 0;
}

int filch__record_release(struct filch__record *record) {
    uint64_t state = load_acquire(&record->state);
    uint64_t alone = (state & ~RECORD_USERS) | 2; /* the opening, and the caller */
    if (state & RECORD_CLOSING) return -EBADF;
    if (!cas_acq_rel(&record->state, &alone, alone | RECORD_CLOSING)) return alone & RECORD_CLOSING ? -EBADF : -EBUSY;
    /* Nobody waits, and who enters from here on leaves at once: these two are the caller's, until it leaves (LEAVE). */
    if (load_relaxed(&record->watched) == WATCH_ON) record->io->backend->unwatch(record->io, record);
    store_relaxed(&record->watched, (uint32_t)WATCH_NOT);
    record->guest = true;
    int number = record->number;
    sub_acq_rel(&record->state, 1);
    return number;
}

/* ------------------------------------------------------------------------------------------------------------ events */

/* Takes the first of those who wait in a direction. */
static struct filch__clause *take_first(struct filch__record *record, enum filch__direction direction) {
    struct filch__waitlist *list = &record->waiters[direction];
    filch__latch_take(&record->latch);
    struct filch__clause *first = filch__waitlist_take(list);
    if (filch__waitlist_is_empty(list)) and_seq_cst(&record->ready[direction], ~(uint32_t)WAITED);
    filch__latch_leave(&record->latch);
    return first;
}

void filch__record_pass_on(struct filch__record *record, enum filch__direction direction) {
    struct filch__clause *first = take_first(record, direction);
    if (first != NULL) filch__grant(first->waiter, 0);
}

static void happened(struct filch__record *record, enum filch__direction direction, uint32_t bits) {
    uint32_t word = load_relaxed(&record->ready[direction]); /* a first guess for the CAS */
    while (!cas_seq_cst(&record->ready[direction], &word, (word + EVENT) | bits)) continue; /* READY */
    if (!(word & WAITED)) return;
    struct filch__clause *first = take_first(record, direction);
    if (first == NULL) return;
    first->waiter->result = 0; /* CAUSE carries it */
    filch__wake_in_turn(first->waiter, WAITER_GRANTED);
}

void filch__record_event(struct filch__record *record, unsigned ready, unsigned hung_up) {
    if (ready & FILCH_READABLE) happened(record, TO_READ, hung_up & FILCH_READABLE ? READY | HUNG_UP : READY);
    if (!(ready & FILCH_WRITABLE)) return;
    uint32_t word = load_seq_cst(&record->ready[TO_WRITE]);
    if ((word & (READY | WAITED)) != READY) happened(record, TO_WRITE, READY); /* else see look_again */
}

void filch__record_polled(struct filch__record *record, uint32_t bits) {
    unsigned ready = 0;
    if (bits & (POLLIN | POLLPRI | POLLRDHUP | POLLHUP | POLLERR)) ready |= FILCH_READABLE;
    if (bits & (POLLOUT | POLLHUP | POLLERR)) ready |= FILCH_WRITABLE;
    /* A read ends before an urgent byte, and before the end: then it is short, and there is more. */
    filch__record_event(record, ready, bits & (POLLRDHUP | POLLHUP | POLLERR | POLLPRI) ? FILCH_READABLE : 0);
}

/* The first who waits to read, at a glance: it may be gone by now. */
FILCH__UNSEEN static const char *reader_at_a_glance(const struct filch__record *record) {
    return (const char *)*(struct filch__clause *const volatile *)&record->waiters[TO_READ].first;
}

void filch__record_prefetch_reader(const struct filch__record *record) {
    const char *clause = reader_at_a_glance(record);
    if (clause != NULL) filch__strand_prefetch(clause);
}

/* ------------------------------------------------------------------------------------------------------------- waits */

/* It is not being watched: whoever waits for that learns it. */
static void give_up(struct filch__record *record, int error) {
    filch__latch_take(&record->latch);
    struct filch__clause *readers = filch__waitlist_take_all(&record->waiters[TO_READ]);
    struct filch__clause *writers = filch__waitlist_take_all(&record->waiters[TO_WRITE]);
    filch__latch_leave(&record->latch);
    filch__grant_all(readers, error);
    filch__grant_all(writers, error);
}

/* Has the backend watch it, from the first wait on. Who comes second waits for the event that the first brings about. */
static int watch(struct filch__record *record) {
    uint32_t watched = load_acquire(&record->watched);
    if (likely(watched == WATCH_ON)) return 0;
    if (watched == WATCH_CANNOT) return -EPERM;
    uint32_t not_yet = WATCH_NOT;
    if (!cas_acq_rel(&record->watched, &not_yet, (uint32_t)WATCH_BEGINS)) return not_yet == WATCH_CANNOT ? -EPERM : 0;
    int error = record->io->backend->watch(record->io, record);
    uint32_t begins = WATCH_BEGINS, now = error == 0 ? WATCH_ON : error == -EPERM ? WATCH_CANNOT : WATCH_NOT;
    (void)cas_acq_rel(&record->watched, &begins, now); /* WATCH; else it has ended already */
    if (error != 0) give_up(record, error);
    return error;
}

void filch__record_unwatched(struct filch__record *record, int error) {
    store_release(&record->watched, (uint32_t)WATCH_NOT); /* WATCH */
    give_up(record, error);
}

/*
 * Under the latch: whether the direction is not ready; then whoever changes that sees WAITED. It is set before the clause
 * is listed, under the same latch.
 */
static bool must_wait(struct filch__record *record, enum filch__direction direction) {
    uint32_t word = or_seq_cst(&record->ready[direction], (uint32_t)WAITED); /* READY */
    if (!(word & READY)) return true;
    if (filch__waitlist_is_empty(&record->waiters[direction]))
        and_seq_cst(&record->ready[direction], ~(uint32_t)WAITED);
    return false;
}

static bool is_closing(struct filch__record *record) {
    return load_seq_cst(&record->state) & RECORD_CLOSING; /* CLOSE */
}

/* The other half of passing events over: by who stands in the list of those who wait to write. */
static void look_again(struct filch__record *record) {
    /* An error tells nothing, so that it is to be tried. */
    if (filch__system_poll(record->number, POLLOUT, 0) != 0) filch__record_event(record, FILCH_WRITABLE, 0);
}

/*
 * Before a wait: 0, with the latch taken; or why there is to be none. Who came second to have it watched, and lists itself
 * after the first has failed and has told those in the list, has to try for itself.
 */
static int prepare(struct filch__record *record) {
    if (unlikely(filch__runtime_is_parents(record->io->runtime))) return -ESHUTDOWN;
    for (;;) {
        int error = watch(record);
        if (error != 0) return error;
        filch__latch_take(&record->latch);
        uint32_t watched = load_relaxed(&record->watched); /* WATCH */
        if (likely(watched == WATCH_ON || watched == WATCH_BEGINS)) break;
        filch__latch_leave(&record->latch);
    }
    if (!is_closing(record)) return 0;
    filch__latch_leave(&record->latch);
    return -EBADF;
}

static const char *const reasons[] = {"read", "write"};

int filch__record_wait_again(struct filch__record *record, enum filch__direction direction, bool again,
                             filch_deadline deadline) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, reasons[direction], record);
    struct filch__clause clause = {.waiter = &waiter};
    int error = prepare(record);
    if (error != 0) return error;
    if (!must_wait(record, direction)) {
        filch__latch_leave(&record->latch);
        return 0;
    }
    struct filch__waitlist *list = &record->waiters[direction];
    again ? filch__waitlist_add_first(list, &clause) : filch__waitlist_add(list, &clause);
    filch__latch_leave(&record->latch);
    if (direction == TO_WRITE) look_again(record);
    return filch__wait_listed(&record->latch, &clause, deadline);
}

/* Takes out what was not chosen. */
static void remove_rest(struct filch__record *record, struct filch__clause *clauses) {
    filch__latch_take(&record->latch);
    for (int direction = TO_READ; direction <= TO_WRITE; direction++) {
        if (clauses[direction].list != NULL) filch__waitlist_remove(&clauses[direction]);
    }
    filch__latch_leave(&record->latch);
}

int filch__record_wait_both(struct filch__record *record, filch_deadline deadline) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "readiness", record);
    struct filch__clause clauses[2] = {{.waiter = &waiter, .number = 1}, {.waiter = &waiter, .number = 2}};
    int error = prepare(record);
    if (error != 0) return error;
    if (!must_wait(record, TO_READ) || !must_wait(record, TO_WRITE)) {
        filch__latch_leave(&record->latch);
        return 0;
    }
    filch__waitlist_add(&record->waiters[TO_READ], &clauses[0]);
    filch__waitlist_add(&record->waiters[TO_WRITE], &clauses[1]);
    filch__latch_leave(&record->latch);
    look_again(record);
    uint32_t cause = filch__park_cancellable(&waiter, deadline);
    uint32_t nobody = 0;
    if (cause != WAITER_GRANTED && !cas_acq_rel(&waiter.chosen, &nobody, UINT32_MAX)) {
        filch__park(&waiter); /* it was chosen just now: the grant is on its way */
        cause = WAITER_GRANTED;
    }
    remove_rest(record, clauses);
    if (cause == WAITER_GRANTED) return waiter.result;
    return cause == WAITER_CANCELLED ? -ECANCELED : -ETIMEDOUT;
}
