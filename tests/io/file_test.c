/* SPDX-License-Identifier: MIT */
/*
 * Files: what is written is read again, whole; errors are told; a closed file is closed for all copies; what is cut short
 * has changed nothing; whole files are replaced at once or not at all. The same for every engine, and for threads.
 */
#include "tests/io/files.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "alloc/alloc.h"

static filch_file open_file(const char *path, int flags) {
    filch_file file;
    check_int(filch_file_open(&file, path, flags, 0600, FILCH_NEVER), 0);
    return file;
}

/* Runs with one worker and with several; with what engine there is, and with the pool. */
static filch_fn *body;
static bool by_pool;

static int with_engine(void *arg) {
    if (by_pool) use_pool();
    return body(arg);
}

static void run_in_folder_made_by(void (*make)(void), filch_fn *fn, void *arg) {
    body = fn;
    for (int i = 0; i < 4; i++) {
        make();
        by_pool = i & 1;
        check_int(filch_run(with_engine, arg, &(filch_options){.workers = i < 2 ? 1 : 4}), 0);
        folder_remove();
    }
}

static void run_in_folder(filch_fn *fn, void *arg) {
    run_in_folder_made_by(folder_make, fn, arg);
}

/* ------------------------------------------------------------------------------------------------------ read and write */

static int write_and_read(void *arg) {
    (void)arg;
    char buffer[32];
    struct stat about;
    filch_file file = open_file("a", O_RDWR | O_CREAT | O_EXCL);
    check_int(filch_file_write(file, "hello world", 11, FILCH_NEVER), 11);
    check_int(filch_file_read(file, buffer, sizeof buffer, FILCH_NEVER), 0);
    check_int(filch_file_seek(file, 6, SEEK_SET), 6);
    check_int(filch_file_read(file, buffer, sizeof buffer, FILCH_NEVER), 5);
    check(memcmp(buffer, "world", 5) == 0);
    check_int(filch_file_pwrite(file, "W", 1, 6, FILCH_NEVER), 1);
    check_int(filch_file_pread(file, buffer, 3, 6, FILCH_NEVER), 3);
    check(memcmp(buffer, "Wor", 3) == 0);
    check_int(filch_file_pread(file, buffer, 3, 100, FILCH_NEVER), 0);
    check_int(filch_file_seek(file, 0, SEEK_CUR), 11); /* those with an offset leave it */
    check_int(filch_file_sync(file, FILCH_NEVER), 0);
    check_int(filch_file_sync_data(file, FILCH_NEVER), 0);
    check_int(filch_file_truncate(file, 5, FILCH_NEVER), 0);
    check_int(filch_file_stat(file, &about, FILCH_NEVER), 0);
    check_int(about.st_size, 5);
    check(S_ISREG(about.st_mode) && (about.st_mode & 0777) == 0600);
    check_int(filch_file_read(file, buffer, 0, FILCH_NEVER), 0);
    check_int(filch_file_write(file, NULL, 0, FILCH_NEVER), 0);
    check_int(filch_file_close(file), 0);
    check_int(filch_path_unlink("a", FILCH_NEVER), 0);
    return 0;
}

TEST(file, what_was_written_is_read) {
    run_in_folder(write_and_read, NULL);
}

static int append(void *arg) {
    (void)arg;
    void *data;
    size_t size;
    filch_file file = open_file("log", O_WRONLY | O_CREAT | O_APPEND), again = open_file("log", O_WRONLY | O_APPEND);
    for (int i = 0; i < 10; i++) {
        check_int(filch_file_write(file, "a", 1, FILCH_NEVER), 1);
        check_int(filch_file_write(again, "bc", 2, FILCH_NEVER), 2);
    }
    check_int(filch_file_close(file), 0);
    check_int(filch_file_close(again), 0);
    check_int(filch_file_read_all("log", &data, &size, 1000, FILCH_NEVER), 0);
    check_int(size, 30);
    for (int i = 0; i < 30; i++) check_int(((char *)data)[i], "abc"[i % 3]);
    free(data);
    check_int(filch_path_unlink("log", FILCH_NEVER), 0);
    return 0;
}

TEST(file, appending_goes_to_the_end) {
    run_in_folder(append, NULL);
}

/* Against the system's own calls, at random places; now and then nothing of it is in memory. */
enum { MODEL_SIZE = 3 << 20, MODEL_STEPS = 300 };

static int follow_model(void *arg) {
    (void)arg;
    unsigned char *model = calloc(1, MODEL_SIZE), *buffer = malloc(MODEL_SIZE);
    uint32_t random = 12345;
    filch_file file = open_file("model", O_RDWR | O_CREAT);
    check_int(filch_file_truncate(file, MODEL_SIZE, FILCH_NEVER), 0);
    for (int step = 0; step < MODEL_STEPS / TEST_SCALE; step++) {
        random = random * 1664525 + 1013904223;
        size_t at = (random >> 4) % MODEL_SIZE, size = (random >> 8) % (step % 10 == 0 ? MODEL_SIZE : 10000);
        size_t inside = size > MODEL_SIZE - at ? MODEL_SIZE - at : size;
        if (step % 2 == 0) {
            memset(buffer, (int)(random >> 24), inside);
            memset(model + at, (int)(random >> 24), inside);
            check_int(filch_file_pwrite(file, buffer, inside, (int64_t)at, FILCH_NEVER), inside);
        } else {
            if (step % 5 == 0) (void)posix_fadvise(filch_file_number(file), 0, 0, POSIX_FADV_DONTNEED);
            check_int(filch_file_pread(file, buffer, size, (int64_t)at, FILCH_NEVER), inside);
            check(memcmp(buffer, model + at, inside) == 0);
        }
        if (step % 50 == 0) check_int(filch_file_sync(file, FILCH_NEVER), 0);
    }
    check_int(filch_file_close(file), 0);
    check_int(filch_path_unlink("model", FILCH_NEVER), 0);
    free(model);
    free(buffer);
    return 0;
}

