/* SPDX-License-Identifier: MIT */
/*
 * Operations on files by io_uring(7). The record that the kernel and whoever reaps know of stands on the stack of the task
 * that waits; so it waits for the completion, come what may. Who is cancelled or late withdraws the operation first: it
 * ends at once then, or, where a device is at work on it, when that is done, and the completion says what was made of it.
 *
 * Edge
 *   SENT   who submits: `sent` (release)  -> who reaps: `sent` (acquire)   carries the waiter; the kernel orders them
 */
#include <errno.h>
#include <fcntl.h>

#include "io/ring_door.h"
#include "io/system.h"
#include "io/uring.h"
#include "sched/runtime.h"

/* The most that one operation moves. */
#define MOVED_MAX ((size_t)0x7ffff000)

struct request {
    struct filch__waiter waiter;
    ATOMIC(uint32_t) sent;
};

static uint64_t word_of(const struct request *request) {
    return (uint64_t)(uintptr_t)request | EVENT_FILE;
}

/* ----------------------------------------------------------------------------------------------------- translated */

static uint64_t address(const void *pointer) {
    return (uint64_t)(uintptr_t)pointer;
}

static bool is_move(const struct filch__file_op *op) {
    return op->opcode == FILE_READ || op->opcode == FILE_WRITE;
}

static void translate_moves(struct io_uring_sqe *sqe, const struct filch__file_op *op) {
    sqe->opcode = op->opcode == FILE_READ ? IORING_OP_READ : IORING_OP_WRITE;
    sqe->addr = address(op->buffer);
    sqe->len = (uint32_t)(op->size < MOVED_MAX ? op->size : MOVED_MAX);
    sqe->off = (uint64_t)op->offset;
}

static void translate_sync(struct io_uring_sqe *sqe, const struct filch__file_op *op) {
    sqe->opcode = IORING_OP_FSYNC;
    sqe->fsync_flags = op->opcode == FILE_SYNC_DATA ? IORING_FSYNC_DATASYNC : 0;
}

static void translate_open(struct io_uring_sqe *sqe, const struct filch__file_op *op) {
    sqe->opcode = IORING_OP_OPENAT;
    sqe->addr = address(op->path);
    sqe->len = op->mode;
    sqe->open_flags = (uint32_t)(op->flags | O_CLOEXEC);
}

static void translate_stat(struct io_uring_sqe *sqe, const struct filch__file_op *op) {
    sqe->opcode = IORING_OP_STATX;
    sqe->addr = address(op->path);
    sqe->addr2 = address(op->about);
    sqe->len = STATX_BASIC_STATS | STATX_BTIME;
    sqe->statx_flags = (uint32_t)op->flags;
}

static void translate_rename(struct io_uring_sqe *sqe, const struct filch__file_op *op) {
    sqe->opcode = IORING_OP_RENAMEAT;
    sqe->addr = address(op->path);
    sqe->addr2 = address(op->to);
    sqe->len = (uint32_t)op->number; /* the directory that `to` is in */
    sqe->rename_flags = (uint32_t)op->flags;
}

static void translate_unlink(struct io_uring_sqe *sqe, const struct filch__file_op *op) {
    sqe->opcode = IORING_OP_UNLINKAT;
    sqe->addr = address(op->path);
    sqe->unlink_flags = (uint32_t)op->flags;
}

static void translate_make_dir(struct io_uring_sqe *sqe, const struct filch__file_op *op) {
    sqe->opcode = IORING_OP_MKDIRAT;
    sqe->addr = address(op->path);
    sqe->len = op->mode;
}

static void translate_close(struct io_uring_sqe *sqe, const struct filch__file_op *op) {
    (void)op;
    sqe->opcode = IORING_OP_CLOSE;
}

/*
 * As the kernel knows them. The others have no place there, or not in every kernel; nor have moves at the file's own
 * position, which what reads past the page cache leaves where it was.
 */
static void (*const translations[])(struct io_uring_sqe *, const struct filch__file_op *) = {
    [FILE_OPEN] = translate_open,         [FILE_CLOSE] = translate_close,   [FILE_READ] = translate_moves,
    [FILE_WRITE] = translate_moves,       [FILE_SYNC] = translate_sync,     [FILE_SYNC_DATA] = translate_sync,
    [FILE_STAT] = translate_stat,         [FILE_RENAME] = translate_rename, [FILE_UNLINK] = translate_unlink,
    [FILE_MAKE_DIR] = translate_make_dir,
};

