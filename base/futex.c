/* SPDX-License-Identifier: MIT */
#include "base/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/put_off.h"
#include "base/stand_in.h"

bool filch__futex_wait(uint32_t *word, uint32_t expected, int64_t deadline_ns) {
    const struct filch__stand_in *stand_in = filch__stand_in_now();
    if (unlikely(stand_in != NULL) && stand_in->is_mine()) return stand_in->futex_wait(word, expected, deadline_ns);
    struct timespec deadline, *limit = NULL;
    if (deadline_ns != INT64_MAX) {
        if (deadline_ns < 0) deadline_ns = 0;
        deadline.tv_sec = (time_t)(deadline_ns / 1000000000);
        deadline.tv_nsec = (long)(deadline_ns % 1000000000);
        limit = &deadline;
    }
    /* FUTEX_WAIT_BITSET takes an absolute point of CLOCK_MONOTONIC. */
    long answer = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, limit, NULL, FUTEX_BITSET_MATCH_ANY);
    if (answer == 0) return true;
    bool passed = errno == ETIMEDOUT;
    if (HANDLERS_ARE_PUT_OFF && errno == EINTR) usleep(0);
    return !passed;
}

void filch__futex_wake(uint32_t *word, int count) {
    const struct filch__stand_in *stand_in = filch__stand_in_now();
    if (unlikely(stand_in != NULL)) {
        stand_in->futex_wake(word, count);
        return;
    }
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}
