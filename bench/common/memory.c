/* SPDX-License-Identifier: MIT */
/* Figures of /proc/self/status. Read without stdio: this is called on small stacks, between two measuring points. */
#include "memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static int64_t status_kib(const char *field) {
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("cannot open /proc/self/status");
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = 0;
    const char *line = strstr(text, field);
    if (!line) fail("no %s in /proc/self/status", field);
    return atoll(line + strlen(field));
}

int64_t memory_peak_kib(void) {
    return status_kib("VmHWM:");
}

int64_t memory_resident(void) {
    return status_kib("VmRSS:") * 1024;
}

int64_t memory_page_tables(void) {
    return status_kib("VmPTE:") * 1024;
}
