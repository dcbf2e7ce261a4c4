/* SPDX-License-Identifier: MIT */
/*
 * The file that FILCH_TRACE asks for: that it is there at the end, at exit and after a crash, which goes on as it would
 * have; and not without it. Each program is a child of the test's.
 */
#include <errno.h>
#include <filch/filch.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "sched/trace.h"
#include "tests/api/workers.h"
#include "tests/trace/picture.h"

enum { TEXT_MAX = 4096 };

static char folder[64];

static const char *path_of(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Runs `program` in a child, with FILCH_TRACE=WORDS, in an empty folder; its wait status. What it has said is in `said`. */
static int run_child(void (*program)(void), const char *words, char said[TEXT_MAX]) {
    snprintf(folder, sizeof folder, "/tmp/filch-trace-XXXXXX");
    check(mkdtemp(folder) != NULL);
    FILE *errors = tmpfile();
    check(errors != NULL);
    fflush(NULL);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        alarm(TEST_SECONDS);
        for (int i = 1; i < NSIG; i++) {
            if (i == SIGSEGV || i == SIGABRT || i == SIGBUS || i == SIGFPE || i == SIGILL)
                signal(i, SIG_DFL); /* the runner has its own */
        }
        check_int(chdir(folder), 0);
        check(dup2(fileno(errors), STDERR_FILENO) >= 0); /* a sanitizer's report of the crash is no failure */
        if (words != NULL) setenv("FILCH_TRACE", words, 1);
        program();
        exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) check(errno == EINTR);
    memset(said, 0, TEXT_MAX);
    check(pread(fileno(errors), said, TEXT_MAX - 1, 0) >= 0);
    fclose(errors);
    return status;
}

static bool ended_well(int status) {
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The file of that name, checked, and removed. */
static struct picture *take_picture(const char *name) {
    struct picture *picture = picture_at(path_of(name));
    check_int(unlink(path_of(name)), 0);
    return picture;
}

/* Nothing else was left. */
static void end_folder(void) {
    check_int(rmdir(folder), 0);
}

/* --------------------------------------------------------------------------------------------------------- programs */

static int naps(void *arg) {
    (void)arg;
    return filch_sleep(FILCH_MS(1));
}

static int works(void *arg) {
    filch_task *task;
    check_int(filch_spawn(&task, naps, NULL, NULL), 0);
    filch_task_cancel(task);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    return naps(arg);
}

static void runs_once(void) {
    check_int(filch_run(works, NULL, &(filch_options){.workers = 2}), 0);
}

static void runs_three_times(void) {
    for (int i = 0; i < 3; i++) runs_once();
}

static int exits(void *arg) {
    (void)arg;
    exit(0);
}

static void exits_from_a_task(void) {
    check_int(filch_run(exits, NULL, &(filch_options){.workers = 2}), 0);
}

static filch_runtime *runtime_with_work(void) {
    filch_runtime *runtime;
    filch_task *task;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2}), 0);
    check_int(filch_runtime_spawn(runtime, &task, works, NULL, &(filch_task_options){.name = "main"}), 0);
    check_int(result_of(task), 0);
    return runtime;
}

static void leaves_a_runtime(void) {
    (void)runtime_with_work();
}

static void ends_before_it_is_written(void) {
    FILE *earlier = fopen("t.json", "w");
    check(earlier != NULL);
    check_int(fputs("[]\n", earlier) >= 0, true);
    fclose(earlier);
    (void)runtime_with_work();
    _exit(0);
}

