/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes: one loop, which tries while the descriptor is ready and waits while it is not, and what each call
 * tries.
 */
#include <filch/fd.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "io/io.h"

/* What a call moves. Which fields it uses is its own. */
struct call {
    void *buffer;
    size_t size;     /* how much is to be moved at most */
    size_t expected; /* with less than this, a stream is empty, or full */
    const struct iovec *parts;
    int count;
    int flags;
    int64_t offset;
    struct msghdr *message;
};

/* Makes the system call: a count or -errno. */
typedef ssize_t attempt_fn(struct filch__record *record, const struct call *call);

/* A stream that gave less than was asked for is empty, unless it has ended. */
static inline void note_short(struct filch__record *record, enum filch__direction direction, uint32_t seen,
                              size_t moved, size_t expected) {
    if (!record->stream || moved >= expected || (seen & HUNG_UP) || filch__system_cuts()) return;
    (void)filch__record_clear(record, direction, seen);
}

/*
 * poll(2) said that there is room, and the call that there is none, again and again: the receiver of a datagram on a Unix
 * socket that is not connected to it has none, and no event will tell when it has. So it is tried from time to time.
 */
static never_inline int rest(unsigned vain, filch_deadline deadline) {
    enum { VAIN_MIN = 3, VAIN_MAX = 8 };
    if (vain < VAIN_MIN) return 0;
    filch_deadline until = filch_after(FILCH_US(4) << (vain < VAIN_MAX ? vain : VAIN_MAX));
    int error = filch_sleep_until(until.at_ns < deadline.at_ns ? until : deadline);
    if (error != 0) return error;
    return deadline.at_ns != INT64_MAX && filch_now() >= deadline.at_ns ? -ETIMEDOUT : 0;
}

/* The last word on a deadline that has passed is the system's: an event that has not been fetched yet is no excuse. */
static never_inline ssize_t try_at_last(struct filch__record *record, attempt_fn *attempt, const struct call *call) {
    ssize_t moved = attempt(record, call);
    return moved == -EAGAIN ? -ETIMEDOUT : moved;
}

static force_inline ssize_t move(struct filch__record *record, enum filch__direction direction, attempt_fn *attempt,
                                 const struct call *call, filch_deadline deadline) {
    for (unsigned vain = 0;;) {
        uint32_t seen = filch__record_ready(record, direction);
        if (likely(seen & READY)) {
            if (direction == TO_READ) filch__prefetch_next(); /* who reads will wait next, most of the time */
            ssize_t moved = attempt(record, call);
            if (likely(moved > 0)) note_short(record, direction, seen, (size_t)moved, call->expected);
            if (likely(moved != -EAGAIN)) return moved;
            if (!filch__record_clear(record, direction, seen)) continue;
        }
        int error = direction == TO_WRITE ? rest(vain, deadline) : 0;
        if (likely(error == 0)) error = filch__record_wait_again(record, direction, vain > 0, deadline);
        if (unlikely(error == -ETIMEDOUT)) return try_at_last(record, attempt, call);
        if (unlikely(error != 0)) return error;
        vain++;
    }
}

static force_inline ssize_t transfer(filch_fd fd, enum filch__direction direction, attempt_fn *attempt,
                                     const struct call *call, filch_deadline deadline) {
    if (unlikely(filch__cancelled())) return -ECANCELED;
    struct filch__record *record;
    int error = filch__record_enter(fd, &record);
    if (unlikely(error != 0)) return error;
    ssize_t moved = move(record, direction, attempt, call, deadline);
    filch__record_done(record, direction);
    filch__record_leave(record);
    if (likely(moved >= 0)) filch__spend();
    return moved;
}

/* The most that a system call moves at a time, about. */
static inline size_t at_most(size_t size) {
    return size > SSIZE_MAX ? SSIZE_MAX : size;
}

/* -------------------------------------------------------------------------------------------------------------- read */

static ssize_t try_read(struct filch__record *record, const struct call *call) {
    if (likely(record->socket)) return filch__system_recv(record->number, call->buffer, call->size, 0);
    return filch__system_read(record->number, call->buffer, call->size);
}

