/* SPDX-License-Identifier: MIT */
/* Directories: what they hold is fetched a buffer at a time, and handed out one by one. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc/heap.h"
#include "base/assert.h"
#include "io/file.h"
#include "io/system.h"
#include "sched/sched.h"

enum { BUFFER = 32 << 10 };

struct filch_dir {
    int number;
    size_t at, end; /* of what is in the buffer and was not handed out */
    char buffer[BUFFER] __attribute__((aligned(16)));
};

int filch_dir_open(filch_dir **result, const char *path, filch_deadline deadline) {
    if (result == NULL || path == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    struct filch_dir *dir = filch__heap_get(sizeof *dir, 64);
    if (dir == NULL) return -ENOMEM;
    dir->number = filch__file_open_number(path, O_RDONLY | O_DIRECTORY, 0, deadline);
    if (dir->number >= 0) {
        *result = dir;
        return 0;
    }
    int error = dir->number;
    filch__heap_put(dir, sizeof *dir, 64);
    return error;
}

/* Fetches more: 1, or 0 at the end, or -errno. */
static int fill(struct filch_dir *dir, filch_deadline deadline) {
    struct filch__file_op op = {
        .opcode = FILE_READ_DIR, .number = dir->number, .buffer = dir->buffer, .size = sizeof dir->buffer};
    ssize_t length = filch__file_make(&op, deadline);
    if (length <= 0) return (int)length;
    dir->at = 0;
    dir->end = (size_t)length;
    return 1;
}

static bool is_dots(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int filch_dir_next(filch_dir *dir, filch_dir_entry *entry, filch_deadline deadline) {
    if (dir == NULL || entry == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    for (;;) {
        if (dir->at == dir->end) {
            int answer = fill(dir, deadline);
            if (answer <= 0) return answer;
        }
        const struct dirent64 *found = (const struct dirent64 *)(const void *)(dir->buffer + dir->at);
        dir->at += found->d_reclen;
        if (is_dots(found->d_name)) continue;
        *entry = (filch_dir_entry){.name = found->d_name, .inode = found->d_ino, .type = found->d_type};
        return 1;
    }
}

void filch_dir_close(filch_dir *dir) {
    if (dir == NULL) return;
    (void)filch__system_close(dir->number);
    filch__heap_put(dir, sizeof *dir, 64);
}
