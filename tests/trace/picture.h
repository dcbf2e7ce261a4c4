/* SPDX-License-Identifier: MIT */
/*
 * What the tests of traces share: a strict reader of JSON, and a check of what is in a picture: that slices are in each
 * other or apart, that each is closed, that each arrow has two ends, and that both are at slices.
 */
#ifndef FILCH_TESTS_TRACE_PICTURE_H
#define FILCH_TESTS_TRACE_PICTURE_H

#include <ctype.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

enum { PICTURE_DEPTH_MAX = 128, PICTURE_TIDS_MAX = 128, PICTURE_COUNTERS_MAX = 128 };

/* ------------------------------------------------------------------------------------------------------------- JSON */

/* Each of these goes past what it reads; what is not JSON fails the test. */
static const char *json_value(const char *at);

static const char *json_space(const char *at) {
    while (*at == ' ' || *at == '\n') at++;
    return at;
}

static const char *json_utf8(const char *at) {
    const unsigned char *bytes = (const unsigned char *)at;
    int more = bytes[0] < 0x80 ? 0 : bytes[0] >= 0xf0 ? 3 : bytes[0] >= 0xe0 ? 2 : 1;
    check(more == 0 || (bytes[0] >= 0xc2 && bytes[0] < 0xf5));
    for (int i = 1; i <= more; i++) check((bytes[i] & 0xc0) == 0x80);
    return at + 1 + more;
}

static const char *json_string(const char *at) {
    check(*at == '"');
    for (at++; *at != '"';) {
        check((unsigned char)*at >= ' ');
        if (*at != '\\') {
            at = json_utf8(at);
        } else if (at[1] == 'u') {
            for (int i = 2; i < 6; i++) check(isxdigit((unsigned char)at[i]));
            at += 6;
        } else {
            check(strchr("\"\\/bfnrt", at[1]) != NULL);
            at += 2;
        }
    }
    return at + 1;
}

static const char *json_number(const char *at) {
    if (*at == '-') at++;
    check(isdigit((unsigned char)*at));
    if (*at == '0') check(!isdigit((unsigned char)at[1]));
    while (isdigit((unsigned char)*at)) at++;
    if (*at != '.') return at;
    check(isdigit((unsigned char)*++at));
    while (isdigit((unsigned char)*at)) at++;
    return at;
}

/* Of an object, with names, or of an array. */
static const char *json_members(const char *at, char close, bool named) {
    at = json_space(at + 1);
    if (*at == close) return at + 1;
    for (;;) {
        if (named) {
            at = json_space(json_string(at));
            check(*at++ == ':');
        }
        at = json_space(json_value(json_space(at)));
        if (*at == close) return at + 1;
        check(*at++ == ',');
        at = json_space(at);
    }
}

static const char *json_value(const char *at) {
    if (*at == '{') return json_members(at, '}', true);
    if (*at == '[') return json_members(at, ']', false);
    if (*at == '"') return json_string(at);
    /* By the first letter first, as line_end() below. */
    if (*at == 't' && strncmp(at, "true", 4) == 0) return at + 4;
    if (*at == 'f' && strncmp(at, "false", 5) == 0) return at + 5;
    return json_number(at);
}

/* ---------------------------------------------------------------------------------------------------------- picture */

struct slice {
    long tid;
    double from, to;
};

struct flow {
    long id, tid;
    double at;
};

struct row {
    long tid;
    int depth;
    double now;
    double begun[PICTURE_DEPTH_MAX];
};

struct counter {
    char name[64];
    double at; /* the last value's time */
    long first, last, least, most;
    unsigned count; /* of values */
};

struct picture {
    char *text;
    unsigned counter_count;
    struct counter counters[PICTURE_COUNTERS_MAX];
    size_t slice_count, start_count, finish_count; /* of `slices`, those at the top */
    struct slice *slices;
    struct flow *starts, *finishes;
    unsigned begins, instants; /* of slices, and instants */
    unsigned long events, lost;
    unsigned row_count;
    struct row rows[PICTURE_TIDS_MAX];
};

