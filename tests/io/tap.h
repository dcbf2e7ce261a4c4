/* SPDX-License-Identifier: MIT */
/*
 * A transport of the tests' own: what is read stands in memory, what is written is compared with the flow that it
 * should be. It moves as little at a time as is wished, refuses calls now and then, and counts.
 */
#ifndef FILCH_TESTS_IO_TAP_H
#define FILCH_TESTS_IO_TAP_H

#include <filch/pair.h>
#include <filch/stream.h>

#include "tests/io/bytes.h"

struct tap {
    const void *text; /* what can be read */
    size_t length, at;
    uint64_t taken; /* bytes that were written, each as byte_at says */
    size_t most;    /* bytes that a call moves, at random up to this; 0: all */
    unsigned every; /* one in so many calls is refused, and moves nothing; 0: none */
    int refusal;    /* with this */
    int broken;     /* what writes answer, if it is not 0 */
    uint32_t random;

    int reads, writes, shuts, closes, destroys;
    size_t last;           /* what the last write was offered */
    const void *last_part; /* where its last part stood */
};

static inline bool tap_refuses(struct tap *tap) {
    return tap->every > 0 && chance(&tap->random, tap->every) == 0;
}

static inline size_t tap_amount(struct tap *tap, size_t size) {
    if (tap->most == 0) return size;
    size_t amount = 1 + chance(&tap->random, (unsigned)tap->most);
    return amount < size ? amount : size;
}

static inline ssize_t tap_read(void *self, void *buffer, size_t size, filch_deadline deadline) {
    (void)deadline;
    struct tap *tap = self;
    tap->reads++;
    check(size > 0);
    if (tap_refuses(tap)) return tap->refusal;
    size_t amount = tap_amount(tap, size);
    if (amount > tap->length - tap->at) amount = tap->length - tap->at;
    if (amount > 0) memcpy(buffer, (const char *)tap->text + tap->at, amount);
    tap->at += amount;
    return (ssize_t)amount;
}

static inline ssize_t tap_write(void *self, const struct iovec *parts, int count, filch_deadline deadline) {
    (void)deadline;
    struct tap *tap = self;
    tap->writes++;
    tap->last = 0;
    check(count > 0);
    for (int i = 0; i < count; i++) {
        check(parts[i].iov_len > 0);
        tap->last += parts[i].iov_len;
    }
    tap->last_part = parts[count - 1].iov_base;
    if (tap->broken != 0) return tap->broken;
    if (tap_refuses(tap)) return tap->refusal;
    size_t amount = tap_amount(tap, tap->last), left = amount;
    for (int i = 0; left > 0; i++) {
        size_t size = parts[i].iov_len < left ? parts[i].iov_len : left;
        check_bytes(parts[i].iov_base, size, tap->taken);
        tap->taken += size;
        left -= size;
    }
    return (ssize_t)amount;
}

static inline int tap_shutdown(void *self, filch_deadline deadline) {
    (void)deadline;
    struct tap *tap = self;
    if (tap_refuses(tap)) return tap->refusal;
    tap->shuts++;
    return 0;
}

static inline void tap_close(void *self) {
    ((struct tap *)self)->closes++;
}

static inline void tap_destroy(void *self) {
    ((struct tap *)self)->destroys++;
}

static const filch_transport_ops tap_ops = {
    .kind = "tap",
    .read = tap_read,
    .write = tap_write,
    .shutdown = tap_shutdown,
    .close = tap_close,
    .destroy = tap_destroy,
};

/* A stream over it. */
static inline filch_stream *tap_stream(struct tap *tap, const filch_stream_options *options) {
    filch_stream *stream;
    if (tap->random == 0) tap->random = 1234567;
    check_int(filch_stream_create(&stream, (filch_transport){&tap_ops, tap}, options), 0);
    return stream;
}

/* Two streams, each the other's other side, over a pair that holds `capacity` bytes in each direction. */
static inline void stream_pair(filch_stream *streams[2], size_t capacity, const filch_stream_options *options) {
    filch_transport ends[2];
    check_int(filch_pair_create(ends, capacity), 0);
    for (int i = 0; i < 2; i++) check_int(filch_stream_create(&streams[i], ends[i], options), 0);
}

static inline void destroy_both(filch_stream *streams[2]) {
    filch_stream_destroy(streams[0]);
    filch_stream_destroy(streams[1]);
}

#endif
