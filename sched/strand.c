/* SPDX-License-Identifier: MIT */
#include "sched/strand.h"

#ifdef FILCH_TASKSAN

#include "sched/frame.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/task.h"

enum { NAME_SIZE = 48 };

void filch__strand_start_stack(struct filch__worker *worker, struct filch__stack *stack) {
    stack->fiber.tsan = worker->thread_fiber.tsan;
}

static char *put(char *to, const char *end, const char *text) {
    while (to < end && *text != '\0') *to++ = *text++;
    *to = '\0';
    return to;
}

/* How the sanitizer's reports are to call it: they say "thread" before it. */
static void write_name(char name[NAME_SIZE], const struct filch_task *task, const char *of) {
    const char *given = filch_task_name(task);
    char *to = put(name, name + NAME_SIZE - 1, of);
    put(to, name + NAME_SIZE - 1, *given != '\0' ? given : "(no name)");
}

static void enter(struct filch__tasksan_call *call, struct filch__worker *worker, const char *name, bool on_loop) {
    struct filch__fiber *stack = &worker->stack->fiber;
    const void *base = on_loop ? worker->thread_fiber.tsan : NULL;
    filch__tasksan_enter(call, base, name, stack->used ? stack->low : NULL); /* to wipe it costs 50 us */
    stack->used = true;
}

static void leave(struct filch__tasksan_call *call) {
    filch__tasksan_leave(call, filch__worker_current()->thread_fiber.tsan); /* perhaps another by now */
}

void filch__strand_enter(struct filch__tasksan_call *call, struct filch__worker *worker, struct filch_task *task,
                         bool on_loop) {
    char name[NAME_SIZE];
    write_name(name, task, "task ");
    enter(call, worker, name, on_loop);
    edge_acquire(&task->fn);
}

void filch__strand_leave(struct filch__tasksan_call *call) {
    leave(call);
}

void filch__frame_enter(struct filch__tasksan_call *call, struct filch__worker *worker, filch_frame *frame,
                        bool on_loop) {
    char name[NAME_SIZE];
    write_name(name, region_task(frame->filch__region), "a call forked by task ");
    enter(call, worker, name, on_loop);
    edge_acquire(frame);
}

void filch__frame_leave(struct filch__tasksan_call *call, filch_frame *frame) {
    edge_set(&frame->filch__join);
    leave(call);
}

int filch__frame_call_here(struct filch__worker *worker, filch_frame *frame) {
    struct filch__tasksan_call call;
    filch__frame_enter(&call, worker, frame, false);
    int result = frame->fn(frame->arg);
    filch__frame_leave(&call, frame);
    edge_acquire(&frame->filch__join); /* JOIN */
    return result;
}

#endif
