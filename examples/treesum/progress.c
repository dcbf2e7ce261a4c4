/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TERMINAL_NS 100000000
#define LINE_NS 2000000000
#define BAR_WIDTH 40

static void show(const struct progress *progress) {
    uint64_t files = atomic_load_explicit(&progress->sum->files, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&progress->sum->bytes, memory_order_relaxed);
    uint64_t total = progress->total > files ? progress->total : files;
    const char *start = progress->is_terminal ? "\r" : "", *end = progress->is_terminal ? "\033[K" : "\n";
    if (progress->total == 0) {
        fprintf(stderr, "%s%-8s %8llu files, %6.0f MB%s", start, progress->label, (unsigned long long)files,
                (double)bytes / 1e6, end);
        return;
    }
    char bar[BAR_WIDTH + 1];
    size_t done = (size_t)(files * BAR_WIDTH / total);
    memset(bar, '#', done);
    memset(bar + done, '.', BAR_WIDTH - done);
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "%s%-8s [%s] %3u %%, %6.0f MB%s", start, progress->label, bar, (unsigned)(files * 100 / total),
            (double)bytes / 1e6, end);
}

static void *run(void *arg) {
    struct progress *progress = arg;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&progress->lock);
    while (!progress->is_over) {
        long long ns = next.tv_nsec + (progress->is_terminal ? TERMINAL_NS : LINE_NS);
        next.tv_sec += (time_t)(ns / 1000000000);
        next.tv_nsec = (long)(ns % 1000000000);
        int error = 0;
        while (!progress->is_over && error != ETIMEDOUT) {
            error = pthread_cond_timedwait(&progress->changed, &progress->lock, &next);
        }
        if (!progress->is_over) show(progress);
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

void progress_begin(struct progress *progress, const char *label, struct sum *sum, uint64_t total) {
    *progress = (struct progress){.label = label, .sum = sum, .total = total, .is_terminal = isatty(STDERR_FILENO)};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&progress->lock, NULL);
    pthread_cond_init(&progress->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    progress->is_running = pthread_create(&progress->thread, NULL, run, progress) == 0;
}

void progress_end(struct progress *progress) {
    pthread_mutex_lock(&progress->lock);
    progress->is_over = true;
    pthread_cond_signal(&progress->changed);
    pthread_mutex_unlock(&progress->lock);
    if (progress->is_running) pthread_join(progress->thread, NULL);
    if (progress->is_terminal) fprintf(stderr, "\r\033[K"); /* the bar goes, the table comes */
    pthread_cond_destroy(&progress->changed);
    pthread_mutex_destroy(&progress->lock);
}
