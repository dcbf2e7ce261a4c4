/* SPDX-License-Identifier: MIT */
/* filch-bench: measures filch beside what else does the same work. */
#include <stdio.h>
#include <string.h>

#include "../common/filch.h"
#include "../common/pool.h"
#include "../common/thread.h"
#include "../net/serve.h"
#include "bench_run.h"
#include "json.h"
#include "machine.h"
#include "options.h"
#include "short_table.h"
#include "table.h"

static void inside_nothing(struct run *run, const struct job *job, body_fn *body) {
    body(run, job);
}

static around_fn *around_for(const char *system) {
    if (strncmp(system, "filch", 5) == 0) return inside_filch;
    if (strcmp(system, "pthread-pool") == 0) return inside_pool;
    if (strcmp(system, "pthread") == 0) return inside_threads;
    return inside_nothing;
}

/* This process is a child: it makes one measurement. */
static int measure_one(int count, char **arguments) {
    const struct workload *workload = workload_find(arguments[2]);
    const struct entry *entry = workload ? entry_find(workload, arguments[3]) : NULL;
    if (!entry || !entry->round) fail("%s by %s is not in this program", arguments[2], arguments[3]);
    struct job jobs[] = {{.workload = workload->name,
                          .round = entry->round,
                          .prepare = workload->prepare,
                          .checksum = workload->checksum,
                          .cold = workload->cold},
                         {0}};
    return measure_main(count, arguments, jobs, workload->outside ? inside_nothing : around_for(entry->system));
}

static int list(void) {
    for (const struct workload *const *workload = workloads; *workload; workload++) {
        printf("%-14s", (*workload)->name);
        for (const struct entry *entry = (*workload)->systems; entry->system; entry++) printf(" %s", entry->system);
        putchar('\n');
    }
    return 0;
}

/* Counts what went wrong. */
static unsigned count_bad(const struct series *series, unsigned count) {
    unsigned bad = 0;
    for (unsigned i = 0; i < count; i++)
        if (series[i].status == STATUS_FAILED || series[i].status == STATUS_WRONG) bad++;
    return bad;
}

static int measure_all(const struct options *options) {
    static struct series series[SERIES_MAX];
    FILE *json = options->json ? json_open(options->json) : NULL;
    struct machine machine = machine_here();
    unsigned measured = 0, bad = 0;
    printf("%s, %d processors, %s, %s, %s\n", machine.processor, machine.processors, machine.kernel, machine.compiler,
           machine.date);
    if (!options->long_table) short_table_head(options);
    for (const struct workload *const *workload = workloads; *workload; workload++) {
        if (!options_want_workload(options, *workload)) continue;
        unsigned count = measure_workload(options, *workload, series);
        if (count == 0) continue;
        if (options->long_table)
            table_print(*workload, series, count);
        else
            short_table_row(options, *workload, series, count);
        if (json) json_add(json, &machine, series, count);
        measured += count;
        bad += count_bad(series, count);
        for (unsigned i = 0; i < count; i++) series_free(&series[i]);
    }
    if (json) json_close(json);
    if (measured == 0) fail("no workload or system of that name; --list names them");
    printf("\n%u measurements, %u failed\n", measured, bad);
    return bad > 0;
}

int main(int count, char **arguments) {
    if (count > 3 && strcmp(arguments[1], "--one") == 0) return measure_one(count, arguments);
    if (count > 1 && strcmp(arguments[1], "--serve") == 0) return serve_main(count, arguments);
    struct options options = options_parse(count, arguments);
    return options.list ? list() : measure_all(&options);
}