TEST(file, reads_and_writes_at_random_places_are_as_in_memory) {
    run_in_folder(follow_model, NULL);
}

static int direct(void *arg) {
    (void)arg;
    char *buffer = aligned_alloc(4096, 8192);
    filch_file file;
    memset(buffer, 'x', 8192);
    int error = filch_file_open(&file, "direct", O_RDWR | O_CREAT | O_DIRECT, 0600, FILCH_NEVER);
    if (error == 0) { /* else the file system has no such thing */
        check_int(filch_file_pwrite(file, buffer, 8192, 0, FILCH_NEVER), 8192);
        memset(buffer, 0, 8192);
        check_int(filch_file_pread(file, buffer, 8192, 4096, FILCH_NEVER), 4096);
        check_int(buffer[0], 'x');
        check_int(filch_file_read(file, buffer, 4096, FILCH_NEVER), 4096);
        check_int(filch_file_read(file, buffer, 4096, FILCH_NEVER), 4096);
        check_int(filch_file_read(file, buffer, 4096, FILCH_NEVER), 0);
        check_int(filch_file_close(file), 0);
        check_int(filch_path_unlink("direct", FILCH_NEVER), 0);
    } else {
        check_int(error, -EINVAL);
    }
    free(buffer);
    return 0;
}

TEST(file, without_the_page_cache) {
    run_in_folder(direct, NULL);
}

static int not_regular(void *arg) {
    (void)arg;
    int numbers[2];
    char buffer[100];
    filch_file reading, zeroes = open_file("/dev/zero", O_RDONLY);
    check_int(pipe(numbers), 0);
    check_int(filch_file_adopt(&reading, numbers[0], NULL), 0);
    check_int(write(numbers[1], "abc", 3), 3);
    check_int(filch_file_read(reading, buffer, sizeof buffer, FILCH_NEVER), 3); /* and does not wait for more */
    close(numbers[1]);
    check_int(filch_file_read(reading, buffer, sizeof buffer, FILCH_NEVER), 0);
    check_int(filch_file_close(reading), 0);
    check_int(filch_file_read(zeroes, buffer, sizeof buffer, FILCH_NEVER), sizeof buffer);
    check_int(buffer[99], 0);
    check_int(filch_file_close(zeroes), 0);
    return 0;
}

TEST(file, what_is_no_regular_file_gives_what_there_is) {
    run_in_folder(not_regular, NULL);
}

/* Short system calls, and interrupted ones, are gone on with. */
static int in_small_pieces(void *arg) {
    (void)arg;
    char buffer[100];
    for (int i = 0; i < 100; i++) buffer[i] = (char)i;
    filch_file file = open_file("pieces", O_RDWR | O_CREAT);
    filch__system_fail(1, true, 3);
    check_int(filch_file_write(file, buffer, 100, FILCH_NEVER), 100);
    memset(buffer, 0, 100);
    check_int(filch_file_pread(file, buffer, 100, 0, FILCH_NEVER), 100);
    check(filch__system_calls() >= 2 * 34);
    for (uint64_t nth = 1; nth < 4; nth++) {
        filch__system_fail(nth, false, -EINTR);
        check_int(filch_file_pread(file, buffer, 100, 0, FILCH_NEVER), 100);
        check_int(filch_file_pwrite(file, buffer, 100, 0, FILCH_NEVER), 100);
    }
    filch__system_fail(0, false, 0);
    for (int i = 0; i < 100; i++) check_int(buffer[i], i);
    check_int(filch_file_close(file), 0);
    check_int(filch_path_unlink("pieces", FILCH_NEVER), 0);
    return 0;
}

static int pieces_by_pool(void *arg) {
    use_pool(); /* where system calls can be made to be short */
    return in_small_pieces(arg);
}

TEST(file, short_and_interrupted_system_calls_are_gone_on_with) {
    run_in_folder(pieces_by_pool, NULL);
}

static int fail_later(void *arg) {
    (void)arg;
    char buffer[9] = {0};
    use_pool();
    filch_file file = open_file("later", O_RDWR | O_CREAT);
    filch__system_fail(1, true, 3);
    check_int(filch_file_write(file, "abcdef", 6, FILCH_NEVER), 6);
    filch__system_fail(3, false, -EIO); /* cached, and so the engine is asked */
    check_int(filch_file_pread(file, buffer, 6, 0, FILCH_NEVER), 6);
    filch__system_fail(1, true, -ENOSPC);
    check_int(filch_file_write(file, "ghi", 3, FILCH_NEVER), -ENOSPC);
    filch__system_fail(0, false, 0);
    check_int(filch_file_close(file), 0);
    check_int(filch_path_unlink("later", FILCH_NEVER), 0);
    return 0;
}

TEST(file, an_error_is_told_only_where_nothing_has_moved) {
    run_in_folder(fail_later, NULL);
}

/* ------------------------------------------------------------------------------------------------------------- errors */

