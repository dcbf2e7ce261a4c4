/* SPDX-License-Identifier: MIT */
/* What was read, as lines of text: printed once, or shown by the live screen. */
#ifndef TOP_VIEWS_H
#define TOP_VIEWS_H

#include <stdio.h>

#include "tools/top/lines.h"
#include "tools/top/model.h"
#include "tools/top/places.h"

enum view {
    VIEW_TASKS,
    VIEW_TREE,
    VIEW_WAITS,
    VIEW_WORKERS,
    VIEW_COUNT,
};

enum sort {
    SORT_AGE, /* who has waited longest is first */
    SORT_STATE,
    SORT_NAME,
    SORT_COUNT, /* of those that are alike */
    SORT_SORTS,
};

extern const char *const sort_names[SORT_SORTS];

/* A worker's counters at the look before, for rates. */
struct past {
    uint64_t runtime;
    struct model_worker worker;
};

struct look {
    const struct model *model;
    struct places *places;
    enum sort sort;
    bool reverse;
    const struct past *past; /* or NULL: totals */
    size_t past_count;
    double past_seconds;
};

/* One line of a runtime: its name, workers, tasks. */
void view_runtime(struct lines *lines, const struct model *model, const struct model_runtime *runtime);

/* A view of all runtimes. */
void view_write(struct lines *lines, const struct look *look, enum view view);

/* All of it as JSON, with the keys of filch_dump's. */
void json_write(FILE *file, const struct look *look);

#endif
