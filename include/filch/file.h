/* SPDX-License-Identifier: MIT */
/*
 * Files: calls that may wait for a disk, of which the task waits and not its worker.
 *
 *     filch_file file;
 *     int error = filch_file_open(&file, "log", O_WRONLY | O_CREAT | O_APPEND, 0644, FILCH_NEVER);
 *     ssize_t length = filch_file_write(file, line, strlen(line), FILCH_NEVER);
 *     filch_file_close(file);
 *
 * What is read and lies in memory is copied at once, by the worker. Everything else is done by io_uring, where a runtime
 * has that, or by a helper thread (filch/blocking.h). From a thread that is no worker these are the plain system calls,
 * and the thread blocks.
 *
 * A filch_file is a value: copy it as you like. It names one opening of a file, and never a later one that has the same
 * descriptor number: after filch_file_close every call on any copy answers -EBADF. Calls that are under way then go on to
 * their end, and the number is given back to the kernel after the last of them.
 *
 * Deadline and cancellation. They end a call while it waits for its turn, and then nothing has moved, of a call that moves
 * several pieces nothing more. An operation that has begun is withdrawn if the kernel lets go of it; else the call waits
 * for its end, and answers what came of it. A disk does not keep one waiting for long; what may (a terminal, a FIFO, a
 * socket) is better read through filch/fd.h, since here neither deadline nor cancellation may cut it short.
 *
 * Calls of the system that are not here (chmod, link, symlink, fallocate) are made through filch_blocking, with
 * filch_file_number.
 *
 * Errors that every call that waits may answer, besides its own:
 *
 *     -EBADF       the file was closed before, or it is none
 *     -ETIMEDOUT   `deadline` passed first
 *     -ECANCELED   the scope was cancelled first
 *     -EINVAL      a bad argument
 *     -errno       what the system call answered
 */
#ifndef FILCH_FILE_H
#define FILCH_FILE_H

#include <fcntl.h>
#include <filch/base.h>
#include <filch/fd.h>
#include <filch/time.h>
#include <sys/stat.h>
#include <sys/types.h>

FILCH_BEGIN_DECLS

/* An open file, by value. Zeroed: none. */
typedef struct filch_file {
    filch_fd filch__fd;
    uint32_t filch__traits;
} filch_file;

#ifdef __cplusplus
#define FILCH_FILE_NONE (filch_file{FILCH_FD_NONE, 0})
#else
#define FILCH_FILE_NONE ((filch_file){FILCH_FD_NONE, 0})
#endif

/*
 * As open(2); O_CLOEXEC is always set. Except on 0, `*file` is not written and nothing is open; a file that was to be
 * created may be there.
 *
 * Returns  0
 *          -ENOENT, -EACCES, -EEXIST, -EISDIR, ...   as open(2)
 *          -EMFILE      no descriptor is left, for it or for the runtime's poller
 *          -ENOMEM      no memory
 *          -EPERM       the caller is no task
 * Call     from a task; on other threads see filch_file_adopt
 * Waits    yes; a task may continue on another worker
 * Keeps    `path` until it returns
 */
FILCH_API FILCH_CHECK int filch_file_open(filch_file *file, const char *path, int flags, mode_t mode,
                                          filch_deadline deadline);

/*
 * Has the library take charge of an open descriptor. Except on 0 it is still the caller's and `*file` is not written. The
 * runtime is the one with which it is closed at the latest.
 *
 * Returns  0, or as filch_fd_adopt
 * Call     from a task, or from any thread that names a runtime
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_file_adopt(filch_file *file, int number, const filch_fd_options *options);

/* The number of an open file, for other system calls; or -EBADF. It is not to be closed. From any thread; does not wait. */
FILCH_API int filch_file_number(filch_file file);

/*
 * Closes it. Written data may still be on its way to the disk: see filch_file_sync. Calls that are under way end as if it
 * were open; the last of them gives the number back.
 *
 * Returns  0, or -EBADF: it is closed already, or none; or what close(2) says of a file that was written to (-EIO): it is
 *          closed all the same
 * Call     from a task or from any thread
 * Waits    yes, if it was opened for writing; is not cut short; a task may continue on another worker
 */
FILCH_API int filch_file_close(filch_file file);

/* --------------------------------------------------------------------------------------------------- read and write */

/*
 * Reads `size` bytes: from the file's own position, which moves, or at `offset`, which must not be negative. Fewer are
 * read only where the file ends, or where a later piece failed or was cut short; with O_DIRECT, and of what is no regular
 * file, as many as one system call gives. On an error nothing was read. Calls that use the own position are to be made one
 * at a time; those with an offset are independent of each other.
 *
 * Returns  how many; 0: the end (or `size` is 0)
 *          -ESPIPE   an offset, of what has no positions: a pipe, a socket, a terminal
 * Call     from a task or from any thread
 * Waits    yes, unless it is in memory; a task may continue on another worker
 * Keeps    `buffer` until it returns
 */
FILCH_API FILCH_CHECK ssize_t filch_file_read(filch_file file, void *buffer, size_t size, filch_deadline deadline);
FILCH_API FILCH_CHECK ssize_t filch_file_pread(filch_file file, void *buffer, size_t size, int64_t offset,
                                               filch_deadline deadline);

/*
 * Writes `size` bytes: at the file's own position, which moves (with O_APPEND: at its end), or at `offset`. Fewer are
 * written only where a later piece failed (the disk became full) or was cut short; the next call says why. On an error
 * nothing was written.
 *
 * Returns  how many
 *          -ESPIPE   as filch_file_pread
 *          -ENOSPC, -EDQUOT, -EFBIG, -EIO, ...   as write(2)
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Keeps    `buffer` until it returns
 */
