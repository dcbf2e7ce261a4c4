/* SPDX-License-Identifier: MIT */
/* gdb in batch mode, with filch's commands, on a living process and on a core. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sight/looking.h"
#include "tests/test.h"

static bool has_gdb(void) {
    struct said said = run((const char *[]){"gdb", "-nx", "-batch", "-ex", "python print(6 * 7)", NULL});
    bool has = said.status == 0 && strstr(said.out, "42") != NULL;
    if (!has) fprintf(stderr, "SKIPPED: there is no gdb with Python\n");
    said_drop(&said);
    return has;
}

#define GDB "gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "source " GDB_SCRIPT
#define COMMAND(text) "-ex", text

/* What these say of the tasks of tests/sight/waiting.c. `said.out` in the order of the commands. */
static void check_lists(const char *out, const char *receivers) {
    check_contains(out, "\"sight\": 2 workers, ");
    check_contains(out, "worker 0: ");
    check_contains(line_with(out, "\"left\" take_left_first"), "waits for mutex 0x");
    check_contains(line_with(out, "\"left\" take_left_first"), "\"right\"");
    check_contains(line_with(out, "\"receiver\" receive"), "waits for channel receive 0x");
    check_contains(line_with(out, "\"receiver\" receive"), receivers);
    check_contains(line_with(out, "\"napper "), "?\" nap"); /* in whatever the locale can show */
    check_contains(line_with(out, "\"napper "), "x 15 in all");
    check_contains(line_with(out, "\"opener\" open_another"), "x 5 in all");
}

#ifdef __x86_64__

/* A backtrace from its innermost frame to the task's function: four calls of deep_lock on the way. */
static void check_backtrace(const char *out, const char *task, const char *function) {
    char head[64];
    snprintf(head, sizeof head, "\"%s\" %s: waits for mutex", task, function);
    const char *from = NULL;
    for (const char *next = out; (next = strstr(next, head)) != NULL; next++) from = next; /* the list has it, too */
    const char *to = from == NULL ? NULL : strstr(from, "loop_entry");
    if (to == NULL) fprintf(stderr, "no backtrace of %s in:\n%s\n", task, out);
    check(to != NULL);
    char *backtrace = strndup(from, (size_t)(to - from));
    check_contains(backtrace, "#0 ");
    check_contains(backtrace, "mutex=0x"); /* filch_mutex_lock, or what it ends with, where that is a jump */
    check_int(count_of(backtrace, "deep_lock ("), 4);
    check_contains(backtrace, "take_both (");
    char call[64];
    snprintf(call, sizeof call, "%s (arg=", function);
    check_int(count_of(backtrace, call), 1);
    free(backtrace);
}

#else
#define check_backtrace(out, task, function) ((void)(out), (void)(task), (void)(function))
#endif

TEST(gdb, a_living_process_is_listed_unwound_and_goes_on) {
    if (!may_trace() || !has_gdb()) return;
    pid_t process = start_waiting(SHARED_PROGRAM, "hang");
    char number[16];
    snprintf(number, sizeof number, "%d", process);
    struct said said = run(
        (const char *[]){GDB, "-p", number, COMMAND("filch runtimes"), COMMAND("filch workers"), COMMAND("filch tasks"),
                         COMMAND("filch bt left"), COMMAND("filch bt hanger"), COMMAND("filch task right"),
                         COMMAND("backtrace"), COMMAND("filch task"), COMMAND("filch bt nobody"), NULL});
    check_lists(said.out, "x 1,000 in all");
    check_backtrace(said.out, "left", "take_left_first");
    check_contains(strstr(said.out, "\"hanger\" hang: "), "  #0 ");
    check_contains(strstr(said.out, "\"hanger\" hang: "), "hang (");
    check_backtrace(said.out, "right", "take_right_first");
    check_contains(said.err, "no task has the name nobody");
    said_drop(&said);
    check_int(waitpid(process, NULL, WNOHANG), 0); /* it goes on */
    stop_waiting(process);
}

TEST(gdb, a_core_is_listed_and_unwound) {
#ifdef SANITIZED
    fprintf(stderr, "SKIPPED: a sanitizer's shadow would make it a core of terabytes\n");
#else
    char *core = has_gdb() ? make_core(STATIC_PROGRAM) : NULL;
    if (core == NULL) return;
    struct said said =
        run((const char *[]){GDB, STATIC_PROGRAM, core, COMMAND("filch runtimes"), COMMAND("filch workers"),
                             COMMAND("filch tasks"), COMMAND("filch tasks -v"), COMMAND("filch bt left"),
                             COMMAND("filch bt main"), COMMAND("filch bt wanter"), NULL});
    check_lists(said.out, "x 40 in all");
    check_backtrace(said.out, "left", "take_left_first");
    check_contains(strstr(said.out, "abort ("), "main_task (");
    check_int(count_of(said.out, "\"receiver\" receive"), 41);
    check_contains(said.out, "; spawned at spawn_all");
    said_drop(&said);
    drop_core(core);
#endif
}

TEST(gdb, commands_without_a_program_with_filch_are_refused) {
    if (!has_gdb()) return;
    struct said said = run((const char *[]){GDB, COMMAND("filch tasks"), NULL});
    check_contains(said.err, "there is neither a process nor a core");
    said_drop(&said);
    said = run((const char *[]){GDB, "/bin/true", COMMAND("starti"), COMMAND("filch tasks"), NULL});
    check_contains(said.err, "this is no program with filch");
    said_drop(&said);
    said = run((const char *[]){GDB, COMMAND("help filch"), COMMAND("help filch bt"), NULL});
    check_contains(said.out, "filch bt -- Print the backtrace of a task, or of all tasks.");
    check_contains(said.out, "Usage: filch bt TASK");
    said_drop(&said);
}
