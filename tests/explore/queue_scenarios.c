/* SPDX-License-Identifier: MIT */
/* The run queue and the inject queue. Verdict: each item that was pushed is taken once. */
#include "sched/inject.h"
#include "sched/runqueue.h"
#include "sched/task.h"
#include "tests/explore/explore.h"

enum { ITEMS_MAX = 16 };

static unsigned taken[ITEMS_MAX + 1], pushed;
static uint64_t payload[ITEMS_MAX + 1]; /* what an item points to: plain, and not to be raced for */

static void took(void *item) {
    uintptr_t number = (uintptr_t)item;
    if (number == 0 || number > ITEMS_MAX) explore_fail("took what was never pushed: %p", item);
    if (taken[number]++ != 0) explore_fail("item %u was taken twice", (unsigned)number);
    explore_plain_write(&payload[number], sizeof payload[number]);
}

static void forget(void) {
    pushed = 0;
    for (unsigned i = 0; i <= ITEMS_MAX; i++) taken[i] = 0;
}

static void check_all_taken(void) {
    for (unsigned i = 1; i <= pushed; i++) {
        if (taken[i] != 1) explore_fail("item %u was lost", i);
    }
}

/* ----------------------------------------------------------------------------------------------------- run queue */

static struct filch__runqueue queues[3]; /* of virtual thread 0, and of two thieves */

static void small_queue(struct filch__runqueue *queue, int64_t slots) {
    filch__runqueue_init(queue);
    queue->ring = filch__ring_create(slots, NULL);
    queue->full_at = slots;
}

static void begin(int64_t slots) {
    forget();
    for (unsigned i = 0; i < 3; i++) small_queue(&queues[i], slots);
}

static void push_one(void) {
    explore_plain_write(&payload[pushed + 1], sizeof *payload);
    explore_check(filch__runqueue_push(&queues[0], (void *)(uintptr_t)++pushed));
}

static bool pop_one(struct filch__runqueue *queue) {
    void *item = filch__runqueue_pop(queue);
    if (item != NULL) took(item);
    return item != NULL;
}

/* Steals from the two others in turn, and takes some of what it has. */
static void rob(void *arg) {
    unsigned self = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < 3; i++) {
        bool lost = false;
        struct filch__runqueue *victim = &queues[i == 1 ? 3 - self : 0];
        void *item = filch__runqueue_steal_half(victim, &queues[self], &lost);
        if (item != NULL) took(item);
        if (explore_choose(2) == 0) pop_one(&queues[self]);
    }
}

static void settle(unsigned first, unsigned count) {
    for (unsigned i = 0; i < count; i++) explore_join(first + i);
    for (unsigned i = 0; i < 3; i++) {
        while (pop_one(&queues[i])) continue;
        explore_check(filch__runqueue_length(&queues[i]) == 0);
    }
    check_all_taken();
}

SCENARIO(runqueue_thieves, "pushes and pops against two thieves, who rob each other too, in rings of two that grow") {
    begin(2);
    for (unsigned i = explore_choose(4); i > 0; i--) push_one();
    unsigned first = explore_start(rob, (void *)(uintptr_t)1);
    explore_start(rob, (void *)(uintptr_t)2);
    for (unsigned i = 0; i < 8; i++) {
        if (explore_choose(3) != 0)
            push_one();
        else
            pop_one(&queues[0]);
    }
    settle(first, 2);
}

SCENARIO(runqueue_brim, "pushes at the brim of a ring of four while two thieves take half") {
    begin(4);
    for (unsigned i = 0; i < 4; i++) push_one();
    unsigned first = explore_start(rob, (void *)(uintptr_t)1);
    explore_start(rob, (void *)(uintptr_t)2);
    for (unsigned i = 0; i < 6; i++) push_one();
    settle(first, 2);
}

static void share_and_rob(void *arg) {
    for (unsigned i = 0; i < 2; i++) {
        explore_check(filch__runqueue_share(&queues[0]));
        rob(arg);
        filch__runqueue_unshare(&queues[0]);
    }
}

SCENARIO(runqueue_plural, "pushes and pops of one who is alone, while another comes, robs and goes, twice") {
    begin(4);
    queues[0].alone = true;
    for (unsigned i = explore_choose(4); i > 0; i--) push_one();
    unsigned first = explore_start(share_and_rob, (void *)(uintptr_t)1);
    for (unsigned i = 0; i < 8; i++) {
        if (explore_choose(3) != 0)
            push_one();
        else
            pop_one(&queues[0]);
    }
    settle(first, 1);
}

/* ------------------------------------------------------------------- small enough for all executions of each (C11) */

/* Steals from queue 0 into its own, once; and takes what it has. */
static void rob_once(void *arg) {
    unsigned self = (unsigned)(uintptr_t)arg;
    bool lost = false;
    void *item = filch__runqueue_steal_half(&queues[0], &queues[self], &lost);
    if (item != NULL) took(item);
}

static void begin_with(unsigned count, int64_t slots) {
    begin(slots);
    while (count-- > 0) push_one();
}

SMALL_SCENARIO(runqueue_small_last, "the owner's pop and a thief meet at the only item") {
    begin_with(0, 1);
    unsigned first = explore_start(rob_once, (void *)(uintptr_t)1);
    push_one();
    pop_one(&queues[0]);
    settle(first, 1);
}

