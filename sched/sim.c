/* SPDX-License-Identifier: MIT */
#include "sched/sim.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/alloc.h"
#include "base/random.h"
#include "base/stand_in.h"
#include "sched/runtime.h"

enum {
    STACK_SIZE = 256 << 10, /* of a simulated thread: it holds what a thread's own would */
    CHANGES_DEFAULT = 3,
    CHANGES_MAX = 16,
    READING_NS = 10,   /* what it takes to read the clock */
    POINT_NS = 20,     /* and to come to a point */
    PASS_NS = 1000000, /* and, at most, to look again where nobody else can go on */
    PCT_STEPS = 2000,  /* within so many points from the start the priorities change */
    RUNTIMES_KEPT = 8  /* by a row: a program may have several, of several sizes */
};

#define STEPS_MAX_DEFAULT 100000000u
#define START_NS 1000000000

enum thread_state {
    THREAD_RUNS,   /* or can */
    THREAD_SLEEPS, /* on `word`, until `until_ns` */
    THREAD_ENDED,
};

struct thread {
    struct thread *next;          /* in the order in which they were made */
    struct filch__worker *worker; /* that it is, or NULL */
    struct filch__fiber *fiber;   /* its own stack, which it is on unless its worker is on another */
    void *context;                /* while it does not run */
    void *(*fn)(void *);
    void *stack;
    enum thread_state state;
    uint32_t *word;
    int64_t until_ns;
    bool timed_out;
    uint64_t priority; /* higher goes first, with FILCH_PCT */
};

struct simulation {
    filch_simulation asked;
    unsigned runtimes;
    struct filch__random random;
    int64_t now_ns;
    int64_t due_ns; /* no thread that sleeps is due before that */
    uint64_t steps, hash;
    uint64_t changes[CHANGES_MAX]; /* the points at which the one that runs falls behind all others */
    uint64_t lowest;               /* the last priority given by such a fall */
    bool stuck;
    bool refused; /* something, and has told so */
    struct thread host, *running, *last;
    struct filch__fiber host_fiber;
};

/* What one simulation leaves for the next, as long as they follow one another; of a single one, what stands around it. */
struct row {
    pthread_t thread;
    bool lasts;              /* also where there is no simulation */
    bool tells_stuck;        /* of a deadlock, though the simulations are quiet */
    struct sigaction former; /* of SIGABRT */
    void *signal_stack;      /* for the report of a stack overflow: one for all, since all are on one thread */
    stack_t former_stack;
    struct thread *threads; /* that nobody is, with their stacks */
    struct filch_runtime *runtimes;
    unsigned runtime_count;
};

static struct simulation *simulation; /* written by the host, while there is no other simulated thread */
static struct row *row;
static ATOMIC(uint32_t) taken; /* 1: there is a row */

/*
 * The thread that has the simulation, or 0. Any thread asks, also while the simulation ends: what it reads is never itself,
 * unless it is the one that writes it.
 */
static ATOMIC(uintptr_t) host_thread;

static bool is_mine(void) {
    return load_relaxed(&host_thread) == (uintptr_t)pthread_self();
}

bool filch__sim_is_mine(void) {
    return is_mine();
}

bool filch__sim_is_over(void) {
    return simulation == NULL;
}

static bool is_my_row(void) {
    return row != NULL && pthread_equal(row->thread, pthread_self());
}

/* ------------------------------------------------------------------------------------------------------------ choices */

static void note(uint64_t what) {
    simulation->hash = (simulation->hash ^ what) * 0x100000001b3u; /* as FNV-1a, a word at a time */
}

uint32_t filch__sim_choose(uint32_t count) {
    uint32_t chosen = count < 2 ? 0 : filch__choose(&simulation->random, CHOICE_VICTIM, count);
    note(chosen);
    return chosen;
}

/* ----------------------------------------------------------------------------------------------------------- switches */

static struct filch__fiber *fiber_of(const struct thread *thread) {
    struct filch__worker *worker = thread->worker;
    return worker == NULL || worker->stack == NULL ? thread->fiber : &worker->stack->fiber;
}

