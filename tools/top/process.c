/* SPDX-License-Identifier: MIT */
/* The memory of a living process, by process_vm_readv(2), or where that is not to be had, by /proc/PID/mem. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tools/top/target.h"

enum { PIECES_MAX = 1024 }; /* in a call: IOV_MAX */

static bool has_ended(const struct target *target) {
    if (target->alive >= 0) return poll(&(struct pollfd){.fd = target->alive, .events = POLLIN}, 1, 0) == 1;
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", target->process);
    return access(path, F_OK) != 0;
}

static bool fail_to_read(struct target *target, uint64_t address, int error) {
    if (error == ESRCH || has_ended(target)) return target_fail(target, "process %d has ended", target->process);
    return target_fail(target, "cannot read process %d at %#" PRIx64 ": %s", target->process, address, strerror(error));
}

static bool read_by_file(struct target *target, uint64_t address, void *to, size_t size) {
    ssize_t got = pread(target->memory, to, size, (off_t)address);
    return got == (ssize_t)size || fail_to_read(target, address, got < 0 ? errno : EFAULT);
}

static bool process_read(struct target *target, uint64_t address, void *to, size_t size) {
    if (target->memory >= 0) return read_by_file(target, address, to, size);
    struct iovec here = {to, size}, there = {(void *)(uintptr_t)address, size};
    ssize_t got = process_vm_readv(target->process, &here, 1, &there, 1, 0);
    return got == (ssize_t)size || fail_to_read(target, address, got < 0 ? errno : EFAULT);
}

/* One call; it ends at the first piece that cannot be read. Returns how many pieces were. */
static size_t read_some(struct target *target, struct target_piece *pieces, size_t count) {
    struct iovec here[PIECES_MAX], there[PIECES_MAX];
    if (count == 0) return 0;
    for (size_t i = 0; i < count; i++) {
        here[i] = (struct iovec){pieces[i].to, pieces[i].size};
        there[i] = (struct iovec){(void *)(uintptr_t)pieces[i].address, pieces[i].size};
    }
    ssize_t got = process_vm_readv(target->process, here, count, there, count, 0);
    size_t done = 0;
    for (; done < count && got >= (ssize_t)pieces[done].size; done++) {
        got -= (ssize_t)pieces[done].size;
        pieces[done].read = true;
    }
    return done;
}

static void process_read_many(struct target *target, struct target_piece *pieces, size_t count) {
    for (size_t i = 0; i < count;) {
        size_t some = count - i < PIECES_MAX ? count - i : PIECES_MAX;
        size_t done = target->memory < 0 ? read_some(target, pieces + i, some) : 0;
        i += done;
        if (done == some) continue;
        pieces[i].read = target_read(target, pieces[i].address, pieces[i].to, pieces[i].size);
        i++;
    }
}

/* --------------------------------------------------------------------------------------------------------- mappings */

static bool fail_to_open(struct target *target, int error) {
    int scope = 0;
    if (error == ENOENT || error == ESRCH) return target_fail(target, "there is no process %d", target->process);
    if (error != EACCES && error != EPERM)
        return target_fail(target, "process %d: %s", target->process, strerror(error));
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    if (file != NULL) {
        if (fscanf(file, "%d", &scope) != 1) scope = 0;
        fclose(file);
    }
    if (scope > 0) {
        return target_fail(target,
                           "no permission to read process %d: kernel.yama.ptrace_scope is %d (%s); see ptrace(2)",
                           target->process, scope,
                           scope == 1   ? "only its parents and root may"
                           : scope == 2 ? "only root may"
                                        : "nobody may");
    }
    return target_fail(target, "no permission to read process %d: it must be of the same user, or this be run by root",
                       target->process);
}

static bool read_maps(struct target *target) {
    char path[32], *line = NULL;
    size_t room = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", target->process);
    FILE *file = fopen(path, "re");
    if (file == NULL) return fail_to_open(target, errno);
    target_maps_clear(target);
    bool added = true;
    errno = 0;
    while (added && getline(&line, &room, file) > 0) {
        uint64_t start, end, offset;
        int name = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &start, &end, &offset, &name) < 3)
            continue;
        added = target_map_add(target, start, end, offset, line[name] == '/' ? line + name : "");
    }
    int error = ferror(file) ? errno : 0;
    free(line);
    fclose(file);
    if (!added) return false;
    if (error != 0) return fail_to_open(target, error);
    if (target->map_count > 0) return true;
    return target_fail(target, "process %d has no memory: it has ended, or is a thread of the kernel", target->process);
}

static bool process_refresh(struct target *target) {
    if (has_ended(target)) return target_fail(target, "process %d has ended", target->process);
    return read_maps(target);
}

static void process_close(struct target *target) {
    if (target->memory >= 0) close(target->memory);
    if (target->alive >= 0) close(target->alive);
}

static void read_name(struct target *target) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/comm", target->process);
    FILE *file = fopen(path, "re");
    if (file == NULL) return;
    if (fgets(target->name, sizeof target->name, file) != NULL) target->name[strcspn(target->name, "\n")] = '\0';
    fclose(file);
}

/* By the header of any file that it has mapped, and by whether its memory can be read at all. */
static bool probe(struct target *target) {
    unsigned char header[EI_NIDENT];
    for (size_t i = 0; i < target->map_count; i++) {
        if (target->maps[i].offset != 0 || target->maps[i].path[0] == '\0') continue;
        struct iovec here = {header, sizeof header}, there = {(void *)(uintptr_t)target->maps[i].start, sizeof header};
        if (target->memory < 0 && process_vm_readv(target->process, &here, 1, &there, 1, 0) < 0 &&
            (errno == ENOSYS || errno == EPERM)) {
            char path[32];
            snprintf(path, sizeof path, "/proc/%d/mem", target->process);
            target->memory = open(path, O_RDONLY | O_CLOEXEC);
            if (target->memory < 0) return fail_to_open(target, errno);
        }
        if (!target_read(target, target->maps[i].start, header, sizeof header)) continue;
        if (memcmp(header, ELFMAG, SELFMAG) != 0 || header[EI_CLASS] == ELFCLASS64) continue;
        return target_fail(target, "process %d is a 32-bit program; this filch-top reads 64-bit ones", target->process);
    }
    return true;
}

bool target_open_process(struct target *target, pid_t process) {
    static const struct target_kind kind = {process_read, process_read_many, process_refresh, process_close};
    *target = (struct target){.kind = &kind, .process = process, .memory = -1, .alive = -1};
    target->alive = (int)syscall(SYS_pidfd_open, process, 0);
    read_name(target);
    if (read_maps(target) && probe(target)) return true;
    target_close(target);
    return false;
}
