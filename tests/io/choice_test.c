/* SPDX-License-Identifier: MIT */
/*
 * Proves that a runtime gets the poller that its options name, or else the environment; that where the kernel forbids
 * io_uring there is epoll, files are served by threads, and a line says why.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "io/backend.h"
#include "io/file_engine.h"
#include "tests/io/poller.h"

/* What the caller's runtime has chosen; and it works. */
static const char *chosen(void) {
    filch_runtime *runtime = filch_runtime_current();
    check(filch_runtime_poller(runtime) == NULL); /* nothing has been used yet */
    filch_fd fd = adopted_event();
    filch_task *task = waiting_reader(&fd);
    post(filch_fd_number(fd));
    check_int(awaited(task), 0);
    check_int(filch_fd_close(fd), 0);
    return filch_runtime_poller(runtime);
}

static int chooses(void *name) {
    check(strcmp(chosen(), name) == 0);
    return 0;
}

static int tells(void *answer) {
    *(const char **)answer = chosen();
    return 0;
}

/* Whether io_uring is to be had: else it is epoll, by the name of io_uring too. */
static char *name_of_uring(void) {
    const char *name = NULL;
    check_int(filch_run(tells, &name, &(filch_options){.poller = FILCH_POLLER_IO_URING}), 0);
    return (char *)(uintptr_t)name;
}

static char epoll[] = "epoll";

TEST(choice, the_options_choose) {
    check(filch_runtime_poller(NULL) == NULL);
    check_int(filch_run(chooses, epoll, &(filch_options){.poller = FILCH_POLLER_EPOLL}), 0);
    check_int(filch_run(chooses, name_of_uring(), &(filch_options){.poller = FILCH_POLLER_IO_URING}), 0);
    check_int(filch_run(chooses, epoll, &(filch_options){.poller = 3}), -EINVAL);
    check_int(filch_run(chooses, epoll, &(filch_options){.poller = (filch_poller)-1}), -EINVAL);
}

TEST(choice, the_environment_chooses_where_the_options_do_not) {
    check_int(setenv("FILCH_POLLER", "io_uring", 1), 0);
    check_int(filch_run(chooses, name_of_uring(), NULL), 0);
    check_int(filch_run(chooses, epoll, &(filch_options){.poller = FILCH_POLLER_EPOLL}), 0);
    check_int(setenv("FILCH_POLLER", "epoll", 1), 0);
    check_int(filch_run(chooses, epoll, NULL), 0);
    check_int(setenv("FILCH_POLLER", "kqueue", 1), 0);
    check_int(filch_run(chooses, epoll, NULL), 0);
    check_int(unsetenv("FILCH_POLLER"), 0);
    check_int(filch_run(chooses, epoll, NULL), 0);
}

/* ----------------------------------------------------------------------------------------------------------- refused */

/* From now on this process is answered -EPERM to a system call. */
static void forbid(unsigned call) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
    check_int(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    check_int(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0), 0);
}

static const char pattern[] = "what stands in the file";

/* A read by whoever serves files here. */
static int reads_file(void *name) {
    check_int(chooses(name), 0);
    char path[] = "/tmp/filch-choice-XXXXXX", buffer[64] = "";
    int number = mkstemp(path);
    check(number >= 0 && unlink(path) == 0);
    check_int(write(number, pattern, sizeof pattern), sizeof pattern);
    struct filch__file_op op = {
        .opcode = FILE_READ, .number = number, .buffer = buffer, .size = sizeof buffer, .offset = 0};
    check_int(filch__file_make(&op, FILCH_NEVER), sizeof pattern);
    check(strcmp(buffer, pattern) == 0);
    check_int(close(number), 0);
    return 0;
}

