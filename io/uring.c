/* SPDX-License-Identifier: MIT */
#include "io/uring.h"

#include <errno.h>
#include <filch/time.h>
#include <linux/time_types.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "alloc/recycle.h"
#include "base/assert.h"
#include "base/clock.h"

enum {
    SQ_SIZE = 256,  /* requests that are pushed and not submitted: there are never many */
    CQ_SIZE = 4096, /* completions; what finds no room the kernel keeps in a list of its own */
    RETRY_NS = 1000000,
};

enum ring_submitting {
    SUBMIT_NOT,
    SUBMIT_ONCE,  /* somebody is at it */
    SUBMIT_AGAIN, /* and is to go round once more */
};

/* ----------------------------------------------------------------------------------------------------- system calls */

static int setup(struct io_uring_params *params) {
    *params = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP, .cq_entries = CQ_SIZE};
    long fd = syscall(SYS_io_uring_setup, SQ_SIZE, params);
    return fd >= 0 ? (int)fd : -errno;
}

/* Submits `count`, and waits for one completion if the flags say so. */
static never_inline int enter(struct filch__uring *ring, uint32_t count, unsigned flags, const void *arg, size_t size) {
    unsigned least = flags & IORING_ENTER_EXT_ARG ? 1 : 0;
    long answer = syscall(SYS_io_uring_enter, ring->fd, count, least, flags, arg, size);
    return answer >= 0 ? (int)answer : -errno;
}

/* -------------------------------------------------------------------------------------------------- opened, closed */

static void *map(struct filch__uring *ring, size_t size, uint64_t offset) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, (off_t)offset);
    if (memory == MAP_FAILED) return NULL;
    recycle_fresh(memory, size);
    (void)madvise(memory, size, MADV_DONTFORK); /* a child that wrote there would write into its parent's queues */
    return memory;
}

static int map_queues(struct filch__uring *ring, const struct io_uring_params *params) {
    size_t sq_end = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
    size_t cq_end = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
    ring->queues_size = sq_end > cq_end ? sq_end : cq_end;
    ring->sqes_size = params->sq_entries * sizeof(struct io_uring_sqe);
    ring->queues = map(ring, ring->queues_size, IORING_OFF_SQ_RING);
    if (ring->queues == NULL) return -ENOMEM;
    ring->sqes = map(ring, ring->sqes_size, IORING_OFF_SQES);
    if (ring->sqes != NULL) return 0;
    munmap(ring->queues, ring->queues_size);
    return -ENOMEM;
}

static uint32_t *word_at(struct filch__uring *ring, uint32_t offset) {
    return (uint32_t *)(void *)((char *)ring->queues + offset);
}

static void find_words(struct filch__uring *ring, const struct io_uring_params *params) {
    ring->sq_head = word_at(ring, params->sq_off.head);
    ring->sq_tail = word_at(ring, params->sq_off.tail);
    ring->sq_flags = word_at(ring, params->sq_off.flags);
    ring->cq_head = word_at(ring, params->cq_off.head);
    ring->cq_tail = word_at(ring, params->cq_off.tail);
    ring->sq_mask = *word_at(ring, params->sq_off.ring_mask);
    ring->cq_mask = *word_at(ring, params->cq_off.ring_mask);
    ring->cqes = (struct io_uring_cqe *)(void *)((char *)ring->queues + params->cq_off.cqes);
    ring->sq_size = params->sq_entries;
    uint32_t *places = word_at(ring, params->sq_off.array); /* each request stands at its own place for good */
    for (uint32_t i = 0; i < params->sq_entries; i++) places[i] = i;
}

