/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/top/symbols.h"

enum { PAGE = 4096 };

struct symbols {
    Dwfl *dwfl;
};

/* As the process sees its files; else by the same name here. */
static int open_image(const struct target *target, const char *path) {
    char name[4352];
    if (!target->core) {
        snprintf(name, sizeof name, "/proc/%d/root%s", target->process, path);
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) return fd;
    }
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void report_image(struct symbols *symbols, struct target *target, const struct target_map *map) {
    char there[PAGE], here[PAGE];
    if (!target_read(target, map->start, there, PAGE) || memcmp(there, ELFMAG, SELFMAG) != 0) return;
    int fd = open_image(target, map->path);
    if (fd < 0) return;
    if (pread(fd, here, PAGE, 0) != PAGE || memcmp(here, there, PAGE) != 0) { /* another build by the same name */
        close(fd);
        return;
    }
    const char *slash = strrchr(map->path, '/');
    if (dwfl_report_elf(symbols->dwfl, slash + 1, map->path, fd, map->start, false) == NULL) close(fd);
}

struct symbols *symbols_open(struct target *target) {
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .section_address = dwfl_offline_section_address,
    };
    struct symbols *symbols = calloc(1, sizeof *symbols);
    if (symbols == NULL) return NULL;
    symbols->dwfl = dwfl_begin(&callbacks);
    if (symbols->dwfl == NULL) {
        free(symbols);
        return NULL;
    }
    dwfl_report_begin(symbols->dwfl);
    for (size_t i = 0; i < target->map_count; i++) {
        const struct target_map *map = &target->maps[i];
        if (map->offset != 0 || map->path[0] != '/') continue;
        if (i > 0 && strcmp(target->maps[i - 1].path, map->path) == 0) continue;
        report_image(symbols, target, map);
    }
    dwfl_report_end(symbols->dwfl, NULL, NULL);
    return symbols;
}

void symbols_close(struct symbols *symbols) {
    if (symbols == NULL) return;
    dwfl_end(symbols->dwfl);
    free(symbols);
}

uint64_t symbols_find(struct symbols *symbols, uint64_t address, struct place *place) {
    GElf_Off offset = 0;
    GElf_Sym symbol;
    Dwfl_Module *module = dwfl_addrmodule(symbols->dwfl, address);
    if (module == NULL) return 0;
    const char *name = dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);
    if (name != NULL) snprintf(place->function, sizeof place->function, "%s", name);
    Dwfl_Line *line = dwfl_module_getsrc(module, address);
    int number = 0;
    const char *file = line == NULL ? NULL : dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
    if (file != NULL) {
        const char *slash = strrchr(file, '/');
        snprintf(place->line, sizeof place->line, "%.32s:%d", slash == NULL ? file : slash + 1, number);
    }
    return offset;
}