/* After a jump: who was left has its context. */
static void arrive(struct filch__transfer transfer) {
    struct thread *left = transfer.data;
    filch__context_take_over(simulation);
    left->context = transfer.from;
}

static void switch_to(struct thread *to) {
    struct thread *from = simulation->running;
    if (to == from) return;
    struct filch__exceptions *there = filch__exceptions_of_thread();
    struct filch__exceptions exceptions = filch__exceptions_take(there);
    struct filch__fiber *old = fiber_of(from), *new = fiber_of(to);
    simulation->running = to;
    filch__worker_set_current(to->worker);
    void *context = to->context;
    bool ended = from->state == THREAD_ENDED;
    filch__context_hand_over(simulation);
    arrive(filch__context_jump(context, from, old, new, ended));
    filch__exceptions_put(there, exceptions);
}

/* ------------------------------------------------------------------------------------------------------------- policy */

static unsigned count_runnable(void) {
    unsigned count = 0;
    for (struct thread *thread = &simulation->host; thread != NULL; thread = thread->next) {
        count += thread->state == THREAD_RUNS;
    }
    return count;
}

static struct thread *runnable(unsigned index) {
    for (struct thread *thread = &simulation->host;; thread = thread->next) {
        if (thread->state == THREAD_RUNS && index-- == 0) return thread;
    }
}

static struct thread *highest(void) {
    struct thread *best = NULL;
    for (struct thread *thread = &simulation->host; thread != NULL; thread = thread->next) {
        if (thread->state == THREAD_RUNS && (best == NULL || thread->priority > best->priority)) best = thread;
    }
    note(best->priority);
    return best;
}

/* Who goes on, of those that can: there is one at the least. */
static struct thread *choose_thread(unsigned count) {
    return simulation->asked.policy == FILCH_PCT ? highest() : runnable(filch__sim_choose(count));
}

static void change_priority(void) {
    for (unsigned i = 0; i < simulation->asked.changes; i++) {
        if (simulation->changes[i] == simulation->steps) simulation->running->priority = --simulation->lowest;
    }
}

static void wake_due(void);

/* Who is due can go on, also while others do: one of them may be looking again and again for what he will do. */
static void step(void) {
    simulation->now_ns += POINT_NS;
    if (simulation->due_ns <= simulation->now_ns) wake_due();
    if (++simulation->steps > simulation->asked.steps_max) {
        filch__die("simulation: seed %llu has come to more than %llu points: an endless loop?",
                   (unsigned long long)simulation->asked.seed, (unsigned long long)simulation->asked.steps_max);
    }
    if (simulation->asked.policy == FILCH_PCT) change_priority();
}

void filch__sim_point(void) {
    step();
    unsigned count = count_runnable();
    if (count > 1) switch_to(choose_thread(count));
}

void filch__sim_yield(void) {
    if (simulation->asked.policy == FILCH_PCT) simulation->running->priority = --simulation->lowest;
}

/* ---------------------------------------------------------------------------------------------------------------- time */

static int64_t clock_now(void) {
    if (is_mine()) simulation->now_ns += READING_NS;
    return simulation->now_ns;
}

static int64_t clock_peek(void) {
    return simulation->now_ns;
}

static int64_t earliest(void) {
    int64_t at_ns = INT64_MAX;
    for (struct thread *thread = &simulation->host; thread != NULL; thread = thread->next) {
        if (thread->state == THREAD_SLEEPS && thread->until_ns < at_ns) at_ns = thread->until_ns;
    }
    return at_ns;
}

/* Wakes those whose time has come. */
static void wake_due(void) {
    for (struct thread *thread = &simulation->host; thread != NULL; thread = thread->next) {
        if (thread->state != THREAD_SLEEPS || thread->until_ns > simulation->now_ns) continue;
        thread->timed_out = true;
        thread->state = THREAD_RUNS;
    }
    simulation->due_ns = earliest();
}

void filch__sim_pass(int64_t until_ns) {
    if (count_runnable() > 1) return;
    int64_t due_ns = earliest(), at_ns = due_ns < until_ns ? due_ns : until_ns;
    if (at_ns == INT64_MAX) return;
    if (at_ns > simulation->now_ns + PASS_NS) at_ns = simulation->now_ns + PASS_NS;
    if (at_ns > simulation->now_ns) simulation->now_ns = at_ns;
}

