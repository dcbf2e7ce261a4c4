/* SPDX-License-Identifier: MIT */
#include "sched/circle.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/task.h"

enum {
    CHAINS = 1024,
    STEPS_MAX = 32,
    WHO_CHILD = 2, /* as in sync/owner.h */
    WHO_THREAD = 4,
};

struct way {
    const struct filch__circle_note *notes[STEPS_MAX];
    unsigned length;
};

static struct filch__lock lock = {PTHREAD_MUTEX_INITIALIZER};
static struct filch__circle_note *chains[CHAINS]; /* under the lock, as the notes in it */

static struct filch__circle_note **chain_of(uintptr_t who) {
    return &chains[((who >> 3) * 0x9e3779b97f4a7c15u) >> 54];
}

static void list(struct filch__circle_note *note) {
    note->link = chain_of(note->who);
    note->next = *note->link;
    if (note->next != NULL) note->next->link = &note->next;
    *note->link = note;
}

static void unlist(struct filch__circle_note *note) {
    *note->link = note->next;
    if (note->next != NULL) note->next->link = note->link;
    note->link = NULL;
}

static const struct filch__circle_note *find(uintptr_t who) {
    const struct filch__circle_note *note = *chain_of(who);
    while (note != NULL && note->who != who) note = note->next;
    return note;
}

/* ----------------------------------------------------------------------------------------------------------- the way */

static struct filch_task *task_of(uintptr_t who) {
    return who & WHO_THREAD ? NULL : (struct filch_task *)(who & ~(uintptr_t)WHO_CHILD);
}

/*
 * Whether who closes `scope` waits for the end of `who`, one that has a note: a member of it, or of a scope that is closed
 * by a member, and so on.
 */
static bool is_within(uintptr_t who, const void *scope) {
    struct filch_task *task = task_of(who);
    for (unsigned depth = 0; task != NULL && depth < STEPS_MAX; depth++) {
        struct filch_scope *its = filch__task_scope(task);
        if (its == NULL) return false;
        if (its == scope) return true;
        task = its->filch__region.task;
        const struct filch__circle_note *note = task == NULL ? NULL : find((uintptr_t)task);
        if (note == NULL || note->object != its) return false;
    }
    return false;
}

/* False: a circle that others have closed, or too long a way. */
static bool add(struct way *way, const struct filch__circle_note *note) {
    for (unsigned i = 0; i < way->length; i++) {
        if (way->notes[i] == note) return false;
    }
    if (way->length == STEPS_MAX) return false;
    way->notes[way->length++] = note;
    return true;
}

/*
 * Goes from `note` to whom it waits for, and on, up to `end`, for which the last of the way waits. At a scope, which is held
 * by all its members, it goes on only if `end` is one of them.
 */
static bool leads_to(struct way *way, const struct filch__circle_note *note, uintptr_t end) {
    while (note != NULL && add(way, note)) {
        if (note->holder == NULL) return is_within(end, note->object);
        uintptr_t who = note->holder(note->object);
        if (who == end) return true;
        if (who == 0 || who & WHO_CHILD) return false;
        note = find(who);
    }
    return false;
}

/* Somebody whose wait ends by itself: no circle. */
static bool may_end(const struct filch__circle_note *note) {
    if (note->deadline.at_ns != INT64_MAX && note->deadline.at_ns <= filch__clock_now()) return true;
    return note->cancellable && note->region != NULL && filch__region_is_cancelled(note->region);
}

static bool holds_up(const struct way *way) {
    for (unsigned i = 0; i < way->length; i++) {
        if (may_end(way->notes[i])) return false;
    }
    return true;
}

