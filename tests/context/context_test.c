/* SPDX-License-Identifier: MIT */
/*
 * A context is left and resumed with all it had, on the same thread or on another, and a function can be called on top
 * of it in between; the sanitizers follow.
 */
#include "context/context.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/test.h"

#define STACK_SIZE ((size_t)64 << 10)

struct coroutine {
    struct filch__fiber fiber;
    char *memory;
    void *context;             /* while it is suspended */
    struct filch__fiber *back; /* the stack that resumed it */
    void *back_context;
    void (*body)(struct coroutine *self);
    int count;
};

/* A jump alone orders nothing for ThreadSanitizer: here, what was done before one comes before what follows it. */
#ifdef FILCH_TSAN
#include <sanitizer/tsan_interface.h>
#define leaving(self) __tsan_release(self)
#define arrived(self) __tsan_acquire(self)
#else
#define leaving(self) ((void)(self))
#define arrived(self) ((void)(self))
#endif

/* Gives way to whoever resumed. */
static void suspend(struct coroutine *self, bool final) {
    void *target = self->back_context;
    struct filch__fiber *back = self->back;
    leaving(self);
    struct filch__transfer transfer = filch__context_jump(target, self, &self->fiber, back, final);
    arrived(self);
    self->back_context = transfer.from;
}

static void entry(struct filch__transfer transfer) {
    filch__context_arrived();
    struct coroutine *self = transfer.data;
    arrived(self);
    self->back_context = transfer.from;
    self->body(self);
    suspend(self, true);
}

static void start(struct coroutine *self, void (*body)(struct coroutine *self)) {
    self->context = filch__context_make(self->memory + STACK_SIZE, STACK_SIZE, entry);
    self->body = body;
}

static void create(struct coroutine *self, void (*body)(struct coroutine *self)) {
    *self = (struct coroutine){.memory = aligned_alloc(4096, STACK_SIZE)};
    check(self->memory != NULL);
    filch__fiber_init(&self->fiber, self->memory, STACK_SIZE);
    start(self, body);
}

static void destroy(struct coroutine *self) {
    filch__fiber_fini(&self->fiber);
    free(self->memory);
}

static void resume(struct coroutine *self, struct filch__fiber *here) {
    void *context = self->context;
    self->back = here;
    leaving(self);
    context = filch__context_jump(context, self, here, &self->fiber, false).from;
    arrived(self);
    self->context = context;
}

/* ---------------------------------------------------------------------------------------------------- one thread */

static void count_to_three(struct coroutine *self) {
    for (int i = 0; i < 3; i++) {
        self->count++;
        suspend(self, false);
    }
    self->count = 100;
}

TEST(context, a_jump_goes_there_and_back) {
    struct filch__fiber here;
    struct coroutine coroutine;
    filch__fiber_init_thread(&here);
    create(&coroutine, count_to_three);
    for (int i = 1; i <= 3; i++) {
        resume(&coroutine, &here);
        check_int(coroutine.count, i);
    }
    resume(&coroutine, &here);
    check_int(coroutine.count, 100);
    destroy(&coroutine);
    filch__fiber_fini(&here);
}

static void check_top(struct coroutine *self) {
    char here;
    check_int((uintptr_t)__builtin_frame_address(0) % 16, 0);
    check(&here > self->memory && &here < self->memory + STACK_SIZE);
    self->count = 1;
}

TEST(context, frames_are_aligned_and_on_the_stack) {
    struct filch__fiber here;
    struct coroutine coroutine;
    filch__fiber_init_thread(&here);
    create(&coroutine, check_top);
    resume(&coroutine, &here);
    check_int(coroutine.count, 1);
    destroy(&coroutine);
    filch__fiber_fini(&here);
}

static void deep(struct coroutine *self, int depth) {
    volatile char frame[200];
    memset((char *)frame, depth, sizeof frame);
    if (depth > 0) {
        deep(self, depth - 1);
    } else {
        suspend(self, true); /* from a depth, so that many frames are left as they are */
    }
    check_int(frame[100], depth);
}

static void go_deep(struct coroutine *self) {
    self->count++;
    deep(self, 50);
}

/* More often than a sanitizer could keep something of each. */
TEST(context, an_abandoned_stack_can_be_used_again_and_again) {
    struct filch__fiber here;
    struct coroutine coroutine;
    filch__fiber_init_thread(&here);
    create(&coroutine, go_deep);
    for (int i = 1; i <= 5000; i++) {
        resume(&coroutine, &here);
        check_int(coroutine.count, i);
        start(&coroutine, go_deep);
    }
    destroy(&coroutine);
    filch__fiber_fini(&here);
}

#if defined(__x86_64__)

struct state {
    uint64_t registers[6];
    uint32_t mxcsr;
    uint16_t x87;
};

/* Fills what a call must preserve with `value`, suspends, and stores what is there afterwards. */
#define AROUND_A_JUMP(value, state, jump)                                                                              \
    do {                                                                                                               \
        register uint64_t r12 __asm__("r12") = (value) + 2, r13 __asm__("r13") = (value) + 3;                          \
        register uint64_t r14 __asm__("r14") = (value) + 4, r15 __asm__("r15") = (value) + 5;                          \
        register uint64_t rbx __asm__("rbx") = (value) + 1;                                                            \
        __asm__ volatile("" : "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15), "+r"(rbx));                                  \
        jump;                                                                                                          \
        __asm__ volatile("" : "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15), "+r"(rbx));                                  \
        (state)->registers[1] = rbx, (state)->registers[2] = r12, (state)->registers[3] = r13;                         \
        (state)->registers[4] = r14, (state)->registers[5] = r15;                                                      \
        __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"((state)->mxcsr), "=m"((state)->x87));                        \
    } while (0)

