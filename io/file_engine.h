/* SPDX-License-Identifier: MIT */
/*
 * Who makes the calls on files that may have to wait for a disk: a table. The blocking pool (io/file_engine.c) makes all of
 * them on helper threads, and always exists. Another engine may make some of them, for a runtime whose input and output
 * has it in `files`; what it does not make goes to the pool.
 *
 * An operation is a record on the caller's stack: which it is, and its arguments. Which fields each uses:
 *
 *   opcode         number        path, to      buffer, size   offset      flags          mode   about   answer
 *   OPEN           directory     path          -              -           O_*            yes    -       the new number
 *   CLOSE          file          -             -              -           -              -      -       0
 *   READ           file          -             into           yes         -              -      -       how many; 0: end
 *   WRITE          file          -             from           yes         -              -      -       how many
 *   SYNC           file          -             -              -           -              -      -       0
 *   SYNC_DATA      file          -             -              -           -              -      -       0
 *   TRUNCATE       file          -             -              the length  -              -      -       0
 *   STAT           either        path          -              -           AT_*           -      yes     0
 *   RENAME         directory     path, to      -              -           RENAME_*       -      -       0
 *   UNLINK         directory     path          -              -           AT_REMOVEDIR   -      -       0
 *   MAKE_DIR       directory     path          -              -           -              yes    -       0
 *   READ_DIR       directory     -             into           -           -              -      -       how many; 0: end
 *
 *   Every answer may be -errno; none is -EINTR. `number` of a directory is AT_FDCWD or an open one, which both paths of
 *   RENAME are relative to. STAT is statx(2) with STATX_BASIC_STATS | STATX_BTIME; of an open file it has the path
 *   "" and AT_EMPTY_PATH. READ and WRITE are one system call, and may move less than `size`; an `offset` of -1 is the file's
 *   own position, which they move. READ_DIR is getdents64(2). CLOSE gives the number back whatever the answer is.
 */
#ifndef FILCH_IO_FILE_ENGINE_H
#define FILCH_IO_FILE_ENGINE_H

#include <filch/time.h>
#include <sys/stat.h>
#include <sys/types.h>

struct filch__io;

enum filch__file_opcode {
    FILE_OPEN,
    FILE_CLOSE,
    FILE_READ,
    FILE_WRITE,
    FILE_SYNC,
    FILE_SYNC_DATA,
    FILE_TRUNCATE,
    FILE_STAT,
    FILE_RENAME,
    FILE_UNLINK,
    FILE_MAKE_DIR,
    FILE_READ_DIR,
};

struct filch__file_op {
    enum filch__file_opcode opcode;
    int number;
    const char *path, *to;
    void *buffer;
    size_t size;
    int64_t offset;
    int flags;
    mode_t mode;
    struct statx *about;
    ssize_t answer; /* a count, a number, or -errno; written where submit_and_wait answers 0 */
};

struct filch__file_engine {
    const char *name;

    /*
     * Makes the operation, and waits for its end. Whatever it answers, neither the kernel nor a thread touches the record
     * or anything that it leads to afterwards: so a wait that is cut short first withdraws the operation, or else goes on
     * until that has ended (an answer of 0 then).
     *
     * Returns  0            it was made: what came of it is in `answer`
     *          -ETIMEDOUT   `deadline` passed first; it was not made, nothing has moved
     *          -ECANCELED   the task was cancelled first; likewise
     *          -ENOSYS      the engine does not make this one: the pool is to do so
     *          -EAGAIN, -ENOMEM   no means to make it; it was not made
     * By a task, on a worker of the runtime that `io` is of (of any, for the pool, which takes `io` NULL too). That the
     * caller is cancelled already is the engine's to see, as in any call that waits.
     */
    int (*submit_and_wait)(struct filch__io *io, struct filch__file_op *op, filch_deadline deadline);
};

extern const struct filch__file_engine filch__file_engine_blocking;

/* Makes the operation here and now, on the calling thread, which blocks. */
ssize_t filch__file_perform(const struct filch__file_op *op);

/*
 * Makes it where it best is: by the engine of the caller's runtime, else in the pool; on a thread that is no worker, or
 * where there are no means for either, on the calling thread. Returns the operation's answer, or -ETIMEDOUT or -ECANCELED.
 */
ssize_t filch__file_make(struct filch__file_op *op, filch_deadline deadline);

#endif
