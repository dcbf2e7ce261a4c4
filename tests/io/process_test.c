/* SPDX-License-Identifier: MIT */
/*
 * Processes: they get what they were to get, say what they say, and end as they end; whoever waits is told, once each has
 * ended no zombie is left, and no descriptor. Nothing hangs for a process that reads nothing, says too much, or ignores
 * signals.
 */
#include "tests/io/files.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "alloc/alloc.h"

#define SHELL(script) ((const char *const[]){"sh", "-c", script, NULL})

static const filch_process_options quiet = {
    .input = FILCH_STDIO_NULL, .output = FILCH_STDIO_NULL, .error = FILCH_STDIO_NULL};

/* Not inlined: a task that has waited is on another thread, and would look at the old one's errno. */
static __attribute__((noinline)) void no_child_is_left(void) {
    pid_t pid = waitpid(-1, NULL, WNOHANG | __WALL);
    check(pid == -1 && errno == ECHILD);
}

/* Runs `fn` on one worker, and on several: no child and no descriptor is left. */
static void run_with_both(filch_fn *fn, void *arg) {
    for (unsigned workers = 1; workers <= 4; workers += 3) {
        int before = open_descriptors();
        run_with(workers, fn, arg);
        no_child_is_left();
        check_int(open_descriptors(), before);
    }
}

/* Likewise where the function takes descriptors away. */
static void run_scarce_with_both(filch_fn *fn, void *arg) {
    run_unwatched(1, fn, arg);
    run_unwatched(4, fn, arg);
    no_child_is_left();
}

static filch_process *start_process(const char *const *argv, const filch_process_options *options) {
    filch_process *process;
    check_int(filch_process_start(&process, argv, options, FILCH_NEVER), 0);
    return process;
}

static void check_ended(filch_process *process, int exit_code, int signal) {
    filch_process_status status;
    check_int(filch_process_wait(process, &status, FILCH_NEVER), 0);
    check_int(status.exit_code, exit_code);
    check_int(status.signal, signal);
}

/* What the script says, which ends with 0. */
static void check_says(const char *script, const filch_process_options *options, const char *output,
                       const char *error) {
    filch_process_talk talk = {0};
    filch_process_status status;
    check_int(filch_process_run(SHELL(script), options, &talk, &status, FILCH_NEVER), 0);
    check_int(status.exit_code, 0);
    check(strcmp(talk.output == NULL ? "" : talk.output, output) == 0);
    check(strcmp(talk.error == NULL ? "" : talk.error, error) == 0);
    filch_process_talk_fini(&talk);
}

/* ---------------------------------------------------------------------------------------------------------- its end */

static int end_in_many_ways(void *arg) {
    (void)arg;
    static const struct {
        const char *script;
        int exit_code, signal;
    } ways[] = {
        {"exit 0", 0, 0}, {"exit 7", 7, 0}, {"exit 255", 255, 0}, {"kill -9 $$", -1, 9}, {"kill -15 $$", -1, 15}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        filch_process *process = start_process(SHELL(ways[i].script), &quiet);
        check(filch_process_pid(process) > 0);
        check_ended(process, ways[i].exit_code, ways[i].signal);
        check_ended(process, ways[i].exit_code, ways[i].signal); /* it can be asked again */
        check_int(filch_process_wait(process, NULL, (filch_deadline){0}), 0);
        check_int(filch_process_kill(process), -ESRCH);
        check_int(filch_process_terminate(process), -ESRCH);
        filch_process_destroy(process);
        no_child_is_left();
    }
    return 0;
}

TEST(process, its_end_is_told) {
    run_with_both(end_in_many_ways, NULL);
}

static int wait_for_it(void *arg) {
    filch_process_status status = {0};
    int error = filch_process_wait(arg, &status, FILCH_NEVER);
    return error != 0 ? error : status.exit_code;
}

static void *wait_in_thread(void *arg) {
    check_int(wait_for_it(arg), 7);
    return NULL;
}

static int wait_for_all(void *arg) {
    (void)arg;
    enum { WAITERS = 20 };
    filch_process_options options = quiet;
    options.input = FILCH_STDIO_PIPE;
    filch_process *process = start_process(SHELL("read line; exit 7"), &options);
    filch_process_status status = {.exit_code = 99};
    filch_task *tasks[WAITERS], *cancelled;
    pthread_t thread;
    for (int i = 0; i < WAITERS; i++) tasks[i] = start(wait_for_it, process);
    cancelled = start(wait_for_it, process);
    check_int(pthread_create(&thread, NULL, wait_in_thread, process), 0);
    check_int(filch_process_wait(process, &status, filch_after(FILCH_MS(20))), -ETIMEDOUT);
    check_int(filch_process_wait(process, &status, (filch_deadline){0}), -ETIMEDOUT);
    check_int(status.exit_code, 99);
    filch_task_cancel(cancelled);
    check_int(result_of(cancelled), -ECANCELED);
    check_int(filch_fd_close(filch_process_input(process)), 0);
    for (int i = 0; i < WAITERS; i++) check_int(result_of(tasks[i]), 7);
    filch_block_begin();
    pthread_join(thread, NULL);
    filch_block_end();
    filch_process_destroy(process);
    return 0;
}