/* ----------------------------------------------------------------------------------------------------------- deadlock */

static void tell(void);

/*
 * Nobody can go on, and no time will come. It is told before anybody gives up, since a program may not survive that. Tasks that wait for what cannot come are told to give up; if that does not help
 * either, it is the end.
 */
static void get_unstuck(void) {
    if (simulation->stuck) {
        filch__die("simulation: seed %llu: cancelled, and still all wait: for what cancellation does not cut short",
                   (unsigned long long)simulation->asked.seed);
    }
    simulation->stuck = true;
    for (struct thread *thread = &simulation->host; thread != NULL; thread = thread->next) {
        struct filch__worker *worker = thread->worker;
        if (worker == NULL || worker->index != 0) continue;
        if (!simulation->asked.quiet || row->tells_stuck) {
            dprintf(STDERR_FILENO, "filch: simulation: seed %llu: all wait, and nothing will come:\n",
                    (unsigned long long)simulation->asked.seed);
            filch_runtime_report(worker->runtime, STDERR_FILENO);
            tell();
        }
        filch_runtime_cancel(worker->runtime);
    }
}

/* Leaves a thread that does not run any more until another does, and something has made it go on. */
static void leave(void) {
    struct thread *self = simulation->running;
    for (;;) {
        unsigned count = count_runnable();
        if (count > 0) {
            switch_to(choose_thread(count));
            if (self->state == THREAD_RUNS) return;
            continue;
        }
        int64_t at_ns = earliest();
        if (at_ns == INT64_MAX) {
            get_unstuck();
        } else {
            if (simulation->now_ns < at_ns) simulation->now_ns = at_ns;
            wake_due();
        }
    }
}

/* ------------------------------------------------------------------------------------------------------------- futexes */

static bool futex_wait(uint32_t *word, uint32_t expected, int64_t until_ns) {
    step();
    if (load_seq_cst(word) != expected) return true;
    struct thread *self = simulation->running;
    if (until_ns <= simulation->now_ns) {
        filch__sim_point();
        return false;
    }
    self->word = word;
    self->until_ns = until_ns;
    if (until_ns < simulation->due_ns) simulation->due_ns = until_ns;
    self->timed_out = false;
    self->state = THREAD_SLEEPS;
    leave();
    return !self->timed_out;
}

/* How many sleep on the word. */
static unsigned count_sleepers(const uint32_t *word) {
    unsigned count = 0;
    for (struct thread *thread = &simulation->host; thread != NULL; thread = thread->next) {
        count += thread->state == THREAD_SLEEPS && thread->word == word;
    }
    return count;
}

static void wake_one(const uint32_t *word, uint32_t index) {
    for (struct thread *thread = &simulation->host; thread != NULL; thread = thread->next) {
        if (thread->state != THREAD_SLEEPS || thread->word != word || index-- > 0) continue;
        thread->state = THREAD_RUNS;
        return;
    }
}

static void futex_wake(uint32_t *word, int count) {
    if (!is_mine()) filch__die("simulation: a thread that is not simulated wakes somebody: see filch/simulation.h");
    for (unsigned left; count > 0 && (left = count_sleepers(word)) > 0; count--)
        wake_one(word, filch__sim_choose(left));
}

/* ------------------------------------------------------------------------------------------------------------- threads */

static void entry(struct filch__transfer transfer) {
    filch__context_arrived();
    arrive(transfer);
    struct thread *self = simulation->running;
    self->fn(self->worker);
    self->worker = NULL;
    self->state = THREAD_ENDED;
    leave();
    filch__die("internal: a simulated thread has ended and goes on");
}

static void list(struct thread *thread) {
    thread->priority = filch__random_next(&simulation->random) >> 1 | (uint64_t)1
                                                                          << 62; /* above all that have fallen */
    simulation->last->next = thread;
    simulation->last = thread;
}

