/* SPDX-License-Identifier: MIT */
/* What a metric is: a number of filch/stats.h with a name. Private to io/. */
#ifndef FILCH_IO_METRICS_H
#define FILCH_IO_METRICS_H

#include <stddef.h>

enum filch__metric_type { METRIC_COUNTER, METRIC_GAUGE };

enum filch__metric_of {
    METRIC_OF_RUNTIME, /* `at` is a place in filch_stats */
    METRIC_OF_LANES,   /* the same; `part` is the place of what concerns look-ups, which is in it */
    METRIC_OF_WORKER,  /* a place in filch_worker_stats */
};

/* The type of the field, and what is made of it. */
enum filch__metric_form {
    METRIC_UINT64,
    METRIC_UINT32,
    METRIC_SECONDS, /* uint64_t, nanoseconds */
    METRIC_FLAG,    /* bool */
    METRIC_AWAKE,   /* filch_worker_state; 1 for the one */
};

struct filch__metric {
    const char *name;
    enum filch__metric_type type;
    enum filch__metric_of of;
    enum filch__metric_form form;
    size_t at, part;
    const char *help; /* with nothing to be escaped */
};

extern const struct filch__metric filch__metrics[];
extern const unsigned filch__metrics_count;

#endif
