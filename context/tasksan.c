/* SPDX-License-Identifier: MIT */
/*
 * Tasks as threads of ThreadSanitizer's: see base/tasksan.h. Not instrumented, as all of the library in that flavour.
 *
 * Each call that is to be seen apart has a fiber of its own from its beginning to its end. A fiber is not used again:
 * whoever had it next would be taken for the same thread, and races between the two would not be reported. To switch is
 * no order, and a fiber is made with the creator's order kept off, so that a fresh one is in order with nobody.
 *
 * Fibers are made in batches. The sanitizer maps two pieces of memory for each, of two kinds, and the system joins those
 * of a kind only where they come one after the other: a batch takes a few of the 65,530 mappings that a process may have.
 *
 * Stacks. A task begins on a stack on which others have ended, and in a place where its caller's calls have returned.
 * The sanitizer's record of that memory is wiped, as for memory from malloc: of its functions only the ones made for
 * Java's collectors do that in place.
 */
#include "base/tasksan.h"

#ifdef FILCH_TASKSAN

#include <sanitizer/tsan_interface.h>
#include <stdbool.h>

#include "base/atomic.h"
#include "base/latch.h"

void __tsan_java_alloc(uintptr_t memory, size_t size);
void __tsan_java_free(uintptr_t memory, size_t size);

enum { BATCH = 64 };

static struct {
    struct filch__latch latch;
    void *fresh[BATCH];
    unsigned count;
} pool;

static void *fiber_get(void) {
    filch__latch_take(&pool.latch);
    if (pool.count == 0) {
        unseen_begin();
        while (pool.count < BATCH) pool.fresh[pool.count++] = __tsan_create_fiber(0);
        unseen_end();
    }
    void *fiber = pool.fresh[--pool.count];
    filch__latch_leave(&pool.latch);
    return fiber;
}

static void wipe(uintptr_t low, uintptr_t high) {
    low = (low + 15) & ~(uintptr_t)15;
    high &= ~(uintptr_t)15;
    if (low >= high) return;
    __tsan_java_alloc(low, high - low);
    __tsan_java_free(low, high - low);
}

void filch__tasksan_enter(struct filch__tasksan_call *call, const void *base, const char *name, const void *low) {
    if (low != NULL) wipe((uintptr_t)low, (uintptr_t)call);
    void *fiber = fiber_get();
    __tsan_set_fiber_name(fiber, name);
    call->caller = base != NULL ? NULL : __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber, __tsan_switch_to_fiber_no_sync);
}

void filch__tasksan_leave(struct filch__tasksan_call *call, void *base) {
    void *fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(call->caller != NULL ? call->caller : base, __tsan_switch_to_fiber_no_sync);
    __tsan_destroy_fiber(fiber);
}

void filch__tasksan_pass(const void *from, const void *to) {
    struct filch__tasksan_call call;
    filch__tasksan_enter(&call, NULL, "filch", NULL);
    edge_acquire(from);
    edge_set(to);
    filch__tasksan_leave(&call, NULL);
}

#endif
