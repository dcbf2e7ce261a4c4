/* SPDX-License-Identifier: MIT */
/*
 * The schedule explorer: runs a scenario again and again, each time under another schedule. The scenario's threads are
 * virtual: stacks in one thread of the process, and a switch from one to another is possible before each atomic access
 * (base/atomic.h), each futex call, each reading of the clock and each call of the pthread functions that the library
 * uses. So a schedule is a function of its seed alone.
 *
 * Memory is sequentially consistent; or x86's (TSO): each virtual thread has a store buffer, and that its oldest entry
 * reaches memory is an event of its own; or C11's: a load may read what is no longer the newest, as far as the orders of
 * the accesses allow (orders.h), and data races are found (races.h). Plain accesses take place at once in all three.
 *
 * A schedule fails where a check fails, the program crashes or dies, an atomic access is to freed memory, a context is
 * resumed that is not saved, or all virtual threads that are left are blocked: a wake-up was lost. Under C11, also where
 * two accesses race, and where a context is resumed whose saving does not happen before that.
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
    bool small;      /* so that all its executions can be gone through */
    int preemptions; /* ... or those with so many; 0: all */
};

/* Defines a scenario, whose body is virtual thread 0. It passes when all of its virtual threads have returned. */
#define SCENARIO(name, what) EXPLORE_SCENARIO(name, what, false, 0)
#define SMALL_SCENARIO(name, what) EXPLORE_SCENARIO(name, what, true, 0)
#define BOUNDED_SCENARIO(name, what, bound) EXPLORE_SCENARIO(name, what, true, bound)
#define EXPLORE_SCENARIO(name, what, is_small, bound)                                                                  \
    static void scenario_##name(void);                                                                                 \
    static struct explore_scenario scenario_of_##name = {#name, what, scenario_##name, NULL, is_small, bound};         \
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

/* Where under C11 a scenario's plain access is to be one of those that must not race. The scenarios' others are not. */
void explore_plain_read(const void *object, size_t size);
void explore_plain_write(void *object, size_t size);

/* Ends the schedule: it has failed. */
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define explore_check(condition)                                                                                       \
    ((condition) ? (void)0 : explore_fail("%s does not hold at %s:%d", #condition, __FILE__, __LINE__))

/* Which planted bug is alive (tests/explore/mutants.txt); 0: none. Always 0 in the program that has none. */
extern int explore_mutant;

/* -------------------------------------------------------------------------------------------- for the program */

enum explore_memory { MEMORY_SC, MEMORY_TSO, MEMORY_C11 };

/* An atomic access in the sources. */
struct explore_site {
    const char *function;
    int line;
    char kind;      /* 'l'oad, 's'tore, 'u'pdate, 'c'ompare and swap */
    unsigned order; /* orders.h */
};

struct explore_settings {
    enum explore_memory memory;
    bool trace;                   /* each event goes to standard error */
    bool exhaust;                 /* exhaust.h chooses, not the seed */
    struct explore_site weakened; /* takes place with its `order` under C11, whatever the source says; line 0: none */
    void (*visit)(const struct explore_site *site); /* NULL, or is called at each atomic access of the library */
};

/* Runs one schedule. NULL: it passed; else what was wrong. `*steps` counts up by its events. */
const char *explore_run(const struct explore_scenario *scenario, const struct explore_settings *settings, uint64_t seed,
                        uint64_t *steps);

extern struct explore_scenario *explore_scenarios;

/* What going through all executions of a scenario came to. */
struct explore_exhausted {
    uint64_t executions, cut_off; /* `cut_off`: those of which the rest had been seen, besides */
    bool complete;
    const char *verdict; /* NULL: all passed */
};

/* Goes through the executions of `scenario`, `limit` of them at most: see exhaust.h. `each` is called after each; or NULL. */
struct explore_exhausted explore_exhaust(const struct explore_scenario *scenario, struct explore_settings settings,
                                         int preemptions, uint64_t limit, void (*each)(void));

/* The litmus tests of the model of C11's memory; returns how many have failed. */
int explore_litmus(void);

/*
 * Weakens each order in the library's functions (in those whose names begin with `only`, if that is not NULL) by a step,
 * and looks for a scenario that notices (among those whose names begin with `in`), for so many seconds each. Writes a line for each, as in orders.txt.
 */
void explore_weaken(const char *only, const char *in, double seconds);

/*
 * Whether each order of the functions that the file names is in it, and the scenario named there notices when it is
 * weakened. Returns how many fail.
 */
int explore_orders(const char *file, double seconds);

/* Once, before the first schedule. */
void explore_begin(void);

/* ------------------------------------------------------------------- for the stand-ins of the library's lower half */

/* By how many messages what is read is to be older than the newest, of `count` that may be read. */
uint32_t explore_choose_age(uint32_t count);

/* An event that is no atomic access: a call of what is below the library. It touches `object`; NULL: everything. */
void explore_event(const void *object, const char *function, int line);

/* The stand-ins' own locks: what was done before the put of an object happens before what follows its next get. */
void explore_put(void *object);
void explore_get(void *object);

/* Forgets all that was allocated in the schedule before. */
void explore_memory_reset(void);

/* Whether the address is in what was allocated and freed again. */
bool explore_memory_is_freed(const void *address);

#endif
