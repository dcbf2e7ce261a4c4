/* SPDX-License-Identifier: MIT */
/*
 * Simulation: a runtime whose workers all run on one thread, whose every choice comes from one seed, and whose clock
 * stands still until all wait. The same seed runs the same schedule again, whatever the machine does meanwhile; another
 * seed runs another. So a program that fails once in a million runs is made to fail, and then to fail again.
 *
 *     FILCH_SIM=42 ./program                       any program, as it is, with seed 42
 *     FILCH_SIM=42,workers=4,policy=pct:3 ./program
 *
 * (Words that cannot be read are told, and no runtime is made: -EINVAL. FILCH_TRACE and FILCH_DEBUG only tell.)
 *
 *     int failed = filch_explore(test, NULL, &(filch_explore_options){.seeds = 10000});      in a test
 *
 * What is chosen: which of the workers goes on, at each call of the library that may wait, spawns, forks, or wakes; which
 * of the tasks that can run a worker takes next; whom it steals from; which of several sleepers is woken; which of several
 * timers of the same time fires first; which branch a select takes. What a task computes between two such calls is not
 * interrupted: a data race between plain accesses shows only where such a call stands between them.
 *
 * The clock starts at one second and jumps to the next deadline when all wait, so that an hour of sleeps takes no time.
 * (Each reading of it takes 10 ns, each step of the schedule 20 ns, and a filch_yield up to 1 ms where all others wait,
 * so that loops that look again and again end.) Where all wait and there is no deadline, that is a deadlock: a line for
 * each task tells what it waits for, another the seed, all tasks are cancelled, and filch_run answers -EDEADLK. A task whose
 * await is cut short so must not return while others use what lies in its frame: a scope waits for them, or keep such
 * objects elsewhere.
 *
 * The thread that makes the runtime is the one that all run on, whenever it waits. What is not simulated: other threads
 * (one that wakes a task meanwhile aborts, be it one of a runtime that is not simulated), descriptors of the system
 * (filch_fd_adopt answers -EOPNOTSUPP; pairs in memory work), what a program does by itself with the system's clock,
 * random numbers, or the addresses of its objects. Calls by filch_blocking are made in place.
 *
 * Simulations within each other. What a simulated task, a call by filch_blocking in it, or the thread that all run on
 * makes by filch_runtime_create is a runtime of the same simulation, whatever its options say: it has its own workers, but
 * the seed, the clock and all else of the one that there is. It has to be destroyed: where filch_explore finds one that
 * its seed has left, it aborts. Refused, with a line on standard error unless `quiet`, are
 *
 *     a simulation by filch_run in a task, simulated or not            -EDEADLK; in a call by filch_blocking it runs
 *     one by filch_runtime_create or filch_explore in a task of a     -EDEADLK; a thread that is no worker may
 *       runtime that is not simulated
 *     filch_explore within a simulation, or while there is one, and   -EBUSY
 *       a simulation by another thread meanwhile
 */
#ifndef FILCH_SIMULATION_H
#define FILCH_SIMULATION_H

#include <filch/base.h>
#include <filch/runtime.h>

FILCH_BEGIN_DECLS

/* How the workers are chosen that go on. */
typedef enum filch_policy {
    FILCH_RANDOM_WALK = 0, /* each that can, with the same chance, at each point */
    FILCH_PCT = 1, /* by priorities, changed at a few points: finds bugs that need few but far switches (Burckhardt
                              et al. 2010, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs") */
} filch_policy;

/* A simulation, as filch_options asks for one. Zero in a field is the default. */
typedef struct filch_simulation {
    uint64_t seed; /* also 0 is one */
    filch_policy policy;
    unsigned changes;   /* of priorities, with FILCH_PCT; default 3 */
    uint64_t steps_max; /* more than so many points are taken for an endless loop, and abort; default 100 million */
    bool quiet;         /* no line at the end, none for tasks in a deadlock */
    uint64_t *hash;     /* unless NULL: gets a number that two runs of the same schedule share */
    uint64_t *steps;    /* unless NULL: gets the number of points */
} filch_simulation;

/* What filch_explore does. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_explore_options {
    uint64_t first_seed; /* default 1 */
    uint64_t seeds;      /* how many are tried; default 1,000 */
    int64_t duration_ns; /* no new one is begun after that; default: no limit */
    unsigned workers;    /* default 2 */
    filch_policy policy; /* of the even seeds; the odd ones walk at random */
    unsigned changes;
    size_t stack_size; /* of tasks; default as in filch_options */
    bool quiet;        /* no line for the seed that fails, none for tasks in a deadlock */
} filch_explore_options;

/* What came of it. */
typedef struct filch_explored {
    uint64_t seeds;     /* how many were tried */
    uint64_t schedules; /* about how many of them differed: within 2 % or so */
    uint64_t steps;     /* points in all */
    uint64_t hash;      /* of the last schedule, as filch_simulation gives it */
    uint64_t seed;      /* the one that failed */
    int result;         /* ... with this */
} filch_explored;

/*
 * Runs `fn(arg)` as the main task of a simulation, for one seed after the other, until one fails: `fn` returns other than 0,
 * or all wait (-EDEADLK). The seed is told in a line on standard error, with the words that replay it; and where the process
 * is about to abort or crash, too. `fn` has to begin anew each time: what it leaves behind, the next one finds.
 *
 * Returns  0         none failed
 *          other     what the first that failed returned; `*explored` tells the seed
 *          -EINVAL   `fn` is NULL, or an option is out of range (`explored->seeds` is 0 then)
 *          -EBUSY    there is a simulation already (`explored->seeds` is 0 then, as with the next)
 *          -EDEADLK  called by a task of a runtime that is not simulated; or, with `explored->seeds` above 0, see above
 * Call     from a thread that is no worker. `explored` may be NULL
 * Waits    yes
 */
FILCH_API FILCH_CHECK int filch_explore(filch_fn *fn, void *arg, const filch_explore_options *options,
                                        filch_explored *explored);

FILCH_END_DECLS

#endif
