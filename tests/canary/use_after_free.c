/* SPDX-License-Identifier: MIT */
/* A planted use of freed memory. AddressSanitizer must report it. */
#include <stdio.h>
#include <stdlib.h>

static int *volatile hidden; /* so that the compiler does not see it, and warn */

int main(void) {
    hidden = calloc(1, sizeof *hidden);
    if (hidden == NULL) return 0;
    free(hidden);
    printf("read after free: %d\n", *hidden);
    return 0;
}
