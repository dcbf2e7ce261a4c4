/* SPDX-License-Identifier: MIT */
/*
 * Litmus tests: programs of a few accesses, with what C11 and C++20 allow to come of them. All executions of each are
 * gone through: everything that is allowed must be seen, and nothing else.
 *
 * An outcome is a number, a decimal digit for each load, in the order of threads. Where the model is stronger than the
 * language, the comment says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/barrier.h"
#include "tests/explore/explore.h"

enum { OUTCOMES = 10000, THREADS_MAX = 4 };

static ATOMIC(uint64_t) x, y;
static uint64_t data; /* plain */
static unsigned r[THREADS_MAX][2];
static bool seen[OUTCOMES];
static unsigned outcome;

struct litmus {
    const char *name;
    void (*threads[THREADS_MAX])(void);
    unsigned (*tell)(void);
    const char *allowed; /* all outcomes, with spaces in between; NULL: a data race must be found */
};

#define THREAD(name, ...)                                                                                              \
    static void name(void) {                                                                                           \
        __VA_ARGS__;                                                                                                   \
    }
#define TELL(name, value)                                                                                              \
    static unsigned name(void) {                                                                                       \
        return (unsigned)(value);                                                                                      \
    }

TELL(tell_two, r[0][0] * 10 + r[1][0])
TELL(tell_pair, r[1][0] * 10 + r[1][1])
TELL(tell_iriw, r[2][0] * 1000 + r[2][1] * 100 + r[3][0] * 10 + r[3][1])
TELL(tell_last, x * 10 + y)
TELL(tell_x, x)
TELL(tell_three, r[0][0] * 100 + r[1][0] * 10 + r[1][1])

/* Message passing. */
THREAD(mp_write_relaxed, store_relaxed(&x, 1); store_relaxed(&y, 1))
THREAD(mp_write_release, store_relaxed(&x, 1); store_release(&y, 1))
THREAD(mp_write_exact, store_relaxed(&x, 1); store_seq_cst(&y, 1))
THREAD(mp_read_relaxed, r[1][0] = (unsigned)load_relaxed(&y); r[1][1] = (unsigned)load_relaxed(&x))
THREAD(mp_read_acquire, r[1][0] = (unsigned)load_acquire(&y); r[1][1] = (unsigned)load_relaxed(&x))
THREAD(mp_read_exact, r[1][0] = (unsigned)load_seq_cst(&y); r[1][1] = (unsigned)load_relaxed(&x))

static void write_data(void) {
    explore_plain_write(&data, sizeof data);
    data = 1;
}

static void read_data(void) {
    explore_plain_read(&data, sizeof data);
}

THREAD(mp_data_relaxed, write_data(); store_relaxed(&y, 1))
THREAD(mp_data_release, write_data(); store_release(&y, 1))
THREAD(mp_look_acquire, if ((r[1][0] = (unsigned)load_acquire(&y)) != 0) read_data())
THREAD(mp_look_relaxed, if ((r[1][0] = (unsigned)load_relaxed(&y)) != 0) read_data())
TELL(tell_seen, r[1][0])

/* Release sequences: a third thread's RMW, or store, between the release and the acquire. */
THREAD(rs_rmw, add_relaxed(&y, 1))
THREAD(rs_store, store_relaxed(&y, 2))
THREAD(rs_look, if ((r[1][0] = (unsigned)load_acquire(&y)) == 2) read_data())
THREAD(rs_own_store, write_data(); store_release(&y, 1); store_relaxed(&y, 2)) /* no release sequence since C++20 */

/* Store buffering. */
THREAD(sb_0_release, store_release(&x, 1); r[0][0] = (unsigned)load_acquire(&y))
THREAD(sb_1_release, store_release(&y, 1); r[1][0] = (unsigned)load_acquire(&x))
THREAD(sb_0_exact, store_seq_cst(&x, 1); r[0][0] = (unsigned)load_seq_cst(&y))
THREAD(sb_1_exact, store_seq_cst(&y, 1); r[1][0] = (unsigned)load_seq_cst(&x))
THREAD(sb_1_rmw, exchange_seq_cst(&y, 1); r[1][0] = (unsigned)load_seq_cst(&x))
THREAD(sb_0_acq_rel, exchange_acq_rel(&x, 1); r[0][0] = (unsigned)load_acquire(&y))
THREAD(sb_1_acq_rel, exchange_acq_rel(&y, 1); r[1][0] = (unsigned)load_acquire(&x))
THREAD(sb_0_weak_load, store_seq_cst(&x, 1); r[0][0] = (unsigned)load_acquire(&y))
/* ... with the asymmetric barrier. */
THREAD(sb_0_light, store_relaxed(&x, 1); compiler_barrier(); r[0][0] = (unsigned)load_relaxed(&y))
THREAD(sb_1_heavy, store_relaxed(&y, 1); (void)filch__barrier_all(); r[1][0] = (unsigned)load_relaxed(&x))
THREAD(sb_1_light, store_relaxed(&y, 1); compiler_barrier(); r[1][0] = (unsigned)load_relaxed(&x))

