/* SPDX-License-Identifier: MIT */
#include "sched/timer.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>

enum {
    IN_HEAP = TIMER_LEVELS * TIMER_SLOTS * TIMER_LANES, /* the place of what is in no slot */
    FIRE_AT_ONCE = 64,                                  /* so many are taken before the latch is left */
    MOVE_AHEAD = FIRE_AT_ONCE + 32,                     /* of a slot before it begins: more than are fired meanwhile */
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

/* The number of the slot of `level` that the tick is in, counted from the beginning of time. */
static uint64_t slot_of(uint64_t tick, unsigned level) {
    return tick >> level * TIMER_DIGIT_BITS;
}

static int64_t begin_of(uint64_t slot, unsigned level) {
    return (int64_t)(slot << (level * TIMER_DIGIT_BITS + TIMER_TICK_BITS));
}

static struct filch__timer **lanes_of(struct filch__timers *timers, uint64_t slot, unsigned level) {
    return timers->slots[level * TIMER_SLOTS + slot % TIMER_SLOTS];
}

static void slot_add(struct filch__timers *timers, struct filch__timer *timer, uint64_t slot, unsigned level) {
    unsigned index = (unsigned)slot % TIMER_SLOTS, lane = (unsigned)timer->order % TIMER_LANES;
    struct filch__timer **first = &lanes_of(timers, slot, level)[lane];
    timer->place = (uint16_t)((level * TIMER_SLOTS + index) * TIMER_LANES + lane);
    timer->next = *first;
    if (*first != NULL) (*first)->previous = timer;
    *first = timer;
    timers->filled[level][index / 64] |= (uint64_t)1 << index % 64;
    timers->levels |= (uint32_t)1 << level;
}

static bool slot_is_filled(const struct filch__timers *timers, uint64_t slot, unsigned level) {
    unsigned index = (unsigned)slot % TIMER_SLOTS;
    return timers->filled[level][index / 64] >> index % 64 & 1;
}

static bool lanes_are_empty(struct filch__timer *const *lanes) {
    for (unsigned i = 0; i < TIMER_LANES; i++) {
        if (lanes[i] != NULL) return false;
    }
    return true;
}

/* It is empty, or about to be. */
static void slot_clear(struct filch__timers *timers, uint64_t slot, unsigned level) {
    unsigned index = (unsigned)slot % TIMER_SLOTS;
    uint64_t *filled = timers->filled[level], any = 0;
    filled[index / 64] &= ~((uint64_t)1 << index % 64);
    for (unsigned i = 0; i < TIMER_SLOTS / 64; i++) any |= filled[i];
    if (any == 0) timers->levels &= ~((uint32_t)1 << level);
}

/* To where it belongs: to the heap, or to a slot. From when on it is to be looked at there. */
static int64_t put(struct filch__timers *timers, struct filch__timer *timer) {
    uint64_t tick = tick_of(timer->at_ns);
    unsigned level = 0;
    timer->next = timer->previous = timer->child = NULL;
    if (tick <= timers->tick) {
        timer->place = IN_HEAP;
        timers->root = meld(timers->root, timer);
        return timer->at_ns;
    }
    while (slot_of(tick, level + 1) - slot_of(timers->tick, level + 1) > 1) level++;
    uint64_t slot = slot_of(tick, level);
    slot_add(timers, timer, slot, level);
    return begin_of(slot, level);
}

/* The first slot of a level that holds something. There is one. */
static uint64_t first_of_level(const struct filch__timers *timers, unsigned level) {
    const uint64_t *filled = timers->filled[level];
    uint64_t current = slot_of(timers->tick, level);
    unsigned from = (unsigned)current % TIMER_SLOTS, word = from / 64;
    uint64_t bits = filled[word] & ~(uint64_t)0 << from % 64;
    while (bits == 0) bits = filled[word = (word + 1) % (TIMER_SLOTS / 64)]; /* at last the rest of the first */
    unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);
    return current + (index - from) % TIMER_SLOTS;
}

/* The one that begins first; of those that begin together either may be emptied first. There is one. */
static uint64_t first_slot(const struct filch__timers *timers, unsigned *level) {
    uint64_t first = 0;
    int64_t begins_ns = INT64_MAX;
    for (uint32_t levels = timers->levels; levels != 0; levels &= levels - 1) {
        unsigned this = (unsigned)__builtin_ctz(levels);
        uint64_t slot = first_of_level(timers, this);
        if (begin_of(slot, this) > begins_ns) continue;
        begins_ns = begin_of(slot, this);
        first = slot;
        *level = this;
    }
    return first;
}