static int meet_errors(void *arg) {
    (void)arg;
    filch_file file, full;
    filch_dir *dir;
    struct stat about;
    check_int(filch_file_open(&file, "none/none", O_RDONLY, 0, FILCH_NEVER), -ENOENT);
    check_int(filch_file_open(&file, ".", O_WRONLY, 0, FILCH_NEVER), -EISDIR);
    check_int(filch_file_open(&file, "/dev/null/x", O_RDONLY, 0, FILCH_NEVER), -ENOTDIR);
    check_int(filch_path_mkdir("d", 0700, FILCH_NEVER), 0);
    check_int(filch_path_mkdir("d", 0700, FILCH_NEVER), -EEXIST);
    file = open_file("d/f", O_WRONLY | O_CREAT);
    check_int(filch_file_read(file, &about, 1, FILCH_NEVER), -EBADF);
    check_int(filch_file_close(file), 0);
    check_int(filch_file_open(&file, "d/f", O_WRONLY | O_CREAT | O_EXCL, 0600, FILCH_NEVER), -EEXIST);
    check_int(filch_path_rmdir("d", FILCH_NEVER), -ENOTEMPTY);
    check_int(filch_path_unlink("d", FILCH_NEVER), -EISDIR);
    check_int(filch_path_rename("d/f", "none/f", FILCH_NEVER), -ENOENT);
    check_int(filch_path_rename("d/f", "g", FILCH_NEVER), 0);
    check_int(filch_path_stat("d/f", &about, FILCH_NEVER), -ENOENT);
    check_int(filch_dir_open(&dir, "g", FILCH_NEVER), -ENOTDIR);
    check_int(filch_path_unlink("g", FILCH_NEVER), 0);
    check_int(filch_path_rmdir("d", FILCH_NEVER), 0);
    full = open_file("/dev/full", O_WRONLY);
    check_int(filch_file_write(full, "x", 1, FILCH_NEVER), -ENOSPC);
    check_int(filch_file_close(full), 0);
    return 0;
}

TEST(file, what_the_system_answers_is_told) {
    run_in_folder(meet_errors, NULL);
}

static int meet_refusal(void *arg) {
    (void)arg;
    filch_file file = open_file("f", O_WRONLY | O_CREAT);
    void *data;
    size_t size;
    check_int(fchmod(filch_file_number(file), 0), 0);
    check_int(filch_file_close(file), 0);
    check_int(filch_file_open(&file, "f", O_RDONLY, 0, FILCH_NEVER), -EACCES);
    check_int(filch_file_read_all("f", &data, &size, 10, FILCH_NEVER), -EACCES);
    check_int(filch_path_unlink("f", FILCH_NEVER), 0);
    return 0;
}

TEST(file, a_file_that_may_not_be_read_is_refused) {
    uid_t user = geteuid();
    if (user == 0) check_int(seteuid(65534), 0); /* to root nothing is refused */
    run_in_folder(meet_refusal, NULL);
    check_int(seteuid(user), 0);
    check_int(prctl(PR_SET_DUMPABLE, 1), 0); /* the leak checker needs it, and it was taken away with the user */
}

