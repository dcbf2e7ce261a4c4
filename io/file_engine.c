/* SPDX-License-Identifier: MIT */
#include "io/file_engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <filch/blocking.h>
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "io/backend.h"
#include "io/system.h"
#include "sched/runtime.h"

/* ------------------------------------------------------------------------------------------------- the system calls */

static ssize_t call_read(const struct filch__file_op *op) {
    size_t part = op->size;
    int answer = filch__system_injected(&part);
    if (answer != 0) return answer;
    ssize_t moved =
        op->offset < 0 ? read(op->number, op->buffer, part) : pread(op->number, op->buffer, part, op->offset);
    return moved < 0 ? -errno : moved;
}

static ssize_t call_write(const struct filch__file_op *op) {
    size_t part = op->size;
    int answer = filch__system_injected(&part);
    if (answer != 0) return answer;
    ssize_t moved =
        op->offset < 0 ? write(op->number, op->buffer, part) : pwrite(op->number, op->buffer, part, op->offset);
    return moved < 0 ? -errno : moved;
}

/* The rest: they move nothing, so that a failure is all that can be injected. */
static ssize_t call(const struct filch__file_op *op) {
    switch (op->opcode) {
    case FILE_OPEN:
        return openat(op->number, op->path, op->flags | O_CLOEXEC, op->mode);
    case FILE_SYNC:
        return fsync(op->number);
    case FILE_SYNC_DATA:
        return fdatasync(op->number);
    case FILE_TRUNCATE:
        return ftruncate(op->number, op->offset);
    case FILE_STAT:
        return statx(op->number, op->path, op->flags, STATX_BASIC_STATS | STATX_BTIME, op->about);
    case FILE_RENAME:
        return renameat2(op->number, op->path, op->number, op->to, (unsigned)op->flags);
    case FILE_UNLINK:
        return unlinkat(op->number, op->path, op->flags);
    case FILE_MAKE_DIR:
        return mkdirat(op->number, op->path, op->mode);
    case FILE_READ_DIR:
        return getdents64(op->number, op->buffer, op->size);
    default:
        errno = ENOSYS;
        return -1;
    }
}

static ssize_t call_other(const struct filch__file_op *op) {
    int answer = filch__system_injected(NULL);
    if (answer != 0) return answer;
    ssize_t result = call(op);
    return result < 0 ? -errno : result;
}

static ssize_t call_once(const struct filch__file_op *op) {
    if (op->opcode == FILE_READ) return call_read(op);
    if (op->opcode == FILE_WRITE) return call_write(op);
    return call_other(op);
}

never_inline ssize_t filch__file_perform(const struct filch__file_op *op) {
    if (op->opcode == FILE_CLOSE) return filch__system_close(op->number); /* never twice, whatever it answers */
    ssize_t answer;
    do {
        answer = call_once(op);
    } while (answer == -EINTR);
    return answer;
}

/* --------------------------------------------------------------------------------------------------------- the pool */

static int perform(void *arg) {
    struct filch__file_op *op = arg;
    op->answer = filch__file_perform(op);
    return 0;
}

static int make_in_pool(struct filch__io *io, struct filch__file_op *op, filch_deadline deadline) {
    (void)io;
    return filch_blocking(perform, op, NULL, deadline);
}

const struct filch__file_engine filch__file_engine_blocking = {.name = "threads", .submit_and_wait = make_in_pool};

/* ------------------------------------------------------------------------------------------------------- who makes it */

/* The input and output of the caller's runtime, if that has been made. */
static struct filch__io *io_here(struct filch_runtime *runtime) {
    return (struct filch__io *)(void *)load_acquire(&runtime->poller); /* its first field is the poller */
}

ssize_t filch__file_make(struct filch__file_op *op, filch_deadline deadline) {
    struct filch__worker *worker = filch__worker_current();
    if (worker == NULL) return filch__file_perform(op);
    struct filch__io *io = io_here(worker->runtime);
    int error = -ENOSYS;
    if (io != NULL && io->files != NULL) error = io->files->submit_and_wait(io, op, deadline);
    if (error == -ENOSYS) error = filch__file_engine_blocking.submit_and_wait(io, op, deadline);
    if (error == -EAGAIN || error == -ENOMEM) return filch__file_perform(op); /* better late than never */
    return error != 0 ? error : op->answer;
}
