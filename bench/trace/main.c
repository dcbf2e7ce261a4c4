/* SPDX-License-Identifier: MIT */
/*
 * What a trace costs: operations on one worker, with and without it, and the difference for each event that they leave.
 * Figures are in docs/TRACE.md.
 *
 *     filch-trace-bench [--operations N] [--rounds N]
 */
#include <filch/filch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long operations = 1000000;
static int rounds = 9;

static void must(bool good) {
    if (!good) abort();
}

/* ------------------------------------------------------------------------------------------------------- operations */

static int yielder(void *arg) {
    (void)arg;
    for (long i = 0; i < operations / 2; i++) filch_yield();
    return 0;
}

static int yields(void *arg) {
    filch_task *tasks[2];
    (void)arg;
    for (int i = 0; i < 2; i++) must(filch_spawn(&tasks[i], yielder, NULL, NULL) == 0);
    for (int i = 0; i < 2; i++) must(filch_await(tasks[i], NULL, FILCH_NEVER) == 0);
    return 0;
}

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static int spawns(void *arg) {
    (void)arg;
    for (long i = 0; i < operations; i++) {
        filch_task *task;
        must(filch_spawn(&task, nothing, NULL, NULL) == 0);
        must(filch_await(task, NULL, FILCH_NEVER) == 0);
    }
    return 0;
}

static int sender(void *arg) {
    for (int i = 0; i < operations; i++) must(filch_chan_send(arg, &i, FILCH_NEVER) == 0);
    return 0;
}

static int sends(void *arg) {
    filch_chan *chan;
    filch_task *task;
    (void)arg;
    must(filch_chan_create(&chan, sizeof(int), 0) == 0);
    must(filch_spawn(&task, sender, chan, NULL) == 0);
    for (long i = 0; i < operations; i++) {
        int number;
        must(filch_chan_recv(chan, &number, FILCH_NEVER) == 0);
    }
    must(filch_await(task, NULL, FILCH_NEVER) == 0);
    filch_chan_destroy(chan);
    return 0;
}

static int marks(void *arg) {
    (void)arg;
    for (long i = 0; i < operations; i++) filch_trace_mark("mark");
    return 0;
}

/* -------------------------------------------------------------------------------------------------------- measuring */

/* How many events were put since the start: those that were kept, and those that were lost. */
static long events_of(filch_runtime *runtime) {
    FILE *file = tmpfile();
    char line[512] = "";
    must(file != NULL && filch_trace_dump(runtime, fileno(file)) >= 0);
    rewind(file);
    must(fgets(line, sizeof line, file) != NULL);
    fclose(file);
    const char *kept = strstr(line, "\"events\":"), *lost = strstr(line, "\"lost\":");
    must(kept != NULL && lost != NULL);
    return strtol(kept + 9, NULL, 10) + strtol(lost + 7, NULL, 10);
}

static double run_ns(filch_runtime *runtime, filch_fn *fn) {
    filch_task *task;
    int64_t began = filch_now();
    must(filch_runtime_spawn(runtime, &task, fn, NULL, NULL) == 0);
    must(filch_await(task, NULL, FILCH_NEVER) == 0);
    return (double)(filch_now() - began);
}

/* The shortest of some rounds each, by turns. */
static void measure(const char *name, filch_fn *fn) {
    filch_runtime *runtime;
    double plain = 1e300, traced = 1e300;
    must(filch_runtime_create(&runtime, &(filch_options){.workers = 1, .no_monitor = true}) == 0);
    for (int i = 0; i < rounds; i++) {
        double ns = run_ns(runtime, fn);
        if (ns < plain) plain = ns;
        must(filch_trace_start(runtime, NULL) == 0);
        ns = run_ns(runtime, fn);
        must(filch_trace_stop(runtime) == 0);
        if (ns < traced) traced = ns;
    }
    double events = (double)events_of(runtime);
    must(filch_runtime_destroy(runtime) == 0);
    double count = (double)operations;
    printf("%-12s %8.1f ns  traced %8.1f ns  %5.2f events each  %5.1f ns an event\n", name, plain / count,
           traced / count, events / count, (traced - plain) / events);
}

int main(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--operations") == 0) operations = strtol(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--rounds") == 0) rounds = (int)strtol(argv[i + 1], NULL, 10);
    }
    if (operations < 2 || rounds < 1) {
        fprintf(stderr, "usage: filch-trace-bench [--operations N] [--rounds N]\n");
        return 2;
    }
    measure("yield", yields);
    measure("spawn-await", spawns);
    measure("channel", sends);
    measure("mark", marks);
    return 0;
}
