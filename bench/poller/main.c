/* SPDX-License-Identifier: MIT */
/*
 * filch-poller-bench: which poller serves best on this machine. Two contests, each run by both sides in turn, every run in
 * a process of its own: an echo over TCP connections, watched by epoll or by io_uring; and reads of 4 KiB at random places
 * of a file past the page cache, made by helper threads or by the ring. Processor time of the whole process, of both ends
 * of the echo; the ratio is the median of those of runs that followed each other.
 *
 *     filch-poller-bench [--connections 50] [--rounds 2000] [--workers 1] [--runs 5] [--file PATH] [--reads 20000]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <filch/fd.h>
#include <filch/filch.h>
#include <filch/file.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 64, BLOCK = 4096, READERS = 64, RUNS_MAX = 99 };

static struct {
    int connections, rounds, workers, runs, reads;
    const char *file;
} ask = {50, 2000, 1, 5, 20000, "/var/tmp/filch-poller-bench"};

static void must(int condition, const char *what) {
    if (condition) return;
    perror(what);
    exit(1);
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double processor_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

static double clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What a run of a contest costs: microseconds an operation. */
struct cost {
    double processor, clock;
};

static struct cost cost_since(struct cost before, long operations) {
    double each = 1e6 / (double)operations;
    return (struct cost){(processor_seconds() - before.processor) * each, (clock_seconds() - before.clock) * each};
}

static struct cost now(void) {
    return (struct cost){processor_seconds(), clock_seconds()};
}

/* -------------------------------------------------------------------------------------------------------------- echo */

static int serve(void *arg) {
    char bytes[MESSAGE];
    for (;;) {
        ssize_t size = filch_fd_read(*(filch_fd *)arg, bytes, sizeof bytes, FILCH_NEVER);
        if (size <= 0) return (int)size;
        int error = filch_fd_write_all(*(filch_fd *)arg, bytes, (size_t)size, NULL, FILCH_NEVER);
        if (error != 0) return error;
    }
}

static int request(void *arg) {
    char bytes[MESSAGE] = "";
    int error = 0;
    for (int i = 0; i < ask.rounds && error == 0; i++) {
        error = filch_fd_write_all(*(filch_fd *)arg, bytes, sizeof bytes, NULL, FILCH_NEVER);
        if (error == 0) error = filch_fd_read_exactly(*(filch_fd *)arg, bytes, sizeof bytes, NULL, FILCH_NEVER);
    }
    filch_fd_close(*(filch_fd *)arg);
    return error;
}

static int listener(struct sockaddr_in *address) {
    int number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(bind(number, (struct sockaddr *)(void *)address, size) == 0, "bind");
    must(listen(number, 1024) == 0, "listen");
    must(getsockname(number, (struct sockaddr *)(void *)address, &size) == 0, "getsockname");
    return number;
}

