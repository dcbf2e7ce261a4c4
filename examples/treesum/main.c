/* SPDX-License-Identifier: MIT */
/*
 * treesum: hashes all files of a directory tree one after the other, with a pool of threads, and with filch tasks, and
 * compares. The three are told apart by nothing but run_serial.c, run_pthread.c and run_filch.c.
 */
#include <errno.h>
#include <filch/filch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "progress.h"
#include "report.h"
#include "ways.h"

static const struct {
    const char *name;
    way_fn *run;
} ways[] = {{"serial", run_serial}, {"pthread", run_pthread}, {"filch", run_filch}};
#define WAY_COUNT (sizeof(ways) / sizeof(ways[0]))

static _Noreturn void give_up(const char *what, int error) {
    fprintf(stderr, "treesum: %s: %s\n", what, strerror(-error));
    exit(2);
}

static int count_workers(void *arg) {
    *(unsigned *)arg = filch_runtime_workers(filch_runtime_current());
    return 0;
}

/* Goes through the tree of `sum` once, and tells how that went. */
static struct outcome run_once(size_t way, const char *label, struct sum *sum, unsigned workers, uint64_t total) {
    struct progress progress;
    progress_begin(&progress, label, sum, total);
    int64_t start_ns = filch_now();
    int error = ways[way].run(sum, workers);
    int64_t end_ns = filch_now();
    progress_end(&progress);
    if (error != 0) give_up(ways[way].name, error);
    return outcome_of(sum, (double)(end_ns - start_ns) / 1e9);
}

static int by_seconds(const void *a, const void *b) {
    double first = ((const struct outcome *)a)->seconds, second = ((const struct outcome *)b)->seconds;
    return (first > second) - (first < second);
}

/* The first pass: finds out how much there is, and has the kernel cache it. Returns the number of files. */
static uint64_t warm_up(const char *root, unsigned workers) {
    struct sum sum;
    sum_init(&sum, root);
    run_once(0, "reading", &sum, workers, 0);
    report_tree(&sum);
    uint64_t files = sum.files;
    sum_fini(&sum);
    return files;
}

/* Goes through the tree each way in turn, `repeat` times: whatever disturbs the machine hits all of them. */
static void run_rounds(const struct options *options, uint64_t total, struct outcome *outcomes) {
    for (unsigned round = 0; round < options->repeat; round++) {
        for (size_t way = 0; way < WAY_COUNT; way++) {
            struct sum sum;
            sum_init(&sum, options->root);
            outcomes[way * options->repeat + round] = run_once(way, ways[way].name, &sum, options->workers, total);
            sum_fini(&sum);
        }
    }
}

/* The median of each way. Sorts each way's outcomes by time. */
static void report_ways(const struct options *options, struct outcome *outcomes) {
    double serial_seconds = 0;
    report_head();
    for (size_t way = 0; way < WAY_COUNT; way++) {
        struct outcome *first = &outcomes[way * options->repeat];
        qsort(first, options->repeat, sizeof(*first), by_seconds);
        const struct outcome *median = &first[options->repeat / 2];
        if (way == 0) serial_seconds = median->seconds;
        report_way(ways[way].name, way == 0 ? 1 : options->workers, median, serial_seconds);
    }
}

int main(int argc, char **argv) {
    struct options options;
    options_read(&options, argc, argv);
    if (options.workers == 0) {
        int error = filch_run(count_workers, &options.workers, NULL);
        if (error != 0) give_up("starting filch", error);
    }
    struct outcome *outcomes = calloc(WAY_COUNT * options.repeat, sizeof(*outcomes));
    if (outcomes == NULL) give_up("starting", -ENOMEM);

    uint64_t total = warm_up(options.root, options.workers);
    if (total == 0) {
        printf("There is no file that could be read.\n");
        return 2;
    }
    printf("This pass was not timed. It leaves the files in the page cache, as far as that is large enough, so\n"
           "that all ways below read them from there. Median of %u, the ways in turn:\n\n",
           options.repeat);
    fflush(stdout);
    run_rounds(&options, total, outcomes);
    report_ways(&options, outcomes);
    printf("\n");
    bool agree = report_verdict(outcomes, WAY_COUNT * options.repeat);
    free(outcomes);
    free(options.root);
    return agree ? 0 : 1;
}
