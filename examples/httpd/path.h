/* SPDX-License-Identifier: MIT */
/*
 * From the path of a URL to the path of a file below the root that is served, and back.
 *
 * What comes out cannot leave the root by its form: no ".", no "..", no empty name, no zero, no "/" at its front, whatever
 * was percent-encoded. That symbolic links do not lead out of it is for who opens the file (file.h).
 */
#ifndef HTTPD_PATH_H
#define HTTPD_PATH_H

#include "text.h"

/* The longest file path, its zero included. */
enum { PATH_SIZE = 4096 };

struct path {
    size_t length;
    bool is_directory;    /* it ended with "/": only a directory will do */
    char name[PATH_SIZE]; /* without "/" at either end; "" is the root itself */
};

/*
 * Decodes and normalises `url`, which begins with "/".
 *
 * Returns  0
 *          -400   an encoding is broken, or holds a zero, or the path would leave the root
 *          -404   there can be no such file: an encoded "/" in a name, or a name that begins with "." and is hidden
 *          -414   it is longer than a path can be
 */
int path_resolve(struct path *path, struct text url, bool shows_hidden);

/* Adds a name: "directory" and "index.html". False: it is too long then, and nothing was added. */
bool path_append(struct path *path, const char *name);

/*
 * Writes `path` as a path of a URL, percent-encoded where it must be, with "/" at its front, and with one at its end for a
 * directory. Returns its length, without the zero; 0: `size` bytes are too few.
 */
size_t path_encode(const struct path *path, bool is_directory, char *url, size_t size);

/* The name of the file, after the last "/". */
const char *path_file_name(const struct path *path);

#endif