/* Whether the kernel has all the operations that are used here. */
static bool knows_operations(struct filch__uring *ring) {
    static const uint8_t needed[] = {IORING_OP_NOP,    IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL, IORING_OP_FSYNC,
                                     IORING_OP_OPENAT, IORING_OP_CLOSE,    IORING_OP_STATX,        IORING_OP_READ,
                                     IORING_OP_WRITE,  IORING_OP_RENAMEAT, IORING_OP_UNLINKAT,     IORING_OP_MKDIRAT};
    enum { OPERATIONS = 64 };
    union {
        struct io_uring_probe probe;
        char room[sizeof(struct io_uring_probe) + OPERATIONS * sizeof(struct io_uring_probe_op)];
    } answer;
    memset(&answer, 0, sizeof answer);
    long error = syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_PROBE, &answer, OPERATIONS);
    if (error != 0) return false;
    for (size_t i = 0; i < sizeof needed; i++) {
        if (needed[i] > answer.probe.last_op) return false;
        if (!(answer.probe.ops[needed[i]].flags & IO_URING_OP_SUPPORTED)) return false;
    }
    return true;
}

/* Whether a request goes through it and comes back: what sets a ring up may be allowed, and what uses it forbidden. */
static int try_out(struct filch__uring *ring) {
    struct io_uring_sqe nothing = {.opcode = IORING_OP_NOP, .user_data = EVENT_WAKE};
    filch__uring_push(ring, &nothing);
    int answer = enter(ring, 1, 0, NULL, 0);
    bool woken = false;
    (void)filch__uring_reap(ring, NULL, 0, &woken);
    if (answer < 0) return answer;
    return woken ? 0 : -EIO;
}

/* Linux 5.17 has the last of them; and with it polls that stay in force. */
#define FEATURES                                                                                                       \
    (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_POLL_32BITS |                    \
     IORING_FEAT_RW_CUR_POS | IORING_FEAT_CQE_SKIP)

static int check_kernel(struct filch__uring *ring, const char **why) {
    int error = knows_operations(ring) ? try_out(ring) : -EOPNOTSUPP;
    if (error == -EOPNOTSUPP)
        *why = "the kernel's io_uring lacks operations";
    else if (error != 0)
        *why = "io_uring_enter";
    return error;
}

int filch__uring_open(struct filch__uring *ring, const char **why) {
    *ring = (struct filch__uring){0};
    struct io_uring_params params;
    *why = "io_uring_setup";
    ring->fd = setup(&params);
    if (ring->fd < 0) return ring->fd;
    *why = "the kernel's io_uring is too old";
    int error = (params.features & FEATURES) == FEATURES ? 0 : -EOPNOTSUPP;
    if (error == 0) {
        *why = "the ring's memory";
        error = map_queues(ring, &params);
    }
    if (error != 0) {
        close(ring->fd);
        return error;
    }
    find_words(ring, &params);
    error = check_kernel(ring, why);
    if (error != 0) filch__uring_close(ring);
    return error;
}

void filch__uring_close(struct filch__uring *ring) {
    munmap(ring->sqes, ring->sqes_size);
    munmap(ring->queues, ring->queues_size);
    close(ring->fd);
}

/* ---------------------------------------------------------------------------------------------------------- requests */

/* Pushed and not submitted. */
static uint32_t unsubmitted(struct filch__uring *ring) {
    uint32_t head = load_acquire(ring->sq_head); /* TAKEN; first: so it is not beyond the tail */
    return load_acquire(ring->sq_tail) - head;
}

bool filch__uring_has_requests(struct filch__uring *ring) {
    return unsubmitted(ring) > 0;
}

bool filch__uring_has_old(struct filch__uring *ring) {
    uint32_t head = load_acquire(ring->sq_head); /* TAKEN */
    bool some = load_acquire(ring->sq_tail) != head, old = some && ring->requests_seen && ring->head_seen == head;
    ring->requests_seen = some;
    ring->head_seen = head;
    return old;
}

static bool push(struct filch__uring *ring, const struct io_uring_sqe *sqe) {
    filch__latch_take(&ring->latch);
    uint32_t tail = load_relaxed(ring->sq_tail);                    /* only those under the latch write it */
    bool room = tail - load_acquire(ring->sq_head) < ring->sq_size; /* TAKEN */
    if (room) {
        ring->sqes[tail & ring->sq_mask] = *sqe;
        store_release(ring->sq_tail, tail + 1); /* SQE */
    }
    filch__latch_leave(&ring->latch);
    return room;
}

