/* SPDX-License-Identifier: MIT */
/* Random programs: made from a number, run as the main task of a simulation, printed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "history.h"

enum {
    OPS_LEAST = 2,
    SHORT_NS_MAX = 250,
    CUT_STEP_NS = 20, /* as long as a point of a simulation takes */
};

#define LONG_AFTER_NS FILCH_SEC(1000)

struct history program_history;
const char *program_wrong;
unsigned program_wrong_at;

/* ------------------------------------------------------------------------------------------------------------ making */

static unsigned below(struct filch__random *random, unsigned count) {
    return filch__choose(random, CHOICE_VICTIM, count);
}

static uint8_t random_kind(const struct object *object, struct filch__random *random) {
    unsigned sum = 0, kind = 0;
    for (unsigned i = 0; i < object->kind_count; i++) sum += object->kinds[i].weight;
    unsigned left = below(random, sum);
    while (left >= object->kinds[kind].weight) left -= object->kinds[kind++].weight;
    return (uint8_t)kind;
}

static struct op random_op(const struct object *object, unsigned place, struct filch__random *random) {
    struct op op = {.kind = random_kind(object, random)};
    const struct kind *kind = &object->kinds[op.kind];
    if (kind->numbers > 0) op.number = (uint8_t)below(random, kind->numbers);
    if (kind->sends) op.value = (uint8_t)(1 + place * VALUES_MAX);
    unsigned limit = below(random, 8);
    op.limit = limit < 5 ? LIMIT_LONG : limit < 7 ? LIMIT_SHORT : LIMIT_PAST;
    op.ns = (uint8_t)below(random, SHORT_NS_MAX);
    op.outside = kind->outside && below(random, 8) == 0;
    op.yield = below(random, 4) == 0;
    return op;
}

/* The cut is at one step of a schedule after the other, in the programs of numbers that follow one another. */
static void choose_cut(struct program *program, struct filch__random *random) {
    program->cut = (enum cut)below(random, 4);
    program->cut_task = below(random, program->task_count);
    program->cut_op = below(random, program->op_count[program->cut_task]);
}

void program_make(struct program *program, const struct object *object, uint64_t number) {
    struct filch__random random;
    filch__random_init(&random, number, 1);
    *program = (struct program){.object = object, .number = number};
    program->task_count = 2 + (below(&random, 4) == 0) + (below(&random, 3) == 0);
    unsigned most = program->task_count == 2 ? 5 : program->task_count == 3 ? 4 : 3;
    for (unsigned task = 0; task < program->task_count; task++) {
        program->op_count[task] = OPS_LEAST + below(&random, most - OPS_LEAST + 1);
        for (unsigned i = 0; i < program->op_count[task]; i++) {
            program->ops[task][i] = random_op(object, task * OPS_MAX + i, &random);
        }
    }
    choose_cut(program, &random);
    if (object->plan != NULL) object->plan(program, &random);
}

/* ----------------------------------------------------------------------------------------------------------- running */

struct made {
    struct call *call;
    filch_deadline deadline;
    const struct program *program;
};

static filch_deadline deadline_of(const struct program *program, unsigned task, const struct op *op) {
    bool cut = program->cut == CUT_DEADLINE && task == program->cut_task && op == &program->ops[task][program->cut_op];
    if (cut) return filch_after(program_history.began_ns + program->cut_ns - filch_now());
    switch (op->limit) {
    case LIMIT_LONG:
        return filch_after(LONG_AFTER_NS);
    case LIMIT_SHORT:
        return filch_after(op->ns);
    default:
        return filch_after(0);
    }
}

static int perform(void *arg) {
    struct made *made = arg;
    made->program->object->perform(made->call, made->deadline);
    return 0;
}

static void make_call(const struct program *program, unsigned task, const struct op *op) {
    const struct object *object = program->object;
    struct made made = {.deadline = deadline_of(program, task, op), .program = program};
    made.call = record_call(task, op, made.deadline);
    if (op->outside) {
        filch_shield shield; /* this is not what is cut short here */
        filch_shield_begin(&shield);
        if (filch_blocking(perform, &made, NULL, FILCH_NEVER) != 0) program_history.wrong = "it was not called";
        filch_shield_end(&shield);
    } else {
        perform(&made);
    }
    record_return(made.call);
    if (!object->kinds[op->kind].waits) return;
    if (made.call->result == -ETIMEDOUT && filch_now() < made.deadline.at_ns) {
        program_history.wrong = "it has timed out before its deadline";
    }
}

struct part {
    const struct program *program;
    unsigned task;
};

static int run_task(void *arg) {
    const struct part *part = arg;
    const struct program *program = part->program;
    const struct object *object = program->object;
    unsigned task = part->task;
    bool scoped = program->cut == CUT_SCOPE && program->cut_task == task;
    filch_scope scope;
    filch_scope_options options = {.deadline = {program_history.began_ns + program->cut_ns}};
    if (scoped && filch_scope_open(&scope, &options) != 0) return 1;
    record_task(task);
    for (unsigned i = 0; i < program->op_count[task]; i++) {
        const struct op *op = &program->ops[task][i];
        if (op->left_out || (object->may_call != NULL && !object->may_call(task, op))) continue;
        if (op->yield) filch_yield();
        make_call(program, task, op);
    }
    static struct op last[TASKS_MAX][4]; /* the history refers to them */
    for (unsigned i = 0; object->last != NULL && i < 4 && object->last(task, &last[task][i]); i++) {
        make_call(program, task, &last[task][i]);
    }
    if (scoped) (void)filch_scope_close(&scope);
    return 0;
}

