/* SPDX-License-Identifier: MIT */
/* A planted write behind an array on a task's stack. AddressSanitizer must report it there as on a thread's. */
#include <filch/filch.h>

static volatile int behind = 16;

/* Of no known size here: else UndefinedBehaviorSanitizer is first. */
static __attribute__((noinline)) void write_at(char *bytes) {
    bytes[behind] = 1;
}

static int write_behind(void *arg) {
    char bytes[16];
    (void)arg;
    filch_yield();
    write_at(bytes);
    return 0;
}

int main(void) {
    return filch_run(write_behind, NULL, NULL);
}
