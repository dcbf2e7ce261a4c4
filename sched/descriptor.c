/* SPDX-License-Identifier: MIT */
/*
 * What is told to readers from outside: filch/descriptor.h. What they read is the records as they are, and they take no
 * lock; so nothing here costs a running program anything.
 *
 * How a task is read: a walk over the slabs of task records (slab.next, runtime.task_*), of which those in the states
 * READY and STARTED live. The wait word of a STARTED one leads to its waiter, if that is PARKED and has no cause but
 * RECHECK, which somebody who looks at it sets for a moment (sched/park.h); the waiter is one if its own pointer to a wait word leads back. It tells the reason, the object and since
 * when, and `context` are the registers saved on its stack (context.*). A name and a scope stand in the extra record, if
 * `task` in that leads back. The scope's region tells who has opened it.
 */
#include <filch/descriptor.h>

#include <filch/mutex.h>
#include <filch/scope.h>

#include "sched/descriptor.h"
#include "sched/monitor.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/task.h"
#include "sched/words.h"
#include "sync/owner.h"

ATOMIC(struct filch_runtime *) filch__runtimes_table[RUNTIMES_MAX];

/* The name that the note below uses: one that no other image can take the place of. */
extern const struct filch_descriptor filch__descriptor_here
    __attribute__((alias("filch_descriptor"), visibility("hidden"), used));

/* What is larger filch-top takes for nonsense: RECORD_MAX in tools/top/layout.h. */
enum { RECORD_BYTES_MAX = 1 << 16 };
_Static_assert(sizeof(struct filch_runtime) <= RECORD_BYTES_MAX, "a runtime can be read by filch-top");
_Static_assert(sizeof(struct filch__worker) <= RECORD_BYTES_MAX, "a worker can be read by filch-top");

#define OFFSET(name, type, field)                                                                                      \
    { name, (uint32_t)offsetof(struct type, field) }
#define SIZE(name, type)                                                                                               \
    { name, (uint32_t)sizeof(struct type) }