static void thread_free(struct thread *thread) {
    if (thread == NULL) return;
    filch__heap_put(thread->stack, STACK_SIZE, 64);
    filch__heap_put(thread, sizeof *thread, 8);
}

static struct thread *thread_get(void) {
    struct thread *thread = row->threads;
    if (thread != NULL) {
        row->threads = thread->next;
        return thread;
    }
    thread = filch__heap_get(sizeof *thread, 8);
    if (thread == NULL) return NULL;
    thread->stack = filch__heap_get(STACK_SIZE, 64);
    if (thread->stack != NULL) return thread;
    thread_free(thread);
    return NULL;
}

static void thread_put(struct thread *thread) {
    thread->next = row->threads;
    row->threads = thread;
}

int filch__sim_start(struct filch__worker *worker, void *(*fn)(void *), struct filch__fiber *fiber) {
    struct thread *thread = thread_get();
    if (thread == NULL) return -ENOMEM;
    void *stack = thread->stack;
    filch__fiber_init(fiber, stack, STACK_SIZE);
    *thread = (struct thread){.worker = worker, .fiber = fiber, .fn = fn, .stack = stack, .until_ns = INT64_MAX};
    thread->context = filch__context_make((char *)stack + STACK_SIZE, STACK_SIZE, entry);
    list(thread);
    return 0;
}

static struct thread *thread_of(const struct filch__fiber *fiber) {
    struct thread *thread = &simulation->host;
    while (thread != NULL && thread->fiber != fiber) thread = thread->next;
    return thread;
}

static void unlist(struct thread *thread) {
    struct thread *before = &simulation->host;
    while (before->next != thread) before = before->next;
    before->next = thread->next;
    if (simulation->last == thread) simulation->last = before;
}

void filch__sim_join(struct filch__worker *worker) {
    struct thread *thread = thread_of(&worker->thread_fiber);
    while (thread->state != THREAD_ENDED) {
        filch__sim_yield();
        filch__sim_point();
    }
    unlist(thread);
    filch__fiber_fini(thread->fiber);
    thread_put(thread);
}

int filch__sim_call_outside(filch_fn *fn, void *arg) {
    struct thread *self = simulation->running;
    struct filch__worker *worker = self->worker;
    struct filch__fiber *fiber = self->fiber;
    self->fiber = fiber_of(self); /* it stays on the stack that it is on */
    self->worker = NULL;
    filch__worker_set_current(NULL);
    int result = fn(arg);
    self->worker = worker;
    self->fiber = fiber;
    filch__worker_set_current(worker);
    return result;
}

/* -------------------------------------------------------------------------------------------------- the environment */

/* "7", "7,workers=4", "7,workers=4,policy=pct:3": one word after the number. */
static bool read_word(const char **at, filch_simulation *asked, unsigned *workers) {
    int length = 0;
    unsigned number = 0;
    if (sscanf(*at, ",workers=%u%n", &number, &length) == 1 && number >= 1 && number <= FILCH_WORKERS_MAX) {
        *workers = number;
    } else if (sscanf(*at, ",policy=pct:%u%n", &number, &length) == 1 && number >= 1 && number <= CHANGES_MAX) {
        asked->policy = FILCH_PCT;
        asked->changes = number;
    } else if (strncmp(*at, ",policy=random", 14) == 0) {
        asked->policy = FILCH_RANDOM_WALK;
        length = 14;
    } else {
        return false;
    }
    *at += length;
    return true;
}

int filch__sim_from_environment(filch_simulation *asked, unsigned *workers, bool *is_asked) {
    const char *words = getenv("FILCH_SIM");
    *is_asked = words != NULL && *words != '\0';
    if (!*is_asked) return 0;
    char *end;
    errno = 0; /* ERANGE: above 2^64 - 1 */
    *asked = (filch_simulation){.seed = strtoull(words, &end, 10)};
    bool good = end != words && *words != '-' && errno == 0;
    const char *at = end;
    while (good && *at != '\0') good = read_word(&at, asked, workers);
    if (good) return 0;
    dprintf(STDERR_FILENO, "filch: FILCH_SIM is \"%s\"; it is to be SEED[,workers=N][,policy=random|pct:N]\n", words);
    return -EINVAL;
}