static void set_controls(uint32_t mxcsr, uint16_t x87) {
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87));
}

static struct state there;

static void keep_other(struct coroutine *self) {
    set_controls(0x5f80, 0x0f7f); /* round up, 64 bits */
    AROUND_A_JUMP(2000, &there, suspend(self, false));
}

TEST(context, registers_and_floating_point_controls_survive) {
    struct filch__fiber fiber;
    struct coroutine coroutine;
    struct state here = {{0}, 0, 0};
    filch__fiber_init_thread(&fiber);
    create(&coroutine, keep_other);
    set_controls(0x1f80, 0x037f); /* the usual ones */
    AROUND_A_JUMP(1000, &here, resume(&coroutine, &fiber));
    struct state after = {{0}, 0, 0};
    AROUND_A_JUMP(3000, &after, resume(&coroutine, &fiber));
    for (unsigned i = 1; i < 6; i++) {
        check_int(here.registers[i], 1000 + i);
        check_int(there.registers[i], 2000 + i);
        check_int(after.registers[i], 3000 + i);
    }
    check_int(here.mxcsr & 0xffc0, 0x1f80);
    check_int(after.mxcsr & 0xffc0, 0x1f80);
    check_int(there.mxcsr & 0xffc0, 0x5f80);
    check_int(here.x87, 0x037f);
    check_int(after.x87, 0x037f);
    check_int(there.x87, 0x0f7f);
    destroy(&coroutine);
    filch__fiber_fini(&fiber);
}

#endif

/* ----------------------------------------------------------------------------------------------------- call_on */

struct look {
    struct coroutine *coroutine;
    int seen;
};

static void look(void *argument) {
    struct look *look = argument;
    char here;
    arrived(look->coroutine);
    check(&here > look->coroutine->memory && &here < look->coroutine->memory + STACK_SIZE);
    look->seen = look->coroutine->count;
    leaving(look->coroutine);
}

TEST(context, a_call_on_a_suspended_stack_leaves_it_as_it_was) {
    struct filch__fiber here;
    struct coroutine coroutine;
    filch__fiber_init_thread(&here);
    create(&coroutine, count_to_three);
    for (int i = 1; i <= 3; i++) {
        resume(&coroutine, &here);
        for (int again = 0; again < 3; again++) {
            struct look argument = {&coroutine, 0};
            leaving(&coroutine);
            filch__context_call_on(coroutine.context, &here, &coroutine.fiber, look, &argument);
            arrived(&coroutine);
            check_int(argument.seen, i);
        }
    }
    resume(&coroutine, &here);
    check_int(coroutine.count, 100);
    destroy(&coroutine);
    filch__fiber_fini(&here);
}

/* -------------------------------------------------------------------------------------------------- many threads */

#define THREADS 4
#define ROUNDS 5
#ifdef FILCH_TSAN
#define CONTEXTS 2000
#else
#define CONTEXTS 10000
#endif

static struct {
    pthread_mutex_t lock;
    struct coroutine *waiting[CONTEXTS];
    size_t count, ended;
    struct coroutine all[CONTEXTS];
} mesh = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Each round writes to its own frame, which the round before may have written on another thread. */
static void rounds(struct coroutine *self) {
    int local[16] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        for (int j = 0; j < 16; j++) local[j]++;
        self->count++;
        suspend(self, false);
    }
    for (int j = 0; j < 16; j++) check_int(local[j], ROUNDS);
}

static struct coroutine *mesh_take(bool *ended) {
    pthread_mutex_lock(&mesh.lock);
    struct coroutine *coroutine = mesh.count > 0 ? mesh.waiting[--mesh.count] : NULL;
    *ended = mesh.ended == CONTEXTS;
    pthread_mutex_unlock(&mesh.lock);
    return coroutine;
}

/* To a place that changes, so that contexts do not come back to the thread that had them. */
static void mesh_put(struct coroutine *coroutine, int turn) {
    pthread_mutex_lock(&mesh.lock);
    if (coroutine->count > ROUNDS) {
        mesh.ended++;
    } else {
        size_t at = mesh.count == 0 ? 0 : (size_t)turn * 7919 % mesh.count;
        mesh.waiting[mesh.count++] = mesh.waiting[at];
        mesh.waiting[at] = coroutine;
    }
    pthread_mutex_unlock(&mesh.lock);
}

static void *run_mesh(void *argument) {
    struct filch__fiber here;
    (void)argument;
    filch__fiber_init_thread(&here);
    bool ended = false;
    for (int turn = 0; !ended; turn++) {
        struct coroutine *coroutine = mesh_take(&ended);
        if (coroutine == NULL) continue;
        bool last = coroutine->count == ROUNDS;
        resume(coroutine, &here);
        if (last) coroutine->count++;
        mesh_put(coroutine, turn);
    }
    filch__fiber_fini(&here);
    return NULL;
}

TEST(context, suspended_contexts_move_between_threads) {
    pthread_t threads[THREADS];
    for (size_t i = 0; i < CONTEXTS; i++) {
        create(&mesh.all[i], rounds);
        mesh.waiting[mesh.count++] = &mesh.all[i];
    }
    for (int i = 0; i < THREADS; i++) check_int(pthread_create(&threads[i], NULL, run_mesh, NULL), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < CONTEXTS; i++) {
        check_int(mesh.all[i].count, ROUNDS + 1);
        destroy(&mesh.all[i]);
    }
}
