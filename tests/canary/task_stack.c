/* SPDX-License-Identifier: MIT */
/* A planted recursion without an end. It must run into the guard below its task's stack, and be told of, not go on. */
#include <filch/filch.h>

static volatile int depth; /* so that the compiler does not see that there is no end */

static __attribute__((noinline)) int go_down(volatile char *above) {
    volatile char room[1000];
    room[0] = above[0];
    depth++;
    int below = depth > 0 ? go_down(room) : 0;
    return below + room[0];
}

static int begin(void *arg) {
    volatile char first = 0;
    (void)arg;
    return go_down(&first);
}

int main(void) {
    return filch_run(begin, NULL, NULL) & 0;
}
