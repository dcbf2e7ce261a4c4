/* SPDX-License-Identifier: MIT */
/*
 * The diverted calls: each asks the seam what it is to answer, and is made otherwise. As CMakeLists.txt has the linker name
 * them: __wrap_x is called in the place of x, and __real_x is x.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/seam.h"

/* -1 with errno, as libc has it. */
static long failed(int answer) {
    errno = -answer;
    return -1;
}

/* A call that is made, or fails: `type __wrap_name(parameters)`, which passes `arguments` on. */
#define DIVERT(kind, type, name, parameters, arguments)                                                                \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters {                                                                                    \
        int answer = seam_answer(SEAM_##kind);                                                                         \
        return answer != 0 ? (type)failed(answer) : __real_##name arguments;                                           \
    }

/* One that moves `size` bytes of descriptor `number`. */
#define DIVERT_MOVE(kind, name, number, size, parameters, arguments)                                                   \
    ssize_t __real_##name parameters;                                                                                  \
    ssize_t __wrap_##name parameters;                                                                                  \
    ssize_t __wrap_##name parameters {                                                                                 \
        int answer = seam_move_answer(SEAM_##kind, number, &size);                                                     \
        return answer != 0 ? failed(answer) : __real_##name arguments;                                                 \
    }

/* -------------------------------------------------------------------------------------------------- bytes are moved */

DIVERT_MOVE(READ, read, number, size, (int number, void *buffer, size_t size), (number, buffer, size))
DIVERT_MOVE(WRITE, write, number, size, (int number, const void *buffer, size_t size), (number, buffer, size))
DIVERT_MOVE(PREAD, pread, number, size, (int number, void *buffer, size_t size, off_t offset),
            (number, buffer, size, offset))
DIVERT_MOVE(PWRITE, pwrite, number, size, (int number, const void *buffer, size_t size, off_t offset),
            (number, buffer, size, offset))
DIVERT_MOVE(RECV, recv, number, size, (int number, void *buffer, size_t size, int flags), (number, buffer, size, flags))
DIVERT_MOVE(SEND, send, number, size, (int number, const void *buffer, size_t size, int flags),
            (number, buffer, size, flags))
DIVERT_MOVE(SENDFILE, sendfile, to, size, (int to, int from, off_t *offset, size_t size), (to, from, offset, size))
DIVERT_MOVE(SPLICE, splice, to, size, (int from, off64_t *in, int to, off64_t *out, size_t size, unsigned flags),
            (from, in, to, out, size, flags))

/* Several parts: a short one moves of the first alone. */
#define DIVERT_PARTS(kind, name)                                                                                       \
    ssize_t __real_##name(int number, const struct iovec *parts, int count);                                           \
    ssize_t __wrap_##name(int number, const struct iovec *parts, int count);                                           \
    ssize_t __wrap_##name(int number, const struct iovec *parts, int count) {                                          \
        struct iovec first = count > 0 ? parts[0] : (struct iovec){0};                                                 \
        int answer = seam_move_answer(SEAM_##kind, number, &first.iov_len);                                            \
        if (answer != 0) return failed(answer);                                                                        \
        bool cut = count > 0 && first.iov_len < parts[0].iov_len;                                                      \
        return __real_##name(number, cut ? &first : parts, cut ? 1 : count);                                           \
    }

DIVERT_PARTS(READV, readv)
DIVERT_PARTS(WRITEV, writev)

ssize_t __real_sendmsg(int number, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int number, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int number, const struct msghdr *message, int flags) {
    struct iovec first = message->msg_iovlen > 0 ? message->msg_iov[0] : (struct iovec){0};
    int answer = seam_move_answer(SEAM_SENDMSG, number, &first.iov_len);
    if (answer != 0) return failed(answer);
    struct msghdr shorter = *message;
    shorter.msg_iov = &first;
    shorter.msg_iovlen = 1;
    bool cut = message->msg_iovlen > 0 && first.iov_len < message->msg_iov[0].iov_len;
    return __real_sendmsg(number, cut ? &shorter : message, flags);
}

ssize_t __real_recvmsg(int number, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int number, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int number, struct msghdr *message, int flags) {
    size_t size = 0; /* is never cut */
    int answer = seam_move_answer(SEAM_RECVMSG, number, &size);
    return answer != 0 ? failed(answer) : __real_recvmsg(number, message, flags);
}

/* ------------------------------------------------------------------------------------------------------ descriptors */

DIVERT(ACCEPT, int, accept4, (int number, struct sockaddr *address, socklen_t *length, int flags),
       (number, address, length, flags))
