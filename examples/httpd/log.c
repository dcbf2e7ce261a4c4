/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE ((size_t)256 << 10)
#define PLENTY (BUFFER_SIZE / 2)
#define PAUSE FILCH_SEC(1)

static int open_number(const char *name) {
    int number = strcmp(name, "-") == 0 ? dup(STDOUT_FILENO)
                                        : open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    return number >= 0 ? number : -errno;
}

int log_open(struct access_log *log, const char *name) {
    *log = (struct access_log){.number = -1};
    if (name == NULL) return 0;
    int number = open_number(name);
    if (number < 0) return number;
    log->lines = malloc(BUFFER_SIZE);
    log->spare = malloc(BUFFER_SIZE);
    if (log->lines == NULL || log->spare == NULL) {
        free(log->lines);
        free(log->spare);
        close(number);
        return -ENOMEM;
    }
    pthread_mutex_init(&log->lock, NULL);
    filch_event_init(&log->some);
    filch_event_init(&log->plenty);
    log->number = number;
    return 0;
}

void log_add(struct access_log *log, const char *line, size_t length) {
    if (log->number < 0) return;
    pthread_mutex_lock(&log->lock);
    bool fits = length <= BUFFER_SIZE - log->length, was_empty = log->length == 0;
    if (fits) {
        memcpy(&log->lines[log->length], line, length);
        log->length += length;
    } else {
        log->lost++;
    }
    bool is_plenty = log->length >= PLENTY;
    pthread_mutex_unlock(&log->lock);
    if (was_empty) filch_event_set(&log->some);
    if (is_plenty) filch_event_set(&log->plenty);
}

struct piece {
    int number;
    const char *bytes;
    size_t length;
};

/* On a helper thread. A log that cannot be written is no reason to stop serving; what was to be written is lost. */
static int write_piece(void *arg) {
    struct piece *piece = arg;
    while (piece->length > 0) {
        ssize_t written = write(piece->number, piece->bytes, piece->length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return -EIO;
        piece->bytes += written;
        piece->length -= (size_t)written;
    }
    return 0;
}

static void write_out(struct access_log *log, const char *bytes, size_t length) {
    struct piece piece = {log->number, bytes, length};
    int result;
    /* Cancelled or not, what has been logged is written: the calls that wait stand behind a shield. */
    if (filch_blocking(write_piece, &piece, &result, FILCH_NEVER) != 0) write_piece(&piece);
}

/* Takes what was added, and leaves the other buffer. Says whether the log is to be ended. */
static bool take(struct access_log *log, size_t *length, size_t *lost) {
    pthread_mutex_lock(&log->lock);
    char *taken = log->lines;
    log->lines = log->spare;
    log->spare = taken;
    *length = log->length;
    *lost = log->lost;
    log->length = log->lost = 0;
    /* Before the lock is given back: who adds the first line to the empty buffer sets it again. */
    filch_event_clear(&log->some);
    filch_event_clear(&log->plenty);
    bool is_ended = log->is_ended;
    pthread_mutex_unlock(&log->lock);
    return is_ended;
}

static void write_lines(struct access_log *log) {
    bool is_ended = false;
    while (!is_ended) {
        size_t length, lost;
        if (filch_event_wait(&log->some, FILCH_NEVER) != 0) return;
        if (filch_event_wait(&log->plenty, filch_after(PAUSE)) == -ECANCELED) return;
        is_ended = take(log, &length, &lost);
        if (length > 0) write_out(log, log->spare, length);
        if (lost > 0) {
            char line[80];
            int size = snprintf(line, sizeof(line), "# %zu lines were lost\n", lost);
            write_out(log, line, (size_t)size);
        }
    }
}

int log_write(void *arg) {
    struct access_log *log = arg;
    if (log->number < 0) return 0;
    filch_shield shield;
    filch_shield_begin(&shield);
    write_lines(log);
    filch_shield_end(&shield);
    return 0;
}

void log_end(struct access_log *log) {
    if (log->number < 0) return;
    pthread_mutex_lock(&log->lock);
    log->is_ended = true;
    filch_event_set(&log->some);
    filch_event_set(&log->plenty);
    pthread_mutex_unlock(&log->lock);
}

void log_close(struct access_log *log) {
    if (log->number < 0) return;
    close(log->number);
    filch_event_fini(&log->some);
    filch_event_fini(&log->plenty);
    pthread_mutex_destroy(&log->lock);
    free(log->lines);
    free(log->spare);
    log->number = -1;
}
