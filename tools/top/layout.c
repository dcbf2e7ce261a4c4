/* SPDX-License-Identifier: MIT */
#include "tools/top/layout.h"

#include <elf.h>
#include <filch/descriptor.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADERS_MAX = 64,      /* program headers of an image */
    NOTES_MAX = 64 * 1024, /* bytes of notes of an image */
};

uint64_t layout_number(const void *record, uint32_t at, size_t size) {
    uint64_t number = 0;
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
        memcpy(&number, (const char *)record + at, size);
    } else {
        memcpy((char *)&number + sizeof number - size, (const char *)record + at, size);
    }
    return number;
}

/* ----------------------------------------------------------------------------------------------------- what is needed */

/* An offset in a record, or another number. */
#define OFFSET(group, field)                                                                                           \
    { #group "." #field, offsetof(struct layout, group.field), offsetof(struct layout, group.size) }
#define NUMBER(group, field)                                                                                           \
    { #group "." #field, offsetof(struct layout, group.field), SIZE_MAX }

static const struct needed {
    const char *name;
    size_t at;
    size_t size_at; /* of the record that it is an offset in, or SIZE_MAX */
} needed[] = {
    NUMBER(runtime, size),
    NUMBER(runtime, spares_room),
    NUMBER(slab, next),
    NUMBER(worker, size),
    NUMBER(task, size),
    NUMBER(task, READY),
    NUMBER(task, STARTED),
    NUMBER(task, CANCELLED),
    NUMBER(extra, size),
    NUMBER(extra, name_size),
    NUMBER(waiter, size),
    NUMBER(waiter, WORD),
    NUMBER(waiter, PARKED),
    NUMBER(waiter, CAUSES),
    NUMBER(waiter, RECHECK),
    NUMBER(waiter, BITS),
    NUMBER(waiter, in_place_shift),
    NUMBER(scope, size),
    NUMBER(region, OPEN),
    NUMBER(region, BITS),
    NUMBER(region, task),
    NUMBER(mutex, owner),
    NUMBER(owner, FLAG),
    NUMBER(owner, CHILD),
    NUMBER(owner, THREAD),
    OFFSET(runtime, name),
    OFFSET(runtime, worker_count),
    OFFSET(runtime, process),
    OFFSET(runtime, simulated),
    OFFSET(runtime, workers),
    OFFSET(runtime, worker_known),
    OFFSET(runtime, spares),
    OFFSET(runtime, coarse_ns),
    OFFSET(runtime, cancelled),
    OFFSET(runtime, ending),
    OFFSET(runtime, injected),
    OFFSET(runtime, helpers),
    OFFSET(runtime, stacks),
    OFFSET(runtime, task_slabs),
    OFFSET(runtime, task_slab_size),
    OFFSET(runtime, task_slab_records),
    OFFSET(runtime, task_records_at),
    OFFSET(worker, region),
    OFFSET(worker, deque_top),
    OFFSET(worker, deque_bottom),
    OFFSET(worker, queue_head),
    OFFSET(worker, queue_tail),
    OFFSET(worker, rests),
    OFFSET(worker, polls),
    OFFSET(worker, blocks),
    OFFSET(worker, thread),
    OFFSET(worker, spawned),
    OFFSET(worker, completed),
    OFFSET(worker, steals),
    OFFSET(worker, parks),
    OFFSET(worker, yields),
    OFFSET(worker, switches),
    OFFSET(worker, sleeps),
    OFFSET(worker, wakes),
    OFFSET(worker, hogs),
    OFFSET(task, fn),
    OFFSET(task, runtime),
    OFFSET(task, extra),
    OFFSET(task, spawned_at),
    OFFSET(task, wait),
    OFFSET(task, hints),
    OFFSET(task, state),
    OFFSET(extra, name),
    OFFSET(extra, task),
    OFFSET(extra, scope),
    OFFSET(waiter, word),
    OFFSET(waiter, reason),
    OFFSET(waiter, object),
    OFFSET(waiter, since_ns),
    OFFSET(scope, task),
    OFFSET(scope, name),
};

static uint32_t number_at(const struct layout *layout, size_t at) {
    uint32_t number;
    memcpy(&number, (const char *)layout + at, sizeof number);
    return number;
}

/* The target's memory decides what stands in the descriptor: nothing in it may lead out of the records that are read. */
static bool is_sound(const struct layout *layout) {
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (needed[i].size_at == SIZE_MAX) continue;
        uint32_t size = number_at(layout, needed[i].size_at);
        if (size > RECORD_MAX || number_at(layout, needed[i].at) > size) return false;
    }
    if (layout->extra.size > SMALL_RECORD_MAX || layout->waiter.size > SMALL_RECORD_MAX ||
        layout->scope.size > SMALL_RECORD_MAX) {
        return false;
    }
    return layout->runtime.spares_room <= RECORD_MAX / 16 && layout->extra.name_size <= 32 &&
           layout->waiter.in_place_shift < 64 && layout->task.size >= 16;
}

/* -------------------------------------------------------------------------------------------------------- descriptor */

static const struct filch_descriptor_field *field_of(const struct filch_descriptor *descriptor, const char *name) {
    for (size_t i = 0; i < FILCH_DESCRIPTOR_FIELDS; i++) {
        const struct filch_descriptor_field *field = &descriptor->fields[i];
        if (field->name[0] == '\0') return NULL;
        if (strncmp(field->name, name, sizeof field->name) == 0) return field;
    }
    return NULL;
}

static void read_words(const struct filch_descriptor *descriptor, const char *stem, char words[3][16]) {
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "%s.%d", stem, i);
        snprintf(words[i], sizeof words[i], "%s", "?");
        for (size_t j = 0; j < FILCH_DESCRIPTOR_WORDS; j++) {
            const struct filch_descriptor_word *word = &descriptor->words[j];
            if (strncmp(word->name, name, sizeof name) != 0) continue;
            snprintf(words[i], sizeof words[i], "%.*s", (int)sizeof word->text - 1, word->text);
        }
    }
}

