/* SPDX-License-Identifier: MIT */
/*
 * The backend of io_uring(7), for the readiness of descriptors. Each is polled from its first wait on by one request that
 * stays in force (multishot), edge by edge, so that a wait costs no system call; and as long as something has been
 * completed, a look costs none either. A request that does nothing interrupts: its completion is there when it is
 * submitted.
 *
 * A poll ends by itself where its completion finds no room, where the thread ends that has submitted it, which may be any,
 * and at once where there is nothing to wait for (/dev/null). Its last completion says so (not F_MORE), and all who wait try
 * again: who has to wait still has it polled anew. What is ready already is a completion too, so nothing is missed in
 * between. A completion of an opening that is over is told by its generation.
 *
 * What has come the kernel takes from what woke the poll, and for a socket that is EPOLLIN and EPOLLPRI in one: whether
 * there is an urgent byte cannot be told. So a short read is not believed here to have emptied a stream, and a request of
 * TCP costs a call more than with epoll.
 *
 * As long as a descriptor is polled the kernel keeps what it leads to. So closing it withdraws the poll before; but the
 * kernel lets go of it on the thread that has submitted the poll. That is interrupted for it, and yet the other side may
 * see the end a moment after filch_fd_close has returned.
 */
#include "io/ring_door.h"

#include <sys/epoll.h>

#include "io/uring.h"
#include "sched/runtime.h"

/* ------------------------------------------------------------------------------------------------------------- rings */

static void free_ring(struct filch__uring *ring) {
    filch__heap_put(ring, sizeof *ring, CACHE_LINE);
}

int filch__io_open_ring(struct filch__io *io) {
    struct filch__uring *ring = filch__heap_get(sizeof *ring, CACHE_LINE);
    if (ring == NULL) return -ENOMEM;
    int error = filch__uring_open(ring, &io->refused);
    if (error == 0 && io->backend->watch_ring != NULL) {
        error = io->backend->watch_ring(io, ring->fd);
        if (error != 0) filch__uring_close(ring);
    }
    if (error == 0) {
        store_release(&io->ring, ring); /* carries it */
    } else {
        free_ring(ring);
    }
    return error;
}

void filch__io_close_ring(struct filch__io *io) {
    struct filch__uring *ring = load_relaxed(&io->ring); /* nobody else uses it any more */
    if (ring == NULL) return;
    filch__uring_close(ring);
    free_ring(ring);
}

static struct filch__uring *ring_of(struct filch__io *io) {
    return load_acquire(&io->ring);
}

/* ------------------------------------------------------------------------------------------------------------ polls */

/* What cannot be polled is told by the completion. */
static int watch_uring(struct filch__io *io, struct filch__record *record) {
    struct io_uring_sqe sqe = {
        .opcode = IORING_OP_POLL_ADD,
        .fd = record->number,
        .poll32_events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .len = IORING_POLL_ADD_MULTI,
        .user_data = filch__event_data(record, load_acquire(&record->state)),
    };
    filch__uring_send(ring_of(io), &sqe);
    return 0;
}

/* By "cancel" and not by POLL_REMOVE, which answers -EALREADY where a completion is just being made, and removes nothing. */
static void unwatch_uring(struct filch__io *io, struct filch__record *record) {
    struct io_uring_sqe sqe = {
        .opcode = IORING_OP_ASYNC_CANCEL,
        .fd = -1,
        .flags = IOSQE_CQE_SKIP_SUCCESS,
        .addr = filch__event_data(record, load_acquire(&record->state)),
        .user_data = EVENT_NOBODY,
    };
    filch__uring_send(ring_of(io), &sqe);
}

/* Who has entered the record knows that it is not closed meanwhile, and opened again. */
static void poll_ended(struct filch__record *record, const struct filch__poll_event *event) {
    if (filch__record_enter(filch__event_handle(record, event->data), &record) != 0) return;
    filch__record_unwatched(record, event->result < 0 && event->result != -ECANCELED ? event->result : 0);
    filch__record_leave(record);
}

static void deliver_poll(const struct filch__poll_event *event) {
    struct filch__record *record = filch__event_record(event->data);
    if (!filch__event_is_fresh(record, event->data)) return;
    if (event->result > 0) filch__record_polled(record, (uint32_t)event->result);
    if (!(event->events & IORING_CQE_F_MORE)) poll_ended(record, event);
}

/* ------------------------------------------------------------------------------------------------------- the table */

static unsigned reap(struct filch__uring *ring, struct filch__poll_event *events, unsigned room, bool *woken) {
    unsigned count = filch__uring_reap(ring, events, room, woken);
    if (count > 0) filch__poller_answered();
    return count;
}

unsigned filch__io_fetch_ring(struct filch__io *io, struct filch__poll_event *events, unsigned room) {
    struct filch__uring *ring = ring_of(io);
    bool woken = false;
    if (filch__uring_needs_look(ring)) filch__uring_wait(ring, 0);
    return reap(ring, events, room, &woken);
}

void filch__io_flush_ring(struct filch__io *io, bool old) {
    struct filch__uring *ring = ring_of(io);
    if (ring != NULL && (old ? filch__uring_has_old(ring) : filch__uring_has_requests(ring))) filch__uring_submit(ring);
}

static unsigned wait_uring(struct filch__io *io, struct filch__poll_event *events, unsigned room, int64_t until_ns) {
    struct filch__uring *ring = ring_of(io);
    bool woken = false;
    unsigned count = reap(ring, events, room, &woken);
    if (count > 0 || woken || (until_ns == 0 && !filch__uring_needs_look(ring))) return count;
    filch__uring_wait(ring, until_ns);
    return reap(ring, events, room, &woken);
}

static void deliver_uring(struct filch__io *io, const struct filch__poll_event *events, unsigned count) {
    (void)io;
    for (unsigned i = 0; i < count; i++) {
        if (events[i].data & EVENT_TAG) {
            filch__io_file_done(&events[i]);
        } else {
            deliver_poll(&events[i]);
        }
    }
}

static void interrupt_uring(struct filch__io *io) {
    struct io_uring_sqe sqe = {.opcode = IORING_OP_NOP, .user_data = EVENT_WAKE};
    filch__uring_send(ring_of(io), &sqe);
}

const struct filch__backend filch__backend_uring = {
    .name = "io_uring",
    .open = filch__io_open_ring,
    .close = filch__io_close_ring,
    .wait = wait_uring,
    .deliver = deliver_uring,
    .interrupt = interrupt_uring,
    .watch = watch_uring,
    .unwatch = unwatch_uring,
};
