/* SPDX-License-Identifier: MIT */
/* Hashing a file, by XXH3 with 128 bits. */
#ifndef TREESUM_DIGEST_H
#define TREESUM_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

struct digest {
    uint64_t low, high;
};

struct file_digest {
    struct digest content; /* of the path and the bytes */
    struct digest stamp;   /* of the path, the size and the time of the last change */
    uint64_t bytes;
    bool has_changed; /* while it was read */
};

/*
 * Reads the file at `path`, and hashes it under the name `name`. Returns 0 or a negative errno. What is not a regular
 * file is -EINVAL, a symbolic link -ELOOP.
 *
 * The file is open, and its buffer taken, only within this call, which never waits for a task: so that there are as
 * many open files as workers, however many tasks there are.
 */
int digest_file(const char *path, const char *name, struct file_digest *result);

#endif