static struct row *row_of(struct picture *picture, long tid) {
    for (unsigned i = 0; i < picture->row_count; i++) {
        if (picture->rows[i].tid == tid) return &picture->rows[i];
    }
    check(picture->row_count < PICTURE_TIDS_MAX);
    struct row *row = &picture->rows[picture->row_count++];
    *row = (struct row){.tid = tid};
    return row;
}

/* The number after `name` in the line, which must be there. */
static double number_in(const char *line, const char *name) {
    const char *at = strstr(line, name);
    check(at != NULL);
    return strtod(at + strlen(name), NULL);
}

static void slice_add(struct picture *picture, long tid, double from, double to) {
    check(to >= from);
    picture->slices[picture->slice_count++] = (struct slice){tid, from, to};
}

static struct counter *counter_named(struct picture *picture, const char *name) {
    for (unsigned i = 0; i < picture->counter_count; i++) {
        if (strcmp(picture->counters[i].name, name) == 0) return &picture->counters[i];
    }
    return NULL;
}

/* A counter's values come in the order of time. */
static void read_counter(struct picture *picture, const char *line) {
    char name[64];
    const char *at = strstr(line, "\"cat\":\"counter\",\"name\":\"");
    check(at != NULL && sscanf(at + 24, "%63[^\"]", name) == 1);
    struct counter *counter = counter_named(picture, name);
    double now = number_in(line, "\"ts\":");
    long value = (long)number_in(line, "\"args\":{\"value\":");
    check(value >= 0);
    if (counter == NULL) {
        check(picture->counter_count < PICTURE_COUNTERS_MAX);
        counter = &picture->counters[picture->counter_count++];
        *counter = (struct counter){.first = value, .least = value};
        memcpy(counter->name, name, sizeof name);
    }
    check(now >= counter->at);
    counter->at = now;
    counter->last = value;
    counter->count++;
    if (value > counter->most) counter->most = value;
    if (value < counter->least) counter->least = value;
}

static void read_event(struct picture *picture, const char *line) {
    char phase = line[7];
    if (phase == 'M') return;
    if (phase == 'C') {
        read_counter(picture, line);
        return;
    }
    long tid = (long)number_in(line, "\"tid\":");
    double at = number_in(line, "\"ts\":");
    struct row *row = row_of(picture, tid);
    check(at >= 0);
    switch (phase) {
    case 'B':
        check(at >= row->now);
        check(row->depth < PICTURE_DEPTH_MAX);
        row->begun[row->depth++] = row->now = at;
        picture->begins++;
        break;
    case 'E':
        check(at >= row->now && row->depth > 0);
        row->now = at;
        if (--row->depth == 0) slice_add(picture, tid, row->begun[0], at);
        break;
    case 'X':
        slice_add(picture, tid, at, at + number_in(line, "\"dur\":"));
        break;
    case 'i':
        picture->instants++;
        break;
    case 's':
        picture->starts[picture->start_count++] = (struct flow){(long)number_in(line, "\"id\":"), tid, at};
        break;
    case 'f':
        check(row->depth > 0 && at >= row->now);
        picture->finishes[picture->finish_count++] = (struct flow){(long)number_in(line, "\"id\":"), tid, at};
        break;
    default:
        check(!"an event of a known kind");
    }
}

/* Of those that begin at once, the one without a length was first. */
static int slice_order(const void *one, const void *other) {
    const struct slice *a = one, *b = other;
    if (a->tid != b->tid) return a->tid < b->tid ? -1 : 1;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    return a->to < b->to ? -1 : a->to > b->to;
}

/* The slices are in order, and apart. Two look-backs more, for those that have no length. */
static bool is_at_a_slice(const struct picture *picture, const struct flow *flow) {
    size_t low = 0, high = picture->slice_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct slice *slice = &picture->slices[middle];
        bool before = slice->tid < flow->tid || (slice->tid == flow->tid && slice->from <= flow->at);
        if (before) low = middle + 1;
        if (!before) high = middle;
    }
    for (int i = 0; i < 3 && low-- > 0 && picture->slices[low].tid == flow->tid; i++) {
        if (flow->at <= picture->slices[low].to + 0.0005) return true;
    }
    return false;
}

