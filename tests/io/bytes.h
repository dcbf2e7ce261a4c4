/* SPDX-License-Identifier: MIT */
/*
 * What the tests of streams of bytes share. Byte number n of a flow has a value that follows from n, so that a byte
 * that is lost, doubled or moved shows wherever it is looked at.
 */
#ifndef FILCH_TESTS_IO_BYTES_H
#define FILCH_TESTS_IO_BYTES_H

#include <string.h>

#include "alloc/heap.h"
#include "tests/sync/locks.h"

static inline unsigned char byte_at(uint64_t position) {
    uint64_t mixed = (position + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (unsigned char)(mixed >> 56);
}

/* The bytes of a flow from `position` on. */
static inline void fill_bytes(void *buffer, size_t size, uint64_t position) {
    for (size_t i = 0; i < size; i++) ((unsigned char *)buffer)[i] = byte_at(position + i);
}

static inline void check_bytes(const void *buffer, size_t size, uint64_t position) {
    for (size_t i = 0; i < size; i++) check_int(((const unsigned char *)buffer)[i], byte_at(position + i));
}

/* Lets others run until `condition` holds: from a task. */
#define until(condition)                                                                                               \
    while (!(condition)) filch_yield()

static inline filch_deadline at_once(void) {
    return (filch_deadline){0};
}

static inline ssize_t end_read(filch_transport end, void *buffer, size_t size, filch_deadline deadline) {
    return end.ops->read(end.self, buffer, size, deadline);
}

static inline ssize_t end_write(filch_transport end, const void *bytes, size_t size, filch_deadline deadline) {
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    return end.ops->write(end.self, &part, 1, deadline);
}

static inline void end_over(filch_transport end) {
    end.ops->close(end.self);
    end.ops->destroy(end.self);
}

#endif
