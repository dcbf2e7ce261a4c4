/* SPDX-License-Identifier: MIT */
/* The whole server of examples/httpd, as it is built beside this program. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

char **httpd_command(const char *folder, unsigned workers) {
    static char path[PATH_MAX], workers_text[16];
    static char *command[] = {path, "--port", "0", "--workers", workers_text, NULL, NULL};
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - sizeof "/../examples/httpd");
    if (length < 0) fail("cannot read /proc/self/exe");
    path[length] = 0;
    strcpy(strrchr(path, '/'), "/../examples/httpd");
    snprintf(workers_text, sizeof workers_text, "%u", workers);
    command[5] = (char *)folder;
    return access(path, X_OK) == 0 ? command : NULL;
}
