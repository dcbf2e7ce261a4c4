/* SPDX-License-Identifier: MIT */
/*
 * What watches descriptors: a table, filled by epoll (io/epoll.c) and io_uring (io/uring.c); and a runtime's input and
 * output (io/io.c), which has one of them, and is the runtime's poller.
 */
#ifndef FILCH_IO_BACKEND_H
#define FILCH_IO_BACKEND_H

#include "alloc/alloc.h"
#include "io/record.h"
#include "sched/poller.h"

struct filch__file_engine;

struct filch__backend {
    const char *name;

    /* Opens it: 0 or -errno. `close` is for one that is open. */
    int (*open)(struct filch__io *io);
    void (*close)(struct filch__io *io);

    /* As in sched/poller.h. */
    unsigned (*wait)(struct filch__io *io, struct filch__poll_event *events, unsigned room, int64_t until_ns);
    void (*deliver)(struct filch__io *io, const struct filch__poll_event *events, unsigned count);
    void (*interrupt)(struct filch__io *io);

    /*
     * Watches the record's number from now on, edge by edge, in both directions; what is ready already is an event too.
     * 0, -EPERM (it cannot be watched), or another error. Until `unwatch`, before the number is given back.
     */
    int (*watch)(struct filch__io *io, struct filch__record *record);
    void (*unwatch)(struct filch__io *io, struct filch__record *record);
};

extern const struct filch__backend filch__backend_epoll;

/* A runtime's input and output; made with its first descriptor. */
struct filch__io {
    struct filch__poller poller; /* first: the runtime knows it as that */

    /* read-only after init */
    struct filch_runtime *runtime;
    const struct filch__backend *backend;
    const struct filch__file_engine *files; /* io/file_engine.h; NULL: the pool makes all calls */
    int wait_fd;                            /* epoll's or the ring's */
    int event_fd;                           /* written to interrupt a wait */

    struct filch__slab_depot records;
};

/* The input and output of `runtime`, made if there is none. 0, -ENOMEM, -EMFILE, -ENFILE. */
int filch__io_of(struct filch_runtime *runtime, struct filch__io **io);

/* The word that comes back with each event of the record's present generation. */
static inline uint64_t filch__event_data(const struct filch__record *record, uint64_t state) {
    return (uint64_t)(uintptr_t)record | (state / RECORD_GENERATION) << 48;
}

static inline struct filch__record *filch__event_record(uint64_t data) {
    return (struct filch__record *)(uintptr_t)(data << 16 >> 16);
}

/* Whether an event with `data` is of the record's present opening. */
static inline bool filch__event_is_fresh(struct filch__record *record, uint64_t data) {
    uint64_t state = load_acquire(&record->state);
    return (state & RECORD_OPEN) && data >> 48 == (state / RECORD_GENERATION & 0xffff);
}

#endif
