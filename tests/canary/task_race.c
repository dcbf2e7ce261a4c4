/* SPDX-License-Identifier: MIT */
/* A planted data race of two tasks on two workers, which nothing orders. ThreadSanitizer must report it. */
#include <filch/filch.h>
#include <stddef.h>

static int shared, begun;

static int write_it(void *arg) {
    (void)arg;
    __atomic_add_fetch(&begun, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&begun, __ATOMIC_RELAXED) < 2) continue; /* no order; until both run, each on its worker */
    for (int i = 0; i < 1000; i++) shared++;
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
