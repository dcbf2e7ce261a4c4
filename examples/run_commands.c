/* SPDX-License-Identifier: MIT */
/*
 * Commands run side by side, no more than two at a time, each with a limit of time; what they say is printed in the order
 * they were given. One that takes too long is ended, with all that it has started. Ctrl-C ends them all.
 */
#include <errno.h>
#include <filch/filch.h>
#include <filch/io.h>
#include <stdio.h>

enum { AT_ONCE = 2 };

struct command {
    const char *script;
    int64_t limit_ns;
    filch_sem *turns;
    int error; /* of running it; 0: `status` says how it ended */
    filch_process_status status;
    filch_process_talk talk;
};

/* A failure here is no failure of the others: it is kept for the report. But when all are cancelled, that is passed on. */
static int run(void *arg) {
    struct command *command = arg;
    const char *const argv[] = {"sh", "-c", command->script, NULL};
    const filch_process_options options = {.error = FILCH_STDIO_OUTPUT, .group = FILCH_PROCESS_GROUP_NEW};
    command->error = filch_sem_acquire(command->turns, FILCH_NEVER);
    if (command->error != 0) return command->error;
    command->error =
        filch_process_run(argv, &options, &command->talk, &command->status, filch_after(command->limit_ns));
    filch_sem_release(command->turns);
    return command->error == -ECANCELED ? -ECANCELED : 0;
}

static void report(struct command *command) {
    printf("$ %s\n", command->script);
    if (command->talk.output_size > 0) fwrite(command->talk.output, 1, command->talk.output_size, stdout);
    if (command->error == -ETIMEDOUT) {
        printf("(took too long)\n");
    } else if (command->error != 0) {
        printf("(was not run to its end: error %d)\n", -command->error);
    } else if (command->status.signal != 0) {
        printf("(ended by signal %d)\n", command->status.signal);
    } else if (command->status.exit_code != 0) {
        printf("(ended with %d)\n", command->status.exit_code);
    }
    filch_process_talk_fini(&command->talk);
}

static int run_all(void *arg) {
    struct command *commands = arg;
    filch_sem turns;
    filch_scope scope;
    int error = filch_sem_init(&turns, AT_ONCE, 0);
    if (error == 0) error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    for (struct command *command = commands; command->script != NULL; command++) {
        command->turns = &turns;
        command->error = filch_scope_spawn(&scope, NULL, run, command, NULL);
        if (command->error != 0) filch_scope_fail(&scope, command->error);
    }
    error = filch_scope_close(&scope);
    filch_sem_fini(&turns);
    for (struct command *command = commands; command->script != NULL; command++) report(command);
    return error;
}

int main(void) {
    struct command commands[] = {
        {.script = "sleep 0.1; echo first, though not the first to end", .limit_ns = FILCH_SEC(60)},
        {.script = "seq 100000 | tail -n 1", .limit_ns = FILCH_SEC(60)},
        {.script = "sleep 1000", .limit_ns = FILCH_MS(200)},
        {.script = "echo a complaint >&2; exit 3", .limit_ns = FILCH_SEC(60)},
        {.script = "kill -KILL $$", .limit_ns = FILCH_SEC(60)},
        {.script = NULL},
    };
    return filch_run(run_all, commands, &(filch_options){.interrupt = true}) == 0 ? 0 : 1;
}
