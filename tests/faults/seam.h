/* SPDX-License-Identifier: MIT */
/*
 * The seam at which faults are injected: every request for memory of the library's, and every system call that it makes,
 * by name. The calls are the linker's to divert (--wrap, see CMakeLists.txt), so that the library itself is as it is
 * released, and has nothing of this in it.
 *
 * A fault is: of the calls of one kind, from when it is armed on, number `nth` gives `answer`, or it and the two after it,
 * or it and all that follow until seam_relieve. Where an answer cannot be given (a short count where there is none, EAGAIN
 * of what never waits), the call is made as it is, and the fault has not struck.
 */
#ifndef FILCH_TESTS_FAULTS_SEAM_H
#define FILCH_TESTS_FAULTS_SEAM_H

#include <stdbool.h>
#include <stddef.h>

/* X(name in C, name as it is told). The two first are no system calls: see seam.c. */
#define SEAM_CALLS(X)                                                                                                  \
    X(MEMORY, "memory")                                                                                                \
    X(OPERATION, "operation")                                                                                          \
    X(ACCEPT, "accept")                                                                                                \
    X(BIND, "bind")                                                                                                    \
    X(CLOSE, "close")                                                                                                  \
    X(CONNECT, "connect")                                                                                              \
    X(DUP, "dup")                                                                                                      \
    X(EPOLL_CREATE, "epoll_create")                                                                                    \
    X(EPOLL_CTL, "epoll_ctl")                                                                                          \
    X(EPOLL_PWAIT2, "epoll_pwait2")                                                                                    \
    X(EPOLL_WAIT, "epoll_wait")                                                                                        \
    X(EVENTFD, "eventfd")                                                                                              \
    X(FOPEN, "fopen")                                                                                                  \
    X(FSTAT, "fstat")                                                                                                  \
    X(FSYNC, "fsync")                                                                                                  \
    X(FTRUNCATE, "ftruncate")                                                                                          \
    X(FUTEX_WAIT, "futex_wait")                                                                                        \
    X(GETADDRINFO, "getaddrinfo")                                                                                      \
    X(GETDENTS, "getdents")                                                                                            \
    X(GETRANDOM, "getrandom")                                                                                          \
    X(GETSOCKNAME, "getsockname")                                                                                      \
    X(GETSOCKOPT, "getsockopt")                                                                                        \
    X(LISTEN, "listen")                                                                                                \
    X(MADVISE, "madvise")                                                                                              \
    X(MEMBARRIER, "membarrier")                                                                                        \
    X(MMAP, "mmap")                                                                                                    \
    X(MPROTECT, "mprotect")                                                                                            \
    X(OPEN, "open")                                                                                                    \
    X(PATH, "path")                                                                                                    \
    X(PIDFD_OPEN, "pidfd_open")                                                                                        \
    X(PIPE, "pipe")                                                                                                    \
    X(POLL, "poll")                                                                                                    \
    X(PREAD, "pread")                                                                                                  \
    X(PWRITE, "pwrite")                                                                                                \
    X(READ, "read")                                                                                                    \
    X(READV, "readv")                                                                                                  \
    X(RECV, "recv")                                                                                                    \
    X(RECVMSG, "recvmsg")                                                                                              \
    X(SEND, "send")                                                                                                    \
    X(SENDFILE, "sendfile")                                                                                            \
    X(SENDMSG, "sendmsg")                                                                                              \
    X(SETSOCKOPT, "setsockopt")                                                                                        \
    X(SHUTDOWN, "shutdown")                                                                                            \
    X(SOCKET, "socket")                                                                                                \
    X(SPAWN, "spawn")                                                                                                  \
    X(SPLICE, "splice")                                                                                                \
    X(STATX, "statx")                                                                                                  \
    X(THREAD, "thread")                                                                                                \
    X(URING_ENTER, "uring_enter")                                                                                      \
    X(URING_REGISTER, "uring_register")                                                                                \
    X(URING_SETUP, "uring_setup")                                                                                      \
    X(WAITID, "waitid")                                                                                                \
    X(WRITE, "write")                                                                                                  \
    X(WRITEV, "writev")

enum seam_call {
#define SEAM_ENUM(name, text) SEAM_##name,
    SEAM_CALLS(SEAM_ENUM)
#undef SEAM_ENUM
        SEAM_KINDS
};

enum seam_mode { SEAM_ONCE, SEAM_THRICE, SEAM_ALL, SEAM_MODES };

struct fault {
    enum seam_call call;
    unsigned nth; /* from 1 */
    int answer;   /* -errno; or a count: the call moves no more than so many bytes */
    enum seam_mode mode;
};

extern const char *const seam_names[SEAM_KINDS];
extern const char *const seam_modes[SEAM_MODES];

/* From now on calls are counted, and `fault` strikes, unless it is NULL; until the other. */
void seam_arm(const struct fault *fault);
void seam_disarm(void);

/* Nothing fails any more, though calls are counted on. */
void seam_relieve(void);

/* The fault that is armed has struck. */
bool seam_struck(void);

/* How many calls of a kind there were since seam_arm. */
unsigned seam_count(enum seam_call call);

/* How many mappings the library has, over the whole process: made and not unmade. */
long seam_mappings(void);

/* For the diverted calls: counts one of `call`, and returns what it is to answer, or 0. */
int seam_answer(enum seam_call call);

/* The same for one that would move `*size` bytes of descriptor `number`: a count is put into `*size` instead. */
int seam_move_answer(enum seam_call call, int number, size_t *size);

#endif
