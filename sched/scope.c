/* SPDX-License-Identifier: MIT */
/*
 * Scopes and cancellation.
 *
 * What is cancelled is a flag: of a scope, or of a task. Whether a strand is cancelled it finds out by itself, by walking
 * outwards through the regions that it runs in (sched/region.h). Cancelling sets the flag and then hints at everything
 * inwards that may be waiting (sched/park.h), so that it looks; a hint too many does no harm.
 *
 * Inwards, a scope leads to its opener, to the tasks spawned into it (`members`), and to the scopes nested in it
 * (`children`): those opened by its opener or by a member. A scope that is nested in none is on the list of the task that
 * opened it (`extra->scopes`), where filch_task_cancel finds it.
 *
 * Latches are taken from the outside inwards. A scope is reached from its parent only under the parent's latch, and taken
 * off the parent's list under it before it is closed; so it does not end under whoever walks through it.
 *
 * Edge
 *   MEMBER   the end of a member: `live` under the latch -> close, under the latch, or by the grant   carries all it did
 */
#include <filch/scope.h>

#include <errno.h>

#include "base/barrier.h"
#include "base/clock.h"
#include "base/tasksan.h"
#include "sched/circle.h"
#include "sched/ledger.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/sched.h"
#include "sched/task.h"

struct scope_timer {
    struct filch__timer timer; /* first */
    struct filch_scope *scope;
};

_Static_assert(sizeof(struct scope_timer) <= sizeof(((struct filch_scope *)NULL)->filch__timer), "room for the timer");

static struct scope_timer *timer_of(struct filch_scope *scope) {
    return (struct scope_timer *)(void *)scope->filch__timer;
}

static uint32_t flags_of(const struct filch_scope *scope) {
    return load_acquire(&((struct filch_scope *)(uintptr_t)scope)->filch__region.flags);
}

static struct filch__task_extra *extra_of(struct filch_task *task) {
    return load_acquire(&task->extra);
}

/* ------------------------------------------------------------------------------------------------------ cancelling */

/* Hints at the opener and the members of a scope, under its latch. */
static void hint_scope(struct filch_scope *scope) {
    struct filch_task *opener = scope->filch__region.task;
    if (opener != NULL) filch__task_hint(opener->runtime, opener);
    for (struct filch_task *member = scope->filch__members; member != NULL; member = extra_of(member)->next) {
        filch__task_hint(member->runtime, member);
    }
}

/* Hints at everything in `root`, whose latch is taken, and is left taken. Scopes may be nested deeply: no recursion. */
static void hint_tree(struct filch_scope *root) {
    struct filch_scope *scope = root;
    for (;;) {
        hint_scope(scope);
        struct filch_scope *next = scope->filch__children;
        while (next == NULL && scope != root) {
            struct filch_scope *parent = scope->filch__parent;
            next = scope->filch__next; /* under the parent's latch */
            filch__latch_leave(&scope->filch__latch);
            scope = parent;
        }
        if (next == NULL) return;
        filch__latch_take(&next->filch__latch);
        scope = next;
    }
}

/* Sets the flags and hints. Under the latch. Once cancelled, why does not change. */
static void cancel_locked(struct filch_scope *scope, uint32_t flags) {
    if (flags_of(scope) & REGION_CANCELLED) return;
    filch__cancelling_begin();
    or_seq_cst(&scope->filch__region.flags, flags | REGION_CANCELLED);
    hint_tree(scope);
    filch__cancelling_end();
}

static void cancel(struct filch_scope *scope, uint32_t flags) {
    filch__latch_take(&scope->filch__latch);
    cancel_locked(scope, flags);
    filch__latch_leave(&scope->filch__latch);
}

void filch_scope_cancel(filch_scope *scope) {
    if (scope != NULL) cancel(scope, 0);
}

