/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A pipe without a writer is not waited for, and a terminal does not become ours. */
#define FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* The number, or -errno. All that reads errno stands in functions of this file, none of which waits. */
static int open_below(int root, const char *name) {
    struct open_how how = {.flags = FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long number = syscall(SYS_openat2, root, name, &how, sizeof(how));
    return number >= 0 ? (int)number : -errno;
}

/* Copies the first name of `*path` to `name`, and moves `*path` behind it and its slash. False: it is too long. */
static bool next_name(const char **path, char *name, size_t size) {
    size_t length = strcspn(*path, "/");
    if (length >= size) return false;
    memcpy(name, *path, length);
    name[length] = '\0';
    *path += length + ((*path)[length] == '/' ? 1 : 0);
    return true;
}

/* Where there is no openat2(2): name by name, and no symbolic link is followed at all. */
static int open_by_steps(int root, const char *path) {
    int number = dup(root);
    if (number < 0) return -errno;
    do {
        char name[256];
        if (!next_name(&path, name, sizeof(name))) {
            close(number);
            return -ENAMETOOLONG;
        }
        int next = openat(number, name, FLAGS | O_NOFOLLOW | (*path != '\0' ? O_DIRECTORY : 0));
        int error = next < 0 ? -errno : 0;
        close(number);
        if (error != 0) return error;
        number = next;
    } while (*path != '\0');
    return number;
}

static char *put_hex(char *at, uint64_t number) {
    int digits = 1;
    while (digits < 16 && number >> (4 * digits) != 0) digits++;
    for (int i = digits - 1; i >= 0; i--) *at++ = "0123456789abcdef"[(number >> (4 * i)) & 15];
    return at;
}

static void describe(struct file *file, int number, const struct stat *status) {
    file->number = number;
    file->kept = NULL;
    file->size = (uint64_t)status->st_size;
    file->modified = status->st_mtim.tv_sec;
    char *at = file->tag;
    *at++ = '"';
    at = put_hex(at, (uint64_t)status->st_mtim.tv_sec * 1000000000 + (uint64_t)status->st_mtim.tv_nsec);
    *at++ = '-';
    at = put_hex(at, file->size);
    *at++ = '"';
    *at = '\0';
}

int file_open(struct file *file, int root, const char *name) {
    if (name[0] == '\0') name = ".";
    file->number = -1;
    int number = open_below(root, name);
    if (number == -ENOSYS || number == -EPERM) number = open_by_steps(root, name);
    if (number < 0) return number;
    struct stat status;
    int error = fstat(number, &status) != 0 ? -errno
                : S_ISREG(status.st_mode)   ? 0
                : S_ISDIR(status.st_mode)   ? -EISDIR
                                            : -EACCES;
    if (error != 0) {
        close(number);
        return error;
    }
    describe(file, number, &status);
    return 0;
}

bool file_look(struct file *file, int number) {
    struct stat status;
    if (fstat(number, &status) != 0 || status.st_nlink == 0) return false;
    describe(file, number, &status);
    return true;
}

void file_close(struct file *file) {
    if (file->number >= 0) close(file->number);
    file->number = -1;
}
