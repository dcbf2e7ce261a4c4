/* SPDX-License-Identifier: MIT */
#include "base/place.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"

void filch__place_write(const void *address, char *text) {
    Dl_info info;
    if (address == NULL || dladdr(address, &info) == 0 || info.dli_fname == NULL) {
        snprintf(text, PLACE_SIZE, "%p", address);
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    const char *file = slash == NULL ? info.dli_fname : slash + 1;
    if (info.dli_sname != NULL) {
        snprintf(text, PLACE_SIZE, "%.80s(%.80s+0x%tx)", file, info.dli_sname,
                 (const char *)address - (const char *)info.dli_saddr);
    } else {
        snprintf(text, PLACE_SIZE, "%.80s(+0x%tx)", file, (const char *)address - (const char *)info.dli_fbase);
    }
}

/* ------------------------------------------------------------------------------------------------- loaded files */

enum { FILES_MAX = 64 };

struct file {
    uintptr_t base, low, high;
    char name[80];
};

static struct file files[FILES_MAX];
static ATOMIC(uint32_t) file_count; /* carries the files before it */

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* The program itself comes first, and without a name. */
static int note(struct dl_phdr_info *info, size_t size, void *arg) {
    uint32_t *count = arg;
    (void)size;
    if (*count == FILES_MAX) return 1;
    const char *name = info->dlpi_name[0] == '\0' && *count == 0 ? program_invocation_short_name : info->dlpi_name;
    struct file file = {.base = info->dlpi_addr, .low = UINTPTR_MAX};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
        uintptr_t low = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, high = low + info->dlpi_phdr[i].p_memsz;
        if (low < file.low) file.low = low;
        if (high > file.high) file.high = high;
    }
    snprintf(file.name, sizeof file.name, "%s", base_name(name));
    files[(*count)++] = file;
    return 0;
}

void filch__places_note(void) {
    uint32_t count = 0;
    store_release(&file_count, 0);
    dl_iterate_phdr(note, &count);
    store_release(&file_count, count);
}

void filch__place_write_safely(const void *address, char *text) {
    uintptr_t at = (uintptr_t)address;
    uint32_t count = load_acquire(&file_count);
    for (uint32_t i = 0; i < count; i++) {
        if (at < files[i].low || at >= files[i].high) continue;
        snprintf(text, PLACE_SIZE, "%s(+0x%tx)", files[i].name, (ptrdiff_t)(at - files[i].base));
        return;
    }
    snprintf(text, PLACE_SIZE, "%p", address);
}
