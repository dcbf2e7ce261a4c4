/* SPDX-License-Identifier: MIT */
/*
 * One object a line. What did not run is there too, with its status and without figures, so that nothing is left out
 * silently. No text in it needs escaping: names and reasons are the program's own.
 */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

FILE *json_open(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) fail("cannot write %s: %s", path, strerror(errno));
    fputc('[', file);
    return file;
}

static void add_figures(FILE *file, const struct series *one) {
    fprintf(file, ",\"ns_per_op_min\":%.4f,\"ns_per_op_median\":%.4f,\"ns_per_op_max\":%.4f,\"spread\":%.4f",
            values_min(&one->ns_per_op), values_median(&one->ns_per_op), values_max(&one->ns_per_op),
            values_spread(&one->ns_per_op));
    fprintf(file, ",\"wall_ms_min\":%.4f,\"wall_ms_median\":%.4f", values_min(&one->wall_ms),
            values_median(&one->wall_ms));
    fprintf(file, ",\"rounds\":%u,\"rss_kib\":%.0f,\"checksum\":%" PRIu64, one->ns_per_op.count, one->rss_kib,
            one->checksum);
    for (unsigned i = 0; i < one->extras_count; i++)
        fprintf(file, ",\"%s\":%.3f", one->extras[i].name, values_median(&one->extras[i].values));
}

static void add_machine(FILE *file, const struct machine *machine) {
    fprintf(file, ",\"processor\":\"%s\",\"processors\":%d,\"kernel\":\"%s\"", machine->processor, machine->processors,
            machine->kernel);
    fprintf(file, ",\"compiler\":\"%s\",\"date\":\"%s\"", machine->compiler, machine->date);
}

static void add_one(FILE *file, const struct machine *machine, const struct series *one) {
    static const char *const names[] = {"open", "ok", "failed", "wrong", "skipped"};
    fputs(ftell(file) > 1 ? ",\n" : "\n", file);
    fprintf(file, "{\"workload\":\"%s\",\"system\":\"%s\",\"workers\":%u,\"n\":%" PRId64, one->workload->name,
            one->entry->system, one->workers, one->n);
    fprintf(file, ",\"operation\":\"%s\",\"baseline\":\"%s\",\"status\":\"%s\"", one->workload->operation,
            one->workload->baseline, names[one->status]);
    if (one->status == STATUS_OK)
        add_figures(file, one);
    else
        fprintf(file, ",\"reason\":\"%s\"", one->reason);
    add_machine(file, machine);
    fputc('}', file);
}

void json_add(FILE *file, const struct machine *machine, const struct series *series, unsigned count) {
    for (unsigned i = 0; i < count; i++) add_one(file, machine, &series[i]);
}

void json_close(FILE *file) {
    fputs("\n]\n", file);
    bool bad = ferror(file);
    if (fclose(file) != 0 || bad) fail("the JSON file could not be written");
}