/* 0; but where nothing is to be moved, only if it is open. */
static ssize_t nothing_to_move(filch_fd fd, size_t size) {
    int number = size == 0 ? filch_fd_number(fd) : 0;
    return number < 0 ? number : 0;
}

ssize_t filch_fd_read(filch_fd fd, void *buffer, size_t size, filch_deadline deadline) {
    if (unlikely(buffer == NULL && size > 0)) return -EINVAL;
    if (unlikely(size == 0)) return nothing_to_move(fd, 0);
    struct call call = {.buffer = buffer, .size = at_most(size), .expected = at_most(size)};
    return transfer(fd, TO_READ, try_read, &call, deadline);
}

static ssize_t try_readv(struct filch__record *record, const struct call *call) {
    return filch__system_readv(record->number, call->parts, call->count);
}

/* Their size, or -EINVAL. */
static ssize_t size_of_parts(const struct iovec *parts, int count) {
    if (count < 0 || count > IOV_MAX || (parts == NULL && count > 0)) return -EINVAL;
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_base == NULL && parts[i].iov_len > 0) return -EINVAL;
        if (parts[i].iov_len > SSIZE_MAX - size) return -EINVAL;
        size += parts[i].iov_len;
    }
    return (ssize_t)size;
}

ssize_t filch_fd_readv(filch_fd fd, const struct iovec *parts, int count, filch_deadline deadline) {
    ssize_t size = size_of_parts(parts, count);
    if (size <= 0) return size < 0 ? size : nothing_to_move(fd, 0);
    struct call call = {.parts = parts, .count = count, .expected = (size_t)size};
    return transfer(fd, TO_READ, try_readv, &call, deadline);
}

static ssize_t try_pread(struct filch__record *record, const struct call *call) {
    return filch__system_pread(record->number, call->buffer, call->size, call->offset);
}

ssize_t filch_fd_pread(filch_fd fd, void *buffer, size_t size, int64_t offset, filch_deadline deadline) {
    if ((buffer == NULL && size > 0) || offset < 0) return -EINVAL;
    struct call call = {.buffer = buffer, .size = at_most(size), .expected = 0, .offset = offset};
    return transfer(fd, TO_READ, try_pread, &call, deadline);
}

static ssize_t try_recv(struct filch__record *record, const struct call *call) {
    return filch__system_recv(record->number, call->buffer, call->size, call->flags);
}

/* It would have the kernel wait. */
static bool flags_are_valid(int flags) {
    return (flags & MSG_WAITALL) == 0;
}

/*
 * What has a queue of its own. The kernel never waits for that, and its EAGAIN says nothing of whether there is something
 * to read.
 */
static bool is_aside(int flags) {
    return flags & (MSG_OOB | MSG_ERRQUEUE);
}

static ssize_t receive_aside(filch_fd fd, attempt_fn *attempt, const struct call *call) {
    if (filch__cancelled()) return -ECANCELED;
    struct filch__record *record;
    int error = filch__record_enter(fd, &record);
    if (error != 0) return error;
    ssize_t moved = attempt(record, call);
    filch__record_leave(record);
    filch__spend();
    return moved;
}

ssize_t filch_fd_recv(filch_fd fd, void *buffer, size_t size, int flags, filch_deadline deadline) {
    if ((buffer == NULL && size > 0) || !flags_are_valid(flags)) return -EINVAL;
    struct call call = {.buffer = buffer, .size = at_most(size), .flags = flags | MSG_DONTWAIT};
    if (is_aside(flags)) return receive_aside(fd, try_recv, &call);
    if ((flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL)) == 0) call.expected = call.size; /* else (MSG_PEEK) it says nothing */
    return transfer(fd, TO_READ, try_recv, &call, deadline);
}

static ssize_t try_recvmsg(struct filch__record *record, const struct call *call) {
    return filch__system_recvmsg(record->number, call->message, call->flags);
}

