/* SPDX-License-Identifier: MIT */
/*
 * Open files. A filch_file is a descriptor's record that is never watched, so that closing, generations and numbers in use
 * are those of io/record.h; what the system calls need to know besides is in the handle.
 */
#include "io/file.h"

#include <errno.h>
#include <filch/scope.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "io/backend.h"
#include "io/io.h"
#include "io/system.h"
#include "sched/child.h"
#include "sched/runtime.h"

/* A piece that is copied at a time, so that a large file in memory does not hold the worker up. */
#define PIECE ((size_t)1 << 20)

/* The most that one system call moves. */
#define CALL_MAX ((size_t)0x7ffff000)

/* ------------------------------------------------------------------------------------------------------ open, close */

int filch__file_open_number(const char *path, int flags, mode_t mode, filch_deadline deadline) {
    struct filch__file_op op = {
        .opcode = FILE_OPEN, .number = AT_FDCWD, .path = path, .flags = flags | O_CLOEXEC, .mode = mode};
    return (int)filch__file_make(&op, deadline);
}

int filch__file_close_number(int number, bool written) {
    if (!written) return filch__system_close(number);
    struct filch__file_op op = {.opcode = FILE_CLOSE, .number = number};
    filch_shield shield;
    filch_shield_begin(&shield);
    int answer = (int)filch__file_make(&op, FILCH_NEVER);
    filch_shield_end(&shield);
    return answer;
}

static never_inline int traits_of(int number, uint32_t *traits) {
    int flags = fcntl(number, F_GETFL);
    struct stat about;
    if (flags < 0 || fstat(number, &about) != 0) return -errno;
    *traits = 0;
    if (S_ISREG(about.st_mode)) {
        *traits |= FILE_IS_REGULAR;
    } else if (lseek(number, 0, SEEK_CUR) < 0 && errno == ESPIPE) {
        *traits |= FILE_IS_FLOW;
    }
    if (flags & O_DIRECT) *traits |= FILE_IS_DIRECT;
    if ((flags & O_ACCMODE) != O_RDONLY) *traits |= FILE_IS_WRITTEN;
    return 0;
}

int filch_file_adopt(filch_file *file, int number, const filch_fd_options *options) {
    if (file == NULL) return -EINVAL;
    struct filch_runtime *runtime = options != NULL && options->runtime != NULL ? options->runtime : NULL;
    if (runtime == NULL) runtime = filch_runtime_current();
    if (runtime == NULL) return filch__debug_no_task("filch_file_adopt, without a runtime,");
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN;
    struct filch__io *io;
    uint32_t traits;
    int error = filch__io_of(runtime, &io);
    if (error == 0) error = traits_of(number, &traits);
    if (error != 0) return error;
    struct filch__record *record = filch__record_open(io, number, false);
    if (record == NULL) return -ENOMEM;
    record->regular = true; /* nobody else has its handle yet */
    *file = (filch_file){filch__record_handle(record), traits};
    return 0;
}

int filch_file_open(filch_file *file, const char *path, int flags, mode_t mode, filch_deadline deadline) {
    if (file == NULL || path == NULL) return -EINVAL;
    if (filch__worker_current() == NULL) return filch__debug_no_task("filch_file_open");
    if (filch__cancelled()) return -ECANCELED;
    int number = filch__file_open_number(path, flags, mode, deadline);
    if (number < 0) return number;
    int error = filch_file_adopt(file, number, NULL);
    if (error != 0) (void)filch__file_close_number(number, false);
    return error;
}

int filch_file_number(filch_file file) {
    return filch_fd_number(file.filch__fd);
}

/* If nobody else is using it the number is taken from the record, and closed by the engine; else by who leaves last. */
int filch_file_close(filch_file file) {
    if (!(file.filch__traits & FILE_IS_WRITTEN)) return filch_fd_close(file.filch__fd);
    int number = filch_fd_release(file.filch__fd);
    if (number == -EBUSY) return filch_fd_close(file.filch__fd);
    return number < 0 ? number : filch__file_close_number(number, true);
}

/* --------------------------------------------------------------------------------------------------- read and write */

/* One piece: from memory, or else by the engine. */
static ssize_t read_piece(int number, uint32_t traits, void *buffer, size_t size, int64_t offset,
                          filch_deadline deadline) {
    ssize_t moved = -EAGAIN;
    if (!(traits & FILE_IS_DIRECT)) {
        moved = filch__system_pread_cached(number, buffer, size < PIECE ? size : PIECE, offset);
        if (likely(moved >= 0)) filch__spend();
    }
    if (likely(moved >= 0)) return moved;
    struct filch__file_op op = {
        .opcode = FILE_READ, .number = number, .buffer = buffer, .size = size, .offset = offset};
    return filch__file_make(&op, deadline);
}

static ssize_t write_piece(int number, const void *buffer, size_t size, int64_t offset, filch_deadline deadline) {
    struct filch__file_op op = {
        .opcode = FILE_WRITE, .number = number, .buffer = (void *)(uintptr_t)buffer, .size = size, .offset = offset};
    return filch__file_make(&op, deadline);
}

static size_t at_most(size_t size) {
    return size > CALL_MAX ? CALL_MAX : size;
}

