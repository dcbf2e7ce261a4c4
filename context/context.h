/* SPDX-License-Identifier: MIT */
/*
 * Stack switching: make a context on a stack, jump to it. The assembly is Boost.Context's (fcontext); this is the only
 * place that knows what a sanitizer or valgrind must be told about a switch.
 *
 * A context is the saved stack pointer of something that does not run. It is used up by the jump that resumes it.
 */
#ifndef FILCH_CONTEXT_CONTEXT_H
#define FILCH_CONTEXT_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_THREAD__)
#define FILCH_TSAN 1
#endif
#if defined(__SANITIZE_ADDRESS__)
#define FILCH_ASAN 1
#endif
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FILCH_TSAN 1
#endif
#if __has_feature(address_sanitizer)
#define FILCH_ASAN 1
#endif
#endif

/*
 * A function that the sanitizers do not instrument: one that switches stacks, or works on what belongs to a thread
 * while the sanitizer sees another stack each time.
 */
#if !defined(FILCH_TSAN) && !defined(FILCH_ASAN)
#define FILCH__UNSEEN
#define FILCH__UNSEEN_INLINE static inline
#elif defined(__clang__)
#define FILCH__UNSEEN __attribute__((noinline, disable_sanitizer_instrumentation, no_sanitize("address", "thread")))
#define FILCH__UNSEEN_INLINE static FILCH__UNSEEN inline
#else
#define FILCH__UNSEEN __attribute__((noinline, no_sanitize("address", "thread")))
#define FILCH__UNSEEN_INLINE static inline __attribute__((no_sanitize("address", "thread")))
#endif

/* What a jump hands over: the context of whoever jumped (NULL on a final jump), and its word. */
struct filch__transfer {
    void *from;
    void *data;
};

typedef void filch__entry_fn(struct filch__transfer transfer);

/* A stack as the tools see it. One for each pooled stack and one for each thread's own; lives as long as the stack. */
struct filch__fiber {
    char *low;   /* lowest address that may be used */
    size_t size; /* bytes from there to the top */
#ifdef FILCH_TSAN
    void *tsan;
    unsigned tsan_left; /* final jumps that have left it, since `tsan` was made */
#endif
#ifdef FILCH_ASAN
    void *asan; /* its fake stack while it is left */
#endif
#ifdef FILCH_TASKSAN
    void *tsan; /* what is suspended on it goes on as that; NULL on a stack that nobody has run on: as who jumps */
    bool used;  /* something was called on it that the sanitizer has seen */
#endif
    unsigned valgrind;
    bool thread; /* a thread's own */
};

/* Describes the stack [low, low + size) to the tools, and forgets it again. It must not be running then. */
void filch__fiber_init(struct filch__fiber *fiber, void *low, size_t size);
void filch__fiber_fini(struct filch__fiber *fiber);

/* The calling thread's own stack. */
void filch__fiber_init_thread(struct filch__fiber *fiber);

/*
 * A context that will call `entry` on the stack whose highest usable address is `top`, `size` bytes above its lowest.
 * `entry` must not return, and begins with filch__context_arrived.
 */
void *filch__context_make(void *top, size_t size, filch__entry_fn *entry);

#if defined(FILCH_TSAN) || defined(FILCH_ASAN)

/*
 * Leaves the running stack `from` for the context `target` on the stack `to`, and hands `data` over. Returns when
 * somebody jumps back, on whatever thread that is. `final`: nobody will; the stack's contents may be forgotten.
 *
 * ThreadSanitizer sees each stack as a thread of its own, and no order between two of them from a jump: what one hands
 * to the other by a jump is ordered by the caller's own annotations.
 */
FILCH__UNSEEN struct filch__transfer filch__context_jump(void *target, void *data, struct filch__fiber *from,
                                                         struct filch__fiber *to, bool final);

/* The first thing to call on a stack that was jumped to for the first time. */
FILCH__UNSEEN void filch__context_arrived(void);

#else

extern struct filch__transfer jump_fcontext(void *target, void *data);

#if defined(__x86_64__) && !defined(__CET__) && !defined(__AVX512F__) && !defined(FILCH_EXPLORE)

/*
 * The jump without a call. jump_fcontext leaves by a jmp, so that each call of it puts an address on the processor's
 * stack of return addresses that no return takes off: from then on every return on the stack that was jumped to is
 * predicted to the place of the one before. Here the return address is pushed by hand, and the predictions stay in step.
 * Callers are built without a red zone (-mno-red-zone), which the push would overwrite.
 */
static inline struct filch__transfer filch__context_jump_in_step(void *target, void *data) {
    struct filch__transfer transfer;
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "jmp jump_fcontext@PLT\n"
                     "1:"
                     : "=&a"(transfer.from), "=&d"(transfer.data), "+D"(target), "+S"(data)
                     :
                     : "rcx", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
                       "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    return transfer;
}

#else
#define filch__context_jump_in_step(target, data) jump_fcontext(target, data)
#endif

#ifdef FILCH_TASKSAN
void *__tsan_get_current_fiber(void);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);

/* Not a word of order: see base/tasksan.h. */
static inline void context_switch_task(struct filch__fiber *from, const struct filch__fiber *to) {
    from->tsan = __tsan_get_current_fiber();
    if (to->tsan != NULL) __tsan_switch_to_fiber(to->tsan, 1);
}
#else
#define context_switch_task(from, to) ((void)(from), (void)(to))
#endif

static inline struct filch__transfer filch__context_jump(void *target, void *data, struct filch__fiber *from,
                                                         struct filch__fiber *to, bool final) {
    (void)from, (void)to, (void) final;
    context_switch_task(from, to);
    return filch__context_jump_in_step(target, data);
}

static inline void filch__context_arrived(void) {
}

#endif

/*
 * For ThreadSanitizer, which does not see that what one thread does on two stacks is done one after the other: all that
 * the caller did before filch__context_hand_over(object) comes before what follows filch__context_take_over(object).
 */
#ifdef FILCH_TSAN
void __tsan_release(void *object);
void __tsan_acquire(void *object);
#define filch__context_hand_over(object) __tsan_release(object)
#define filch__context_take_over(object) __tsan_acquire(object)
#else
#define filch__context_hand_over(object) ((void)(object))
#define filch__context_take_over(object) ((void)(object))
#endif

/*
 * Calls `fn(argument)` on the stack of the suspended context `target`, on top of what is suspended there, and returns
 * when it returns; `target` is as it was before. For looking at a suspended stack: `target` has run before (a context
 * that was made and never jumped to takes no call), and `fn` does not jump.
 */
void filch__context_call_on(void *target, struct filch__fiber *from, struct filch__fiber *to,
                            void (*fn)(void *argument), void *argument);

#endif
