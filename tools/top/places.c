/* SPDX-License-Identifier: MIT */
#include "tools/top/places.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/top/symbols.h"

enum { PLACES_MAX = 1024 }; /* that are remembered: a program spawns from few places */

struct places {
    struct target *target;
    struct symbols *symbols;
    size_t images; /* how many were mapped when the symbols were opened */
    size_t count;
    struct place known[PLACES_MAX];
    bool exact[PLACES_MAX];
};

static size_t images_of(const struct target *target) {
    size_t images = 0;
    for (size_t i = 0; i < target->map_count; i++) {
        images += target->maps[i].offset == 0 && target->maps[i].path[0] != '\0';
    }
    return images;
}

struct places *places_open(struct target *target) {
    struct places *places = calloc(1, sizeof *places);
    if (places == NULL) return NULL;
    places->target = target;
    places->symbols = symbols_open(target);
    places->images = images_of(target);
    return places;
}

void places_close(struct places *places) {
    symbols_close(places->symbols);
    free(places);
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* Where the first byte of the image that `map` is a part of is mapped. */
static uint64_t base_of(const struct target *target, const struct target_map *map) {
    uint64_t base = map->start;
    for (size_t i = 0; i < target->map_count; i++) {
        if (strcmp(target->maps[i].path, map->path) == 0 && target->maps[i].start < base) base = target->maps[i].start;
    }
    return base;
}

static void find(struct places *places, struct place *place, bool exact) {
    const struct target_map *map = target_map_of(places->target, place->address);
    if (map == NULL || map->path[0] == '\0') {
        snprintf(place->text, sizeof place->text, "%#" PRIx64, place->address);
        return;
    }
    uint64_t offset = 0, at = exact ? place->address : place->address - 1; /* in the call, not behind it */
    if (places->symbols != NULL) offset = symbols_find(places->symbols, at, place) + (place->address - at);
    if (place->function[0] != '\0') {
        snprintf(place->text, sizeof place->text, "%.32s(%s+%#" PRIx64 ")", last_part(map->path), place->function,
                 offset);
    } else {
        snprintf(place->text, sizeof place->text, "%.32s(+%#" PRIx64 ")", last_part(map->path),
                 place->address - base_of(places->target, map));
    }
}

void places_refresh(struct places *places) {
    if (places->images == images_of(places->target)) return;
    symbols_close(places->symbols);
    places->symbols = symbols_open(places->target);
    places->images = images_of(places->target);
    places->count = 0;
}

const struct place *places_find(struct places *places, uint64_t address, bool exact) {
    for (size_t i = 0; i < places->count; i++) {
        if (places->known[i].address == address && places->exact[i] == exact) return &places->known[i];
    }
    if (places->count == PLACES_MAX) places->count = 0;
    struct place place = {.address = address};
    find(places, &place, exact);
    places->known[places->count] = place;
    places->exact[places->count] = exact;
    return &places->known[places->count++];
}
