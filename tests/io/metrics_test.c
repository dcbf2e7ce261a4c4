/* SPDX-License-Identifier: MIT */
/*
 * Proves that metrics are text as Prometheus takes it, whatever a runtime is called and however many there are; that the
 * numbers in it are those of filch/stats.h; that text that finds no room is cut off and nothing is written beyond; that
 * each metric stands in docs/METRICS.md; and that the server answers what is a request and refuses what is none, whatever
 * clients do or leave undone, and ends as any server does.
 */
#include "tests/io/metrics_text.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "alloc/alloc.h"
#include "tests/io/net.h"

static struct samples *samples; /* of one test at a time: too large for a stack */

/* The text of the metrics, to be freed. */
static char *text_of(filch_runtime *runtime) {
    size_t size = 4u << 20;
    char *text = malloc(size);
    check(text != NULL);
    ssize_t length = filch_metrics_text(runtime, text, size);
    check(length > 0 && (size_t)length < size);
    check_int(strlen(text), length);
    return text;
}

static char *read_text_of(filch_runtime *runtime) {
    char *text = text_of(runtime);
    if (samples == NULL) samples = malloc(sizeof *samples);
    check(samples != NULL);
    read_metrics(samples, text);
    return text;
}

static filch_runtime *runtime_named(const char *name, unsigned workers) {
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.name = name, .workers = workers}), 0);
    return runtime;
}

/* ------------------------------------------------------------------------------------------------------------- text */

static int nap(void *arg) {
    (void)arg;
    return filch_sleep(FILCH_US(10));
}

enum { NAPS = 100 };

static int spawn_naps(void *arg) {
    filch_task *tasks[NAPS];
    (void)arg;
    for (int i = 0; i < NAPS; i++) tasks[i] = start(nap, NULL);
    for (int i = 0; i < NAPS; i++) check_int(result_of(tasks[i]), 0);
    return 0;
}

TEST(metrics, the_text_is_as_prometheus_takes_it_and_has_the_numbers_of_the_runtime) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        filch_runtime *runtime = runtime_named("sum", test_workers[i]);
        filch_task *task;
        check_int(filch_runtime_spawn(runtime, &task, spawn_naps, NULL, NULL), 0);
        check_int(result_of(task), 0);
        check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
        char *text = read_text_of(runtime), key[128];
        double spawned = 0, completed = 0;
        for (unsigned worker = 0;; worker++) {
            snprintf(key, sizeof key, "filch_worker_tasks_spawned_total{runtime=\"sum\",worker=\"%u\"}", worker);
            if (!has_sample(samples, key)) break;
            spawned += value_of(samples, key);
            snprintf(key, sizeof key, "filch_worker_tasks_completed_total{runtime=\"sum\",worker=\"%u\"}", worker);
            completed += value_of(samples, key);
        }
        check_int(spawned, NAPS);
        check_int(completed, NAPS + 1);
        check_int(value_of(samples, "filch_tasks_spawned_outside_total{runtime=\"sum\"}"), 1);
        check_int(value_of(samples, "filch_tasks{runtime=\"sum\"}"), 0);
        check_int(value_of(samples, "filch_workers{runtime=\"sum\"}"), test_workers[i]);
        check_int(value_of(samples, "filch_blocking_queued{runtime=\"sum\",lane=\"look_up\"}"), 0);
        check(strlen(text) < 5000 + 1500 * (size_t)test_workers[i] + 4096);
        free(text);
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

