/* SPDX-License-Identifier: MIT */
/* What is done to files by their names. */
#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/assert.h"
#include "io/file.h"
#include "sched/sched.h"

static struct timespec time_of(struct statx_timestamp stamp) {
    return (struct timespec){.tv_sec = stamp.tv_sec, .tv_nsec = stamp.tv_nsec};
}

static void convert(const struct statx *from, struct stat *to) {
    *to = (struct stat){
        .st_dev = makedev(from->stx_dev_major, from->stx_dev_minor),
        .st_ino = from->stx_ino,
        .st_mode = from->stx_mode,
        .st_nlink = from->stx_nlink,
        .st_uid = from->stx_uid,
        .st_gid = from->stx_gid,
        .st_rdev = makedev(from->stx_rdev_major, from->stx_rdev_minor),
        .st_size = (off_t)from->stx_size,
        .st_blksize = (blksize_t)from->stx_blksize,
        .st_blocks = (blkcnt_t)from->stx_blocks,
        .st_atim = time_of(from->stx_atime),
        .st_mtim = time_of(from->stx_mtime),
        .st_ctim = time_of(from->stx_ctime),
    };
}

int filch__file_stat(int number, const char *path, int flags, struct stat *about, filch_deadline deadline) {
    struct statx found;
    struct filch__file_op op = {.opcode = FILE_STAT, .number = number, .path = path, .flags = flags, .about = &found};
    int answer = (int)filch__file_make(&op, deadline);
    if (answer == 0) convert(&found, about);
    return answer;
}

static int stat_path(const char *path, int flags, struct stat *about, filch_deadline deadline) {
    if (path == NULL || about == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    return filch__file_stat(AT_FDCWD, path, flags, about, deadline);
}

int filch_path_stat(const char *path, struct stat *about, filch_deadline deadline) {
    return stat_path(path, 0, about, deadline);
}

int filch_path_lstat(const char *path, struct stat *about, filch_deadline deadline) {
    return stat_path(path, AT_SYMLINK_NOFOLLOW, about, deadline);
}

static int make(struct filch__file_op *op, filch_deadline deadline) {
    if (op->path == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    op->number = AT_FDCWD;
    return (int)filch__file_make(op, deadline);
}

int filch_path_rename(const char *from, const char *to, filch_deadline deadline) {
    if (to == NULL) return -EINVAL;
    struct filch__file_op op = {.opcode = FILE_RENAME, .path = from, .to = to};
    return make(&op, deadline);
}

int filch_path_unlink(const char *path, filch_deadline deadline) {
    struct filch__file_op op = {.opcode = FILE_UNLINK, .path = path};
    return make(&op, deadline);
}

int filch_path_mkdir(const char *path, mode_t mode, filch_deadline deadline) {
    struct filch__file_op op = {.opcode = FILE_MAKE_DIR, .path = path, .mode = mode};
    return make(&op, deadline);
}

int filch_path_rmdir(const char *path, filch_deadline deadline) {
    struct filch__file_op op = {.opcode = FILE_UNLINK, .path = path, .flags = AT_REMOVEDIR};
    return make(&op, deadline);
}
