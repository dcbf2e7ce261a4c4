/* SPDX-License-Identifier: MIT */
#include "tests/explore/kernel.h"

#include <stdlib.h>
#include <string.h>

#include "base/futex.h"
#include "io/system.h"
#include "sched/runtime.h"
#include "tests/explore/explore.h"

enum { INTERRUPTED = 1, HAPPENED = 2 };

/* All plain: a virtual thread goes on alone from one event of the schedule to the next, and each call begins with one. */
static struct {
    ATOMIC(uint32_t) entered;
    uint32_t word; /* the futex of who waits for events */
    struct object {
        bool open;
        uint32_t bytes, room, written;
        uint64_t watched; /* the word that goes with its events, or 0 */
        uint32_t ready;   /* FILCH_READABLE and FILCH_WRITABLE, not fetched yet */
    } objects[KERNEL_NUMBERS];
    uint32_t closes, watch_failures;
    int watch_error;
} kernel;

void kernel_reset(void) {
    memset(&kernel, 0, sizeof kernel);
}

static void enter(void) {
    add_seq_cst(&kernel.entered, 1);
}

static struct object *object_of(int number) {
    explore_check(number >= 0 && number < KERNEL_NUMBERS);
    if (!kernel.objects[number].open) explore_fail("number %d is used, and is not open", number);
    return &kernel.objects[number];
}

static uint32_t ready_of(const struct object *object) {
    return (object->bytes > 0 ? FILCH_READABLE : 0) | (object->written < object->room ? FILCH_WRITABLE : 0);
}

/* Something has become ready: whatever is by then is told of, as epoll does. */
static void tell(struct object *object) {
    if (object->watched == 0) return;
    object->ready = ready_of(object);
    kernel.word |= HAPPENED;
    filch__futex_wake(&kernel.word, 1);
}

int kernel_open(uint32_t room) {
    enter();
    int number = 0;
    while (kernel.objects[number].open) number++;
    explore_check(number < KERNEL_NUMBERS);
    kernel.objects[number] = (struct object){.open = true, .room = room};
    return number;
}

void kernel_put(int number) {
    enter();
    struct object *object = &kernel.objects[number];
    object->bytes++;
    tell(object);
}

void kernel_take(int number) {
    enter();
    struct object *object = &kernel.objects[number];
    if (object->written == 0) return;
    object->written--;
    tell(object);
}

uint32_t kernel_bytes(int number) {
    enter();
    return kernel.objects[number].bytes;
}

uint32_t kernel_written(int number) {
    enter();
    return kernel.objects[number].written;
}

bool kernel_is_open(int number) {
    enter();
    return kernel.objects[number].open;
}

uint32_t kernel_closes(void) {
    return kernel.closes;
}

void kernel_fail_watch(uint32_t count, int error) {
    kernel.watch_failures = count;
    kernel.watch_error = error;
}

/* ----------------------------------------------------------------------------------------------------- system calls */

ssize_t filch__system_read(int number, void *buffer, size_t size) {
    enter();
    struct object *object = object_of(number);
    if (object->bytes == 0) return -EAGAIN;
    size_t moved = size < object->bytes ? size : object->bytes;
    object->bytes -= (uint32_t)moved;
    memset(buffer, 'x', moved);
    return (ssize_t)moved;
}

ssize_t filch__system_write(int number, const void *buffer, size_t size) {
    (void)buffer;
    enter();
    struct object *object = object_of(number);
    size_t left = object->room - object->written;
    if (left == 0) return -EAGAIN;
    size_t moved = size < left ? size : left;
    object->written += (uint32_t)moved;
    return (ssize_t)moved;
}

ssize_t filch__system_splice(int from, int to, size_t count) {
    enter();
    struct object *source = object_of(from), *sink = object_of(to);
    if (source->bytes == 0 || sink->written == sink->room || count == 0) return -EAGAIN;
    source->bytes--;
    sink->written++;
    return 1;
}

int filch__system_poll(int number, short events, int64_t until_ns) {
    explore_check(until_ns == 0);
    enter();
    uint32_t ready = ready_of(object_of(number));
    return (ready & FILCH_READABLE ? events & POLLIN : 0) | (ready & FILCH_WRITABLE ? events & POLLOUT : 0);
}

int filch__system_close(int number) {
    enter();
    *object_of(number) = (struct object){.open = false};
    kernel.closes++;
    return 0;
}

int filch__system_prepare(int number, struct filch__system_kind *kind) {
    (void)number;
    *kind = (struct filch__system_kind){.stream = explore_choose(2) == 0};
    return 0;
}

bool filch__system_cuts(void) {
    return false;
}

/* What no scenario uses. */

int filch__system_pipe(int numbers[2]) {
    (void)numbers;
    abort();
}

