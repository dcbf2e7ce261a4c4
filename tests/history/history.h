/* SPDX-License-Identifier: MIT */
/*
 * Histories: small random programs on one object of the library run in simulation (filch/simulation.h), each call is
 * recorded when it begins and when it returns, and a checker looks whether a sequential model explains what came of them.
 *
 * The model is a set of configurations: the object's state and how far each task's call is. A call takes its steps at
 * moments between its beginning and its return: it arrives, and is then done or waits; who waits is let go by the step of
 * another, or gives up, after its deadline or once its task's cancellation has begun. A history is right if steps can be
 * put into it so that each call is done with what it answered before it returns. What a header says of "who is served",
 * "what moved", and of wake-ups is in the steps: who releases serves who waits first, in the same step.
 *
 * The checker goes through the history once and keeps all configurations that explain it so far; steps are taken only
 * where a return asks for them (Wing and Gong 1993, "Testing and Verifying Concurrent Objects"; the just-in-time
 * linearization of Lowe 2017, "Testing for Linearizability"). A step is not taken before the moment from which it may be:
 * no time-out before the clock has come to the deadline. And who is seen to be parked has arrived.
 */
#ifndef FILCH_TESTS_HISTORY_HISTORY_H
#define FILCH_TESTS_HISTORY_HISTORY_H

#include <filch/filch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

enum { TASKS_MAX = 4, OPS_MAX = 6, VALUES_MAX = 3, STATE_BYTES = 36, PARAMETERS = 4 };

/* ---------------------------------------------------------------------------------------------------------- programs */

enum limit {
    LIMIT_LONG, /* a deadline that only passes when all wait */
    LIMIT_SHORT,
    LIMIT_PAST,
};

/* A call that a task is to make. */
struct op {
    uint8_t kind;   /* of the object's */
    uint8_t number; /* a count, or which of several, as the kind wants it */
    uint8_t value;  /* of its values the first, if it sends any; no two ops of a program share one */
    uint8_t limit;  /* enum limit, where it waits */
    uint8_t ns;     /* until LIMIT_SHORT */
    bool outside;   /* made by filch_blocking: as by a thread that is no worker */
    bool yield;     /* the task gives way before */
    bool left_out;  /* when a program that fails is made smaller */
};

enum cut {
    CUT_NONE,
    CUT_CANCEL,   /* filch_task_cancel, by the main task */
    CUT_SCOPE,    /* the deadline of a scope around all the task's calls */
    CUT_DEADLINE, /* the deadline of one call */
};

struct program {
    const struct object *object;
    uint64_t number; /* that it is made of */
    uint8_t parameter[PARAMETERS];
    unsigned task_count;
    unsigned op_count[TASKS_MAX];
    struct op ops[TASKS_MAX][OPS_MAX];
    enum cut cut;
    unsigned cut_task, cut_op;
    int64_t cut_ns; /* after the start */
};

/* ----------------------------------------------------------------------------------------------------------- objects */

/* A call that is made, or was. */
struct call {
    const struct op *op;
    unsigned task;
    int64_t deadline_ns;
    int64_t case_ns; /* of a select: its case of a deadline */
    int64_t result;
    uint8_t values[VALUES_MAX]; /* that it got */
};

enum phase {
    PHASE_NONE,   /* no call */
    PHASE_CALLED, /* it has not arrived */
    PHASE_WAITS,  /* in the object's queue */
    PHASE_MORE,   /* it has arrived, does not wait, and has more steps to take, as the object has it */
    PHASE_DONE,
};

/* One that explains the history so far. Compared as bytes. */
struct config {
    uint8_t phase[TASKS_MAX];
    uint8_t rank[TASKS_MAX]; /* from 1, in the order of arrival, of those that wait; else 0 */
    int8_t result[TASKS_MAX];
    uint8_t values[TASKS_MAX][VALUES_MAX];
    uint8_t extra[TASKS_MAX]; /* of the call, as the object has it */
    uint8_t state[STATE_BYTES];
};

struct kind {
    const char *name;
    bool waits;      /* has a deadline, and can be cancelled */
    uint8_t weight;  /* among the kinds that a program is made of; 0: only made by `last` */
    uint8_t numbers; /* `number` is below that; 0: it has none */
    bool sends;      /* it has values of its own: VALUES_MAX of them, or fewer */
    bool outside;    /* it may be made by a thread that is no worker */
};

struct object {
    const char *name;

    /* Runs what the seed says, and answers what was wrong, or NULL: in place of all that follows. */
    const char *(*life)(uint64_t seed);

