/* SPDX-License-Identifier: MIT */
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void filch__die(const char *format, ...) {
    char line[512] = "filch: ";
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line + 7, 500, format, arguments);
    va_end(arguments);
    if (length < 0) length = 0;
    if (length > 499) length = 499;
    line[7 + length] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length + 8);
    (void)ignored;
    abort();
}
