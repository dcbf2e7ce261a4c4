/* SPDX-License-Identifier: MIT */
/*
 * Two kinds of "cannot go on". die() is for a programmer's error in the use of the library, checked in every build.
 * assert_internal() is for the library's own invariants, checked unless NDEBUG is defined.
 */
#ifndef FILCH_BASE_ASSERT_H
#define FILCH_BASE_ASSERT_H

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#define never_inline __attribute__((noinline))
#define force_inline inline __attribute__((always_inline))

/*
 * Writes "filch: " and the message as one line to standard error, and aborts. Neither allocates nor waits. Formats as
 * printf, cut at 500 bytes.
 */
_Noreturn void filch__die(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

#ifdef NDEBUG
#define assert_internal(condition) ((void)sizeof(condition))
#else
#define assert_internal(condition)                                                                                     \
    (likely(condition) ? (void)0 : filch__die("internal: %s does not hold at %s:%d", #condition, __FILE__, __LINE__))
#endif

#endif
