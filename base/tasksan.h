/* SPDX-License-Identifier: MIT */
/*
 * What ThreadSanitizer is told in the flavour of the library that shows it tasks (FILCH_TSAN_TASKS, see
 * docs/THREADSANITIZER.md); in every other build all of this is nothing.
 *
 * The library is not instrumented then: its own accesses are not seen, and make no order between tasks. The order that
 * each call promises (the line "Orders" of its contract) is told here, edge by edge: one side releases the object that
 * stands for the edge, the other acquires it. An edge too many would hide races, one too few would invent some.
 *
 *   edge_set(object)       what the caller has done comes before whatever acquires `object`; what was told of the object
 *                          before is forgotten: for an edge with one source, and where an object begins
 *   edge_release(object)   the same, in addition to what was told before
 *   edge_acquire(object)   ... comes before what follows here
 *   edge_pass(from, to)    what `from` carries is carried by `to`, and nothing of the caller's
 *
 * Objects are addresses, and any two addresses are two objects.
 */
#ifndef FILCH_BASE_TASKSAN_H
#define FILCH_BASE_TASKSAN_H

#include <stddef.h>
#include <stdint.h>

struct filch__tasksan_call {
    void *caller; /* the fiber to go back to; NULL: that of the thread that runs the caller by then */
};

#ifdef FILCH_TASKSAN

void __tsan_acquire(void *object);
void __tsan_release(void *object);
void __tsan_java_release_store(uintptr_t object);
void __tsan_read_range(void *bytes, size_t size);
void __tsan_write_range(void *bytes, size_t size);
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
void AnnotateIgnoreSyncBegin(const char *file, int line);
void AnnotateIgnoreSyncEnd(const char *file, int line);

#define edge_set(object) __tsan_java_release_store((uintptr_t)(object))
#define edge_release(object) __tsan_release((void *)(uintptr_t)(object))
#define edge_acquire(object) __tsan_acquire((void *)(uintptr_t)(object))
#define edge_pass(from, to) filch__tasksan_pass((const void *)(from), (const void *)(to))

/* The caller reads or writes the user's bytes by this call, whoever does it in truth. */
#define seen_read(bytes, size) filch__tasksan_seen(bytes, size, __tsan_read_range)
#define seen_write(bytes, size) filch__tasksan_seen(bytes, size, __tsan_write_range)

void filch__tasksan_pass(const void *from, const void *to);

static inline void filch__tasksan_seen(const void *bytes, size_t size, void (*range)(void *bytes, size_t size)) {
    if (size > 0) range((void *)(uintptr_t)bytes, size);
}

/*
 * Calls of libc's between these, which the sanitizer looks into whoever makes them, are the library's own: it is not to
 * see memory read and written by them, nor order made.
 */
static inline void unseen_begin(void) {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
}

static inline void unseen_end(void) {
    AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

/*
 * From enter to leave the caller is a thread of its own to the sanitizer, called `name`, in order after and before
 * nobody but for edges. `base` is the fiber of the thread's own that a loop or a helper stands on, or NULL where the
 * caller is a strand that calls in place. The stack from `low` up to `call`, which stands in the frame of who makes the
 * call, is taken for fresh memory: what ran there before has ended. `low` NULL: nothing is.
 */
void filch__tasksan_enter(struct filch__tasksan_call *call, const void *base, const char *name, const void *low);

/* `base` is as in enter, of the thread that runs the caller now. */
void filch__tasksan_leave(struct filch__tasksan_call *call, void *base);

#else

/* Not even evaluated. */
#define edge_set(object) ((void)sizeof(object))
#define edge_release(object) ((void)sizeof(object))
#define edge_acquire(object) ((void)sizeof(object))
#define edge_pass(from, to) ((void)sizeof(from), (void)sizeof(to))
#define seen_read(bytes, size) ((void)sizeof(bytes), (void)sizeof(size))
#define seen_write(bytes, size) ((void)sizeof(bytes), (void)sizeof(size))
#define unseen_begin() ((void)0)
#define unseen_end() ((void)0)

#endif

#endif
