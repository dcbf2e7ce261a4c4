/* SPDX-License-Identifier: MIT */
/* Whole files: read into memory, and replaced. */
#include <errno.h>
#include <filch/scope.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/heap.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/clock.h"
#include "io/file.h"
#include "io/system.h"
#include "sched/sched.h"

/* ------------------------------------------------------------------------------------------------------------- read */

enum { FIRST_ROOM = 4096 };

/* What was read so far; there is always room for one byte more than `room`. */
struct contents {
    char *data;
    size_t size, room, limit;
};

/* Makes room for `room` bytes, and the zero after them. */
static int grow(struct contents *contents, size_t room) {
    if (room > contents->limit) room = contents->limit;
    char *data = filch__alloc_fails() ? NULL : realloc(contents->data, room + 1);
    if (data == NULL) return -ENOMEM;
    contents->data = data;
    contents->room = room;
    return 0;
}

/* Whether there is another byte after all that may be read: 0, -EFBIG, or another error. */
static int expect_end(int number, uint32_t traits, filch_deadline deadline) {
    char more;
    ssize_t moved = filch__file_read(number, traits, &more, 1, -1, deadline);
    return moved > 0 ? -EFBIG : (int)moved;
}

/* What a file's size says is a guess: files of /proc have none, and others grow. */
static int read_to_end(int number, uint32_t traits, struct contents *contents, filch_deadline deadline) {
    for (;;) {
        if (filch__cancelled()) return -ECANCELED;
        if (contents->size == contents->room) {
            if (contents->room == contents->limit) return expect_end(number, traits, deadline);
            int error = grow(contents, contents->room < FIRST_ROOM ? FIRST_ROOM : contents->room * 2);
            if (error != 0) return error;
        }
        ssize_t moved = filch__file_read(number, traits, contents->data + contents->size,
                                         contents->room - contents->size, -1, deadline);
        if (moved <= 0) return (int)moved;
        contents->size += (size_t)moved;
    }
}

static int read_number(int number, struct contents *contents, filch_deadline deadline) {
    struct stat about;
    int error = filch__file_stat(number, "", AT_EMPTY_PATH, &about, deadline);
    if (error != 0) return error;
    bool regular = S_ISREG(about.st_mode);
    if (regular && (uint64_t)about.st_size > contents->limit) return -EFBIG;
    /* One byte more than its size: then the end is seen without growing. */
    error = grow(contents, regular ? (size_t)about.st_size + 1 : FIRST_ROOM);
    return error != 0 ? error : read_to_end(number, regular ? FILE_IS_REGULAR : 0, contents, deadline);
}

int filch_file_read_all(const char *path, void **data, size_t *size, size_t limit, filch_deadline deadline) {
    if (path == NULL || data == NULL || size == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    int number = filch__file_open_number(path, O_RDONLY, 0, deadline);
    if (number < 0) return number;
    struct contents contents = {.limit = limit < PTRDIFF_MAX ? limit : PTRDIFF_MAX - 1};
    int error = read_number(number, &contents, deadline);
    (void)filch__file_close_number(number, false);
    if (error != 0) {
        free(contents.data);
        return error;
    }
    contents.data[contents.size] = '\0';
    *data = contents.data;
    *size = contents.size;
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------ write */

enum { NAME_ROOM = 48, NAME_TRIES = 16 };

/* A name that nobody else makes, beside `path`: into `name`, which has room for NAME_ROOM more. */
static void name_beside(char *name, size_t room, const char *path) {
    static ATOMIC(uint32_t) count;
    const char *slash = strrchr(path, '/');
    int folder = slash == NULL ? 0 : (int)(slash - path + 1);
    uint32_t number = add_relaxed(&count, 1); /* a number of its own */
    snprintf(name, room, "%.*s.filch-%x-%x-%08x", folder, path, (unsigned)getpid(), number,
             (unsigned)filch__clock_now());
}

static int open_beside(char *name, size_t room, const char *path, mode_t mode, filch_deadline deadline) {
    int number = -EEXIST;
    for (int i = 0; i < NAME_TRIES && number == -EEXIST; i++) {
        name_beside(name, room, path);
        number = filch__file_open_number(name, O_WRONLY | O_CREAT | O_EXCL, mode, deadline);
    }
    return number;
}

static int write_and_sync(int number, const void *data, size_t size, filch_deadline deadline) {
    size_t done = 0;
    while (done < size) {
        ssize_t moved =
            filch__file_write(number, FILE_IS_REGULAR, (const char *)data + done, size - done, -1, deadline);
        if (moved <= 0) return moved < 0 ? (int)moved : -EIO;
        done += (size_t)moved;
    }
    struct filch__file_op op = {.opcode = FILE_SYNC, .number = number};
    return (int)filch__file_make(&op, deadline);
}

static void remove_again(const char *name) {
    filch_shield shield;
    filch_shield_begin(&shield);
    (void)!filch_path_unlink(name, FILCH_NEVER);
    filch_shield_end(&shield);
}

static int replace(char *name, size_t room, const char *path, const void *data, size_t size, mode_t mode,
                   filch_deadline deadline) {
    int number = open_beside(name, room, path, mode, deadline);
    if (number < 0) return number;
    int error = write_and_sync(number, data, size, deadline);
    int closed = filch__file_close_number(number, true);
    if (error == 0) error = closed;
    if (error == 0) error = filch_path_rename(name, path, deadline);
    if (error != 0) remove_again(name);
    return error;
}

/* Another file would take the place of a device or a FIFO, which others go on to use. 0, or why it may not. */
static int look_at_old(const char *path, filch_deadline deadline) {
    struct stat about;
    int error = filch_path_lstat(path, &about, deadline);
    if (error != 0) return error == -ENOENT ? 0 : error;
    if (S_ISREG(about.st_mode) || S_ISLNK(about.st_mode)) return 0;
    return S_ISDIR(about.st_mode) ? -EISDIR : -EOPNOTSUPP;
}

int filch_file_write_all(const char *path, const void *data, size_t size, mode_t mode, filch_deadline deadline) {
    if (path == NULL || (data == NULL && size > 0) || size > PTRDIFF_MAX) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    int error = look_at_old(path, deadline);
    if (error != 0) return error;
    size_t room = strlen(path) + NAME_ROOM;
    char *name = filch__heap_get(room, 8);
    if (name == NULL) return -ENOMEM;
    error = replace(name, room, path, data, size, mode, deadline);
    filch__heap_put(name, room, 8);
    return error;
}
