/* SPDX-License-Identifier: MIT */
/*
 * Waiting for tasks to end: one, called in place where that may be, or several.
 *
 * In place. The awaiter would wait in any case, so if the task waits, both wait, on one stack, and the awaiter cannot go
 * on before the task has ended. So this is done only where nothing could make the awaiter go on earlier: there is no
 * deadline, and both belong to the same scope, so that what cancels the one cancels the other. If the awaiter itself is
 * cancelled (filch_task_cancel), so is the task it calls, as is the one that it parks for.
 */
#include <errno.h>

#include "base/place.h"
#include "sched/circle.h"
#include "sched/ledger.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/sched.h"
#include "sched/strand.h"
#include "sched/task.h"

enum {
    AWAIT_FEW = 16, /* so many tasks are awaited together without memory from the heap */
};

/* Gives the record of an awaited task back. A note of the wait names it, and is taken out before: see sched/circle.h. */
static force_inline void give_back(struct filch_task *task, struct filch__circle_note *note) {
    if (note != NULL) filch__circle_leave(note);
    filch__task_put(task);
}

/* The result of a task that has ended; its record is given back. */
static force_inline int take_result(struct filch_task *task, int *value, struct filch__circle_note *note) {
    edge_acquire(&task->end); /* END */
    *value = task->result;
    give_back(task, note);
    return 0;
}

static _Noreturn void die_of_second_awaiter(const struct filch_task *task, uintptr_t end) {
    char place[PLACE_SIZE];
    filch__place_write(task->spawned_at, place);
    filch__die("await or detach: a handle is given up once: task %p \"%s\", spawned at %s, %s", (const void *)task,
               filch_task_name(task), place,
               end == TASK_END_DETACHED ? "is detached"
               : end == TASK_END_GONE   ? "was awaited or detached before"
                                        : "is awaited by another");
}

/* ------------------------------------------------------------------------------------------------------ in place */

/*
 * At least half of the running stack is left: enough for a task of the default size on a stack of that size, which is
 * promised half of it in the worst case; one that asked for a size must have all of it.
 */
static bool has_room_here(struct filch__worker *worker, const struct filch_task *task) {
    unsigned here = worker->stack->size_class;
    struct filch__task_extra *extra = load_acquire(&task->extra); /* where it has begun, it may get one just now */
    return extra == NULL ? here >= task->runtime->stack_class : here > extra->stack_class;
}

/* The innermost scope or shield of a strand, or NULL. */
static struct filch__region *innermost(void *word) {
    if (region_is_open(word)) return region_of(word);
    struct filch_scope *scope = filch__task_scope(region_task(word));
    return scope == NULL ? NULL : &scope->filch__region;
}

/* Whether a shield is open in the strand: what cancels its task does not cancel it, but would cancel who is called here. */
static bool is_shielded(void *word) {
    for (; region_is_open(word); word = region_of(word)->outer) {
        if (load_relaxed(&region_of(word)->flags) & REGION_SHIELD) return true; /* its own */
    }
    return false;
}

static inline bool belong_together(void *word, struct filch_task *task) {
    if ((uintptr_t)word & REGION_CHILD) return false; /* the wait word of its task is not this strand's */
    bool plain = !region_is_open(word) && !(load_relaxed(&region_task(word)->flags) & TASK_SCOPED);
    if (likely(plain)) return !(load_relaxed(&task->flags) & TASK_SCOPED); /* relaxed: written before it was spawned */
    struct filch_scope *scope = filch__task_scope(task);
    return innermost(word) == (scope == NULL ? NULL : &scope->filch__region) && !is_shielded(word);
}

/*
 * Calls a task that nobody has begun right here, if it is the youngest of the worker's deque. The link from the awaiter
 * to it comes first: who cancels the awaiter later follows it, and who did so earlier is seen here.
 */
