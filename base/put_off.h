/* SPDX-License-Identifier: MIT */
/*
 * ThreadSanitizer puts the handlers of signals off until the thread makes a call that it knows. syscall(2) is none, so a
 * thread in a futex would sleep on: there, a handler is to cut the sleep short (no SA_RESTART), and the sleeper then makes
 * a call that lets the handler run.
 */
#ifndef FILCH_BASE_PUT_OFF_H
#define FILCH_BASE_PUT_OFF_H

#include <stdbool.h>

#if defined(__SANITIZE_THREAD__)
#define HANDLERS_ARE_PUT_OFF true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HANDLERS_ARE_PUT_OFF true
#endif
#endif
#ifndef HANDLERS_ARE_PUT_OFF
#define HANDLERS_ARE_PUT_OFF false
#endif

#endif
