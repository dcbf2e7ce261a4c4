/* SPDX-License-Identifier: MIT */
#include <filch/filch.h>
#include <stdio.h>
static int fib(void *arg) { /* fork and join: parallel calls for about the price of calls */
    int n = *(int *)arg, left = n - 1, right = n - 2;
    if (n < 2) return n;
    filch_frame frame;
    filch_fork(&frame, fib, &left); /* from here on an idle worker may take this call ... */
    int sum = fib(&right);
    return sum + filch_join(&frame); /* ... if none did, it is simply made here; else waited for */
}
static int hello(void *arg) { /* the main task: spawns two more, then awaits them */
    int *n = arg, result[2], error = 0;
    filch_task *tasks[2];
    for (int i = 0; i < 2 && error == 0; i++) error = filch_spawn(&tasks[i], fib, &n[i], NULL);
    for (int i = 0; i < 2 && error == 0; i++) error = filch_await(tasks[i], &result[i], FILCH_NEVER);
    return error != 0 ? error : printf("fib(%d) = %d, fib(%d) = %d\n", n[0], result[0], n[1], result[1]) < 0;
}
int main(void) { /* as many workers as there are processors; returns when all tasks have ended */
    return filch_run(hello, (int[]){20, 32}, NULL) == 0 ? 0 : 1;
}