static force_inline bool run_in_place(struct filch__worker *worker, struct filch_task *task, int *result,
                                      struct filch__circle_note *note) {
    struct filch__hot *hot = &worker->deque.hot;
    void *region = hot->region;
    if (unlikely(region == NULL || !belong_together(region, task))) return false;
    if ((uintptr_t)__builtin_frame_address(0) < hot->stack_low) return false;
    if (!has_room_here(worker, task)) return false;
    struct filch_task *self = region_task(region);
    exchange_seq_cst(&self->wait, (uintptr_t)task | WAIT_IN_PLACE | WAIT_WORD); /* HINT */
    if (unlikely(load_seq_cst(&self->hints) & TASK_CANCELLED) ||
        !filch__deque_pop_if_youngest(&worker->deque, item_of_task(task))) {
        store_relaxed(&self->wait, 0); /* the wait that follows looks at the hints anew */
        return false;
    }
    store_relaxed(&task->end, (uintptr_t)self | TASK_END_IN_PLACE); /* read by its own strands, and for messages */
    store_relaxed(&task->flags, (uint8_t)(load_relaxed(&task->flags) | TASK_IN_PLACE)); /* nobody else has it now */
    struct filch__tasksan_call call;
    filch__strand_enter(&call, worker, task, false);
    *result = filch__task_call(worker, task);
    store_relaxed(&self->wait, 0); /* as a fresh wait word: the next look at the hints is before the next wait */
    filch__worker_current()->deque.hot.region = region;
    uint8_t flags = load_relaxed(&task->flags); /* written before its call */
    if (unlikely(flags & (TASK_SCOPED | TASK_WATCHED))) {
        if (flags & TASK_WATCHED) filch__ledger_task_ends(task);
        if (flags & TASK_SCOPED) filch__scope_end_member(task, *result);
    }
    filch__strand_leave(&call);
    edge_acquire(&task->end); /* END */
    give_back(task, note);
    filch__task_count_completed();
    return true;
}

/* ------------------------------------------------------------------------------------------------------------ one */

/* Takes the awaiter's word back, if the task has not ended. */
static bool withdraw(struct filch_task *task, uintptr_t word) {
    return cas_acq_rel(&task->end, &word, TASK_END_OPEN);
}

static bool cancelled_by_itself(void) {
    struct filch_task *self = filch_self();
    return self != NULL && filch__task_is_cancelled(self);
}

/*
 * Waits until the task has ended or the wait is cut short; `word` is what the end word says meanwhile, of the waiter. 0: it
 * has ended, its result is in `*value`, and its record is given back.
 */
static force_inline int wait_with(struct filch__waiter *waiter, uintptr_t word, struct filch_task *task, int *value,
                                  filch_deadline deadline, struct filch__circle_note *note) {
    filch__waiter_init(waiter, "await", task);
    uintptr_t end = TASK_END_OPEN;
    if (!cas_acq_rel(&task->end, &end, word)) { /* END */
        if (end == TASK_END_ENDED) return take_result(task, value, note);
        die_of_second_awaiter(task, end);
    }
    uint32_t cause = filch__park_cancellable(waiter, deadline);
    if (unlikely(cause != WAITER_GRANTED)) {
        if (withdraw(task, word)) { /* else the handle is gone already */
            if (cause == WAITER_EXPIRED) return -ETIMEDOUT;
            if (deadline.at_ns == INT64_MAX && cancelled_by_itself()) filch_task_cancel(task);
            return -ECANCELED;
        }
        filch__park(waiter); /* it ended just now, and will grant: that is waited for, since it touches the waiter */
    }
    edge_acquire(waiter); /* END */
    *value = waiter->result;
    return 0;
}

static int wait_for_end(struct filch_task *task, int *value, filch_deadline deadline) {
    struct filch__waiter waiter;
    return wait_with(&waiter, (uintptr_t)&waiter, task, value, deadline, NULL);
}

/* The same with a note, which the task takes out when it ends. */
static never_inline int wait_noted(struct filch_task *task, int *value, filch_deadline deadline,
                                   struct filch__circle_note *note) {
    struct filch__await_noted noted;
    noted.note = note;
    return wait_with(&noted.waiter, (uintptr_t)&noted | TASK_END_NOTED, task, value, deadline, note);
}

