/* SPDX-License-Identifier: MIT */
/*
 * System calls as io/ makes them: each answers a count or -errno, and none is answered -EINTR. They are functions that are
 * never inlined, since a task may be on another thread after a wait, and compilers keep the old thread's address of errno
 * over it. And they are the place where failures are injected.
 */
#ifndef FILCH_IO_SYSTEM_H
#define FILCH_IO_SYSTEM_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

int filch__system_close(int number);
ssize_t filch__system_read(int number, void *buffer, size_t size);
ssize_t filch__system_write(int number, const void *buffer, size_t size);
ssize_t filch__system_readv(int number, const struct iovec *parts, int count);
ssize_t filch__system_writev(int number, const struct iovec *parts, int count);
ssize_t filch__system_pread(int number, void *buffer, size_t size, int64_t offset);
ssize_t filch__system_pwrite(int number, const void *buffer, size_t size, int64_t offset);
ssize_t filch__system_recv(int number, void *buffer, size_t size, int flags);
ssize_t filch__system_send(int number, const void *buffer, size_t size, int flags);
ssize_t filch__system_recvmsg(int number, struct msghdr *message, int flags);
ssize_t filch__system_sendmsg(int number, const struct msghdr *message, int flags);
ssize_t filch__system_sendfile(int to, int from, int64_t *offset, size_t count);
ssize_t filch__system_splice(int from, int to, size_t count);

/*
 * As pread, of what is in memory, without waiting for a disk; -1 is the file's own position. -EAGAIN: it is not there;
 * -EOPNOTSUPP or another error: it cannot be told.
 */
ssize_t filch__system_pread_cached(int number, void *buffer, size_t size, int64_t offset);

int filch__system_accept(int number, struct sockaddr *address, socklen_t *length);
int filch__system_connect(int number, const struct sockaddr *address, socklen_t length);
int filch__system_socket(int family, int type, int protocol);
int filch__system_pipe(int numbers[2]);

/* poll(2) of one descriptor until the monotonic clock shows `until_ns`: its revents, or -errno. 0: nothing by then. */
int filch__system_poll(int number, short events, int64_t until_ns);

/* What kind of thing a descriptor is. */
struct filch__system_kind {
    bool socket;
    bool stream;  /* a short read says that it is empty: TCP */
    bool regular; /* a file or a directory */
};

/* Makes it non-blocking, and tells its kind: 0 or -errno. */
int filch__system_prepare(int number, struct filch__system_kind *kind);

/*
 * Failure injection, for tests: of the calls above from now on, over the whole process, number `nth` (1 is the next) and,
 * if `all_after`, every later one answers `answer`: -errno; or a positive count, which means that it is made for no more
 * than so many bytes. `nth` 0 ends it. Closing is never made to fail, nor is what cannot answer so: -EAGAIN is taken for
 * an answer of a call that would wait, and something must happen there for the caller to go on.
 */
void filch__system_fail(uint64_t nth, bool all_after, int answer);

/* How many calls have been counted since then. */
uint64_t filch__system_calls(void);

/*
 * For system calls that are made elsewhere in io/: counts one, and says what it is to answer, or 0. Of a call that moves
 * `*size` bytes, a positive answer is put into that.
 */
int filch__system_injected(size_t *size);

/* Whether calls may be cut short by that: then a short one says nothing. */
bool filch__system_cuts(void);

#endif