ssize_t filch_fd_recvmsg(filch_fd fd, struct msghdr *message, int flags, filch_deadline deadline) {
    if (message == NULL || !flags_are_valid(flags)) return -EINVAL;
    struct call call = {.message = message, .flags = flags | MSG_DONTWAIT};
    if (is_aside(flags)) return receive_aside(fd, try_recvmsg, &call);
    return transfer(fd, TO_READ, try_recvmsg, &call, deadline);
}

int filch_fd_read_exactly(filch_fd fd, void *buffer, size_t size, size_t *moved, filch_deadline deadline) {
    size_t done = 0;
    ssize_t answer = buffer == NULL && size > 0 ? -EINVAL : nothing_to_move(fd, size);
    while (answer >= 0 && done < size) {
        answer = filch_fd_read(fd, (char *)buffer + done, size - done, deadline);
        if (answer == 0) answer = -ENODATA;
        if (answer > 0) done += (size_t)answer;
    }
    if (moved != NULL) *moved = done;
    return answer < 0 ? (int)answer : 0;
}

/* ------------------------------------------------------------------------------------------------------------- write */

static ssize_t try_write(struct filch__record *record, const struct call *call) {
    if (likely(record->socket)) return filch__system_send(record->number, call->buffer, call->size, MSG_NOSIGNAL);
    return filch__system_write(record->number, call->buffer, call->size);
}

ssize_t filch_fd_write(filch_fd fd, const void *buffer, size_t size, filch_deadline deadline) {
    if (unlikely(buffer == NULL && size > 0)) return -EINVAL;
    struct call call = {.buffer = (void *)(uintptr_t)buffer, .size = at_most(size), .expected = at_most(size)};
    return transfer(fd, TO_WRITE, try_write, &call, deadline);
}

static ssize_t try_writev(struct filch__record *record, const struct call *call) {
    if (!record->socket) return filch__system_writev(record->number, call->parts, call->count);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)call->parts, .msg_iovlen = (size_t)call->count};
    return filch__system_sendmsg(record->number, &message, MSG_NOSIGNAL);
}

ssize_t filch_fd_writev(filch_fd fd, const struct iovec *parts, int count, filch_deadline deadline) {
    ssize_t size = size_of_parts(parts, count);
    if (size < 0) return size;
    struct call call = {.parts = parts, .count = count, .expected = (size_t)size};
    return transfer(fd, TO_WRITE, try_writev, &call, deadline);
}

static ssize_t try_pwrite(struct filch__record *record, const struct call *call) {
    return filch__system_pwrite(record->number, call->buffer, call->size, call->offset);
}

ssize_t filch_fd_pwrite(filch_fd fd, const void *buffer, size_t size, int64_t offset, filch_deadline deadline) {
    if ((buffer == NULL && size > 0) || offset < 0) return -EINVAL;
    struct call call = {.buffer = (void *)(uintptr_t)buffer, .size = at_most(size), .expected = 0, .offset = offset};
    return transfer(fd, TO_WRITE, try_pwrite, &call, deadline);
}

static ssize_t try_send(struct filch__record *record, const struct call *call) {
    return filch__system_send(record->number, call->buffer, call->size, call->flags | MSG_NOSIGNAL);
}

ssize_t filch_fd_send(filch_fd fd, const void *buffer, size_t size, int flags, filch_deadline deadline) {
    if ((buffer == NULL && size > 0) || !flags_are_valid(flags)) return -EINVAL;
    struct call call = {.buffer = (void *)(uintptr_t)buffer, .size = at_most(size), .flags = flags | MSG_DONTWAIT};
    return transfer(fd, TO_WRITE, try_send, &call, deadline);
}

static ssize_t try_sendmsg(struct filch__record *record, const struct call *call) {
    return filch__system_sendmsg(record->number, call->message, call->flags | MSG_NOSIGNAL);
}

ssize_t filch_fd_sendmsg(filch_fd fd, const struct msghdr *message, int flags, filch_deadline deadline) {
    if (message == NULL) return -EINVAL;
    struct call call = {.message = (struct msghdr *)(uintptr_t)message, .flags = flags | MSG_DONTWAIT};
    return transfer(fd, TO_WRITE, try_sendmsg, &call, deadline);
}