DIVERT(BIND, int, bind, (int number, const struct sockaddr *address, socklen_t length), (number, address, length))
DIVERT(CONNECT, int, connect, (int number, const struct sockaddr *address, socklen_t length), (number, address, length))
DIVERT(EPOLL_CREATE, int, epoll_create1, (int flags), (flags))
DIVERT(EVENTFD, int, eventfd, (unsigned value, int flags), (value, flags))
DIVERT(FSTAT, int, fstat, (int number, struct stat *about), (number, about))
DIVERT(FSYNC, int, fsync, (int number), (number))
DIVERT(FSYNC, int, fdatasync, (int number), (number))
DIVERT(FTRUNCATE, int, ftruncate, (int number, off_t size), (number, size))
DIVERT(GETDENTS, ssize_t, getdents64, (int number, void *buffer, size_t size), (number, buffer, size))
DIVERT(GETSOCKNAME, int, getsockname, (int number, struct sockaddr *address, socklen_t *length),
       (number, address, length))
DIVERT(GETSOCKNAME, int, getpeername, (int number, struct sockaddr *address, socklen_t *length),
       (number, address, length))
DIVERT(LISTEN, int, listen, (int number, int backlog), (number, backlog))
DIVERT(PIPE, int, pipe2, (int numbers[2], int flags), (numbers, flags))
DIVERT(POLL, int, ppoll, (struct pollfd * fds, nfds_t count, const struct timespec *limit, const sigset_t *mask),
       (fds, count, limit, mask))
DIVERT(SETSOCKOPT, int, setsockopt, (int number, int level, int option, const void *value, socklen_t length),
       (number, level, option, value, length))
DIVERT(SHUTDOWN, int, shutdown, (int number, int how), (number, how))
DIVERT(SOCKET, int, socket, (int family, int type, int protocol), (family, type, protocol))

/* What asks whether it is a socket at all is not made to fail: another answer than ENOTSOCK is none. */
int __real_getsockopt(int number, int level, int option, void *value, socklen_t *length);
int __wrap_getsockopt(int number, int level, int option, void *value, socklen_t *length);
int __wrap_getsockopt(int number, int level, int option, void *value, socklen_t *length) {
    bool asks_kind = level == SOL_SOCKET && (option == SO_TYPE || option == SO_PROTOCOL);
    int answer = asks_kind ? 0 : seam_answer(SEAM_GETSOCKOPT);
    return answer != 0 ? (int)failed(answer) : __real_getsockopt(number, level, option, value, length);
}

/* Linux frees the number whatever it answers. */
int __real_close(int number);
int __wrap_close(int number);
int __wrap_close(int number) {
    int answer = seam_answer(SEAM_CLOSE), result = __real_close(number);
    return answer != 0 ? (int)failed(answer) : result;
}

/* Only what makes a number can fail. */
int __real_fcntl(int number, int command, ...);
int __wrap_fcntl(int number, int command, ...);
int __wrap_fcntl(int number, int command, ...) {
    va_list rest;
    va_start(rest, command);
    long argument = va_arg(rest, long);
    va_end(rest);
    int answer = command == F_DUPFD_CLOEXEC ? seam_answer(SEAM_DUP) : 0;
    return answer != 0 ? (int)failed(answer) : __real_fcntl(number, command, argument);
}

/* What takes a watch away cannot fail. */
int __real_epoll_ctl(int epoll, int operation, int number, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int number, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int number, struct epoll_event *event) {
    int answer = operation == EPOLL_CTL_DEL ? 0 : seam_answer(SEAM_EPOLL_CTL);
    return answer != 0 ? (int)failed(answer) : __real_epoll_ctl(epoll, operation, number, event);
}

DIVERT(EPOLL_WAIT, int, epoll_wait, (int epoll, struct epoll_event *events, int room, int limit_ms),
       (epoll, events, room, limit_ms))
DIVERT(EPOLL_PWAIT2, int, epoll_pwait2,
       (int epoll, struct epoll_event *events, int room, const struct timespec *limit, const sigset_t *mask),
       (epoll, events, room, limit, mask))

/* ------------------------------------------------------------------------------------------------------------ paths */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = va_arg(rest, unsigned);
    va_end(rest);
    int answer = seam_answer(SEAM_OPEN);
    return answer != 0 ? (int)failed(answer) : __real_open(path, flags, mode);
}

int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    unsigned mode = va_arg(rest, unsigned);
    va_end(rest);
    int answer = seam_answer(SEAM_OPEN);
    return answer != 0 ? (int)failed(answer) : __real_openat(directory, path, flags, mode);
}

DIVERT(STATX, int, statx, (int directory, const char *path, int flags, unsigned mask, struct statx *about),
       (directory, path, flags, mask, about))
DIVERT(PATH, int, renameat2, (int from, const char *old, int to, const char *made, unsigned flags),
       (from, old, to, made, flags))
