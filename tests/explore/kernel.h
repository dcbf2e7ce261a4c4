/* SPDX-License-Identifier: MIT */
/*
 * The kernel's part in what descriptors do: objects with numbers, which hold bytes and have room for some, and something
 * like epoll that is told, edge by edge, of what becomes ready in those that are watched. Stands in for io/system.c and
 * for the backends; each call is one event of the schedule.
 *
 * A number that is closed is given out again at once. It is checked that none is used or closed that is not open.
 */
#ifndef FILCH_TESTS_EXPLORE_KERNEL_H
#define FILCH_TESTS_EXPLORE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "io/backend.h"

enum { KERNEL_NUMBERS = 4 };

/* Forgets all. */
void kernel_reset(void);

/* The lowest number that is free, now open, empty, with room for `room` bytes. */
int kernel_open(uint32_t room);

/* The other side: a byte comes in; or room for one is made by taking one out of what was written. */
void kernel_put(int number);
void kernel_take(int number);

/* What there is to read, and how many were written and not taken yet. */
uint32_t kernel_bytes(int number);
uint32_t kernel_written(int number);

bool kernel_is_open(int number);

/* How often a number was closed. */
uint32_t kernel_closes(void);

/* The next `count` calls of watch fail with `error`. */
void kernel_fail_watch(uint32_t count, int error);

#endif
