/* SPDX-License-Identifier: MIT */
/* A planted write behind what was allocated. AddressSanitizer must report it. */
#include <stdlib.h>

static volatile size_t behind = 16; /* so that the compiler does not see it, and warn */

int main(void) {
    volatile char *bytes = malloc(behind);
    if (bytes == NULL) return 0;
    bytes[behind] = 1;
    free((void *)bytes);
    return 0;
}