/* What comes before the fields tells whether the rest may be read as this version's. */
static bool read_descriptor(struct target *target, uint64_t address, struct layout *layout) {
    struct filch_descriptor descriptor;
    if (!target_read(target, address, &descriptor, offsetof(struct filch_descriptor, fields))) return false;
    if (memcmp(descriptor.magic, FILCH_DESCRIPTOR_MAGIC, sizeof descriptor.magic) != 0) {
        return target_fail(target, "what filch's note leads to is no descriptor");
    }
    if (descriptor.version != FILCH_DESCRIPTOR_VERSION || descriptor.size != sizeof descriptor) {
        return target_fail(
            target, "the program's filch has a descriptor of version %" PRIu32 "; this filch-top reads version %d",
            descriptor.version, FILCH_DESCRIPTOR_VERSION);
    }
    if (descriptor.word_size != sizeof(uint64_t)) {
        return target_fail(target, "the program's words have %" PRIu32 " bytes; this filch-top reads 64-bit programs",
                           descriptor.word_size);
    }
    if (!target_read(target, address, &descriptor, sizeof descriptor)) return false;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const struct filch_descriptor_field *field = field_of(&descriptor, needed[i].name);
        if (field == NULL) return target_fail(target, "the program's filch does not tell where %s is", needed[i].name);
        memcpy((char *)layout + needed[i].at, &field->value, sizeof field->value);
    }
    if (!is_sound(layout)) return target_fail(target, "the descriptor of the program's filch contradicts itself");
    read_words(&descriptor, "task.state", layout->task_state);
    read_words(&descriptor, "worker.rests", layout->worker_rests);
    layout->runtimes = (uintptr_t)descriptor.runtimes;
    layout->process = (uintptr_t)descriptor.process;
    layout->runtimes_room = descriptor.runtimes_room < 4096 ? descriptor.runtimes_room : 4096;
    return true;
}

/* -------------------------------------------------------------------------------------------------------------- notes */

/* The descriptor's address by filch's note among those at `address`, or 0. */
static uint64_t search_notes(struct target *target, uint64_t address, uint64_t size) {
    static const char owner[] = FILCH_DESCRIPTOR_OWNER;
    uint64_t end = address + (size < NOTES_MAX ? size : NOTES_MAX);
    while (address + sizeof(Elf64_Nhdr) < end) {
        Elf64_Nhdr note;
        char name[sizeof owner];
        if (!target_read(target, address, &note, sizeof note)) return 0;
        uint64_t content = address + sizeof note + (((uint64_t)note.n_namesz + 3) & ~3ull);
        if (note.n_type == FILCH_DESCRIPTOR_NOTE && note.n_namesz == sizeof owner && note.n_descsz == sizeof(int64_t) &&
            target_read(target, address + sizeof note, name, sizeof name) && memcmp(name, owner, sizeof owner) == 0) {
            int64_t distance;
            if (!target_read(target, content, &distance, sizeof distance)) return 0;
            return content + (uint64_t)distance;
        }
        address = content + (((uint64_t)note.n_descsz + 3) & ~3ull);
    }
    return 0;
}

/* The same for the image whose first byte is mapped at `start`. */
static uint64_t search_image(struct target *target, uint64_t start) {
    Elf64_Ehdr header;
    Elf64_Phdr parts[HEADERS_MAX];
    if (!target_read(target, start, &header, sizeof header)) return 0;
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) return 0;
    if (header.e_phentsize != sizeof *parts || header.e_phnum > HEADERS_MAX) return 0;
    if (!target_read(target, start + header.e_phoff, parts, header.e_phnum * sizeof *parts)) return 0;
    uint64_t base = start;
    for (size_t i = header.e_phnum; i-- > 0;) {
        if (parts[i].p_type == PT_LOAD && parts[i].p_offset == 0) base = start - parts[i].p_vaddr;
    }
    for (size_t i = 0; i < header.e_phnum; i++) {
        uint64_t found =
            parts[i].p_type == PT_NOTE ? search_notes(target, base + parts[i].p_vaddr, parts[i].p_memsz) : 0;
        if (found != 0) return found;
    }
    return 0;
}

size_t layouts_find(struct target *target, struct layout layouts[LAYOUTS_MAX]) {
    size_t count = 0, images = 0;
    bool told = false;
    char why[sizeof target->error];
    for (size_t i = 0; i < target->map_count && count < LAYOUTS_MAX; i++) {
        const struct target_map *map = &target->maps[i];
        if (map->offset != 0 || map->path[0] == '\0') continue;
        images++;
        uint64_t address = search_image(target, map->start);
        if (address == 0) continue;
        memset(&layouts[count], 0, sizeof layouts[count]);
        if (read_descriptor(target, address, &layouts[count])) {
            count++;
        } else {
            memcpy(why, target->error, sizeof why);
            told = true;
        }
    }
    if (count > 0) return count;
    if (told) {
        memcpy(target->error, why, sizeof why);
    } else if (target_refresh(target)) {
        const char *what = target->core ? "the core's process" : "process";
        (void)target_fail(target,
                          "%s %d (%s) is no program with filch: none of the %zu files that it has mapped is%s%s", what,
                          target->process, target->name[0] != '\0' ? target->name : "?", images,
                          target->warning[0] != '\0' ? "; " : "", target->warning);
    }
    return 0;
}
