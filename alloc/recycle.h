/* SPDX-License-Identifier: MIT */
/*
 * What the sanitizers are told about recycled memory.
 *
 * To ThreadSanitizer, of records: the next user's accesses come after the last one's. The lists that hold free records
 * are not instrumented (FILCH__UNSEEN): a cache is its worker's alone, but the sanitizer takes each stack that the worker
 * runs on for a thread of its own, and would see those race.
 */
#ifndef FILCH_ALLOC_RECYCLE_H
#define FILCH_ALLOC_RECYCLE_H

#include "context/context.h"

#ifdef FILCH_TSAN

#include <sanitizer/tsan_interface.h>

#define recycle_given(record) __tsan_release(record)
#define recycle_taken(record) __tsan_acquire(record)

#else

#define recycle_given(record) ((void)(record))
#define recycle_taken(record) ((void)(record))

#endif

/*
 * AddressSanitizer keeps what it knew of the last stack at an address when that is unmapped: forgotten before the next.
 */
#ifdef FILCH_ASAN
#include <sanitizer/asan_interface.h>
#define recycle_fresh(low, size) __asan_unpoison_memory_region(low, size)
#else
#define recycle_fresh(low, size) ((void)(low), (void)(size))
#endif

#endif
