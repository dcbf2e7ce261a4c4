/* SPDX-License-Identifier: MIT */
/*
 * A planted use, in a task that has waited in between, of a variable whose function has returned. AddressSanitizer must
 * report it where it was asked to look for such uses: then a task has a stack of the sanitizer's beside its own.
 */
#include <filch/filch.h>

const char *__asan_default_options(void);

__attribute__((no_sanitize("address"))) const char *__asan_default_options(void) {
    return "detect_stack_use_after_return=1";
}

static volatile int *volatile left;

static __attribute__((noinline)) void leave_a_pointer(void) {
    volatile int gone = 1;
    left = &gone;
    filch_yield();
}

static int use_it(void *arg) {
    (void)arg;
    leave_a_pointer();
    (void)filch_sleep(FILCH_US(100));
    return *left & 0;
}

int main(void) {
    return filch_run(use_it, NULL, NULL) & 0;
}
