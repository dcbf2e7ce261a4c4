/* SPDX-License-Identifier: MIT */
/*
 * Fork and join: parallel calls at about the cost of calls.
 *
 *     filch_frame left;
 *     filch_fork(&left, sort_left, &range);     others may take the call from here on
 *     sort_right(&range);
 *     int result = filch_join(&left);           nobody took it: called here and now; else waited for
 *
 * The frame stands in the caller's own frame and is forked and joined by the same task, each fork joined exactly once,
 * the last one first, before the function that owns the frame returns, and in the same scopes and shields in which it was
 * forked. None of this is checked on the common path: checking would cost more than a fork; a join of what was not forked
 * may wait for ever.
 *
 * Depth: a call that filch_join makes goes on on a fresh stack where less than half of the running one is left, so that
 * recursion through joins is as deep as memory is large. What the parent calls itself stays on its stack: fork the deep
 * branch and call the shallow one, or ask for a larger stack. Forked children are strands of the task that
 * forked them: filch_self() is the same in all of them. A child may wait, fork and spawn as any task may.
 *
 * The common path is in this header so that it is inlined; what stands under "inside" is not for use.
 */
#ifndef FILCH_FORK_H
#define FILCH_FORK_H

#include <filch/base.h>

FILCH_BEGIN_DECLS

/* A forked call. All fields belong to the library from filch_fork to the end of filch_join. */
typedef struct filch_frame {
    filch_fn *fn;
    void *arg;
    void *filch__region; /* what it is forked in: a task, or a scope in it */
    int64_t filch__join; /* atomic; see sched/frame.h */
    void *filch__link;   /* while it waits in a list; not written otherwise */
} filch_frame;

/*
 * Offers the call `fn(arg)` to other workers, and returns. It begins at the latest in filch_join.
 *
 * Call     from a task; elsewhere the call is simply made by filch_join
 * Waits    no
 * Orders   what the caller did before, before the call
 * Keeps    `frame` and `arg` until filch_join has returned
 */
static inline void filch_fork(filch_frame *frame, filch_fn *fn, void *arg);

/*
 * Ends what filch_fork began: makes the call here if nobody has taken it, else waits until it has ended.
 *
 * Returns  what the call returned
 * Call     from the task that forked, last forked first joined
 * Waits    yes; the task may continue on another worker
 * Orders   all that the call did, before what follows
 */
static inline int filch_join(filch_frame *frame);

/*
 * As filch_join, but leaves a call that nobody has taken to the caller, who must make it now. So the compiler sees
 * which function is called, and may inline it:
 *
 *     filch_fork(&frame, fib_task, &left);
 *     long right = fib(n - 2);
 *     return right + (filch_reclaim(&frame) ? fib(n - 1) : left.result);
 *
 * Returns  true    nobody has taken the call, and nobody will: it is the caller's to make
 *          false   it has been made; filch_frame_result tells what it returned
 * Call, Waits, Orders  as filch_join
 */
static inline FILCH_CHECK bool filch_reclaim(filch_frame *frame);

/* What the call of a joined frame returned. Only after filch_reclaim was false. */
static inline int filch_frame_result(const filch_frame *frame) {
    return (int)(uint32_t)(uint64_t)frame->filch__join;
}

/* ------------------------------------------------------------------------------------------------------- inside */

/*
 * The part of a worker that fork and join touch; the rules are in sched/deque.h. `young` is the owner's, but for a thief
 * that is taking the list; `mode` is anyone's, and 0 while the list is private.
 */
struct filch__hot {
    void *young;         /* the list of what was forked last, linked by filch__link */
    void *region;        /* what the running strand is in: a task, or a scope in it; see sched/region.h */
    uintptr_t stack_low; /* calls in place are made only while the stack pointer is above this */
    int64_t budget;      /* waiting calls that may go on at once before the strand gives way: see filch__spend */
    void *trace;         /* where the worker's events go, or NULL; atomic. See sched/trace.h */
    char filch__pad[24];
    int64_t mode; /* on a line of its own: thieves look at it */
} __attribute__((__aligned__(64)));

FILCH_API void filch__fork_seen(filch_frame *frame);      /* pushed, and the list is not private */
FILCH_API bool filch__take_back_seen(filch_frame *frame); /* popped, and the list is not private: whether it is ours */
FILCH_API int filch__join_slow(filch_frame *frame);
FILCH_API bool filch__reclaim_slow(filch_frame *frame);

