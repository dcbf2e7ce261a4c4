/* SPDX-License-Identifier: MIT */
/* Stands in where the library is built without io_uring. */
#include "io/ring_door.h"

int filch__io_open_ring(struct filch__io *io) {
    io->refused = "the library was built without io_uring";
    return -ENOSYS;
}

void filch__io_close_ring(struct filch__io *io) {
    (void)io;
}

unsigned filch__io_fetch_ring(struct filch__io *io, struct filch__poll_event *events, unsigned room) {
    (void)io;
    (void)events;
    (void)room;
    return 0;
}

void filch__io_flush_ring(struct filch__io *io, bool old) {
    (void)io;
    (void)old;
}

void filch__io_file_done(const struct filch__poll_event *event) {
    (void)event;
}

static int make_none(struct filch__io *io, struct filch__file_op *op, filch_deadline deadline) {
    (void)io;
    (void)op;
    (void)deadline;
    return -ENOSYS;
}

const struct filch__backend filch__backend_uring = {.name = "io_uring", .open = filch__io_open_ring};

const struct filch__file_engine filch__file_engine_uring = {.name = "none", .submit_and_wait = make_none};
