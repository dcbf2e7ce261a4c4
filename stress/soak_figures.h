/* SPDX-License-Identifier: MIT */
/*
 * What a process takes, read from /proc through descriptors that were opened before any ran short; and whether a row of
 * such figures stays where it is.
 *
 * Steady means: the median of the last quarter is at most a tenth above that of the second quarter, and some slack. The
 * first quarter is warming up. A row of fewer than STEADY_LEAST figures is not judged.
 */
#ifndef FILCH_STRESS_SOAK_FIGURES_H
#define FILCH_STRESS_SOAK_FIGURES_H

#include <dirent.h>
#include <fcntl.h>

#include "stress/stress.h"

enum { STEADY_LEAST = 16 };

static struct {
    int statm, maps;
    DIR *numbers, *threads;
} proc;

static void figures_open(void) {
    proc.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    proc.maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    proc.numbers = opendir("/proc/self/fd");
    proc.threads = opendir("/proc/self/task");
    must(proc.statm >= 0 && proc.maps >= 0 && proc.numbers != NULL && proc.threads != NULL);
}

static void figures_close(void) {
    close(proc.statm);
    close(proc.maps);
    closedir(proc.numbers);
    closedir(proc.threads);
}

static double figure_rss_mib(void) {
    char text[128] = "";
    must(pread(proc.statm, text, sizeof text - 1, 0) > 0);
    unsigned long pages = 0;
    must(sscanf(text, "%*u %lu", &pages) == 1);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static unsigned figure_mappings(void) {
    static char text[1 << 16];
    unsigned lines = 0;
    must(lseek(proc.maps, 0, SEEK_SET) == 0);
    for (ssize_t size; (size = read(proc.maps, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < size; i++) lines += text[i] == '\n';
    }
    return lines;
}

/* Files in /proc are not counted: these here, and those that a monitor has open for a moment now and then. */
static unsigned figure_fds(void) {
    unsigned count = 0;
    char target[16];
    rewinddir(proc.numbers);
    for (struct dirent *entry; (entry = readdir(proc.numbers)) != NULL;) {
        ssize_t length = readlinkat(dirfd(proc.numbers), entry->d_name, target, sizeof target);
        count += length >= 0 && (length < 6 || memcmp(target, "/proc/", 6) != 0);
    }
    return count;
}

static unsigned figure_threads(void) {
    unsigned count = 0;
    rewinddir(proc.threads);
    for (struct dirent *entry; (entry = readdir(proc.threads)) != NULL;) count += entry->d_name[0] != '.';
    return count;
}

/* --------------------------------------------------------------------------------------------------------------- rows */

struct row {
    const char *name;
    double slack; /* what it may grow by, beside a tenth */
    double *values;
    size_t count, room;
};

static void row_add(struct row *row, double value) {
    if (row->count == row->room) {
        row->room = row->room * 2 + 64;
        must((row->values = realloc(row->values, row->room * sizeof *row->values)) != NULL);
    }
    row->values[row->count++] = value;
}

static int ascending(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Of values [first, last). */
static double row_median(const struct row *row, size_t first, size_t last) {
    size_t count = last - first;
    double *sorted = malloc(count * sizeof *sorted);
    must(sorted != NULL);
    memcpy(sorted, row->values + first, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, ascending);
    double median = sorted[count / 2];
    free(sorted);
    return median;
}

/* Says what it is like; whether it is steady. */
static bool row_is_steady(const struct row *row) {
    if (row->count < STEADY_LEAST) return true;
    double before = row_median(row, row->count / 4, row->count / 2);
    double after = row_median(row, row->count - row->count / 4, row->count);
    bool steady = after <= before * 1.1 + row->slack;
    printf("%-12s median of the second quarter %10.1f, of the last %10.1f: %s\n", row->name, before, after,
           steady ? "steady" : "NOT STEADY");
    return steady;
}

#endif