/* The folder that counts is that in which the first runtime is made. */
static void changes_its_folder(void) {
    filch_runtime *runtime = runtime_with_work();
    check_int(chdir("/"), 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

static off_t size_of(const char *path) {
    struct stat stat;
    check_int(lstat(path, &stat), 0);
    return stat.st_size;
}

/* A child of a fork does not write its parent's file. */
static void forks(void) {
    filch_runtime *runtime = runtime_with_work();
    check_int(size_of("t.json"), 0); /* made, and to be filled at the end */
    pid_t child = fork();
    if (child == 0) exit(0);
    int status;
    while (waitpid(child, &status, 0) < 0) check(errno == EINTR);
    check_int(size_of("t.json"), 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* Called at the exit just before the file is written: the last to be registered comes first. */
static void tell_of_the_exit(void) {
    int fd = open("exits", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    check(fd >= 0);
    close(fd);
}

static void *exits_meanwhile(void *arg) {
    (void)arg;
    exit(0);
}

/* As if somebody were starting or stopping a trace just then, on another thread: for as long as that, nothing is copied. */
static void exits_while_a_trace_is_started(void) {
    pthread_t thread;
    (void)runtime_with_work();
    check_int(atexit(tell_of_the_exit), 0);
    filch__lock_take(&filch__trace_lock);
    check_int(pthread_create(&thread, NULL, exits_meanwhile, NULL), 0);
    while (access("exits", F_OK) != 0) usleep(1000);
    usleep(200000); /* what it would do without the lock is not seen on a machine that is busier than that */
    check_int(size_of("t.json"), 0);
    check_int(unlink("exits"), 0);
    filch__lock_leave(&filch__trace_lock);
    pthread_join(thread, NULL); /* the process ends instead */
}

/* The child has one thread, and not the one that had the lock when its parent forked. */
static void forks_while_a_trace_is_started(void) {
    filch_runtime *runtime = runtime_with_work();
    filch__lock_take(&filch__trace_lock);
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        filch__lock_take(&filch__trace_lock); /* as any call on a trace of its own would */
        filch__lock_leave(&filch__trace_lock);
        _exit(0);
    }
    filch__lock_leave(&filch__trace_lock);
    int status;
    while (waitpid(child, &status, 0) < 0) check(errno == EINTR);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* ----------------------------------------------------------------------------------------------- the file at the end */

static void check_file(void (*program)(void), const char *words, const char *name) {
    char said[TEXT_MAX];
    check(ended_well(run_child(program, words, said)));
    check(strstr(said, "filch:") == NULL);
    struct picture *picture = take_picture(name);
    check(slices_named(picture, "main") >= 1);
    check_int(picture->lost, 0);
    picture_free(picture);
    end_folder();
}

TEST(trace_file, what_an_earlier_run_has_left_stays_until_there_is_another) {
    char said[TEXT_MAX];
    check(ended_well(run_child(ends_before_it_is_written, "t.json", said)));
    check_int(size_of(path_of("t.json")), 3);
    check_int(unlink(path_of("t.json")), 0);
    end_folder();
}

TEST(trace_file, it_is_there_when_the_runtime_has_ended) {
    check_file(runs_once, "t.json", "t.json");
    check_file(runs_once, "t.json,events=1000", "t.json");
    check_file(runs_once, "a,b.json", "a,b.json");
    check_file(runs_once, "t-%n.json", "t-1.json");
}

TEST(trace_file, it_is_there_when_the_process_exits) {
    check_file(exits_from_a_task, "t.json", "t.json");
    check_file(leaves_a_runtime, "t.json", "t.json");
}

TEST(trace_file, at_the_exit_it_is_copied_under_the_lock_of_traces) {
    check_file(exits_while_a_trace_is_started, "t.json", "t.json");
}

TEST(trace_file, the_lock_of_traces_is_free_in_the_child_of_a_fork) {
    check_file(forks_while_a_trace_is_started, "t.json", "t.json");
}

TEST(trace_file, it_is_where_the_program_was_started) {
    check_file(changes_its_folder, "t.json", "t.json");
}

TEST(trace_file, children_of_a_fork_leave_it_alone) {
    check_file(forks, "t.json", "t.json");
}

TEST(trace_file, each_runtime_has_its_own_where_the_path_says_so) {
    char said[TEXT_MAX];
    check(ended_well(run_child(runs_three_times, "t.%n", said)));
    for (int i = 1; i <= 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "t.%d", i);
        picture_free(take_picture(name));
    }
    end_folder();
    check_file(runs_three_times, "t.json", "t.json"); /* the last one's stays */
}

static void tells_its_number(void) {
    dprintf(STDERR_FILENO, "%d\n", (int)getpid());
    runs_once();
}

TEST(trace_file, it_may_have_the_number_of_the_process_in_its_name) {
    char said[TEXT_MAX], name[32];
    check(ended_well(run_child(tells_its_number, "t-%p", said)));
    snprintf(name, sizeof name, "t-%ld", strtol(said, NULL, 10));
    picture_free(take_picture(name));
    end_folder();
}

static void is_not_traced(void) {
    filch_runtime *runtime = runtime_with_work();
    check_int(filch_trace_dump(runtime, STDOUT_FILENO), -ENODATA);
    check_int(filch_runtime_destroy(runtime), 0);
}

TEST(trace_file, there_is_none_where_none_is_asked_for) {
    char said[TEXT_MAX];
    check(ended_well(run_child(is_not_traced, NULL, said)));
    end_folder();
    check(ended_well(run_child(is_not_traced, "", said)));
    end_folder();
}

TEST(trace_file, what_cannot_be_is_told_and_the_program_runs) {
    static const char *const wrong[] = {"t.json,events=0", "t.json,events=x", "t.json,events=99999999",
                                        "t.json,events="};
    char said[TEXT_MAX];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        check(ended_well(run_child(runs_once, wrong[i], said)));
        check(strstr(said, "it is to be PATH[,events=N]") != NULL);
        end_folder();
    }
    check(ended_well(run_child(runs_once, "/no/such/folder/t.json", said)));
    check(strstr(said, "\"/no/such/folder/t.json\" cannot be written: error 2 (ENOENT)") != NULL);
    check_int(count_of(said, "filch:"), 1);
    end_folder();
}

/* ------------------------------------------------------------------------------------------------------------ crashes */

static volatile char *forbidden_page(void) {
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(page != MAP_FAILED);
    return page;
}

static int writes_there(void *arg) {
    (void)arg;
    *forbidden_page() = 1;
    return 0;
}

static int crashes_in_a_child(void *arg) {
    filch_task *task;
    (void)arg;
    check_int(filch_spawn(&task, writes_there, NULL, &(filch_task_options){.name = "culprit"}), 0);
    return result_of(task);
}

static void crashes(void) {
    (void)filch_run(crashes_in_a_child, NULL, &(filch_options){.workers = 2});
}

static void crashes_outside(void) {
    (void)runtime_with_work();
    (void)writes_there(NULL);
}

static int aborts_in_a_task(void *arg) {
    (void)arg;
    abort();
}

static void aborts(void) {
    (void)filch_run(aborts_in_a_task, NULL, &(filch_options){.workers = 2});
}

static void aborts_in_a_simulation(void) {
    filch_simulation simulation = {.seed = 1, .quiet = true};
    for (int i = 0; i < 2; i++) {
        filch_fn *fn = i == 0 ? works : aborts_in_a_task; /* the first takes its handler with it when it ends */
        (void)filch_run(fn, NULL, &(filch_options){.workers = 2, .simulation = &simulation});
    }
}

/*
 * Any thread of the process may get it. ThreadSanitizer takes it for a fault of that thread's, and calls the handler also
 * where the thread is in the sanitizer itself and holds a lock there: hence there to this thread, which is not.
 */
static int kills_itself(void *arg) {
    (void)arg;
#ifdef FILCH_TSAN
    pthread_kill(pthread_self(), SIGSEGV);
#else
    kill(getpid(), SIGSEGV);
#endif
    return filch_sleep(FILCH_SEC(60));
}

static void is_killed(void) {
    (void)filch_run(kills_itself, NULL, &(filch_options){.workers = 2});
}

/* Sanitizers take some of these signals to themselves, and exit. */
static bool was_killed_by(int status, int number) {
#ifdef TEST_SLOW
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) return true;
#endif
    return WIFSIGNALED(status) && WTERMSIG(status) == number;
}

static void check_crash(void (*program)(void), int number, const char *name) {
    char said[TEXT_MAX];
    check(was_killed_by(run_child(program, "t.json", said), number));
    struct picture *picture = take_picture("t.json");
    check(slices_named(picture, name) >= 1);
    picture_free(picture);
    end_folder();
}

TEST(trace_file, it_is_there_after_a_crash) {
    check_crash(crashes, SIGSEGV, "culprit");
    check_crash(crashes_outside, SIGSEGV, "main");
    check_crash(aborts, SIGABRT, "main");
    check_crash(is_killed, SIGSEGV, "main");
}

TEST(trace_file, it_is_there_after_a_crash_in_a_simulation) {
    check_crash(aborts_in_a_simulation, SIGABRT, "main");
}

#ifndef TEST_SLOW /* under a sanitizer it is reported by that */

/* For as long as `arg` is not NULL. */
static int uses_up_its_stack(void *arg) {
    volatile char room[4096];
    room[0] = 1;
    return arg == NULL ? 0 : uses_up_its_stack(arg) + room[0];
}

static void overflows(void) {
    (void)filch_run(uses_up_its_stack, folder, &(filch_options){.workers = 2});
}

TEST(trace_file, it_is_there_after_a_stack_overflow_which_is_reported) {
    char said[TEXT_MAX];
    check(was_killed_by(run_child(overflows, "t.json", said), SIGSEGV));
    check(strstr(said, "stack overflow in task") != NULL);
    picture_free(take_picture("t.json"));
    end_folder();
}

static void former(int number, siginfo_t *info, void *context) {
    (void)context;
    dprintf(STDERR_FILENO, "the former handler: signal %d, code %d\n", number, info->si_code);
    _exit(7);
}

static void crashes_with_a_handler(void) {
    struct sigaction action = {.sa_sigaction = former, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    check_int(sigaction(SIGSEGV, &action, NULL), 0);
    crashes();
}

TEST(trace_file, the_former_handler_comes_after_it) {
    char said[TEXT_MAX];
    int status = run_child(crashes_with_a_handler, "t.json", said);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    char expected[64];
    snprintf(expected, sizeof expected, "the former handler: signal %d, code %d\n", SIGSEGV, SEGV_ACCERR);
    check(strcmp(said, expected) == 0);
    struct picture *picture = take_picture("t.json");
    check_int(slices_named(picture, "culprit"), 1);
    picture_free(picture);
    end_folder();
}

/* ------------------------------------------------------------------------------------------ signals that are passed on */

static void sets(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    check_int(sigaction(number, &action, NULL), 0);
}

/* An ignored fault would come again for ever: the kernel does not ignore it either. */
static void faults_ignored(void) {
    sets(SIGSEGV, SIG_IGN, 0);
    crashes();
}

/* There is no such page in the file: SIGBUS. */
static int reads_behind_the_end(void *arg) {
    (void)arg;
    FILE *file = tmpfile();
    check(file != NULL);
    volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    check(page != MAP_FAILED);
    return page[0];
}

static void reads_behind_the_end_ignored(void) {
    sets(SIGBUS, SIG_IGN, 0);
    (void)filch_run(reads_behind_the_end, NULL, &(filch_options){.workers = 2});
}

/* Of those that are sent the program notices nothing. */
static void is_sent_what_it_ignores(void) {
    static const int numbers[] = {SIGBUS, SIGFPE, SIGILL};
    for (int i = 0; i < 3; i++) sets(numbers[i], SIG_IGN, 0);
    filch_runtime *runtime = runtime_with_work();
    for (int i = 0; i < 3; i++) check_int(raise(numbers[i]), 0);
    check_int(filch_runtime_destroy(runtime), 0);
    dprintf(STDERR_FILENO, "goes on\n");
}

TEST(trace_file, faults_that_are_ignored_end_the_process_and_signals_that_are_ignored_do_not) {
    check_crash(faults_ignored, SIGSEGV, "culprit");
    check_crash(reads_behind_the_end_ignored, SIGBUS, "main");
    char said[TEXT_MAX];
    check(ended_well(run_child(is_sent_what_it_ignores, "t.json", said)));
    check(strcmp(said, "goes on\n") == 0);
    picture_free(take_picture("t.json"));
    end_folder();
}

static void comes_once(int number) {
    dprintf(STDERR_FILENO, "handled: %d\n", number);
}

/* The handler returns to the instruction that has faulted: a second time, for who has asked for one. */
static void faults_with_a_handler_for_once(void) {
    sets(SIGBUS, comes_once, SA_RESETHAND | SA_ONSTACK);
    (void)filch_run(reads_behind_the_end, NULL, &(filch_options){.workers = 2});
}

static void is_sent_two_with_a_handler_for_once(void) {
    sets(SIGFPE, comes_once, SA_RESETHAND);
    (void)runtime_with_work();
    check_int(raise(SIGFPE), 0);
    check_int(raise(SIGFPE), 0);
    dprintf(STDERR_FILENO, "goes on\n");
}

TEST(trace_file, a_handler_that_was_to_come_once_comes_once) {
    static const struct {
        void (*program)(void);
        int number;
    } cases[] = {{faults_with_a_handler_for_once, SIGBUS}, {is_sent_two_with_a_handler_for_once, SIGFPE}};
    for (int i = 0; i < 2; i++) {
        char said[TEXT_MAX], expected[64];
        check(was_killed_by(run_child(cases[i].program, "t.json", said), cases[i].number));
        snprintf(expected, sizeof expected, "handled: %d\n", cases[i].number);
        check(strcmp(said, expected) == 0);
        picture_free(take_picture("t.json"));
        end_folder();
    }
}

#endif
