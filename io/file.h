/* SPDX-License-Identifier: MIT */
/* What the sources of filch/file.h share. */
#ifndef FILCH_IO_FILE_H
#define FILCH_IO_FILE_H

#include <filch/file.h>

#include "io/file_engine.h"

/* Opens by the engine: the number or -errno. */
int filch__file_open_number(const char *path, int flags, mode_t mode, filch_deadline deadline);

/* Closes a number, by the engine if that may take long. Is not cut short. 0 or -errno. */
int filch__file_close_number(int number, bool written);

enum {
    FILE_IS_REGULAR = 1, /* a read or write that moves less than was asked has met the end, or trouble */
    FILE_IS_DIRECT = 2,  /* O_DIRECT: a read waits for the disk, always */
    FILE_IS_WRITTEN = 4, /* it was opened for writing */
    FILE_IS_FLOW = 8,    /* a pipe, a socket, a terminal: it has no positions, which a ring passes over */
};

/*
 * As filch_file_read and its kin, of an open number; `offset` -1: its own position. Whether it is cancelled already, who
 * calls has looked.
 */
ssize_t filch__file_read(int number, uint32_t traits, void *buffer, size_t size, int64_t offset,
                         filch_deadline deadline);
ssize_t filch__file_write(int number, uint32_t traits, const void *buffer, size_t size, int64_t offset,
                          filch_deadline deadline);

/* stat(2) of `path`, or of an open number with the path "". */
int filch__file_stat(int number, const char *path, int flags, struct stat *about, filch_deadline deadline);

#endif
