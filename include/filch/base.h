/* SPDX-License-Identifier: MIT */
/*
 * What every public header needs: linkage, attributes, the error convention, the type of a task's function.
 *
 * Errors. Functions return 0, a count, or a negative errno (-EINVAL; include <errno.h> for the names). The library
 * neither reads nor writes `errno`, and a caller must not read `errno` after a call that may wait: the task may have
 * continued on another thread, and compilers keep the address of the old thread's errno. The same holds for any
 * thread-local variable and for pthread_self(): read them again, in another function, after a call that may wait.
 *
 * A programmer's error that can be told (awaiting a task twice) ends the process by abort(), after one line on standard
 * error that names the rule, the object and the task.
 */
#ifndef FILCH_BASE_H
#define FILCH_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILCH_VERSION_MAJOR 0
#define FILCH_VERSION_MINOR 1
#define FILCH_VERSION_PATCH 0

#if defined(__GNUC__)
#define FILCH_API __attribute__((__visibility__("default")))
#define FILCH_CHECK __attribute__((__warn_unused_result__))
#else
#error "filch needs gcc or clang"
#endif

#ifdef __cplusplus
#define FILCH_BEGIN_DECLS extern "C" {
#define FILCH_END_DECLS }
#else
#define FILCH_BEGIN_DECLS
#define FILCH_END_DECLS
#endif

FILCH_BEGIN_DECLS

/*
 * What a task runs. Returns 0 or a positive value of its own choice, or a negative errno; data goes through `arg`,
 * which must stay valid until the task has ended.
 */
typedef int filch_fn(void *arg);

/* The version of the library that is linked, as "0.1.0". From any thread; does not wait; static lifetime. */
FILCH_API const char *filch_version(void);

FILCH_END_DECLS

#endif