static void check_slices(struct picture *picture) {
    for (unsigned i = 0; i < picture->row_count; i++) check_int(picture->rows[i].depth, 0);
    if (picture->slice_count > 0) qsort(picture->slices, picture->slice_count, sizeof(struct slice), slice_order);
    for (size_t i = 1; i < picture->slice_count; i++) {
        struct slice *before = &picture->slices[i - 1], *now = &picture->slices[i];
        if (before->tid != now->tid) continue;
        check(now->from >= before->to - 0.0005);
    }
}

static void check_flows(const struct picture *picture) {
    check_int(picture->start_count, picture->finish_count);
    for (size_t i = 0; i < picture->start_count; i++) {
        check_int(picture->starts[i].id, (long)i + 1);
        check_int(picture->finishes[i].id, (long)i + 1);
        check(picture->starts[i].at <= picture->finishes[i].at);
        check(is_at_a_slice(picture, &picture->starts[i]));
    }
}

static size_t lines_in(const char *text) {
    size_t lines = 1;
    for (; *text != '\0'; text++) lines += *text == '\n';
    return lines;
}

/* Not by strchr: with strict_string_checks, AddressSanitizer's looks at all of the text. */
static char *line_end(char *text, const char *after) {
    return memchr(text, '\n', (size_t)(after - text));
}

/* Reads and checks; `text` is the picture's from now on. */
static struct picture *picture_of(char *text) {
    size_t lines = lines_in(text);
    struct picture *picture = calloc(1, sizeof *picture);
    check(picture != NULL);
    picture->text = text;
    picture->slices = calloc(lines, sizeof(struct slice));
    picture->starts = calloc(lines, sizeof(struct flow));
    picture->finishes = calloc(lines, sizeof(struct flow));
    check(picture->slices != NULL && picture->starts != NULL && picture->finishes != NULL);
    check(*json_space(json_value(text)) == '\0');
    picture->events = (unsigned long)number_in(text, "\"events\":");
    picture->lost = (unsigned long)number_in(text, "\"lost\":");
    char *after = text + strlen(text);
    for (char *line = line_end(text, after); line != NULL; line = line_end(line + 1, after)) {
        if (after - line > 8 && memcmp(line, "\n{\"ph\":\"", 8) == 0) {
            char *end = line_end(line + 1, after);
            *end = '\0';
            read_event(picture, line + 1);
            *end = '\n';
        }
    }
    check_slices(picture);
    check_flows(picture);
    return picture;
}

static void picture_free(struct picture *picture) {
    free(picture->text);
    free(picture->slices);
    free(picture->starts);
    free(picture->finishes);
    free(picture);
}

/* What the file holds, for free(). */
static char *file_text(int fd) {
    struct stat stat;
    check_int(fstat(fd, &stat), 0);
    char *text = calloc(1, (size_t)stat.st_size + 1);
    check(text != NULL);
    for (off_t done = 0; done < stat.st_size;) {
        ssize_t got = pread(fd, text + done, (size_t)(stat.st_size - done), done);
        check(got > 0);
        done += got;
    }
    return text;
}

static struct picture *picture_at(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd >= 0);
    struct picture *picture = picture_of(file_text(fd));
    close(fd);
    return picture;
}

static unsigned count_of(const char *text, const char *what) {
    unsigned count = 0;
    while ((text = strstr(text, what)) != NULL) {
        count++;
        text += strlen(what);
    }
    return count;
}

/* How many slices of tasks have the name. */
static unsigned slices_named(const struct picture *picture, const char *name) {
    char what[96];
    snprintf(what, sizeof what, "\"cat\":\"task\",\"name\":\"%s\"", name);
    return count_of(picture->text, what);
}

#endif
