/* SPDX-License-Identifier: MIT */
/* Figures of /proc/<pid>/status. Read without stdio: this is called on small stacks, between two measuring points. */
#include "memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const char own[] = "/proc/self/status";

static int64_t status_kib(const char *path, const char *field) {
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("cannot open %s", path);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = 0;
    const char *line = strstr(text, field);
    if (!line) fail("no %s in %s", field, path);
    return atoll(line + strlen(field));
}

int64_t memory_peak_kib(void) {
    return status_kib(own, "VmHWM:");
}

int64_t memory_resident(void) {
    return status_kib(own, "VmRSS:") * 1024;
}

int64_t memory_page_tables(void) {
    return status_kib(own, "VmPTE:") * 1024;
}

int64_t memory_of(pid_t pid, const char *field) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    return status_kib(path, field);
}
