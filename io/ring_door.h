/* SPDX-License-Identifier: MIT */
/* What the rest of io/ knows of io_uring(7). Where the library is built without it, io/uring_none.c stands in. */
#ifndef FILCH_IO_RING_DOOR_H
#define FILCH_IO_RING_DOOR_H

#include "io/backend.h"
#include "io/file_engine.h"

/* Watches descriptors by a ring. */
extern const struct filch__backend filch__backend_uring;

/* Makes operations on files by the backend's ring, or with epoll by a ring of their own, made with the first. */
extern const struct filch__file_engine filch__file_engine_uring;

/* Makes the ring of `io`: 0, or -errno, and then `io->refused` may say by what. Whoever calls is alone with it, or locks. */
int filch__io_open_ring(struct filch__io *io);

/* Frees it, if there is one. */
void filch__io_close_ring(struct filch__io *io);

/* Takes completions out of the ring, up to `room`. By who holds the poller. */
unsigned filch__io_fetch_ring(struct filch__io *io, struct filch__poll_event *events, unsigned room);

/* Hands over to the kernel what has been put off, as `flush` in sched/poller.h. */
void filch__io_flush_ring(struct filch__io *io, bool old);

/* An operation on a file has ended. By any thread, once. */
void filch__io_file_done(const struct filch__poll_event *event);

#endif
