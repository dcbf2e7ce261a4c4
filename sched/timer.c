/* SPDX-License-Identifier: MIT */
#include "sched/timer.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>

enum {
    IN_HEAP = TIMER_LEVELS * TIMER_SLOTS * TIMER_LANES, /* the place of what is in no slot */
    FIRE_AT_ONCE = 64,                                  /* so many are taken before the latch is left */
    LOOK_THROUGH = 4,                                   /* so many in a lane are looked at for the earliest */
    WAIT_SPINS = 100,
};

void filch__timers_init(struct filch__timers *timers) {
    memset(timers, 0, sizeof *timers);
    timers->earliest_ns = INT64_MAX;
}

void filch__timers_renew(struct filch__timers *timers) {
    assert_internal(timers->count == 0 && timers->levels == 0);
    memset(timers, 0, offsetof(struct filch__timers, filled));
    timers->earliest_ns = INT64_MAX;
}

/* --------------------------------------------------------------------------------------------------------- the heap */

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
    b->next = a->child;
    if (a->child != NULL) a->child->previous = b;
    b->previous = a;
    a->child = b;
    return a;
}

/* Makes one heap of a list of siblings: in pairs from the left, then all from the right. */
static struct filch__timer *meld_siblings(struct filch__timer *first) {
    struct filch__timer *pairs = NULL; /* a stack, linked by next */
    while (first != NULL) {
        struct filch__timer *a = first, *b = a->next;
        first = b == NULL ? NULL : b->next;
        a->next = a->previous = NULL;
        if (b != NULL) b->next = b->previous = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct filch__timer *root = NULL;
    while (pairs != NULL) {
        struct filch__timer *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        root = meld(pair, root);
    }
    return root;
}

/* Takes it out of its list; true: it was the first, and `next` takes its place. */
static bool unlink_timer(struct filch__timer *timer) {
    if (timer->next != NULL) timer->next->previous = timer->previous;
    if (timer->previous == NULL) return true;
    if (timer->previous->child == timer) {
        timer->previous->child = timer->next; /* never in a slot, where nobody has children */
    } else {
        timer->previous->next = timer->next;
    }
    return false;
}

static void heap_remove(struct filch__timers *timers, struct filch__timer *timer) {
    struct filch__timer *children = meld_siblings(timer->child);
    if (unlink_timer(timer)) {
        timers->root = children;
    } else {
        timers->root = meld(timers->root, children);
    }
}

/* -------------------------------------------------------------------------------------------------------- the wheel */

static uint64_t tick_of(int64_t at_ns) {
    return at_ns <= 0 ? 0 : (uint64_t)at_ns >> TIMER_TICK_BITS;
}

static void slot_add(struct filch__timers *timers, struct filch__timer *timer, unsigned level, unsigned index) {
    unsigned slot = level * TIMER_SLOTS + index, lane = (unsigned)timer->order % TIMER_LANES;
    struct filch__timer **first = &timers->slots[slot][lane];
    timer->place = (uint16_t)(slot * TIMER_LANES + lane);
    timer->next = *first;
    if (*first != NULL) (*first)->previous = timer;
    *first = timer;
    timers->filled[level][index / 64] |= (uint64_t)1 << index % 64;
    timers->levels |= (uint32_t)1 << level;
}

static bool slot_is_empty(struct filch__timer *const *lanes) {
    for (unsigned i = 0; i < TIMER_LANES; i++) {
        if (lanes[i] != NULL) return false;
    }
    return true;
}

/* It is empty. */
static void slot_clear(struct filch__timers *timers, unsigned slot) {
    unsigned level = slot / TIMER_SLOTS, index = slot % TIMER_SLOTS;
    uint64_t *filled = timers->filled[level], any = 0;
    filled[index / 64] &= ~((uint64_t)1 << index % 64);
    for (unsigned i = 0; i < TIMER_SLOTS / 64; i++) any |= filled[i];
    if (any == 0) timers->levels &= ~((uint32_t)1 << level);
}

/* To where it belongs: to the heap, or to a slot that begins after the current tick. */
static void put(struct filch__timers *timers, struct filch__timer *timer) {
    uint64_t tick = tick_of(timer->at_ns);
    timer->next = timer->previous = timer->child = NULL;
    if (tick <= timers->tick) {
        timer->place = IN_HEAP;
        timers->root = meld(timers->root, timer);
        return;
    }
    unsigned level = (unsigned)(63 - __builtin_clzll(tick ^ timers->tick)) / TIMER_DIGIT_BITS;
    slot_add(timers, timer, level, (unsigned)(tick >> level * TIMER_DIGIT_BITS) % TIMER_SLOTS);
}

/* The number of the slot that begins first (I2), and with which tick. There is one. */
static unsigned first_slot(const struct filch__timers *timers, uint64_t *begins) {
    unsigned level = (unsigned)__builtin_ctz(timers->levels);
    unsigned word = 0, shift = level * TIMER_DIGIT_BITS;
    while (timers->filled[level][word] == 0) word++;
    unsigned index = word * 64 + (unsigned)__builtin_ctzll(timers->filled[level][word]);
    *begins = ((timers->tick >> shift & ~(uint64_t)(TIMER_SLOTS - 1)) | index) << shift;
    return level * TIMER_SLOTS + index;
}

/* All that is in the lanes, which are those of no lower slot than it goes to; by turns, so that memory has time. */
static void put_all(struct filch__timers *timers, struct filch__timer **lanes) {
    for (unsigned empty = 0, i = 0; empty < TIMER_LANES; i = (i + 1) % TIMER_LANES) {
        struct filch__timer *timer = lanes[i];
        if (timer == NULL) {
            empty++;
            continue;
        }
        empty = 0;
        lanes[i] = timer->next;
        __builtin_prefetch(timer->next, 1);
        put(timers, timer);
    }
}

/*
 * Makes the tick of `now_ns` the current one. Slots that begin after it stay right: the tick that they begin with has all
 * higher digits in common with the old tick, hence with every tick between the two, and the digit itself is larger than
 * in any of these. However far the time has jumped, only slots that hold something are looked at.
 */
static void advance(struct filch__timers *timers, int64_t now_ns) {
    uint64_t target = tick_of(now_ns), begins;
    while (timers->levels != 0) {
        unsigned slot = first_slot(timers, &begins);
        if (begins > target) break;
        slot_clear(timers, slot);
        timers->tick = begins;
        put_all(timers, timers->slots[slot]);
    }
    if (timers->tick < target) timers->tick = target;
}

static void show_earliest(struct filch__timers *timers) {
    int64_t earliest_ns = INT64_MAX;
    uint64_t begins;
    if (timers->root != NULL) {
        earliest_ns = timers->root->at_ns;
    } else if (timers->levels != 0) {
        first_slot(timers, &begins);
        earliest_ns = (int64_t)(begins << TIMER_TICK_BITS);
    }
    store_relaxed(&timers->earliest_ns, earliest_ns); /* a hint */
}

/* The least time in the lane, if that is less than `*least_ns`. False: there are too many to look. */
static bool look_through(const struct filch__timer *timer, int64_t *least_ns) {
    for (unsigned i = 0; timer != NULL; timer = timer->next) {
        if (++i > LOOK_THROUGH) return false;
        if (timer->at_ns < *least_ns) *least_ns = timer->at_ns;
    }
    return true;
}

int64_t filch__timers_sleep_until(struct filch__timers *timers) {
    if (filch__timers_earliest(timers) == INT64_MAX) return INT64_MAX;
    filch__latch_take(&timers->latch);
    int64_t until_ns = filch__timers_earliest(timers);
    if (timers->root == NULL && timers->levels != 0) {
        uint64_t begins;
        struct filch__timer **lanes = timers->slots[first_slot(timers, &begins)];
        int64_t least_ns = INT64_MAX;
        bool all = true;
        for (unsigned i = 0; i < TIMER_LANES; i++) all = look_through(lanes[i], &least_ns) && all;
        if (all) until_ns = least_ns;
    }
    filch__latch_leave(&timers->latch);
    return until_ns;
}

/* ------------------------------------------------------------------------------------------------------ set, remove */

/* The worker may not have looked at the wheel for long. Where nothing begins until what it has seen, the tick follows. */
static void catch_up(struct filch__timers *timers) {
    int64_t seen_ns = filch__timers_seen(timers);
    uint64_t tick = tick_of(seen_ns);
    if (tick > timers->tick && filch__timers_earliest(timers) > seen_ns) timers->tick = tick;
}

static void set(struct filch__timers *timers, struct filch__timer *timer) {
    filch__latch_take(&timers->latch);
    catch_up(timers);
    timer->order = timers->set_count++;
    store_relaxed(&timer->state, TIMER_SET); /* whoever else is to know of it learns of it by the latch or otherwise */
    put(timers, timer);
    timers->count++;
    /* Slots do not overlap, so that where the first changes, the timer is due before the former first begins. */
    if (timer->at_ns < filch__timers_earliest(timers)) show_earliest(timers);
    filch__latch_leave(&timers->latch);
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

/* Under the latch; it is SET. */
static void take_out(struct filch__timers *timers, struct filch__timer *timer) {
    timers->count--;
    if (timer->place == IN_HEAP) {
        bool first = timers->root == timer;
        heap_remove(timers, timer);
        if (first) show_earliest(timers);
    } else if (unlink_timer(timer)) {
        unsigned slot = timer->place / TIMER_LANES;
        timers->slots[slot][timer->place % TIMER_LANES] = timer->next;
        if (!slot_is_empty(timers->slots[slot])) return;
        slot_clear(timers, slot);
        if (timers->root == NULL) show_earliest(timers);
    }
}

bool filch__timer_try_remove(struct filch__timers *timers, struct filch__timer *timer) {
    filch__latch_take(&timers->latch);
    bool removed = load_relaxed(&timer->state) == TIMER_SET; /* it changes from that under the latch alone */
    if (removed) {
        take_out(timers, timer);
        store_release(&timer->state, TIMER_OFF);
    }
    filch__latch_leave(&timers->latch);
    return removed;
}

void filch__timer_remove(struct filch__timers *timers, struct filch__timer *timer) {
    if (load_acquire(&timer->state) == TIMER_OFF) return; /* FIRED */
    if (filch__timer_try_remove(timers, timer)) return;
    /* Whoever fires it is about to be done with it, unless it has lost its processor. */
    for (unsigned spins = 0; load_acquire(&timer->state) != TIMER_OFF; spins++) { /* FIRED */
        if (spins < WAIT_SPINS) {
            spin_pause();
        } else {
            sched_yield();
        }
    }
}

/* ------------------------------------------------------------------------------------------------------------- fire */

/* Takes up to FIRE_AT_ONCE that are due, linked by next in their order; `*count` is how many. */
static struct filch__timer *take_due(struct filch__timers *timers, int64_t now_ns, unsigned *count) {
    struct filch__timer *first = NULL, **last = &first;
    filch__latch_take(&timers->latch);
    advance(timers, now_ns);
    for (*count = 0; *count < FIRE_AT_ONCE; ++*count) {
        struct filch__timer *timer = timers->root;
        if (timer == NULL || timer->at_ns > now_ns) break;
        heap_remove(timers, timer);
        timers->count--;
        store_relaxed(&timer->state, TIMER_FIRING); /* who reads that without the latch takes it next */
        timer->next = NULL;
        *last = timer;
        last = &timer->next;
    }
    show_earliest(timers);
    filch__latch_leave(&timers->latch);
    return first;
}

/*
 * Without the latch. Until OFF the record and the waiter stay: whoever the waiter is of removes the timer before it lets
 * them go, whatever has made it go on.
 */
static void fire(struct filch__timer *timer) {
    if (timer->call == NULL) {
        filch__wake(timer->waiter, WAITER_EXPIRED);
    } else {
        timer->call(timer);
    }
    store_release(&timer->state, TIMER_OFF); /* FIRED; the last access */
}

unsigned filch__timers_fire(struct filch__timers *timers, int64_t now_ns) {
    unsigned fired = 0, count = FIRE_AT_ONCE;
    while (count == FIRE_AT_ONCE && filch__timers_earliest(timers) <= now_ns) {
        struct filch__timer *timer = take_due(timers, now_ns, &count);
        while (timer != NULL) {
            struct filch__timer *next = timer->next;
            if (next != NULL) __builtin_prefetch(next->waiter, 1);
            fire(timer);
            timer = next;
        }
        fired += count;
    }
    return fired;
}
