/* SPDX-License-Identifier: MIT */
/* A planted leak. LeakSanitizer, which comes with AddressSanitizer, must report it. */
#include <stdlib.h>

static void *volatile hidden;

int main(void) {
    for (int i = 0; i < 100; i++) hidden = malloc(1000);
    hidden = NULL;
    return 0;
}
