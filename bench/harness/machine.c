/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* The text after the colon of the first line that begins with `field`. */
static void read_field(const char *path, const char *field, char *text) {
    char line[512];
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, field, strlen(field)) != 0 || !colon) continue;
        snprintf(text, MACHINE_TEXT, "%s", colon + 1 + strspn(colon + 1, " "));
        text[strcspn(text, "\n")] = 0;
        break;
    }
    if (file) fclose(file);
}

/* The text goes into JSON as it is. */
static void make_plain(char *text) {
    for (; *text; text++)
        if (*text < ' ' || *text == '"' || *text == '\\') *text = ' ';
}

struct machine machine_here(void) {
    struct machine machine = {.processor = "unknown processor", .kernel = "", .compiler = COMPILER};
    struct utsname name;
    cpu_set_t allowed;
    read_field("/proc/cpuinfo", "model name", machine.processor);
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) machine.processors = CPU_COUNT(&allowed);
    if (uname(&name) == 0) snprintf(machine.kernel, sizeof machine.kernel, "%.30s %.30s", name.sysname, name.release);
    time_t now = time(NULL);
    struct tm when;
    gmtime_r(&now, &when);
    strftime(machine.date, sizeof machine.date, "%Y-%m-%d", &when);
    make_plain(machine.processor);
    make_plain(machine.compiler);
    return machine;
}