/* Nobody in this process can end it. */
static inline bool is_of_parent(struct filch__worker *worker, struct filch_task *task) {
    return (worker == NULL || worker->runtime != task->runtime) && filch__runtime_is_parents(task->runtime);
}

/* `note`, which is known where this is inlined: of the wait, or NULL. */
static force_inline int await_it(struct filch__worker *worker, struct filch_task *task, int *value,
                                 filch_deadline deadline, struct filch__circle_note *note) {
    uintptr_t end = load_acquire(&task->end); /* END */
    if (end == TASK_END_ENDED) return take_result(task, value, note);
    if (unlikely(end != TASK_END_OPEN)) die_of_second_awaiter(task, end);
    if (worker != NULL && deadline.at_ns == INT64_MAX && run_in_place(worker, task, value, note)) return 0;
    return note == NULL ? wait_for_end(task, value, deadline) : wait_noted(task, value, deadline, note);
}

/* The task itself: while there is a note, it is the one that is awaited. */
static uintptr_t holder(const void *task) {
    return (uintptr_t)task;
}

/* A caller that is cancelled, or debugged: then circles are looked for. */
static never_inline int await_rarely(struct filch__worker *worker, struct filch_task *task, int *value,
                                     filch_deadline deadline) {
    if (filch__cancelled_now()) return -ECANCELED;
    bool waits = load_acquire(&task->end) == TASK_END_OPEN && filch__debug_has(CHECK_CYCLE);
    if (!waits) return await_it(worker, task, value, deadline, NULL);
    bool is_child = (uintptr_t)worker->deque.hot.region & REGION_CHILD;
    uintptr_t who = (uintptr_t)filch_self() | (is_child ? REGION_CHILD : 0);
    struct filch__circle_note note = {.who = who,
                                      .what = "await",
                                      .object = task,
                                      .holder = holder,
                                      .deadline = deadline,
                                      .cancellable = true,
                                      .may_fail = true};
    if (filch__circle_enter(&note)) return -EDEADLK;
    int answer = await_it(worker, task, value, deadline, &note);
    filch__circle_leave(&note); /* of a wait that was cut short */
    return answer;
}

static int await(struct filch_task *task, int *value, filch_deadline deadline) {
    struct filch__worker *worker = filch__worker_current();
    if (unlikely(is_of_parent(worker, task))) return -ESHUTDOWN;
    if (unlikely(worker != NULL && region_task(worker->deque.hot.region) == task)) return -EDEADLK;
    if (unlikely(filch__cancelled_or_watched())) return await_rarely(worker, task, value, deadline);
    return await_it(worker, task, value, deadline, NULL);
}

int filch_await(filch_task *task, int *result, filch_deadline deadline) {
    if (unlikely(task == NULL)) return -EINVAL;
    int value = 0;
    int answer = await(task, &value, deadline);
    if (answer == 0 && result != NULL) *result = value;
    return answer;
}

void filch_task_detach(filch_task *task) {
    if (task == NULL || filch__runtime_is_parents(task->runtime)) return;
    uintptr_t end = TASK_END_OPEN;
    if (cas_acq_rel(&task->end, &end, TASK_END_DETACHED)) return;
    if (end != TASK_END_ENDED) die_of_second_awaiter(task, end);
    filch__task_put(task);
}

/* -------------------------------------------------------------------------------------------------------- several */

/*
 * The end word of each task leads to its record here, until it ends or the awaiter takes the word back. A task that has
 * ended reports here once, and may do so after its end word has said so; the awaiter does not return before all that owe
 * a report have made it.
 */
struct filch__await_one {
    struct await_set *set;
    size_t index;
} __attribute__((aligned(32)));

struct await_set {
    struct filch__latch latch;
    struct filch__waiter *waiter;
    size_t *order; /* the indices of those that have reported */
    size_t reported;
    size_t wanted; /* the waiter is granted when so many have reported */
    bool granted;
};

