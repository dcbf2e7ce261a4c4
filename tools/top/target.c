/* SPDX-License-Identifier: MIT */
#include "tools/top/target.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool target_fail(struct target *target, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(target->error, sizeof target->error, format, arguments);
    va_end(arguments);
    return false;
}

void target_warn(struct target *target, const char *format, ...) {
    char text[sizeof target->warning];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t used = strlen(target->warning);
    if (strstr(target->warning, text) != NULL) return;
    snprintf(target->warning + used, sizeof target->warning - used, "%s%s", used > 0 ? "; " : "", text);
}

void target_close(struct target *target) {
    target->kind->close(target);
    target_maps_clear(target);
}

bool target_read(struct target *target, uint64_t address, void *to, size_t size) {
    if (address == 0 || address > UINT64_MAX - size)
        return target_fail(target, "nothing is at %#jx", (uintmax_t)address);
    return target->kind->read(target, address, to, size);
}

void target_read_many(struct target *target, struct target_piece *pieces, size_t count) {
    target->kind->read_many(target, pieces, count);
}

bool target_refresh(struct target *target) {
    return target->kind->refresh(target);
}

/* By small steps that do not cross a page, behind which there may be nothing. */
bool target_read_text(struct target *target, uint64_t address, char *to, size_t size) {
    size_t length = 0;
    to[0] = '\0';
    while (length + 1 < size) {
        size_t step = 64 - (size_t)(address + length) % 64;
        if (step > size - 1 - length) step = size - 1 - length;
        if (!target_read(target, address + length, to + length, step)) break;
        char *end = memchr(to + length, '\0', step);
        length = end != NULL ? (size_t)(end - to) : length + step;
        if (end == NULL && length + 1 < size) continue;
        to[length] = '\0';
        for (size_t i = 0; i < length; i++) {
            if (!isprint((unsigned char)to[i])) goto none;
        }
        return true;
    }
none:
    to[0] = '\0';
    return false;
}

bool target_map_add(struct target *target, uint64_t start, uint64_t end, uint64_t offset, const char *path) {
    if (target->map_count % 64 == 0) {
        struct target_map *maps = realloc(target->maps, (target->map_count + 64) * sizeof *maps);
        if (maps == NULL) return target_fail(target, "no memory");
        target->maps = maps;
    }
    char *copy = strdup(path);
    if (copy == NULL) return target_fail(target, "no memory");
    target->maps[target->map_count++] = (struct target_map){start, end, offset, copy};
    return true;
}

void target_maps_clear(struct target *target) {
    for (size_t i = 0; i < target->map_count; i++) free((char *)(uintptr_t)target->maps[i].path);
    free(target->maps);
    target->maps = NULL;
    target->map_count = 0;
}

const struct target_map *target_map_of(const struct target *target, uint64_t address) {
    for (size_t i = 0; i < target->map_count; i++) {
        const struct target_map *map = &target->maps[i];
        if (map->start <= address && address < map->end) return map;
    }
    return NULL;
}