    const struct kind *kinds;
    unsigned kind_count;

    /* Chooses the parameters, and may change the ops. */
    void (*plan)(struct program *program, struct filch__random *random);
    void (*make)(const struct program *program);
    void (*unmake)(void);

    /* Whether the task may make the call: it holds what the call gives up. NULL: always. */
    bool (*may_call)(unsigned task, const struct op *op);
    /* What the task has to call before it ends. False: nothing more. NULL: never anything. */
    bool (*last)(unsigned task, struct op *op);
    /* Makes the call: fills in result and values. */
    void (*perform)(struct call *call, filch_deadline deadline);

    /* Model: the state at the start, zeroed before. NULL: zeroes. */
    void (*begin)(struct config *config, const struct program *program);
    /* The call arrives. Its successors are emitted; none: it cannot. */
    void (*arrive)(struct config *config, unsigned task, const struct op *op);
    /* A call that waits or has MORE takes a step of its own. NULL: there are none. */
    void (*proceed)(struct config *config, unsigned task, const struct op *op);
    /* A call that has waited, and is no longer among those that do, gives up. NULL: it is done with `error`. */
    void (*give_up)(struct config *config, unsigned task, int error);
    /* Whether a call that waits may give up for its deadline in this state. NULL: yes. */
    bool (*may_time_out)(const struct config *config, unsigned task);
    /* Whether the call is so far that it may show the mark. */
    bool (*may_mark)(const struct config *config, unsigned task, unsigned mark);
};

extern const struct object history_event, history_mutex, history_rwlock, history_cond, history_sem, history_barrier,
    history_once, history_wait_group, history_future, history_queue, history_chan, history_select, history_runtime;

/* ---------------------------------------------------------------------------------------------- for models: check.c */

/* The program that is checked. */
extern const struct program *history_program;

/* The op of the task's call in the configuration that is looked at. */
const struct op *config_op(unsigned task);

const struct call *config_call(unsigned task);

/* The clock, as far as the history has been read. */
int64_t config_now(void);

/* How many marks the task's call has shown so far. */
unsigned config_marks(unsigned task);

/* A successor of the configuration. */
void config_emit(const struct config *config);

void config_done(struct config *config, unsigned task, int result);
/* To the end of the queue of those who wait. */
void config_wait(struct config *config, unsigned task);
/* Out of the queue. */
void config_leave(struct config *config, unsigned task);
/* Out of the queue, and done. */
void config_grant(struct config *config, unsigned task, int result);
/* Who waits first of those whose call is of one of the kinds (a bit each), or -1. */
int config_first(const struct config *config, uint32_t kinds);
/* All of those, one after the other. */
void config_grant_all(struct config *config, uint32_t kinds, int result);

/* --------------------------------------------------------------------------------------------------- record.c, check.c */

enum event_kind {
    EVENT_CALL,
    EVENT_WAITS, /* was seen to be parked */
    EVENT_MARK,
    EVENT_RETURN,
    EVENT_CANCEL, /* filch_task_cancel is called */
    EVENT_CANCELLED,
};

struct event {
    uint8_t kind, task, mark;
    struct call *call;
    int64_t now_ns;
};

struct history {
    struct event events[512];
    unsigned count;
    struct call calls[TASKS_MAX * (OPS_MAX + 8)];
    unsigned call_count;
    int64_t began_ns;
    const char *wrong; /* found while it was recorded */
};

void record_begin(struct history *history);
/* The calling task is number `task`. */
void record_task(unsigned task);
struct call *record_call(unsigned task, const struct op *op, filch_deadline deadline);
void record_mark(struct call *call, unsigned mark);
void record_return(struct call *call);
void record_cancel(unsigned task, bool done);

/* NULL: the history can be explained. Else what is wrong; `*at` is the event up to which it cannot. */
const char *history_check(const struct program *program, const struct history *history, unsigned *at);

void history_print(const struct program *program, const struct history *history, const char *wrong, unsigned at);

/* ----------------------------------------------------------------------------------------------------- program.c */

void program_make(struct program *program, const struct object *object, uint64_t number);
void program_print(const struct program *program);

/* The main task of a simulation: runs the program, checks its history; 0, or 1: it is wrong. `arg` is a program. */
int program_run(void *arg);

/* What the last run was. */
extern struct history program_history;
extern const char *program_wrong;
extern unsigned program_wrong_at;

/* ----------------------------------------------------------------------------------------------------- life.c */

/* What happened in the last life. */
void life_print(void);

#endif
