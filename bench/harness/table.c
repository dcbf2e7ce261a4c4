/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The time an operation takes by `system` with `workers`, or 0 where that is not known. */
static double ns_of(const struct series *series, unsigned count, const char *system, unsigned workers) {
    for (unsigned i = 0; i < count; i++)
        if (series[i].status == STATUS_OK && series[i].workers == workers &&
            strcmp(series[i].entry->system, system) == 0)
            return values_median(&series[i].ns_per_op);
    return 0;
}

/* Of the baseline: with the same number of workers where it has several, else with what it has. */
static double baseline_ns(const struct workload *workload, const struct series *series, unsigned count,
                          unsigned workers) {
    double same = ns_of(series, count, workload->baseline, workers);
    return same > 0 ? same : ns_of(series, count, workload->baseline, 1);
}

static void print_ratio(double part, double whole, const char *format) {
    if (part > 0 && whole > 0)
        printf(format, part / whole);
    else
        printf("%10s", "-");
}

static void print_extras(const struct series *one) {
    for (unsigned i = 0; i < one->extras_count; i++)
        printf("%s %s %.6g", i ? "," : "  ", one->extras[i].name, values_median(&one->extras[i].values));
}

static const char *status_name(enum status status) {
    return status == STATUS_SKIPPED ? "skipped" : status == STATUS_WRONG ? "WRONG" : "FAILED";
}

static void print_row(const struct series *one, double baseline, double alone) {
    printf("  %-14s %3u", one->entry->system, one->workers);
    if (one->status != STATUS_OK) {
        printf("  %s: %s\n", status_name(one->status), one->reason);
        return;
    }
    double median = values_median(&one->ns_per_op);
    printf(" %12.2f %12.2f %6.0f%%", median, values_min(&one->ns_per_op), 100 * values_spread(&one->ns_per_op));
    print_ratio(median, baseline, "%10.2f");
    print_ratio(one->workers > 1 ? alone : 0, median, "%10.2f");
    printf(" %9.1f %9" PRId64, one->rss_kib / 1024, one->n);
    print_extras(one);
    putchar('\n');
}

void table_print(const struct workload *workload, const struct series *series, unsigned count) {
    printf("\n%s: ns a %s\n", workload->name, workload->operation);
    printf("  %-14s %3s %12s %12s %7s %10s%10s %9s %9s\n", "system", "w", "median", "min", "spread", workload->baseline,
           "speed-up", "peak MiB", "n");
    for (unsigned i = 0; i < count; i++)
        print_row(&series[i], baseline_ns(workload, series, count, series[i].workers),
                  ns_of(series, count, series[i].entry->system, 1));
    fflush(stdout);
}