static void fail_locked(struct filch_scope *scope, int error) {
    if (scope->filch__policy == FILCH_SCOPE_SUPERVISE || flags_of(scope) & REGION_CANCELLED) return;
    if (scope->filch__failure == 0) scope->filch__failure = error;
    if (scope->filch__policy == FILCH_SCOPE_FAIL_FAST) cancel_locked(scope, 0);
}

void filch_scope_fail(filch_scope *scope, int error) {
    if (scope == NULL || error >= 0) return;
    filch__latch_take(&scope->filch__latch);
    fail_locked(scope, error);
    filch__latch_leave(&scope->filch__latch);
}

bool filch_scope_cancelled(const filch_scope *scope) {
    return scope != NULL && (flags_of(scope) & REGION_CANCELLED) != 0;
}

size_t filch_scope_tasks(const filch_scope *scope) {
    return scope == NULL ? 0 : load_relaxed(&((struct filch_scope *)(uintptr_t)scope)->filch__live); /* a snapshot */
}

/*
 * Hints at the scopes that `task` has open and that are nested in no other, and at those it has opened in its own. That
 * one the task leaves under both latches, one after the other; so it is not closed while we hold either. `task` may have
 * ended, and its record be another's by now.
 */
static void hint_scopes_of(struct filch_task *task) {
    struct filch__task_extra *extra =
        load_seq_cst(&task->extra); /* if it has none yet, a scope to come sees the flag */
    if (extra == NULL) return;
    filch__latch_take(&extra->latch);
    for (struct filch_scope *scope = extra->scopes; scope != NULL; scope = scope->filch__next) {
        filch__latch_take(&scope->filch__latch);
        hint_tree(scope);
        filch__latch_leave(&scope->filch__latch);
    }
    struct filch_scope *home = load_relaxed(&extra->scope);
    if (home != NULL) filch__latch_take(&home->filch__latch);
    filch__latch_leave(&extra->latch);
    if (home == NULL) return;
    for (struct filch_scope *scope = home->filch__children; scope != NULL; scope = scope->filch__next) {
        if (scope->filch__region.task != task) continue;
        filch__latch_take(&scope->filch__latch);
        hint_tree(scope);
        filch__latch_leave(&scope->filch__latch);
    }
    filch__latch_leave(&home->filch__latch);
}

/* The runtime is entered first: once cancelled, the task may end, and with it the runtime. */
static void cancel_task(struct filch_task *task) {
    struct filch_runtime *runtime = task->runtime;
    filch__runtime_enter(runtime);
    filch__cancelling_begin();
    if (or_seq_cst(&task->hints, (uint16_t)TASK_CANCELLED) & TASK_CANCELLED) task = NULL;
    while (task != NULL) { /* whoever is called in place is cancelled with who has called it */
        struct filch_task *called = filch__task_hint(runtime, task);
        hint_scopes_of(task);
        task = called;
    }
    filch__cancelling_end();
    filch__runtime_leave(runtime);
}

/*
 * A record that ends or is used anew meanwhile is cancelled as well: everything is to be. For the same reason nobody
 * needs to be found through a scope; who is spawned meanwhile and missed is found by the next (shutdown's).
 */
static int cancel_record(void *record, void *argument) {
    struct filch_runtime *runtime = argument;
    struct filch_task *task = record;
    uint8_t state = load_acquire(&task->state);
    if (state != TASK_READY && state != TASK_STARTED) return 0;
    if (or_seq_cst(&task->hints, (uint16_t)TASK_CANCELLED) & TASK_CANCELLED) return 0;
    filch__task_hint(runtime, task);
    return 0;
}

void filch__runtime_cancel_again(struct filch_runtime *runtime) {
    filch__cancelling_begin();
    filch__slab_each(&runtime->stock.tasks, cancel_record, runtime);
    filch__cancelling_end();
}

