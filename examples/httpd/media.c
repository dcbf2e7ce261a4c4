/* SPDX-License-Identifier: MIT */
#include "media.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct media {
    const char *ending, *type;
};

/* In the order of the alphabet: it is searched by halves. */
static const struct media table[] = {
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"c", "text/plain; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"h", "text/plain; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tiff", "image/tiff"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
};

static int compare(const void *ending, const void *media) {
    return strcasecmp(ending, ((const struct media *)media)->ending);
}

const char *media_type(const char *file_name) {
    const char *point = strrchr(file_name, '.');
    const struct media *found = NULL;
    if (point != NULL) found = bsearch(point + 1, table, sizeof(table) / sizeof(table[0]), sizeof(table[0]), compare);
    return found != NULL ? found->type : "application/octet-stream";
}