/* A way that begins at `note` and comes back to it. */
static bool find_circle(struct way *way, const struct filch__circle_note *note) {
    if (note->who & WHO_CHILD) return false;
    if (note->holder != NULL) return leads_to(way, note, note->who) && holds_up(way);
    for (unsigned i = 0; i < CHAINS; i++) { /* any member may be the one */
        for (const struct filch__circle_note *other = chains[i]; other != NULL; other = other->next) {
            if (other == note || !is_within(other->who, note->object)) continue;
            way->length = 0;
            if (add(way, note) && leads_to(way, other, note->who) && holds_up(way)) return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------------------------------------------ telling */

static void tell_note(struct filch__complaint *complaint, const struct filch__circle_note *note) {
    filch__complaint_say(complaint, "    ");
    filch__complaint_who(complaint, &note->witness);
    filch__complaint_spawned(complaint, &note->witness);
    filch__complaint_say(complaint, ": waits for %s %p%s, at\n", note->what, note->object,
                         note->deadline.at_ns == INT64_MAX ? "" : ", up to a deadline");
    filch__complaint_frames(complaint, note->witness.frames, note->witness.depth);
}

/* Under the lock: the notes of others are looked at. */
static void compose(struct filch__complaint *complaint, const struct way *way, const struct filch__circle_note *note,
                    struct filch_runtime *runtime) {
    filch__complaint_begin(complaint, runtime, "mutex-cycle");
    filch__complaint_who(complaint, &note->witness);
    filch__complaint_say(
        complaint, " closes a circle of %u by waiting for %s %p: each waits for the next, the last for the first\n",
        way->length, note->what, note->object);
    for (unsigned i = 0; i < way->length; i++) tell_note(complaint, way->notes[i]);
}

/* ------------------------------------------------------------------------------------------------------ enter and leave */

/* The runtime whose options say what is done: the caller's, or where that is none, that of the first on the way. */
static struct filch_runtime *whose(const struct way *way) {
    for (unsigned i = 0; i < way->length; i++) {
        struct filch_task *task = task_of(way->notes[i]->who);
        if (task != NULL) return task->runtime;
    }
    return NULL;
}

/* What is to be told, and in whose name. */
struct finding {
    struct filch__complaint complaint;
    struct filch_runtime *runtime; /* NULL: nothing */
    bool entered;
    bool fails; /* the call is to fail, and its note has been taken out */
};

/*
 * Under the lock. A task's own runtime does not end while it is here. That of another, for a thread that is none, does not
 * while that task has its note, and it has it until the lock is left: so the runtime is entered before, and then waits,
 * when it ends, until the thread has told what it found.
 */
static void judge(struct finding *finding, const struct way *way, struct filch__circle_note *note) {
    struct filch_runtime *runtime = whose(way);
    if (runtime == NULL || !(runtime->debug.checks & CHECK_CYCLE)) return;
    finding->runtime = runtime;
    finding->entered = task_of(note->who) == NULL;
    if (finding->entered) filch__runtime_enter(runtime);
    compose(&finding->complaint, way, note, runtime);
    finding->fails = runtime->debug.on_cycle == CYCLE_FAIL && note->may_fail;
    if (finding->fails) unlist(note);
}

bool filch__circle_enter(struct filch__circle_note *note) {
    struct finding finding = {.runtime = NULL};
    struct way way = {.length = 0};
    note->region = filch__here()->region;
    filch__witness_take(&note->witness);
    filch__lock_take(&lock);
    list(note);
    if (find_circle(&way, note)) judge(&finding, &way, note);
    filch__lock_leave(&lock);
    if (finding.runtime == NULL) return false;
    filch__complaint_send(&finding.complaint);
    if (finding.runtime->debug.on_cycle == CYCLE_ABORT) abort();
    if (finding.entered) filch__runtime_leave(finding.runtime);
    return finding.fails;
}

void filch__circle_leave(struct filch__circle_note *note) {
    filch__lock_take(&lock);
    if (note->link != NULL) unlist(note);
    filch__lock_leave(&lock);
}

/* There is one thread. */
void filch__circle_forget(void) {
    filch__lock_init(&lock);
    memset(chains, 0, sizeof chains);
}
