/* SPDX-License-Identifier: MIT */
/* Opening the files that are served. */
#ifndef HTTPD_FILE_H
#define HTTPD_FILE_H

#include <stdbool.h>
#include <stdint.h>

/* Two numbers in hexadecimal with quotes and a dash, and a zero. */
enum { FILE_TAG_SIZE = 40 };

struct kept_file;

struct file {
    int number;             /* of its descriptor; -1: none */
    struct kept_file *kept; /* whose that is (kept.h); NULL: its own */
    uint64_t size;
    int64_t modified;        /* seconds, as time(2) */
    char tag[FILE_TAG_SIZE]; /* changes whenever the file does, to the nanosecond */
};

/*
 * Opens the regular file `name` below the directory `root`, a descriptor: no "..", no absolute path, and no symbolic link
 * leads out of it. These are short system calls, made by the worker itself: what has to be read from a slow disk first holds
 * the worker up until the runtime's monitor notices.
 *
 * Returns  0           for file_close
 *          -EISDIR     it is a directory
 *          -EACCES     neither, or not allowed
 *          -errno      what open said; `file->number` is -1
 */
int file_open(struct file *file, int root, const char *name);

/*
 * Looks again at a regular file that is open as `number`, which `file` has then. False: it has no name any more, or cannot
 * be looked at; `file` is not written.
 */
bool file_look(struct file *file, int number);

/* Of one that is its own. */
void file_close(struct file *file);

#endif
