/* SPDX-License-Identifier: MIT */
/* What the tests of files, processes and signals share: a folder of their own, and counts of what is open. */
#ifndef FILCH_TESTS_IO_FILES_H
#define FILCH_TESTS_IO_FILES_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <filch/io.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/backend.h"
#include "io/file_engine.h"
#include "io/system.h"
#include "sched/runtime.h"
#include "tests/api/workers.h"

static char test_folder[64];

static inline void folder_make_in(const char *place) {
    snprintf(test_folder, sizeof test_folder, "%s/filch-test-XXXXXX", place);
    check(mkdtemp(test_folder) != NULL);
    check_int(chdir(test_folder), 0);
}

/* Makes the folder; the process works in it. */
static inline void folder_make(void) {
    folder_make_in("/tmp");
}

/* The same for many files: in memory, where there is such a place. Some disks take milliseconds for each new name. */
static inline void folder_make_for_many(void) {
    folder_make_in(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

/* How many entries a directory has, but for "." and "..". */
static inline int entries_in(const char *path) {
    DIR *dir = opendir(path);
    check(dir != NULL);
    int count = -2;
    while (readdir(dir) != NULL) count++;
    closedir(dir);
    return count;
}

/* Removes it, which must be empty. */
static inline void folder_remove(void) {
    check_int(chdir("/"), 0);
    check_int(rmdir(test_folder), 0);
}

/* How many descriptors the process has open, but for files in /proc: the monitor has one open for a moment now and then. */
static inline int open_descriptors(void) {
    DIR *dir = opendir("/proc/self/fd");
    check(dir != NULL);
    int count = 0;
    char target[16];
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof target);
        count += length >= 0 && (length < 6 || memcmp(target, "/proc/", 6) != 0);
    }
    closedir(dir);
    return count;
}

/* Has all calls of the caller's runtime made by the pool from now on. Before any were made. */
static inline void use_pool(void) {
    struct filch__io *io;
    check_int(filch__io_of(filch_runtime_current(), &io), 0);
    io->files = NULL;
}

#endif
