/* SPDX-License-Identifier: MIT */
/*
 * The deque: an owner and thieves, its list private, asked for, taken and shared. Verdict: each item that was pushed is
 * taken once, and nothing is overseen by who sleeps.
 */
#include "base/barrier.h"
#include "sched/deque.h"
#include "tests/explore/explore.h"

enum { ITEMS_MAX = 16 };

static struct filch__deque deque;
static filch_frame frames[ITEMS_MAX + 1]; /* even numbers are frames, odd ones tasks */
static struct filch_task tasks[ITEMS_MAX + 1];
static unsigned taken[ITEMS_MAX + 1], pushed;
static uint64_t payload[ITEMS_MAX + 1]; /* what an item points to: plain, and not to be raced for */

/* A deque whose first ring is as small as it can be. */
static void begin(bool private_mode, int64_t slots) {
    filch__deque_init(&deque, private_mode);
    deque.ring = filch__ring_create(slots, NULL);
    deque.full_at = deque.bottom + slots;
    pushed = 0;
    for (unsigned i = 0; i <= ITEMS_MAX; i++) {
        taken[i] = 0;
        frames[i] = (filch_frame){0};
        tasks[i] = (struct filch_task){0};
    }
}

static void *item_of(unsigned number) {
    return number % 2 == 0 ? (void *)&frames[number] : item_of_task(&tasks[number]);
}

static void push_one(void) {
    unsigned number = ++pushed;
    explore_plain_write(&payload[number], sizeof payload[number]);
    filch__deque_push(&deque, item_of(number));
}

static unsigned took(void *item) {
    unsigned number = 1;
    while (number <= pushed && item != item_of(number)) number++;
    if (number > pushed) explore_fail("took what was never pushed: %p", item);
    if (taken[number]++ != 0) explore_fail("item %u was taken twice", number);
    explore_plain_write(&payload[number], sizeof payload[number]);
    return number;
}

static unsigned pop_one(void) {
    void *item = filch__deque_pop(&deque);
    return item == NULL ? 0 : took(item);
}

/* As an await does: takes the task that was pushed last, or last but one, if it is still there. */
static void pop_if_youngest(unsigned before) {
    if (pushed <= before) return;
    unsigned number = pushed - before;
    if (number % 2 == 0) return;
    if (taken[number] == 0 && filch__deque_pop_if_youngest(&deque, item_of(number))) took(item_of(number));
}

/* As a join does with a frame that it has not met yet. */
static void join_frame(void) {
    unsigned number = pushed / 2 * 2;
    if (number == 0 || taken[number] != 0) return;
    while (filch__deque_holds(&deque, &frames[number])) {
        unsigned popped = pop_one();
        if (popped == number || popped == 0) return;
    }
}

static void pop_oldest(void) {
    void *item = filch__deque_pop_oldest(&deque);
    if (item != NULL) took(item);
}

static void steal_one(void) {
    void *item = NULL;
    switch (filch__deque_steal(&deque, &item)) {
    case STEAL_TAKEN:
        took(item);
        break;
    case STEAL_PRIVATE:
        filch__deque_ask(&deque);
        break;
    default:
        break;
    }
}

/* As a worker that searches. */
static void search(void *arg) {
    for (unsigned tries = (unsigned)(uintptr_t)arg; tries > 0; tries--) steal_one();
}

/* Whatever was pushed before is in the ring afterwards. */
static void share(void) {
    for (int64_t mode; (mode = filch__deque_ask(&deque)) != DEQUE_SHARED;) {
        if (mode == DEQUE_TAKING) {
            spin_pause();
            continue;
        }
        filch__barrier_all();
        filch__deque_share_after_barrier(&deque, mode);
    }
}

/* As a worker that searches and then goes to sleep. */
static void search_and_share(void *arg) {
    search(arg);
    share();
    steal_one();
}

/* Empties the deque and counts. */
static void settle(unsigned first, unsigned count) {
    for (unsigned i = 0; i < count; i++) explore_join(first + i);
    while (pop_one() != 0) continue;
    for (unsigned i = 1; i <= pushed; i++) {
        if (taken[i] != 1) explore_fail("item %u was lost", i);
    }
    explore_check(filch__deque_is_empty(&deque));
}

static void *times(unsigned count) {
    return (void *)(uintptr_t)count;
}

SCENARIO(deque_last, "shared: an owner's pops and two thieves meet at the last item") {
    begin(false, 4);
    push_one();
    unsigned first = explore_start(search, times(2));
    explore_start(search, times(2));
    pop_one();
    push_one();
    pop_one();
    pop_one();
    settle(first, 2);
}