/* Runs it with standard error in a file, and returns what was written there. */
static const char *told(filch_fn *fn, void *arg, const filch_options *options) {
    static char text[4096];
    char path[] = "/tmp/filch-choice-XXXXXX";
    int number = mkstemp(path), before = dup(STDERR_FILENO);
    check(number >= 0 && unlink(path) == 0 && dup2(number, STDERR_FILENO) >= 0);
    int answer = filch_run(fn, arg, options);
    check(dup2(before, STDERR_FILENO) >= 0);
    check_int(answer, 0);
    ssize_t length = pread(number, text, sizeof text - 1, 0);
    check(length >= 0);
    text[length] = '\0';
    close(number);
    close(before);
    return text;
}

static void is_epoll_since(const char *reason) {
    check_int(setenv("FILCH_DEBUG", "io", 1), 0);
    const filch_options options = {.name = "shy", .poller = FILCH_POLLER_IO_URING};
    const char *text = told(reads_file, epoll, &options);
    check(strstr(text, "filch: runtime \"shy\" watches descriptors by epoll (as the options say, but ") != NULL);
    check(strstr(text, reason) != NULL || strstr(text, "the library was built without io_uring") != NULL);
    check(strchr(text, '\n') == text + strlen(text) - 1);
    /* And where nobody asked for it, files do without it in silence. */
    check_int(unsetenv("FILCH_DEBUG"), 0);
    check_int(unsetenv("FILCH_POLLER"), 0);
    check(*told(reads_file, epoll, &(filch_options){.workers = 2}) == '\0');
}

#ifdef SYS_io_uring_setup

TEST(choice, where_no_ring_may_be_made_there_is_epoll_and_a_line_says_why) {
    forbid(SYS_io_uring_setup);
    is_epoll_since("Operation not permitted");
}

TEST(choice, where_a_ring_may_be_made_and_not_be_used_there_is_epoll) {
    forbid(SYS_io_uring_enter);
    is_epoll_since("Operation not permitted");
}

TEST(choice, where_the_kernel_does_not_tell_what_it_can_do_there_is_epoll) {
    forbid(SYS_io_uring_register);
    is_epoll_since("lacks operations");
}

#endif

/* ------------------------------------------------------------------------------------------------------------- waits */

#ifdef SYS_epoll_pwait2

static int sleeps_at_the_poller(void *name) {
    check_int(chooses(name), 0);
    check_int(filch_sleep(FILCH_MS(2)), 0);
    return 0;
}

/* Filters that are older than a system call often answer this, and not that there is none such. */
TEST(choice, where_waits_in_nanoseconds_are_forbidden_milliseconds_do) {
    forbid(SYS_epoll_pwait2);
    check_int(filch_run(sleeps_at_the_poller, epoll, &(filch_options){.workers = 1, .poller = FILCH_POLLER_EPOLL}), 0);
}

#endif

TEST(choice, a_word_that_is_unknown_is_told_of_once) {
    check_int(setenv("FILCH_POLLER", "kqueue", 1), 0);
    const char *text = told(reads_file, epoll, NULL);
    check(strcmp(text, "filch: FILCH_POLLER: there is no \"kqueue\"; there are epoll, io_uring\n") == 0);
    check(*told(reads_file, epoll, NULL) == '\0');
}

/* A debug line is one line, whatever was chosen. */
TEST(choice, a_line_says_what_was_chosen_if_asked_for) {
    check_int(setenv("FILCH_DEBUG", "io", 1), 0);
    check_int(unsetenv("FILCH_POLLER"), 0);
    const char *text = told(reads_file, epoll, NULL);
    check(strcmp(text, "filch: runtime \"filch\" watches descriptors by epoll (the default)\n") == 0);
    check_int(setenv("FILCH_POLLER", "kqueue", 1), 0);
    check(strstr(told(reads_file, epoll, NULL), "FILCH_POLLER names neither") != NULL);
    check_int(setenv("FILCH_POLLER", "epoll", 1), 0);
    check(strstr(told(reads_file, epoll, NULL), "as FILCH_POLLER says") != NULL);
}
