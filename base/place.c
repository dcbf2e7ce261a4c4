/* SPDX-License-Identifier: MIT */
#include "base/place.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

void filch__place_write(const void *address, char text[PLACE_SIZE]) {
    Dl_info info;
    if (address == NULL || dladdr(address, &info) == 0 || info.dli_fname == NULL) {
        snprintf(text, PLACE_SIZE, "%p", address);
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    const char *file = slash == NULL ? info.dli_fname : slash + 1;
    if (info.dli_sname != NULL) {
        snprintf(text, PLACE_SIZE, "%.80s(%.80s+0x%tx)", file, info.dli_sname,
                 (const char *)address - (const char *)info.dli_saddr);
    } else {
        snprintf(text, PLACE_SIZE, "%.80s(+0x%tx)", file, (const char *)address - (const char *)info.dli_fbase);
    }
}
