/* SPDX-License-Identifier: MIT */
#include "series.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void values_add(struct values *values, double value) {
    if (!values->value) values->value = must_alloc(VALUES_MAX * sizeof *values->value);
    if (values->count == VALUES_MAX) return;
    unsigned place = values->count++;
    for (; place > 0 && values->value[place - 1] > value; place--) values->value[place] = values->value[place - 1];
    values->value[place] = value;
}

/* The values are kept in order. */
static double quantile(const struct values *values, double part) {
    if (values->count == 0) return 0;
    double place = part * (values->count - 1);
    unsigned low = (unsigned)place;
    unsigned high = low + 1 < values->count ? low + 1 : low;
    return values->value[low] + (place - low) * (values->value[high] - values->value[low]);
}

double values_min(const struct values *values) {
    return quantile(values, 0);
}

double values_max(const struct values *values) {
    return quantile(values, 1);
}

double values_median(const struct values *values) {
    return quantile(values, 0.5);
}

double values_spread(const struct values *values) {
    double median = values_median(values);
    return median > 0 ? (quantile(values, 0.75) - quantile(values, 0.25)) / median : 0;
}

void series_fail(struct series *series, enum status status, const char *format, ...) {
    if (series->status != STATUS_OPEN && series->status != STATUS_OK) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(series->reason, sizeof series->reason, format, arguments);
    va_end(arguments);
    series->status = status;
}

struct values *series_extra(struct series *series, const char *name) {
    for (unsigned i = 0; i < series->extras_count; i++)
        if (strcmp(series->extras[i].name, name) == 0) return &series->extras[i].values;
    if (series->extras_count == EXTRAS_MAX) fail("too many extra figures");
    struct extra_series *extra = &series->extras[series->extras_count++];
    snprintf(extra->name, sizeof extra->name, "%s", name);
    return &extra->values;
}

void series_free(struct series *series) {
    free(series->ns_per_op.value);
    free(series->wall_ms.value);
    for (unsigned i = 0; i < series->extras_count; i++) free(series->extras[i].values.value);
}