ssize_t filch__system_readv(int number, const struct iovec *parts, int count) {
    (void)number, (void)parts, (void)count;
    abort();
}

ssize_t filch__system_writev(int number, const struct iovec *parts, int count) {
    (void)number, (void)parts, (void)count;
    abort();
}

ssize_t filch__system_pread(int number, void *buffer, size_t size, int64_t offset) {
    (void)number, (void)buffer, (void)size, (void)offset;
    abort();
}

ssize_t filch__system_pwrite(int number, const void *buffer, size_t size, int64_t offset) {
    (void)number, (void)buffer, (void)size, (void)offset;
    abort();
}

ssize_t filch__system_recv(int number, void *buffer, size_t size, int flags) {
    (void)number, (void)buffer, (void)size, (void)flags;
    abort();
}

ssize_t filch__system_send(int number, const void *buffer, size_t size, int flags) {
    (void)number, (void)buffer, (void)size, (void)flags;
    abort();
}

ssize_t filch__system_recvmsg(int number, struct msghdr *message, int flags) {
    (void)number, (void)message, (void)flags;
    abort();
}

ssize_t filch__system_sendmsg(int number, const struct msghdr *message, int flags) {
    (void)number, (void)message, (void)flags;
    abort();
}

ssize_t filch__system_sendfile(int to, int from, int64_t *offset, size_t count) {
    (void)to, (void)from, (void)offset, (void)count;
    abort();
}

/* ---------------------------------------------------------------------------------------------------------- backend */

static int watch_here(struct filch__io *io, struct filch__record *record) {
    (void)io;
    enter();
    if (kernel.watch_failures > 0) {
        kernel.watch_failures--;
        return kernel.watch_error;
    }
    struct object *object = object_of(record->number);
    explore_check(object->watched == 0);
    object->watched = filch__event_data(record, load_acquire(&record->state));
    if (ready_of(object) != 0) tell(object);
    return 0;
}

static void unwatch_here(struct filch__io *io, struct filch__record *record) {
    (void)io;
    enter();
    struct object *object = object_of(record->number);
    explore_check(object->watched != 0);
    object->watched = object->ready = 0;
}

static const struct filch__backend backend = {.name = "explored", .watch = watch_here, .unwatch = unwatch_here};

static unsigned fetch(struct filch__poll_event *events, unsigned room) {
    unsigned count = 0;
    for (int i = 0; i < KERNEL_NUMBERS && count < room; i++) {
        struct object *object = &kernel.objects[i];
        if (object->ready == 0) continue;
        events[count++] = (struct filch__poll_event){.data = object->watched, .events = object->ready};
        object->ready = 0;
    }
    return count;
}

static unsigned wait_here(struct filch__poller *poller, struct filch__poll_event *events, unsigned room,
                          int64_t until_ns) {
    (void)poller;
    for (;;) {
        enter();
        bool interrupted = kernel.word & INTERRUPTED;
        kernel.word = 0;
        unsigned count = fetch(events, room);
        if (count > 0 || interrupted || until_ns == 0) return count;
        if (!filch__futex_wait(&kernel.word, 0, until_ns)) return 0;
    }
}

static void deliver_here(struct filch__poller *poller, const struct filch__poll_event *events, unsigned count) {
    (void)poller;
    for (unsigned i = 0; i < count; i++) {
        struct filch__record *record = filch__event_record(events[i].data);
        if (filch__event_is_fresh(record, events[i].data)) filch__record_event(record, events[i].events, 0);
    }
}

static void interrupt_here(struct filch__poller *poller) {
    (void)poller;
    enter();
    kernel.word |= INTERRUPTED;
    filch__futex_wake(&kernel.word, 1);
}

static void destroy_here(struct filch__poller *poller) {
    struct filch__io *io = (struct filch__io *)(void *)poller;
    filch__slab_depot_fini(&io->records);
    filch__heap_put(io, sizeof *io, CACHE_LINE);
}

static const struct filch__poller_ops ops = {wait_here, deliver_here, interrupt_here, destroy_here, NULL};

/* As io/io.c. */
int filch__io_of(struct filch_runtime *runtime, struct filch__io **result) {
    filch__lock_take(&runtime->poller_lock);
    struct filch__poller *poller = load_relaxed(&runtime->poller);
    struct filch__io *io = (struct filch__io *)(void *)poller;
    if (io == NULL) {
        io = filch__heap_get(sizeof *io, CACHE_LINE);
        explore_check(io != NULL);
        io->poller.ops = &ops;
        io->runtime = runtime;
        io->backend = &backend;
        filch__slab_depot_init(&io->records, sizeof(struct filch__record));
        filch__runtime_set_poller(runtime, &io->poller);
    }
    filch__lock_leave(&runtime->poller_lock);
    *result = io;
    return 0;
}
