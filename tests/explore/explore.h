/* SPDX-License-Identifier: MIT */
/*
 * The schedule explorer: runs a scenario again and again, each time under another schedule. The scenario's threads are
 * virtual: stacks in one thread of the process, and a switch from one to another is possible before each atomic access
 * (base/atomic.h), each futex call, each reading of the clock and each call of the pthread functions that the library
 * uses. So a schedule is a function of its seed alone.
 *
 * Memory is sequentially consistent, or x86's (TSO): each virtual thread has a store buffer, and that its oldest entry
 * reaches memory is an event of its own. Orders weaker than that are not modelled. Accesses that are not atomic take
 * place at once; a store buffer never holds one.
 *
 * A schedule fails where a check fails, the program crashes or dies, an atomic access is to freed memory, a context is
 * resumed that is not saved, or all virtual threads that are left are blocked: a wake-up was lost.
 */
#ifndef FILCH_TESTS_EXPLORE_EXPLORE_H
#define FILCH_TESTS_EXPLORE_EXPLORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ----------------------------------------------------------------------------------------------- for scenarios */

enum { EXPLORE_THREADS = 8 };

struct explore_scenario {
    const char *name, *what;
    void (*body)(void);
    struct explore_scenario *next;
};

/* Defines a scenario, whose body is virtual thread 0. It passes when all of its virtual threads have returned. */
#define SCENARIO(name, what)                                                                                           \
    static void scenario_##name(void);                                                                                 \
    static struct explore_scenario scenario_of_##name = {#name, what, scenario_##name, NULL};                          \
    __attribute__((constructor)) static void register_##name(void) {                                                   \
        explore_register(&scenario_of_##name);                                                                         \
    }                                                                                                                  \
    static void scenario_##name(void)

void explore_register(struct explore_scenario *scenario);

/* Starts a virtual thread; it runs when it is chosen. */
unsigned explore_start(void (*fn)(void *arg), void *arg);

/* Blocks until the virtual thread has returned. */
void explore_join(unsigned thread);

/* A number below `count` from the schedule's seed: a choice of the scenario's own. */
uint32_t explore_choose(uint32_t count);

/* From now on there is no memory to be had. */
void explore_exhaust_memory(void);

/* Ends the schedule: it has failed. */
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define explore_check(condition)                                                                                       \
    ((condition) ? (void)0 : explore_fail("%s does not hold at %s:%d", #condition, __FILE__, __LINE__))

/* Which planted bug is alive (tests/explore/mutants.txt); 0: none. Always 0 in the program that has none. */
extern int explore_mutant;

/* -------------------------------------------------------------------------------------------- for the program */

struct explore_settings {
    bool tso;
    bool trace; /* each event goes to standard error */
};

/* Runs one schedule. NULL: it passed; else what was wrong. `*steps` counts up by its events. */
const char *explore_run(const struct explore_scenario *scenario, const struct explore_settings *settings, uint64_t seed,
                        uint64_t *steps);

extern struct explore_scenario *explore_scenarios;

/* Once, before the first schedule. */
void explore_begin(void);

/* ------------------------------------------------------------------- for the stand-ins of the library's lower half */

/* Forgets all that was allocated in the schedule before. */
void explore_memory_reset(void);

/* Whether the address is in what was allocated and freed again. */
bool explore_memory_is_freed(const void *address);

#endif