FILCH_API FILCH_CHECK ssize_t filch_file_write(filch_file file, const void *buffer, size_t size,
                                               filch_deadline deadline);
FILCH_API FILCH_CHECK ssize_t filch_file_pwrite(filch_file file, const void *buffer, size_t size, int64_t offset,
                                                filch_deadline deadline);

/* As lseek(2), of the own position: the new one, or -errno. From a task or from any thread; does not wait. */
FILCH_API FILCH_CHECK int64_t filch_file_seek(filch_file file, int64_t offset, int whence);

/*
 * fsync(2), and fdatasync(2): wait until what was written before is on the disk (for _data without what is not needed to
 * read it again). If they answer an error, some of it may be there.
 *
 * Returns  0
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_file_sync(filch_file file, filch_deadline deadline);
FILCH_API FILCH_CHECK int filch_file_sync_data(filch_file file, filch_deadline deadline);

/* ftruncate(2): makes the file `size` bytes long. 0 or -errno, and then nothing has changed. Call, Waits: as above. */
FILCH_API FILCH_CHECK int filch_file_truncate(filch_file file, int64_t size, filch_deadline deadline);

/* fstat(2). 0 or -errno; then `*about` is not written. Call, Waits: as above. */
FILCH_API FILCH_CHECK int filch_file_stat(filch_file file, struct stat *about, filch_deadline deadline);

/* ------------------------------------------------------------------------------------------------------------ paths */

/*
 * As stat(2), lstat(2), rename(2), unlink(2), mkdir(2) and rmdir(2). Where the answer is not 0, nothing has changed and
 * `*about` is not written.
 *
 * Returns  0
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Keeps    the paths until it returns
 */
FILCH_API FILCH_CHECK int filch_path_stat(const char *path, struct stat *about, filch_deadline deadline);
FILCH_API FILCH_CHECK int filch_path_lstat(const char *path, struct stat *about, filch_deadline deadline);
FILCH_API FILCH_CHECK int filch_path_rename(const char *from, const char *to, filch_deadline deadline);
FILCH_API FILCH_CHECK int filch_path_unlink(const char *path, filch_deadline deadline);
FILCH_API FILCH_CHECK int filch_path_mkdir(const char *path, mode_t mode, filch_deadline deadline);
FILCH_API FILCH_CHECK int filch_path_rmdir(const char *path, filch_deadline deadline);

/* ------------------------------------------------------------------------------------------------------ whole files */

/*
 * Reads a whole file into memory from malloc(3), `*data`, which the caller gives to free(3); a zero byte, not counted in
 * `*size`, stands after it. Except on 0, neither is written.
 *
 * Returns  0
 *          -EFBIG    it is longer than `limit` bytes
 *          -ENOMEM   no memory
 *          -ENOENT, -EACCES, -EISDIR, ...   as open(2) and read(2)
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Keeps    `path` until it returns
 */
FILCH_API FILCH_CHECK int filch_file_read_all(const char *path, void **data, size_t *size, size_t limit,
                                              filch_deadline deadline);

/*
 * Makes `size` bytes at `data` the file `path`: they are written to a new file beside it, which takes its place when all
 * is on the disk. So whoever opens it, also after a crash of the machine, finds the old file or the whole new one. The new
 * one has `mode` (less the umask) and the caller as its owner, whatever the old one had; a symbolic link is replaced. That
 * the change itself survives a crash is known after a filch_file_sync of the directory.
 *
 * What cannot be replaced in this way is left alone: a device (/dev/null), a FIFO, a socket, a directory; that is looked at
 * before anything is written. To write to such, or in place as a shell's `>` does: filch_file_open, without O_CREAT or with
 * O_TRUNC, and filch_file_write.
 *
 * Returns  0
 *          -EOPNOTSUPP  `path` is a device, a FIFO or a socket
 *          -EISDIR      it is a directory
 *          -EACCES, -ENOENT, -ENOSPC, -ENOMEM, ...   the old file is as it was, and nothing is left beside it
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Keeps    `path` and `data` until it returns
 */
FILCH_API FILCH_CHECK int filch_file_write_all(const char *path, const void *data, size_t size, mode_t mode,
                                               filch_deadline deadline);

/* ------------------------------------------------------------------------------------------------------ directories */

/* A directory that is being read: by one caller at a time. */
typedef struct filch_dir filch_dir;

/* What it holds. */
typedef struct filch_dir_entry {
    const char *name; /* until the next call on the directory */
    uint64_t inode;
    unsigned char type; /* DT_REG, DT_DIR, DT_LNK ... of <dirent.h>; DT_UNKNOWN: the file system does not tell */
} filch_dir_entry;

/*
 * Opens a directory to read what it holds. Except on 0, `*dir` is not written.
 *
 * Returns  0; -ENOENT, -ENOTDIR, -EACCES, -EMFILE, ...   as open(2); -ENOMEM
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_dir_open(filch_dir **dir, const char *path, filch_deadline deadline);

/*
 * The next entry, in no order; "." and ".." are left out. They are fetched from the system some hundreds at a time. What
 * is created or removed meanwhile may be told or not. Except on 1, `*entry` is not written, and the same call may be made
 * again.
 *
 * Returns  1: an entry; 0: there is no more
 * Call     from a task or from any thread; one at a time
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_dir_next(filch_dir *dir, filch_dir_entry *entry, filch_deadline deadline);

/* Closes it; NULL is nothing. Nobody may use it any more. From a task or from any thread; does not wait. */
FILCH_API void filch_dir_close(filch_dir *dir);

FILCH_END_DECLS

#endif
