/* SPDX-License-Identifier: MIT */
#include "io/system.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/clock.h"
#include "context/context.h" /* which sanitizer there is */

/* --------------------------------------------------------------------------------------------------------- injection */

/* Relaxed, all of it: a test sets it before the calls that it is to meet. */
static ATOMIC(bool) injecting;
static ATOMIC(bool) all;
static ATOMIC(uint64_t) due;
static ATOMIC(uint64_t) calls;
static ATOMIC(int) said;

void filch__system_fail(uint64_t nth, bool all_after, int answer) {
    store_relaxed(&injecting, false);
    store_relaxed(&calls, 0);
    store_relaxed(&due, nth);
    store_relaxed(&all, all_after);
    store_relaxed(&said, answer);
    store_relaxed(&injecting, nth != 0);
}

uint64_t filch__system_calls(void) {
    return load_relaxed(&calls);
}

bool filch__system_cuts(void) {
    return load_relaxed(&injecting) && load_relaxed(&said) > 0;
}

/* What this call is to answer, or 0. A positive answer, of a call that moves bytes, is put into `*size` instead. */
static int injected(size_t *size) {
    if (likely(!load_relaxed(&injecting))) return 0;
    uint64_t number = add_relaxed(&calls, 1) + 1, first = load_relaxed(&due);
    if (number < first || (number > first && !load_relaxed(&all))) return 0;
    int answer = load_relaxed(&said);
    if (answer < 0) return answer;
    if (size != NULL && *size > (size_t)answer) *size = (size_t)answer;
    return 0;
}

int filch__system_injected(size_t *size) {
    return injected(size);
}

/* -------------------------------------------------------------------------------------------------- the frequent calls */

/* The answer of a call that has returned `result`. */
static inline ssize_t answer_of(ssize_t result) {
    return result >= 0 ? result : -errno;
}

/*
 * libc makes these points at which a thread may be cancelled, at two locked instructions each, and tells the error through
 * errno; workers are not cancelled. The sanitizers know them by libc's functions.
 */
#if defined(FILCH_TSAN) || defined(FILCH_TASKSAN) || defined(FILCH_ASAN)
#define call_read(...) answer_of(read(__VA_ARGS__))
#define call_write(...) answer_of(write(__VA_ARGS__))
#define call_recv(...) answer_of(recv(__VA_ARGS__))
#define call_send(...) answer_of(send(__VA_ARGS__))
#define call_pread(...) answer_of(pread(__VA_ARGS__))
#define call_preadv2(...) answer_of(preadv2(__VA_ARGS__))
#else

/* -errno, as the kernel tells it. The arguments go where its calling convention wants them. */
static inline ssize_t call(long number, long first, const void *buffer, size_t size, long fourth, long sixth) {
#ifdef __x86_64__
    register long r10 __asm__("r10") = fourth, r8 __asm__("r8") = 0, r9 __asm__("r9") = sixth;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(first), "S"(buffer), "d"(size), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
#else
    return answer_of(syscall(number, first, buffer, size, fourth, 0, sixth));
#endif
}

static inline ssize_t call_read(int number, void *buffer, size_t size) {
    return call(SYS_read, number, buffer, size, 0, 0);
}

static inline ssize_t call_write(int number, const void *buffer, size_t size) {
    return call(SYS_write, number, buffer, size, 0, 0);
}

static inline ssize_t call_recv(int number, void *buffer, size_t size, int flags) {
    return call(SYS_recvfrom, number, buffer, size, flags, 0);
}

static inline ssize_t call_send(int number, const void *buffer, size_t size, int flags) {
    return call(SYS_sendto, number, buffer, size, flags, 0);
}

/* Where a word holds 64 bits an offset is one argument, and of preadv2 the fifth is not looked at. */
static inline ssize_t call_pread(int number, void *buffer, size_t size, int64_t offset) {
    return call(SYS_pread64, number, buffer, size, offset, 0);
}

static inline ssize_t call_preadv2(int number, const struct iovec *parts, int count, int64_t offset, int flags) {
    return call(SYS_preadv2, number, parts, (size_t)count, offset, flags);
}
#endif

/* EINTR, injected or not, is taken for a call that is to be made again. */
static inline bool again(ssize_t answer) {
    return unlikely(answer == -EINTR);
}

/* ------------------------------------------------------------------------------------------------------ read and write */

