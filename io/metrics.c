/* SPDX-License-Identifier: MIT */
/*
 * Metrics as text. All samples of a metric stand together, so the metrics are gone through, and for each all runtimes and
 * their workers, whose numbers are read anew each time: there is no memory to keep those of any number of workers in.
 */
#include <filch/metrics.h>

#include <errno.h>
#include <filch/socket.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc/alloc.h"
#include "base/utf8.h"
#include "io/metrics.h"
#include "sched/quit.h"
#include "sched/runtime.h"
#include "sched/stats.h"

enum {
    LABEL_SIZE = 64,  /* a name of 15 bytes, each written as two, and a number */
    TEXT_ROOM = 4096, /* by which a text may grow from one look to the next, and an eighth of it */
};

/* ----------------------------------------------------------------------------------------------------------- output */

/* Where the text goes, as far as there is room. */
struct out {
    char *text;
    size_t size;   /* of `text` */
    size_t used;   /* of that */
    size_t length; /* of all, there or not */
};

static void put(struct out *out, const char *text, size_t length) {
    size_t room = out->size - out->used, part = length < room ? length : room;
    if (part > 0) memcpy(out->text + out->used, text, part);
    out->used += part;
    out->length += length;
}

static void say(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct out *out, const char *format, ...) {
    char line[320];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert_internal(length >= 0 && (size_t)length < sizeof line);
    put(out, line, (size_t)length);
}

/* ----------------------------------------------------------------------------------------------------------- labels */

/* A runtime's name as the value of a label: escaped, and without what is not of UTF-8, which no reader takes. */
static void write_label(const struct filch_runtime *runtime, char *label) {
    size_t length;
    for (const char *at = runtime->name; *at != '\0'; at += length > 0 ? length : 1) {
        length = filch__utf8_length(at);
        if (*at == '\\' || *at == '"' || *at == '\n') *label++ = '\\';
        if (length == 0 || *at == '\n') {
            *label++ = *at == '\n' ? 'n' : '?';
        } else {
            memcpy(label, at, length);
            label += length;
        }
    }
    if (runtime->namesake > 1) label += sprintf(label, "#%u", runtime->namesake);
    *label = '\0';
}

/* --------------------------------------------------------------------------------------------------------- samples */

static uint64_t value_at(const void *stats, size_t at, enum filch__metric_form form) {
    const void *field = (const char *)stats + at;
    switch (form) {
    case METRIC_UINT32:
        return *(const uint32_t *)field;
    case METRIC_FLAG:
        return *(const bool *)field;
    case METRIC_AWAKE:
        return *(const filch_worker_state *)field == FILCH_WORKER_AWAKE;
    default:
        return *(const uint64_t *)field;
    }
}

/* The end of a sample's line, behind its labels. */
static void say_value(struct out *out, uint64_t value, enum filch__metric_form form) {
    if (form == METRIC_SECONDS) {
        say(out, "} %" PRIu64 ".%09" PRIu64 "\n", value / (uint64_t)FILCH_SEC(1), value % (uint64_t)FILCH_SEC(1));
    } else {
        say(out, "} %" PRIu64 "\n", value);
    }
}

struct pass {
    struct out *out;
    const struct filch__metric *metric; /* that is told of; NULL: the runtimes themselves */
};

static void say_runtime(const struct pass *pass, struct filch_runtime *runtime, const char *label) {
    const struct filch__metric *metric = pass->metric;
    filch_stats stats;
    filch__stats_read(runtime, &stats, false); /* what a processor was used for is told of each worker */
    uint64_t value = value_at(&stats, metric->at, metric->form);
    if (metric->of == METRIC_OF_RUNTIME) {
        say(pass->out, "%s{runtime=\"%s\"", metric->name, label);
        say_value(pass->out, value, metric->form);
        return;
    }
    uint64_t look_ups = value_at(&stats, metric->part, metric->form);
    say(pass->out, "%s{runtime=\"%s\",lane=\"call\"", metric->name, label);
    say_value(pass->out, value - look_ups, metric->form);
    say(pass->out, "%s{runtime=\"%s\",lane=\"look_up\"", metric->name, label);
    say_value(pass->out, look_ups, metric->form);
}