/* ------------------------------------------------------------------------------------------------------ begin and end */

static const char *policy_words(char *words, size_t size) {
    if (simulation->asked.policy == FILCH_RANDOM_WALK) return "";
    snprintf(words, size, ",policy=pct:%u", simulation->asked.changes);
    return words;
}

static unsigned worker_count(void) {
    for (struct thread *thread = &simulation->host; thread != NULL; thread = thread->next) {
        if (thread->worker != NULL) return thread->worker->runtime->worker_count;
    }
    return 0;
}

/* Also in a signal handler: no memory is asked for. */
static void tell(void) {
    char words[32], line[160];
    int length =
        snprintf(line, sizeof line, "filch: simulation: FILCH_SIM=%llu,workers=%u%s replays this\n",
                 (unsigned long long)simulation->asked.seed, worker_count(), policy_words(words, sizeof words));
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
}

/* The seed is told before the process dies as it would have; of a crash, sched/overflow.c tells. */
static void on_abort(int number) {
    if (simulation != NULL) tell();
    sigaction(number, &row->former, NULL);
    raise(number);
}

/* NULL: the host, which is the same before and after. */
static void *running_thread(void) {
    return simulation->running == &simulation->host ? NULL : simulation->running;
}

static const struct filch__stand_in stand_in = {
    .clock_now = clock_now,
    .clock_peek = clock_peek,
    .is_mine = is_mine,
    .thread = running_thread,
    .choose = filch__sim_choose,
    .futex_wait = futex_wait,
    .futex_wake = futex_wake,
    .tell = tell,
};

/* Only the tools need to know where the host's stack is, and it takes a while to find out. */
static void describe_host(struct filch__fiber *fiber) {
#if defined(FILCH_TSAN) || defined(FILCH_ASAN)
    filch__fiber_init_thread(fiber);
#else
    fiber->thread = true;
#endif
}

static void prepare(const filch_simulation *asked) {
    simulation->asked = *asked;
    if (simulation->asked.steps_max == 0) simulation->asked.steps_max = STEPS_MAX_DEFAULT;
    if (simulation->asked.changes == 0) simulation->asked.changes = CHANGES_DEFAULT;
    if (simulation->asked.changes > CHANGES_MAX) simulation->asked.changes = CHANGES_MAX;
    filch__random_init(&simulation->random, asked->seed, 0);
    for (unsigned i = 0; i < simulation->asked.changes; i++) {
        simulation->changes[i] = 1 + filch__choose(&simulation->random, CHOICE_VICTIM, PCT_STEPS);
    }
    simulation->hash = 0xcbf29ce484222325u;
    simulation->lowest = (uint64_t)1 << 61;
    simulation->now_ns = START_NS;
    simulation->due_ns = INT64_MAX;
    store_relaxed(&host_thread, (uintptr_t)pthread_self());
    describe_host(&simulation->host_fiber);
    simulation->host = (struct thread){.fiber = &simulation->host_fiber, .until_ns = INT64_MAX};
    simulation->host.priority = filch__random_next(&simulation->random) >> 1 | (uint64_t)1 << 62;
    simulation->running = simulation->last = &simulation->host;
}

static void row_free(void) {
    if (row != NULL) filch__heap_put(row->signal_stack, filch__overflow_stack_size(), 16);
    filch__heap_put(row, sizeof *row, 8);
    row = NULL;
    store_seq_cst(&taken, 0);
}

