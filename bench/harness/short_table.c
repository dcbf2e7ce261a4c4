/* SPDX-License-Identifier: MIT */
/*
 * Columns stand for a system with the first number of workers that was asked for, and with the last. A workload that is
 * measured with a number of its own has its figure in the last one.
 */
#include "short_table.h"

#include <stdio.h>
#include <string.h>

struct column {
    const char *system;
    const char *title;
    bool last; /* with the last number of workers, else with the first */
};

static const struct column columns[] = {
    {"serial", "serial", true},     {"pthread", "thread each", true}, {"pthread-pool", "pool", false},
    {"pthread-pool", "pool", true}, {"filch", "filch", false},        {"filch", "filch", true},
};

enum { COLUMNS = sizeof columns / sizeof *columns, POOL = 3, THREADS = 1, FILCH = 5 };

static bool is_sequential(const struct column *column) {
    return strcmp(column->system, "serial") == 0;
}

static unsigned workers_of(const struct options *options, const struct column *column) {
    if (is_sequential(column)) return 1;
    return options->workers[column->last ? options->workers_count - 1 : 0];
}

/* Time an operation, or 0 where it was not measured. */
static double cell(const struct options *options, const struct column *column, const struct series *series,
                   unsigned count) {
    double other = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct series *one = &series[i];
        if (one->status != STATUS_OK || strcmp(one->entry->system, column->system) != 0) continue;
        if (one->workers == workers_of(options, column)) return values_median(&one->ns_per_op);
        if (column->last && one->entry->workers_only) other = values_median(&one->ns_per_op);
    }
    return other;
}

static void print_figure(double value) {
    if (value <= 0)
        printf(" %11s", "-");
    else
        printf(" %11.*f", value < 10 ? 2 : value < 100 ? 1 : 0, value);
}

void short_table_head(const struct options *options) {
    char title[32];
    printf("Median time of one operation in nanoseconds; in brackets the number of workers. The last two columns of\n"
           "figures: how many times faster filch is than a thread for each task, and than the pool.\n\n%-14s",
           "");
    for (unsigned i = 0; i < COLUMNS; i++) {
        if (is_sequential(&columns[i]))
            snprintf(title, sizeof title, "%s", columns[i].title);
        else
            snprintf(title, sizeof title, "%s [%u]", columns[i].title, workers_of(options, &columns[i]));
        printf(" %*s", i == THREADS ? 15 : 11, title);
    }
    printf(" %10s %10s  %s\n", "to threads", "to pool", "operation");
}

static void print_advantage(double other, double own) {
    if (other > 0 && own > 0)
        printf(" %9.*fx", other / own < 10 ? 1 : 0, other / own);
    else
        printf(" %10s", "-");
}

void short_table_row(const struct options *options, const struct workload *workload, const struct series *series,
                     unsigned count) {
    double cells[COLUMNS];
    printf("%-14s", workload->name);
    for (unsigned i = 0; i < COLUMNS; i++) {
        cells[i] = cell(options, &columns[i], series, count);
        if (i == THREADS) printf("    ");
        print_figure(cells[i]);
    }
    print_advantage(cells[THREADS], cells[FILCH]);
    print_advantage(cells[POOL], cells[FILCH]);
    printf("  %s\n", workload->operation);
    for (unsigned i = 0; i < count; i++)
        if (series[i].status == STATUS_FAILED || series[i].status == STATUS_WRONG)
            printf("    %s by %s, %u workers, failed: %s\n", workload->name, series[i].entry->system, series[i].workers,
                   series[i].reason);
    fflush(stdout);
}