#if defined(__x86_64__) || defined(__aarch64__)
#define FILCH__HERE_INLINE 1

extern FILCH_API int filch__code_motion; /* never written; see filch__here */

/*
 * The hot part of the worker that runs the caller, read anew at each use. A task may have moved to another thread in
 * any call, and compilers keep addresses of thread-locals across calls: hence assembly, and hence the operand in
 * memory, which any call might change for all the compiler knows, so that no use is moved across one.
 */
static inline __attribute__((__always_inline__)) struct filch__hot *filch__here(void) {
    struct filch__hot *here;
#if defined(__x86_64__)
    __asm__ volatile("movq filch__current@gottpoff(%%rip), %0\n\t"
                     "movq %%fs:(%0), %0"
                     : "=r"(here)
                     : "m"(filch__code_motion));
#else
    uintptr_t offset;
    __asm__ volatile("adrp %1, :gottprel:filch__current\n\t"
                     "ldr %1, [%1, :gottprel_lo12:filch__current]\n\t"
                     "mrs %0, tpidr_el0\n\t"
                     "ldr %0, [%0, %1]"
                     : "=&r"(here), "=&r"(offset)
                     : "m"(filch__code_motion));
#endif
    return here;
}

#define FILCH__INLINE 1
#if defined(__SANITIZE_THREAD__) || defined(FILCH_TASKSAN)
#undef FILCH__INLINE
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef FILCH__INLINE
#endif
#endif

#else

FILCH_API struct filch__hot *filch__here(void);

#endif

#ifdef FILCH__INLINE

static inline __attribute__((__always_inline__)) uintptr_t filch__stack_pointer(void) {
#if defined(__x86_64__)
    uintptr_t pointer;
    __asm__("movq %%rsp, %0" : "=r"(pointer));
    return pointer;
#else
    return (uintptr_t)__builtin_frame_address(0);
#endif
}

static inline __attribute__((__always_inline__)) void filch_fork(filch_frame *frame, filch_fn *fn, void *arg) {
    struct filch__hot *here = filch__here();
    frame->fn = fn;
    frame->arg = arg;
    frame->filch__region = here->region;
    __atomic_store_n(&frame->filch__join, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&frame->filch__link, __atomic_load_n(&here->young, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
    __atomic_store_n(&here->young, (void *)frame, __ATOMIC_RELEASE);
    /* REVOKE: who takes the list runs membarrier(2) between its store and its load; here a compiler's is enough. */
    __asm__ volatile("" ::: "memory");
    if (__builtin_expect(__atomic_load_n(&here->mode, __ATOMIC_RELAXED) != 0, 0)) filch__fork_seen(frame);
}

/* Takes `frame` off the list if it is the youngest there. False: nothing was done; the slow path begins afresh. */
static inline __attribute__((__always_inline__)) bool filch__take_back(filch_frame *frame) {
    struct filch__hot *here = filch__here();
    if (__builtin_expect(__atomic_load_n(&here->young, __ATOMIC_RELAXED) != (void *)frame, 0)) return false;
    if (__builtin_expect(filch__stack_pointer() < here->stack_low, 0)) return false;
    __atomic_store_n(&here->young, __atomic_load_n(&frame->filch__link, __ATOMIC_RELAXED), __ATOMIC_RELEASE);
    __asm__ volatile("" ::: "memory"); /* REVOKE */
    if (__builtin_expect(__atomic_load_n(&here->mode, __ATOMIC_RELAXED) == 0, 1)) return true;
    return filch__take_back_seen(frame);
}

static inline __attribute__((__always_inline__)) int filch_join(filch_frame *frame) {
    return __builtin_expect(filch__take_back(frame), 1) ? frame->fn(frame->arg) : filch__join_slow(frame);
}

static inline __attribute__((__always_inline__)) bool filch_reclaim(filch_frame *frame) {
    return __builtin_expect(filch__take_back(frame), 1) ? true : filch__reclaim_slow(frame);
}

#else

FILCH_API void filch__fork_call(filch_frame *frame, filch_fn *fn, void *arg);

static inline void filch_fork(filch_frame *frame, filch_fn *fn, void *arg) {
    filch__fork_call(frame, fn, arg);
}

static inline int filch_join(filch_frame *frame) {
    return filch__join_slow(frame);
}

static inline bool filch_reclaim(filch_frame *frame) {
    return filch__reclaim_slow(frame);
}

#endif

FILCH_END_DECLS

#endif
