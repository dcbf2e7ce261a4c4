/* SPDX-License-Identifier: MIT */
/*
 * A pipeline: each stage is a task that receives from one channel and sends to the next. Who has nothing more to send
 * closes his channel, and so the end travels down the line. Who fails cancels the scope, and so ends the others.
 */
#include <errno.h>
#include <filch/filch.h>
#include <inttypes.h>
#include <stdio.h>

struct stage {
    filch_chan *in, *out;
    int64_t sum;
};

static int count(void *arg) {
    struct stage *stage = arg;
    int error = 0;
    for (int64_t number = 1; number <= 10 && error == 0; number++) {
        error = filch_chan_send(stage->out, &number, FILCH_NEVER);
    }
    filch_chan_close(stage->out);
    return error;
}

static int square(void *arg) {
    struct stage *stage = arg;
    int64_t number;
    int error;
    while ((error = filch_chan_recv(stage->in, &number, FILCH_NEVER)) == 0) {
        number *= number;
        if ((error = filch_chan_send(stage->out, &number, FILCH_NEVER)) != 0) break;
    }
    filch_chan_close(stage->out);
    return error == -EPIPE ? 0 : error; /* closed, and empty: the end of what comes in */
}

static int sum(void *arg) {
    struct stage *stage = arg;
    int64_t number;
    int error;
    while ((error = filch_chan_recv(stage->in, &number, FILCH_NEVER)) == 0) {
        stage->sum += number;
        printf("%" PRId64 " makes %" PRId64 "\n", number, stage->sum);
    }
    return error == -EPIPE ? 0 : error;
}

static void start(filch_scope *scope, const char *name, filch_fn *fn, struct stage *stage) {
    int error =
        filch_scope_spawn(scope, NULL, fn, stage, &(filch_task_options){.name = name}); /* for dumps and traces */
    if (error != 0) filch_scope_fail(scope, error); /* nobody waits for a stage that is missing */
}

static int run(filch_chan *numbers, filch_chan *squares) {
    struct stage first = {.out = numbers}, second = {.in = numbers, .out = squares}, third = {.in = squares};
    filch_scope scope;
    int error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    start(&scope, "count", count, &first);
    start(&scope, "square", square, &second);
    start(&scope, "sum", sum, &third);
    return filch_scope_close(&scope);
}

static int pipeline(void *arg) {
    filch_chan *numbers = NULL, *squares = NULL;
    (void)arg;
    int error = filch_chan_create(&numbers, sizeof(int64_t), 4);
    if (error == 0) error = filch_chan_create(&squares, sizeof(int64_t), 4);
    if (error == 0) error = run(numbers, squares);
    filch_chan_destroy(squares);
    filch_chan_destroy(numbers);
    return error;
}

int main(void) {
    return filch_run(pipeline, NULL, NULL) == 0 ? 0 : 1;
}
