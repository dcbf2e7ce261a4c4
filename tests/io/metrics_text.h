/* SPDX-License-Identifier: MIT */
/*
 * A strict reader of Prometheus's text format 0.0.4, as far as metrics of counters and gauges go: any text that it passes
 * is one that Prometheus takes. Stricter in that each metric must have a HELP and then a TYPE, a counter's name must end
 * with _total, and no other's may.
 */
#ifndef FILCH_TESTS_IO_METRICS_TEXT_H
#define FILCH_TESTS_IO_METRICS_TEXT_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

enum { SAMPLES_MAX = 20000, METRICS_MAX = 100, NAME_MAX_HERE = 64 };

struct samples {
    struct sample {
        const char *key; /* the name with its labels */
        size_t length;
        double value;
    } samples[SAMPLES_MAX];
    int count;
    char metrics[METRICS_MAX][NAME_MAX_HERE];
    int metric_count;
};

/* ----------------------------------------------------------------------------------------------------------- words */

static inline const char *read_name(const char *at) {
    check(isalpha((unsigned char)*at) || *at == '_');
    while (isalnum((unsigned char)*at) || *at == '_') at++;
    return at;
}

static inline const char *read_text(const char *at, const char *text) {
    check(strncmp(at, text, strlen(text)) == 0);
    return at + strlen(text);
}

/* One character of UTF-8. */
static inline const char *read_character(const char *at) {
    unsigned char first = (unsigned char)*at++;
    check(first >= ' ' || first == '\t');
    int more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    check(more == 0 || (first >= 0xc2 && first <= 0xf4));
    for (; more > 0; more--) check(((unsigned char)*at++ & 0xc0) == 0x80);
    return at;
}

/* "value": of the characters \ " and line feed, none stands there but escaped. */
static inline const char *read_value_of_label(const char *at) {
    at = read_text(at, "\"");
    while (*at != '"') {
        if (*at == '\\') {
            check(at[1] == '\\' || at[1] == '"' || at[1] == 'n');
            at += 2;
        } else {
            at = read_character(at);
        }
    }
    return at + 1;
}

static inline const char *read_labels(const char *at) {
    if (*at != '{') return at;
    do {
        at = read_text(read_name(at + 1), "=");
        at = read_value_of_label(at);
    } while (*at == ',');
    return read_text(at, "}");
}

/* ----------------------------------------------------------------------------------------------------------- lines */

static inline const char *read_sample(struct samples *all, const char *at, const char *name) {
    check(all->count < SAMPLES_MAX);
    struct sample *sample = &all->samples[all->count];
    const char *end = read_labels(read_text(at, name));
    *sample = (struct sample){.key = at, .length = (size_t)(end - at)};
    for (int i = 0; i < all->count; i++) {
        const struct sample *other = &all->samples[i];
        check(other->length != sample->length || memcmp(other->key, sample->key, sample->length) != 0);
    }
    char *rest;
    end = read_text(end, " ");
    check(isdigit((unsigned char)*end));
    sample->value = strtod(end, &rest);
    all->count++;
    return read_text(rest, "\n");
}

/* A metric: its HELP, its TYPE, its samples. */
static inline const char *read_metric(struct samples *all, const char *at) {
    check(all->metric_count < METRICS_MAX);
    char *name = all->metrics[all->metric_count];
    at = read_text(at, "# HELP ");
    const char *end = read_name(at);
    size_t length = (size_t)(end - at);
    check(length < NAME_MAX_HERE);
    memcpy(name, at, length);
    name[length] = '\0';
    for (int i = 0; i < all->metric_count; i++) check(strcmp(all->metrics[i], name) != 0);
    all->metric_count++;
    at = read_text(end, " ");
    check(*at != '\n');
    while (*at != '\n') at = read_character(at);
    at = read_text(read_text(read_text(at, "\n# TYPE "), name), " ");
    bool counter = strncmp(at, "counter", 7) == 0, total = length > 6 && strcmp(name + length - 6, "_total") == 0;
    check(counter == total);
    at = read_text(at, counter ? "counter\n" : "gauge\n");
    while (*at != '\0' && *at != '#') at = read_sample(all, at, name);
    return at;
}

/* All of it; `*all` points into the text. */
static inline void read_metrics(struct samples *all, const char *text) {
    all->count = all->metric_count = 0;
    while (*text != '\0') text = read_metric(all, text);
    check(all->metric_count > 40);
}

/* The value of the sample with this name and these labels. */
static inline double value_of(const struct samples *all, const char *key) {
    for (int i = 0; i < all->count; i++) {
        const struct sample *sample = &all->samples[i];
        if (sample->length == strlen(key) && memcmp(sample->key, key, sample->length) == 0) return sample->value;
    }
    test__failed(__FILE__, __LINE__, key);
}

/* Whether there is such a sample. */
static inline bool has_sample(const struct samples *all, const char *key) {
    for (int i = 0; i < all->count; i++) {
        const struct sample *sample = &all->samples[i];
        if (sample->length == strlen(key) && memcmp(sample->key, key, sample->length) == 0) return true;
    }
    return false;
}

#endif
