/* SPDX-License-Identifier: MIT */
/*
 * Labels: a table for the whole process, which only grows. An entry is free, then busy while one thread fills it, then there
 * for good. Who finds one busy goes on to the next: so the same may be there twice, which does no harm.
 *
 * Edge
 *   LABEL   who fills an entry: state (release) -> whoever sees it there (acquire)   carries the entry
 */
#include <string.h>

#include "sched/trace.h"

enum label_state { LABEL_FREE, LABEL_BUSY, LABEL_THERE };

enum { LOOKS_MAX = 64 };

static struct filch__label table[LABELS]; /* number 0 is not used */

_Static_assert((int)LABELS <= (int)TRACE_OF_CALL, "a label has room in an event");

static uint32_t hash_of(const void *fn, const void *site, const char *name) {
    uint64_t words[4], hash = (uint64_t)(uintptr_t)fn * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)site;
    if (name[0] != '\0') {
        memcpy(words, name, sizeof words);
        hash ^= ((words[0] * 31 + words[1]) * 31 + words[2]) * 31 + words[3];
    }
    hash *= 0xff51afd7ed558ccdu;
    return (uint32_t)(hash >> 40);
}

static inline bool is_same(const struct filch__label *label, const void *fn, const void *site, const char *name) {
    if (label->fn != fn || label->site != site) return false;
    return name[0] == '\0' ? label->name[0] == '\0' : memcmp(label->name, name, sizeof label->name) == 0;
}

static bool fill(struct filch__label *label, const void *fn, const void *site, const char *name) {
    uint32_t state = LABEL_FREE;
    if (!cas_acquire(&label->state, &state, (uint32_t)LABEL_BUSY)) return false;
    label->fn = fn;
    label->site = site;
    memcpy(label->name, name, name[0] == '\0' ? 1 : sizeof label->name);
    store_release(&label->state, (uint32_t)LABEL_THERE); /* LABEL */
    return true;
}

uint32_t filch__label_of(const void *fn, const void *site, const char *name) {
    uint32_t hash = hash_of(fn, site, name);
    for (uint32_t looks = 0; looks < LOOKS_MAX; looks++) {
        uint32_t number = (hash + looks) % LABELS;
        struct filch__label *label = &table[number];
        if (number == 0) continue;
        uint32_t state = load_acquire(&label->state); /* LABEL */
        if (state == LABEL_THERE && is_same(label, fn, site, name)) return number;
        if (state == LABEL_FREE && fill(label, fn, site, name)) return number;
    }
    return name[0] == '\0' ? 0 : filch__label_of(fn, site, ""); /* too many names: then without */
}

const struct filch__label *filch__label_at(uint32_t number) {
    if (number == 0 || number >= LABELS) return NULL;
    return load_acquire(&table[number].state) == LABEL_THERE ? &table[number] : NULL; /* LABEL */
}
