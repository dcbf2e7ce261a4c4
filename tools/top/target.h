/* SPDX-License-Identifier: MIT */
/*
 * What is looked at: the memory of a process, or of one that has left a core file, and which files are mapped where.
 * A process is not stopped, and nothing is asked of it: what is read may have changed by the next read, and any read may
 * fail.
 */
#ifndef TOP_TARGET_H
#define TOP_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target_map {
    uint64_t start, end, offset; /* `offset`: in the file */
    const char *path;            /* "": no file */
};

/* A piece of memory to be read. */
struct target_piece {
    uint64_t address;
    void *to;
    size_t size;
    bool read; /* by target_read_many: whether it was */
};

struct target;

/* How memory is read. */
struct target_kind {
    bool (*read)(struct target *target, uint64_t address, void *to, size_t size);
    void (*read_many)(struct target *target, struct target_piece *pieces, size_t count);
    bool (*refresh)(struct target *target);
    void (*close)(struct target *target);
};

struct target {
    const struct target_kind *kind;
    pid_t process; /* in a core, the one that left it, or 0 */
    bool core;
    char name[64]; /* of its program */
    struct target_map *maps;
    size_t map_count;
    char warning[512]; /* what is amiss and yet can be lived with; "" */
    char error[512];   /* why the last call that returned false did so */

    /* of a process */
    int memory;       /* /proc/PID/mem, where process_vm_readv(2) is not to be had; -1 */
    int alive;        /* a pidfd, so that another process with its number is not taken for it; -1 */
    void *core_state; /* of a core */
};

/* Opens a process, or a core file. On false, `error` says why, and nothing is to be closed. */
bool target_open_process(struct target *target, pid_t process);
bool target_open_core(struct target *target, const char *path);
void target_close(struct target *target);

/* All of it or nothing. */
bool target_read(struct target *target, uint64_t address, void *to, size_t size);

/* Sets `read` of each. */
void target_read_many(struct target *target, struct target_piece *pieces, size_t count);

/* Text up to its zero or `size` - 1 bytes; false, and "": there is none, or it is no plain text. */
bool target_read_text(struct target *target, uint64_t address, char *to, size_t size);

/* Looks again which files are mapped. False: the process has ended. */
bool target_refresh(struct target *target);

/* The mapping that `address` lies in, or NULL. */
const struct target_map *target_map_of(const struct target *target, uint64_t address);

/* Writes `error`, and returns false. */
bool target_fail(struct target *target, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds to `warning`, unless that is there already. */
void target_warn(struct target *target, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For who fills `maps`; false: no memory. */
bool target_map_add(struct target *target, uint64_t start, uint64_t end, uint64_t offset, const char *path);
void target_maps_clear(struct target *target);

#endif