TEST(metrics, any_name_is_a_label) {
    static const struct {
        const char *name, *label;
    } names[] = {
        {"plain", "plain"},
        {"a\"b\\c\nd", "a\\\"b\\\\c\\nd"},
        {"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"", "\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\""},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xff\xc3z\xe2\x82", "??z??"},                   /* no UTF-8, or cut off */
        {"\xc0\xaf\xed\xa0\x80", "?????"},                /* too long, and half a pair */
        {"\xf4\x90\x80\x80\xf0\x80\x80\x80", "????????"}, /* beyond Unicode, and too long */
        {"fourteenbytes.\xc3\xbc", "fourteenbytes."},     /* the name is cut off before a character that does not fit */
        {"tab\tnul", "tab\tnul"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        filch_runtime *runtime = runtime_named(names[i].name, 1);
        char *text = read_text_of(runtime), key[128];
        snprintf(key, sizeof key, "filch_tasks{runtime=\"%s\"}", names[i].label);
        check(has_sample(samples, key));
        free(text);
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

TEST(metrics, runtimes_of_the_same_name_are_told_apart) {
    filch_runtime *one = runtime_named("same", 1), *two = runtime_named("same", 2), *three = runtime_named("same", 3);
    filch_runtime *other = runtime_named("other", 4);
    char *text = read_text_of(NULL);
    check_int(value_of(samples, "filch_workers{runtime=\"same\"}"), 1);
    check_int(value_of(samples, "filch_workers{runtime=\"same#2\"}"), 2);
    check_int(value_of(samples, "filch_workers{runtime=\"same#3\"}"), 3);
    check_int(value_of(samples, "filch_workers{runtime=\"other\"}"), 4);
    free(text);
    check_int(filch_runtime_destroy(one), 0);
    filch_runtime *four = runtime_named("same", 5);
    text = read_text_of(NULL);
    check_int(value_of(samples, "filch_workers{runtime=\"same\"}"), 5); /* the number is free again */
    check_int(value_of(samples, "filch_workers{runtime=\"same#2\"}"), 2);
    free(text);
    text = read_text_of(two);
    check_int(value_of(samples, "filch_workers{runtime=\"same#2\"}"), 2);
    check(!has_sample(samples, "filch_workers{runtime=\"same\"}"));
    free(text);
    filch_runtime *all[] = {two, three, four, other};
    for (int i = 0; i < 4; i++) check_int(filch_runtime_destroy(all[i]), 0);
    free(read_text_of(NULL)); /* there is none */
    check_int(samples->count, 1);
}

TEST(metrics, text_without_room_is_cut_off) {
    filch_runtime *runtime = runtime_named("room", 2);
    check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
    char *whole = NULL, *part = NULL;
    size_t length = 0;
    for (bool same = false; !same;) { /* it may change while workers fall asleep */
        free(whole);
        free(part);
        whole = text_of(runtime);
        length = strlen(whole);
        part = malloc(length + 2);
        same = true;
        for (size_t size = 1; size <= length + 1 && same; size += size < 300 || size > length - 3 ? 1 : 97) {
            memset(part, '#', length + 2);
            ssize_t answer = filch_metrics_text(runtime, part, size);
            same = answer == (ssize_t)length && memcmp(part, whole, size - 1) == 0;
            check(part[size - 1] == '\0');
            check(part[size] == '#');
        }
        if (same) check_int(filch_metrics_text(runtime, NULL, 0), length);
    }
    free(whole);
    free(part);
    check_int(filch_metrics_text(runtime, NULL, 1), -EINVAL);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* ------------------------------------------------------------------------------------------------------- descriptors */

struct drain {
    int number;
    char *text;
    size_t length;
};

static void *drain(void *arg) {
    struct drain *drain = arg;
    ssize_t got;
    while ((got = read(drain->number, drain->text + drain->length, (1u << 20) - 1 - drain->length)) > 0) {
        drain->length += (size_t)got;
    }
    check_int(got, 0);
    drain->text[drain->length] = '\0';
    return NULL;
}

static int write_to_nobody(void *arg) {
    int ends[2];
    (void)arg;
    check_int(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    check_int(filch_metrics_write(NULL, ends[1]), -EPIPE);
    close(ends[1]);
    check_int(filch_metrics_write(filch_runtime_current(), -1), -EBADF);
    check_int(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    check(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
    check_int(filch_metrics_write(filch_runtime_current(), ends[1]), -EAGAIN);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

TEST(metrics, a_descriptor_gets_all_of_it_or_the_error_is_told) {
    filch_runtime *runtime = runtime_named("pipe", 8);
    int ends[2];
    pthread_t thread;
    check_int(pipe2(ends, O_CLOEXEC), 0);
    struct drain all = {ends[0], malloc(1u << 20), 0};
    check_int(pthread_create(&thread, NULL, drain, &all), 0);
    check_int(filch_metrics_write(runtime, ends[1]), 0);
    close(ends[1]);
    pthread_join(thread, NULL);
    close(ends[0]);
    free(read_text_of(NULL));
    int count = samples->count;
    read_metrics(samples, all.text);
    check_int(samples->count, count);
    free(all.text);
    check_int(filch_runtime_destroy(runtime), 0);
    run_with(4, write_to_nobody, NULL); /* a worker, which SIGPIPE is kept away from */
}

static void *write_all_to(void *arg) {
    check_int(filch_metrics_write(NULL, *(int *)arg), 0);
    return NULL;
}

/* How much there is in the pipe. */
static int filled(int end) {
    int bytes;
    check_int(ioctl(end, FIONREAD, &bytes), 0);
    return bytes;
}

TEST(metrics, a_pipe_that_nobody_reads_does_not_hold_up_a_runtimes_end) {
    filch_runtime *runtime = runtime_named("held", 16), *another = runtime_named("another", 2);
    int ends[2];
    pthread_t thread;
    check_int(pipe2(ends, O_CLOEXEC), 0);
    int size = fcntl(ends[1], F_SETPIPE_SZ, 4096);
    check(size >= 4096 && filch_metrics_text(NULL, NULL, 0) > size);
    check_int(pthread_create(&thread, NULL, write_all_to, &ends[1]), 0);
    while (filled(ends[0]) < size) usleep(1000); /* it has written what it can, and waits in write(2) */
    check_int(filch_runtime_destroy(runtime), 0);
    check_int(filch_run(nap, NULL, &(filch_options){.workers = 2}), 0); /* one more comes and goes */
    check_int(filch_runtime_destroy(another), 0);
    check_int(filled(ends[0]), size); /* and it still does */
    struct drain all = {ends[0], malloc(1u << 20), 0};
    pthread_t reader;
    check_int(pthread_create(&reader, NULL, drain, &all), 0);
    check_int(pthread_join(thread, NULL), 0);
    close(ends[1]);
    check_int(pthread_join(reader, NULL), 0);
    close(ends[0]);
    if (samples == NULL) samples = malloc(sizeof *samples);
    read_metrics(samples, all.text); /* whole, and of when it was asked for */
    check_int(value_of(samples, "filch_workers{runtime=\"held\"}"), 16);
    check_int(value_of(samples, "filch_workers{runtime=\"another\"}"), 2);
    free(all.text);
}

TEST(metrics, without_memory_nothing_is_written) {
    filch_runtime *runtime = runtime_named("poor", 2);
    int ends[2];
    check_int(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
    size_t before = filch__heap_objects();
    filch__alloc_fail(1, false);
    int answer = filch_metrics_write(NULL, ends[1]);
    filch__alloc_fail(0, false);
    check_int(answer, -ENOMEM);
    check_int(filled(ends[0]), 0);
    check_int(filch__heap_objects(), before);
    check_int(filch_metrics_write(NULL, ends[1]), 0);
    check(filled(ends[0]) > 0);
    check_int(filch__heap_objects(), before);
    close(ends[0]);
    close(ends[1]);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* --------------------------------------------------------------------------------------------- at the same time */

struct crowd {
    atomic_bool over;
    atomic_uint rounds;
};

static void *read_texts(void *arg) {
    struct crowd *crowd = arg;
    struct samples *mine = malloc(sizeof *mine);
    while (!atomic_load(&crowd->over)) {
        char *text = text_of(NULL);
        read_metrics(mine, text);
        free(text);
        atomic_fetch_add(&crowd->rounds, 1);
    }
    free(mine);
    return NULL;
}

TEST(metrics, while_runtimes_come_work_and_go_the_text_is_whole) {
    struct crowd crowd = {0};
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, read_texts, &crowd), 0);
    for (unsigned i = 0; i < 20 || atomic_load(&crowd.rounds) < 20; i++) {
        check_int(filch_run(spawn_naps, NULL, &(filch_options){.workers = 1 + i % 4}), 0);
    }
    atomic_store(&crowd.over, true);
    pthread_join(thread, NULL);
}

static int read_simulated(void *arg) {
    (void)arg;
    check_int(spawn_naps(NULL), 0);
    char *text = read_text_of(filch_runtime_current());
    check_int(value_of(samples, "filch_workers{runtime=\"dream\"}"), 2);
    check_int(value_of(samples, "filch_worker_cpu_seconds_total{runtime=\"dream\",worker=\"0\"}"), 0);
    free(text);
    return 0;
}

TEST(metrics, a_simulated_runtime_has_some_too) {
    filch_simulation simulation = {.seed = 3, .quiet = true};
    check_int(filch_run(read_simulated, NULL, &(filch_options){.name = "dream", .simulation = &simulation}), 0);
}

/* ------------------------------------------------------------------------------------------------------------- io */

static int wait_to_read(void *arg) {
    char byte;
    return (int)filch_fd_read(*(filch_fd *)arg, &byte, 1, FILCH_NEVER);
}

/* What io/ counts: descriptors, polls, look-ups. */
static int do_io(void *arg) {
    filch_fd one, other;
    filch_stats before, during, after;
    filch_address addresses[4];
    (void)arg;
    filch_runtime *runtime = filch_runtime_current();
    check_int(filch_unix_pair(&one, &other, SOCK_STREAM, NULL), 0);
    check_int(filch_runtime_stats(runtime, &before), 0);
    check_int(before.fds_opened, 2);
    check_int(before.fds, 2);
    filch_task *reader = start(wait_to_read, &one);
    do {
        filch_yield();
        check_int(filch_runtime_stats(runtime, &during), 0);
    } while (during.parks == before.parks);
    check_int(filch_fd_write_all(other, "x", 1, NULL, FILCH_NEVER), 0);
    check_int(result_of(reader), 1);
    check_int(filch_fd_close(one), 0);
    check_int(filch_fd_close(other), 0);
    int ignored = filch_resolve(NULL, "no-such-service", NULL, addresses, 4, FILCH_NEVER); /* asks the system */
    (void)ignored;
    check_int(filch_runtime_stats(runtime, &after), 0);
    check_int(after.fds, 0);
    check_int(after.fds_opened, 2);
    check(after.polls + after.monitor_polls > 0);
    check_int(after.look_ups, 1);
    check(after.blocking_calls >= 1);
    return 0;
}

TEST(metrics, descriptors_polls_and_look_ups_are_counted) {
    run_with_all(do_io, NULL);
}

TEST(metrics, the_worker_that_watches_descriptors_is_seen_and_what_it_comes_upon_counted) {
    filch_runtime *runtime = runtime_named("poll", 4);
    filch_task *task;
    filch_fd fd;
    int numbers[2];
    check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, numbers), 0);
    check_int(filch_fd_adopt(&fd, numbers[0], &(filch_fd_options){.runtime = runtime}), 0);
    check_int(filch_runtime_spawn(runtime, &task, wait_to_read, &fd, NULL), 0);
    filch_stats stats;
    do {
        usleep(100);
        check_int(filch_runtime_stats(runtime, &stats), 0);
    } while (stats.workers_polling == 0 || stats.workers_asleep < 4);
    int polling = 0;
    filch_worker_stats worker;
    for (unsigned i = 0; filch_runtime_worker_stats(runtime, i, &worker) == 0; i++) {
        polling += worker.state == FILCH_WORKER_POLLING;
    }
    check_int(polling, 1);
    uint64_t events = stats.poll_events;
    check_int(write(numbers[1], "x", 1), 1);
    check_int(result_of(task), 1);
    check_int(filch_runtime_stats(runtime, &stats), 0);
    check(stats.poll_events > events);
    close(numbers[1]);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* ------------------------------------------------------------------------------------------------------------- docs */

TEST(metrics, each_stands_in_the_docs) {
    FILE *file = fopen(METRICS_DOCS, "r");
    check(file != NULL);
    static char docs[65536];
    size_t length = fread(docs, 1, sizeof docs - 1, file);
    check(length > 0 && length < sizeof docs - 1);
    fclose(file);
    char *text = read_text_of(NULL), name[NAME_MAX_HERE + 2];
    for (int i = 0; i < samples->metric_count; i++) {
        snprintf(name, sizeof name, "`%s`", samples->metrics[i]);
        if (strstr(docs, name) == NULL) test__failed(__FILE__, __LINE__, name);
    }
    free(text);
}

/* ------------------------------------------------------------------------------------------------------- the server */

struct fixture {
    filch_fd listener;
    filch_address address;
    filch_server server;
    filch_metrics_serve_options options;
    filch_task *task;
};

static int serve(void *arg) {
    struct fixture *fixture = arg;
    return filch_metrics_serve(fixture->listener, &fixture->options);
}

static void begin(struct fixture *fixture, filch_metrics_serve_options options) {
    memset(fixture, 0, sizeof *fixture);
    fixture->listener = listen_here(&fixture->address);
    fixture->options = options;
    if (options.timeout_ns == 0) fixture->options.timeout_ns = FILCH_SEC(1000); /* the machine may be slow */
    if (options.grace_ns == 0) fixture->options.grace_ns = FILCH_SEC(1000);
    fixture->options.server = &fixture->server;
    fixture->task = start(serve, fixture);
}

static void finish(struct fixture *fixture) {
    filch_server_stop(&fixture->server);
    check_int(result_of(fixture->task), 0);
    filch_serve_counts counts = filch_server_counts(&fixture->server);
    check_int(counts.active, 0);
    check_int(counts.cut + counts.dropped, 0);
    check_int(filch_fd_close(fixture->listener), 0);
}

static filch_fd connect_to(struct fixture *fixture) {
    filch_fd fd;
    check_int(filch_tcp_connect_address(&fd, &fixture->address, NULL, FILCH_NEVER), 0);
    return fd;
}

enum { ANSWER_SIZE = 1 << 20 };

/* What comes until the server is done, as text to be freed. */
static char *read_answer(filch_fd fd) {
    char *answer = malloc(ANSWER_SIZE);
    size_t length = 0;
    ssize_t got;
    while ((got = filch_fd_read(fd, answer + length, ANSWER_SIZE - 1 - length, FILCH_NEVER)) > 0) length += (size_t)got;
    check_int(got, 0);
    answer[length] = '\0';
    return answer;
}

static char *ask_bytes(struct fixture *fixture, const char *request, size_t size) {
    filch_fd fd = connect_to(fixture);
    check_int(filch_fd_write_all(fd, request, size, NULL, FILCH_NEVER), 0);
    char *answer = read_answer(fd);
    check_int(filch_fd_close(fd), 0);
    return answer;
}

static char *ask(struct fixture *fixture, const char *request) {
    return ask_bytes(fixture, request, strlen(request));
}

static int status_of(const char *answer) {
    int status = 0;
    check(sscanf(answer, "HTTP/1.1 %d ", &status) == 1);
    return status;
}

/* The body, whose length is as the head says. */
static const char *body_of(const char *answer) {
    const char *end = strstr(answer, "\r\n\r\n"), *field = strstr(answer, "\r\nContent-Length: ");
    size_t length;
    check(end != NULL && field != NULL && field < end);
    check(strstr(answer, "\r\nConnection: close\r\n") != NULL);
    check(sscanf(field, "\r\nContent-Length: %zu\r\n", &length) == 1);
    check_int(strlen(end + 4), length);
    return end + 4;
}

static void check_refused(struct fixture *fixture, const char *request, int status) {
    char *answer = ask(fixture, request);
    check_int(status_of(answer), status);
    check(*body_of(answer) != '\0');
    free(answer);
}

static void check_served(struct fixture *fixture, const char *request) {
    char *answer = ask(fixture, request);
    check_int(status_of(answer), 200);
    check(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != NULL);
    if (samples == NULL) samples = malloc(sizeof *samples);
    read_metrics(samples, body_of(answer));
    check(has_sample(samples, "filch_tasks{runtime=\"filch\"}"));
    free(answer);
}

static int get_metrics(void *arg) {
    struct fixture fixture;
    (void)arg;
    begin(&fixture, (filch_metrics_serve_options){.runtime = filch_runtime_current()});
    check_served(&fixture, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    check_served(&fixture, "GET /metrics?a=b HTTP/1.1\r\nhOST: x\r\nAccept: */*\r\nEmpty:\r\n\r\n");
    check_served(&fixture, "GET http://localhost:9464/metrics HTTP/1.1\r\nHost: localhost:9464\r\n\r\n");
    check_served(&fixture, "GET /metrics HTTP/1.0\r\n\r\n");
    check_served(&fixture, "\r\nGET /metrics HTTP/1.1\nHost: lines end with a line feed alone\n\n");
    check_served(&fixture, "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nwhat body");
    char *answer = ask(&fixture, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    check_int(status_of(answer), 200);
    check(strcmp(strstr(answer, "\r\n\r\n"), "\r\n\r\n") == 0);
    free(answer);
    finish(&fixture);
    check_int(filch_server_counts(&fixture.server).failed, 0);
    return 0;
}

TEST(metrics_serve, metrics_are_got) {
    run_clean(get_metrics, NULL);
}

static int refuse(void *arg) {
    struct fixture fixture;
    (void)arg;
    begin(&fixture, (filch_metrics_serve_options){.path = "/private/metrics"});
    check_refused(&fixture, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 404);
    check_refused(&fixture, "GET /private/metrics/ HTTP/1.1\r\nHost: x\r\n\r\n", 404);
    check_refused(&fixture, "GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", 404);
    check_refused(&fixture, "POST /private/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405);
    check_refused(&fixture, "get /private/metrics HTTP/1.1\r\nHost: x\r\n\r\n", 405);
    check_refused(&fixture, "GET /private/metrics HTTP/2.0\r\nHost: x\r\n\r\n", 505);
    static const char *const bad[] = {
        "GET\r\n\r\n",
        "GET /private/metrics\r\n\r\n", /* HTTP/0.9 */
        "GET  /private/metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        " GET /private/metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /private/metrics HTTP/1.1 \r\nHost: x\r\n\r\n",
        "GET /private/metrics HTTP/1\r\nHost: x\r\n\r\n",
        "GET /private/metrics HTTP/11.1\r\nHost: x\r\n\r\n",
        "GET /private/metrics FTP/1.1\r\nHost: x\r\n\r\n",
        "GET /private/metrics HTTP/1.1\r\n\r\n",                       /* no host */
        "GET /private/metrics HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", /* two */
        "GET /private/metrics HTTP/1.1\r\nHost : x\r\n\r\n",           /* a blank before the colon */
        "GET /private/metrics HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", /* a field that goes on */
        "GET /private/metrics HTTP/1.1\r\nHost: x\r\n: nameless\r\n\r\n",
        "GET /private/metrics HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "\x16\x03\x01 TLS \x01\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) check_refused(&fixture, bad[i], 400);
    static const char zero[] = "GET /private/metrics HTTP/1.1\r\nHost: x\0y\r\n\r\n";
    char *answer = ask_bytes(&fixture, zero, sizeof zero - 1);
    check_int(status_of(answer), 400);
    free(answer);
    finish(&fixture);
    return 0;
}

TEST(metrics_serve, what_is_no_request_for_metrics_is_refused) {
    run_clean(refuse, NULL);
}

static int send_too_much(void *arg) {
    struct fixture fixture;
    static char request[40000];
    (void)arg;
    begin(&fixture, (filch_metrics_serve_options){0});
    memset(request, 'a', sizeof request - 1); /* a line that does not end */
    check_refused(&fixture, request, 431);
    size_t used = (size_t)sprintf(request, "GET /metrics HTTP/1.1\r\nHost: x\r\n");
    while (used < sizeof request - 32) used += (size_t)sprintf(request + used, "Field: some value\r\n");
    check_refused(&fixture, request, 431); /* a head that does not end */
    finish(&fixture);
    return 0;
}

TEST(metrics_serve, a_head_without_end_is_refused) {
    run_clean(send_too_much, NULL);
}

static int be_slow(void *arg) {
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    struct fixture fixture;
    (void)arg;
    begin(&fixture, (filch_metrics_serve_options){0});
    filch_fd fd = connect_to(&fixture);
    for (size_t i = 0; i < sizeof request - 1; i++) {
        check_int(filch_fd_write_all(fd, &request[i], 1, NULL, FILCH_NEVER), 0);
        filch_sleep(FILCH_US(100));
    }
    char *answer = read_answer(fd);
    check_int(status_of(answer), 200);
    free(answer);
    check_int(filch_fd_close(fd), 0);
    finish(&fixture);
    begin(&fixture, (filch_metrics_serve_options){.timeout_ns = FILCH_MS(20)});
    fd = connect_to(&fixture);
    check_int(filch_fd_write_all(fd, request, 20, NULL, FILCH_NEVER), 0);
    answer = read_answer(fd); /* as much of it as there is is not enough */
    check_int(status_of(answer), 408);
    free(answer);
    check_int(filch_fd_close(fd), 0);
    finish(&fixture);
    return 0;
}

TEST(metrics_serve, a_slow_client_is_waited_for_and_one_that_stops_is_not) {
    run_clean(be_slow, NULL);
}

static int go_early(void *arg) {
    struct fixture fixture;
    (void)arg;
    begin(&fixture, (filch_metrics_serve_options){.runtime = filch_runtime_current()});
    for (int i = 0; i < 20; i++) {
        filch_fd fd = connect_to(&fixture);
        if (i % 2 == 0) check_int(filch_fd_write_all(fd, "GET /metrics HT", 15, NULL, FILCH_NEVER), 0);
        if (i % 4 == 1) {
            check_int(filch_fd_write_all(fd, "GET /metrics HTTP/1.0\r\n\r\n", 25, NULL, FILCH_NEVER), 0);
        }
        check_int(filch_fd_close(fd), 0);
    }
    check_served(&fixture, "GET /metrics HTTP/1.0\r\n\r\n");
    finish(&fixture);
    return 0;
}

TEST(metrics_serve, clients_that_go_before_their_answer_are_no_harm) {
    run_clean(go_early, NULL);
}

static int scrape(void *arg) {
    char *answer = ask(arg, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    check_int(status_of(answer), 200);
    free(answer);
    return 0;
}

static int come_in_crowds(void *arg) {
    enum { CLIENTS = 40 };
    struct fixture fixture;
    filch_task *tasks[CLIENTS];
    (void)arg;
    begin(&fixture, (filch_metrics_serve_options){.max_connections = 3});
    for (int i = 0; i < CLIENTS; i++) tasks[i] = start(scrape, &fixture);
    for (int i = 0; i < CLIENTS; i++) check_int(result_of(tasks[i]), 0);
    finish(&fixture);
    filch_serve_counts counts = filch_server_counts(&fixture.server);
    check_int(counts.finished, CLIENTS);
    check(counts.peak <= 3);
    return 0;
}

TEST(metrics_serve, no_more_are_served_at_a_time_than_the_limit_says) {
    run_clean(come_in_crowds, NULL);
}

static int end_it(void *arg) {
    struct fixture fixture;
    (void)arg;
    begin(&fixture, (filch_metrics_serve_options){.grace_ns = FILCH_MS(10)});
    filch_fd fd = connect_to(&fixture); /* says nothing */
    while (filch_server_counts(&fixture.server).accepted < 1) filch_sleep(FILCH_US(100));
    filch_task_cancel(fixture.task);
    check_int(result_of(fixture.task), -ECANCELED);
    check_int(filch_server_counts(&fixture.server).cut, 1);
    char *answer = read_answer(fd);
    check(*answer == '\0');
    free(answer);
    check_int(filch_fd_close(fd), 0);
    check_int(filch_fd_close(fixture.listener), 0);
    begin(&fixture, (filch_metrics_serve_options){0});
    filch_sleep(FILCH_MS(1));
    check_int(filch_fd_close(fixture.listener), 0);
    check_int(result_of(fixture.task), -EBADF);
    return 0;
}

TEST(metrics_serve, it_ends_by_cancellation_and_with_its_listener) {
    run_clean(end_it, NULL);
}

static int misuse(void *arg) {
    (void)arg;
    filch_address address;
    filch_fd listener = listen_here(&address);
    check_int(filch_metrics_serve(listener, &(filch_metrics_serve_options){.path = "metrics"}), -EINVAL);
    check_int(filch_metrics_serve(listener, &(filch_metrics_serve_options){.path = ""}), -EINVAL);
    check_int(filch_metrics_serve(listener, &(filch_metrics_serve_options){.timeout_ns = -1}), -EINVAL);
    check_int(filch_metrics_serve(FILCH_FD_NONE, NULL), -EBADF);
    check_int(filch_fd_close(listener), 0);
    return 0;
}

TEST(metrics_serve, bad_arguments_are_told) {
    run_clean(misuse, NULL);
    check_int(filch_metrics_serve(FILCH_FD_NONE, NULL), -EPERM);
}

/* Each request for memory fails in turn: the client is answered, or the connection ends. */
static int lack_memory(void *arg) {
    struct fixture fixture;
    (void)arg;
    begin(&fixture, (filch_metrics_serve_options){.runtime = filch_runtime_current()});
    int served = 0;
    for (uint64_t nth = 1; nth < 12; nth++) {
        filch_fd fd = connect_to(&fixture);
        static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
        char *answer = malloc(ANSWER_SIZE);
        filch__alloc_fail(nth, false);
        int error = filch_fd_write_all(fd, request, sizeof request - 1, NULL, FILCH_NEVER);
        ssize_t got = error == 0 ? filch_fd_read(fd, answer, 15, FILCH_NEVER) : error;
        filch__alloc_fail(0, false);
        if (got == 15) served += memcmp(answer, "HTTP/1.1 200 OK", 15) == 0;
        free(answer);
        check_int(filch_fd_close(fd), 0);
    }
    check(served > 0);
    check_served(&fixture, "GET /metrics HTTP/1.0\r\n\r\n");
    filch_server_stop(&fixture.server);
    check_int(result_of(fixture.task), 0);
    check_int(filch_fd_close(fixture.listener), 0);
    return 0;
}

TEST(metrics_serve, without_memory_it_refuses_and_goes_on) {
    run_clean(lack_memory, NULL);
}
