/* SPDX-License-Identifier: MIT */
#include "tests/explore/exhaust.h"

enum { CHOICES_MAX = 4096 };

static struct {
    struct {
        uint32_t taken, count;
    } choices[CHOICES_MAX];
    unsigned known; /* choices of the execution before, up to the one that is to differ */
    unsigned made;
    unsigned asleep;
    int preemptions, preemptions_max;
} now;

void exhaust_begin(int preemptions) {
    now.known = 0;
    now.preemptions_max = preemptions;
}

void exhaust_start(void) {
    now.made = now.asleep = 0;
    now.preemptions = 0;
}

uint32_t exhaust_choose(uint32_t count) {
    if (count <= 1) return 0;
    if (now.made == CHOICES_MAX) explore_fail("more than %d choices", CHOICES_MAX);
    unsigned i = now.made++;
    if (i < now.known) {
        if (now.choices[i].count != count) explore_fail("the scenario is not a function of its choices");
    } else {
        now.choices[i].taken = 0;
        now.choices[i].count = count;
        now.known = i + 1;
    }
    return now.choices[i].taken;
}

bool exhaust_more(void) {
    now.known = now.made;
    while (now.known > 0) {
        if (++now.choices[now.known - 1].taken < now.choices[now.known - 1].count) return true;
        now.known--;
    }
    return false;
}

static bool depend(const struct exhaust_access *a, const struct exhaust_access *b) {
    if (a->kind == ACCESS_NONE || b->kind == ACCESS_NONE) return false;
    if (a->kind == ACCESS_ALL || b->kind == ACCESS_ALL) return true;
    if (a->object != b->object) return false;
    return a->kind == ACCESS_WRITES || b->kind == ACCESS_WRITES || (a->exact && b->exact);
}

static unsigned nth(unsigned set, uint32_t n) {
    while (n-- > 0) set &= set - 1;
    return (unsigned)__builtin_ctz(set);
}

static unsigned next_bounded(unsigned enabled, unsigned current) {
    bool free = !(enabled >> current & 1); /* to leave who cannot go on is no interruption */
    if (!free && now.preemptions == now.preemptions_max) return current;
    unsigned next = nth(enabled, exhaust_choose((uint32_t)__builtin_popcount(enabled)));
    if (!free && next != current) now.preemptions++;
    return next;
}

unsigned exhaust_next(unsigned enabled, unsigned current, const struct exhaust_access accesses[EXPLORE_THREADS]) {
    if (now.preemptions_max >= 0) return next_bounded(enabled, current);
    unsigned awake = enabled & ~now.asleep;
    if (awake == 0) return EXPLORE_THREADS;
    uint32_t taken = exhaust_choose((uint32_t)__builtin_popcount(awake));
    unsigned next = nth(awake, taken);
    now.asleep |= awake & ((1u << next) - 1); /* they were gone through from here before */
    for (unsigned i = 0; i < EXPLORE_THREADS; i++) {
        if (depend(&accesses[i], &accesses[next])) now.asleep &= ~(1u << i);
    }
    now.asleep &= ~(1u << next);
    return next;
}