static int row_make(bool lasts) {
    row = filch__heap_get(sizeof *row, 8);
    if (row != NULL) row->signal_stack = filch__heap_get(filch__overflow_stack_size(), 16);
    if (row == NULL || row->signal_stack == NULL) {
        row_free();
        return -ENOMEM;
    }
    row->thread = pthread_self();
    row->lasts = lasts;
    sigaltstack(NULL, &row->former_stack);
    filch__overflow_watch(row->signal_stack, filch__overflow_stack_size());
    struct sigaction action = {.sa_handler = on_abort, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigaction(SIGABRT, &action, &row->former);
    return 0;
}

static void row_unmake(void) {
    sigaction(SIGABRT, &row->former, NULL);
    sigaltstack(&row->former_stack, NULL);
    for (struct thread *thread = row->threads, *next; thread != NULL; thread = next) {
        next = thread->next;
        thread_free(thread);
    }
    for (struct filch_runtime *runtime = row->runtimes, *next; runtime != NULL; runtime = next) {
        next = runtime->next;
        filch__runtime_free(runtime);
    }
    row_free();
}

/* A task of a runtime that is not simulated. */
static bool is_real_task(void) {
    struct filch__worker *worker = filch__worker_current();
    return worker != NULL && !worker->simulated;
}

int filch__sim_row_begin(bool tells_stuck) {
    if (is_real_task()) return -EDEADLK;
    if (exchange_seq_cst(&taken, 1) != 0) return -EBUSY;
    int answer = row_make(true);
    if (answer == 0) row->tells_stuck = tells_stuck;
    return answer;
}

void filch__sim_row_end(void) {
    row_unmake();
}

struct filch_runtime *filch__sim_take_runtime(unsigned worker_count) {
    struct filch_runtime **link = &row->runtimes;
    while (*link != NULL && (*link)->stock.worker_count != worker_count) link = &(*link)->next;
    struct filch_runtime *runtime = *link;
    if (runtime == NULL) return NULL;
    *link = runtime->next;
    row->runtime_count--;
    return runtime;
}

bool filch__sim_keep_runtime(struct filch_runtime *runtime) {
    if (!row->lasts || row->runtime_count == RUNTIMES_KEPT || !filch__stock_renew(&runtime->stock)) return false;
    memset(runtime, 0, offsetof(struct filch_runtime, stock));
    runtime->next = row->runtimes;
    row->runtimes = runtime;
    row->runtime_count++;
    return true;
}

static int refuse(const filch_simulation *asked, int answer, const char *line) {
    if (!asked->quiet) dprintf(STDERR_FILENO, "filch: simulation: %s\n", line);
    return answer;
}

int filch__sim_begin(const filch_simulation *asked) {
    if (is_real_task()) {
        return refuse(asked, -EDEADLK,
                      "a task of a runtime that is not simulated can make none that is; a thread can: -EDEADLK");
    }
    if (exchange_seq_cst(&taken, 1) == 0) {
        int answer = row_make(false);
        if (answer != 0) return answer;
    } else if (!is_my_row()) {
        return refuse(asked, -EBUSY, "another thread has one: -EBUSY");
    } else if (simulation != NULL) {
        simulation->runtimes++;
        return 0;
    }
    simulation = filch__heap_get(sizeof *simulation, 8);
    if (simulation == NULL) {
        if (!row->lasts) row_unmake();
        return -ENOMEM;
    }
    prepare(asked);
    simulation->runtimes = 1;
    store_seq_cst(&filch__stand_in, &stand_in);
    return 0;
}

void filch__sim_end(void) {
    if (--simulation->runtimes > 0) return;
    store_seq_cst(&filch__stand_in, NULL);
    const filch_simulation *asked = &simulation->asked;
    if (asked->hash != NULL) *asked->hash = simulation->hash;
    if (asked->steps != NULL) *asked->steps = simulation->steps;
    if (!asked->quiet) {
        dprintf(STDERR_FILENO, "filch: simulation: seed %llu, %llu points, %.9f s, hash %016llx\n",
                (unsigned long long)asked->seed, (unsigned long long)simulation->steps,
                (double)(simulation->now_ns - START_NS) / 1e9, (unsigned long long)simulation->hash);
    }
    filch__fiber_fini(&simulation->host_fiber);
    filch__heap_put(simulation, sizeof *simulation, 8);
    simulation = NULL;
    store_relaxed(&host_thread, 0);
    if (!row->lasts) row_unmake();
}

void filch__sim_refuse(const char *what) {
    if (simulation->asked.quiet || simulation->refused) return;
    simulation->refused = true;
    dprintf(STDERR_FILENO, "filch: simulation: there are no %s in a simulation: -EOPNOTSUPP\n", what);
}

bool filch__sim_is_stuck(void) {
    return simulation->stuck;
}
