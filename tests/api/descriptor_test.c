/* SPDX-License-Identifier: MIT */
/* The descriptor for readers from outside, found as they find it: by the note. tests/sight has the readers themselves. */
#include <filch/descriptor.h>

#include <filch/filch.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

#include "tests/test.h"

/* filch's note among those of one image. */
static const struct filch_descriptor *search_notes(const char *at, size_t size) {
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, at, sizeof note);
        size_t name = (note.n_namesz + 3u) & ~3u, whole = sizeof note + name + ((note.n_descsz + 3u) & ~3u);
        if (whole > size) return NULL;
        const char *content = at + sizeof note + name;
        if (note.n_type == FILCH_DESCRIPTOR_NOTE && strcmp(at + sizeof note, FILCH_DESCRIPTOR_OWNER) == 0) {
            int64_t distance;
            memcpy(&distance, content, sizeof distance);
            return (const struct filch_descriptor *)(const void *)(content + distance);
        }
        at += whole;
        size -= whole;
    }
    return NULL;
}

static int search_image(struct dl_phdr_info *image, size_t size, void *found) {
    (void)size;
    for (int i = 0; i < image->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &image->dlpi_phdr[i];
        if (part->p_type != PT_NOTE) continue;
        const struct filch_descriptor *descriptor =
            search_notes((const char *)image->dlpi_addr + part->p_vaddr, part->p_memsz);
        if (descriptor == NULL) continue;
        *(const struct filch_descriptor **)found = descriptor;
        return 1;
    }
    return 0;
}

static const struct filch_descriptor *find_descriptor(void) {
    const struct filch_descriptor *descriptor = NULL;
    (void)dl_iterate_phdr(search_image, &descriptor);
    return descriptor;
}

TEST(descriptor, a_note_leads_to_it) {
    const struct filch_descriptor *descriptor = find_descriptor();
    check(descriptor == &filch_descriptor);
    check(memcmp(descriptor->magic, FILCH_DESCRIPTOR_MAGIC, sizeof descriptor->magic) == 0);
    check_int(descriptor->version, FILCH_DESCRIPTOR_VERSION);
    check_int(descriptor->size, sizeof *descriptor);
    check_int(descriptor->word_size, sizeof(void *));
}

TEST(descriptor, each_name_stands_there_once) {
    const struct filch_descriptor_field *fields = filch_descriptor.fields;
    int count = 0;
    while (count < FILCH_DESCRIPTOR_FIELDS && fields[count].name[0] != '\0') count++;
    check(count > 50 && count < FILCH_DESCRIPTOR_FIELDS); /* the last has no name: readers stop there */
    for (int i = 0; i < count; i++) {
        check(memchr(fields[i].name, '\0', sizeof fields[i].name) != NULL);
        for (int j = i + 1; j < FILCH_DESCRIPTOR_FIELDS; j++) check(strcmp(fields[i].name, fields[j].name) != 0);
    }
}

static bool is_listed(const filch_runtime *runtime) {
    filch_runtime *const *table = filch_descriptor.runtimes;
    for (uint32_t i = 0; i < filch_descriptor.runtimes_room; i++) {
        if (table[i] == runtime) return true;
    }
    return false;
}

TEST(descriptor, its_table_has_the_runtimes_that_there_are) {
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1}), 0);
    check(is_listed(runtime));
    check_int(filch_runtime_destroy(runtime), 0);
    check(!is_listed(runtime));
}