static void lanes_begin(struct filch__timer *const *lanes) {
    for (unsigned i = 0; i < TIMER_LANES; i++) {
        if (lanes[i] != NULL) lanes[i]->previous = NULL;
    }
}

/* Up to `count` of what is in the lanes, by turns, so that memory has time. None goes back to them. Whether that is all. */
static bool put_again(struct filch__timers *timers, struct filch__timer **lanes, uint64_t count) {
    for (unsigned empty = 0, i = 0; empty < TIMER_LANES; i = (i + 1) % TIMER_LANES) {
        struct filch__timer *timer = lanes[i];
        if (timer == NULL) {
            empty++;
            continue;
        }
        if (count-- == 0) {
            lanes_begin(lanes);
            return false;
        }
        empty = 0;
        lanes[i] = timer->next;
        __builtin_prefetch(timer->next, 1);
        put(timers, timer);
    }
    return true;
}

/*
 * Makes the tick of `now_ns` the current one, emptying slots in the order in which they begin, so that none is passed
 * over. However far the time has jumped, only slots that hold something are looked at.
 */
static void advance(struct filch__timers *timers, int64_t now_ns) {
    uint64_t target = tick_of(now_ns);
    while (timers->levels != 0) {
        unsigned level = 0;
        uint64_t slot = first_slot(timers, &level), begins = slot << level * TIMER_DIGIT_BITS;
        if (begins > target) break;
        slot_clear(timers, slot, level);
        timers->tick = begins;
        put_again(timers, lanes_of(timers, slot, level), UINT64_MAX);
    }
    if (timers->tick < target) timers->tick = target;
}

/* Some of what is in those slots of higher levels that begin next. */
static void move_ahead(struct filch__timers *timers) {
    for (uint32_t levels = timers->levels & ~(uint32_t)1; levels != 0; levels &= levels - 1) {
        unsigned level = (unsigned)__builtin_ctz(levels);
        uint64_t next = slot_of(timers->tick, level) + 1;
        if (!slot_is_filled(timers, next, level)) continue;
        if (put_again(timers, lanes_of(timers, next, level), MOVE_AHEAD)) slot_clear(timers, next, level);
    }
}

static void show_earliest(struct filch__timers *timers) {
    int64_t earliest_ns = INT64_MAX;
    unsigned level = 0;
    if (timers->root != NULL) {
        earliest_ns = timers->root->at_ns; /* I2 */
    } else if (timers->levels != 0) {
        uint64_t slot = first_slot(timers, &level);
        earliest_ns = begin_of(slot, level);
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

/* When the first of a level is due, where few are in its slot; else when that begins. */
static int64_t look_at_level(struct filch__timers *timers, unsigned level) {
    uint64_t slot = first_of_level(timers, level);
    struct filch__timer **lanes = lanes_of(timers, slot, level);
    int64_t least_ns = INT64_MAX;
    for (unsigned i = 0; i < TIMER_LANES; i++) {
        if (!look_through(lanes[i], &least_ns)) return begin_of(slot, level);
    }
    return least_ns;
}

int64_t filch__timers_sleep_until(struct filch__timers *timers) {
    if (filch__timers_earliest(timers) == INT64_MAX) return INT64_MAX;
    filch__latch_take(&timers->latch);
    int64_t until_ns = timers->root != NULL ? timers->root->at_ns : INT64_MAX;
    for (uint32_t levels = until_ns == INT64_MAX ? timers->levels : 0; levels != 0; levels &= levels - 1) {
        int64_t level_ns = look_at_level(timers, (unsigned)__builtin_ctz(levels));
        if (level_ns < until_ns) until_ns = level_ns;
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
    int64_t from_ns = put(timers, timer);
    timers->count++;
    if (from_ns < filch__timers_earliest(timers)) store_relaxed(&timers->earliest_ns, from_ns); /* a hint */
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
        if (!lanes_are_empty(timers->slots[slot])) return;
        slot_clear(timers, slot, slot / TIMER_SLOTS);
        show_earliest(timers);
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
    move_ahead(timers);
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
