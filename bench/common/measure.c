/* SPDX-License-Identifier: MIT */
/* The measurement inside a child: a warm-up, then rounds until there are enough or they have taken long enough. */
#include "bench.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "memory.h"

/* After this long no further round is begun. */
static const int64_t long_enough_ns = 500 * 1000 * 1000;

int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("filch-bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void skip(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("skipped ", stdout);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    fflush(stdout);
    exit(SKIPPED);
}

void *must_alloc(uint64_t size) {
    void *memory = malloc(size ? size : 1);
    if (!memory) fail("no memory for %" PRIu64 " bytes", size);
    return memory;
}

/* Does a round, and returns how long it took. */
static int64_t do_round(struct run *run, const struct job *job, uint64_t *checksum) {
    if (job->prepare) job->prepare(run->n);
    run->charged_ns = 0;
    int64_t begin = now_ns();
    *checksum = job->round(run);
    int64_t wall = now_ns() - begin;
    if (job->checksum) *checksum = job->checksum(run->n);
    return wall;
}

static void keep_round(struct run *run, int64_t wall, uint64_t checksum) {
    if (run->rounds > 0 && checksum != run->checksum)
        fail("%s by %s: two rounds with different checksums", run->workload, run->system);
    run->checksum = checksum;
    run->wall[run->rounds] = wall;
    run->charged[run->rounds] = run->charged_ns ? run->charged_ns : wall;
    run->rounds++;
}

void measure(struct run *run, const struct job *job) {
    uint64_t checksum;
    if (!job->cold) {
        run->warming = true;
        do_round(run, job, &checksum);
        run->warming = false;
    }
    unsigned rounds = job->cold ? 1 : run->rounds_wanted < ROUNDS_MAX ? run->rounds_wanted : ROUNDS_MAX;
    int64_t begin = now_ns();
    do {
        int64_t wall = do_round(run, job, &checksum);
        keep_round(run, wall, checksum);
    } while (run->rounds < rounds && now_ns() - begin < long_enough_ns);
}

void run_extra(struct run *run, const char *name, double value) {
    unsigned place = 0;
    while (place < run->extras && strcmp(run->extra[place].name, name) != 0) place++;
    if (place == EXTRAS_MAX) fail("too many extra figures");
    if (place == run->extras) run->extras++;
    run->extra[place].name = name;
    run->extra[place].value = value;
}

static void print_list(const char *name, const int64_t *values, unsigned count) {
    for (unsigned i = 0; i < count; i++) printf("%s%" PRId64, i ? "," : name, values[i]);
}

void run_print(const struct run *run) {
    printf("result workload=%s system=%s workers=%u n=%" PRId64 " checksum=%" PRIu64 " rss_kib=%" PRId64, run->workload,
           run->system, run->workers, run->n, run->checksum, run->rss_kib ? run->rss_kib : memory_peak_kib());
    print_list(" charged_ns=", run->charged, run->rounds);
    print_list(" wall_ns=", run->wall, run->rounds);
    for (unsigned i = 0; i < run->extras; i++) printf(" %s=%.3f", run->extra[i].name, run->extra[i].value);
    putchar('\n');
    fflush(stdout);
}

int measure_main(int count, char **arguments, const struct job *jobs, around_fn *around) {
    if (count != 7 || strcmp(arguments[1], "--one") != 0)
        fail("this program is started by filch-bench: --one workload system workers n rounds");
    struct run run = {.workload = arguments[2],
                      .system = arguments[3],
                      .workers = (unsigned)atoi(arguments[4]),
                      .n = atoll(arguments[5]),
                      .rounds_wanted = (unsigned)atoi(arguments[6])};
    while (jobs->workload && strcmp(jobs->workload, run.workload) != 0) jobs++;
    if (!jobs->workload) fail("%s does not do %s", run.system, run.workload);
    around(&run, jobs, measure);
    run_print(&run);
    return 0;
}
