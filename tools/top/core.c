/* SPDX-License-Identifier: MIT */
/*
 * The memory of a process that has left a core file. What the core does not hold, code and constants above all, is read
 * from the files that were mapped, as NT_FILE names them, as long as their first page is still what the core has of it.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/top/target.h"

enum { PAGE = 4096 };

struct segment {
    uint64_t start, size, offset; /* `size`: what the file holds */
};

/* A file that was mapped. */
struct image {
    const char *path;
    int fd;
};

struct core {
    const char *bytes; /* the file, mapped */
    uint64_t size;
    struct segment *segments; /* by address */
    size_t segment_count;
    struct image *images;
    size_t image_count;
};

/* ---------------------------------------------------------------------------------------------------------- reading */

/* The segment with the highest start that is not above `address`. */
static const struct segment *segment_at(const struct core *core, uint64_t address) {
    size_t low = 0, high = core->segment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (core->segments[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? NULL : &core->segments[low - 1];
}

/* How many of the bytes at `address` the core holds itself, from the first on. */
static size_t read_here(const struct core *core, uint64_t address, void *to, size_t size) {
    const struct segment *segment = segment_at(core, address);
    if (segment == NULL || address - segment->start >= segment->size) return 0;
    uint64_t left = segment->size - (address - segment->start);
    if (size > left) size = (size_t)left;
    memcpy(to, core->bytes + segment->offset + (address - segment->start), size);
    return size;
}

/* Another build under the same name would be worse than none. */
static bool is_the_same(const struct target *target, int fd, const char *path) {
    const struct core *core = target->core_state;
    char there[PAGE], here[PAGE];
    for (size_t i = 0; i < target->map_count; i++) {
        if (target->maps[i].offset != 0 || strcmp(target->maps[i].path, path) != 0) continue;
        if (read_here(core, target->maps[i].start, there, PAGE) != PAGE) return true; /* the core does not tell */
        return pread(fd, here, PAGE, 0) == PAGE && memcmp(here, there, PAGE) == 0;
    }
    return true;
}

static int image_of(struct target *target, const char *path) {
    struct core *core = target->core_state;
    for (size_t i = 0; i < core->image_count; i++) {
        if (strcmp(core->images[i].path, path) == 0) return core->images[i].fd;
    }
    struct image *images = realloc(core->images, (core->image_count + 1) * sizeof *images);
    if (images == NULL) return -1;
    core->images = images;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && !is_the_same(target, fd, path)) {
        target_warn(target, "%s is not the file of which the core was left: not read", path);
        close(fd);
        fd = -1;
    } else if (fd < 0) {
        target_warn(target, "%s: %s", path, strerror(errno));
    }
    images[core->image_count++] = (struct image){path, fd};
    return fd;
}

static size_t read_image(struct target *target, uint64_t address, void *to, size_t size) {
    const struct target_map *map = target_map_of(target, address);
    if (map == NULL || map->path[0] == '\0') return 0;
    int fd = image_of(target, map->path);
    if (fd < 0) return 0;
    if (size > map->end - address) size = (size_t)(map->end - address);
    ssize_t got = pread(fd, to, size, (off_t)(map->offset + (address - map->start)));
    return got < 0 ? 0 : (size_t)got;
}

static bool core_read(struct target *target, uint64_t address, void *to, size_t size) {
    for (size_t done = 0; done < size;) {
        char *at = (char *)to + done;
        size_t got = read_here(target->core_state, address + done, at, size - done);
        if (got == 0) got = read_image(target, address + done, at, size - done);
        if (got == 0) return target_fail(target, "the core does not hold what was at %#" PRIx64, address + done);
        done += got;
    }
    return true;
}

static void core_read_many(struct target *target, struct target_piece *pieces, size_t count) {
    for (size_t i = 0; i < count; i++) {
        pieces[i].read = target_read(target, pieces[i].address, pieces[i].to, pieces[i].size);
    }
}

static bool core_refresh(struct target *target) {
    (void)target;
    return true;
}

static void core_close(struct target *target) {
    struct core *core = target->core_state;
    if (core == NULL) return;
    for (size_t i = 0; i < core->image_count; i++) {
        if (core->images[i].fd >= 0) close(core->images[i].fd);
    }
    if (core->bytes != NULL) munmap((void *)(uintptr_t)core->bytes, core->size);
    free(core->images);
    free(core->segments);
    free(core);
}

/* ---------------------------------------------------------------------------------------------------------- headers */

/* Whether the file holds [offset, offset + size). */
static bool holds(const struct core *core, uint64_t offset, uint64_t size) {
    return offset <= core->size && size <= core->size - offset;
}

/* NT_FILE: how many, the size of a page; then for each start, end, offset in pages; then the names. */
static bool read_files(struct target *target, const char *at, uint64_t size) {
    uint64_t head[2];
    if (size < sizeof head) return true;
    memcpy(head, at, sizeof head);
    uint64_t count = head[0], page = head[1];
    if (count > (size - sizeof head) / 24) return true;
    const char *name = at + sizeof head + count * 24, *end = at + size;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t file[3];
        memcpy(file, at + sizeof head + i * 24, sizeof file);
        size_t length = strnlen(name, (size_t)(end - name));
        if (name + length >= end) return true;
        if (file[0] < file[1] && !target_map_add(target, file[0], file[1], file[2] * page, name)) return false;
        name += length + 1;
    }
    return true;
}