SMALL_SCENARIO(runqueue_small_two, "the owner's pop and two thieves, and two items") {
    begin_with(2, 2);
    unsigned first = explore_start(rob_once, (void *)(uintptr_t)1);
    explore_start(rob_once, (void *)(uintptr_t)2);
    pop_one(&queues[0]);
    settle(first, 2);
}

SMALL_SCENARIO(runqueue_small_half, "a thief takes two of three, while the owner pops") {
    begin_with(3, 4);
    unsigned first = explore_start(rob_once, (void *)(uintptr_t)1);
    pop_one(&queues[0]);
    settle(first, 1);
}

SMALL_SCENARIO(runqueue_small_grows, "a ring of one slot grows under a thief") {
    begin_with(0, 1);
    unsigned first = explore_start(rob_once, (void *)(uintptr_t)1);
    push_one();
    push_one();
    settle(first, 1);
}

SMALL_SCENARIO(runqueue_small_recycle, "the only slot is used anew behind a thief") {
    begin_with(1, 1);
    unsigned first = explore_start(rob_once, (void *)(uintptr_t)1);
    pop_one(&queues[0]);
    push_one();
    settle(first, 1);
}

static void share_and_rob_once(void *arg) {
    explore_check(filch__runqueue_share(&queues[0]));
    rob_once(arg);
    filch__runqueue_unshare(&queues[0]);
}

SMALL_SCENARIO(runqueue_small_plural, "another comes, robs and goes, while the owner pushes and pops as if alone") {
    begin(2);
    queues[0].alone = true;
    push_one();
    unsigned first = explore_start(share_and_rob_once, (void *)(uintptr_t)1);
    pop_one(&queues[0]);
    push_one();
    settle(first, 1);
}

static ATOMIC(uint32_t) sleeping; /* what the idle word is to the queues */
static bool saw;

static void lie_down_and_look(void *arg) {
    (void)arg;
    store_seq_cst(&sleeping, 1);
    saw = filch__runqueue_length(&queues[0]) > 0;
}

SMALL_SCENARIO(runqueue_small_overseen, "who pushes sees that a thief sleeps, or that one sees the item") {
    begin_with(0, 1);
    sleeping = 0;
    unsigned thief = explore_start(lie_down_and_look, NULL);
    push_one();
    bool told = load_seq_cst(&sleeping) != 0;
    explore_join(thief);
    if (!told && !saw) explore_fail("the push was neither seen nor told");
    settle(thief, 0);
}

/* -------------------------------------------------------------------------------------------------------- inject */

static struct filch__inject inject;
static struct filch_task tasks[ITEMS_MAX + 1];

static void inject_two(void *arg) {
    unsigned first = (unsigned)(uintptr_t)arg;
    explore_plain_write(&payload[first], 2 * sizeof *payload);
    filch__inject_push(&inject, item_of_task(&tasks[first]));
    filch__inject_push(&inject, item_of_task(&tasks[first + 1]));
}

static uintptr_t take_injected(void) {
    void *item = filch__inject_pop(&inject);
    if (item == NULL) return 0;
    uintptr_t number = (uintptr_t)(item_task(item) - tasks);
    took((void *)number);
    return number;
}

static void take_two(void *arg) {
    (void)arg;
    uintptr_t one = take_injected(), two = take_injected();
    /* Of one producer's, the first pushed comes first. */
    if (one != 0 && two != 0 && (one - 1) / 2 == (two - 1) / 2 && two < one) explore_fail("out of order");
}

SCENARIO(inject, "two producers and two takers of the inject queue") {
    forget();
    filch__inject_init(&inject);
    pushed = 4;
    explore_start(inject_two, (void *)(uintptr_t)1);
    explore_start(inject_two, (void *)(uintptr_t)3);
    explore_start(take_two, NULL);
    take_two(NULL);
    for (unsigned i = 1; i <= 3; i++) explore_join(i);
    while (take_injected() != 0) continue;
    check_all_taken();
    explore_check(filch__inject_length(&inject) == 0);
}

static void lie_down_and_look_there(void *arg) {
    (void)arg;
    store_seq_cst(&sleeping, 1);
    saw = filch__inject_length(&inject) > 0;
}

SMALL_SCENARIO(inject_small_overseen, "who injects sees that a thief sleeps, or that one sees the item") {
    forget();
    filch__inject_init(&inject);
    pushed = 1;
    sleeping = 0;
    unsigned thief = explore_start(lie_down_and_look_there, NULL);
    explore_plain_write(&payload[1], sizeof payload[1]);
    filch__inject_push(&inject, item_of_task(&tasks[1]));
    bool told = load_seq_cst(&sleeping) != 0;
    explore_join(thief);
    if (!told && !saw) explore_fail("the push was neither seen nor told");
    explore_check(take_injected() == 1);
}

static void inject_first(void *arg) {
    (void)arg;
    explore_plain_write(&payload[1], sizeof payload[1]);
    filch__inject_push(&inject, item_of_task(&tasks[1]));
}

SMALL_SCENARIO(inject_small, "two inject one item each, and one of them takes one") {
    forget();
    filch__inject_init(&inject);
    pushed = 2;
    unsigned other = explore_start(inject_first, NULL);
    explore_plain_write(&payload[2], sizeof payload[2]);
    filch__inject_push(&inject, item_of_task(&tasks[2]));
    explore_check(take_injected() != 0);
    explore_join(other);
    while (take_injected() != 0) continue;
    check_all_taken();
}
