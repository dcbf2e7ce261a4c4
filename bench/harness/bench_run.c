/* SPDX-License-Identifier: MIT */
/*
 * Measures a workload: a process for each system and number of workers, in turn (A B C A B C ...), so that what the
 * machine does meanwhile meets all of them. Each checksum is compared with the one of "serial" for the same size.
 */
#include "bench_run.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"

/* What "serial" answers for a size. */
struct reference {
    int64_t n;
    uint64_t checksum;
};

struct references {
    struct reference known[SYSTEMS_MAX];
    unsigned count;
};

/* Reads "1,2,3" into values, each times `factor`. */
static void read_list(struct values *values, const char *text, double factor) {
    while (*text) {
        char *end;
        values_add(values, strtod(text, &end) * factor);
        if (end == text) break;
        text = *end == ',' ? end + 1 : end;
    }
}

static void take_field(struct series *series, const char *name, const char *text) {
    static const char *const known[] = {"workload", "system", "workers", "n"};
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) return;
    if (strcmp(name, "checksum") == 0)
        series->checksum = strtoull(text, NULL, 10);
    else if (strcmp(name, "rss_kib") == 0)
        series->rss_kib = strtod(text, NULL) > series->rss_kib ? strtod(text, NULL) : series->rss_kib;
    else if (strcmp(name, "charged_ns") == 0)
        read_list(&series->ns_per_op, text, 1); /* divided by the operations in the end */
    else if (strcmp(name, "wall_ns") == 0)
        read_list(&series->wall_ms, text, 1e-6);
    else
        values_add(series_extra(series, name), strtod(text, NULL));
}

/* Takes a line over: words of the form name=value. */
static void take_line(struct series *series, char *line) {
    char *rest;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        if (!equals) continue;
        *equals = 0;
        take_field(series, word, equals + 1);
    }
}

/* Whether `line` is a result of `system`. */
static bool line_is_of(const char *line, const char *system) {
    char wanted[64];
    if (strncmp(line, "result ", 7) != 0) return false;
    snprintf(wanted, sizeof wanted, " system=%s ", system);
    return strstr(line, wanted) != NULL;
}

/* Gives each line of `output` to the series it belongs to: `main` or one that is measured beside it. */
static bool take_output(char *output, struct series *main, struct series *series, unsigned count) {
    bool taken = false;
    char *rest;
    for (char *line = strtok_r(output, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        for (unsigned i = 0; i < count; i++) {
            struct series *one = &series[i];
            if (one != main && !(one->entry->beside && one->workers == main->workers)) continue;
            if (!line_is_of(line, one->entry->system)) continue;
            take_line(one, line);
            if (one->status == STATUS_OPEN) one->status = STATUS_OK;
            if (one == main) taken = true;
            break;
        }
    }
    return taken;
}

/* Whether it says that it cannot be measured here. */
static bool take_skip(struct series *series, const char *output) {
    static const char word[] = "skipped ";
    const char *line = strncmp(output, word, sizeof word - 1) == 0 ? output : strstr(output, "\nskipped ");
    if (!line) return false;
    const char *reason = line + (line != output) + sizeof word - 1;
    series_fail(series, STATUS_SKIPPED, "%.*s", (int)strcspn(reason, "\n\"\\"), reason);
    return true;
}

static void measure_once(struct series *one, struct series *all, unsigned count, unsigned rounds) {
    char program[PATH_MAX];
    struct child child;
    if (one->status == STATUS_FAILED || one->status == STATUS_SKIPPED) return;
    if (!child_program(one->entry, program, sizeof program)) {
        series_fail(one, STATUS_SKIPPED, "not installed");
        return;
    }
    child_run(&child, program, one->workload->name, one->entry->system, one->workers, one->n, rounds);
    if (take_skip(one, child.output)) return;
    if (child.outcome[0])
        series_fail(one, STATUS_FAILED, "%s", child.outcome);
    else if (!take_output(child.output, one, all, count))
        series_fail(one, STATUS_FAILED, "no result was printed");
}

/* The checksum for size `n`. False where it could not be had. */
static bool reference_for(struct references *references, const struct workload *workload, int64_t n,
                          uint64_t *checksum) {
    for (unsigned i = 0; i < references->count; i++) {
        if (references->known[i].n != n) continue;
        *checksum = references->known[i].checksum;
        return true;
    }
    struct series serial = {.workload = workload, .entry = entry_find(workload, "serial"), .workers = 1, .n = n};
    measure_once(&serial, &serial, 1, 1);
    bool known = serial.status == STATUS_OK;
    *checksum = serial.checksum;
    if (known && references->count < SYSTEMS_MAX)
        references->known[references->count++] = (struct reference){n, serial.checksum};
    series_free(&serial);
    return known;
}

static void verify(struct series *one, struct references *references) {
    uint64_t expected;
    if (one->status != STATUS_OK) return;
    if (!reference_for(references, one->workload, one->n, &expected))
        series_fail(one, STATUS_FAILED, "no checksum by serial to compare with");
    else if (one->checksum != expected)
        series_fail(one, STATUS_WRONG, "checksum %" PRIu64 ", serial has %" PRIu64, one->checksum, expected);
}

static void per_operation(struct series *one) {
    int64_t operations = one->workload->operations(one->n, one->checksum);
    if (operations < 1) operations = 1;
    for (unsigned i = 0; i < one->ns_per_op.count; i++) one->ns_per_op.value[i] /= (double)operations;
}

/* Systems that do not run in parallel are measured with one worker only. */
static unsigned only_workers(const struct entry *entry) {
    static const char *const sequential[] = {"serial", "plain", "floor"};
    if (entry->workers_only) return entry->workers_only;
    for (unsigned i = 0; i < sizeof sequential / sizeof *sequential; i++)
        if (strcmp(entry->system, sequential[i]) == 0) return 1;
    return 0;
}

static unsigned plan(const struct options *options, const struct workload *workload, struct series *series) {
    unsigned count = 0;
    for (const struct entry *entry = workload->systems; entry->system; entry++) {
        if (!options_want_system(options, entry)) continue;
        unsigned only = only_workers(entry);
        for (unsigned i = 0; i < (only ? 1 : options->workers_count); i++)
            series[count++] = (struct series){.workload = workload,
                                              .entry = entry,
                                              .workers = only ? only : options->workers[i],
                                              .n = entry_size(workload, entry, options->size)};
    }
    return count;
}

static void show_progress(const struct series *one, unsigned turn, unsigned turns) {
    if (!isatty(STDERR_FILENO)) return;
    if (one)
        fprintf(stderr, "\r\033[K%s  %u/%u  %s, %u workers", one->workload->name, turn + 1, turns, one->entry->system,
                one->workers);
    else
        fputs("\r\033[K", stderr);
}

unsigned measure_workload(const struct options *options, const struct workload *workload, struct series *series) {
    struct references references = {0};
    unsigned count = plan(options, workload, series);
    unsigned turns = workload->once ? 1 : options->repeat;
    for (unsigned turn = 0; turn < turns; turn++) {
        for (unsigned i = 0; i < count; i++) {
            if (series[i].entry->beside) continue;
            show_progress(&series[i], turn, turns);
            measure_once(&series[i], series, count, options->rounds);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (series[i].status == STATUS_OPEN) series_fail(&series[i], STATUS_SKIPPED, "its carrier did not run");
        verify(&series[i], &references);
        per_operation(&series[i]);
    }
    show_progress(NULL, 0, 0);
    return count;
}
