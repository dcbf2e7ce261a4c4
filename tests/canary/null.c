/* SPDX-License-Identifier: MIT */
/* A planted use of no object. UndefinedBehaviorSanitizer must report it before the process dies of it. */
#include <stddef.h>
#include <stdio.h>

struct object {
    int first, second;
};

static struct object *volatile nothing;

int main(void) {
    printf("of nothing: %d\n", nothing->second);
    return 0;
}
