/* SPDX-License-Identifier: MIT */
/*
 * Time: durations are int64_t nanoseconds, and a deadline is a point of the monotonic clock, in a type of its own
 * so that the two cannot be mixed up. A deadline is the last argument of each call that waits.
 */
#ifndef FILCH_TIME_H
#define FILCH_TIME_H

#include <filch/base.h>

FILCH_BEGIN_DECLS

#define FILCH_US(count) ((int64_t)(count)*1000)
#define FILCH_MS(count) ((int64_t)(count)*1000000)
#define FILCH_SEC(count) ((int64_t)(count)*1000000000)

/* A point of CLOCK_MONOTONIC. A zeroed one has passed long ago: a call given it tries, and does not wait. */
typedef struct filch_deadline {
    int64_t at_ns;
} filch_deadline;

#ifdef __cplusplus
#define FILCH_NEVER (filch_deadline{INT64_MAX})
#else
#define FILCH_NEVER ((filch_deadline){INT64_MAX})
#endif

/* The monotonic clock, in nanoseconds. From any thread; does not wait. */
FILCH_API int64_t filch_now(void);

/*
 * The point `duration_ns` nanoseconds from now. Saturates: a duration too long for the clock gives FILCH_NEVER, a
 * negative one a deadline that has passed. From any thread; does not wait.
 */
FILCH_API filch_deadline filch_after(int64_t duration_ns);

FILCH_END_DECLS

#endif
