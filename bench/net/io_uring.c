/* SPDX-License-Identifier: MIT */
/*
 * The bare loop on io_uring(7): one thread, one ring with a single issuer and deferred task work. Connections come from one
 * accept. A message is answered by two linked entries: a send that is only heard of when it fails, and behind it the next
 * recv, which does not try before the socket says that something is there. One system call submits for all connections and
 * waits for the next. It knows protocols whose answer is the input itself.
 */
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/bench.h"
#include "serve.h"

enum { ENTRIES = 4096, COMPLETIONS = 32768, BATCH = 256 };

struct talk {
    int fd;
    char input[INPUT_SIZE];
};

/* Stands for a connection in the completions of sends, which all have failed: the linked recv's tells it too. */
static char send_failed;

static struct io_uring_sqe *entry(struct io_uring *ring) {
    return io_uring_get_sqe(ring);
}

/* Makes room for `count` entries that belong together. */
static void reserve(struct io_uring *ring, unsigned count) {
    while (io_uring_sq_space_left(ring) < count) io_uring_submit(ring);
}

static void queue_accept(struct io_uring *ring, int listener) {
    reserve(ring, 1);
    struct io_uring_sqe *sqe = entry(ring);
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data(sqe, NULL);
}

static void queue_recv(struct io_uring *ring, struct talk *talk, bool later) {
    struct io_uring_sqe *sqe = entry(ring);
    io_uring_prep_recv(sqe, talk->fd, talk->input, INPUT_SIZE, 0);
    if (later) sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    io_uring_sqe_set_data(sqe, talk);
}

static void queue_answer(struct io_uring *ring, struct talk *talk, size_t count) {
    reserve(ring, 2);
    struct io_uring_sqe *sqe = entry(ring);
    io_uring_prep_send(sqe, talk->fd, talk->input, count, MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
    io_uring_sqe_set_data(sqe, &send_failed);
    queue_recv(ring, talk, true);
}

static void meet(struct io_uring *ring, const struct io_uring_cqe *cqe, int listener) {
    int yes = 1;
    if (!(cqe->flags & IORING_CQE_F_MORE)) queue_accept(ring, listener);
    if (cqe->res == -ECONNABORTED || cqe->res == -EINTR) return;
    if (cqe->res < 0) fail("accept: %s", strerror(-cqe->res));
    struct talk *talk = must_alloc(sizeof *talk);
    talk->fd = cqe->res;
    setsockopt(talk->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    reserve(ring, 1);
    queue_recv(ring, talk, false);
}

static void handle(struct io_uring *ring, const struct io_uring_cqe *cqe, int listener) {
    struct talk *talk = io_uring_cqe_get_data(cqe);
    if ((char *)talk == &send_failed) return;
    if (!talk) {
        meet(ring, cqe, listener);
    } else if (cqe->res > 0) {
        queue_answer(ring, talk, (size_t)cqe->res);
    } else {
        close(talk->fd);
        free(talk);
    }
}

static void open_ring(struct io_uring *ring) {
    struct io_uring_params params = {.flags =
                                         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                     .cq_entries = COMPLETIONS};
    int error = io_uring_queue_init_params(ENTRIES, ring, &params);
    if (error != 0) skip("io_uring: %s", strerror(-error));
}

void serve_io_uring(const struct serving *serving) {
    static struct io_uring ring;
    struct io_uring_cqe *completions[BATCH];
    if (strcmp(serving->protocol->what, "echo") != 0) fail("io-uring does not do %s", serving->protocol->what);
    open_ring(&ring);
    queue_accept(&ring, serving->listener);
    for (;;) {
        int error = io_uring_submit_and_wait(&ring, 1);
        if (error < 0 && error != -EINTR && error != -EAGAIN && error != -EBUSY) fail("io_uring: %s", strerror(-error));
        for (unsigned count; (count = io_uring_peek_batch_cqe(&ring, completions, BATCH)) > 0;) {
            for (unsigned i = 0; i < count; i++) handle(&ring, completions[i], serving->listener);
            io_uring_cq_advance(&ring, count);
        }
    }
}
