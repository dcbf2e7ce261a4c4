/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct outcome outcome_of(const struct sum *sum, double seconds) {
    return (struct outcome){
        .seconds = seconds,
        .files = sum->files,
        .bytes = sum->bytes,
        .changed = sum->changed,
        .error_count = sum->error_count,
        .content = {sum->content_low, sum->content_high},
        .stamp = {sum->stamp_low, sum->stamp_high},
    };
}

void report_tree(const struct sum *sum) {
    printf("%s: %" PRIu64 " files, %.1f MB, in %" PRIu64 " directories", sum->root, sum->files,
           (double)sum->bytes / 1e6, sum->directories);
    if (sum->left_out > 0) printf("; %" PRIu64 " symbolic links and special files left out", sum->left_out);
    printf("\n");
    if (sum->error_count == 0) return;
    printf("%" PRIu64 " could not be read:\n", sum->error_count);
    for (uint64_t i = 0; i < sum->error_count && i < SUM_ERRORS_SHOWN; i++) {
        const char *path = sum->errors[i].path;
        printf("  %s: %s\n", path == NULL ? "?" : path, strerror(-sum->errors[i].error));
    }
    if (sum->error_count > SUM_ERRORS_SHOWN) printf("  and %" PRIu64 " more\n", sum->error_count - SUM_ERRORS_SHOWN);
}

void report_head(void) {
    printf("%-8s %8s %9s %10s %9s %9s  %s\n", "way", "workers", "seconds", "files/s", "MB/s", "speed-up", "digest");
}

void report_way(const char *name, unsigned workers, const struct outcome *median, double serial_seconds) {
    double seconds = median->seconds > 1e-9 ? median->seconds : 1e-9;
    printf("%-8s %8u %9.4f %10.0f %9.1f %8.2fx  %016" PRIx64 "%016" PRIx64 "\n", name, workers, seconds,
           (double)median->files / seconds, (double)median->bytes / 1e6 / seconds, serial_seconds / seconds,
           median->content.high, median->content.low);
}

static bool same(struct digest a, struct digest b) {
    return a.low == b.low && a.high == b.high;
}

bool report_verdict(const struct outcome *outcomes, size_t count) {
    bool agree = true, same_stamps = true;
    uint64_t changed = 0, errors_least = UINT64_MAX, errors_most = 0;
    for (size_t i = 0; i < count; i++) {
        agree = agree && same(outcomes[i].content, outcomes[0].content);
        same_stamps = same_stamps && same(outcomes[i].stamp, outcomes[0].stamp);
        changed += outcomes[i].changed;
        if (outcomes[i].error_count < errors_least) errors_least = outcomes[i].error_count;
        if (outcomes[i].error_count > errors_most) errors_most = outcomes[i].error_count;
    }
    if (agree) {
        printf("All %zu digests agree.\n", count);
    } else if (errors_least != errors_most) {
        printf("THE DIGESTS DIFFER. From %" PRIu64 " to %" PRIu64 " files and directories could not be read, which is "
               "why.\n",
               errors_least, errors_most);
    } else if (changed > 0 || !same_stamps) {
        printf("THE DIGESTS DIFFER. Files were changed meanwhile (%" PRIu64 " times just as they were read), which "
               "may be why.\n",
               changed);
    } else {
        printf("THE DIGESTS DIFFER, though no size and no time of change does: this is an error.\n");
    }
    return agree;
}
