/* SPDX-License-Identifier: MIT */
/* What somebody writes who has installed filch: forks, a loop, and a spawned task, checked against plain loops. */
#include <filch/filch.h>
#include <stdio.h>

struct fib {
    int n;
    long result;
};

static int fib(void *arg) {
    struct fib *fib_of = arg;
    if (fib_of->n < 2) {
        fib_of->result = fib_of->n;
        return 0;
    }
    struct fib left = {fib_of->n - 1, 0}, right = {fib_of->n - 2, 0};
    filch_frame frame;
    filch_fork(&frame, fib, &left);
    int failed = fib(&right);
    if (filch_join(&frame) != 0) failed = 1;
    fib_of->result = left.result + right.result;
    return failed;
}

static int square(int64_t first, int64_t last, void *arg) {
    long *squares = arg;
    for (int64_t i = first; i < last; i++) squares[i] = (long)(i * i);
    return 0;
}

static int give_seven(void *arg) {
    (void)arg;
    filch_yield();
    return 7;
}

static int program(void *arg) {
    (void)arg;
    struct fib twenty = {20, 0};
    if (fib(&twenty) != 0 || twenty.result != 6765) return 1;

    static long squares[10000];
    if (filch_parallel_for(0, 10000, 0, square, squares) != 0) return 2;
    for (long i = 0; i < 10000; i++) {
        if (squares[i] != i * i) return 3;
    }

    filch_task *task;
    int result = 0;
    if (filch_spawn(&task, give_seven, NULL, NULL) != 0) return 4;
    if (filch_await(task, &result, FILCH_NEVER) != 0 || result != 7) return 5;
    return 0;
}

int main(void) {
    filch_options options = {.name = "consume", .workers = 2};
    int result = filch_run(program, NULL, &options);
    printf("filch %s from C: %s (%d)\n", filch_version(), result == 0 ? "right" : "wrong", result);
    return result != 0;
}
