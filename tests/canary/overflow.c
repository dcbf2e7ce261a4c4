/* SPDX-License-Identifier: MIT */
/* A planted overflow of a signed integer. UndefinedBehaviorSanitizer must report it. */
#include <limits.h>
#include <stdio.h>

static volatile int largest = INT_MAX;

int main(void) {
    printf("the largest integer and one: %d\n", largest + 1);
    return 0;
}