static filch_fd adopted(int number) {
    filch_fd fd;
    int one = 1;
    must(number >= 0 && setsockopt(number, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "connection");
    must(filch_fd_adopt(&fd, number, NULL) == 0, "adopt");
    return fd;
}

static int echo(void *arg) {
    struct sockaddr_in address;
    int listening = listener(&address);
    filch_fd(*pairs)[2] = calloc((size_t)ask.connections, sizeof *pairs);
    for (int i = 0; i < ask.connections; i++) {
        int number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(connect(number, (struct sockaddr *)(void *)&address, sizeof address) == 0, "connect");
        pairs[i][0] = adopted(number);
        pairs[i][1] = adopted(accept(listening, NULL, NULL));
    }
    struct cost before = now();
    filch_scope scope;
    int error = filch_scope_open(&scope, NULL);
    for (int i = 0; i < ask.connections && error == 0; i++) {
        error = filch_scope_spawn(&scope, NULL, serve, &pairs[i][1], NULL);
        if (error == 0) error = filch_scope_spawn(&scope, NULL, request, &pairs[i][0], NULL);
    }
    error = filch_scope_close(&scope);
    *(struct cost *)arg = cost_since(before, (long)ask.connections * ask.rounds);
    for (int i = 0; i < ask.connections; i++) filch_fd_close(pairs[i][1]);
    free(pairs);
    close(listening);
    return error;
}

/* ------------------------------------------------------------------------------------------------------------- files */

static off_t file_blocks;

static int reader(void *arg) {
    char *block = aligned_alloc(BLOCK, BLOCK);
    uint64_t random = (uint64_t)(uintptr_t)&block | 1;
    ssize_t size = BLOCK;
    for (int i = 0; i < ask.reads / READERS && size == BLOCK; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        off_t place = (off_t)((random >> 33) % (uint64_t)file_blocks) * BLOCK;
        size = filch_file_pread(*(filch_file *)arg, block, BLOCK, place, FILCH_NEVER);
    }
    free(block);
    return size == BLOCK ? 0 : -EIO;
}

static int files(void *arg) {
    filch_file file, warm;
    int error = filch_file_open(&warm, "/dev/null", O_RDONLY, 0, FILCH_NEVER); /* its first use makes the poller */
    if (error == 0) error = filch_file_open(&file, ask.file, O_RDONLY | O_DIRECT, 0, FILCH_NEVER);
    if (error != 0) return error;
    struct cost before = now();
    filch_scope scope;
    error = filch_scope_open(&scope, NULL);
    for (int i = 0; i < READERS && error == 0; i++) error = filch_scope_spawn(&scope, NULL, reader, &file, NULL);
    error = filch_scope_close(&scope);
    *(struct cost *)arg = cost_since(before, ask.reads / READERS * READERS);
    (void)filch_file_close(file);
    (void)filch_file_close(warm);
    return error;
}

/* Something to read from; false: the file system has no reads past the page cache. */
static int make_file(void) {
    enum { BLOCKS = 16384 };
    static char block[BLOCK];
    int number = open(ask.file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(number >= 0, ask.file);
    for (int i = 0; i < BLOCKS; i++) {
        memset(block, i, sizeof block);
        must(write(number, block, BLOCK) == BLOCK, ask.file);
    }
    must(fsync(number) == 0, "fsync");
    close(number);
    file_blocks = BLOCKS;
    number = open(ask.file, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (number >= 0) close(number);
    return number >= 0;
}

/* ----------------------------------------------------------------------------------------------------------- contests */

static struct cost run_once(filch_fn *fn, filch_poller poller) {
    int ends[2];
    struct cost cost = {0, 0};
    must(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        const filch_options options = {.workers = (unsigned)ask.workers, .poller = poller};
        int error = filch_run(fn, &cost, &options);
        _exit(error == 0 && write(ends[1], &cost, sizeof cost) == sizeof cost ? 0 : 1);
    }
    close(ends[1]);
    int status = 1;
    must(read(ends[0], &cost, sizeof cost) == sizeof cost, "a run");
    must(waitpid(child, &status, 0) == child && status == 0, "a run");
    close(ends[0]);
    return cost;
}

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, by_size);
    return values[count / 2];
}

static void contest(const char *what, filch_fn *fn, const char *names[2], const filch_poller pollers[2]) {
    double processor[2][RUNS_MAX], clock[2][RUNS_MAX], ratios[RUNS_MAX];
    for (int run = 0; run < ask.runs; run++) {
        for (int side = 0; side < 2; side++) {
            struct cost cost = run_once(fn, pollers[side]);
            processor[side][run] = cost.processor;
            clock[side][run] = cost.clock;
        }
        ratios[run] = processor[1][run] / processor[0][run];
    }
    printf("%s\n", what);
    for (int side = 0; side < 2; side++) {
        printf("    %-9s %7.2f us of processor, %7.2f us by the clock (medians of %d)\n", names[side],
               median(processor[side], ask.runs), median(clock[side], ask.runs), ask.runs);
    }
    double middle = median(ratios, ask.runs);
    printf("    %s / %s: %.2f (%.2f to %.2f)\n", names[1], names[0], middle, ratios[0], ratios[ask.runs - 1]);
}

static void parse(int count, char **words) {
    struct {
        const char *name;
        int *value;
    } numbers[] = {{"--connections", &ask.connections},
                   {"--rounds", &ask.rounds},
                   {"--workers", &ask.workers},
                   {"--runs", &ask.runs},
                   {"--reads", &ask.reads}};
    for (int i = 1; i < count; i += 2) {
        int known = i + 1 < count && strcmp(words[i], "--file") == 0;
        if (known) ask.file = words[i + 1];
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers && !known; n++) {
            if (i + 1 >= count || strcmp(words[i], numbers[n].name) != 0) continue;
            *numbers[n].value = atoi(words[i + 1]);
            known = *numbers[n].value > 0;
        }
        if (known && ask.runs <= RUNS_MAX) continue;
        fprintf(stderr, "filch-poller-bench: not understood: %s\n", words[i]);
        exit(2);
    }
}

int main(int count, char **words) {
    parse(count, words);
    setvbuf(stdout, NULL, _IOLBF, 0);
    char what[128];
    snprintf(what, sizeof what, "echo of %d bytes, %d connections, %d rounds each, %d workers", MESSAGE,
             ask.connections, ask.rounds, ask.workers);
    contest(what, echo, (const char *[]){"epoll", "io_uring"},
            (const filch_poller[]){FILCH_POLLER_EPOLL, FILCH_POLLER_IO_URING});
    if (make_file()) {
        snprintf(what, sizeof what, "%d reads of %d bytes by %d tasks, O_DIRECT", ask.reads, BLOCK, READERS);
        contest(what, files, (const char *[]){"threads", "io_uring"},
                (const filch_poller[]){FILCH_POLLER_EPOLL, FILCH_POLLER_DEFAULT});
    } else {
        printf("SKIPPED: reads of a file: %s has no O_DIRECT\n", ask.file);
    }
    unlink(ask.file);
    return 0;
}
