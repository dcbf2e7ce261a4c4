/* SPDX-License-Identifier: MIT */
/*
 * What the tools are told about stacks, in one vocabulary; each function is empty where its tool is not in the build.
 * Private to context/.
 *
 * ThreadSanitizer keeps a shadow of the call stack of each fiber, which grows when a function is entered and shrinks
 * when it returns. A stack that is left by a final jump never returns from what is on it, so that each new start on
 * it leaves some entries behind, and the shadow has room for 65,536. Hence a fiber that was left FIBER_LEFT_MAX times
 * is replaced at its next start; the new one is ordered after all that the old one did.
 */
#ifndef FILCH_CONTEXT_TOOLS_H
#define FILCH_CONTEXT_TOOLS_H

#include "base/atomic.h"
#include "context/context.h"

#ifdef FILCH_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef FILCH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define FILCH_VALGRIND 1
#endif
#endif

#define FIBER_LEFT_MAX 256
#define unseen_inline static inline __attribute__((always_inline))

#ifdef FILCH_TSAN

static inline void tsan_make(struct filch__fiber *fiber) {
    fiber->tsan = fiber->thread ? __tsan_get_current_fiber() : __tsan_create_fiber(0);
    fiber->tsan_left = 0;
}

static inline void tsan_forget(struct filch__fiber *fiber) {
    if (!fiber->thread) __tsan_destroy_fiber(fiber->tsan);
}

/* The next three are inlined into the function that jumps, which is not instrumented. */
unseen_inline void tsan_leave_for_good(struct filch__fiber *fiber) {
    __tsan_release(fiber);
    fiber->tsan_left++;
}

unseen_inline void tsan_switch(struct filch__fiber *to) {
    bool renewed = to->tsan_left >= FIBER_LEFT_MAX;
    if (renewed) {
        __tsan_destroy_fiber(to->tsan);
        to->tsan = __tsan_create_fiber(0);
        to->tsan_left = 0;
    }
    __tsan_switch_to_fiber(to->tsan, __tsan_switch_to_fiber_no_sync);
    if (renewed) __tsan_acquire(to);
}

#else

static inline void tsan_make(struct filch__fiber *fiber) {
    (void)fiber;
}

static inline void tsan_forget(struct filch__fiber *fiber) {
    (void)fiber;
}

unseen_inline void tsan_leave_for_good(struct filch__fiber *fiber) {
    (void)fiber;
}

unseen_inline void tsan_switch(struct filch__fiber *to) {
    (void)to;
}

#endif

#ifdef FILCH_TASKSAN
#define tasksan_make(fiber, of) ((fiber)->tsan = (of), (fiber)->used = false)
#define tasksan_thread() __tsan_get_current_fiber()
#else
#define tasksan_make(fiber, of) ((void)(fiber))
#endif

#ifdef FILCH_ASAN

/* The leak checker looks for pointers on suspended stacks, too. */
static inline void asan_make(struct filch__fiber *fiber) {
    fiber->asan = NULL;
    __lsan_register_root_region(fiber->low, fiber->size);
}

static inline void asan_forget(struct filch__fiber *fiber) {
    __lsan_unregister_root_region(fiber->low, fiber->size);
}

/* What frames that were never returned from have left poisoned. */
static inline void asan_clean(void *low, size_t size) {
    __asan_unpoison_memory_region(low, size);
}

unseen_inline void asan_leave(struct filch__fiber *from, const struct filch__fiber *to, bool final) {
    __sanitizer_start_switch_fiber(final ? NULL : &from->asan, to->low, to->size);
}

unseen_inline void asan_arrive(void *fake_stack) {
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
}

#define asan_fake_stack(fiber) ((fiber)->asan)

#else

static inline void asan_make(struct filch__fiber *fiber) {
    (void)fiber;
}

static inline void asan_forget(struct filch__fiber *fiber) {
    (void)fiber;
}

static inline void asan_clean(void *low, size_t size) {
    (void)low, (void)size;
}

unseen_inline void asan_leave(struct filch__fiber *from, const struct filch__fiber *to, bool final) {
    (void)from, (void)to, (void) final;
}

unseen_inline void asan_arrive(void *fake_stack) {
    (void)fake_stack;
}

#define asan_fake_stack(fiber) ((void)(fiber), NULL)

#endif

#ifdef FILCH_VALGRIND

static inline void valgrind_make(struct filch__fiber *fiber) {
    fiber->valgrind = fiber->thread ? 0 : (unsigned)VALGRIND_STACK_REGISTER(fiber->low, fiber->low + fiber->size - 1);
}

static inline void valgrind_forget(struct filch__fiber *fiber) {
    if (!fiber->thread) VALGRIND_STACK_DEREGISTER(fiber->valgrind);
}

#else

static inline void valgrind_make(struct filch__fiber *fiber) {
    fiber->valgrind = 0;
}

static inline void valgrind_forget(struct filch__fiber *fiber) {
    (void)fiber;
}

#endif

#endif
