/* SPDX-License-Identifier: MIT */
#include "sched/snapshot.h"

#include <errno.h>
#include <execinfo.h>
#include <filch/scope.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "context/context.h"
#include "sched/holder.h"
#include "sched/runtime.h"

enum {
    STACK_NEEDED = 8192, /* by the unwinder, on the stack of who waits */
    FRAMES_ABOVE = 2,    /* of the backtrace: those of the call that takes it */
    GIVE_WAY = 64,       /* so many tasks are looked at without a break */
};

/* ---------------------------------------------------------------------------------------------------------- one task */

struct wait_look {
    filch_task_info *info;
    void (*look)(struct filch__waiter *waiter, void *arg);
    void *arg;
};

static void look_at_wait(const struct filch__waiter *waiter, void *argument) {
    struct wait_look *wait = argument;
    filch_task_info *info = wait->info;
    info->state = FILCH_TASK_WAITING;
    info->reason = waiter->reason;
    info->object = waiter->object;
    int64_t waiting_ns = filch__clock_now() - waiter->since_ns;
    info->waiting_ns = waiting_ns < 0 ? 0 : waiting_ns;
    if (wait->look != NULL) wait->look((struct filch__waiter *)(uintptr_t)waiter, wait->arg); /* it is ours meanwhile */
}

/* What an awaiter in place waits for is the task that it calls. */
static void look_in_place(struct filch_task *task, filch_task_info *info) {
    uintptr_t word = load_acquire(&task->wait);
    if ((word & WAIT_WORD) != WAIT_WORD || !(word & WAIT_IN_PLACE)) return;
    info->state = FILCH_TASK_WAITING;
    info->reason = "await";
    info->object = (const void *)(word & ~(WAIT_IN_PLACE | WAITER_BITS));
}

static bool lives(struct filch_task *task) {
    uint8_t state = load_acquire(&task->state);
    return state == TASK_READY || state == TASK_STARTED;
}

/* The record may change under way, so that everything is read by atomic loads, and the name under its latch. */
bool filch__task_describe(struct filch_runtime *runtime, void *record, filch_task_info *info,
                          void (*look)(struct filch__waiter *waiter, void *arg), void *arg) {
    struct filch_task *task = record;
    uint8_t state = load_acquire(&task->state);
    if (state != TASK_READY && state != TASK_STARTED) return false;
    *info = (filch_task_info){.task = task, .state = state == TASK_READY ? FILCH_TASK_READY : FILCH_TASK_RUNNING};
    info->cancelled = load_acquire(&task->hints) & TASK_CANCELLED;
    info->fn = load_relaxed(&task->fn); /* of this task or of the next; as the next */
    info->spawned_at = load_relaxed(&task->spawned_at);
    struct filch__task_extra *extra = load_acquire(&task->extra);
    if (extra != NULL) {
        filch__latch_take(&extra->latch);
        if (extra->task == task) memcpy(info->name, extra->name, sizeof info->name);
        filch__latch_leave(&extra->latch);
    }
    struct wait_look wait = {info, look, arg};
    if (state == TASK_STARTED && !filch__park_look(runtime, task, look_at_wait, &wait)) look_in_place(task, info);
    return lives(task); /* else it has ended meanwhile */
}

/* ------------------------------------------------------------------------------------------------------- backtraces */

static void take_frames(void *argument) {
    struct filch__seen *seen = argument;
    filch__context_take_over(seen);
    void *frames[SNAPSHOT_FRAMES + FRAMES_ABOVE];
    int depth = backtrace(frames, SNAPSHOT_FRAMES + FRAMES_ABOVE);
    seen->depth = depth <= FRAMES_ABOVE ? 0 : (uint32_t)(depth - FRAMES_ABOVE);
    memcpy(seen->frames, frames + FRAMES_ABOVE, seen->depth * sizeof *frames);
    filch__context_hand_over(seen);
}

/* The stack that the caller is on, as the tools see it; only they need to know. */
static struct filch__fiber *own_fiber(struct filch__fiber *of_thread) {
    struct filch__worker *worker = filch__worker_current();
    if (worker != NULL) return worker->stack == NULL ? &worker->thread_fiber : &worker->stack->fiber;
#if defined(FILCH_TSAN) || defined(FILCH_ASAN)
    filch__fiber_init_thread(of_thread);
#endif
    return of_thread;
}

static void look_at_stack(struct filch__waiter *waiter, struct filch__seen *seen) {
    if (waiter->stack == NULL) return;
    struct filch__fiber *fiber = &waiter->stack->fiber;
    if ((char *)waiter->context - fiber->low < STACK_NEEDED) return;
    struct filch__fiber own = {0};
    filch__context_hand_over(seen);
    filch__context_call_on(waiter->context, own_fiber(&own), fiber, take_frames, seen);
    filch__context_take_over(seen);
}

/* ---------------------------------------------------------------------------------------------------------- a look */

struct look {
    struct filch__snapshot *snapshot;
    struct filch__seen *seen;
};

static void look_closely(struct filch__waiter *waiter, void *argument) {
    struct look *look = argument;
    filch__holder_look(look->seen);
    if (look->snapshot->backtraces) look_at_stack(waiter, look->seen);
}

/* ----------------------------------------------------------------------------------------------------------- scopes */

/* A task leaves its scope under the latch, and the scope is there until all have. */
static void look_at_scope(struct filch_task *task, struct filch__seen *seen) {
    struct filch__task_extra *extra = load_acquire(&task->extra);
    if (extra == NULL) return;
    filch__latch_take(&extra->latch);
    struct filch_scope *scope = extra->task == task ? load_relaxed(&extra->scope) : NULL; /* under the latch */
    if (scope != NULL) {
        seen->scope = scope;
        seen->host = scope->filch__region.task;
    }
    filch__latch_leave(&extra->latch);
}

