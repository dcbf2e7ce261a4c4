/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"

void filch__json_flush(struct filch__json *json) {
    size_t done = 0;
    while (done < json->used && json->error == 0) {
        ssize_t written = write(json->fd, json->text + done, json->used - done);
        if (written >= 0) {
            done += (size_t)written;
        } else if (errno != EINTR) {
            json->error = -errno;
        }
    }
    json->used = 0;
}

void filch__json_put(struct filch__json *json, const char *text, size_t length) {
    while (length > 0) {
        if (json->used == sizeof json->text) filch__json_flush(json);
        size_t room = sizeof json->text - json->used, part = length < room ? length : room;
        memcpy(json->text + json->used, text, part);
        json->used += part;
        text += part;
        length -= part;
    }
}

void filch__json_say(struct filch__json *json, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > 0) filch__json_put(json, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

void filch__json_string(struct filch__json *json, const char *text) {
    filch__json_put(json, "\"", 1);
    while (*text != '\0') {
        size_t length = filch__utf8_length(text);
        if (length == 0) {
            filch__json_put(json, "?", 1);
        } else if (*text == '"' || *text == '\\') {
            filch__json_put(json, "\\", 1);
            filch__json_put(json, text, 1);
        } else if ((unsigned char)*text < ' ') {
            filch__json_say(json, "\\u%04x", (unsigned)*text);
        } else {
            filch__json_put(json, text, length);
        }
        text += length == 0 ? 1 : length;
    }
    filch__json_put(json, "\"", 1);
}
