/* SPDX-License-Identifier: MIT */
/*
 * Talking to a process. Its input is written, and its output and errors are read, by a task each, but for one that the
 * caller does itself: so whatever the process does first, somebody is there.
 */
#include <errno.h>
#include <filch/scope.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/heap.h"
#include "io/io.h"
#include "io/process.h"
#include "sched/runtime.h"

enum {
    FIRST_ROOM = 4096,
    DROPPED = 2048, /* bytes at a time that are read for nobody */
};

/* What is read from one pipe. */
struct reading {
    filch_fd fd;
    size_t limit, room;
    char **data;
    size_t *size;
    bool *cut;
    filch_deadline deadline;
};

struct writing {
    filch_fd fd;
    filch_process_talk *talk;
    filch_deadline deadline;
};

void filch_process_talk_fini(filch_process_talk *talk) {
    if (talk == NULL) return;
    free(talk->output);
    free(talk->error);
    *talk = (filch_process_talk){0};
}

/* ------------------------------------------------------------------------------------------------------------- reading */

static int grow(struct reading *reading) {
    size_t room = *reading->size < FIRST_ROOM / 2 ? FIRST_ROOM : *reading->size * 2;
    if (room > reading->limit) room = reading->limit;
    char *data = filch__alloc_fails() ? NULL : realloc(*reading->data, room + 1);
    if (data == NULL) return -ENOMEM;
    *reading->data = data;
    reading->room = room;
    return 0;
}

/* Reads and keeps: how many bytes, 0 at the end, or -errno. */
static ssize_t keep(struct reading *reading) {
    int error = *reading->size < reading->room ? 0 : grow(reading);
    if (error != 0) return error;
    char *data = *reading->data;
    ssize_t moved =
        filch_fd_read(reading->fd, data + *reading->size, reading->room - *reading->size, reading->deadline);
    if (moved > 0) *reading->size += (size_t)moved;
    data[*reading->size] = '\0';
    return moved;
}

/* Reads what is too much. */
static ssize_t drop(struct reading *reading) {
    char nowhere[DROPPED];
    ssize_t moved = filch_fd_read(reading->fd, nowhere, sizeof nowhere, reading->deadline);
    if (moved > 0) *reading->cut = true;
    return moved;
}

static int read_to_end(void *arg) {
    struct reading *reading = arg;
    ssize_t moved;
    do {
        moved = *reading->size < reading->limit ? keep(reading) : drop(reading);
    } while (moved > 0);
    return (int)moved;
}

/* ------------------------------------------------------------------------------------------------------------- writing */

static int write_all(void *arg) {
    struct writing *writing = arg;
    filch_process_talk *talk = writing->talk;
    while (talk->input_size > 0) {
        ssize_t moved = filch_fd_write(writing->fd, talk->input, talk->input_size, writing->deadline);
        if (moved == -EPIPE) moved = (ssize_t)talk->input_size; /* it wants no more */
        if (moved < 0) return (int)moved;
        talk->input = (const char *)talk->input + moved;
        talk->input_size -= (size_t)moved;
    }
    (void)filch_fd_close(writing->fd);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------ together */

struct job {
    filch_fn *fn;
    void *arg;
};

/* All but the last as tasks, that by the caller, whom a failure of the others must cut short: hence, if it is a task. */
static int do_jobs(struct filch_process *process, const struct job *jobs, int count) {
    if (count == 0) return 0;
    bool is_task = filch__worker_current() != NULL;
    if (count == 1 && is_task) return jobs[0].fn(jobs[0].arg);
    filch_scope scope;
    int error = filch_scope_open(&scope, &(filch_scope_options){.name = "process", .runtime = process->runtime});
    if (error != 0) return error;
    int spawned = is_task ? count - 1 : count;
    for (int i = 0; i < spawned && error == 0; i++) {
        error = filch_scope_spawn(&scope, NULL, jobs[i].fn, jobs[i].arg, NULL);
    }
    if (error == 0 && is_task) error = jobs[count - 1].fn(jobs[count - 1].arg);
    if (error != 0) filch_scope_fail(&scope, error);
    int failure = filch_scope_close(&scope);
    return failure != 0 ? failure : error;
}

static bool is_open(filch_fd fd) {
    return filch_fd_number(fd) >= 0;
}

static struct reading reading_of(filch_fd fd, size_t limit, char **data, size_t *size, bool *cut,
                                 filch_deadline deadline) {
    if (limit == 0) limit = FILCH_PROCESS_TALK_LIMIT;
    size_t room = *data == NULL ? 0 : *size; /* what is there from a call before is full */
    return (struct reading){fd, limit, room, data, size, cut, deadline};
}

static int talk_to(struct filch_process *process, filch_process_talk *talk, filch_deadline deadline) {
    struct writing input = {process->ends[0], talk, deadline};
    struct reading output =
        reading_of(process->ends[1], talk->limit, &talk->output, &talk->output_size, &talk->output_cut, deadline);
    struct reading error =
        reading_of(process->ends[2], talk->limit, &talk->error, &talk->error_size, &talk->error_cut, deadline);
    struct job jobs[3];
    int count = 0;
    if (is_open(input.fd)) {
        jobs[count++] = (struct job){write_all, &input};
    } else if (talk->input_size > 0) {
        return -EINVAL;
    }
    if (is_open(error.fd)) jobs[count++] = (struct job){read_to_end, &error};
    if (is_open(output.fd)) jobs[count++] = (struct job){read_to_end, &output};
    return do_jobs(process, jobs, count);
}

int filch_process_communicate(filch_process *process, filch_process_talk *talk, filch_process_status *status,
                              filch_deadline deadline) {
    if (process == NULL || talk == NULL || (talk->input == NULL && talk->input_size > 0)) return -EINVAL;
    if (talk->limit >= PTRDIFF_MAX) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    int error = talk_to(process, talk, deadline);
    return error != 0 ? error : filch_process_wait(process, status, deadline);
}

/* ----------------------------------------------------------------------------------------------------------------- run */

/* What filch_process_run makes of the options. */
static filch_process_options options_for(const filch_process_options *options, const filch_process_talk *talk) {
    filch_process_options made = options != NULL ? *options : (filch_process_options){0};
    if (talk == NULL) return made;
    if (made.input == FILCH_STDIO_INHERIT) made.input = talk->input_size > 0 ? FILCH_STDIO_PIPE : FILCH_STDIO_NULL;
    if (made.output == FILCH_STDIO_INHERIT) made.output = FILCH_STDIO_PIPE;
    if (made.error == FILCH_STDIO_INHERIT) made.error = FILCH_STDIO_PIPE;
    return made;
}

static bool has_pipe(const filch_process_options *options) {
    return options->input == FILCH_STDIO_PIPE || options->output == FILCH_STDIO_PIPE ||
           options->error == FILCH_STDIO_PIPE;
}

int filch_process_run(const char *const *argv, const filch_process_options *options, filch_process_talk *talk,
                      filch_process_status *status, filch_deadline deadline) {
    filch_process_options made = options_for(options, talk);
    if (talk == NULL ? has_pipe(&made) : talk->input_size > 0 && made.input != FILCH_STDIO_PIPE) return -EINVAL;
    filch_process *process;
    int error = filch_process_start(&process, argv, &made, deadline);
    if (error != 0) return error;
    if (talk != NULL) {
        error = filch_process_communicate(process, talk, status, deadline);
    } else {
        error = filch_process_wait(process, status, deadline);
    }
    filch_process_destroy(process);
    return error;
}