never_inline ssize_t filch__system_read(int number, void *buffer, size_t size) {
    ssize_t answer;
    do {
        size_t part = size;
        answer = injected(&part);
        if (likely(answer == 0)) answer = call_read(number, buffer, part);
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_write(int number, const void *buffer, size_t size) {
    ssize_t answer;
    do {
        size_t part = size;
        answer = injected(&part);
        if (likely(answer == 0)) answer = call_write(number, buffer, part);
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_readv(int number, const struct iovec *parts, int count) {
    ssize_t answer;
    do {
        answer = injected(NULL);
        if (likely(answer == 0)) answer = answer_of(readv(number, parts, count));
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_writev(int number, const struct iovec *parts, int count) {
    ssize_t answer;
    do {
        answer = injected(NULL);
        if (likely(answer == 0)) answer = answer_of(writev(number, parts, count));
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_pread(int number, void *buffer, size_t size, int64_t offset) {
    ssize_t answer;
    do {
        size_t part = size;
        answer = injected(&part);
        if (likely(answer == 0)) answer = call_pread(number, buffer, part, offset);
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_pread_cached(int number, void *buffer, size_t size, int64_t offset) {
    struct iovec part = {.iov_base = buffer};
    ssize_t answer;
    do {
        part.iov_len = size;
        answer = injected(&part.iov_len);
        if (likely(answer == 0)) answer = call_preadv2(number, &part, 1, offset, RWF_NOWAIT);
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_pwrite(int number, const void *buffer, size_t size, int64_t offset) {
    ssize_t answer;
    do {
        size_t part = size;
        answer = injected(&part);
        if (likely(answer == 0)) answer = answer_of(pwrite(number, buffer, part, offset));
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_recv(int number, void *buffer, size_t size, int flags) {
    ssize_t answer;
    do {
        size_t part = size;
        answer = injected(&part);
        if (likely(answer == 0)) answer = call_recv(number, buffer, part, flags);
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_send(int number, const void *buffer, size_t size, int flags) {
    ssize_t answer;
    do {
        size_t part = size;
        answer = injected(&part);
        if (likely(answer == 0)) answer = call_send(number, buffer, part, flags);
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_recvmsg(int number, struct msghdr *message, int flags) {
    ssize_t answer;
    do {
        answer = injected(NULL);
        if (likely(answer == 0)) answer = answer_of(recvmsg(number, message, flags));
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_sendmsg(int number, const struct msghdr *message, int flags) {
    ssize_t answer;
    do {
        answer = injected(NULL);
        if (likely(answer == 0)) answer = answer_of(sendmsg(number, message, flags));
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_sendfile(int to, int from, int64_t *offset, size_t count) {
    ssize_t answer;
    do {
        size_t part = count;
        answer = injected(&part);
        if (likely(answer == 0)) answer = answer_of(sendfile(to, from, offset, part));
    } while (again(answer));
    return answer;
}

never_inline ssize_t filch__system_splice(int from, int to, size_t count) {
    ssize_t answer;
    do {
        size_t part = count;
        answer = injected(&part);
        if (likely(answer == 0)) answer = answer_of(splice(from, NULL, to, NULL, part, SPLICE_F_NONBLOCK));
    } while (again(answer));
    return answer;
}

/* ---------------------------------------------------------------------------------------------------- open and close */

/* Linux frees the number whatever it answers: it must not be closed again after EINTR. */
never_inline int filch__system_close(int number) {
    return (int)answer_of(close(number));
}

never_inline int filch__system_accept(int number, struct sockaddr *address, socklen_t *length) {
    ssize_t answer;
    do {
        answer = injected(NULL);
        if (likely(answer == 0)) answer = answer_of(accept4(number, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    } while (again(answer));
    return (int)answer;
}

/*
 * Whether the kernel goes on connecting after EINTR depends on the kind of socket; it says so to who asks again: it is at it
 * (EALREADY), or done (EISCONN, or 0).
 */
never_inline int filch__system_connect(int number, const struct sockaddr *address, socklen_t length) {
    bool interrupted = false;
    for (;;) {
        int answer = injected(NULL);
        if (answer == 0) answer = (int)answer_of(connect(number, address, length));
        if (!again(answer)) {
            if (interrupted && answer == -EALREADY) return -EINPROGRESS;
            return interrupted && answer == -EISCONN ? 0 : answer;
        }
        interrupted = true;
    }
}

never_inline int filch__system_socket(int family, int type, int protocol) {
    ssize_t answer;
    do {
        answer = injected(NULL);
        if (answer == 0) answer = answer_of(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
    } while (again(answer));
    return (int)answer;
}

never_inline int filch__system_pipe(int numbers[2]) {
    ssize_t answer;
    do {
        answer = injected(NULL);
        if (answer == 0) answer = answer_of(pipe2(numbers, O_NONBLOCK | O_CLOEXEC));
    } while (again(answer));
    return (int)answer;
}

/* ------------------------------------------------------------------------------------------------------------- others */

never_inline int filch__system_poll(int number, short events, int64_t until_ns) {
    struct pollfd one = {.fd = number, .events = events};
    for (;;) {
        int64_t left_ns = until_ns == 0 ? 0 : until_ns - filch__clock_now();
        if (left_ns < 0) left_ns = 0;
        struct timespec left = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
        ssize_t answer = injected(NULL);
        if (answer == 0) answer = answer_of(ppoll(&one, 1, until_ns == INT64_MAX ? NULL : &left, NULL));
        if (!again(answer)) return answer > 0 ? one.revents : (int)answer;
    }
}

/*
 * Of anything else a read may be short though there is more: a Unix socket's ends where descriptors were passed or the
 * sender changes, SCTP's with a message, a pipe's with a packet if the writer has it so (O_DIRECT), which its reading end
 * does not tell.
 */
static bool is_tcp(int number) {
    int protocol = 0;
    socklen_t length = sizeof protocol;
    return getsockopt(number, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == IPPROTO_TCP;
}

never_inline int filch__system_prepare(int number, struct filch__system_kind *kind) {
    *kind = (struct filch__system_kind){0};
    int flags = fcntl(number, F_GETFL);
    if (flags < 0) return -errno;
    if (!(flags & O_NONBLOCK) && fcntl(number, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    int type = 0;
    socklen_t length = sizeof type;
    kind->socket = getsockopt(number, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
    struct stat about;
    if (fstat(number, &about) != 0) return -errno;
    kind->stream = kind->socket && is_tcp(number);
    kind->regular = S_ISREG(about.st_mode) || S_ISDIR(about.st_mode);
    return 0;
}
