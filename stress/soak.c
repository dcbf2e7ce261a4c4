/* SPDX-License-Identifier: MIT */
/*
 * A soak: all kinds of work at once in one runtime, for as long as one likes, and beside it runtimes that come and go
 * (stress/mix.h). Every few seconds all crews come to rest, and it is looked at what the process holds then.
 *
 * At each rest there must be just as many tasks, and just as many open descriptors, as at the first one; and over the
 * whole run memory, mappings, threads and objects must be steady (stress/soak_figures.h). docs/SOAK.md has more.
 */
#include <filch/dump.h>
#include <sys/resource.h>

#include "stress/mix_actors.h"
#include "stress/soak_crews.h"
#include "stress/soak_figures.h"

enum { DESCRIPTORS_MOST = 256, RESTS_MOST = 400 };

/* -------------------------------------------------------------------------------------------------------------- crews */

static atomic_bool mixing; /* a runtime of stress/mix.h is there */

static uint64_t mix_round(struct filch__random *random) {
    atomic_store(&mixing, true);
    uint64_t operations = one_runtime(random);
    atomic_store(&mixing, false);
    return operations;
}

struct crew {
    const char *name;
    uint64_t (*round)(struct filch__random *random);
    bool outside; /* a thread, which makes runtimes of its own */
    atomic_ullong operations;
    uint64_t told; /* of these, in the line before */
    filch_task *task;
    pthread_t thread;
};

static struct crew crews[] = {
    {.name = "forks", .round = fork_round},
    {.name = "loop", .round = loop_round},
    {.name = "spawns", .round = spawn_round},
    {.name = "channels", .round = channel_round},
    {.name = "timers", .round = timer_round},
    {.name = "cancels", .round = cancel_round},
    {.name = "hogs", .round = hog_round},
    {.name = "tcp", .round = tcp_round},
    {.name = "unix", .round = unix_round},
    {.name = "shortages", .round = shortage_round},
    {.name = "mix", .round = mix_round, .outside = true},
};
enum { CREWS = sizeof crews / sizeof crews[0] };

/*
 * Who rests waits for `on`, which is cleared before `resting` is set; the main thread sets `resting` back before it sets
 * `on`, so that nobody who went on comes back to the same rest.
 */
static struct {
    atomic_bool resting, over;
    atomic_uint arrived;
    filch_event on;
    filch_runtime *runtime;
} gate;

static void come_to_the_gate(void) {
    if (!atomic_load(&gate.resting)) return;
    atomic_fetch_add(&gate.arrived, 1);
    must(filch_event_wait(&gate.on, FILCH_NEVER) == 0);
}

static int work(void *arg) {
    struct crew *crew = arg;
    struct filch__random random = stress_random((uint64_t)(crew - crews));
    while (!atomic_load(&gate.over)) {
        atomic_fetch_add(&crew->operations, crew->round(&random));
        come_to_the_gate();
    }
    return 0;
}

static void *work_outside(void *arg) {
    work(arg);
    return NULL;
}

static void crews_begin(void) {
    for (int i = 0; i < CREWS; i++) {
        if (crews[i].outside) {
            must(pthread_create(&crews[i].thread, NULL, work_outside, &crews[i]) == 0);
        } else {
            filch_task_options options = {.name = crews[i].name};
            must(filch_runtime_spawn(gate.runtime, &crews[i].task, work, &crews[i], &options) == 0);
        }
    }
}

static void crews_end(void) {
    for (int i = 0; i < CREWS; i++) {
        if (crews[i].outside) {
            must(pthread_join(crews[i].thread, NULL) == 0);
        } else {
            must(filch_await(crews[i].task, NULL, FILCH_NEVER) == 0);
        }
    }
}

/* The watchdog of stress.h sees to it that this ends. */
static void rest(void) {
    filch_event_clear(&gate.on);
    atomic_store(&gate.arrived, 0);
    atomic_store(&gate.resting, true);
    while (atomic_load(&gate.arrived) < CREWS) usleep(1000);
}

static void go_on(void) {
    atomic_store(&gate.resting, false);
    filch_event_set(&gate.on);
}