TEST(process, all_who_wait_are_told_tasks_and_threads) {
    run_with_both(wait_for_all, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- its start */

static int fail_to_start(void *arg) {
    (void)arg;
    filch_process *process = NULL;
    filch_process_options nowhere = {.directory = "/none"}, closed = {.output = FILCH_STDIO_FD, .output_fd = 999};
    const char *const none[] = {"no-such-program-anywhere", NULL}, *const not_there[] = {"/none/true", NULL};
    const char *const no_program[] = {"./plain", NULL}, *const garbage[] = {"./garbage", NULL};
    folder_make();
    close(open("plain", O_CREAT | O_WRONLY, 0600));
    int number = open("garbage", O_CREAT | O_WRONLY, 0700);
    check_int(write(number, "\x7f\x01garbage", 9), 9);
    close(number);
    check_int(filch_process_start(&process, none, NULL, FILCH_NEVER), -ENOENT);
    check_int(filch_process_start(&process, not_there, &quiet, FILCH_NEVER), -ENOENT);
    check_int(filch_process_start(&process, SHELL("true"), &nowhere, FILCH_NEVER), -ENOENT);
    check_int(filch_process_start(&process, no_program, NULL, FILCH_NEVER), -EACCES);
    check_int(filch_process_start(&process, garbage, NULL, FILCH_NEVER), -ENOEXEC);
    check_int(filch_process_start(&process, SHELL("true"), &closed, FILCH_NEVER), -EBADF);
    check(process == NULL);
    no_child_is_left();
    unlink("plain");
    unlink("garbage");
    folder_remove();
    return 0;
}

TEST(process, why_it_could_not_be_started_is_told_at_once) {
    run_with_both(fail_to_start, NULL);
}

static int get_surroundings(void *arg) {
    (void)arg;
    const char *const environment[] = {"A=1", "B=two words", NULL};
    check_says("echo $A; echo $B; echo \"($HOME)\"", &(filch_process_options){.environment = environment},
               "1\ntwo words\n()\n", "");
    check_says("pwd", &(filch_process_options){.directory = "/usr"}, "/usr\n", "");
    check_int(setenv("FILCH_TEST", "yes", 1), 0);
    check_says("echo $FILCH_TEST", NULL, "yes\n", "");
    filch_process_talk talk = {0};
    const char *const argv[] = {"a name", "-c", "echo $0", NULL};
    check_int(filch_process_run(argv, &(filch_process_options){.program = "sh"}, &talk, NULL, FILCH_NEVER), 0);
    check(strcmp(talk.output, "a name\n") == 0);
    filch_process_talk_fini(&talk);
    return 0;
}

TEST(process, it_gets_its_arguments_environment_and_directory) {
    run_with_both(get_surroundings, NULL);
}

static int get_groups(void *arg) {
    (void)arg;
    for (int group = FILCH_PROCESS_GROUP_SAME; group <= FILCH_PROCESS_SESSION_NEW; group++) {
        filch_process_options options = quiet;
        options.input = FILCH_STDIO_PIPE;
        options.group = (filch_process_group)group;
        filch_process *process = start_process((const char *const[]){"cat", NULL}, &options);
        pid_t pid = filch_process_pid(process);
        check_int(getpgid(pid), group == FILCH_PROCESS_GROUP_SAME ? getpgid(0) : pid);
        check_int(getsid(pid), group == FILCH_PROCESS_SESSION_NEW ? pid : getsid(0));
        filch_process_destroy(process);
    }
    return 0;
}

TEST(process, it_gets_a_group_or_a_session_of_its_own) {
    run_with_both(get_groups, NULL);
}

/* Workers block SIGPIPE, and this program ignores it: it does not. */
static int get_signals(void *arg) {
    (void)arg;
    filch_process_talk talk = {0};
    const char *const argv[] = {"cat", "/proc/self/status", NULL};
    check_int(filch_process_run(argv, NULL, &talk, NULL, FILCH_NEVER), 0);
    const char *blocked = strstr(talk.output, "SigBlk:"), *ignored = strstr(talk.output, "SigIgn:");
    check(blocked != NULL && ignored != NULL);
    check_int(strtoull(blocked + 7, NULL, 16), 0);
    check_int(strtoull(ignored + 7, NULL, 16) >> (SIGPIPE - 1) & 1, 0);
    check_int(strtoull(ignored + 7, NULL, 16) >> (SIGUSR2 - 1) & 1, 1); /* as this program does */
    filch_process_talk_fini(&talk);
    return 0;
}

TEST(process, it_gets_no_blocked_signals_and_sigpipe_as_it_is_by_default) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    run_with_both(get_signals, NULL);
}

static int get_descriptors(void *arg) {
    (void)arg;
    filch_fd reading, writing;
    filch_file file;
    check_int(filch_pipe_open(&reading, &writing, NULL), 0);
    check_int(filch_file_open(&file, "/dev/null", O_RDWR, 0, FILCH_NEVER), 0);
    filch_process_options options = quiet;
    options.input = FILCH_STDIO_PIPE;
    filch_process *other = start_process((const char *const[]){"cat", NULL}, &options);
    check_says("ls /proc/self/fd", NULL, "0\n1\n2\n3\n", ""); /* one to list them by */
    filch_process_destroy(other);
    check_int(filch_fd_close(reading), 0);
    check_int(filch_fd_close(writing), 0);
    check_int(filch_file_close(file), 0);
    return 0;
}

TEST(process, it_gets_three_descriptors_and_none_of_the_librarys) {
    for (int number = 3; number < 1000; number++) (void)fcntl(number, F_SETFD, FD_CLOEXEC); /* the runner's */
    run_with(2, get_descriptors, NULL);
}

/* ----------------------------------------------------------------------------------------------- standard descriptors */

static void check_file(const char *path, const char *expected) {
    void *data;
    size_t size;
    check_int(filch_file_read_all(path, &data, &size, 10000, FILCH_NEVER), 0);
    check(strcmp(data, expected) == 0);
    free(data);
}

static int use_descriptors(void *arg) {
    (void)arg;
    folder_make();
    int in = open("in", O_CREAT | O_RDWR, 0600), out = open("out", O_CREAT | O_RDWR, 0600);
    check_int(write(in, "line\n", 5), 5);
    check_int(lseek(in, 0, SEEK_SET), 0);
    filch_process_options options = {.input = FILCH_STDIO_FD,
                                     .input_fd = in,
                                     .output = FILCH_STDIO_FD,
                                     .output_fd = out,
                                     .error = FILCH_STDIO_OUTPUT};
    check_int(filch_process_run(SHELL("read l; echo got $l; echo complaint >&2; echo more"), &options, NULL, NULL,
                                FILCH_NEVER),
              0);
    check_file("out", "got line\ncomplaint\nmore\n");
    check(fcntl(in, F_GETFD) >= 0 && fcntl(out, F_GETFD) >= 0); /* they stay the caller's */
    close(in);
    close(out);
    unlink("in");
    unlink("out");
    folder_remove();
    check_says("echo a; echo b >&2; echo c", &(filch_process_options){.error = FILCH_STDIO_OUTPUT}, "a\nb\nc\n", "");
    check_says("echo a; echo b >&2", &(filch_process_options){.output = FILCH_STDIO_NULL}, "", "b\n");
    check_says("cat; echo end", NULL, "end\n", ""); /* no input is an empty one */
    return 0;
}

TEST(process, its_descriptors_go_where_they_are_to_go) {
    run_with_both(use_descriptors, NULL);
}

/* This program's own 1 and 2 are files; the child gets them the other way round. Then it has none of the three. */
static int exchange_descriptors(void *arg) {
    (void)arg;
    filch_process_options options = {
        .input = FILCH_STDIO_NULL, .output = FILCH_STDIO_FD, .output_fd = 2, .error = FILCH_STDIO_FD, .error_fd = 1};
    int kept[3], one = open("one", O_CREAT | O_RDWR, 0600), two = open("two", O_CREAT | O_RDWR, 0600);
    for (int i = 0; i < 3; i++) kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
    dup2(one, 1);
    dup2(two, 2);
    int error = filch_process_run(SHELL("echo out; echo err >&2"), &options, NULL, NULL, FILCH_NEVER);
    for (int i = 0; i < 3; i++) close(i);
    filch_process_talk talk = {.input = "x", .input_size = 1};
    int second = filch_process_run(SHELL("cat; echo out; echo err >&2"), NULL, &talk, NULL, FILCH_NEVER);
    for (int i = 0; i < 3; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    close(one);
    close(two);
    check_int(error, 0);
    check_int(second, 0);
    check(strcmp(talk.output, "xout\n") == 0 && strcmp(talk.error, "err\n") == 0);
    filch_process_talk_fini(&talk);
    check_file("one", "err\n");
    check_file("two", "out\n");
    unlink("one");
    unlink("two");
    return 0;
}

TEST(process, descriptors_that_trade_places_or_that_the_program_has_closed_do_not_get_mixed_up) {
    folder_make();
    run_with(2, exchange_descriptors, NULL);
    folder_remove();
    no_child_is_left();
}

static int speak_through_pipes(void *arg) {
    (void)arg;
    char buffer[64];
    filch_process_options options = {.input = FILCH_STDIO_PIPE, .output = FILCH_STDIO_PIPE, .error = FILCH_STDIO_PIPE};
    filch_process *process = start_process(SHELL("while read l; do echo \"<$l>\"; done; echo bye >&2"), &options);
    for (int i = 0; i < 20; i++) {
        check_int(filch_fd_write_all(filch_process_input(process), "word\n", 5, NULL, FILCH_NEVER), 0);
        check_int(filch_fd_read_exactly(filch_process_output(process), buffer, 7, NULL, FILCH_NEVER), 0);
        check(memcmp(buffer, "<word>\n", 7) == 0);
    }
    check_int(filch_fd_read(filch_process_output(process), buffer, 1, filch_after(FILCH_MS(5))), -ETIMEDOUT);
    check_int(filch_fd_close(filch_process_input(process)), 0);
    check_int(filch_fd_read(filch_process_error(process), buffer, 64, FILCH_NEVER), 4);
    check_int(filch_fd_read(filch_process_output(process), buffer, 1, FILCH_NEVER), 0);
    check_ended(process, 0, 0);
    filch_process_destroy(process);
    process = start_process(SHELL("true"), &quiet);
    check_int(filch_fd_number(filch_process_input(process)), -EBADF);
    check_int(filch_fd_number(filch_process_output(process)), -EBADF);
    check_int(filch_fd_number(filch_process_error(process)), -EBADF);
    filch_process_destroy(process);
    return 0;
}

TEST(process, a_conversation_through_pipes) {
    run_with_both(speak_through_pipes, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ signals */

/* One that says "y" when its trap is set, ignores SIGTERM, and goes on for ever. */
static filch_process *start_stubborn(filch_process_group group) {
    char byte;
    filch_process_options options = {
        .input = FILCH_STDIO_NULL, .output = FILCH_STDIO_PIPE, .error = FILCH_STDIO_NULL, .group = group};
    filch_process *process = start_process(SHELL("trap '' TERM; echo y; while :; do sleep 1000; done"), &options);
    check_int(filch_fd_read_exactly(filch_process_output(process), &byte, 1, NULL, FILCH_NEVER), 0);
    return process;
}

static int send_signals(void *arg) {
    (void)arg;
    filch_process *process = start_process((const char *const[]){"sleep", "1000", NULL}, &quiet);
    check_int(filch_process_signal(process, 0), 0); /* it is there */
    check_int(filch_process_terminate(process), 0);
    check_ended(process, -1, SIGTERM);
    check_int(filch_process_signal(process, 0), -ESRCH);
    filch_process_destroy(process);
    process = start_stubborn(FILCH_PROCESS_GROUP_NEW);
    check_int(filch_process_terminate(process), 0);
    check_int(filch_process_wait(process, NULL, filch_after(FILCH_MS(20))), -ETIMEDOUT);
    check_int(filch_process_kill(process), 0);
    check_ended(process, -1, SIGKILL);
    filch_process_destroy(process);
    process = start_process((const char *const[]){"sleep", "1000", NULL}, &quiet);
    check_int(filch_process_signal(process, SIGSTOP), 0);
    check_int(filch_process_wait(process, NULL, filch_after(FILCH_MS(5))), -ETIMEDOUT); /* stopped is not ended */
    check_int(filch_process_kill(process), 0);
    check_ended(process, -1, SIGKILL);
    filch_process_destroy(process);
    return 0;
}

TEST(process, it_is_asked_to_end_and_made_to) {
    run_with_both(send_signals, NULL);
}

/* What it has started has the pipe as well: the end comes when all of them are gone. */
static int end_group(void *arg) {
    (void)arg;
    for (int by_destroy = 0; by_destroy < 2; by_destroy++) {
        int pipe[2];
        char buffer[2];
        check_int(pipe2(pipe, O_CLOEXEC), 0);
        filch_fd reading;
        check_int(filch_fd_adopt(&reading, pipe[0], NULL), 0);
        filch_process_options options = quiet;
        options.output = FILCH_STDIO_FD;
        options.output_fd = pipe[1];
        options.group = FILCH_PROCESS_GROUP_NEW;
        filch_process *process = start_process(SHELL("sleep 1000 & sleep 1000 & echo y; wait"), &options);
        close(pipe[1]);
        check_int(filch_fd_read_exactly(reading, buffer, 2, NULL, FILCH_NEVER), 0);
        if (by_destroy == 0) {
            check_int(filch_process_terminate(process), 0);
            check_ended(process, -1, SIGTERM);
        }
        filch_process_destroy(process);
        check_int(filch_fd_read(reading, buffer, 2, FILCH_NEVER), 0);
        check_int(filch_fd_close(reading), 0);
    }
    return 0;
}

TEST(process, a_group_of_its_own_ends_with_it) {
    run_with_both(end_group, NULL);
}

/* The number may be another's by the time that it has ended, as far as the library can know. */
static int leave_rest_of_group(void *arg) {
    (void)arg;
    filch_process_options options = quiet;
    options.group = FILCH_PROCESS_GROUP_NEW;
    filch_process *process = start_process(SHELL("sleep 1000 & exit 0"), &options);
    pid_t pid = filch_process_pid(process);
    check_ended(process, 0, 0);
    check_int(filch_process_kill(process), -ESRCH);
    check_int(kill(-pid, 0), 0); /* the rest of it goes on */
    filch_process_destroy(process);
    check_int(kill(-pid, SIGKILL), 0);
    return 0;
}

TEST(process, no_signal_is_sent_to_the_number_of_one_that_has_ended) {
    run_with_both(leave_rest_of_group, NULL);
}

/* ------------------------------------------------------------------------------------------------------- destroy, detach */

static int destroy_running(void *arg) {
    (void)arg;
    filch_scope scope;
    filch_process *stubborn = start_stubborn(FILCH_PROCESS_GROUP_NEW);
    filch_process_options options = quiet;
    options.input = FILCH_STDIO_PIPE;
    filch_process *reader = start_process((const char *const[]){"cat", NULL}, &options);
    pid_t pid = filch_process_pid(reader);
    filch_process_destroy(reader);
    check_int(kill(pid, 0), -1); /* it is not even a zombie */
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    filch_process_destroy(stubborn); /* also in a scope that is cancelled */
    filch_scope_close(&scope);
    no_child_is_left();
    filch_process_destroy(NULL);
    return 0;
}

TEST(process, one_that_runs_is_ended_with_its_handle) {
    run_with_both(destroy_running, NULL);
}

/* It has become another's: here, since the program has. */
static int destroy_anothers(void *arg) {
    enum { NOBODY = 65534 };
    (void)arg;
    if (getuid() != 0) {
        fprintf(stderr, "SKIPPED: only root can become another user\n");
        return 0;
    }
    filch_process *process = start_process(SHELL("exec sleep 1000"), &quiet);
    pid_t pid = filch_process_pid(process);
    check_int(setresuid(NOBODY, NOBODY, 0), 0);
    check_int(filch_process_kill(process), -EPERM);
    filch_process_destroy(process);
    check_int(setresuid(0, 0, 0), 0);
    check_int(kill(pid, 0), 0); /* it goes on */
    check_int(kill(pid, SIGKILL), 0);
    siginfo_t info;
    check_int(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    filch_process *another = start_process(SHELL("exit 0"), &quiet); /* which takes its remains away */
    check_ended(another, 0, 0);
    filch_process_destroy(another);
    return 0;
}

TEST(process, one_that_may_not_be_killed_is_let_go) {
    run_with_both(destroy_anothers, NULL);
}

static int detach_running(void *arg) {
    (void)arg;
    int pipe[2];
    check_int(pipe2(pipe, O_CLOEXEC), 0);
    filch_process_options options = quiet;
    options.input = FILCH_STDIO_FD;
    options.input_fd = pipe[0];
    filch_process_destroy(start_process(SHELL("exit 0"), &quiet)); /* all that lasts has been made */
    size_t before = filch__heap_objects();
    filch_process *process = start_process(SHELL("read l; exit 3"), &options);
    pid_t pid = filch_process_pid(process);
    filch_process_detach(process);
    filch_process_detach(NULL);
    close(pipe[0]);
    check_int(kill(pid, 0), 0); /* it goes on */
    close(pipe[1]);
    siginfo_t info;
    check_int(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    filch_process *another = start_process(SHELL("exit 0"), &quiet); /* which takes its remains away */
    check_int(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    check_ended(another, 0, 0);
    filch_process_detach(another);
    check(filch__heap_objects() <= before + 1); /* a helper thread's */
    return 0;
}

TEST(process, one_that_is_detached_goes_on_and_its_remains_are_taken_away) {
    run_with_both(detach_running, NULL);
}

/* --------------------------------------------------------------------------------------------------------- communicate */

enum { LARGE = 10 << 20 };

static char *large_text(void) {
    char *text = malloc(LARGE);
    for (int i = 0; i < LARGE; i++) text[i] = (char)('a' + i % 23 + i / 1000 % 3);
    return text;
}

static int talk_much(void *arg) {
    (void)arg;
    char *text = large_text();
    filch_process_status status;
    filch_process_talk talk = {.input = text, .input_size = LARGE};
    const char *const argv[] = {"tee", "/dev/stderr", NULL};
    check_int(filch_process_run(argv, NULL, &talk, &status, FILCH_NEVER), 0);
    check_int(status.exit_code, 0);
    check_int(talk.input_size, 0);
    check_int(talk.output_size, LARGE);
    check_int(talk.error_size, LARGE);
    check(memcmp(talk.output, text, LARGE) == 0 && memcmp(talk.error, text, LARGE) == 0);
    check(talk.output[LARGE] == 0 && !talk.output_cut && !talk.error_cut);
    filch_process_talk_fini(&talk);
    check(talk.output == NULL && talk.error == NULL);
    talk = (filch_process_talk){.input = text, .input_size = LARGE, .limit = 100000};
    check_int(filch_process_run(argv, NULL, &talk, &status, FILCH_NEVER), 0);
    check_int(status.exit_code, 0);
    check_int(talk.output_size, 100000);
    check_int(talk.error_size, 100000);
    check(memcmp(talk.output, text, 100000) == 0 && talk.output_cut && talk.error_cut);
    filch_process_talk_fini(&talk);
    talk = (filch_process_talk){.input = text, .input_size = 1000, .limit = 1000}; /* just that much is not too much */
    check_int(filch_process_run(argv, NULL, &talk, &status, FILCH_NEVER), 0);
    check(talk.output_size == 1000 && !talk.output_cut);
    filch_process_talk_fini(&talk);
    free(text);
    return 0;
}

TEST(process, ten_megabytes_in_and_twice_as_many_out) {
    run_with_both(talk_much, NULL);
}

static int talk_to_deaf(void *arg) {
    (void)arg;
    char *text = large_text();
    static const char *const scripts[] = {"exit 5", "head -c 10 >/dev/null; exit 5", "exec <&-; echo said; exit 5"};
    for (int i = 0; i < 3; i++) {
        filch_process_talk talk = {.input = text, .input_size = LARGE};
        filch_process_status status;
        check_int(filch_process_run(SHELL(scripts[i]), NULL, &talk, &status, FILCH_NEVER), 0);
        check_int(status.exit_code, 5);
        if (i == 2) check(strcmp(talk.output, "said\n") == 0);
        filch_process_talk_fini(&talk);
    }
    free(text);
    return 0;
}

TEST(process, one_that_does_not_read_its_input_is_no_error) {
    run_with_both(talk_to_deaf, NULL);
}

/* Time is up again and again; in the end all is there, once. */
static int talk_in_pieces(void *arg) {
    (void)arg;
    char *text = large_text();
    size_t size = 1 << 20;
    filch_process_options options = {.input = FILCH_STDIO_PIPE, .output = FILCH_STDIO_PIPE, .error = FILCH_STDIO_PIPE};
    filch_process *process = start_process(SHELL("head -c 1000; sleep 0.1; cat; echo x >&2; exit 4"), &options);
    filch_process_talk talk = {.input = text, .input_size = size};
    filch_process_status status = {0};
    int error, times = 0;
    while ((error = filch_process_communicate(process, &talk, &status, filch_after(FILCH_MS(1)))) == -ETIMEDOUT) {
        check(talk.output_size == 0 || memcmp(talk.output, text, talk.output_size) == 0);
        times++;
    }
    check_int(error, 0);
    check(times > 0);
    check_int(status.exit_code, 4);
    check(strcmp(talk.error, "x\n") == 0);
    check(talk.output_size <= size && talk.output_size > 1000); /* what head has read too much is its own */
    filch_process_talk_fini(&talk);
    filch_process_destroy(process);
    process = start_process((const char *const[]){"cat", NULL}, &options);
    talk = (filch_process_talk){.input = text, .input_size = size};
    do {
        error = filch_process_communicate(process, &talk, &status, filch_after(FILCH_US(100)));
    } while (error == -ETIMEDOUT);
    check_int(error, 0);
    check_int(talk.output_size, size);
    check(memcmp(talk.output, text, size) == 0);
    filch_process_talk_fini(&talk);
    filch_process_destroy(process);
    free(text);
    return 0;
}

TEST(process, talking_that_is_cut_short_goes_on_where_it_was) {
    run_with_both(talk_in_pieces, NULL);
}

static int talk_for_ever(void *arg) {
    filch_process_talk talk = {.input = "abc", .input_size = 3};
    int error = filch_process_communicate(arg, &talk, NULL, FILCH_NEVER);
    check(talk.output != NULL && strcmp(talk.output, "y\n") == 0);
    filch_process_talk_fini(&talk);
    return error;
}

static int cancel_talk(void *arg) {
    (void)arg;
    filch_process_options options = {.input = FILCH_STDIO_PIPE,
                                     .output = FILCH_STDIO_PIPE,
                                     .error = FILCH_STDIO_PIPE,
                                     .group = FILCH_PROCESS_GROUP_NEW};
    filch_process *process = start_process(SHELL("echo y; cat >/dev/null; sleep 1000"), &options);
    filch_task *talks = start(talk_for_ever, process);
    filch_sleep(FILCH_MS(100));
    filch_task_cancel(talks);
    int answer;
    check_int(filch_await(talks, &answer, FILCH_NEVER), 0);
    check_int(answer, -ECANCELED);
    check_int(filch_process_signal(process, 0), 0); /* it goes on */
    filch_process_destroy(process);
    return 0;
}

TEST(process, cancelling_who_talks_leaves_the_process_alone) {
    run_with_both(cancel_talk, NULL);
}

/* -------------------------------------------------------------------------------------------------------------- run */

static int run_too_long(void *arg) {
    (void)arg;
    filch_process_talk talk = {0};
    filch_process_options group = {.group = FILCH_PROCESS_GROUP_NEW};
    filch_deadline deadline = filch_after(FILCH_MS(300));
    int error = filch_process_run(SHELL("trap '' TERM; echo begun; sleep 1000"), &group, &talk, NULL, deadline);
    check_int(error, -ETIMEDOUT);
    check(filch_now() >= deadline.at_ns);
    if (talk.output_size > 0) check(strcmp(talk.output, "begun\n") == 0);
    filch_process_talk_fini(&talk);
    no_child_is_left();
    check_int(
        filch_process_run((const char *const[]){"sleep", "1000", NULL}, NULL, NULL, NULL, filch_after(FILCH_MS(10))),
        -ETIMEDOUT);
    no_child_is_left();
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(filch_process_run(SHELL("true"), NULL, NULL, NULL, FILCH_NEVER), -ECANCELED);
    filch_scope_close(&scope);
    no_child_is_left();
    return 0;
}

TEST(process, one_that_runs_too_long_is_ended) {
    run_with_both(run_too_long, NULL);
}

static int run_for_ever(void *arg) {
    (void)arg;
    return filch_process_run((const char *const[]){"sleep", "1000", NULL}, NULL, NULL, NULL, FILCH_NEVER);
}

static int cancel_runs(void *arg) {
    (void)arg;
    enum { RUNS = 20 };
    filch_task *tasks[RUNS];
    for (int i = 0; i < RUNS; i++) tasks[i] = start(run_for_ever, NULL);
    filch_sleep(FILCH_MS(50)); /* some run by now */
    for (int i = 0; i < RUNS; i++) filch_task_cancel(tasks[i]);
    for (int i = 0; i < RUNS; i++) check_int(result_of(tasks[i]), -ECANCELED);
    no_child_is_left();
    return 0;
}

TEST(process, cancelling_who_runs_it_ends_it) {
    run_with_both(cancel_runs, NULL);
}

/* -------------------------------------------------------------------------------------------------------------- crowds */

enum { PROCESSES = 500 };

static int run_true(void *arg) {
    filch_process_status status = {.exit_code = 99};
    int error = filch_process_run((const char *const[]){"true", NULL}, arg, NULL, &status, FILCH_NEVER);
    return error != 0 ? error : status.exit_code;
}

static int run_five_hundred(void *arg) {
    (void)arg;
    static filch_task *tasks[PROCESSES];
    int count = PROCESSES / (TEST_SCALE == 1 ? 1 : 5);
    check_int(run_true(NULL), 0);
    int before = open_descriptors();
    for (int i = 0; i < count; i++) tasks[i] = start(run_true, i % 2 == 0 ? (void *)(uintptr_t)&quiet : NULL);
    for (int i = 0; i < count; i++) check_int(result_of(tasks[i]), 0);
    check_int(open_descriptors(), before);
    no_child_is_left();
    return 0;
}

TEST(process, five_hundred_at_once) {
    run_with_both(run_five_hundred, NULL);
}

static void *run_in_thread(void *arg) {
    filch_process *process;
    filch_process_status status;
    filch_process_options options = {.runtime = arg};
    check_int(filch_process_start(&process, SHELL("true"), NULL, FILCH_NEVER), -EPERM);
    for (int i = 0; i < 10; i++) {
        filch_process_talk talk = {.input = "abc", .input_size = 3};
        check_int(filch_process_run(SHELL("cat; echo d >&2; exit 2"), &options, &talk, &status, FILCH_NEVER), 0);
        check_int(status.exit_code, 2);
        check(strcmp(talk.output, "abc") == 0 && strcmp(talk.error, "d\n") == 0);
        filch_process_talk_fini(&talk);
    }
    const char *const sleeps[] = {"sleep", "1000", NULL};
    check_int(filch_process_run(sleeps, &options, NULL, NULL, filch_after(FILCH_MS(5))), -ETIMEDOUT);
    filch_process_talk talk = {0};
    check_int(filch_process_run(sleeps, &options, &talk, NULL, filch_after(FILCH_MS(5))), -ETIMEDOUT);
    filch_process_talk_fini(&talk);
    return NULL;
}

TEST(process, threads_may_run_them_too) {
    pthread_t threads[3];
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2}), 0);
    for (int i = 0; i < 3; i++) check_int(pthread_create(&threads[i], NULL, run_in_thread, runtime), 0);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    check_int(filch_runtime_destroy(runtime), 0);
    no_child_is_left();
}

/* -------------------------------------------------------------------------------------------------------------- misuse */

static int misuse(void *arg) {
    (void)arg;
    filch_process *process;
    filch_process_talk talk = {0}, input = {.input = "x", .input_size = 1}, none = {.input_size = 1};
    const char *const empty[] = {NULL};
    filch_process_options bad[] = {{.input = FILCH_STDIO_OUTPUT},
                                   {.output = FILCH_STDIO_OUTPUT},
                                   {.error = (filch_process_stdio)9},
                                   {.group = (filch_process_group)9},
                                   {.input = (filch_process_stdio)-1}};
    check_int(filch_process_start(NULL, SHELL("true"), NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_process_start(&process, NULL, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_process_start(&process, empty, NULL, FILCH_NEVER), -EINVAL);
    for (int i = 0; i < 5; i++) {
        check_int(filch_process_start(&process, SHELL("true"), &bad[i], FILCH_NEVER), -EINVAL);
    }
    check_int(filch_process_wait(NULL, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_process_kill(NULL), -EINVAL);
    check_int(filch_process_terminate(NULL), -EINVAL);
    check_int(filch_process_pid(NULL), -EINVAL);
    check_int(filch_fd_number(filch_process_input(NULL)), -EBADF);
    check_int(filch_fd_number(filch_process_output(NULL)), -EBADF);
    check_int(filch_fd_number(filch_process_error(NULL)), -EBADF);
    check_int(filch_process_communicate(NULL, &talk, NULL, FILCH_NEVER), -EINVAL);
    process = start_process(SHELL("true"), &quiet);
    check_int(filch_process_signal(process, -1), -EINVAL);
    check_int(filch_process_signal(process, 1000), -EINVAL);
    check_int(filch_process_communicate(process, NULL, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_process_communicate(process, &input, NULL, FILCH_NEVER), -EINVAL); /* no pipe */
    check_int(filch_process_communicate(process, &none, NULL, FILCH_NEVER), -EINVAL);
    talk.limit = SIZE_MAX;
    check_int(filch_process_communicate(process, &talk, NULL, FILCH_NEVER), -EINVAL);
    filch_process_destroy(process);
    filch_process_options pipes = {.output = FILCH_STDIO_PIPE};
    check_int(filch_process_run(SHELL("true"), &pipes, NULL, NULL, FILCH_NEVER), -EINVAL); /* nobody would read it */
    check_int(filch_process_run(SHELL("true"), &quiet, &input, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_process_run(NULL, NULL, NULL, NULL, FILCH_NEVER), -EINVAL);
    filch_process_talk_fini(NULL);
    return 0;
}

TEST(process, bad_arguments_are_refused) {
    run_with_both(misuse, NULL);
}

static int lose_status(void *arg) {
    (void)arg;
    filch_process_status status;
    filch_process *process = start_process(SHELL("exit 7"), &quiet);
    pid_t pid = filch_process_pid(process);
    check_int(waitpid(pid, NULL, 0), pid);
    check_int(filch_process_wait(process, &status, FILCH_NEVER), -ECHILD);
    check_int(filch_process_wait(process, &status, FILCH_NEVER), -ECHILD);
    check_int(filch_process_kill(process), -ESRCH);
    filch_process_destroy(process);
    return 0;
}

TEST(process, a_status_that_somebody_else_has_taken_is_missed) {
    run_with_both(lose_status, NULL);
}

/* The system takes it, maybe before the process is watched. What it has said is there all the same. */
static int run_unminded(void *arg) {
    (void)arg;
    filch_process_status status;
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 300 / TEST_SCALE; i++) {
        check_int(filch_process_run(SHELL("exit 3"), &quiet, NULL, &status, FILCH_NEVER), -ECHILD);
        filch_process_talk talk = {0};
        check_int(filch_process_run(SHELL("echo said"), NULL, &talk, &status, FILCH_NEVER), -ECHILD);
        check(talk.output_size == 5 && memcmp(talk.output, "said\n", 5) == 0);
        filch_process_talk_fini(&talk);
    }
    return 0;
}

/* Surely before it is watched. */
static int start_what_is_gone(void *arg) {
    (void)arg;
    filch_process *processes[2];
    filch_process_status status;
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 2; i++) {
        filch__system_fail(1, false, -ESRCH); /* of watching it */
        processes[i] = start_process(SHELL("exit 3"), &quiet);
        filch__system_fail(0, false, 0);
        check_int(filch_process_wait(processes[i], &status, FILCH_NEVER), -ECHILD);
        check_int(filch_process_kill(processes[i]), -ESRCH);
    }
    filch_process_destroy(processes[0]);
    filch_process_detach(processes[1]);
    (void)waitpid(-1, NULL, 0); /* until the system has taken both */
    return 0;
}

TEST(process, where_sigchld_is_ignored_every_status_is_missed) {
    run_with_both(run_unminded, NULL);
    run_with_both(start_what_is_gone, NULL);
}

static int wait_for_process(void *arg) {
    return filch_process_wait(arg, NULL, FILCH_NEVER);
}

static int is_waiting(const filch_task_info *info, void *arg) {
    return info->task == arg && info->state == FILCH_TASK_WAITING;
}

/* Of one that ends with this process. */
static int give_up_while_waited_for(void *give_up) {
    filch_process_options options = {.input = FILCH_STDIO_PIPE, .output = FILCH_STDIO_NULL};
    filch_process *process = start_process((const char *const[]){"cat", NULL}, &options);
    filch_task *task = start(wait_for_process, process);
    while (filch_task_each(filch_runtime_current(), is_waiting, task) == 0) filch_sleep(FILCH_MS(1));
    void (**end)(filch_process *) = give_up;
    (*end)(process);
    filch_task_detach(task);
    return 0;
}

TEST_DIES(process, destroying_one_that_is_waited_for_aborts, "is waited for") {
    void (*give_up)(filch_process *) = filch_process_destroy;
    run_with(1, give_up_while_waited_for, &give_up);
}

TEST_DIES(process, detaching_one_that_is_waited_for_aborts, "is waited for") {
    void (*give_up)(filch_process *) = filch_process_detach;
    run_with(1, give_up_while_waited_for, &give_up);
}

/* ---------------------------------------------------------------------------------------------------------- exhaustion */

static int start_in_want(void *arg) {
    (void)arg;
    filch_process *process;
    filch_process_options pipes = {.input = FILCH_STDIO_PIPE, .output = FILCH_STDIO_PIPE, .error = FILCH_STDIO_PIPE};
    filch_process *first = start_process(SHELL("true"), &pipes);
    check_ended(first, 0, 0);
    int before = open_descriptors();
    struct rlimit old;
    check_int(getrlimit(RLIMIT_NOFILE, &old), 0);
    for (int room = 0; room < 12; room++) {
        int held = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the lowest number that is free */
        close(held);
        check_int(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)(held + room), old.rlim_max}), 0);
        int error = filch_process_start(&process, SHELL("true"), &pipes, FILCH_NEVER);
        check_int(setrlimit(RLIMIT_NOFILE, &old), 0);
        check(error == 0 || error == -EMFILE);
        check(room >= 7 || error == -EMFILE); /* six ends of pipes, and one to watch it by */
        if (error == 0) filch_process_destroy(process);
        no_child_is_left();
        check_int(open_descriptors(), before);
    }
    filch__system_fail(1, false, -EMFILE); /* of watching it, when it was started: it is ended again */
    check_int(filch_process_start(&process, (const char *const[]){"sleep", "1000", NULL}, &quiet, FILCH_NEVER),
              -EMFILE);
    filch__system_fail(0, false, 0);
    no_child_is_left();
    filch_process_destroy(first);
    return 0;
}

TEST(process, without_descriptors_nothing_is_started) {
    run_scarce_with_both(start_in_want, NULL);
}

static int run_in_want(void *arg) {
    (void)arg;
    filch_process_talk talk = {.input = "some input", .input_size = 10};
    filch_process_status status;
    int error = filch_process_run(SHELL("cat; echo x >&2"), NULL, &talk, &status, FILCH_NEVER);
    check(error == 0 || error == -ENOMEM || error == -EAGAIN);
    if (error == 0) check_int(talk.output_size, 10);
    filch_process_talk_fini(&talk);
    return 17;
}

TEST(process, any_request_for_memory_may_fail) {
    int before = open_descriptors();
    for (uint64_t nth = 1, past = 0; past < 5; nth++) {
        size_t objects = filch__heap_objects();
        filch__alloc_fail(nth, false);
        int answer = filch_run(run_in_want, NULL, &(filch_options){.workers = 2});
        bool failed = filch__alloc_requests() >= nth;
        filch__alloc_fail(0, false);
        check(answer == 17 || (answer == -ENOMEM && failed));
        check_int(filch__heap_objects(), objects);
        check_int(open_descriptors(), before);
        no_child_is_left();
        if (!failed) past++;
    }
}
