/* SPDX-License-Identifier: MIT */
/*
 * Pairs: two flows of bytes, one in each direction. A flow is a ring with one reader and one writer, who copy without
 * the latch: what is inside is the reader's, the room is the writer's, and only `start` and `length`, which draw the
 * line between them, change under it. The reader moves `start` and shortens `length` by the same, the writer lengthens
 * it; so each may go on with what it has looked up under the latch, whatever the other does meanwhile.
 *
 * Invariants, whenever the latch is free
 *   I1  the reader waits only where nothing is inside and may yet come; the writer only where no room is and may yet
 *       come. Whoever changes that takes the waiter out, which looks again: a grant promises nothing.
 *   I2  `reading` says that one call to read is under way, `writing` the same of writes. A second one would copy the
 *       same bytes, and aborts.
 *   I3  once the reader is gone nothing is inside.
 */
#include <errno.h>
#include <filch/pair.h>
#include <string.h>

#include "alloc/heap.h"
#include "base/tasksan.h"
#include "sync/object.h"

enum writer_state {
    WRITER_OPEN,
    WRITER_SHUT,   /* by the shutdown of its end */
    WRITER_CLOSED, /* by the close of its end */
};

struct flow {
    struct filch__latch latch cache_aligned;

    /* under the latch */
    enum writer_state writer;
    bool reader_closed;
    bool reading, writing;
    size_t start, length;
    struct filch__waitlist readers, writers;

    /* read-only after init */
    size_t capacity;
    unsigned char *bytes;
};

struct end {
    struct pair *pair;
    struct flow *in, *out;
};

struct pair {
    struct flow flows[2];
    struct end ends[2];
    size_t bytes;               /* of the allocation */
    ATOMIC(uint32_t) ends_left; /* that were not destroyed */
    unsigned char rings[];
};

/* -------------------------------------------------------------------------------------------------- both directions */

/* Begins a call that may not overlap with another of its kind. Under the latch. */
static void enter(const struct flow *flow, bool *inside, const char *what) {
    if (unlikely(*inside)) {
        filch__die("one end of a pair (flow %p) is %s by two at once, the second is task \"%s\"", (const void *)flow,
                   what, caller_name());
    }
    *inside = true;
}

/* Waits in `list` until something has changed. Under the latch, which is left for that and taken again. */
static int wait_for_change(struct flow *flow, struct filch__waitlist *list, const char *reason,
                           filch_deadline deadline) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, reason, flow);
    struct filch__clause clause = {.waiter = &waiter};
    filch__waitlist_add(list, &clause);
    int answer = filch__wait(&flow->latch, &clause, deadline);
    filch__latch_take(&flow->latch);
    return answer;
}

/* The end of a call: leaves the latch, and wakes who stands in `list`. */
static void leave(struct flow *flow, struct filch__waitlist *list) {
    struct filch__clause *chain = list != NULL ? filch__waitlist_take_all(list) : NULL;
    filch__latch_leave(&flow->latch);
    filch__grant_all(chain, 0);
}

/* Bytes from a place of the ring on, up to its end; a copy of `size` bytes has one piece or two. */
static size_t straight(const struct flow *flow, size_t place, size_t size) {
    size_t to_end = flow->capacity - place;
    return size < to_end ? size : to_end;
}

static size_t place_after(const struct flow *flow, size_t place, size_t size) {
    return size < flow->capacity - place ? place + size : size - (flow->capacity - place);
}

static void copy_out(const struct flow *flow, size_t place, void *to, size_t size) {
    edge_acquire(flow); /* what was done before the bytes were put in */
    seen_write(to, size);
    size_t first = straight(flow, place, size);
    memcpy(to, flow->bytes + place, first);
    if (size > first) memcpy((unsigned char *)to + first, flow->bytes, size - first);
}

static void copy_in(struct flow *flow, size_t place, const void *from, size_t size) {
    seen_read(from, size);
    edge_release(flow);
    size_t first = straight(flow, place, size);
    memcpy(flow->bytes + place, from, first);
    if (size > first) memcpy(flow->bytes, (const unsigned char *)from + first, size - first);
}

/* ------------------------------------------------------------------------------------------------------------- read */

/* How many bytes can be read at once; 0: the end; -EAGAIN: none yet. Under the latch. */
static ssize_t readable(const struct flow *flow, size_t size) {
    if (flow->reader_closed) return -EBADF;
    if (size == 0) return 0;
    if (flow->length > 0) return (ssize_t)(size < flow->length ? size : flow->length);
    return flow->writer == WRITER_OPEN ? -EAGAIN : 0;
}

/* Takes `size` bytes that are inside. Under the latch, which is left meanwhile. */
static ssize_t take(struct flow *flow, void *buffer, size_t size) {
    size_t place = flow->start;
    filch__latch_leave(&flow->latch);
    copy_out(flow, place, buffer, size);
    filch__latch_take(&flow->latch);
    if (flow->reader_closed) return -EBADF; /* I3: it has been emptied */
    flow->start = place_after(flow, place, size);
    flow->length -= size;
    return (ssize_t)size;
}