/* Of a regular file in memory a second piece tells that the first was short because the file ends there. */
ssize_t filch__file_read(int number, uint32_t traits, void *buffer, size_t size, int64_t offset,
                         filch_deadline deadline) {
    bool once = !(traits & FILE_IS_REGULAR) || (traits & FILE_IS_DIRECT);
    size_t done = 0;
    while (done < size && (done == 0 || !filch__cancelled())) {
        int64_t at = offset < 0 ? -1 : offset + (int64_t)done;
        ssize_t moved = read_piece(number, traits, (char *)buffer + done, at_most(size - done), at, deadline);
        if (moved < 0 && done == 0) return moved;
        if (moved <= 0) break;
        done += (size_t)moved;
        if (once) break;
    }
    return (ssize_t)done;
}

ssize_t filch__file_write(int number, uint32_t traits, const void *buffer, size_t size, int64_t offset,
                          filch_deadline deadline) {
    size_t done = 0;
    while (done < size) {
        int64_t at = offset < 0 ? -1 : offset + (int64_t)done;
        ssize_t moved = write_piece(number, (const char *)buffer + done, at_most(size - done), at, deadline);
        if (moved < 0 && done == 0) return moved;
        if (moved <= 0) break;
        done += (size_t)moved;
        if (!(traits & FILE_IS_REGULAR)) break;
    }
    return (ssize_t)done;
}

static bool is_range(const void *buffer, size_t size, int64_t offset) {
    return (buffer != NULL || size == 0) && size <= SSIZE_MAX && (offset < 0 || size <= (uint64_t)(INT64_MAX - offset));
}

/* Enters it for a move at `offset`, or with -1 at its own position. */
static int enter_at(filch_file file, int64_t offset, struct filch__record **record) {
    int error = filch__record_enter(file.filch__fd, record);
    if (error != 0 || offset < 0 || !(file.filch__traits & FILE_IS_FLOW)) return error;
    filch__record_leave(*record);
    return -ESPIPE;
}

static ssize_t read_at(filch_file file, void *buffer, size_t size, int64_t offset, filch_deadline deadline) {
    if (!is_range(buffer, size, offset)) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    struct filch__record *record;
    int error = enter_at(file, offset, &record);
    if (error != 0) return error;
    ssize_t moved = filch__file_read(record->number, file.filch__traits, buffer, size, offset, deadline);
    filch__record_leave(record);
    return moved;
}

static ssize_t write_at(filch_file file, const void *buffer, size_t size, int64_t offset, filch_deadline deadline) {
    if (!is_range(buffer, size, offset)) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    struct filch__record *record;
    int error = enter_at(file, offset, &record);
    if (error != 0) return error;
    ssize_t moved = filch__file_write(record->number, file.filch__traits, buffer, size, offset, deadline);
    filch__record_leave(record);
    return moved;
}

ssize_t filch_file_read(filch_file file, void *buffer, size_t size, filch_deadline deadline) {
    return read_at(file, buffer, size, -1, deadline);
}

ssize_t filch_file_pread(filch_file file, void *buffer, size_t size, int64_t offset, filch_deadline deadline) {
    return offset < 0 ? -EINVAL : read_at(file, buffer, size, offset, deadline);
}

ssize_t filch_file_write(filch_file file, const void *buffer, size_t size, filch_deadline deadline) {
    return write_at(file, buffer, size, -1, deadline);
}

ssize_t filch_file_pwrite(filch_file file, const void *buffer, size_t size, int64_t offset, filch_deadline deadline) {
    return offset < 0 ? -EINVAL : write_at(file, buffer, size, offset, deadline);
}

/* ----------------------------------------------------------------------------------------------------------- others */

static never_inline int64_t seek(int number, int64_t offset, int whence) {
    off_t at = lseek(number, offset, whence);
    return at < 0 ? -errno : at;
}

int64_t filch_file_seek(filch_file file, int64_t offset, int whence) {
    struct filch__record *record;
    int error = filch__record_enter(file.filch__fd, &record);
    if (error != 0) return error;
    int64_t at = seek(record->number, offset, whence);
    filch__record_leave(record);
    return at;
}

/* Makes `op` with the number of an open file. */
static int make_on(filch_file file, struct filch__file_op *op, filch_deadline deadline) {
    if (filch__cancelled()) return -ECANCELED;
    struct filch__record *record;
    int error = filch__record_enter(file.filch__fd, &record);
    if (error != 0) return error;
    op->number = record->number;
    int answer = (int)filch__file_make(op, deadline);
    filch__record_leave(record);
    return answer;
}

int filch_file_sync(filch_file file, filch_deadline deadline) {
    struct filch__file_op op = {.opcode = FILE_SYNC};
    return make_on(file, &op, deadline);
}

int filch_file_sync_data(filch_file file, filch_deadline deadline) {
    struct filch__file_op op = {.opcode = FILE_SYNC_DATA};
    return make_on(file, &op, deadline);
}

int filch_file_truncate(filch_file file, int64_t size, filch_deadline deadline) {
    if (size < 0) return -EINVAL;
    struct filch__file_op op = {.opcode = FILE_TRUNCATE, .offset = size};
    return make_on(file, &op, deadline);
}

int filch_file_stat(filch_file file, struct stat *about, filch_deadline deadline) {
    if (about == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    struct filch__record *record;
    int error = filch__record_enter(file.filch__fd, &record);
    if (error != 0) return error;
    error = filch__file_stat(record->number, "", AT_EMPTY_PATH, about, deadline);
    filch__record_leave(record);
    return error;
}