int filch_fd_write_all(filch_fd fd, const void *buffer, size_t size, size_t *moved, filch_deadline deadline) {
    size_t done = 0;
    ssize_t answer = buffer == NULL && size > 0 ? -EINVAL : nothing_to_move(fd, size);
    while (answer >= 0 && done < size) {
        answer = filch_fd_write(fd, (const char *)buffer + done, size - done, deadline);
        if (answer > 0) done += (size_t)answer;
    }
    if (moved != NULL) *moved = done;
    return answer < 0 ? (int)answer : 0;
}

/* ------------------------------------------------------------------------------------------- from one to the other */

struct file_call {
    struct call call;
    int from;
    int64_t *offset;
};

static ssize_t try_sendfile(struct filch__record *record, const struct call *call) {
    const struct file_call *file = (const struct file_call *)(const void *)call; /* its first field */
    return filch__system_sendfile(record->number, file->from, file->offset, call->size);
}

ssize_t filch_fd_sendfile(filch_fd to, int from, int64_t *offset, size_t count, filch_deadline deadline) {
    if (offset != NULL && *offset < 0) return -EINVAL;
    if (from < 0) return -EBADF;
    struct file_call file = {.call = {.size = at_most(count)}, .from = from, .offset = offset};
    return transfer(to, TO_WRITE, try_sendfile, &file.call, deadline);
}

/* Waits for one of the two, unless something has happened there. Whoever waits for the other has its turn meanwhile. */
static int wait_for_one(struct filch__record *record, enum filch__direction direction, uint32_t seen,
                        struct filch__record *other, filch_deadline deadline) {
    if (!filch__record_clear(record, direction, seen)) return 0;
    filch__record_done(other, direction == TO_READ ? TO_WRITE : TO_READ);
    return filch__record_wait(record, direction, deadline);
}

/*
 * EAGAIN does not tell which of the two it is that has to wait, and by the time one looks it may be neither; to take the
 * other for it would be to wait for what is there. 0, or why not.
 */
static int wait_for_either(struct filch__record *from, struct filch__record *to, const uint32_t *seen,
                           filch_deadline deadline) {
    int readable = filch__system_poll(from->number, POLLIN, 0);
    if (readable == 0) return wait_for_one(from, TO_READ, seen[TO_READ], to, deadline);
    int writable = readable < 0 ? readable : filch__system_poll(to->number, POLLOUT, 0);
    if (writable == 0) return wait_for_one(to, TO_WRITE, seen[TO_WRITE], from, deadline);
    if (writable < 0) return writable;
    filch__spend();
    if (filch__cancelled()) return -ECANCELED;
    return deadline.at_ns != INT64_MAX && filch_now() >= deadline.at_ns ? -ETIMEDOUT : 0;
}

static ssize_t splice_between(struct filch__record *from, struct filch__record *to, size_t count,
                              filch_deadline deadline) {
    for (;;) {
        uint32_t seen[2] = {filch__record_ready(from, TO_READ), filch__record_ready(to, TO_WRITE)};
        ssize_t moved = filch__system_splice(from->number, to->number, count);
        if (moved != -EAGAIN) return moved;
        int error = wait_for_either(from, to, seen, deadline);
        if (error != 0) return error;
    }
}

ssize_t filch_fd_splice(filch_fd from, filch_fd to, size_t count, filch_deadline deadline) {
    if (filch__cancelled()) return -ECANCELED;
    struct filch__record *source, *sink;
    int error = filch__record_enter(from, &source);
    if (error != 0) return error;
    error = filch__record_enter(to, &sink);
    ssize_t moved = error;
    if (error == 0) {
        moved = splice_between(source, sink, at_most(count), deadline);
        filch__record_done(sink, TO_WRITE);
        filch__record_leave(sink);
    }
    filch__record_done(source, TO_READ);
    filch__record_leave(source);
    if (moved >= 0) filch__spend();
    return moved;
}
