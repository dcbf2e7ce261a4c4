/* SPDX-License-Identifier: MIT */
/* A planted data race of two tasks on two workers, which nothing orders. ThreadSanitizer must report it. */
#include <filch/filch.h>
#include <stddef.h>

static int shared, begun, written;

/* Both run before either writes, each on its worker, and one has written before the other does: what the detector
 * remembers of the first write is then there to be looked at (of two at the very same moment it may miss both). All by
 * relaxed accesses, which order nothing. */
static int write_it(void *arg) {
    (void)arg;
    const int turn = __atomic_fetch_add(&begun, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&begun, __ATOMIC_RELAXED) < 2) continue;
    while (__atomic_load_n(&written, __ATOMIC_RELAXED) < turn) continue;
    shared++;
    __atomic_store_n(&written, turn + 1, __ATOMIC_RELAXED);
    return 0;
}

static int both(void *arg) {
    filch_task *tasks[2];
    (void)arg;
    for (int i = 0; i < 2; i++) {
        if (filch_spawn(&tasks[i], write_it, NULL, NULL) != 0) return 0;
    }
    for (int i = 0; i < 2; i++) {
        if (filch_await(tasks[i], NULL, FILCH_NEVER) != 0) return 0;
    }
    return 0;
}

int main(void) {
    return filch_run(both, NULL, &(filch_options){.workers = 2});
}