DIVERT(PATH, int, renameat, (int from, const char *old, int to, const char *made), (from, old, to, made))
DIVERT(PATH, int, unlinkat, (int directory, const char *path, int flags), (directory, path, flags))
DIVERT(PATH, int, unlink, (const char *path), (path))
DIVERT(PATH, int, mkdirat, (int directory, const char *path, mode_t mode), (directory, path, mode))

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode) {
    int answer = seam_answer(SEAM_FOPEN);
    if (answer != 0) errno = -answer;
    return answer != 0 ? NULL : __real_fopen(path, mode);
}

/* ----------------------------------------------------------------------------------------------------------- memory */

static atomic_long mappings;

long seam_mappings(void) {
    return atomic_load(&mappings);
}

void *__real_mmap(void *address, size_t size, int protection, int flags, int number, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int number, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int number, off_t offset) {
    int answer = seam_answer(SEAM_MMAP);
    if (answer != 0) errno = -answer;
    void *memory = answer != 0 ? MAP_FAILED : __real_mmap(address, size, protection, flags, number, offset);
    if (memory != MAP_FAILED) atomic_fetch_add(&mappings, 1);
    return memory;
}

int __real_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size) {
    atomic_fetch_sub(&mappings, 1);
    return __real_munmap(address, size);
}

/* What takes a guard away does not split a mapping, and cannot fail. */
int __real_mprotect(void *address, size_t size, int protection);
int __wrap_mprotect(void *address, size_t size, int protection);
int __wrap_mprotect(void *address, size_t size, int protection) {
    int answer = protection == PROT_NONE ? seam_answer(SEAM_MPROTECT) : 0;
    return answer != 0 ? (int)failed(answer) : __real_mprotect(address, size, protection);
}

#define ADVICE_GUARD_REMOVE 103 /* of <linux/mman.h>; needs no memory */

int __real_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice) {
    int answer = advice == ADVICE_GUARD_REMOVE ? 0 : seam_answer(SEAM_MADVISE);
    return answer != 0 ? (int)failed(answer) : __real_madvise(address, size, advice);
}

/* ------------------------------------------------------------------------------------------- threads and processes */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
    int answer = seam_answer(SEAM_THREAD);
    return answer != 0 ? -answer : __real_pthread_create(thread, attributes, start, argument);
}

int __real_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]);
int __wrap_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]);
int __wrap_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]) {
    int answer = seam_answer(SEAM_SPAWN);
    return answer != 0 ? -answer : __real_posix_spawnp(pid, file, actions, attributes, argv, environment);
}

DIVERT(WAITID, int, waitid, (idtype_t kind, id_t id, siginfo_t *info, int options), (kind, id, info, options))
DIVERT(GETRANDOM, ssize_t, getrandom, (void *buffer, size_t size, unsigned flags), (buffer, size, flags))

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
    int answer = seam_answer(SEAM_GETADDRINFO);
    if (answer == 0) return __real_getaddrinfo(host, service, hints, list);
    errno = -answer;
    return answer == -ENOMEM ? EAI_MEMORY : answer == -EAGAIN ? EAI_AGAIN : EAI_SYSTEM;
}

/* ---------------------------------------------------------------------------------------------- calls by their number */

/* Of the calls that are made by syscall(2); SEAM_KINDS: one that is let through. */
static enum seam_call kind_of(long number, const long *arguments) {
    switch (number) {
    case SYS_futex:
        return (arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAKE ? SEAM_KINDS : SEAM_FUTEX_WAIT;
    case SYS_membarrier:
        return SEAM_MEMBARRIER;
    case SYS_process_madvise:
        return arguments[3] == ADVICE_GUARD_REMOVE ? SEAM_KINDS : SEAM_MADVISE;
    case SYS_io_uring_setup:
        return SEAM_URING_SETUP;
    case SYS_io_uring_enter: /* with nothing to submit it needs no memory; EBUSY is answered only where completions wait */
        return arguments[1] == 0 ? SEAM_KINDS : SEAM_URING_ENTER;
    case SYS_io_uring_register:
        return SEAM_URING_REGISTER;
    case SYS_pidfd_open:
        return SEAM_PIDFD_OPEN;
    default:
        return SEAM_KINDS;
    }
}

/* The numbers of the four that move bytes. */
static enum seam_call move_of(long number) {
    return number == SYS_read       ? SEAM_READ
           : number == SYS_write    ? SEAM_WRITE
           : number == SYS_recvfrom ? SEAM_RECV
           : number == SYS_sendto   ? SEAM_SEND
                                    : SEAM_KINDS;
}

static int answer_by_number(long number, long *arguments) {
    enum seam_call move = move_of(number), kind = kind_of(number, arguments);
    if (move != SEAM_KINDS) return seam_move_answer(move, (int)arguments[0], (size_t *)(void *)&arguments[2]);
    return kind == SEAM_KINDS ? 0 : seam_answer(kind);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
    va_list rest;
    va_start(rest, number);
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
    va_end(rest);
    int answer = answer_by_number(number, a);
    return answer != 0 ? failed(answer) : __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