void filch__await_ended(struct filch__await_one *one) {
    struct await_set *set = one->set;
    struct filch__waiter *waiter = NULL;
    filch__latch_take(&set->latch);
    edge_release(set); /* END */
    set->order[set->reported++] = one->index;
    if (!set->granted && set->reported >= set->wanted) {
        set->granted = true;
        waiter = set->waiter;
    }
    filch__latch_leave(&set->latch);
    if (waiter != NULL) filch__grant(waiter, 0);
}

/* Offers the set to a task, or counts one that has ended already. */
static void enter_set(struct await_set *set, struct filch__await_one *one, struct filch_task *task) {
    uintptr_t end = TASK_END_OPEN;
    if (cas_acq_rel(&task->end, &end, (uintptr_t)one | TASK_END_SET)) return; /* END */
    if (end != TASK_END_ENDED) die_of_second_awaiter(task, end);
    edge_acquire(&task->end); /* END */
    filch__latch_take(&set->latch);
    set->order[set->reported++] = one->index;
    filch__latch_leave(&set->latch);
}

/* Waits until `wanted` have reported. What cut it short, or GRANTED. */
static uint32_t wait_for_reports(struct await_set *set, size_t wanted, filch_deadline deadline, bool cancellable) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "await several", set);
    filch__latch_take(&set->latch);
    bool enough = set->reported >= wanted;
    set->waiter = &waiter;
    set->wanted = wanted;
    set->granted = enough;
    filch__latch_leave(&set->latch);
    if (enough) return WAITER_GRANTED;
    uint32_t cause = cancellable ? filch__park_cancellable(&waiter, deadline) : filch__park_until(&waiter, deadline);
    if (cause == WAITER_GRANTED) return cause;
    filch__latch_take(&set->latch);
    bool on_its_way = set->granted;
    set->granted = true;
    filch__latch_leave(&set->latch);
    if (!on_its_way) return cause;
    filch__park(&waiter);
    return WAITER_GRANTED;
}

/* Takes back the words of all that have not ended; how many have. */
static size_t leave_set(struct filch__await_one *ones, filch_task *const *tasks, size_t count) {
    size_t ended = 0;
    for (size_t i = 0; i < count; i++) {
        uintptr_t word = (uintptr_t)&ones[i] | TASK_END_SET;
        if (!withdraw(tasks[i], word)) ended++;
    }
    return ended;
}

static ssize_t await_set(filch_task *const *tasks, size_t count, size_t wanted, size_t *order,
                         struct filch__await_one *ones, filch_deadline deadline) {
    struct await_set set = {.order = order, .granted = true};
    edge_set(&set);
    for (size_t i = 0; i < count; i++) {
        ones[i] = (struct filch__await_one){&set, i};
        enter_set(&set, &ones[i], tasks[i]);
    }
    uint32_t cause = wait_for_reports(&set, wanted, deadline, true);
    size_t ended = leave_set(ones, tasks, count);
    wait_for_reports(&set, ended, FILCH_NEVER, false);
    edge_acquire(&set); /* END */
    if (ended >= wanted || cause == WAITER_GRANTED) return (ssize_t)ended;
    return cause == WAITER_CANCELLED ? -ECANCELED : -ETIMEDOUT;
}

ssize_t filch_await_n(filch_task *const *tasks, size_t count, size_t wanted, size_t *order, filch_deadline deadline) {
    if (wanted > count || (count > 0 && (tasks == NULL || order == NULL))) return -EINVAL;
    struct filch_task *self = filch_self();
    for (size_t i = 0; i < count; i++) {
        if (tasks[i] == NULL) return -EINVAL;
        if (tasks[i] == self) return -EDEADLK;
        if (is_of_parent(filch__worker_current(), tasks[i])) return -ESHUTDOWN;
    }
    if (filch__cancelled()) return -ECANCELED;
    if (count == 0) return 0;
    struct filch__await_one few[AWAIT_FEW], *ones = few;
    if (count > AWAIT_FEW) ones = filch__heap_get(count * sizeof *ones, 32);
    if (ones == NULL) return -ENOMEM;
    ssize_t answer = await_set(tasks, count, wanted, order, ones, deadline);
    if (ones != few) filch__heap_put(ones, count * sizeof *ones, 32);
    return answer;
}
