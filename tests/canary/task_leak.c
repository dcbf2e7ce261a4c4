/* SPDX-License-Identifier: MIT */
/* A planted leak: the one pointer stood on the stack of a task that has ended. LeakSanitizer must report it. */
#include <filch/filch.h>
#include <stdlib.h>

static int lose(void *arg) {
    (void)arg;
    for (int i = 0; i < 100; i++) {
        void *volatile lost = malloc(1000);
        filch_yield();
        if (lost == NULL) return 0;
    }
    return 0;
}

int main(void) {
    return filch_run(lose, NULL, NULL);
}