SCENARIO(deque_mixed, "shared: random pushes and pops against two thieves, in a ring of two slots that grows") {
    begin(false, 2);
    unsigned first = explore_start(search, times(3));
    explore_start(search, times(3));
    for (unsigned i = 0; i < 10; i++) {
        if (explore_choose(3) != 0)
            push_one();
        else
            pop_one();
    }
    settle(first, 2);
}

SCENARIO(deque_recycle, "shared: slots are used anew behind two thieves, at the brim of a ring of two") {
    begin(false, 2);
    push_one();
    push_one();
    unsigned first = explore_start(search, times(2));
    explore_start(search, times(2));
    for (unsigned i = 0; i < 5; i++) push_one();
    settle(first, 2);
}

SCENARIO(deque_private, "private: pushes and pops while two thieves ask, run the barrier and take the list") {
    begin(true, 2);
    unsigned first = explore_start(search_and_share, times(explore_choose(3)));
    explore_start(search_and_share, times(explore_choose(3)));
    for (unsigned i = 0; i < 6; i++) {
        if (explore_choose(2) != 0)
            push_one();
        else
            pop_one();
    }
    settle(first, 2);
}

SCENARIO(deque_taken, "private: one push or pop just while a thief takes a list of three") {
    begin(true, 2);
    for (unsigned i = 0; i < 3; i++) push_one();
    unsigned first = explore_start(search_and_share, times(0));
    if (explore_choose(2) != 0) push_one();
    pop_one();
    if (explore_choose(2) != 0) push_one();
    settle(first, 1);
}

SCENARIO(deque_reclosed, "the owner makes its deque private and shares it again and again under two thieves") {
    begin(explore_choose(2) == 0, 2);
    push_one();
    unsigned first = explore_start(search_and_share, times(2));
    explore_start(search_and_share, times(2));
    for (unsigned i = 0; i < 8; i++) {
        switch (explore_choose(4)) {
        case 0:
            filch__deque_close(&deque);
            break;
        case 1:
            filch__deque_share(&deque);
            break;
        case 2:
            pop_one();
            break;
        default:
            push_one();
            break;
        }
    }
    settle(first, 2);
}

static ATOMIC(uint32_t) robbed; /* how often the only item was stolen */

static void steal_and_count(void *arg) {
    (void)arg;
    for (unsigned i = 0; i < 4; i++) {
        share();
        void *item = NULL;
        if (filch__deque_steal(&deque, &item) == STEAL_TAKEN) add_seq_cst(&robbed, 1);
        spin_pause();
    }
}

SCENARIO(deque_again, "one item is pushed again as soon as it was taken: its address tells nothing") {
    begin(true, 2);
    robbed = 0;
    pushed = 1 + explore_choose(2); /* a task or a frame */
    unsigned thief = explore_start(steal_and_count, NULL);
    uint32_t popped = 0;
    for (uint32_t pushes = 0; pushes < 4;) {
        filch__deque_push(&deque, item_of(pushed));
        pushes++;
        if (explore_choose(4) == 0) filch__deque_close(&deque);
        for (unsigned i = explore_choose(4); i > 0 && load_seq_cst(&robbed) + popped < pushes; i--) spin_pause();
        if (load_seq_cst(&robbed) + popped == pushes) continue; /* its owner has not looked since */
        if (filch__deque_pop(&deque) != NULL) popped++;
        while (load_seq_cst(&robbed) + popped < pushes) { /* it is on its way; or lost */
            if (load_seq_cst(&robbed) + popped + 1 == pushes && filch__deque_pop(&deque) != NULL) popped++;
            spin_pause();
        }
    }
    explore_join(thief);
    explore_check(robbed + popped == 4);
    explore_check(filch__deque_pop(&deque) == NULL);
    explore_check(filch__deque_is_empty(&deque));
}

static void share_only(void *arg) {
    (void)arg;
    share();
}

SCENARIO(deque_asked_again, "the owner shares and closes between one thief's asking and the other's") {
    begin(true, 4);
    push_one();
    unsigned first = explore_start(share_only, NULL);
    explore_start(share_only, NULL);
    if (explore_choose(2) == 0)
        filch__deque_share(&deque);
    else
        pop_one();
    filch__deque_close(&deque);
    push_one();
    push_one();
    settle(first, 2);
}

static void do_anything(unsigned times_left) {
    while (times_left-- > 0) {
        switch (explore_choose(8)) {
        case 0:
            filch__deque_close(&deque);
            break;
        case 1:
            pop_oldest();
            break;
        case 2:
            pop_one();
            break;
        case 3:
            pop_if_youngest(explore_choose(2));
            break;
        case 4:
            join_frame();
            break;
        default:
            push_one();
            break;
        }
    }
}

