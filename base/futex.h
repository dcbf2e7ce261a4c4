/* SPDX-License-Identifier: MIT */
/* The kernel's wait and wake on a 32-bit word, private to the process. */
#ifndef FILCH_BASE_FUTEX_H
#define FILCH_BASE_FUTEX_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Sleeps while `*word` is `expected`, until woken or, unless it is INT64_MAX, until the monotonic clock shows
 * `deadline_ns`. Returns false only where the deadline has passed; may return true for no reason.
 */
bool filch__futex_wait(uint32_t *word, uint32_t expected, int64_t deadline_ns);

/* Wakes up to `count` sleepers of `*word`. The word need no longer exist: then nobody, or somebody for no reason. */
void filch__futex_wake(uint32_t *word, int count);

#endif
