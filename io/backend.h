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
struct filch__uring;
struct filch_signals;

/*
 * An event's word is an address that is a multiple of 64, and says in its low bits what is there. A record's has the
 * generation in its high bits besides.
 */
enum filch__event_tag {
    EVENT_RECORD,
    EVENT_FILE,    /* an operation on a file: io/uring_file.c */
    EVENT_NOBODY,  /* nobody wants to know. This one and the next are not delivered */
    EVENT_WAKE,    /* ends a wait */
    EVENT_RING,    /* epoll's: there are completions in the ring */
    EVENT_TAG = 7, /* these bits */
};

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

    /* Has completions in a ring be events as well: 0 or -errno. NULL: they are. */
    int (*watch_ring)(struct filch__io *io, int number);
};

extern const struct filch__backend filch__backend_epoll;

/* A runtime's input and output; made with its first descriptor. */
struct filch__io {
    struct filch__poller poller; /* first: the runtime knows it as that */

    /* read-only after init */
    struct filch_runtime *runtime;
    const struct filch__backend *backend;
    const struct filch__file_engine *files; /* io/file_engine.h; NULL: the pool makes all calls */
    int wait_fd;                            /* epoll's */
    int event_fd;                           /* written to interrupt a wait */
    const char *refused;                    /* what refused to make a ring, if anything did; static text */

    /* under the runtime's poller lock, until there is one; read by anyone */
    ATOMIC(struct filch__uring *) ring; /* io/uring.h; the backend's, or with epoll that of operations on files */
    ATOMIC(bool) ringless;              /* there is none to be had */

    struct filch__slab_depot records;

    struct filch__latch signals_latch; /* over the next */
    struct filch_signals *signals;     /* the handles for signals that are open: io/signal.c */
};

/* The input and output of `runtime`, made if there is none. 0, -ENOMEM, -EMFILE, -ENFILE. */
int filch__io_of(struct filch_runtime *runtime, struct filch__io **io);

/* Chooses backend and file engine, and opens the backend: 0 or -errno. io/choice.c. */
int filch__io_choose(struct filch__io *io);

/* Closes the handles for signals that are left. */
void filch__io_close_signals(struct filch__io *io);

/* The word that comes back with each event of the record's present generation. */
static inline uint64_t filch__event_data(const struct filch__record *record, uint64_t state) {
    return (uint64_t)(uintptr_t)record | (state / RECORD_GENERATION) << 48;
}

static inline struct filch__record *filch__event_record(uint64_t data) {
    return (struct filch__record *)(uintptr_t)(data << 16 >> 16);
}

/* The handle of the opening that an event with `data` is of, if it is the record's present one. */
static inline filch_fd filch__event_handle(struct filch__record *record, uint64_t data) {
    uint64_t generation = load_acquire(&record->state) / RECORD_GENERATION;
    return data >> 48 == (generation & 0xffff) ? (filch_fd){record, generation + 1} : FILCH_FD_NONE;
}

/* Whether an event with `data` is of the record's present opening. */
static inline bool filch__event_is_fresh(struct filch__record *record, uint64_t data) {
    uint64_t state = load_acquire(&record->state);
    return (state & RECORD_OPEN) && data >> 48 == (state / RECORD_GENERATION & 0xffff);
}

#endif
