/* SPDX-License-Identifier: MIT */
/* A planted shift by more than there are bits. UndefinedBehaviorSanitizer must report it. */
#include <stdio.h>

static volatile int bits = 40;

int main(void) {
    printf("one, moved by too much: %d\n", 1 << bits);
    return 0;
}