static void say_workers(const struct pass *pass, struct filch_runtime *runtime, const char *label) {
    const struct filch__metric *metric = pass->metric;
    filch_worker_stats stats;
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) {
        filch__stats_read_worker(filch__runtime_worker(runtime, i), &stats, metric->form == METRIC_SECONDS);
        say(pass->out, "%s{runtime=\"%s\",worker=\"%u\"", metric->name, label, i);
        say_value(pass->out, value_at(&stats, metric->at, metric->form), metric->form);
    }
}

/* What is no number. */
static void say_what_it_is(const struct pass *pass, struct filch_runtime *runtime, const char *label) {
    const char *poller = filch_runtime_poller(runtime);
    say(pass->out, "filch_runtime_info{runtime=\"%s\",version=\"%s\",poller=\"%s\",guard=\"%s\"} 1\n", label,
        filch_version(), poller == NULL ? "" : poller, runtime->stock.stacks.guard_mprotect ? "mprotect" : "madvise");
}

static int say_samples(struct filch_runtime *runtime, void *arg) {
    const struct pass *pass = arg;
    char label[LABEL_SIZE];
    write_label(runtime, label);
    if (pass->metric == NULL) {
        say_what_it_is(pass, runtime, label);
    } else if (pass->metric->of == METRIC_OF_WORKER) {
        say_workers(pass, runtime, label);
    } else {
        say_runtime(pass, runtime, label);
    }
    return 0;
}

/* --------------------------------------------------------------------------------------------------------- the text */

static void say_head(struct out *out, const char *name, enum filch__metric_type type, const char *help) {
    say(out, "# HELP %s %s\n", name, help);
    say(out, "# TYPE %s %s\n", name, type == METRIC_COUNTER ? "counter" : "gauge");
}

static void say_of_runtimes(struct out *out, struct filch_runtime *runtime, const struct filch__metric *metric) {
    struct pass pass = {out, metric};
    (void)(runtime != NULL ? say_samples(runtime, &pass) : filch__runtimes_each(say_samples, &pass)); /* 0 */
}

static void say_all(struct out *out, struct filch_runtime *runtime) {
    say_head(out, "filch_runtime_info", METRIC_GAUGE, "What a runtime is.");
    say_of_runtimes(out, runtime, NULL);
    say_head(out, "filch_accept_shortages_total", METRIC_COUNTER,
             "Times that there was no descriptor or no memory for a connection, in the whole process.");
    say(out, "filch_accept_shortages_total %" PRIu64 "\n", filch_accept_shortages());
    for (unsigned i = 0; i < filch__metrics_count; i++) {
        const struct filch__metric *metric = &filch__metrics[i];
        say_head(out, metric->name, metric->type, metric->help);
        say_of_runtimes(out, runtime, metric);
    }
}

ssize_t filch_metrics_text(filch_runtime *runtime, char *text, size_t size) {
    if (text == NULL && size != 0) return -EINVAL;
    if (runtime != NULL && filch__runtime_is_parents(runtime)) return -ESHUTDOWN;
    struct out out = {.text = text, .size = size == 0 ? 0 : size - 1};
    say_all(&out, runtime);
    if (size != 0) text[out.used] = '\0';
    return (ssize_t)out.length;
}

static int write_all(int fd, const char *text, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t written = write(fd, text + done, length - done);
        if (written >= 0) {
            done += (size_t)written;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* The text, and its length, in memory for filch__heap_put; NULL: there is none. It may grow between two looks. */
static char *make_text(filch_runtime *runtime, size_t *length, size_t *size) {
    for (*length = (size_t)filch_metrics_text(runtime, NULL, 0);;) {
        *size = *length + *length / 8 + TEXT_ROOM;
        char *text = filch__heap_get(*size, 8);
        if (text == NULL) return NULL;
        *length = (size_t)filch_metrics_text(runtime, text, *size);
        if (*length < *size) return text;
        filch__heap_put(text, *size, 8);
    }
}

/* Whoever reads at the other end, and when, is no matter of the runtimes, which are not held up by that. */
int filch_metrics_write(filch_runtime *runtime, int fd) {
    if (fd < 0) return -EBADF;
    if (runtime != NULL && filch__runtime_is_parents(runtime)) return -ESHUTDOWN;
    size_t length, size;
    char *text = make_text(runtime, &length, &size);
    if (text == NULL) return -ENOMEM;
    int answer = write_all(fd, text, length);
    filch__heap_put(text, size, 8);
    return answer;
}