void filch__uring_push(struct filch__uring *ring, const struct io_uring_sqe *sqe) {
    while (!push(ring, sqe)) {
        filch__uring_submit(ring);
        sched_yield();
    }
}

/*
 * Where the kernel has no memory for a request just now, there will be some. Where it does not take any before completions
 * that found no room have been reaped (-EBUSY), who reaps them submits these too.
 */
static void submit_all(struct filch__uring *ring) {
    uint32_t count;
    while ((count = unsubmitted(ring)) > 0) {
        int answer = enter(ring, count, 0, NULL, 0);
        if (answer >= 0 || answer == -EINTR) continue;
        if (answer == -EBUSY) return;
        if (answer != -EAGAIN) filch__die("internal: io_uring_enter: error %d", -answer);
        nanosleep(&(struct timespec){.tv_nsec = RETRY_NS}, NULL);
    }
}

void filch__uring_submit(struct filch__uring *ring) {
    if (exchange_acq_rel(&ring->submitting, (uint32_t)SUBMIT_AGAIN) != SUBMIT_NOT) return; /* ROUND */
    uint32_t once;
    do {
        (void)exchange_acq_rel(&ring->submitting, (uint32_t)SUBMIT_ONCE); /* ROUND */
        submit_all(ring);
        once = SUBMIT_ONCE;
    } while (!cas_acq_rel(&ring->submitting, &once, (uint32_t)SUBMIT_NOT)); /* ROUND */
}

/* ------------------------------------------------------------------------------------------------------- completions */

bool filch__uring_needs_look(struct filch__uring *ring) {
    return (load_acquire(ring->sq_flags) & IORING_SQ_CQ_OVERFLOW) || unsubmitted(ring) > 0;
}

unsigned filch__uring_reap(struct filch__uring *ring, struct filch__poll_event *events, unsigned room, bool *woken) {
    uint32_t head = load_relaxed(ring->cq_head); /* who reaps writes it alone */
    uint32_t tail = load_acquire(ring->cq_tail); /* CQE */
    unsigned count = 0;
    for (; head != tail; head++) {
        const struct io_uring_cqe *cqe = &ring->cqes[head & ring->cq_mask];
        unsigned tag = cqe->user_data & EVENT_TAG;
        *woken |= tag == EVENT_WAKE;
        if (tag == EVENT_WAKE || tag == EVENT_NOBODY) continue;
        if (count == room) break;
        events[count++] = (struct filch__poll_event){.data = cqe->user_data, .events = cqe->flags, .result = cqe->res};
    }
    store_release(ring->cq_head, head);
    return count;
}

/* Until then, from now on: at least 0, and for a short time where the kernel has refused what there is to submit. */
static int64_t time_left(int64_t until_ns, bool refused) {
    if (until_ns == INT64_MAX) return refused ? RETRY_NS : INT64_MAX;
    int64_t left_ns = until_ns == 0 ? 0 : until_ns - filch__clock_now();
    if (left_ns < 0) left_ns = 0;
    return refused && left_ns > RETRY_NS ? RETRY_NS : left_ns;
}

static int enter_and_wait(struct filch__uring *ring, uint32_t count, int64_t left_ns) {
    if (left_ns == 0) return enter(ring, count, IORING_ENTER_GETEVENTS, NULL, 0);
    struct __kernel_timespec left = {.tv_sec = left_ns / FILCH_SEC(1), .tv_nsec = left_ns % FILCH_SEC(1)};
    struct io_uring_getevents_arg arg = {.ts = left_ns == INT64_MAX ? 0 : (uint64_t)(uintptr_t)&left};
    return enter(ring, count, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof arg);
}

void filch__uring_wait(struct filch__uring *ring, int64_t until_ns) {
    int answer = enter_and_wait(ring, unsubmitted(ring), time_left(until_ns, false));
    if (answer == -EAGAIN || answer == -EBUSY) answer = enter_and_wait(ring, 0, time_left(until_ns, true));
    if (answer >= 0 || answer == -EINTR || answer == -ETIME || answer == -EBUSY) return;
    filch__die("internal: io_uring_enter: error %d", -answer); /* -EBADR: the kernel had no memory for a completion */
}