/* Load buffering: 11 is allowed by the language where all are relaxed, and never seen in this model. */
THREAD(lb_0, r[0][0] = (unsigned)load_relaxed(&x); store_relaxed(&y, 1))
THREAD(lb_1, r[1][0] = (unsigned)load_relaxed(&y); store_relaxed(&x, 1))
THREAD(lb_0_sync, r[0][0] = (unsigned)load_acquire(&x); store_release(&y, 1))
THREAD(lb_1_sync, r[1][0] = (unsigned)load_acquire(&y); store_release(&x, 1))

/* Independent reads of independent writes. */
THREAD(iriw_x, store_release(&x, 1))
THREAD(iriw_y, store_release(&y, 1))
THREAD(iriw_x_exact, store_seq_cst(&x, 1))
THREAD(iriw_y_exact, store_seq_cst(&y, 1))
THREAD(iriw_xy, r[2][0] = (unsigned)load_acquire(&x); r[2][1] = (unsigned)load_acquire(&y))
THREAD(iriw_yx, r[3][0] = (unsigned)load_acquire(&y); r[3][1] = (unsigned)load_acquire(&x))
THREAD(iriw_xy_exact, r[2][0] = (unsigned)load_seq_cst(&x); r[2][1] = (unsigned)load_seq_cst(&y))
THREAD(iriw_yx_exact, r[3][0] = (unsigned)load_seq_cst(&y); r[3][1] = (unsigned)load_seq_cst(&x))

/* Coherence. */
THREAD(co_write, store_relaxed(&x, 1); store_relaxed(&x, 2))
THREAD(co_read, r[1][0] = (unsigned)load_relaxed(&x); r[1][1] = (unsigned)load_relaxed(&x))
THREAD(co_read_write, r[1][0] = (unsigned)load_relaxed(&x); store_relaxed(&x, 3); r[1][1] = (unsigned)load_relaxed(&x))
THREAD(co_one, store_relaxed(&x, 1))
THREAD(add_one, add_relaxed(&x, 1))
THREAD(cas_one, uint64_t expected = 0; r[0][0] = cas_relaxed(&x, &expected, 1))
THREAD(cas_two, uint64_t expected = 0; r[1][0] = cas_relaxed(&x, &expected, 2))
THREAD(cas_from_one, uint64_t expected = 1; r[1][0] = cas_relaxed(&x, &expected, 2); r[1][1] = (unsigned)expected)

/* 2+2W: x and y both 1 in the end is allowed by the language where none is seq_cst, and never seen in this model. */
THREAD(ww_0, store_release(&x, 1); store_release(&y, 2))
THREAD(ww_1, store_release(&y, 1); store_release(&x, 2))

/* Write to read causality: what was read is passed on. */
THREAD(wrc_0, store_relaxed(&x, 1))
THREAD(wrc_1, r[0][0] = (unsigned)load_relaxed(&x); store_release(&y, 1))
THREAD(wrc_2, r[1][0] = (unsigned)load_acquire(&y); r[1][1] = (unsigned)load_relaxed(&x))
THREAD(wrc_1_relaxed, r[0][0] = (unsigned)load_relaxed(&x); store_relaxed(&y, 1))