static bool translate(struct io_uring_sqe *sqe, const struct filch__file_op *op) {
    size_t count = sizeof translations / sizeof translations[0];
    if ((size_t)op->opcode >= count || translations[op->opcode] == NULL) return false;
    if (is_move(op) && op->offset < 0) return false;
    *sqe = (struct io_uring_sqe){.fd = op->number};
    translations[op->opcode](sqe, op);
    return true;
}

/* --------------------------------------------------------------------------------------------------------- the ring */

static never_inline struct filch__uring *make_ring(struct filch__io *io) {
    filch__lock_take(&io->runtime->poller_lock);
    bool made = load_relaxed(&io->ring) != NULL || load_relaxed(&io->ringless); /* written under the lock */
    if (!made && filch__io_open_ring(io) != 0) store_relaxed(&io->ringless, true);
    filch__lock_leave(&io->runtime->poller_lock);
    return load_acquire(&io->ring);
}

/* NULL: there is none to be had. */
static struct filch__uring *ring_of(struct filch__io *io) {
    struct filch__uring *ring = load_acquire(&io->ring); /* carries it */
    if (likely(ring != NULL)) return ring;
    return load_relaxed(&io->ringless) ? NULL : make_ring(io); /* once true, for good */
}

/* --------------------------------------------------------------------------------------------------- made, waited for */

/* Ends once the kernel has found it; where it has not begun or can be interrupted, it has moved nothing then. */
static void withdraw(struct filch__uring *ring, const struct request *request) {
    struct io_uring_sqe sqe = {
        .opcode = IORING_OP_ASYNC_CANCEL,
        .fd = -1,
        .flags = IOSQE_CQE_SKIP_SUCCESS,
        .addr = word_of(request),
        .user_data = EVENT_NOBODY,
    };
    filch__uring_send(ring, &sqe);
}

/* Made once: its result, and in `*cause` what ended the wait. */
static int make_once(struct filch__uring *ring, struct io_uring_sqe *sqe, const void *object, filch_deadline deadline,
                     uint32_t *cause) {
    struct request request;
    filch__waiter_init(&request.waiter, "file", object);
    sqe->user_data = word_of(&request);
    store_release(&request.sent, 1); /* SENT */
    filch__uring_push(ring, sqe);
    if (!filch__poller_put_off()) filch__uring_submit(ring);
    *cause = filch__park_cancellable(&request.waiter, deadline);
    if (*cause != WAITER_GRANTED) {
        withdraw(ring, &request);
        filch__park(&request.waiter);
    }
    return request.waiter.result;
}

/* What a test has this one answer; or 0, and then perhaps that it is to move less. */
static int inject(struct io_uring_sqe *sqe, const struct filch__file_op *op) {
    if (op->opcode == FILE_CLOSE) return 0; /* never made to fail */
    size_t part = sqe->len;
    int answer = filch__system_injected(is_move(op) ? &part : NULL);
    if (is_move(op)) sqe->len = (uint32_t)part;
    return answer;
}

/*
 * A number that was to be closed is given back whatever the answer was, unless that was not begun. Others that were
 * interrupted have not been made: by who withdrew them, or since the thread has ended that had submitted them.
 */
static bool was_made(const struct filch__file_op *op, int result) {
    return result != -ECANCELED && (result != -EINTR || op->opcode == FILE_CLOSE);
}

static int make_by_ring(struct filch__io *io, struct filch__file_op *op, filch_deadline deadline) {
    struct io_uring_sqe sqe;
    struct filch__uring *ring = translate(&sqe, op) ? ring_of(io) : NULL;
    if (ring == NULL) return -ENOSYS;
    if (filch__cancelled()) return -ECANCELED;
    uint32_t cause = WAITER_GRANTED;
    do {
        int result = inject(&sqe, op);
        if (result == 0) result = make_once(ring, &sqe, op, deadline, &cause);
        if (!was_made(op, result)) continue;
        op->answer = result;
        return 0;
    } while (cause == WAITER_GRANTED);
    return cause == WAITER_CANCELLED ? -ECANCELED : -ETIMEDOUT;
}

void filch__io_file_done(const struct filch__poll_event *event) {
    struct request *request = (struct request *)(uintptr_t)(event->data & ~(uint64_t)EVENT_TAG);
    (void)load_acquire(&request->sent);     /* SENT */
    request->waiter.result = event->result; /* CAUSE carries it */
    filch__wake_in_turn(&request->waiter, WAITER_GRANTED);
}

const struct filch__file_engine filch__file_engine_uring = {.name = "io_uring", .submit_and_wait = make_by_ring};
