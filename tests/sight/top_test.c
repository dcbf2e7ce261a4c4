/* SPDX-License-Identifier: MIT */
/* filch-top on living processes: what it prints once, and what it says where there is nothing to be seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sight/looking.h"
#include "tests/test.h"

/* The tasks of tests/sight/waiting.c, and what each waits for. */
static void check_tasks(const char *ps) {
    check_contains(ps, "\"sight\"");
    check_contains(ps, "2 workers");
    check_contains(line_with(ps, "\"left\" "), "waits");
    check_contains(line_with(ps, "1 \"left\" "), "held by \"right\"");
    check_contains(line_with(ps, "1 \"right\" "), "held by \"left\"");
    check_contains(line_with(ps, "1 \"holder\" "), "sleep");
    check_contains(line_with(ps, "5 \"opener\" "), " and others");
    check_contains(line_with(ps, "15 \"napper \xc3\xa9?\" "), "sleep");
    check_contains(line_with(ps, "1,000 \"receiver\" "), "channel receive 0x");
    check_contains(line_with(ps, "2 \"wanter\" "), "held by \"holder\"");
    check_contains(line_with(ps, "1 \"main\" "), "scope_close 0x");
}

static void check_ps_of(const char *program) {
    if (!may_trace()) return;
    pid_t process = start_waiting(program, "");
    struct said said = top("--ps", process);
    check_int(said.status, 0);
    check_int(strlen(said.err), 0);
    check_tasks(said.out);
    said_drop(&said);
    stop_waiting(process);
}

TEST(top, ps_tells_who_waits_for_what_in_a_program_with_filch_in_it) {
    check_ps_of(STATIC_PROGRAM);
}

TEST(top, ps_finds_filch_in_its_shared_library) {
    check_ps_of(SHARED_PROGRAM);
}

TEST(top, ps_finds_filch_in_a_stripped_program) {
    check_ps_of(STRIPPED_PROGRAM);
}

TEST(top, all_tasks_are_there_when_they_are_not_folded) {
    if (!may_trace()) return;
    pid_t process = start_waiting(STATIC_PROGRAM, "");
    char number[16];
    snprintf(number, sizeof number, "%d", process);
    struct said said = run((const char *[]){TOP_PROGRAM, "--all", "--ps", number, NULL});
    check_int(said.status, 0);
    check_int(count_of(said.out, "\"receiver\""), 1000);
    check_int(count_of(said.out, "channel receive"), 1000);
    said_drop(&said);
    said = run((const char *[]){TOP_PROGRAM, "--max", "10", "--ps", number, NULL});
    check_int(said.status, 0);
    check_contains(said.out, "and 1016 more");
    said_drop(&said);
    stop_waiting(process);
}

TEST(top, the_tree_shows_scopes_what_is_alike_and_the_deadlock) {
    if (!may_trace()) return;
    pid_t process = start_waiting(STATIC_PROGRAM, "");
    struct said said = top("--tree", process);
    check_int(said.status, 0);
    check_contains(said.out, "DEADLOCK: each of these waits for the next");
    check_contains(said.out, "  \"main\"");
    check_contains(line_with(said.out, "-\"opener\" open_another"), "x 5 ");
    check_contains(said.out, " `-\"napper \xc3\xa9?\""); /* below */
    check_contains(line_with(said.out, "-\"napper "), "x 15 ");
    check_contains(line_with(said.out, "-\"napper "), "in scope \"inner\"");
    check_contains(line_with(said.out, "|-\"receiver\""), "x 1,000 ");
    check_contains(line_with(said.out, "|-\"receiver\""), "in scope \"outer\"");
#ifdef WITH_SYMBOLS
    check_contains(line_with(said.out, "|-\"receiver\""), "spawn_all");
    check_contains(line_with(said.out, "-\"napper "), "open_another");
#endif
    said_drop(&said);
    stop_waiting(process);
}

TEST(top, waits_and_workers_are_listed) {
    if (!may_trace()) return;
    pid_t process = start_waiting(STATIC_PROGRAM, "");
    struct said said = top("--waits", process);
    check_int(said.status, 0);
    check_contains(line_with(said.out, "channel receive"), "     1,000 ");
    check_contains(line_with(said.out, "held by \"holder\""), "         2 ");
    check_contains(line_with(said.out, "\"opener\""), "         5 "); /* each waits for a scope of its own */
    check_contains(line_with(said.out, "\"opener\""), "scope_close 0x");
    check_int(count_of(said.out, "\"opener\""), 1);
    said_drop(&said);
    said = top("--workers", process);
    check_int(said.status, 0);
    check_contains(said.out, "worker    0");
    check_contains(said.out, "worker    1");
    check_contains(said.out, "asleep");
    said_drop(&said);
    stop_waiting(process);
}

TEST(top, json_is_sound_and_has_the_words_of_dumps) {
    if (!may_trace()) return;
    pid_t process = start_waiting(SHARED_PROGRAM, "");
    struct said said = top("--json", process);
    check_int(said.status, 0);
    check(is_json(said.out));
    check_contains(said.out, "\"name\":\"receiver\",\"count\":1000,\"state\":\"waits\"");
    check_contains(said.out, "\"waits_for\":\"channel receive\"");
    check_contains(said.out, "\"scope_name\":\"inner\"");
    check_int(count_of(said.out, "\"held_by\":\"0x"), 3);
    check_int(count_of(said.out, "\"spare\":false"), 2); /* a task that runs names its worker, too */
    said_drop(&said);
    stop_waiting(process);
}