static const struct litmus tests[] = {
    {"MP relaxed", {mp_write_relaxed, mp_read_relaxed}, tell_pair, "0 1 10 11"},
    {"MP release, relaxed", {mp_write_release, mp_read_relaxed}, tell_pair, "0 1 10 11"},
    {"MP relaxed, acquire", {mp_write_relaxed, mp_read_acquire}, tell_pair, "0 1 10 11"},
    {"MP release, acquire", {mp_write_release, mp_read_acquire}, tell_pair, "0 1 11"},
    {"MP seq_cst, acquire", {mp_write_exact, mp_read_acquire}, tell_pair, "0 1 11"},
    {"MP release, seq_cst", {mp_write_release, mp_read_exact}, tell_pair, "0 1 11"},
    {"MP plain, release, acquire", {mp_data_release, mp_look_acquire}, tell_seen, "0 1"},
    {"MP plain, relaxed, acquire", {mp_data_relaxed, mp_look_acquire}, tell_seen, NULL},
    {"MP plain, release, relaxed", {mp_data_release, mp_look_relaxed}, tell_seen, NULL},
    {"MP plain, through an RMW", {mp_data_release, rs_look, rs_rmw}, tell_seen, "0 1 2"},
    {"MP plain, through a store", {mp_data_release, rs_look, rs_store}, tell_seen, NULL},
    {"MP plain, through its own store", {rs_own_store, rs_look}, tell_seen, NULL},
    {"SB release, acquire", {sb_0_release, sb_1_release}, tell_two, "0 1 10 11"},
    {"SB seq_cst", {sb_0_exact, sb_1_exact}, tell_two, "1 10 11"},
    {"SB seq_cst, an RMW", {sb_0_exact, sb_1_rmw}, tell_two, "1 10 11"},
    {"SB RMW acq_rel", {sb_0_acq_rel, sb_1_acq_rel}, tell_two, "0 1 10 11"},
    {"SB seq_cst but a load", {sb_0_weak_load, sb_1_exact}, tell_two, "0 1 10 11"},
    {"SB asymmetric barrier", {sb_0_light, sb_1_heavy}, tell_two, "1 10 11"},
    {"SB compilers' barriers", {sb_0_light, sb_1_light}, tell_two, "0 1 10 11"},
    {"LB relaxed (model: no 11)", {lb_0, lb_1}, tell_two, "0 1 10"},
    {"LB acquire, release", {lb_0_sync, lb_1_sync}, tell_two, "0 1 10"},
    {"IRIW acquire",
     {iriw_x, iriw_y, iriw_xy, iriw_yx},
     tell_iriw,
     "0 1 10 11 100 101 110 111 1000 1001 1010 1011 1100 1101 1110 1111"},
    {"IRIW seq_cst",
     {iriw_x_exact, iriw_y_exact, iriw_xy_exact, iriw_yx_exact},
     tell_iriw,
     "0 1 10 11 100 101 110 111 1000 1001 1011 1100 1101 1110 1111"},
    {"IRIW seq_cst loads",
     {iriw_x, iriw_y, iriw_xy_exact, iriw_yx_exact},
     tell_iriw,
     "0 1 10 11 100 101 110 111 1000 1001 1011 1100 1101 1110 1111"},
    {"CoRR", {co_write, co_read}, tell_pair, "0 1 2 11 12 22"},
    {"CoRW, CoWR", {co_one, co_read_write}, tell_pair, "1 3 13"},
    {"RMW is one", {add_one, add_one, add_one}, tell_x, "3"},
    {"CAS: one of two", {cas_one, cas_two}, tell_two, "1 10"},
    {"CAS that fails reads what was", {co_write, cas_from_one}, tell_pair, "0 2 11"},
    {"2+2W (model: no 11)", {ww_0, ww_1}, tell_last, "12 21 22"},
    {"WRC release, acquire", {wrc_0, wrc_1, wrc_2}, tell_three, "0 1 10 11 100 101 111"},
    {"WRC relaxed", {wrc_0, wrc_1_relaxed, wrc_2}, tell_three, "0 1 10 11 100 101 110 111"},
};

static const struct litmus *test;

static void call(void *arg) {
    test->threads[(uintptr_t)arg]();
}

static void body(void) {
    x = y = data = 0;
    memset(r, 0, sizeof r);
    unsigned count = 0;
    while (count < THREADS_MAX && test->threads[count] != NULL) count++;
    for (uintptr_t i = 0; i < count; i++) explore_start(call, (void *)i);
    for (unsigned i = 1; i <= count; i++) explore_join(i);
    outcome = test->tell();
}

static void note(void) {
    seen[outcome] = true;
}

static bool is_allowed(unsigned number) {
    char text[8];
    for (const char *at = test->allowed; *at != '\0';) {
        size_t length = strcspn(at, " ");
        snprintf(text, sizeof text, "%.*s", (int)length, at);
        if (strtoul(text, NULL, 10) == number) return true;
        at += length + strspn(at + length, " ");
    }
    return false;
}

/* Tells what differs; whether nothing does. */
static bool judge(const struct explore_exhausted *result) {
    if (test->allowed == NULL) return result->verdict != NULL && strstr(result->verdict, "a data race") != NULL;
    bool right = result->verdict == NULL && result->complete;
    if (result->verdict != NULL) printf("  %s\n", result->verdict);
    for (unsigned i = 0; i < OUTCOMES; i++) {
        if (seen[i] == is_allowed(i)) continue;
        printf("  %u %s\n", i, seen[i] ? "was seen, and must not be" : "was not seen, and is allowed");
        right = false;
    }
    return right;
}

int explore_litmus(void) {
    static const struct explore_scenario scenario = {"litmus", "", body, NULL, true, 0};
    unsigned count = sizeof tests / sizeof *tests;
    int failed = 0;
    for (unsigned i = 0; i < count; i++) {
        test = &tests[i];
        memset(seen, 0, sizeof seen);
        struct explore_settings settings = {.memory = MEMORY_C11};
        struct explore_exhausted result = explore_exhaust(&scenario, settings, -1, UINT64_MAX, note);
        bool right = judge(&result);
        if (!right) failed++;
        printf("%-6s %-34s %6llu executions, %s\n", right ? "passed" : "FAILED", test->name,
               (unsigned long long)result.executions, test->allowed == NULL ? "a data race is found" : test->allowed);
    }
    printf("totals: %d passed, %d failed\n", (int)count - failed, failed);
    return failed;
}