SCENARIO(deque_all, "everything that an owner does, at random, against a thief") {
    begin(explore_choose(2) == 0, 2);
    unsigned first = explore_start(search_and_share, times(explore_choose(3)));
    do_anything(9);
    settle(first, 1);
}

SCENARIO(deque_no_memory, "the same, without memory for a larger ring") {
    begin(explore_choose(2) == 0, 2);
    explore_exhaust_memory();
    unsigned first = explore_start(search_and_share, times(explore_choose(3)));
    do_anything(9);
    settle(first, 1);
}

/* ------------------------------------------------------------------------------- pushes that nobody may oversee */

static ATOMIC(uint32_t) sleeping; /* what the idle word is to the deque */

static void lie_down(void *arg) {
    (void)arg;
    store_seq_cst(&sleeping, 1);
    share();
    while (filch__deque_in_sight(&deque)) steal_one();
}

/* Pushes; returns whether somebody would be woken. */
static bool push_and_tell(void) {
    explore_plain_write(&payload[pushed + 1], sizeof *payload);
    return filch__deque_push(&deque, item_of(++pushed)) && load_seq_cst(&sleeping) != 0;
}

SCENARIO(deque_overseen, "a push is seen by the thief that shares and then looks, or the owner sees that it sleeps") {
    begin(explore_choose(4) != 0, 4);
    sleeping = 0;
    unsigned thief = explore_start(lie_down, NULL);
    unsigned count = 1 + explore_choose(2);
    bool told = false;
    for (unsigned i = 0; i < count; i++) told = push_and_tell();
    if (explore_choose(2) == 0) { /* as filch__worker_pushed */
        filch__deque_close(&deque);
        if (load_seq_cst(&sleeping) != 0) {
            filch__deque_share(&deque);
            told = true;
        }
    }
    explore_join(thief);
    if (!told && taken[count] == 0) explore_fail("the last push was neither seen nor told");
    settle(thief, 1);
}

/* ------------------------------------------------------------------- small enough for all executions of each (C11) */

SMALL_SCENARIO(deque_small_last, "shared: the owner's pop and a thief meet at the only item") {
    begin(false, 1);
    unsigned first = explore_start(search, times(1));
    push_one();
    pop_one();
    settle(first, 1);
}

SMALL_SCENARIO(deque_small_two, "shared: two thieves and the owner's pop, and two items") {
    begin(false, 2);
    push_one();
    push_one();
    unsigned first = explore_start(search, times(1));
    explore_start(search, times(1));
    pop_one();
    settle(first, 2);
}

SMALL_SCENARIO(deque_small_grows, "shared: a ring of one slot grows under a thief") {
    begin(false, 1);
    unsigned first = explore_start(search, times(2));
    push_one();
    push_one();
    pop_one();
    settle(first, 1);
}

SMALL_SCENARIO(deque_small_recycle, "shared: the only slot is used anew behind a thief") {
    begin(false, 1);
    push_one();
    unsigned first = explore_start(search, times(2));
    pop_one();
    push_one();
    settle(first, 1);
}

SMALL_SCENARIO(deque_small_refilled, "shared: a ring of two slots goes round while two thieves take one each") {
    begin(false, 2);
    push_one();
    push_one();
    unsigned first = explore_start(search, times(1));
    explore_start(search, times(1));
    push_one();
    settle(first, 2);
}

SMALL_SCENARIO(deque_small_taken, "private: a thief takes the list of one while the owner pops it") {
    begin(true, 1);
    push_one();
    unsigned first = explore_start(search_and_share, times(0));
    pop_one();
    settle(first, 1);
}

SMALL_SCENARIO(deque_small_pushed, "private: a thief takes the empty list while the owner pushes") {
    begin(true, 1);
    unsigned first = explore_start(search_and_share, times(0));
    push_one();
    settle(first, 1);
}

static void lie_down_and_look(void *arg) {
    (void)arg;
    store_seq_cst(&sleeping, 1);
    if (filch__deque_in_sight(&deque)) steal_one();
}

SMALL_SCENARIO(deque_small_overseen, "shared: who pushes sees that a thief sleeps, or that one sees the item") {
    begin(false, 1);
    sleeping = 0;
    unsigned thief = explore_start(lie_down_and_look, NULL);
    bool told = push_and_tell();
    explore_join(thief);
    if (!told && taken[1] == 0) explore_fail("the push was neither seen nor told");
    settle(thief, 1);
}
