/* SPDX-License-Identifier: MIT */
/*
 * Runs histories of each object: program after program, each under schedule after schedule (docs/SIMULATION.md).
 *
 *     history --seconds 10                                    all objects
 *     history --processes 2 --seconds 60 --schedules 10000000     until the one or the other
 *     history --only chan --first 5000                        one object, from about that seed on
 *     FILCH_SIM=71,workers=2 history --only chan --replay 71      one schedule, with its history
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "seed.h"

static const struct object *const objects[] = {
    &history_event,   &history_mutex,  &history_rwlock,     &history_cond,   &history_sem,
    &history_barrier, &history_once,   &history_wait_group, &history_future, &history_queue,
    &history_chan,    &history_select, &history_runtime,
};

enum { OBJECTS = sizeof objects / sizeof *objects, PROCESSES_MAX = 64 };

static struct {
    const char *only;
    double seconds;
    uint64_t schedules, first, replay, left_out;
    unsigned processes;
    bool replays;
} options = {.seconds = 3, .schedules = UINT64_MAX, .processes = 1};

/* What a process has run. */
struct report {
    struct tally tallies[OBJECTS];
    bool failed[OBJECTS];
};

static double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool is_asked_for(const struct object *object) {
    return options.only == NULL || strcmp(options.only, object->name) == 0;
}

/* Each process has rows of seeds of its own. Every object has its turn, however long that takes. */
static void run_rows(unsigned process, struct report *report) {
    double until = now_seconds() + options.seconds;
    uint64_t row = 1 + options.first / SEEDS_IN_ROW + process, run = 0; /* no seed 0 */
    for (; run < options.schedules / options.processes && now_seconds() < until; row += options.processes) {
        for (unsigned i = 0; i < OBJECTS; i++) {
            if (run >= OBJECTS * SEEDS_IN_ROW && now_seconds() >= until) break;
            if (!is_asked_for(objects[i]) || report->failed[i]) continue;
            uint64_t before = report->tallies[i].schedules;
            report->failed[i] = !seeds_run(objects[i], row * SEEDS_IN_ROW, &report->tallies[i]);
            run += report->tallies[i].schedules - before;
        }
    }
}

/* ---------------------------------------------------------------------------------------------------------- processes */

static int start_process(unsigned process, int *from) {
    int ends[2];
    if (pipe(ends) != 0) return -1;
    fflush(stdout);
    int child = fork();
    if (child == 0) {
        static struct report report;
        seeds_watch();
        run_rows(process, &report);
        fflush(stdout);
        _exit(write(ends[1], &report, sizeof report) == (ssize_t)sizeof report ? 0 : 1);
    }
    close(ends[1]);
    *from = ends[0];
    return child;
}

/* False: it has died. */
static bool end_process(int child, int from, struct report *sum) {
    struct report report;
    size_t got = 0;
    ssize_t more = 1;
    while (got < sizeof report && more > 0) {
        more = read(from, (char *)&report + got, sizeof report - got);
        if (more > 0) got += (size_t)more;
    }
    close(from);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0 || got != sizeof report) return false;
    for (unsigned i = 0; i < OBJECTS; i++) {
        sum->tallies[i].schedules += report.tallies[i].schedules;
        sum->tallies[i].differ += report.tallies[i].differ;
        sum->tallies[i].points += report.tallies[i].points;
        sum->failed[i] |= report.failed[i];
    }
    return true;
}

static unsigned run_processes(struct report *sum) {
    int children[PROCESSES_MAX], from[PROCESSES_MAX];
    unsigned died = 0;
    for (unsigned i = 0; i < options.processes; i++) children[i] = start_process(i, &from[i]);
    for (unsigned i = 0; i < options.processes; i++) died += !end_process(children[i], from[i], sum);
    return died;
}

/* ------------------------------------------------------------------------------------------------------------- report */

static void print_tally(const char *name, const struct tally *tally) {
    double points = tally->schedules == 0 ? 0 : (double)tally->points / (double)tally->schedules;
    printf("%-12s %10llu schedules, %10llu differ, %5.1f points each\n", name, (unsigned long long)tally->schedules,
           (unsigned long long)tally->differ, points);
}

static int run_all(void) {
    static struct report report;
    struct tally sum = {0};
    double began = now_seconds();
    unsigned failed = run_processes(&report), passed = 0;
    double took = now_seconds() - began;
    for (unsigned i = 0; i < OBJECTS; i++) {
        if (!is_asked_for(objects[i])) continue;
        print_tally(objects[i]->name, &report.tallies[i]);
        sum.schedules += report.tallies[i].schedules;
        sum.differ += report.tallies[i].differ;
        sum.points += report.tallies[i].points;
        failed += report.failed[i];
        passed += !report.failed[i];
    }
    print_tally("in all", &sum);
    printf("%llu schedules of the simulated runtime in %.1f s, by %u process%s: %.0f a second\n",
           (unsigned long long)sum.schedules, took, options.processes, options.processes == 1 ? "" : "es",
           (double)sum.schedules / took);
    printf("totals: %u passed, %u failed\n", passed, failed);
    return failed > 0 || passed == 0;
}

/* ------------------------------------------------------------------------------------------------------------ options */

static _Noreturn void show_usage(void) {
    fprintf(stderr, "usage: history [--only OBJECT] [--seconds N] [--schedules N] [--processes N] [--first SEED]\n"
                    "               [--replay SEED [--without BITS]]\n");
    exit(2);
}

static const struct object *the_object(void) {
    for (unsigned i = 0; i < OBJECTS; i++) {
        if (options.only != NULL && is_asked_for(objects[i])) return objects[i];
    }
    show_usage();
}

static void read_option(const char *name, const char *value) {
    uint64_t number = strtoull(value, NULL, 0);
    if (strcmp(name, "--only") == 0) {
        options.only = value;
    } else if (strcmp(name, "--seconds") == 0) {
        options.seconds = atof(value);
    } else if (strcmp(name, "--schedules") == 0) {
        options.schedules = number;
    } else if (strcmp(name, "--processes") == 0 && number >= 1 && number <= PROCESSES_MAX) {
        options.processes = (unsigned)number;
    } else if (strcmp(name, "--first") == 0) {
        options.first = number;
    } else if (strcmp(name, "--replay") == 0) {
        options.replay = number;
        options.replays = true;
    } else if (strcmp(name, "--without") == 0) {
        options.left_out = number;
    } else {
        show_usage();
    }
}

int main(int count, char **words) {
    for (int i = 1; i + 1 < count; i += 2) read_option(words[i], words[i + 1]);
    if (count % 2 == 0) show_usage();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (options.replays) return seed_show(the_object(), options.replay, options.left_out) != 0;
    if (options.only != NULL) (void)the_object();
    return run_all();
}
