/* SPDX-License-Identifier: MIT */
/* A runtime's input and output: made at its first use, taken down with the runtime. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/backend.h"
#include "io/ring_door.h"
#include "io/system.h"
#include "sched/runtime.h"

static struct filch__io *io_of(struct filch__poller *poller) {
    return (struct filch__io *)(void *)poller; /* its first field */
}

static unsigned wait_io(struct filch__poller *poller, struct filch__poll_event *events, unsigned room,
                        int64_t until_ns) {
    return io_of(poller)->backend->wait(io_of(poller), events, room, until_ns);
}

static void deliver_io(struct filch__poller *poller, const struct filch__poll_event *events, unsigned count) {
    io_of(poller)->backend->deliver(io_of(poller), events, count);
}

static void interrupt_io(struct filch__poller *poller) {
    io_of(poller)->backend->interrupt(io_of(poller));
}

/* What the program has left open goes with the runtime that was in charge of it. */
static int close_left(void *object, void *argument) {
    struct filch__record *record = object;
    (void)argument;
    if ((load_relaxed(&record->state) & RECORD_OPEN) && !record->guest) (void)filch__system_close(record->number);
    return 0;
}

static void flush_io(struct filch__poller *poller, bool old) {
    filch__io_flush_ring(io_of(poller), old);
}

static void destroy_io(struct filch__poller *poller) {
    struct filch__io *io = io_of(poller);
    filch__io_close_signals(io);
    filch__slab_each(&io->records, close_left, NULL);
    io->backend->close(io);
    filch__slab_depot_fini(&io->records);
    filch__heap_put(io, sizeof *io, CACHE_LINE);
}

static const struct filch__poller_ops ops = {
    .wait = wait_io,
    .deliver = deliver_io,
    .interrupt = interrupt_io,
    .destroy = destroy_io,
    .flush = flush_io,
};

static int make(struct filch_runtime *runtime, struct filch__io **result) {
    struct filch__io *io = filch__heap_get(sizeof *io, CACHE_LINE);
    if (io == NULL) return -ENOMEM;
    io->poller.ops = &ops;
    io->runtime = runtime;
    filch__slab_depot_init(&io->records, sizeof(struct filch__record));
    int error = filch__io_choose(io);
    if (error == 0) {
        *result = io;
        return 0;
    }
    filch__slab_depot_fini(&io->records);
    filch__heap_put(io, sizeof *io, CACHE_LINE);
    return error;
}

int filch__io_of(struct filch_runtime *runtime, struct filch__io **io) {
    if (unlikely(runtime->simulated)) { /* what the system does is not to be had again */
        filch__sim_refuse("descriptors of the system");
        return -EOPNOTSUPP;
    }
    struct filch__poller *poller = load_acquire(&runtime->poller); /* carries all of it */
    *io = io_of(poller);
    if (likely(poller != NULL)) return 0;
    filch__lock_take(&runtime->poller_lock);
    *io = io_of(load_relaxed(&runtime->poller)); /* written under the lock */
    int error = *io != NULL ? 0 : make(runtime, io);
    if (error == 0 && load_relaxed(&runtime->poller) == NULL) filch__runtime_set_poller(runtime, &(*io)->poller);
    filch__lock_leave(&runtime->poller_lock);
    return error;
}