void filch_runtime_cancel(filch_runtime *runtime) {
    if (runtime == NULL || filch__runtime_is_parents(runtime)) return;
    filch__runtime_enter(runtime);
    store_seq_cst(&runtime->cancelled, 1);
    /*
     * A spawner shows its task and then reads `cancelled`, but its store may be the later. After this it has shown the
     * task, or will see that it is cancelled. Where the kernel has no such barrier, shutdown finds the task.
     */
    if (load_relaxed(&runtime->closable)) (void)filch__barrier_all();
    filch__runtime_cancel_again(runtime);
    filch__runtime_leave(runtime);
}

void filch_task_cancel(filch_task *task) {
    if (task == NULL || filch__runtime_is_parents(task->runtime)) return;
    uintptr_t end = load_acquire(&task->end);
    if (end == TASK_END_ENDED) return;
    if (unlikely(end == TASK_END_GONE)) {
        filch__die("task_cancel: task %p was awaited or detached before: its handle is given up", (void *)task);
    }
    cancel_task(task);
}

/* --------------------------------------------------------------------------------------------------------- deadline */

static void expire(struct filch__timer *timer) {
    cancel(((struct scope_timer *)(void *)timer)->scope, REGION_EXPIRED);
}

/* Under the latch. */
static void set_timer(struct filch_scope *scope, filch_deadline deadline) {
    scope->filch__timers = NULL;
    if (deadline.at_ns == INT64_MAX) return;
    struct filch__worker *worker = filch__worker_current();
    bool foreign = worker == NULL || worker->runtime != scope->filch__runtime;
    if (foreign) worker = &scope->filch__runtime->workers[0];
    scope->filch__timers = &worker->timers;
    timer_of(scope)->scope = scope;
    filch__timer_set_call(&worker->timers, &timer_of(scope)->timer, expire, deadline.at_ns);
    if (foreign) filch__idle_rouse(worker); /* it may sleep for longer than that */
}

int filch_scope_set_deadline(filch_scope *scope, filch_deadline deadline) {
    if (scope == NULL) return -EINVAL;
    filch__latch_take(&scope->filch__latch);
    int answer = 0;
    if (flags_of(scope) & REGION_EXPIRED) {
        answer = -ETIMEDOUT;
    } else if (flags_of(scope) & REGION_CANCELLED) {
        answer = -ECANCELED;
    } else if (scope->filch__timers != NULL &&
               !filch__timer_try_remove(scope->filch__timers, &timer_of(scope)->timer)) {
        answer = -ETIMEDOUT; /* it is being cancelled just now, as soon as the latch is left */
    } else if (deadline.at_ns <= filch__clock_now()) {
        scope->filch__timers = NULL;
        cancel_locked(scope, REGION_EXPIRED);
    } else {
        set_timer(scope, deadline);
    }
    filch__latch_leave(&scope->filch__latch);
    return answer;
}

/* ------------------------------------------------------------------------------------------------------------- open */

static void list_add(struct filch_scope **list, struct filch_scope *scope) {
    scope->filch__previous = NULL;
    scope->filch__next = *list;
    if (*list != NULL) (*list)->filch__previous = scope;
    *list = scope;
}

static void list_remove(struct filch_scope **list, struct filch_scope *scope) {
    if (scope->filch__previous != NULL) {
        scope->filch__previous->filch__next = scope->filch__next;
    } else {
        *list = scope->filch__next;
    }
    if (scope->filch__next != NULL) scope->filch__next->filch__previous = scope->filch__previous;
}

/* The innermost scope around a strand with this word, or NULL. */
static struct filch_scope *scope_around(void *word) {
    while (word != NULL) {
        if (!region_is_open(word)) return filch__task_scope(region_task(word));
        struct filch__region *region = region_of(word);
        if (!(load_relaxed(&region->flags) & REGION_SHIELD)) return (struct filch_scope *)(void *)region;
        word = region->outer;
    }
    return NULL;
}