static void read_process(struct target *target, const char *at, uint64_t size) {
    struct elf_prpsinfo info;
    if (size < sizeof info) return;
    memcpy(&info, at, sizeof info);
    target->process = info.pr_pid;
    snprintf(target->name, sizeof target->name, "%.*s", (int)sizeof info.pr_fname, info.pr_fname);
}

static bool read_notes(struct target *target, uint64_t offset, uint64_t size) {
    struct core *core = target->core_state;
    if (!holds(core, offset, size)) size = offset < core->size ? core->size - offset : 0;
    while (size >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        memcpy(&note, core->bytes + offset, sizeof note);
        uint64_t name = ((uint64_t)note.n_namesz + 3) & ~3ull, content = ((uint64_t)note.n_descsz + 3) & ~3ull;
        uint64_t whole = sizeof note + name + content;
        if (whole > size) return true;
        const char *at = core->bytes + offset + sizeof note + name;
        if (note.n_type == NT_FILE && !read_files(target, at, note.n_descsz)) return false;
        if (note.n_type == NT_PRPSINFO) read_process(target, at, note.n_descsz);
        offset += whole;
        size -= whole;
    }
    return true;
}

static int by_start(const void *a, const void *b) {
    const struct segment *left = a, *right = b;
    return left->start < right->start ? -1 : left->start > right->start;
}

static bool read_segments(struct target *target, const Elf64_Ehdr *header, const char *path) {
    struct core *core = target->core_state;
    uint64_t lacking = 0, count = header->e_phnum;
    Elf64_Shdr first;
    if (count == PN_XNUM && holds(core, header->e_shoff, sizeof first)) { /* too many for the header's field */
        memcpy(&first, core->bytes + header->e_shoff, sizeof first);
        count = first.sh_info;
    }
    if (header->e_phentsize != sizeof(Elf64_Phdr) || !holds(core, header->e_phoff, count * sizeof(Elf64_Phdr))) {
        return target_fail(target, "%s is a core that ends within its headers: it was cut short", path);
    }
    core->segments = calloc(count + 1, sizeof *core->segments);
    if (core->segments == NULL) return target_fail(target, "no memory");
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Phdr part;
        memcpy(&part, core->bytes + header->e_phoff + i * sizeof part, sizeof part);
        uint64_t held = holds(core, part.p_offset, part.p_filesz) ? part.p_filesz
                        : part.p_offset < core->size              ? core->size - part.p_offset
                                                                  : 0;
        lacking += part.p_filesz - held;
        if (part.p_type == PT_NOTE && !read_notes(target, part.p_offset, held)) return false;
        if (part.p_type == PT_LOAD) {
            core->segments[core->segment_count++] = (struct segment){part.p_vaddr, held, part.p_offset};
        }
    }
    qsort(core->segments, core->segment_count, sizeof *core->segments, by_start);
    if (lacking > 0) {
        target_warn(target, "the core was cut short: %" PRIu64 " bytes of memory are missing (see ulimit -c)", lacking);
    }
    return true;
}

static bool check_header(struct target *target, const Elf64_Ehdr *header, uint64_t size, const char *path) {
    if (size < EI_NIDENT || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
        return target_fail(target, "%s is no core file: it does not begin as an ELF file does", path);
    }
    if (header->e_ident[EI_CLASS] != ELFCLASS64) {
        return target_fail(target, "%s is of a 32-bit program; this filch-top reads 64-bit ones", path);
    }
    if (size < sizeof *header) return target_fail(target, "%s ends within its header: it was cut short", path);
    if (header->e_ident[EI_DATA] != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? ELFDATA2MSB : ELFDATA2LSB)) {
        return target_fail(target, "%s is of a machine with another byte order", path);
    }
    if (header->e_type != ET_CORE) return target_fail(target, "%s is an ELF file, but no core", path);
    return true;
}

static bool open_core(struct target *target, int fd, const char *path) {
    struct core *core = target->core_state = calloc(1, sizeof *core);
    struct stat status;
    Elf64_Ehdr header = {0};
    if (core == NULL) return target_fail(target, "no memory");
    if (fstat(fd, &status) != 0) return target_fail(target, "%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode)) return target_fail(target, "%s is no file", path);
    ssize_t got = pread(fd, &header, sizeof header, 0);
    if (!check_header(target, &header, got < 0 ? 0 : (uint64_t)got, path)) return false;
    core->size = (uint64_t)status.st_size;
    void *bytes = mmap(NULL, core->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) return target_fail(target, "%s: %s", path, strerror(errno));
    core->bytes = bytes;
    return read_segments(target, &header, path);
}

bool target_open_core(struct target *target, const char *path) {
    static const struct target_kind kind = {core_read, core_read_many, core_refresh, core_close};
    *target = (struct target){.kind = &kind, .core = true, .memory = -1, .alive = -1};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return target_fail(target, "%s: %s", path, strerror(errno));
    bool opened = open_core(target, fd, path);
    close(fd);
    if (!opened) target_close(target);
    return opened;
}
