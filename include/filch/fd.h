/* SPDX-License-Identifier: MIT */
/*
 * File descriptors whose calls make a task wait and not a thread: sockets, pipes, terminals, whatever epoll(7) can watch.
 *
 *     filch_fd fd;
 *     int error = filch_fd_adopt(&fd, number, NULL);            from here on the number is the library's
 *     ssize_t length = filch_fd_read(fd, buffer, sizeof buffer, filch_after(FILCH_SEC(5)));
 *     filch_fd_close(fd);                                       whoever waits at it is told -EBADF
 *
 * A filch_fd is a value: copy it as you like. It names one opening of a descriptor and never a later one with the same
 * number: after filch_fd_close every call on any copy answers -EBADF, whatever number the kernel gives out by then. The
 * number is given back to the kernel only when no call is using it any more. That holds while its runtime is there: what is
 * open when the runtime ends is closed then, and no filch_fd of it may be used any more.
 *
 * Any number of tasks and threads may use a descriptor at once. Those who wait to read are woken in the order they came, and
 * those who wait to write likewise; who then finds that another was faster waits on, as the first. What a second caller
 * reads is what the first has left.
 *
 * Each call tries at once, and waits only where the kernel says that it would have to. A task that never has to wait
 * gives way to others now and then. EINTR is never answered. Workers have SIGPIPE blocked, so that who writes to what nobody
 * reads is answered -EPIPE; on other threads that holds for sockets alone, and there not for sendfile and splice.
 *
 * Errors that every call below may answer, besides its own. Where several hold, a call that may wait answers -EINVAL for what
 * its arguments show, else -ECANCELED, else -EBADF for what was closed before. (Of a `size` of 0, reads and writes only look
 * whether it is open.)
 *
 *     -EBADF       the descriptor was closed, before the call or while it waited, or `fd` is none; or it is the end of a
 *                  pipe that is only read, or only written
 *     -ETIMEDOUT   `deadline` passed first
 *     -ECANCELED   the scope was cancelled first
 *     -EINVAL      a bad argument
 *     -errno       what the system call answered
 */
#ifndef FILCH_FD_H
#define FILCH_FD_H

#include <filch/base.h>
#include <filch/runtime.h>
#include <filch/time.h>
#include <sys/types.h>

FILCH_BEGIN_DECLS

struct iovec;  /* of <sys/uio.h> */
struct msghdr; /* of <sys/socket.h> */

/* A descriptor, by value. Zeroed: none. */
typedef struct filch_fd {
    void *filch__record;
    uint64_t filch__generation;
} filch_fd;

#ifdef __cplusplus
#define FILCH_FD_NONE (filch_fd{nullptr, 0})
#else
#define FILCH_FD_NONE ((filch_fd){NULL, 0})
#endif

/* What to wait for, and what has come. */
enum {
    FILCH_READABLE = 1, /* a read would not wait: there is data, or the end, or an error, or a connection to accept */
    FILCH_WRITABLE = 2, /* a write would not wait: there is room, or an error; of a connect: it has ended */
};

/* How a descriptor is adopted. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_fd_options {
    filch_runtime *runtime; /* whose workers watch it; default: the caller's, who must be a task then */
} filch_fd_options;

/*
 * Has the library take charge of descriptor `number`: it is made non-blocking and is watched from its first wait on. Except
 * on 0, it is still the caller's, `*fd` is not written. A regular file or a directory cannot be watched, and is adopted all
 * the same: its calls block the worker (filch/file.h has better ones).
 *
 * Returns  0
 *          -EBADF       `number` is no open descriptor
 *          -ENOMEM      no memory
 *          -EMFILE      no descriptor left for the runtime's poller, which its first use opens
 *          -EPERM       the caller is no task, and the options name no runtime
 *          -EOPNOTSUPP  the runtime is simulated (filch/simulation.h)
 *          -ESHUTDOWN   the runtime is one of the process that this one was forked from
 * Call     from a task, or from any thread that names a runtime
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_fd_adopt(filch_fd *fd, int number, const filch_fd_options *options);

/*
 * The number of an open descriptor, to set options by; or -EBADF. It is not to be closed, but in the child of a fork (see
 * filch_fd_close). From any thread; does not wait.
 */
FILCH_API int filch_fd_number(filch_fd fd);

/*
 * Closes it: calls that wait at it answer -EBADF, and so does every later one. The number goes back to the kernel as soon
 * as the last call that uses it has returned, mostly at once. Of what was written before nothing is lost by that.
 *
 * Returns  0
 *          -EBADF       it is closed already, or none
 *          -ESHUTDOWN   its runtime is one of the process that this one was forked from: there, close(2) the number
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API int filch_fd_close(filch_fd fd);

/*
 * The opposite of filch_fd_adopt: as filch_fd_close, but the number is the caller's again, open and non-blocking.
 *
 * Returns  the number
 *          -EBADF   it is closed already, or none
 *          -EBUSY   somebody is in a call on it; or was just about to be told -EBADF, of an old handle that has led to the
 *                   same place: who knows that nobody uses it tries again
 *          -ESHUTDOWN, as filch_fd_close
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_fd_release(filch_fd fd);

/*
 * Waits until one of `events` (FILCH_READABLE | FILCH_WRITABLE) can be had. What has come may be gone by the time the
 * caller tries, if others use it too.
 *
 * Returns  those of `events` that can be had, more than 0
 *          -EPERM   it cannot be watched: a regular file
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_fd_wait(filch_fd fd, unsigned events, filch_deadline deadline);

/*
 * As poll(2) for one descriptor, and only the task waits: for a library that opens and closes its own, non-blocking
 * (libpq, libcurl). Nothing is kept after the call, so the number may be closed, and given out anew, between two calls;
 * while somebody waits at it, it must not be. A regular file is always ready. From a thread that is no worker this is
 * poll(2).
 *
 * Returns  those of `events` that can be had, more than 0
 *          -EBADF   `number` is no open descriptor
 *          -EOPNOTSUPP  by a task of a simulation
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_poll(int number, unsigned events, filch_deadline deadline);

/* --------------------------------------------------------------------------------------------------- read and write */