/* Nothing stops it: each look must be sound, and must have all that does not change. */
TEST(top, lists_that_change_meanwhile_do_no_harm) {
    if (!may_trace()) return;
    pid_t process = start_waiting(STATIC_PROGRAM, "churn");
    for (int i = 0; i < 60; i++) {
        struct said said = top(i % 2 == 0 ? "--json" : "--tree", process);
        check_int(said.status, 0);
        check_int(strlen(said.err), 0);
        if (i % 2 == 0) {
            check(is_json(said.out));
            check(strstr(said.out, "\"waits_for\":\"?\"") == NULL); /* what was never a reason */
            check_contains(said.out, "\"name\":\"receiver\",\"count\":1000,");
            check_contains(said.out, "\"name\":\"napper \xc3\xa9?\",\"count\":15,");
        } else {
            check_contains(line_with(said.out, "|-\"receiver\""), "x 1,000 ");
        }
        said_drop(&said);
    }
    stop_waiting(process);
}

/* It takes no part in it: it may be stopped, and hold its worker. */
TEST(top, a_wedged_process_is_read_too) {
    if (!may_trace()) return;
    pid_t process = start_waiting(STATIC_PROGRAM, "hang");
    check_int(kill(process, SIGSTOP), 0);
    check_int(waitpid(process, NULL, WUNTRACED), process);
    struct said said = top("--ps", process);
    check_int(said.status, 0);
    check_tasks(said.out);
    check_contains(line_with(said.out, "\"hanger\""), "runs, or can: worker");
    said_drop(&said);
    said = top("--workers", process);
    check_contains(said.out, "\"hanger\"");
    said_drop(&said);
    stop_waiting(process);
}

/* ------------------------------------------------------------------------------------------------- nothing to be seen */

static void check_refused(struct said said, int status, const char *why) {
    check_int(said.status, status);
    check_int(strlen(said.out), 0);
    check_contains(said.err, "filch-top: ");
    check_contains(said.err, why);
    said_drop(&said);
}

static pid_t forked(void) {
    pid_t child = fork();
    check(child >= 0);
    return child;
}

TEST(top, a_process_that_is_none_is_told) {
    pid_t process = forked();
    if (process == 0) _exit(0);
    siginfo_t info;
    check_int(waitid(P_PID, (id_t)process, &info, WEXITED | WNOWAIT), 0);
    check_refused(top("--ps", process), 1, "it has ended, or is a thread of the kernel");
    check_int(waitpid(process, NULL, 0), process);
    check_refused(top("--ps", process), 1, "there is no process");
    check_refused(top_file("--ps", "4194305000"), 1, "cannot be the number of a process");
    check_refused(top_file("--ps", "0"), 1, "cannot be the number of a process");
}

static bool is_called(pid_t process, const char *name) {
    char path[32], text[64] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", process);
    FILE *file = fopen(path, "r");
    check(file != NULL);
    check(fgets(text, sizeof text, file) != NULL);
    fclose(file);
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, name) == 0;
}

TEST(top, a_program_without_filch_is_told) {
    if (!may_trace()) return;
    pid_t process = forked();
    if (process == 0) {
        execlp("sleep", "sleep", "100", (char *)NULL);
        _exit(127);
    }
    while (!is_called(process, "sleep")) usleep(1000); /* it is us as yet, and we are a program with filch */
    check_refused(top("--ps", process), 1, "is no program with filch");
    stop_waiting(process);
}

TEST(top, the_first_process_is_refused_or_without_filch) {
    struct said said = top("--ps", 1);
    check_int(said.status, 1);
    check(strstr(said.err, "no permission to read process 1") != NULL ||
          strstr(said.err, "is no program with filch") != NULL);
    said_drop(&said);
}

TEST(top, a_process_of_another_user_is_refused) {
    if (geteuid() != 0) {
        fprintf(stderr, "SKIPPED: only root has processes that others may not read\n");
        return;
    }
    pid_t looker = forked(), process = getppid();
    if (looker == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0 || access(TOP_PROGRAM, X_OK) != 0) _exit(77);
        check_refused(top("--ps", process), 1, "no permission to read process");
        _exit(0);
    }
    int status;
    check_int(waitpid(looker, &status, 0), looker);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        fprintf(stderr, "SKIPPED: another user may not run filch-top here\n");
        return;
    }
    check_int(status, 0);
}

TEST(top, wrong_arguments_are_told) {
    check_refused(run((const char *[]){TOP_PROGRAM, NULL}), 2, "which process, or core?");
    check_refused(run((const char *[]){TOP_PROGRAM, "1", "2", NULL}), 2, "at a time");
    check_refused(run((const char *[]){TOP_PROGRAM, "--nonsense", "1", NULL}), 2, "wrong option");
    check_refused(run((const char *[]){TOP_PROGRAM, "--sort", "size", "1", NULL}), 2, "cannot sort by size");
    check_refused(run((const char *[]){TOP_PROGRAM, "--delay", "0", "1", NULL}), 2, "--delay is");
    check_refused(run((const char *[]){TOP_PROGRAM, "--delay", "nan", "1", NULL}), 2, "--delay is");
    check_refused(run((const char *[]){TOP_PROGRAM, "--max", "-1", "1", NULL}), 2, "--max is");
    check_refused(run((const char *[]){TOP_PROGRAM, "1", "--max", NULL}), 2, "lacks its value");
    check_refused(top_file("--ps", "/nonexistent/core"), 1, "No such file");
    check_refused(top_file("--ps", "/"), 1, "is no file");
    struct said said = run((const char *[]){TOP_PROGRAM, "--help", NULL});
    check_int(said.status, 0);
    check_contains(said.out, "usage: filch-top");
    said_drop(&said);
}
