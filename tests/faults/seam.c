/* SPDX-License-Identifier: MIT */
/*
 * Which call is to fail. Requests for memory are counted by the library, which has its own count of them (alloc/heap.h).
 * SEAM_OPERATION is an operation on a file, by whichever engine: the answer of one that io_uring makes is no system call's.
 */
#include "tests/faults/seam.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alloc/heap.h"

#define SEAM_NAME(name, text) text,
const char *const seam_names[SEAM_KINDS] = {SEAM_CALLS(SEAM_NAME)};
const char *const seam_modes[SEAM_MODES] = {"once", "thrice", "all"};

static struct {
    atomic_bool armed, striking, starving, struck; /* `starving`: the fault is one of memory */
    struct fault fault;                            /* written while nothing is armed */
    atomic_uint counts[SEAM_KINDS];
} seam;

int __real_getsockopt(int number, int level, int option, void *value, socklen_t *length);
int __wrap_filch__system_injected(size_t *size);

void seam_arm(const struct fault *fault) {
    for (int i = 0; i < SEAM_KINDS; i++) atomic_store(&seam.counts[i], 0);
    atomic_store(&seam.struck, false);
    if (fault != NULL) seam.fault = *fault;
    bool memory = fault != NULL && fault->call == SEAM_MEMORY;
    filch__alloc_fail(memory ? fault->nth : 0, memory && fault->mode == SEAM_ALL);
    atomic_store(&seam.striking, fault != NULL && !memory);
    atomic_store(&seam.starving, memory);
    atomic_store(&seam.armed, true);
}

void seam_disarm(void) {
    if (seam_struck()) atomic_store(&seam.struck, true);
    atomic_store(&seam.counts[SEAM_MEMORY], (unsigned)filch__alloc_requests());
    filch__alloc_fail(0, false);
    atomic_store(&seam.armed, false);
    atomic_store(&seam.striking, false);
    atomic_store(&seam.starving, false);
}

void seam_relieve(void) {
    if (seam_struck()) atomic_store(&seam.struck, true);
    atomic_store(&seam.striking, false);
    atomic_store(&seam.starving, false);
    filch__alloc_fail(0, false);
}

bool seam_struck(void) {
    if (atomic_load(&seam.struck)) return true;
    return atomic_load(&seam.starving) && filch__alloc_requests() >= seam.fault.nth;
}

unsigned seam_count(enum seam_call call) {
    return atomic_load(&seam.counts[call]);
}

static bool is_due(const struct fault *fault, unsigned number) {
    if (number < fault->nth) return false;
    return fault->mode == SEAM_ALL || number < fault->nth + (fault->mode == SEAM_THRICE ? 3 : 1);
}

/* 0, or what this call is to answer. Whoever gives that answer says so in `struck`. */
static int due(enum seam_call call) {
    if (!atomic_load(&seam.armed)) return 0;
    unsigned number = atomic_fetch_add(&seam.counts[call], 1) + 1;
    if (!atomic_load(&seam.striking) || seam.fault.call != call) return 0;
    return is_due(&seam.fault, number) ? seam.fault.answer : 0;
}

int seam_answer(enum seam_call call) {
    int answer = due(call);
    if (answer >= 0) return 0;
    atomic_store(&seam.struck, true);
    return answer;
}

static bool is_socket(int number, int *kind, int *protocol) {
    socklen_t length = sizeof *kind;
    if (__real_getsockopt(number, SOL_SOCKET, SO_TYPE, kind, &length) != 0) return false;
    length = sizeof *protocol;
    return __real_getsockopt(number, SOL_SOCKET, SO_PROTOCOL, protocol, &length) == 0;
}

static bool is_eventfd(int number) {
    static const char its[] = "anon_inode:[eventfd]";
    char path[32], target[sizeof its] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", number);
    return readlink(path, target, sizeof target) == sizeof its - 1 && memcmp(target, its, sizeof its - 1) == 0;
}

/*
 * What the kernel can answer: only a socket says EAGAIN though it is ready; a datagram is never cut, and that a TCP socket
 * gives or takes less than was asked for says that it is empty or full, which is relied on. An eventfd that does not block
 * never fails.
 */
static bool is_possible(int number, int answer) {
    int kind = 0, protocol = 0;
    if (!is_socket(number, &kind, &protocol)) return answer != -EAGAIN && !is_eventfd(number);
    if (answer < 0) return true;
    return kind == SOCK_STREAM && protocol != IPPROTO_TCP;
}

int seam_move_answer(enum seam_call call, int number, size_t *size) {
    int answer = due(call);
    if (answer == 0 || !is_possible(number, answer)) return 0;
    if (answer > 0 && *size <= (size_t)answer) return 0;
    atomic_store(&seam.struck, true);
    if (answer < 0) return answer;
    *size = (size_t)answer;
    return 0;
}

int __wrap_filch__system_injected(size_t *size) {
    int answer = due(SEAM_OPERATION);
    if (answer == 0 || (answer > 0 && (size == NULL || *size <= (size_t)answer))) return 0;
    atomic_store(&seam.struck, true);
    if (answer < 0) return answer;
    *size = (size_t)answer;
    return 0;
}