static void cancel_at(const struct program *program, filch_task *victim) {
    (void)filch_sleep_until((filch_deadline){program_history.began_ns + program->cut_ns});
    record_cancel(program->cut_task, false);
    filch_task_cancel(victim);
    record_cancel(program->cut_task, true);
}

int program_run(void *arg) {
    const struct program *program = arg;
    struct part parts[TASKS_MAX];
    filch_task *tasks[TASKS_MAX];
    record_begin(&program_history);
    program->object->make(program);
    for (unsigned i = 0; i < program->task_count; i++) {
        parts[i] = (struct part){program, i};
        if (filch_spawn(&tasks[i], run_task, &parts[i], NULL) != 0) return 1;
    }
    if (program->cut == CUT_CANCEL) cancel_at(program, tasks[program->cut_task]);
    for (unsigned i = 0; i < program->task_count; i++) {
        if (filch_await(tasks[i], NULL, FILCH_NEVER) != 0) return 1;
    }
    program->object->unmake();
    program_wrong = history_check(program, &program_history, &program_wrong_at);
    return program_wrong == NULL ? 0 : 1;
}

/* ---------------------------------------------------------------------------------------------------------- printing */

static void print_op(const struct program *program, const struct op *op) {
    const struct kind *kind = &program->object->kinds[op->kind];
    printf("%s", kind->name);
    if (kind->numbers > 0) printf(" %u", op->number);
    if (kind->sends) printf(" value %u", op->value);
}

static void print_planned(const struct program *program, unsigned task, unsigned place) {
    const struct op *op = &program->ops[task][place];
    if (op->left_out) return;
    printf("      %s", op->yield ? "yield; " : "");
    print_op(program, op);
    if (program->object->kinds[op->kind].waits) {
        if (op->limit == LIMIT_SHORT) printf(", for %u ns", op->ns);
        if (op->limit == LIMIT_PAST) printf(", without waiting");
        if (program->cut == CUT_DEADLINE && program->cut_task == task && program->cut_op == place) {
            printf(", at most until %lld ns", (long long)program->cut_ns);
        }
    }
    printf("%s\n", op->outside ? ", by a foreign thread" : "");
}

void program_print(const struct program *program) {
    printf("  %s, program %llu, with", program->object->name, (unsigned long long)program->number);
    for (unsigned i = 0; i < PARAMETERS; i++) printf(" %u", program->parameter[i]);
    printf("\n");
    for (unsigned task = 0; task < program->task_count; task++) {
        printf("    task %u", task);
        if (program->cut_task == task && program->cut == CUT_CANCEL) {
            printf(", cancelled at %lld ns", (long long)program->cut_ns);
        }
        if (program->cut_task == task && program->cut == CUT_SCOPE) {
            printf(", in a scope until %lld ns", (long long)program->cut_ns);
        }
        printf("\n");
        for (unsigned i = 0; i < program->op_count[task]; i++) print_planned(program, task, i);
    }
}

static void print_return(const struct event *event) {
    const struct call *call = event->call;
    printf("-> %lld", (long long)call->result);
    if (call->result < 0) printf(" (%s)", strerror((int)-call->result));
    for (unsigned i = 0; i < VALUES_MAX; i++) {
        if (call->values[i] != 0) printf("%s %u", i == 0 ? ", values" : "", call->values[i]);
    }
}

static void print_event(const struct program *program, const struct event *event) {
    switch ((enum event_kind)event->kind) {
    case EVENT_CALL:
        print_op(program, event->call->op);
        printf("%s", event->call->op->outside ? ", by a foreign thread" : "");
        break;
    case EVENT_WAITS:
        printf("  waits in %s", program->object->kinds[event->call->op->kind].name);
        break;
    case EVENT_MARK:
        printf("  is at mark %u of %s", event->mark, program->object->kinds[event->call->op->kind].name);
        break;
    case EVENT_RETURN:
        printf("  %s ", program->object->kinds[event->call->op->kind].name);
        print_return(event);
        break;
    case EVENT_CANCEL:
        printf("is being cancelled");
        break;
    case EVENT_CANCELLED:
        printf("is cancelled");
        break;
    }
}

void history_print(const struct program *program, const struct history *history, const char *wrong, unsigned at) {
    for (unsigned i = 0; i < history->count; i++) {
        const struct event *event = &history->events[i];
        printf("  %16lld ns  task %u  ", (long long)(event->now_ns - history->began_ns), event->task);
        print_event(program, event);
        printf("%s%s\n", i == at ? "     <-- " : "", i == at ? wrong : "");
        if (i == at) return;
    }
}