__attribute__((used)) const struct filch_descriptor filch_descriptor =
    {
        .magic = FILCH_DESCRIPTOR_MAGIC,
        .version = FILCH_DESCRIPTOR_VERSION,
        .size = sizeof(struct filch_descriptor),
        .word_size = sizeof(void *),
        .runtimes_room = RUNTIMES_MAX,
        .runtimes = filch__runtimes_table,
        .process = &filch__process_forks,
        .words =
            {
                {"task.state.0", WORD_TASK_READY},
                {"task.state.1", WORD_TASK_RUNNING},
                {"task.state.2", WORD_TASK_WAITING},
                {"worker.rests.0", WORD_WORKER_AWAKE},
                {"worker.rests.1", WORD_WORKER_ASLEEP},
                {"worker.rests.2", WORD_WORKER_RETIRED},
            },
        .fields =
            {
                SIZE("runtime.size", filch_runtime),
                OFFSET("runtime.name", filch_runtime, name),
                OFFSET("runtime.worker_count", filch_runtime, worker_count),
                OFFSET("runtime.process", filch_runtime, process),
                OFFSET("runtime.simulated", filch_runtime, simulated),
                OFFSET("runtime.workers", filch_runtime, workers),
                OFFSET("runtime.worker_known", filch_runtime, worker_known),
                OFFSET("runtime.spares", filch_runtime, spares),
                {"runtime.spares_room", SPARES_MAX},
                OFFSET("runtime.coarse_ns", filch_runtime, coarse_ns),
                OFFSET("runtime.cancelled", filch_runtime, cancelled),
                OFFSET("runtime.ending", filch_runtime, ending),
                OFFSET("runtime.spawned_outside", filch_runtime, spawned_outside),
                OFFSET("runtime.injected", filch_runtime, inject.pushed),
                OFFSET("runtime.inject_length", filch_runtime, inject.length),
                OFFSET("runtime.helpers", filch_runtime, blocking.calls.threads),
                OFFSET("runtime.stacks", filch_runtime, stock.stacks.stacks),
                OFFSET("runtime.task_slabs", filch_runtime, stock.tasks.slabs),
                OFFSET("runtime.task_slab_size", filch_runtime, stock.tasks.slab_size),
                OFFSET("runtime.task_slab_records", filch_runtime, stock.tasks.slab_records),
                OFFSET("runtime.task_records_at", filch_runtime, stock.tasks.records_at),
                {"slab.next", 0},

                SIZE("worker.size", filch__worker),
                OFFSET("worker.index", filch__worker, index),
                OFFSET("worker.region", filch__worker, deque.hot.region),
                OFFSET("worker.deque_top", filch__worker, deque.top),
                OFFSET("worker.deque_bottom", filch__worker, deque.bottom),
                OFFSET("worker.queue_head", filch__worker, runqueue.head),
                OFFSET("worker.queue_tail", filch__worker, runqueue.tail),
                OFFSET("worker.next", filch__worker, next),
                OFFSET("worker.stack", filch__worker, stack),
                OFFSET("worker.rests", filch__worker, rests),
                OFFSET("worker.polls", filch__worker, polls),
                OFFSET("worker.blocks", filch__worker, blocks),
                OFFSET("worker.thread", filch__worker, thread_number),
                OFFSET("worker.spawned", filch__worker, spawned),
                OFFSET("worker.completed", filch__worker, completed),
                OFFSET("worker.steals", filch__worker, steals),
                OFFSET("worker.steal_tries", filch__worker, steal_tries),
                OFFSET("worker.parks", filch__worker, parks),
                OFFSET("worker.yields", filch__worker, yields),
                OFFSET("worker.switches", filch__worker, switches),
                OFFSET("worker.sleeps", filch__worker, sleeps),
                OFFSET("worker.wakes", filch__worker, wakes),
                OFFSET("worker.hogs", filch__worker, hogs),

                SIZE("task.size", filch_task),
                OFFSET("task.fn", filch_task, fn),
                OFFSET("task.arg", filch_task, arg),
                OFFSET("task.runtime", filch_task, runtime),
                OFFSET("task.extra", filch_task, extra),
                OFFSET("task.spawned_at", filch_task, spawned_at),
                OFFSET("task.wait", filch_task, wait),
                OFFSET("task.hints", filch_task, hints),
                OFFSET("task.state", filch_task, state),
                {"task.READY", TASK_READY},
                {"task.STARTED", TASK_STARTED},
                {"task.CANCELLED", TASK_CANCELLED},

                SIZE("extra.size", filch__task_extra),
                OFFSET("extra.name", filch__task_extra, name),
                {"extra.name_size", (uint32_t)sizeof(((struct filch__task_extra *)NULL)->name)},
                OFFSET("extra.task", filch__task_extra, task),
                OFFSET("extra.scope", filch__task_extra, scope),

                SIZE("waiter.size", filch__waiter),
                OFFSET("waiter.word", filch__waiter, word),
                OFFSET("waiter.region", filch__waiter, region),
                OFFSET("waiter.stack", filch__waiter, stack),
                OFFSET("waiter.reason", filch__waiter, reason),
                OFFSET("waiter.object", filch__waiter, object),
                OFFSET("waiter.since_ns", filch__waiter, since_ns),
                OFFSET("waiter.context", filch__waiter, context),
                {"waiter.WORD", WAIT_WORD},
                {"waiter.PARKED", WAITER_PARKED},
                {"waiter.CAUSES", WAITER_CAUSES},
                {"waiter.RECHECK", WAITER_RECHECK},
                {"waiter.BITS", WAITER_BITS},
                {"waiter.in_place_shift", 63},

                OFFSET("stack.low", filch__stack, fiber.low),
                OFFSET("stack.size", filch__stack, fiber.size),

                SIZE("scope.size", filch_scope),
                OFFSET("scope.task", filch_scope, filch__region.task),
                OFFSET("scope.flags", filch_scope, filch__region.flags),
                OFFSET("scope.name", filch_scope, filch__name),
                OFFSET("scope.live", filch_scope, filch__live),
                {"region.OPEN", REGION_OPEN},
                {"region.BITS", REGION_BITS},
                {"region.CANCELLED", REGION_CANCELLED},
                OFFSET("region.task", filch__region, task),

                OFFSET("mutex.owner", filch_mutex, filch__word),
                {"owner.FLAG", OWNER_FLAG},
                {"owner.CHILD", OWNER_CHILD},
                {"owner.THREAD", OWNER_THREAD},

#ifdef __x86_64__
                /* fcontext: where jump_fcontext saves what a called function keeps; then its return address is off the stack */
                {"context.r12", 0x08},
                {"context.r13", 0x10},
                {"context.r14", 0x18},
                {"context.r15", 0x20},
                {"context.rbx", 0x28},
                {"context.rbp", 0x30},
                {"context.rip", 0x38},
                {"context.size", 0x40},
#endif
            },
};

_Static_assert(WAIT_IN_PLACE == (uintptr_t)1 << 63, "waiter.in_place_shift");

/* A note needs no relocation and survives strip(1). In assembly, since in C a distance is no constant. */
__asm__(".pushsection .note.filch,\"a\",%note\n\t"
        ".balign 4\n\t"
        ".long 6, 8, 1\n\t" /* FILCH_DESCRIPTOR_OWNER with its zero, the distance, FILCH_DESCRIPTOR_NOTE */
        ".asciz \"filch\"\n\t"
        ".balign 4\n\t"
        ".quad filch__descriptor_here - .\n\t"
        ".popsection");
