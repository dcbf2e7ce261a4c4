/* SPDX-License-Identifier: MIT */
#include "sched/timer.h"

#include <sched.h>
#include <stddef.h>

void filch__timers_init(struct filch__timers *timers) {
    filch__lock_init(&timers->lock);
    timers->root = NULL;
    timers->count = timers->set_count = 0;
    timers->earliest_ns = INT64_MAX;
}

void filch__timers_fini(struct filch__timers *timers) {
    filch__lock_fini(&timers->lock);
}

static bool is_before(const struct filch__timer *a, const struct filch__timer *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

/* Makes one heap of two roots; either may be NULL. */
static struct filch__timer *meld(struct filch__timer *a, struct filch__timer *b) {
    if (a == NULL) return b;
    if (b == NULL) return a;
    if (is_before(b, a)) {
        struct filch__timer *swap = a;
        a = b;
        b = swap;
    }
    b->sibling = a->child;
    if (a->child != NULL) a->child->previous = b;
    b->previous = a;
    a->child = b;
    return a;
}

/* Makes one heap of a list of siblings: in pairs from the left, then all from the right. */
static struct filch__timer *meld_siblings(struct filch__timer *first) {
    struct filch__timer *pairs = NULL; /* a stack, linked by sibling */
    while (first != NULL) {
        struct filch__timer *a = first, *b = a->sibling;
        first = b == NULL ? NULL : b->sibling;
        a->sibling = a->previous = NULL;
        if (b != NULL) b->sibling = b->previous = NULL;
        a = meld(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    struct filch__timer *root = NULL;
    while (pairs != NULL) {
        struct filch__timer *pair = pairs;
        pairs = pair->sibling;
        pair->sibling = NULL;
        root = meld(pair, root);
    }
    return root;
}

static void show_earliest(struct filch__timers *timers) {
    store_relaxed(&timers->earliest_ns, timers->root == NULL ? INT64_MAX : timers->root->at_ns); /* a hint */
}

static void take_out(struct filch__timers *timers, struct filch__timer *timer) {
    struct filch__timer *children = meld_siblings(timer->child);
    if (timer->previous == NULL) {
        timers->root = children;
    } else {
        if (timer->previous->child == timer) {
            timer->previous->child = timer->sibling;
        } else {
            timer->previous->sibling = timer->sibling;
        }
        if (timer->sibling != NULL) timer->sibling->previous = timer->previous;
        timers->root = meld(timers->root, children);
    }
    timer->timers = NULL;
    timers->count--;
}

static void set(struct filch__timers *timers, struct filch__timer *timer) {
    timer->timers = timers;
    timer->calling = false;
    timer->child = timer->sibling = timer->previous = NULL;
    filch__lock_take(&timers->lock);
    timer->order = timers->set_count++;
    timers->root = meld(timers->root, timer);
    timers->count++;
    if (timers->root == timer) show_earliest(timers);
    filch__lock_leave(&timers->lock);
}

void filch__timer_set(struct filch__timers *timers, struct filch__timer *timer, struct filch__waiter *waiter,
                      int64_t at_ns) {
    timer->at_ns = at_ns;
    timer->waiter = waiter;
    timer->call = NULL;
    set(timers, timer);
}

void filch__timer_set_call(struct filch__timers *timers, struct filch__timer *timer,
                           void (*call)(struct filch__timer *timer), int64_t at_ns) {
    timer->at_ns = at_ns;
    timer->waiter = NULL;
    timer->call = call;
    set(timers, timer);
}

static bool remove_locked(struct filch__timers *timers, struct filch__timer *timer) {
    if (timer->timers == NULL) return false;
    bool first = timers->root == timer;
    take_out(timers, timer);
    if (first) show_earliest(timers);
    return true;
}

bool filch__timer_try_remove(struct filch__timers *timers, struct filch__timer *timer) {
    filch__lock_take(&timers->lock);
    bool removed = remove_locked(timers, timer);
    filch__lock_leave(&timers->lock);
    return removed;
}

void filch__timer_remove(struct filch__timers *timers, struct filch__timer *timer) {
    filch__lock_take(&timers->lock);
    remove_locked(timers, timer);
    while (timer->calling) {
        filch__lock_leave(&timers->lock);
        sched_yield();
        filch__lock_take(&timers->lock);
    }
    filch__lock_leave(&timers->lock);
}

static void fire(struct filch__timers *timers, struct filch__timer *timer) {
    take_out(timers, timer);
    if (timer->call == NULL) {
        filch__wake(timer->waiter, WAITER_EXPIRED);
        return;
    }
    timer->calling = true;
    filch__lock_leave(&timers->lock);
    timer->call(timer);
    filch__lock_take(&timers->lock);
    timer->calling = false;
}

unsigned filch__timers_fire(struct filch__timers *timers, int64_t now_ns) {
    unsigned fired = 0;
    filch__lock_take(&timers->lock);
    for (; timers->root != NULL && timers->root->at_ns <= now_ns; fired++) fire(timers, timers->root);
    show_earliest(timers);
    filch__lock_leave(&timers->lock);
    return fired;
}
