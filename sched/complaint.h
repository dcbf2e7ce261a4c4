/* SPDX-License-Identifier: MIT */
/*
 * A report of debug mode in the making: lines of text, which are handed over as one. No lock or latch is to be held when it
 * is sent, since the program's function may be called.
 */
#ifndef FILCH_SCHED_COMPLAINT_H
#define FILCH_SCHED_COMPLAINT_H

#include <stddef.h>

struct filch_runtime;
struct filch_task;

enum { WITNESS_FRAMES = 16 };

struct filch__complaint {
    struct filch_runtime *runtime; /* whose it is; NULL: nobody's, for standard error */
    const char *check;
    char *text;
    size_t length;
};

/* Begins with "filch: CHECK: ". Without memory, what is said goes to standard error, piece by piece. */
void filch__complaint_begin(struct filch__complaint *complaint, struct filch_runtime *runtime, const char *check);

/* Adds text; what there is no room for (16 KiB) is left out. */
void filch__complaint_say(struct filch__complaint *complaint, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds `task 0x7f.. "name"`, with nothing in it that would end the line. */
void filch__complaint_name(struct filch__complaint *complaint, const void *task, const char *name);

/* Adds where an address of code is. */
void filch__complaint_place(struct filch__complaint *complaint, const void *address);

/* Adds a line for each, indented. */
void filch__complaint_frames(struct filch__complaint *complaint, void *const *frames, unsigned depth);

/* Sends it. */
void filch__complaint_send(struct filch__complaint *complaint);

/* Who did something, and where in the code: noted then, since all of it may be gone when it is told. */
struct filch__witness {
    const void *task; /* or NULL: a thread that is no worker, */
    int thread;       /* with this number */
    char name[32];
    void *spawned_at;
    unsigned depth;
    void *frames[WITNESS_FRAMES];
};

/* Notes the caller. Needs some 4 KiB of stack. */
void filch__witness_take(struct filch__witness *witness);

/* The same of `task`, which lives, without a place in the code. */
void filch__witness_of_task(struct filch__witness *witness, struct filch_task *task);

/* Adds who it was: "task 0x... "name"" or "thread 123". */
void filch__complaint_who(struct filch__complaint *complaint, const struct filch__witness *witness);

/* Adds ", spawned at PLACE", of a task. */
void filch__complaint_spawned(struct filch__complaint *complaint, const struct filch__witness *witness);

#endif
