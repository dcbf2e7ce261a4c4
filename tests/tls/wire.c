/* SPDX-License-Identifier: MIT */
/* A wire for tests. All of it is under one lock, and whoever changes anything wakes all. */
#include "tests/tls/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

/* For what must be done although the scope is cancelled. */
static void lock_anyway(struct wire *wire, filch_shield *shield) {
    filch_shield_begin(shield);
    check_int(filch_mutex_lock(&wire->lock, FILCH_NEVER), 0);
}

static void unlock_anyway(struct wire *wire, filch_shield *shield) {
    filch_cond_broadcast(&wire->changed);
    filch_mutex_unlock(&wire->lock);
    filch_shield_end(shield);
}

/* How many of `size` bytes a call moves. */
static size_t portion(struct wire *wire, size_t size) {
    if (wire->most == 0 || size == 0) return size;
    wire->random ^= wire->random << 13;
    wire->random ^= wire->random >> 17;
    wire->random ^= wire->random << 5;
    size_t some = 1 + wire->random % wire->most;
    return some < size ? some : size;
}

static ssize_t take(struct wire *wire, struct wire_way *way, unsigned char *into, size_t size) {
    size_t count = portion(wire, size < way->length ? size : way->length);
    for (size_t i = 0; i < count; i++) into[i] = way->bytes[(way->first + i) % WIRE_ROOM_MAX];
    way->first = (way->first + count) % WIRE_ROOM_MAX;
    way->length -= count;
    way->read += count;
    filch_cond_broadcast(&wire->changed);
    return (ssize_t)count;
}

static ssize_t wire_read(void *self, void *buffer, size_t size, filch_deadline deadline) {
    struct wire_end *end = self;
    struct wire *wire = end->wire;
    struct wire_way *way = &wire->ways[1 - end->number];
    int error = filch_mutex_lock(&wire->lock, FILCH_NEVER);
    if (error != 0) return error;
    end->calls++;
    while (error == 0 && !end->closed && way->length == 0 && !way->ended)
        error = filch_cond_wait(&wire->changed, &wire->lock, deadline);
    ssize_t answer = end->closed ? -EBADF : error != 0 ? error : take(wire, way, buffer, size);
    filch_mutex_unlock(&wire->lock);
    return answer;
}

static size_t room_of(const struct wire *wire, const struct wire_end *end) {
    const struct wire_way *way = &wire->ways[end->number];
    size_t room = wire->room - way->length;
    uint64_t limits[] = {end->number == 0 ? wire->budget : 0, wire->cut[end->number]};
    for (int i = 0; i < 2; i++) {
        uint64_t left = limits[i] > way->written ? limits[i] - way->written : 0;
        if (limits[i] != 0 && left < room) room = left;
    }
    return room;
}

static ssize_t put(struct wire *wire, const struct wire_end *end, const struct iovec *parts, int count) {
    struct wire_way *way = &wire->ways[end->number];
    size_t moved = 0, most = portion(wire, room_of(wire, end));
    for (int i = 0; i < count; i++) {
        check(parts[i].iov_len > 0);
        const unsigned char *from = parts[i].iov_base;
        for (size_t k = 0; k < parts[i].iov_len && moved < most; k++, moved++) {
            bool spoiled = way->written + moved + 1 == wire->spoil[end->number];
            way->bytes[(way->first + way->length++) % WIRE_ROOM_MAX] = (unsigned char)(from[k] ^ (spoiled ? 0x20 : 0));
        }
    }
    way->written += moved;
    if (way->written == wire->cut[end->number]) way->ended = true;
    filch_cond_broadcast(&wire->changed);
    return (ssize_t)moved;
}

static ssize_t wire_write(void *self, const struct iovec *parts, int count, filch_deadline deadline) {
    struct wire_end *end = self;
    struct wire *wire = end->wire;
    int error = filch_mutex_lock(&wire->lock, FILCH_NEVER);
    if (error != 0) return error;
    end->calls++;
    while (error == 0 && !end->closed && !wire->ends[1 - end->number].closed && !wire->ways[end->number].ended &&
           room_of(wire, end) == 0)
        error = filch_cond_wait(&wire->changed, &wire->lock, deadline);
    ssize_t answer = end->closed                          ? -EBADF
                     : wire->ends[1 - end->number].closed ? -EPIPE
                     : wire->ways[end->number].ended      ? -EPIPE
                     : error != 0                         ? error
                                                          : put(wire, end, parts, count);
    filch_mutex_unlock(&wire->lock);
    return answer;
}

void wire_cut(struct wire *wire, int number) {
    filch_shield shield;
    lock_anyway(wire, &shield);
    wire->ways[number].ended = true;
    unlock_anyway(wire, &shield);
}

static int wire_shutdown(void *self, filch_deadline deadline) {
    struct wire_end *end = self;
    (void)deadline;
    wire_cut(end->wire, end->number);
    return 0;
}

static void wire_close(void *self) {
    struct wire_end *end = self;
    filch_shield shield;
    lock_anyway(end->wire, &shield);
    end->closed = true;
    end->wire->ways[end->number].ended = true;
    unlock_anyway(end->wire, &shield);
}

static void wire_end_destroy(void *self) {
    struct wire_end *end = self;
    check(end->closed && !end->destroyed);
    end->destroyed = true;
}

static int wire_address(void *self, bool peer, filch_address *address) {
    struct wire_end *end = self;
    *address = (filch_address){.length = sizeof address->ip4};
    address->ip4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = (in_port_t)(end->number + (peer ? 10 : 0))};
    return 0;
}

static const filch_transport_ops wire_ops = {
    .kind = "wire",
    .read = wire_read,
    .write = wire_write,
    .shutdown = wire_shutdown,
    .close = wire_close,
    .destroy = wire_end_destroy,
    .address = wire_address,
};

struct wire *wire_create(size_t room) {
    struct wire *wire = calloc(1, sizeof *wire);
    check(wire != NULL && room > 0 && room <= WIRE_ROOM_MAX);
    filch_mutex_init(&wire->lock);
    filch_cond_init(&wire->changed);
    wire->room = room;
    wire->random = 2463534242;
    for (int i = 0; i < 2; i++) wire->ends[i] = (struct wire_end){.wire = wire, .number = i};
    return wire;
}

void wire_destroy(struct wire *wire) {
    filch_cond_fini(&wire->changed);
    filch_mutex_fini(&wire->lock);
    free(wire);
}

filch_transport wire_end(struct wire *wire, int number) {
    return (filch_transport){&wire_ops, &wire->ends[number]};
}

void wire_set_budget(struct wire *wire, uint64_t budget) {
    filch_shield shield;
    lock_anyway(wire, &shield);
    wire->budget = budget;
    unlock_anyway(wire, &shield);
}

uint64_t wire_written(struct wire *wire, int number) {
    filch_shield shield;
    lock_anyway(wire, &shield);
    uint64_t written = wire->ways[number].written;
    unlock_anyway(wire, &shield);
    return written;
}

size_t wire_unread(struct wire *wire, int number) {
    filch_shield shield;
    lock_anyway(wire, &shield);
    size_t length = wire->ways[number].length;
    unlock_anyway(wire, &shield);
    return length;
}