/*
 * Reads up to `size` bytes, waiting until there is at least one, or the end. On an error nothing was read.
 *
 * Returns  how many; 0: the end (or `size` is 0)
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Keeps    `buffer` until it returns
 */
FILCH_API FILCH_CHECK ssize_t filch_fd_read(filch_fd fd, void *buffer, size_t size, filch_deadline deadline);
FILCH_API FILCH_CHECK ssize_t filch_fd_readv(filch_fd fd, const struct iovec *parts, int count,
                                             filch_deadline deadline);

/*
 * Writes up to `size` bytes, waiting until at least one can be taken. On an error nothing was written.
 *
 * Returns  how many, which may be fewer than `size`; -EPIPE: nobody will read
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Keeps    `buffer` until it returns
 */
FILCH_API FILCH_CHECK ssize_t filch_fd_write(filch_fd fd, const void *buffer, size_t size, filch_deadline deadline);
FILCH_API FILCH_CHECK ssize_t filch_fd_writev(filch_fd fd, const struct iovec *parts, int count,
                                              filch_deadline deadline);

/*
 * Reads just `size` bytes. `*moved`, unless `moved` is NULL, says how many were read, whatever the answer is.
 *
 * Returns  0          all of them
 *          -ENODATA   the end came before
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker
 * Keeps    `buffer` until it returns
 */
FILCH_API FILCH_CHECK int filch_fd_read_exactly(filch_fd fd, void *buffer, size_t size, size_t *moved,
                                                filch_deadline deadline);

/* Writes all of `size` bytes: 0, or why not. `*moved` as in filch_fd_read_exactly. */
FILCH_API FILCH_CHECK int filch_fd_write_all(filch_fd fd, const void *buffer, size_t size, size_t *moved,
                                             filch_deadline deadline);

/* As pread(2) and pwrite(2): at `offset`, which must not be negative, of what has one. Else as read and write. */
FILCH_API FILCH_CHECK ssize_t filch_fd_pread(filch_fd fd, void *buffer, size_t size, int64_t offset,
                                             filch_deadline deadline);
FILCH_API FILCH_CHECK ssize_t filch_fd_pwrite(filch_fd fd, const void *buffer, size_t size, int64_t offset,
                                              filch_deadline deadline);

/*
 * As recv(2), send(2), recvmsg(2) and sendmsg(2), of sockets. `flags` are theirs; MSG_NOSIGNAL is always set, and
 * MSG_DONTWAIT changes nothing: who does not want to wait gives a deadline that has passed. MSG_WAITALL is not to be used:
 * see filch_fd_read_exactly. On an error nothing was moved.
 */
FILCH_API FILCH_CHECK ssize_t filch_fd_recv(filch_fd fd, void *buffer, size_t size, int flags, filch_deadline deadline);
FILCH_API FILCH_CHECK ssize_t filch_fd_send(filch_fd fd, const void *buffer, size_t size, int flags,
                                            filch_deadline deadline);
FILCH_API FILCH_CHECK ssize_t filch_fd_recvmsg(filch_fd fd, struct msghdr *message, int flags, filch_deadline deadline);
FILCH_API FILCH_CHECK ssize_t filch_fd_sendmsg(filch_fd fd, const struct msghdr *message, int flags,
                                               filch_deadline deadline);

/*
 * Sends up to `count` bytes of file `from`, a descriptor number that mmap(2) can map, to `to`: sendfile(2). From `*offset`
 * on, which is moved; with `offset` NULL from the file's own position. Where the file is not in memory this reads the disk,
 * on the worker.
 *
 * Returns  how many, which may be fewer than `count`; 0: the file's end
 *          -EBADF    also: `from` is no open descriptor
 *          -EINVAL   `*offset` is negative, or `from` cannot be mapped
 */
FILCH_API FILCH_CHECK ssize_t filch_fd_sendfile(filch_fd to, int from, int64_t *offset, size_t count,
                                                filch_deadline deadline);

/*
 * Moves up to `count` bytes from `from` to `to`, one of which is a pipe, without copying them: splice(2).
 *
 * Returns  how many, which may be fewer than `count`; 0: the end of `from`
 */
FILCH_API FILCH_CHECK ssize_t filch_fd_splice(filch_fd from, filch_fd to, size_t count, filch_deadline deadline);

/* A pipe, as pipe2(2): both ends adopted. 0, or as filch_fd_adopt, or -EMFILE or -ENFILE; then neither is written. */
FILCH_API FILCH_CHECK int filch_pipe_open(filch_fd *reading, filch_fd *writing, const filch_fd_options *options);

FILCH_END_DECLS

#endif