static ssize_t pair_read(void *self, void *buffer, size_t size, filch_deadline deadline) {
    struct flow *flow = ((struct end *)self)->in;
    if (filch__cancelled()) return -ECANCELED;
    filch__latch_take(&flow->latch);
    enter(flow, &flow->reading, "read");
    ssize_t answer = readable(flow, size);
    bool at_once = answer != -EAGAIN;
    while (answer == -EAGAIN) {
        answer = wait_for_change(flow, &flow->readers, "pair read", deadline);
        if (answer == 0) answer = readable(flow, size);
    }
    if (answer > 0) answer = take(flow, buffer, (size_t)answer);
    flow->reading = false;
    leave(flow, answer > 0 ? &flow->writers : NULL);
    if (at_once) filch__spend();
    return answer;
}

/* ------------------------------------------------------------------------------------------------------------ write */

/* How many bytes there is room for; -EAGAIN: none yet. Under the latch. */
static ssize_t writable(const struct flow *flow) {
    if (flow->writer == WRITER_CLOSED) return -EBADF;
    if (flow->writer == WRITER_SHUT || flow->reader_closed) return -EPIPE;
    return flow->length < flow->capacity ? (ssize_t)(flow->capacity - flow->length) : -EAGAIN;
}

/* Puts as much of `parts` in as `room` holds. Under the latch, which is left meanwhile. */
static ssize_t put(struct flow *flow, const struct iovec *parts, int count, size_t room) {
    size_t place = place_after(flow, flow->start, flow->length), total = 0;
    filch__latch_leave(&flow->latch);
    for (int i = 0; i < count && total < room; i++) {
        size_t size = parts[i].iov_len < room - total ? parts[i].iov_len : room - total;
        copy_in(flow, place, parts[i].iov_base, size);
        place = place_after(flow, place, size);
        total += size;
    }
    filch__latch_take(&flow->latch);
    if (flow->writer == WRITER_CLOSED) return -EBADF;
    if (flow->reader_closed) return -EPIPE;
    flow->length += total;
    return (ssize_t)total;
}

static ssize_t pair_write(void *self, const struct iovec *parts, int count, filch_deadline deadline) {
    struct flow *flow = ((struct end *)self)->out;
    if (filch__cancelled()) return -ECANCELED;
    filch__latch_take(&flow->latch);
    enter(flow, &flow->writing, "written");
    ssize_t answer = writable(flow);
    bool at_once = answer != -EAGAIN;
    while (answer == -EAGAIN) {
        answer = wait_for_change(flow, &flow->writers, "pair write", deadline);
        if (answer == 0) answer = writable(flow);
    }
    if (answer > 0) answer = put(flow, parts, count, (size_t)answer);
    flow->writing = false;
    leave(flow, answer > 0 ? &flow->readers : NULL);
    if (at_once) filch__spend();
    return answer;
}

/* ----------------------------------------------------------------------------------------- shutdown, close, destroy */

/* As leave, where one side of the flow is gone: who waits is to look again. */
static void leave_all(struct flow *flow) {
    struct filch__clause *writers = filch__waitlist_take_all(&flow->writers);
    leave(flow, &flow->readers);
    filch__grant_all(writers, 0);
}

static int pair_shutdown(void *self, filch_deadline deadline) {
    (void)deadline;
    struct flow *flow = ((struct end *)self)->out;
    if (filch__cancelled()) return -ECANCELED;
    filch__latch_take(&flow->latch);
    bool closed = flow->writer == WRITER_CLOSED;
    if (!closed) flow->writer = WRITER_SHUT;
    leave_all(flow);
    return closed ? -EBADF : 0;
}

static void pair_close(void *self) {
    struct end *end = self;
    filch__latch_take(&end->in->latch);
    end->in->reader_closed = true;
    end->in->length = 0;
    leave_all(end->in);
    filch__latch_take(&end->out->latch);
    end->out->writer = WRITER_CLOSED;
    leave_all(end->out);
}

static void pair_destroy(void *self) {
    struct end *end = self;
    struct pair *pair = end->pair;
    pair_close(self);
    if (add_acq_rel(&pair->ends_left, -1) == 1)
        filch__heap_put(pair, pair->bytes, CACHE_LINE); /* what both did is done */
}

/* ----------------------------------------------------------------------------------------------------------- create */

static const filch_transport_ops pair_ops = {
    .kind = "pair",
    .read = pair_read,
    .write = pair_write,
    .shutdown = pair_shutdown,
    .close = pair_close,
    .destroy = pair_destroy,
};

int filch_pair_create(filch_transport ends[2], size_t capacity) {
    if (ends == NULL || capacity == 0 || capacity > FILCH_PAIR_CAPACITY_MAX) return -EINVAL;
    size_t bytes = sizeof(struct pair) + 2 * capacity;
    struct pair *pair = filch__heap_get(bytes, CACHE_LINE);
    if (pair == NULL) return -ENOMEM;
    pair->bytes = bytes;
    pair->ends_left = 2;
    for (int i = 0; i < 2; i++) {
        pair->flows[i].capacity = capacity;
        pair->flows[i].bytes = pair->rings + (size_t)i * capacity;
        pair->ends[i] = (struct end){.pair = pair, .in = &pair->flows[i], .out = &pair->flows[1 - i]};
        ends[i] = (filch_transport){.ops = &pair_ops, .self = &pair->ends[i]};
    }
    return 0;
}
