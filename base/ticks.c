/* SPDX-License-Identifier: MIT */
#include "base/ticks.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)

#include <cpuid.h>

#define INVARIANT (1u << 8)

/* Where it found the counters of processors to differ, the kernel keeps time by something else. */
static bool kernel_trusts_it(void) {
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    char name[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return true;
    ssize_t length = read(fd, name, sizeof name - 1);
    close(fd);
    if (length <= 0) return true;
    return strncmp(name, "tsc", 3) == 0 || strncmp(name, "kvm-clock", 9) == 0 || strstr(name, "_tsc_") != NULL;
}

bool filch__ticks_are_there(void) {
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & INVARIANT) && kernel_trusts_it();
}

#else

bool filch__ticks_are_there(void) {
#if defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

#endif