static int misuse(void *arg) {
    (void)arg;
    char buffer[4];
    void *data;
    size_t size;
    struct stat about;
    filch_dir *dir;
    filch_dir_entry entry;
    filch_file file = open_file("/dev/null", O_RDWR), none = FILCH_FILE_NONE;
    check_int(filch_file_open(NULL, "x", O_RDONLY, 0, FILCH_NEVER), -EINVAL);
    check_int(filch_file_open(&none, NULL, O_RDONLY, 0, FILCH_NEVER), -EINVAL);
    check_int(filch_file_adopt(NULL, 0, NULL), -EINVAL);
    check_int(filch_file_adopt(&none, -1, NULL), -EBADF);
    check_int(filch_file_read(file, NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_file_read(file, buffer, (size_t)-1, FILCH_NEVER), -EINVAL);
    check_int(filch_file_pread(file, buffer, 1, -1, FILCH_NEVER), -EINVAL);
    check_int(filch_file_pread(file, buffer, 4, INT64_MAX - 2, FILCH_NEVER), -EINVAL);
    check_int(filch_file_write(file, NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_file_pwrite(file, buffer, 1, -1, FILCH_NEVER), -EINVAL);
    check_int(filch_file_seek(file, 0, 99), -EINVAL);
    check_int(filch_file_truncate(file, -1, FILCH_NEVER), -EINVAL);
    check_int(filch_file_stat(file, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_file_close(file), 0);
    check_int(filch_path_stat(NULL, &about, FILCH_NEVER), -EINVAL);
    check_int(filch_path_stat("/", NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_path_lstat(NULL, &about, FILCH_NEVER), -EINVAL);
    check_int(filch_path_rename(NULL, "x", FILCH_NEVER), -EINVAL);
    check_int(filch_path_rename("x", NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_path_unlink(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_path_mkdir(NULL, 0, FILCH_NEVER), -EINVAL);
    check_int(filch_path_rmdir(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_file_read_all(NULL, &data, &size, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_file_read_all("/", NULL, &size, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_file_read_all("/", &data, NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_file_write_all(NULL, "", 0, 0600, FILCH_NEVER), -EINVAL);
    check_int(filch_file_write_all("x", NULL, 1, 0600, FILCH_NEVER), -EINVAL);
    check_int(filch_dir_open(NULL, "/", FILCH_NEVER), -EINVAL);
    check_int(filch_dir_open(&dir, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_dir_next(NULL, &entry, FILCH_NEVER), -EINVAL);
    check_int(filch_dir_open(&dir, "/", FILCH_NEVER), 0);
    check_int(filch_dir_next(dir, NULL, FILCH_NEVER), -EINVAL);
    filch_dir_close(dir);
    filch_dir_close(NULL);
    return 0;
}

TEST(file, bad_arguments_are_refused) {
    run_in_folder(misuse, NULL);
}

static void check_closed(filch_file file) {
    char buffer[4];
    struct stat about;
    check_int(filch_file_number(file), -EBADF);
    check_int(filch_file_read(file, buffer, 1, FILCH_NEVER), -EBADF);
    check_int(filch_file_pread(file, buffer, 1, 0, FILCH_NEVER), -EBADF);
    check_int(filch_file_write(file, buffer, 1, FILCH_NEVER), -EBADF);
    check_int(filch_file_pwrite(file, buffer, 1, 0, FILCH_NEVER), -EBADF);
    check_int(filch_file_seek(file, 0, SEEK_SET), -EBADF);
    check_int(filch_file_sync(file, FILCH_NEVER), -EBADF);
    check_int(filch_file_sync_data(file, FILCH_NEVER), -EBADF);
    check_int(filch_file_truncate(file, 0, FILCH_NEVER), -EBADF);
    check_int(filch_file_stat(file, &about, FILCH_NEVER), -EBADF);
    check_int(filch_file_close(file), -EBADF);
}

static int use_when_closed(void *arg) {
    (void)arg;
    check_closed(FILCH_FILE_NONE);
    for (int i = 0; i < 2; i++) {
        filch_file file = open_file("/dev/null", i == 0 ? O_RDONLY : O_RDWR), copy = file;
        int number = filch_file_number(file);
        check_int(filch_file_close(copy), 0);
        check_int(fcntl(number, F_GETFD), -1);
        filch_file next = open_file("/dev/null", O_RDWR); /* has the number, most likely, and the record */
        check_closed(file);
        check(filch_file_number(next) >= 0);
        check_int(filch_file_close(next), 0);
    }
    return 0;
}

TEST(file, a_closed_file_is_closed_for_every_copy_whoever_has_its_number) {
    run_in_folder(use_when_closed, NULL);
}

static int read_one(void *arg) {
    char byte;
    return (int)filch_file_read(*(filch_file *)arg, &byte, 1, FILCH_NEVER);
}

static int close_in_use(void *arg) {
    (void)arg;
    use_pool();
    for (int written = 0; written < 2; written++) { /* a pipe's end is only read */
        int numbers[2];
        filch_file file;
        check_int(written ? socketpair(AF_UNIX, SOCK_STREAM, 0, numbers) : pipe(numbers), 0);
        check_int(filch_file_adopt(&file, numbers[0], NULL), 0);
        filch_task *reads = start(read_one, &file);
        struct filch__record *record = file.filch__fd.filch__record;
        while ((load_acquire(&record->state) & RECORD_USERS) < 2)
            filch_sleep(FILCH_MS(1)); /* until it is in the call */
        check_int(filch_file_close(file), 0);
        check_int(filch_file_close(file), -EBADF);
        check(fcntl(numbers[0], F_GETFD) >= 0); /* it is in use: nobody else may get the number */
        check_int(write(numbers[1], "x", 1), 1);
        check_int(result_of(reads), 1);
        check_int(fcntl(numbers[0], F_GETFD), -1);
        close(numbers[1]);
    }
    return 0;
}

TEST(file, one_that_is_closed_while_a_call_uses_it_is_closed_after_that) {
    folder_make();
    run_with(4, close_in_use, NULL);
    folder_remove();
}

/* What has no positions is not read or written as if it had one, whoever makes the calls. */
static int move_at_no_position(void *arg) {
    (void)arg;
    int numbers[2];
    filch_file ends[2];
    char got[8] = "";
    check_int(pipe2(numbers, O_CLOEXEC), 0);
    for (int i = 0; i < 2; i++) check_int(filch_file_adopt(&ends[i], numbers[i], NULL), 0);
    check_int(filch_file_write(ends[1], "word", 4, FILCH_NEVER), 4);
    for (int64_t offset = 0; offset < 2; offset++) {
        check_int(filch_file_pread(ends[0], got, sizeof got, offset, FILCH_NEVER), -ESPIPE);
        check_int(filch_file_pwrite(ends[1], "more", 4, offset, FILCH_NEVER), -ESPIPE);
    }
    check_int(filch_file_read(ends[0], got, sizeof got, FILCH_NEVER), 4);
    check(strcmp(got, "word") == 0);
    for (int i = 0; i < 2; i++) check_int(filch_file_close(ends[i]), 0);
    check_int(filch_file_pread(ends[0], got, sizeof got, 0, FILCH_NEVER), -EBADF);
    return 0;
}

TEST(file, what_has_no_positions_is_not_moved_at_one) {
    run_with(1, move_at_no_position, NULL);
    check_int(filch_run(move_at_no_position, NULL, &(filch_options){.poller = FILCH_POLLER_EPOLL}), 0);
    check_int(filch_run(move_at_no_position, NULL, &(filch_options){.poller = FILCH_POLLER_IO_URING}), 0);
}

/* ---------------------------------------------------------------------------------------- deadlines and cancellation */

/* Every call that waits, none of which may change anything. */
static void check_all_answer(filch_file file, int answer, filch_deadline deadline) {
    char buffer[8] = "old";
    void *data = buffer;
    size_t size = 77;
    struct stat about;
    filch_file opened = FILCH_FILE_NONE;
    filch_dir *dir = NULL;
    check_int(filch_file_open(&opened, "new", O_RDWR | O_CREAT, 0600, deadline), answer);
    check_int(filch_file_pwrite(file, "changed", 7, 0, deadline), answer);
    check_int(filch_file_write(file, "changed", 7, deadline), answer);
    check_int(filch_file_sync(file, deadline), answer);
    check_int(filch_file_sync_data(file, deadline), answer);
    check_int(filch_file_truncate(file, 1, deadline), answer);
    check_int(filch_file_stat(file, &about, deadline), answer);
    check_int(filch_path_stat("there", &about, deadline), answer);
    check_int(filch_path_lstat("there", &about, deadline), answer);
    check_int(filch_path_rename("there", "new", deadline), answer);
    check_int(filch_path_unlink("there", deadline), answer);
    check_int(filch_path_mkdir("new", 0700, deadline), answer);
    check_int(filch_path_rmdir("folder", deadline), answer);
    check_int(filch_file_read_all("there", &data, &size, 100, deadline), answer);
    check_int(filch_file_write_all("there", "new", 3, 0600, deadline), answer);
    check_int(filch_dir_open(&dir, ".", deadline), answer);
    check(data == buffer && size == 77 && dir == NULL);
}

static void check_unchanged(filch_file file) {
    char buffer[8];
    check_int(filch_file_pread(file, buffer, 8, 0, FILCH_NEVER), 4);
    check(memcmp(buffer, "same", 4) == 0);
    check_int(entries_in("."), 2);
}

static filch_file prepare(void) {
    filch_file file = open_file("there", O_RDWR | O_CREAT);
    check_int(filch_file_write(file, "same", 4, FILCH_NEVER), 4);
    check_int(filch_path_mkdir("folder", 0700, FILCH_NEVER), 0);
    return file;
}

static void clean(filch_file file) {
    check_unchanged(file);
    check_int(filch_file_close(file), 0);
    check_int(filch_path_rmdir("folder", FILCH_NEVER), 0);
    check_int(filch_path_unlink("there", FILCH_NEVER), 0);
}

static int all_when_cancelled(void *arg) {
    (void)arg;
    filch_scope scope;
    char buffer[4];
    filch_dir *dir;
    filch_dir_entry entry;
    filch_file file = prepare(), other = open_file("there", O_WRONLY);
    check_int(filch_dir_open(&dir, ".", FILCH_NEVER), 0);
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_all_answer(file, -ECANCELED, FILCH_NEVER);
    check_int(filch_file_read(file, buffer, 4, FILCH_NEVER), -ECANCELED);
    check_int(filch_file_pread(file, buffer, 4, 0, FILCH_NEVER), -ECANCELED);
    check_int(filch_dir_next(dir, &entry, FILCH_NEVER), -ECANCELED);
    check_int(filch_file_close(other), 0); /* that can always be done */
    filch_scope_close(&scope);
    check_int(filch_dir_next(dir, &entry, FILCH_NEVER), 1);
    filch_dir_close(dir);
    clean(file);
    return 0;
}

TEST(file, when_cancelled_every_call_answers_so_and_changes_nothing) {
    run_in_folder(all_when_cancelled, NULL);
}

/* The only helper thread is kept busy: whoever needs it waits. */
struct keeper {
    int numbers[2];
    atomic_int at_it;
};

static int keep_busy(void *arg) {
    struct keeper *keeper = arg;
    char byte;
    atomic_store(&keeper->at_it, 1);
    return (int)read(keeper->numbers[0], &byte, 1);
}

static int occupy(void *arg) {
    int result;
    check_int(filch_blocking(keep_busy, arg, &result, FILCH_NEVER), 0);
    return result;
}

static int all_while_busy(void *arg) {
    (void)arg;
    struct keeper keeper = {.at_it = 0};
    char buffer[4];
    use_pool();
    check_int(pipe(keeper.numbers), 0);
    filch_file file = prepare();
    filch_task *occupies = start(occupy, &keeper);
    while (!atomic_load(&keeper.at_it)) filch_sleep(FILCH_US(100));
    check_all_answer(file, -ETIMEDOUT, (filch_deadline){0});
    filch_deadline deadline = filch_after(FILCH_MS(2));
    check_int(filch_file_pwrite(file, "changed", 7, 0, deadline), -ETIMEDOUT);
    check(filch_now() >= deadline.at_ns);
    check_int(filch_file_pread(file, buffer, 4, 0, (filch_deadline){0}), 4); /* in memory: nobody else is needed */
    check_int(write(keeper.numbers[1], "x", 1), 1);
    check_int(result_of(occupies), 1);
    clean(file);
    close(keeper.numbers[0]);
    close(keeper.numbers[1]);
    return 0;
}

TEST(file, when_time_is_up_every_call_answers_so_and_has_changed_nothing) {
    for (unsigned workers = 1; workers <= 4; workers += 3) {
        folder_make();
        check_int(filch_run(all_while_busy, NULL, &(filch_options){.workers = workers, .blocking_threads = 1}), 0);
        folder_remove();
    }
}

static int write_over(void *arg) {
    return (int)filch_file_pwrite(*(filch_file *)arg, "changed", 7, 0, FILCH_NEVER);
}

static int cancel_while_busy(void *arg) {
    (void)arg;
    struct keeper keeper = {.at_it = 0};
    use_pool();
    check_int(pipe(keeper.numbers), 0);
    filch_file file = prepare();
    filch_task *occupies = start(occupy, &keeper);
    while (!atomic_load(&keeper.at_it)) filch_sleep(FILCH_US(100));
    filch_task *writes = start(write_over, &file);
    filch_sleep(FILCH_MS(2)); /* it waits by now, or will not begin: the answer is the same */
    filch_task_cancel(writes);
    check_int(result_of(writes), -ECANCELED);
    check_int(write(keeper.numbers[1], "x", 1), 1);
    check_int(result_of(occupies), 1);
    clean(file);
    close(keeper.numbers[0]);
    close(keeper.numbers[1]);
    return 0;
}

TEST(file, one_that_is_cancelled_while_it_waits_for_its_turn_changes_nothing) {
    folder_make();
    check_int(filch_run(cancel_while_busy, NULL, &(filch_options){.workers = 2, .blocking_threads = 1}), 0);
    folder_remove();
}

/* ------------------------------------------------------------------------------------------------------------ engines */

static atomic_int asked, made;

/* An engine that makes writes, in its own way, and nothing else. */
static int make_writes(struct filch__io *io, struct filch__file_op *op, filch_deadline deadline) {
    (void)deadline;
    check(io != NULL);
    atomic_fetch_add(&asked, 1);
    if (op->opcode != FILE_WRITE) return -ENOSYS;
    atomic_fetch_add(&made, 1);
    op->answer = filch__file_perform(op);
    return 0;
}

static const struct filch__file_engine writer = {.name = "writer", .submit_and_wait = make_writes};

static int use_engine(void *arg) {
    (void)arg;
    struct filch__io *io;
    check_int(filch__io_of(filch_runtime_current(), &io), 0);
    io->files = &writer;
    filch_file file = open_file("e", O_RDWR | O_CREAT);
    check_int(filch_file_write(file, "abc", 3, FILCH_NEVER), 3);
    check_int(filch_file_sync(file, FILCH_NEVER), 0);
    check_int(filch_file_close(file), 0);
    check_int(filch_path_unlink("e", FILCH_NEVER), 0);
    check_int(made, 1);
    check_int(asked, 5);
    return 0;
}

TEST(file, what_an_engine_does_not_make_goes_to_the_pool) {
    folder_make();
    run_with(2, use_engine, NULL);
    folder_remove();
}

/* -------------------------------------------------------------------------------------------------------- whole files */

static void check_whole(const char *path, const char *expected, size_t length) {
    void *data;
    size_t size;
    check_int(filch_file_read_all(path, &data, &size, length, FILCH_NEVER), 0);
    check_int(size, length);
    check(memcmp(data, expected, length) == 0);
    check_int(((char *)data)[length], 0);
    free(data);
}

static int whole(void *arg) {
    (void)arg;
    size_t large = 300001, size = 1;
    char *buffer = malloc(large);
    void *data = NULL;
    struct stat about;
    for (size_t i = 0; i < large; i++) buffer[i] = (char)(i * 7);
    check_int(filch_file_read_all("w", &data, &size, 10, FILCH_NEVER), -ENOENT);
    check_int(filch_file_write_all("w", NULL, 0, 0600, FILCH_NEVER), 0);
    check_whole("w", "", 0);
    check_int(filch_file_write_all("w", buffer, large, 0640, FILCH_NEVER), 0);
    check_whole("w", buffer, large);
    check_int(filch_path_stat("w", &about, FILCH_NEVER), 0);
    check_int(about.st_mode & 0777, 0640);
    check_int(filch_file_read_all("w", &data, &size, large - 1, FILCH_NEVER), -EFBIG);
    check_int(filch_file_read_all(".", &data, &size, 10, FILCH_NEVER), -EISDIR);
    check(data == NULL && size == 1);
    check_int(filch_file_read_all("/proc/self/status", &data, &size, 1 << 20, FILCH_NEVER), 0);
    check(size > 100 && size == strlen(data)); /* which says that it has no size */
    free(data);
    check_int(filch_file_read_all("/dev/zero", &data, &size, 10000, FILCH_NEVER), -EFBIG);
    check_int(filch_file_write_all("none/w", "x", 1, 0600, FILCH_NEVER), -ENOENT);
    check_int(entries_in("."), 1);
    check_int(filch_path_unlink("w", FILCH_NEVER), 0);
    free(buffer);
    return 0;
}

TEST(file, whole_files_are_read_and_replaced) {
    umask(022);
    run_in_folder(whole, NULL);
}

/* Others hold it open, or look for it there: a regular file in its place would destroy it. */
static int refuse_to_replace(void *arg) {
    (void)arg;
    struct stat before, after;
    check_int(mkfifo("fifo", 0600), 0);
    check_int(filch_path_mkdir("directory", 0700, FILCH_NEVER), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int number = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_int(bind(number, (struct sockaddr *)&address, sizeof address), 0);
    close(number);
    bool device = mknod("device", S_IFCHR | 0600, makedev(1, 3)) == 0; /* else the caller may not make one */
    const char *names[] = {"fifo", "socket", "directory", "device"};
    for (int i = 0; i < (device ? 4 : 3); i++) {
        check_int(lstat(names[i], &before), 0);
        int expected = S_ISDIR(before.st_mode) ? -EISDIR : -EOPNOTSUPP;
        check_int(filch_file_write_all(names[i], "x", 1, 0600, FILCH_NEVER), expected);
        check_int(lstat(names[i], &after), 0);
        check(before.st_ino == after.st_ino && before.st_mode == after.st_mode);
    }
    check_int(symlink("fifo", "link"), 0);
    check_int(filch_file_write_all("link", "x", 1, 0600, FILCH_NEVER), 0); /* the link, and not what it leads to */
    check_whole("link", "x", 1);
    check_int(lstat("fifo", &after), 0);
    check(S_ISFIFO(after.st_mode));
    check_int(entries_in("."), device ? 5 : 4);
    for (int i = 0; i < (device ? 4 : 3); i++) check_int(remove(names[i]), 0);
    return remove("link");
}

TEST(file, what_is_no_regular_file_is_not_replaced) {
    run_in_folder(refuse_to_replace, NULL);
}

/* Any of the system calls fails: the file is as it was, or as it is to be, and nothing is left beside it. */
static int replace_with_failures(void *arg) {
    (void)arg;
    use_pool();
    int failures = 0;
    check_int(filch_file_write_all("w", "old", 3, 0600, FILCH_NEVER), 0);
    for (uint64_t nth = 1;; nth++) {
        filch__system_fail(nth, false, -EIO);
        int answer = filch_file_write_all("w", "new", 3, 0600, FILCH_NEVER);
        bool failed = filch__system_calls() >= nth;
        filch__system_fail(0, false, 0);
        check_whole("w", answer == 0 ? "new" : "old", 3);
        check_int(entries_in("."), 1);
        if (answer == 0 && !failed) break;
        check_int(answer, -EIO);
        failures++;
    }
    check(failures >= 5); /* look, open, write, sync, rename */
    check_int(filch_path_unlink("w", FILCH_NEVER), 0);
    return 0;
}

TEST(file, a_replacement_that_fails_leaves_the_old_file_and_nothing_else) {
    run_in_folder(replace_with_failures, NULL);
}

enum { REPLACEMENTS = 200, READERS = 4, WHOLE = 40000 };
static atomic_bool replaced;

static int read_again_and_again(void *arg) {
    (void)arg;
    int rounds = 0;
    do {
        void *data;
        size_t size;
        check_int(filch_file_read_all("w", &data, &size, WHOLE, FILCH_NEVER), 0);
        check_int(size, WHOLE);
        const char *bytes = data;
        check(memcmp(bytes, bytes + 1, WHOLE - 1) == 0); /* all of one writing */
        free(data);
        rounds++;
    } while (!atomic_load(&replaced));
    return rounds;
}

static int replace_while_read(void *arg) {
    (void)arg;
    filch_task *readers[READERS];
    char *data = malloc(WHOLE);
    atomic_store(&replaced, false);
    memset(data, 'a', WHOLE);
    check_int(filch_file_write_all("w", data, WHOLE, 0600, FILCH_NEVER), 0);
    for (int i = 0; i < READERS; i++) readers[i] = start(read_again_and_again, NULL);
    for (int i = 0; i < REPLACEMENTS / TEST_SCALE; i++) {
        memset(data, 'a' + i % 26, WHOLE);
        check_int(filch_file_write_all("w", data, WHOLE, 0600, FILCH_NEVER), 0);
    }
    atomic_store(&replaced, true);
    for (int i = 0; i < READERS; i++) check(result_of(readers[i]) > 0);
    check_int(filch_path_unlink("w", FILCH_NEVER), 0);
    free(data);
    return 0;
}

TEST(file, who_reads_while_a_file_is_replaced_gets_one_or_the_other) {
    run_in_folder_made_by(folder_make_for_many, replace_while_read, NULL);
}

/* -------------------------------------------------------------------------------------------------------- directories */

enum { ENTRIES = 3000 };

static int list(void *arg) {
    (void)arg;
    filch_dir *dir;
    filch_dir_entry entry;
    static char seen[ENTRIES];
    int answer, count = 0, folders = 0;
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < ENTRIES; i++) {
        char name[32];
        snprintf(name, sizeof name, "entry-%d", i);
        int number = open(name, O_CREAT | O_WRONLY, 0600);
        check(number >= 0);
        close(number);
    }
    check_int(mkdir("folder", 0700), 0);
    check_int(filch_dir_open(&dir, ".", FILCH_NEVER), 0);
    while ((answer = filch_dir_next(dir, &entry, FILCH_NEVER)) == 1) {
        check(entry.inode != 0);
        int number;
        if (sscanf(entry.name, "entry-%d", &number) == 1) {
            check_int(seen[number]++, 0);
            check(entry.type == DT_REG || entry.type == DT_UNKNOWN);
            check_int(filch_path_unlink(entry.name, FILCH_NEVER), 0); /* under way */
            count++;
        } else {
            check(strcmp(entry.name, "folder") == 0);
            check(entry.type == DT_DIR || entry.type == DT_UNKNOWN);
            folders++;
        }
    }
    check_int(answer, 0);
    check_int(filch_dir_next(dir, &entry, FILCH_NEVER), 0);
    check_int(count, ENTRIES);
    check_int(folders, 1);
    filch_dir_close(dir);
    check_int(filch_dir_open(&dir, "folder", FILCH_NEVER), 0);
    check_int(filch_dir_next(dir, &entry, FILCH_NEVER), 0);
    filch_dir_close(dir);
    check_int(filch_path_rmdir("folder", FILCH_NEVER), 0);
    return 0;
}

TEST(file, a_directory_tells_each_entry_once) {
    run_in_folder_made_by(folder_make_for_many, list, NULL);
}

/* --------------------------------------------------------------------------------------------------- crowds, threads */

enum { FILES = 1000, AT_ONCE = 200 };

static int use_own_file(void *arg) {
    int number = *(int *)arg;
    char name[32], text[64], read[64];
    for (int i = number; i < FILES; i += AT_ONCE) {
        snprintf(name, sizeof name, "file-%d", i);
        int length = snprintf(text, sizeof text, "this is file %d of a thousand", i);
        filch_file file = open_file(name, O_RDWR | O_CREAT | O_EXCL);
        check_int(filch_file_write(file, text, (size_t)length, FILCH_NEVER), length);
        filch_yield();
        check_int(filch_file_pread(file, read, sizeof read, 0, FILCH_NEVER), length);
        check(memcmp(read, text, (size_t)length) == 0);
        check_int(filch_file_close(file), 0);
        check_whole(name, text, (size_t)length);
        check_int(filch_path_unlink(name, FILCH_NEVER), 0);
    }
    return 0;
}

static int use_many(void *arg) {
    (void)arg;
    filch_task *tasks[AT_ONCE];
    int numbers[AT_ONCE];
    filch_file first = open_file("/dev/null", O_RDONLY);     /* the poller is there, */
    check_int(filch_file_sync(first, FILCH_NEVER), -EINVAL); /* and so is what serves files */
    int before = open_descriptors();
    for (int i = 0; i < AT_ONCE; i++) {
        numbers[i] = i;
        tasks[i] = start(use_own_file, &numbers[i]);
    }
    for (int i = 0; i < AT_ONCE; i++) check_int(result_of(tasks[i]), 0);
    check_int(open_descriptors(), before);
    check_int(filch_file_close(first), 0);
    return 0;
}

TEST(file, a_thousand_files_in_many_tasks) {
    run_in_folder_made_by(folder_make_for_many, use_many, NULL);
}

static void *use_in_thread(void *arg) {
    filch_runtime *runtime = arg;
    filch_file file;
    filch_dir *dir;
    filch_dir_entry entry;
    char buffer[8];
    check_int(filch_file_open(&file, "t", O_RDWR | O_CREAT, 0600, FILCH_NEVER), -EPERM);
    int number = open("t", O_RDWR | O_CREAT, 0600);
    check_int(filch_file_adopt(&file, number, NULL), -EPERM);
    check_int(filch_file_adopt(&file, number, &(filch_fd_options){.runtime = runtime}), 0);
    check_int(filch_file_write(file, "abc", 3, FILCH_NEVER), 3);
    check_int(filch_file_pread(file, buffer, 8, 0, FILCH_NEVER), 3);
    check_int(filch_file_close(file), 0);
    check_int(filch_file_write_all("t", "abcd", 4, 0600, FILCH_NEVER), 0);
    check_whole("t", "abcd", 4);
    check_int(filch_dir_open(&dir, ".", FILCH_NEVER), 0);
    check_int(filch_dir_next(dir, &entry, FILCH_NEVER), 1);
    check(strcmp(entry.name, "t") == 0);
    check_int(filch_dir_next(dir, &entry, FILCH_NEVER), 0);
    filch_dir_close(dir);
    check_int(filch_path_unlink("t", FILCH_NEVER), 0);
    return NULL;
}

TEST(file, threads_may_use_them_too) {
    pthread_t thread;
    filch_runtime *runtime;
    folder_make();
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2}), 0);
    check_int(pthread_create(&thread, NULL, use_in_thread, runtime), 0);
    pthread_join(thread, NULL);
    check_int(filch_runtime_destroy(runtime), 0);
    folder_remove();
}

static int leave_open(void *arg) {
    (void)arg;
    (void)open_file("/dev/null", O_RDWR);
    return 0;
}

TEST(file, what_is_left_open_goes_with_the_runtime) {
    int before = open_descriptors();
    run_with(2, leave_open, NULL);
    check_int(open_descriptors(), before);
}

/* ---------------------------------------------------------------------------------------------------------- exhaustion */

static int do_all(void *arg) {
    (void)arg;
    filch_file file;
    filch_dir *dir;
    void *data;
    size_t size;
    int error = filch_file_open(&file, "m", O_RDWR | O_CREAT, 0600, FILCH_NEVER);
    if (error == 0) {
        check_int(filch_file_pwrite(file, "abc", 3, 0, FILCH_NEVER), 3);
        check_int(filch_file_close(file), 0);
    }
    check(error == 0 || error == -ENOMEM);
    error = filch_file_write_all("m", "abcdef", 6, 0600, FILCH_NEVER);
    check(error == 0 || error == -ENOMEM);
    error = filch_file_read_all("m", &data, &size, 1000, FILCH_NEVER);
    if (error == 0) free(data);
    check(error == 0 || error == -ENOMEM || error == -ENOENT);
    error = filch_dir_open(&dir, ".", FILCH_NEVER);
    if (error == 0) filch_dir_close(dir);
    check(error == 0 || error == -ENOMEM);
    return 17;
}

static bool do_all_without(uint64_t nth) {
    size_t before = filch__heap_objects();
    filch__alloc_fail(nth, false);
    int answer = filch_run(do_all, NULL, &(filch_options){.workers = 2});
    bool failed = filch__alloc_requests() >= nth;
    filch__alloc_fail(0, false);
    check(answer == 17 || (answer == -ENOMEM && failed));
    check_int(filch__heap_objects(), before);
    return failed;
}

TEST(file, any_request_for_memory_may_fail) {
    folder_make();
    int before = open_descriptors();
    for (uint64_t nth = 1, past = 0; past < 5; nth++) past += !do_all_without(nth);
    check_int(open_descriptors(), before);
    check(unlink("m") == 0);
    check_int(entries_in("."), 0);
    folder_remove();
}