/*
 * Thousands of tasks take some milliseconds, and a kernel may let who is at it go on for as long, while a worker that has
 * been woken waits for the processor.
 */
static void give_way(uint32_t looked_at) {
    if (looked_at % GIVE_WAY == 0) sched_yield();
}

static int see(void *record, void *argument) {
    struct filch__snapshot *snapshot = argument;
    give_way(++snapshot->visits);
    if (snapshot->count == snapshot->room) {
        snapshot->left_out += lives(record);
        return 0;
    }
    struct filch__seen *seen = &snapshot->tasks[snapshot->count];
    memset(seen, 0, sizeof *seen);
    struct look look = {snapshot, seen};
    if (!filch__task_describe(snapshot->runtime, record, &seen->info, look_closely, &look)) return 0;
    if (seen->holds == NULL && seen->info.state == FILCH_TASK_WAITING && strcmp(seen->info.reason, "await") == 0) {
        seen->holds = seen->info.object; /* called in place */
    }
    look_at_scope(record, seen);
    snapshot->count++;
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------- in order */

static uint32_t slot_of(const struct filch__snapshot *snapshot, uint64_t key) {
    key ^= key >> 32;
    key *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(key >> 32) & (snapshot->table_size - 1);
}

static void table_clear(struct filch__snapshot *snapshot) {
    memset(snapshot->table, 0xff, snapshot->table_size * sizeof *snapshot->table);
}

static uint32_t find(const struct filch__snapshot *snapshot, const struct filch_task *task) {
    if (task == NULL) return SNAPSHOT_NONE;
    uint32_t slot = slot_of(snapshot, (uintptr_t)task);
    for (; snapshot->table[slot] != SNAPSHOT_NONE; slot = (slot + 1) & (snapshot->table_size - 1)) {
        if (snapshot->tasks[snapshot->table[slot]].info.task == task) return snapshot->table[slot];
    }
    return SNAPSHOT_NONE;
}

static void put(struct filch__snapshot *snapshot, uint64_t key, uint32_t index) {
    uint32_t slot = slot_of(snapshot, key);
    while (snapshot->table[slot] != SNAPSHOT_NONE) slot = (slot + 1) & (snapshot->table_size - 1);
    snapshot->table[slot] = index;
}

/* Tasks were looked at one after the other: who is told to be above whom may form a circle, which is cut here. */
static void cut_circles(struct filch__snapshot *snapshot) {
    struct filch__seen *tasks = snapshot->tasks;
    for (uint32_t i = 0; i < snapshot->count; i++) {
        uint32_t at = i;
        give_way(i);
        for (unsigned steps = 0; at != SNAPSHOT_NONE && steps < 1000; steps++) {
            at = tasks[at].parent;
            if (at == i) tasks[i].parent = at = SNAPSHOT_NONE;
        }
    }
}

/* From the last to the first, so that each list is in the order in which they were seen. */
static void link_up(struct filch__snapshot *snapshot) {
    table_clear(snapshot);
    for (uint32_t i = 0; i < snapshot->count; i++) {
        struct filch__seen *seen = &snapshot->tasks[i];
        give_way(i);
        seen->child = seen->next = SNAPSHOT_NONE;
        seen->alike = seen->siblings = 1;
        put(snapshot, (uintptr_t)seen->info.task, i);
    }
    for (uint32_t i = 0; i < snapshot->count; i++) {
        struct filch__seen *seen = &snapshot->tasks[i];
        give_way(i);
        seen->waits_for = find(snapshot, seen->holds);
        seen->parent = find(snapshot, seen->host);
    }
    cut_circles(snapshot);
    snapshot->first = SNAPSHOT_NONE;
    for (uint32_t i = snapshot->count; i-- > 0;) {
        struct filch__seen *seen = &snapshot->tasks[i];
        uint32_t *list = seen->parent == SNAPSHOT_NONE ? &snapshot->first : &snapshot->tasks[seen->parent].child;
        seen->next = *list;
        *list = i;
    }
}

/* The kernel's zeroed pages: what is not used costs nothing. */
int filch__snapshot_take(struct filch__snapshot *snapshot, struct filch_runtime *runtime, uint32_t room,
                         bool backtraces) {
    uint32_t table_size = 16;
    while (table_size < 2 * room) table_size *= 2;
    size_t bytes = room * sizeof *snapshot->tasks + table_size * sizeof *snapshot->table;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return -ENOMEM;
    *snapshot = (struct filch__snapshot){.tasks = memory, .room = room, .runtime = runtime, .backtraces = backtraces};
    snapshot->table = (uint32_t *)(void *)(snapshot->tasks + room);
    snapshot->table_size = table_size;
    snapshot->bytes = bytes;
    (void)filch__slab_each(&runtime->stock.tasks, see, snapshot);
    link_up(snapshot);
    filch__holders_find(snapshot);
    return 0;
}

void filch__snapshot_drop(struct filch__snapshot *snapshot) {
    munmap(snapshot->tasks, snapshot->bytes);
}

/* ------------------------------------------------------------------------------------------------------------ cycles */

/* Each waits for one at the most: from a task on a cycle one comes back to it. */
uint32_t filch__snapshot_cycle(const struct filch__snapshot *snapshot, uint32_t *first) {
    for (uint32_t i = 0; i < snapshot->count; i++) {
        uint32_t at = i, length = 0;
        do {
            at = snapshot->tasks[at].by_child ? SNAPSHOT_NONE : snapshot->tasks[at].waits_for;
            length++;
        } while (at != SNAPSHOT_NONE && at != i && length <= snapshot->count && length <= 1000);
        if (at != i) continue;
        *first = i;
        return length;
    }
    return 0;
}