static void tell_who_is_stuck(void) {
    if (atomic_load(&mixing)) tell_stuck();
    (void)!filch_dump(STDERR_FILENO, NULL, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ figures */

#if FILCH_JEMALLOC
#define RSS_SLACK 4
#else
#define RSS_SLACK 32 /* freed memory goes back when libc, or a sanitizer's quarantine, likes */
#endif

enum { RSS, MAPPINGS, THREADS_ALIVE, OBJECTS, STACKS, ROWS };

static struct row rows[ROWS] = {
    {.name = "RSS, MiB", .slack = RSS_SLACK}, {.name = "mappings", .slack = 100}, {.name = "threads", .slack = 16},
    {.name = "objects", .slack = 500},        {.name = "stacks", .slack = 200},
};

static filch_stats stats_now(void) {
    filch_stats stats;
    must(filch_runtime_stats(gate.runtime, &stats) == 0);
    return stats;
}

/* Whoever is last to use something may still be about to give it back. */
static void must_become(uint64_t expected, uint64_t (*now)(void), const char *what) {
    uint64_t seen = 0;
    for (int i = 0; i < 10000; i++) {
        if ((seen = now()) == expected) return;
        usleep(1000);
    }
    fprintf(stderr, "%s: %llu, and there were %llu\n", what, (unsigned long long)seen, (unsigned long long)expected);
    tell_who_is_stuck();
    must(!"the same at each rest");
}

static uint64_t tasks_now(void) {
    return stats_now().tasks;
}

static uint64_t fds_now(void) {
    return figure_fds();
}

static uint64_t tasks_at_rest, fds_at_rest;

static void tell_busy(int64_t since_ns) {
    filch_stats stats = stats_now();
    printf("%7.1f s busy: RSS %6.1f MiB, %4u mappings, %3u fds, %5llu tasks, %5llu stacks, %3u threads\n",
           (double)(filch_now() - since_ns) / 1e9, figure_rss_mib(), figure_mappings(), figure_fds(),
           (unsigned long long)stats.tasks, (unsigned long long)stats.stacks, figure_threads());
}

static void tell_rest(int64_t since_ns, double seconds) {
    filch_stats stats = stats_now();
    double values[ROWS] = {figure_rss_mib(), figure_mappings(), figure_threads(), (double)filch__heap_objects(),
                           (double)stats.stacks};
    for (int i = 0; i < ROWS; i++) row_add(&rows[i], values[i]);
    printf("%7.1f s rest: RSS %6.1f MiB, %4.0f mappings, %3llu fds, %5llu tasks, %5.0f stacks, %3.0f threads, "
           "%.0f objects, %llu refused\n               operations/s:",
           (double)(filch_now() - since_ns) / 1e9, values[RSS], values[MAPPINGS], (unsigned long long)fds_at_rest,
           (unsigned long long)tasks_at_rest, values[STACKS], values[THREADS_ALIVE], values[OBJECTS],
           (unsigned long long)atomic_load(&refused));
    for (int i = 0; i < CREWS; i++) {
        uint64_t operations = atomic_load(&crews[i].operations);
        printf(" %s %.0f", crews[i].name, (double)(operations - crews[i].told) / seconds);
        crews[i].told = operations;
    }
    printf("\n");
    fflush(stdout);
}

/* The first rest says what is to be there at each of the others. */
static void look_at_rest(bool first) {
    if (first) {
        usleep(200000); /* for what ends late; more of it would be seen at the next rest, as too few */
        tasks_at_rest = tasks_now();
        fds_at_rest = fds_now();
    }
    must_become(tasks_at_rest, tasks_now, "tasks");
    must_become(fds_at_rest, fds_now, "descriptors");
}

/* ------------------------------------------------------------------------------------------------------------ the run */

static uint64_t operations_of_all(void) {
    uint64_t sum = 0;
    for (int i = 0; i < CREWS; i++) sum += atomic_load(&crews[i].operations);
    return sum;
}

static void soak(void) {
    int64_t begun = filch_now(), before = begun;
    double every = stress.seconds / RESTS_MOST;
    every = every < 0.2 ? 0.2 : every > 10 ? 10 : every;
    uint64_t counted = 0;
    bool more = true;
    for (bool first = true; more; first = false) {
        usleep((useconds_t)(every * 1e6));
        if (every >= 1 || first) tell_busy(begun);
        rest();
        look_at_rest(first);
        uint64_t operations = operations_of_all();
        more = stress_go_on(operations - counted);
        counted = operations;
        int64_t now = filch_now();
        tell_rest(begun, (double)(now - before) / 1e9);
        before = now;
        if (!more) atomic_store(&gate.over, true);
        go_on();
    }
}

static void run_in_task(filch_fn *fn) {
    filch_task *task;
    must(filch_runtime_spawn(gate.runtime, &task, fn, NULL, NULL) == 0);
    must(filch_await(task, NULL, FILCH_NEVER) == 0);
}

int main(int count, char **arguments) {
    stress_begin("soak", count, arguments);
    stress.tell_stuck = tell_who_is_stuck;
    struct rlimit limit = {DESCRIPTORS_MOST, DESCRIPTORS_MOST};
    must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    figures_open();
    mix_begin();
    size_t objects = filch__heap_objects();
    unsigned fds = figure_fds();
    filch_event_init(&gate.on);
    gate.runtime = stress_runtime();
    run_in_task(open_services);
    crews_begin();
    soak();
    crews_end();
    run_in_task(close_services);
    must(filch_runtime_destroy(gate.runtime) == 0);
    must(filch__heap_objects() == objects && figure_fds() == fds);
    bool steady = true;
    for (int i = 0; i < ROWS; i++) {
        steady &= row_is_steady(&rows[i]);
        free(rows[i].values);
    }
    must(steady);
    mix_end();
    figures_close();
    return stress_end();
}
