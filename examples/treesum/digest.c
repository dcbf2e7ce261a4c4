/* SPDX-License-Identifier: MIT */
#include "digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define BUFFER_MIN ((size_t)4 << 10)
#define BUFFER_MAX ((size_t)1 << 20)

static struct digest as_digest(XXH128_hash_t hash) {
    return (struct digest){hash.low64, hash.high64};
}

static struct digest digest_stamp(const char *name, const struct stat *status) {
    int64_t words[] = {status->st_size, status->st_mtim.tv_sec, status->st_mtim.tv_nsec};
    uint64_t seed = XXH3_64bits(name, strlen(name));
    return as_digest(XXH3_128bits_withSeed(words, sizeof(words), seed));
}

static int read_all(int fd, char *buffer, size_t size, XXH3_state_t *state, uint64_t *bytes) {
    for (;;) {
        ssize_t count = read(fd, buffer, size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        if (count == 0) return 0;
        XXH3_128bits_update(state, buffer, (size_t)count);
        *bytes += (uint64_t)count;
    }
}

/* The buffer is from the heap: a task's stack is 64 KiB, and a buffer of a megabyte does not belong on it. */
static int digest_open_file(int fd, const char *name, struct file_digest *result) {
    struct stat before, after;
    if (fstat(fd, &before) != 0) return -errno;
    if (!S_ISREG(before.st_mode)) return -EINVAL;
    size_t size = BUFFER_MIN; /* a byte more than the file, so that it is seldom read in two pieces */
    while (size <= (size_t)before.st_size && size < BUFFER_MAX) size *= 2;
    char *buffer = malloc(size);
    XXH3_state_t *state = XXH3_createState();
    int error = -ENOMEM;
    if (buffer != NULL && state != NULL) {
        XXH3_128bits_reset(state);
        XXH3_128bits_update(state, name, strlen(name) + 1);
        result->bytes = 0;
        error = read_all(fd, buffer, size, state, &result->bytes);
        result->content = as_digest(XXH3_128bits_digest(state));
    }
    free(buffer);
    XXH3_freeState(state);
    if (error == 0 && fstat(fd, &after) != 0) error = -errno;
    if (error != 0) return error;

    result->stamp = digest_stamp(name, &after);
    result->has_changed = before.st_size != after.st_size || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
                          before.st_mtim.tv_nsec != after.st_mtim.tv_nsec;
    return 0;
}

int digest_file(const char *path, const char *name, struct file_digest *result) {
    /* Not to be stopped by a FIFO that has taken a file's place since the directory was listed. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return -errno;
    int error = digest_open_file(fd, name, result);
    close(fd);
    return error;
}