/* Makes the scope known to whoever cancels what is around it. */
static int nest(struct filch_scope *scope, void *word) {
    struct filch_scope *parent = scope_around(word);
    struct filch_task *task = region_task(word);
    if (parent != NULL) {
        filch__latch_take(&parent->filch__latch);
        scope->filch__parent = parent;
        list_add(&parent->filch__children, scope);
        filch__latch_leave(&parent->filch__latch);
    } else if (task != NULL) {
        struct filch__task_extra *extra = filch__task_extra(task);
        if (extra == NULL) return -ENOMEM;
        filch__latch_take(&extra->latch);
        scope->filch__host = extra;
        list_add(&extra->scopes, scope);
        filch__latch_leave(&extra->latch);
    }
    return 0;
}

static void unnest(struct filch_scope *scope) {
    struct filch_scope *parent = scope->filch__parent;
    struct filch__task_extra *extra = scope->filch__host;
    if (parent != NULL) {
        filch__latch_take(&parent->filch__latch);
        list_remove(&parent->filch__children, scope);
        filch__latch_leave(&parent->filch__latch);
    } else if (extra != NULL) {
        filch__latch_take(&extra->latch);
        list_remove(&extra->scopes, scope);
        filch__latch_leave(&extra->latch);
    }
}

int filch_scope_open(filch_scope *scope, const filch_scope_options *options) {
    static const filch_scope_options defaults;
    if (options == NULL) options = &defaults;
    if (scope == NULL || (unsigned)options->policy > FILCH_SCOPE_SUPERVISE) return -EINVAL;
    struct filch__worker *worker = filch__worker_current();
    filch_runtime *runtime = worker != NULL ? worker->runtime : options->runtime;
    if (runtime == NULL) return filch__debug_no_task("filch_scope_open");
    if (worker != NULL && options->runtime != NULL && options->runtime != runtime) return -EINVAL;
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN;
    *scope = (struct filch_scope){.filch__runtime = runtime, .filch__name = options->name};
    scope->filch__policy = options->policy;
    edge_set(scope);
    if (worker != NULL) {
        filch__region_push(worker, &scope->filch__region, 0); /* first: once it is nested, others look at it */
        int answer = nest(scope, scope->filch__region.outer);
        if (answer != 0) {
            filch__region_pop(worker, &scope->filch__region, "scope_open");
            return answer;
        }
    }
    if (options->deadline.at_ns != 0 && options->deadline.at_ns != INT64_MAX) {
        (void)filch_scope_set_deadline(scope, options->deadline); /* nobody has cancelled it yet */
    }
    if (worker == NULL) filch__ledger_opened(scope, runtime);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------ spawn */

int filch_scope_spawn(filch_scope *scope, filch_task **task, filch_fn *fn, void *arg,
                      const filch_task_options *options) {
    if (scope == NULL) return -EINVAL;
    struct filch_runtime *runtime = scope->filch__runtime;
    if (unlikely(runtime == NULL)) filch__die("scope_spawn: scope %p is not open", (void *)scope);
    struct filch__worker *worker = filch__worker_current();
    struct filch__spawn how = {runtime, worker, scope, __builtin_return_address(0)};
    if (worker != NULL && worker->runtime == runtime) return filch__task_spawn(&how, task, fn, arg, options);
    how.worker = NULL;
    int answer = -ESHUTDOWN;
    if (filch__runtime_is_parents(runtime)) return answer;
    filch__runtime_enter(runtime);
    if (!load_seq_cst(&runtime->closed)) answer = filch__task_spawn(&how, task, fn, arg, options);
    filch__runtime_leave(runtime);
    return answer;
}

/* A scope around it that is cancelled counts too: seen by whoever is a task of it. */
bool filch__scope_add(struct filch_scope *scope, struct filch_task *task) {
    struct filch__task_extra *extra = extra_of(task);
    filch__latch_take(&scope->filch__latch);
    bool open = !(flags_of(scope) & REGION_CANCELLED);
    if (open) {
        struct filch_task *first = scope->filch__members;
        extra->previous = NULL;
        extra->next = first;
        if (first != NULL) extra_of(first)->previous = task;
        scope->filch__members = task;
        count_up(&scope->filch__live, 1); /* under the latch; read by anyone */
    }
    filch__latch_leave(&scope->filch__latch);
    return open;
}

uintptr_t filch__scope_end_member(struct filch_task *task, int result) {
    struct filch__task_extra *extra = extra_of(task);
    struct filch__waiter *closer = NULL;
    filch__latch_take(&extra->latch); /* from here on, nobody finds the scope by the task: see hint_scopes_of */
    struct filch_scope *scope = load_relaxed(&extra->scope);
    store_relaxed(&extra->scope, NULL);
    filch__latch_leave(&extra->latch);
    filch__latch_take(&scope->filch__latch);
    if (extra->previous != NULL) {
        extra_of(extra->previous)->next = extra->next;
    } else {
        scope->filch__members = extra->next;
    }
    if (extra->next != NULL) extra_of(extra->next)->previous = extra->previous;
    bool asked_for = result == -ECANCELED && load_acquire(&task->hints) & TASK_CANCELLED; /* no failure of its own */
    if (result < 0 && !asked_for) fail_locked(scope, result);
    uintptr_t end = exchange_acq_rel(&task->end, TASK_END_ENDED); /* END; if it was OPEN, the record may be gone now */
    edge_release(scope);                                          /* MEMBER */
    count_up(&scope->filch__live, (uint64_t)-1);
    if (scope->filch__live == 0) closer = scope->filch__closer;
    filch__latch_leave(&scope->filch__latch); /* MEMBER; the scope may be gone now, unless its closer waits */
    if (closer != NULL) filch__grant(closer, 0);
    return end;
}

/* ------------------------------------------------------------------------------------------------------------ close */

/* Where circles are looked for: a member may wait for what the caller holds. */
static never_inline void park_noted(struct filch_scope *scope, struct filch__waiter *waiter) {
    struct filch_task *task = filch_self();
    bool is_child = (uintptr_t)filch__here()->region & REGION_CHILD;
    uintptr_t who = (uintptr_t)task | (is_child ? REGION_CHILD : 0);
    struct filch__circle_note note = {.who = who, .what = "scope_close", .object = scope, .deadline = FILCH_NEVER};
    if (task != NULL) (void)filch__circle_enter(&note);
    filch__park(waiter);
    if (task != NULL) filch__circle_leave(&note);
}

static bool wait_for_members(struct filch_scope *scope) {
    struct filch__waiter waiter;
    filch__latch_take(&scope->filch__latch); /* MEMBER */
    bool wait = scope->filch__live > 0;
    if (wait) {
        filch__waiter_init(&waiter, "scope_close", scope);
        scope->filch__closer = &waiter;
    }
    filch__latch_leave(&scope->filch__latch);
    if (wait && filch__debug_has(CHECK_CYCLE)) {
        park_noted(scope, &waiter);
    } else if (wait) {
        filch__park(&waiter);
    }
    edge_acquire(scope); /* MEMBER */
    return wait;
}

int filch_scope_close(filch_scope *scope) {
    if (scope == NULL) return -EINVAL;
    filch__region_must_be_last(&scope->filch__region, "scope_close");
    bool waited = wait_for_members(scope);
    if (scope->filch__timers != NULL) filch__timer_remove(scope->filch__timers, &timer_of(scope)->timer);
    unnest(scope);
    struct filch__worker *worker = filch__worker_current();
    if (worker == NULL) filch__ledger_closed(scope);
    bool cancelled_around = waited && filch__cancelled();
    if (worker != NULL) filch__region_pop(worker, &scope->filch__region, "scope_close");
    scope->filch__runtime = NULL; /* it is closed, as far as that can be told */
    if (scope->filch__failure != 0) return scope->filch__failure;
    uint32_t flags = flags_of(scope);
    return flags & REGION_EXPIRED ? -ETIMEDOUT : flags & REGION_CANCELLED || cancelled_around ? -ECANCELED : 0;
}
