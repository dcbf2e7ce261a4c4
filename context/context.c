/* SPDX-License-Identifier: MIT */
/*
 * Making a context, and calling a function on top of one. The assembly's functions, by the names that Boost.Context
 * gives them; its C++ header is not needed.
 */
#include "context/context.h"

#include <stdint.h>

#include "context/tools.h"

extern void *make_fcontext(void *top, size_t size, filch__entry_fn *entry);
extern struct filch__transfer jump_fcontext(void *target, void *data);
extern struct filch__transfer ontop_fcontext(void *target, void *data,
                                             struct filch__transfer (*fn)(struct filch__transfer transfer));

void *filch__context_make(void *top, size_t size, filch__entry_fn *entry) {
    asan_clean((char *)top - size, size);
    return make_fcontext(top, size, entry);
}

/* A call to be made on another stack; it lives on the caller's. */
struct call {
    void (*fn)(void *argument);
    void *argument;
    struct filch__fiber *from, *to;
};

/* Runs on the looked-at stack, which the jump back leaves for good. */
static FILCH__UNSEEN struct filch__transfer call_here(struct filch__transfer transfer) {
    const struct call *call = transfer.data;
    asan_arrive(asan_fake_stack(call->to));
    call->fn(call->argument);
    asan_leave(call->to, call->from, false);
    tsan_switch(call->from);
    return jump_fcontext(transfer.from, NULL);
}

/*
 * The assembly takes the saved registers of the target off its stack before it makes the call, whose frames then overwrite
 * them. They are put back: so the context is good as before, and looking leaves nothing on the stack.
 */
enum { SAVED_WORDS = 24 }; /* no architecture saves more; what lies above is the suspended function's, and unchanged */

static FILCH__UNSEEN void copy_words(volatile uintptr_t *to, const volatile uintptr_t *from) {
    for (int i = 0; i < SAVED_WORDS; i++) to[i] = from[i];
}

FILCH__UNSEEN void filch__context_call_on(void *target, struct filch__fiber *from, struct filch__fiber *to,
                                          void (*fn)(void *argument), void *argument) {
    struct call call = {fn, argument, from, to};
    uintptr_t saved[SAVED_WORDS];
    copy_words(saved, target);
    asan_leave(from, to, false);
    tsan_switch(to);
    (void)ontop_fcontext(target, &call, call_here);
    asan_arrive(asan_fake_stack(from));
    copy_words(target, saved);
}

#if defined(FILCH_TSAN) || defined(FILCH_ASAN)

/* All that is kept between leaving and coming back is kept in the fiber: the thread may be another one by then. */
FILCH__UNSEEN struct filch__transfer filch__context_jump(void *target, void *data, struct filch__fiber *from,
                                                         struct filch__fiber *to, bool final) {
    if (final) tsan_leave_for_good(from);
    asan_leave(from, to, final);
    tsan_switch(to);
    struct filch__transfer transfer = jump_fcontext(target, data);
    asan_arrive(asan_fake_stack(from));
    return transfer;
}

FILCH__UNSEEN void filch__context_arrived(void) {
    asan_arrive(NULL);
}

#endif
