/* SPDX-License-Identifier: MIT */
/*
 * Proves that each call on a descriptor moves what it is said to move, and answers as its header says: on pipes, sockets,
 * datagrams and files; with ends, sizes of nothing and bad arguments.
 */
#include <filch/unix.h>
#include <limits.h>
#include <stdio.h>
#include <sys/un.h>

#include "tests/io/fds.h"

/* --------------------------------------------------------------------------------------------------- read and write */

typedef void make_fn(filch_fd ends[2]);

static make_fn *const streams[] = {make_pair, make_pipe, make_tcp}; /* the second end writes, the first reads */
enum { STREAMS = sizeof streams / sizeof streams[0] };

static int echo_a_word(void *arg) {
    (void)arg;
    for (int i = 0; i < STREAMS; i++) {
        filch_fd ends[2];
        char got[64] = "";
        size_t moved = 99;
        streams[i](ends);
        check_int(filch_fd_write(ends[1], "word", 4, FILCH_NEVER), 4);
        check_int(filch_fd_read(ends[0], got, sizeof got, FILCH_NEVER), 4);
        check(memcmp(got, "word", 4) == 0);
        check_int(filch_fd_write_all(ends[1], alphabet, 26, &moved, FILCH_NEVER), 0);
        check_int(moved, 26);
        check_int(filch_fd_read_exactly(ends[0], got, 20, &moved, FILCH_NEVER), 0);
        check_int(moved, 20);
        check(memcmp(got, alphabet, 20) == 0);
        check_int(filch_fd_close(ends[1]), 0);
        check_int(filch_fd_read_exactly(ends[0], got, 7, &moved, FILCH_NEVER), -ENODATA);
        check_int(moved, 6);
        check(memcmp(got, alphabet + 20, 6) == 0);
        for (int again = 0; again < 2; again++) check_int(filch_fd_read(ends[0], got, 1, FILCH_NEVER), 0);
        check_int(filch_fd_read_exactly(ends[0], got, 1, NULL, FILCH_NEVER), -ENODATA);
        check_int(filch_fd_close(ends[0]), 0);
    }
    return 0;
}

TEST(fd, what_is_written_is_read_and_the_end_comes_after_it) {
    run_with_all(echo_a_word, NULL);
}

static int in_parts(void *arg) {
    (void)arg;
    for (int i = 0; i < STREAMS; i++) {
        filch_fd ends[2];
        char a[3], b[4];
        streams[i](ends);
        struct iovec out[] = {{(void *)(uintptr_t) "ab", 2}, {NULL, 0}, {(void *)(uintptr_t) "cde", 3}};
        struct iovec in[] = {{a, sizeof a}, {b, sizeof b}};
        check_int(filch_fd_writev(ends[1], out, 3, FILCH_NEVER), 5);
        check_int(filch_fd_readv(ends[0], in, 2, FILCH_NEVER), 5);
        check(memcmp(a, "abc", 3) == 0 && memcmp(b, "de", 2) == 0);
        check_int(filch_fd_writev(ends[1], NULL, 0, FILCH_NEVER), 0);
        check_int(filch_fd_readv(ends[0], NULL, 0, FILCH_NEVER), 0); /* and does not wait for something to read */
        check_int(filch_fd_writev(ends[1], out, IOV_MAX + 1, FILCH_NEVER), -EINVAL);
        check_int(filch_fd_readv(ends[0], in, -1, FILCH_NEVER), -EINVAL);
        check_int(filch_fd_readv(ends[0], NULL, 1, FILCH_NEVER), -EINVAL);
        struct iovec bad[] = {{NULL, 1}}, large[] = {{a, SSIZE_MAX}, {a, 2}};
        check_int(filch_fd_readv(ends[0], bad, 1, FILCH_NEVER), -EINVAL);
        check_int(filch_fd_writev(ends[1], bad, 1, FILCH_NEVER), -EINVAL);
        check_int(filch_fd_writev(ends[1], large, 2, FILCH_NEVER), -EINVAL);
        close_both(ends);
    }
    return 0;
}

TEST(fd, parts_are_written_and_read_in_their_order) {
    run_with_all(in_parts, NULL);
}

static int use_badly(void *arg) {
    (void)arg;
    filch_fd ends[2], *fd = &ends[0];
    char byte;
    make_pair(ends);
    check_int(filch_fd_read(*fd, NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_write(*fd, NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_recv(*fd, NULL, 1, 0, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_send(*fd, NULL, 1, 0, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_recv(*fd, &byte, 1, MSG_WAITALL, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_recvmsg(*fd, NULL, 0, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_recvmsg(*fd, &(struct msghdr){0}, MSG_WAITALL, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_sendmsg(*fd, NULL, 0, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_pread(*fd, NULL, 1, 0, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_pread(*fd, &byte, 1, -1, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_pwrite(*fd, NULL, 1, 0, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_pwrite(*fd, &byte, 1, -1, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_pread(*fd, &byte, 1, 0, FILCH_NEVER), -ESPIPE);
    check_int(filch_fd_pwrite(*fd, &byte, 1, 0, FILCH_NEVER), -ESPIPE);
    size_t moved = 9;
    check_int(filch_fd_read_exactly(*fd, NULL, 1, &moved, FILCH_NEVER), -EINVAL);
    check_int(moved, 0);
    check_int(filch_fd_write_all(*fd, NULL, 1, &moved, FILCH_NEVER), -EINVAL);
    int64_t offset = -1;
    check_int(filch_fd_sendfile(*fd, -1, NULL, 1, FILCH_NEVER), -EBADF);
    check_int(filch_fd_sendfile(*fd, 0, &offset, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_splice(ends[0], ends[1], 1, FILCH_NEVER), -EINVAL); /* neither is a pipe */
    check_int(filch_fd_wait(*fd, 0, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_wait(*fd, 4, FILCH_NEVER), -EINVAL);
    check_int(filch_poll(0, 0, FILCH_NEVER), -EINVAL);
    check_int(filch_poll(0, 8 | FILCH_READABLE, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_adopt(NULL, 0, NULL), -EINVAL);
    check_int(filch_pipe_open(NULL, fd, NULL), -EINVAL);
    check_int(filch_pipe_open(fd, NULL, NULL), -EINVAL);
    close_both(ends);
    return 0;
}

TEST(fd, bad_arguments_are_answered) {
    run_with_all(use_badly, NULL);
}

static int move_nothing(void *arg) {
    (void)arg;
    for (int i = 0; i < STREAMS; i++) {
        filch_fd ends[2];
        char byte;
        streams[i](ends);
        for (int closed = 0; closed < 2; closed++) {
            int answer = closed ? -EBADF : 0;
            check_int(filch_fd_read(ends[0], NULL, 0, FILCH_NEVER), answer);
            check_int(filch_fd_read(ends[0], &byte, 0, FILCH_NEVER), answer);
            check_int(filch_fd_write(ends[1], NULL, 0, FILCH_NEVER), answer);
            check_int(filch_fd_read_exactly(ends[0], NULL, 0, NULL, FILCH_NEVER), answer);
            check_int(filch_fd_write_all(ends[1], NULL, 0, NULL, FILCH_NEVER), answer);
            if (!closed) close_both(ends);
        }
    }
    return 0;
}

TEST(fd, to_move_nothing_tells_only_whether_it_is_open) {
    run_with_all(move_nothing, NULL);
}

static int none_works(void *arg) {
    filch_fd none = *(filch_fd *)arg;
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    filch_fd ends[2];
    check_int(filch_fd_read(none, &byte, 1, FILCH_NEVER), -EBADF);
    check_int(filch_fd_readv(none, &part, 1, FILCH_NEVER), -EBADF);
    check_int(filch_fd_write(none, &byte, 1, FILCH_NEVER), -EBADF);
    check_int(filch_fd_writev(none, &part, 1, FILCH_NEVER), -EBADF);
    check_int(filch_fd_read_exactly(none, &byte, 1, NULL, FILCH_NEVER), -EBADF);
    check_int(filch_fd_write_all(none, &byte, 1, NULL, FILCH_NEVER), -EBADF);
    check_int(filch_fd_pread(none, &byte, 1, 0, FILCH_NEVER), -EBADF);
    check_int(filch_fd_pwrite(none, &byte, 1, 0, FILCH_NEVER), -EBADF);
    check_int(filch_fd_recv(none, &byte, 1, 0, FILCH_NEVER), -EBADF);
    check_int(filch_fd_recv(none, &byte, 1, MSG_OOB, FILCH_NEVER), -EBADF);
    check_int(filch_fd_send(none, &byte, 1, 0, FILCH_NEVER), -EBADF);
    check_int(filch_fd_recvmsg(none, &message, 0, FILCH_NEVER), -EBADF);
    check_int(filch_fd_sendmsg(none, &message, 0, FILCH_NEVER), -EBADF);
    check_int(filch_fd_sendfile(none, 0, NULL, 1, FILCH_NEVER), -EBADF);
    check_int(filch_fd_wait(none, FILCH_READABLE, FILCH_NEVER), -EBADF);
    check_int(filch_fd_number(none), -EBADF);
    check_int(filch_fd_close(none), -EBADF);
    check_int(filch_fd_release(none), -EBADF);
    if (filch_runtime_current() == NULL) return 0;
    make_pipe(ends);
    check_int(filch_fd_splice(none, ends[1], 1, FILCH_NEVER), -EBADF);
    check_int(filch_fd_splice(ends[0], none, 1, FILCH_NEVER), -EBADF);
    close_both(ends);
    return 0;
}

static int none_works_in_task(void *arg) {
    (void)arg;
    filch_fd none = FILCH_FD_NONE, closed[2];
    check_int(none_works(&none), 0);
    make_pair(closed);
    close_both(closed);
    check_int(none_works(&closed[0]), 0);
    return 0;
}

TEST(fd, on_none_and_on_a_closed_one_every_call_answers_ebadf) {
    run_with_all(none_works_in_task, NULL);
    filch_fd none = FILCH_FD_NONE;
    check_int(none_works(&none), 0);
}

static int answers_in_turn(void *arg) {
    (void)arg;
    filch_fd closed[2];
    filch_scope scope;
    char byte;
    make_pair(closed);
    close_both(closed);
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(filch_fd_read(closed[0], NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_fd_read(closed[0], &byte, 1, FILCH_NEVER), -ECANCELED);
    check_int(filch_fd_write(closed[0], "x", 1, FILCH_NEVER), -ECANCELED);
    check_int(filch_fd_wait(closed[0], FILCH_READABLE, FILCH_NEVER), -ECANCELED);
    check_int(filch_fd_read(closed[0], &byte, 0, FILCH_NEVER), -EBADF);
    check_int(filch_scope_close(&scope), -ECANCELED);
    return 0;
}

TEST(fd, of_several_errors_the_arguments_come_first_and_then_the_cancellation) {
    run_with_all(answers_in_turn, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ adopt */

static int adopt_all_kinds(void *arg) {
    (void)arg;
    filch_fd fd = FILCH_FD_NONE;
    check_int(filch_fd_adopt(&fd, -1, NULL), -EBADF);
    check_int(filch_fd_adopt(&fd, 1000000, NULL), -EBADF);
    check(fd.filch__record == NULL && fd.filch__generation == 0);
    int numbers[2];
    make_numbers(numbers);
    fd = adopt(numbers[0]);
    check_int(filch_fd_number(fd), numbers[0]);
    check(fcntl(numbers[0], F_GETFL) & O_NONBLOCK);
    check_int(filch_fd_close(fd), 0);
    check_int(fcntl(numbers[0], F_GETFD), -1); /* it has gone back at once */
    check_int(filch_fd_close(fd), -EBADF);
    close(numbers[1]);
    filch_fd ends[2];
    make_pipe(ends);
    for (int i = 0; i < 2; i++) {
        check(fcntl(filch_fd_number(ends[i]), F_GETFL) & O_NONBLOCK);
        check(fcntl(filch_fd_number(ends[i]), F_GETFD) & FD_CLOEXEC);
    }
    close_both(ends);
    return 0;
}

TEST(fd, an_adopted_number_is_made_non_blocking_and_is_closed_with_it) {
    run_with_all(adopt_all_kinds, NULL);
}

TEST(fd, a_thread_that_is_no_task_must_name_a_runtime) {
    filch_fd fd = FILCH_FD_NONE, ends[2];
    int numbers[2];
    make_numbers(numbers);
    check_int(filch_fd_adopt(&fd, numbers[0], NULL), -EPERM);
    check_int(filch_pipe_open(&ends[0], &ends[1], NULL), -EPERM);
    check_int(filch_pipe_open(&ends[0], &ends[1], &(filch_fd_options){0}), -EPERM);
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2}), 0);
    check_int(filch_fd_adopt(&fd, numbers[0], &(filch_fd_options){.runtime = runtime}), 0);
    char got[8];
    check_int(filch_fd_read(fd, got, 1, PASSED), -ETIMEDOUT);
    check_int(write(numbers[1], "x", 1), 1);
    check_int(filch_fd_read(fd, got, sizeof got, FILCH_NEVER), 1);
    check_int(filch_fd_close(fd), 0);
    close(numbers[1]);
    check_int(filch_runtime_destroy(runtime), 0);
}

TEST(fd, what_is_left_open_goes_with_its_runtime) {
    int before = numbers_open();
    for (unsigned workers = 1; workers <= 4; workers++) {
        filch_runtime *runtime;
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = workers}), 0);
        filch_fd ends[2];
        for (int i = 0; i < 5; i++) {
            check_int(filch_pipe_open(&ends[0], &ends[1], &(filch_fd_options){.runtime = runtime}), 0);
        }
        int number = filch_fd_release(ends[0]);
        check(number >= 0);
        check_int(filch_runtime_destroy(runtime), 0);
        check_int(close(number), 0);
    }
    check_int(numbers_open(), before);
}

/* ------------------------------------------------------------------------------------------------------------ files */

static int use_file(void *arg) {
    (void)arg;
    char path[] = "/tmp/filch-fd-test-XXXXXX", got[32];
    int number = mkstemp(path);
    check(number >= 0);
    unlink(path);
    filch_fd fd = adopt(number);
    check_int(filch_fd_write(fd, alphabet, 26, PASSED), 26);
    check_int(filch_fd_pread(fd, got, 5, 3, PASSED), 5);
    check(memcmp(got, "defgh", 5) == 0);
    check_int(filch_fd_pwrite(fd, "XY", 2, 4, FILCH_NEVER), 2);
    check_int(filch_fd_pread(fd, got, sizeof got, 0, FILCH_NEVER), 26);
    check(memcmp(got, "abcdXYgh", 8) == 0);
    check_int(filch_fd_pread(fd, got, sizeof got, 26, FILCH_NEVER), 0);
    check_int(filch_fd_read(fd, got, sizeof got, FILCH_NEVER), 0); /* its position is at the end */
    check_int(filch_fd_wait(fd, FILCH_READABLE, FILCH_NEVER), -EPERM);
    check_int(filch_poll(number, FILCH_READABLE, PASSED), FILCH_READABLE); /* as to poll(2) */
    check_int(filch_fd_close(fd), 0);
    fd = adopt(open("/dev/null", O_RDWR | O_CLOEXEC));
    check_int(filch_fd_write(fd, "x", 1, FILCH_NEVER), 1);
    check_int(filch_fd_read(fd, got, 1, FILCH_NEVER), 0);
    check_int(filch_fd_close(fd), 0);
    fd = adopt(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    check_int(filch_fd_read(fd, got, 1, FILCH_NEVER), -EISDIR);
    check_int(filch_fd_wait(fd, FILCH_READABLE, FILCH_NEVER), -EPERM);
    check_int(filch_fd_close(fd), 0);
    return 0;
}

TEST(fd, files_and_directories_are_adopted_and_cannot_be_waited_for) {
    run_with_all(use_file, NULL);
}

/* -------------------------------------------------------------------------------------------------------- datagrams */

static int send_datagrams(void *arg) {
    (void)arg;
    struct sockaddr_in addresses[2], from;
    filch_fd sockets[2];
    char got[64];
    for (int i = 0; i < 2; i++) sockets[i] = adopt(bound_number(SOCK_DGRAM, &addresses[i]));
    have_watched(sockets[1]);
    struct iovec part = {(void *)(uintptr_t) "first", 5};
    struct msghdr out = {
        .msg_name = &addresses[1], .msg_namelen = sizeof addresses[1], .msg_iov = &part, .msg_iovlen = 1};
    check_int(filch_fd_sendmsg(sockets[0], &out, 0, FILCH_NEVER), 5);
    part = (struct iovec){(void *)(uintptr_t) "", 0};
    check_int(filch_fd_sendmsg(sockets[0], &out, 0, FILCH_NEVER), 0); /* an empty one */
    part = (struct iovec){(void *)(uintptr_t) "third", 5};
    check_int(filch_fd_sendmsg(sockets[0], &out, 0, FILCH_NEVER), 5);
    struct iovec room = {got, sizeof got};
    struct msghdr in = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &room, .msg_iovlen = 1};
    check_int(filch_fd_recvmsg(sockets[1], &in, 0, FILCH_NEVER), 5);
    check(memcmp(got, "first", 5) == 0 && from.sin_port == addresses[0].sin_port);
    check_int(filch_fd_recv(sockets[1], got, sizeof got, 0, FILCH_NEVER), 0);
    check_int(filch_fd_recv(sockets[1], got, 2, MSG_TRUNC, FILCH_NEVER), 5); /* as recv(2): how long it was */
    check_int(filch_fd_recv(sockets[1], got, 2, 0, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    close_both(sockets);
    return 0;
}

TEST(fd, datagrams_keep_their_bounds_and_their_senders) {
    run_with_all(send_datagrams, NULL);
}

static int take_later(void *arg) {
    filch_fd *receiver = arg;
    char byte;
    for (int i = 0; i < 20; i++) {
        for (int turns = 0; turns < 100; turns++) filch_yield();
        check_int(filch_fd_recv(*receiver, &byte, 1, 0, FILCH_NEVER), 1);
        check_int(byte, i);
    }
    return 0;
}

static ssize_t send_to(filch_fd sender, const struct sockaddr_un *address, char byte, filch_deadline deadline) {
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_name = (void *)(uintptr_t)address, .msg_namelen = sizeof *address, .msg_iov = &part, .msg_iovlen = 1};
    return filch_fd_sendmsg(sender, &message, 0, deadline);
}

/* The kernel has no event for that the receiver has room again: by poll(2) there has been room all the time. */
static int send_to_one_that_is_full(void *arg) {
    (void)arg;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "filch-fd-test-%d", (int)getpid());
    filch_fd sender = adopt(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    int number = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check_int(bind(number, (struct sockaddr *)&address, sizeof address), 0);
    filch_fd receiver = adopt(number);
    ssize_t sent;
    int count = 0;
    char byte;
    while ((sent = send_to(sender, &address, 0, filch_after(FILCH_MS(1)))) == 1) count++;
    check_int(sent, -ETIMEDOUT);
    while (count-- > 0) check_int(filch_fd_recv(receiver, &byte, 1, 0, FILCH_NEVER), 1);
    filch_task *task = start(take_later, &receiver);
    for (int i = 0; i < 20; i++) check_int(send_to(sender, &address, (char)i, FILCH_NEVER), 1);
    check_int(result_of(task), 0);
    check_int(filch_fd_close(sender), 0);
    check_int(filch_fd_close(receiver), 0);
    return 0;
}

TEST(fd, a_datagram_waits_for_a_receiver_that_is_full_and_holds_nobody_up) {
    run_with_all(send_to_one_that_is_full, NULL);
}

/* -------------------------------------------------------------------------------- where a short read is not the end */

/* Both messages are there before the first is read, so that no event tells of the second. */
static void pass_a_number(filch_fd ends[2]) {
    have_watched(ends[0]);
    char control[CMSG_SPACE(sizeof(int))] = {0}, got[64];
    struct iovec part = {(void *)(uintptr_t) "a", 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    int passed = 0;
    memcpy(CMSG_DATA(header), &passed, sizeof passed);
    check_int(filch_fd_sendmsg(ends[1], &message, 0, FILCH_NEVER), 1);
    check_int(filch_fd_write(ends[1], "bcd", 3, FILCH_NEVER), 3);
    check(filch_fd_wait(ends[0], FILCH_READABLE, FILCH_NEVER) == FILCH_READABLE);
    check_int(filch_fd_read_exactly(ends[0], got, 4, NULL, FILCH_NEVER), 0);
    check(memcmp(got, "abcd", 4) == 0);
    close_both(ends);
}

static int pass_numbers(void *arg) {
    (void)arg;
    filch_fd ends[2];
    make_pair(ends);
    pass_a_number(ends);
    check_int(filch_unix_pair(&ends[0], &ends[1], SOCK_STREAM, NULL), 0);
    pass_a_number(ends);
    return 0;
}

TEST(fd, a_read_that_ends_where_a_descriptor_was_passed_does_not_hide_what_follows) {
    run_with_all(pass_numbers, NULL);
}

static int send_urgently(void *arg) {
    (void)arg;
    filch_fd ends[2];
    char got[64];
    make_tcp(ends);
    have_watched(ends[0]);
    check_int(filch_fd_write(ends[1], "before", 6, FILCH_NEVER), 6);
    check_int(filch_fd_send(ends[1], "!", 1, MSG_OOB, FILCH_NEVER), 1);
    check_int(filch_fd_write(ends[1], "after", 5, FILCH_NEVER), 5);
    check_int(filch_fd_read(ends[0], got, sizeof got, FILCH_NEVER), 6); /* short, and there is more */
    check(memcmp(got, "before", 6) == 0);
    check_int(filch_fd_recv(ends[0], got, 1, MSG_OOB, FILCH_NEVER), 1);
    check_int(got[0], '!');
    check_int(filch_fd_read_exactly(ends[0], got, 5, NULL, FILCH_NEVER), 0);
    check(memcmp(got, "after", 5) == 0);
    close_both(ends);
    return 0;
}

TEST(fd, a_read_that_ends_before_an_urgent_byte_does_not_hide_what_follows) {
    run_with_all(send_urgently, NULL);
}

static int use_packets(void *arg) {
    (void)arg;
    int numbers[2];
    filch_fd ends[2];
    char got[64];
    check_int(pipe2(numbers, O_DIRECT | O_CLOEXEC), 0);
    for (int i = 0; i < 2; i++) ends[i] = adopt(numbers[i]);
    have_watched(ends[0]);
    for (int i = 0; i < 3; i++) check_int(filch_fd_write(ends[1], alphabet, 3 + (size_t)i, FILCH_NEVER), 3 + i);
    check(filch_fd_wait(ends[0], FILCH_READABLE, FILCH_NEVER) == FILCH_READABLE);
    for (int i = 0; i < 3; i++) check_int(filch_fd_read(ends[0], got, sizeof got, FILCH_NEVER), 3 + i);
    close_both(ends);
    return 0;
}

TEST(fd, packets_of_a_pipe_are_read_one_by_one) {
    run_with_all(use_packets, NULL);
}

/* No error is queued: that says nothing of what there is to read. */
static int look_for_errors(void *arg) {
    (void)arg;
    filch_fd ends[2];
    char got[64];
    make_tcp(ends);
    have_watched(ends[0]);
    check_int(filch_fd_write(ends[1], "data", 4, FILCH_NEVER), 4);
    check(filch_fd_wait(ends[0], FILCH_READABLE, FILCH_NEVER) == FILCH_READABLE);
    struct iovec part = {got, sizeof got};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    check_int(filch_fd_recvmsg(ends[0], &message, MSG_ERRQUEUE, FILCH_NEVER), -EAGAIN);
    check_int(filch_fd_recv(ends[0], got, 1, MSG_OOB, FILCH_NEVER), -EINVAL); /* none was sent */
    check_int(filch_fd_read(ends[0], got, sizeof got, FILCH_NEVER), 4);
    close_both(ends);
    return 0;
}

TEST(fd, a_look_at_the_queue_of_errors_does_not_hide_what_there_is_to_read) {
    run_with_all(look_for_errors, NULL);
}

static int peek(void *arg) {
    (void)arg;
    filch_fd ends[2];
    char got[64];
    make_tcp(ends);
    have_watched(ends[0]);
    check_int(filch_fd_send(ends[1], "peek", 4, MSG_DONTWAIT | MSG_NOSIGNAL, FILCH_NEVER), 4);
    for (int i = 0; i < 3; i++) check_int(filch_fd_recv(ends[0], got, sizeof got, MSG_PEEK, FILCH_NEVER), 4);
    check_int(filch_fd_recv(ends[0], got, sizeof got, MSG_NOSIGNAL, FILCH_NEVER), 4);
    close_both(ends);
    return 0;
}

TEST(fd, what_was_peeked_at_is_there_still) {
    run_with_all(peek, NULL);
}

/* The end comes with the last bytes, in one event: the read is short, and there is more to learn. */
static int end_with_data(void *arg) {
    (void)arg;
    for (int i = 0; i < STREAMS; i++) {
        filch_fd ends[2];
        char got[64];
        streams[i](ends);
        have_watched(ends[0]);
        check_int(filch_fd_write(ends[1], "last", 4, FILCH_NEVER), 4);
        check_int(filch_fd_close(ends[1]), 0);
        check_int(filch_fd_read(ends[0], got, sizeof got, FILCH_NEVER), 4);
        check_int(filch_fd_read(ends[0], got, sizeof got, FILCH_NEVER), 0);
        check_int(filch_fd_close(ends[0]), 0);
    }
    return 0;
}

TEST(fd, an_end_that_comes_with_the_last_bytes_is_seen) {
    run_with_all(end_with_data, NULL);
}

/* ------------------------------------------------------------------------------------------------------ room to write */

static int drain_later(void *arg) {
    filch_fd *ends = arg;
    drain(ends[0], 1 << 20);
    return 0;
}

static int fill_and_write(void *arg) {
    (void)arg;
    for (int i = 0; i < STREAMS; i++) {
        filch_fd ends[2];
        char *all = calloc(1, 1 << 20);
        size_t moved;
        streams[i](ends);
        size_t filled = fill(ends[1]);
        if (streams[i] != make_tcp) { /* which may find room yet */
            check_int(filch_fd_write(ends[1], all, 1, filch_after(FILCH_MS(1))), -ETIMEDOUT);
            check_int(filch_fd_wait(ends[1], FILCH_WRITABLE, filch_after(FILCH_MS(1))), -ETIMEDOUT);
        }
        drain(ends[0], filled);
        check_int(filch_fd_wait(ends[1], FILCH_WRITABLE, FILCH_NEVER), FILCH_WRITABLE);
        filch_task *reader = start(drain_later, ends);
        check_int(filch_fd_write_all(ends[1], all, 1 << 20, &moved, FILCH_NEVER), 0);
        check_int(moved, 1 << 20);
        check_int(result_of(reader), 0);
        free(all);
        close_both(ends);
    }
    return 0;
}

TEST(fd, a_writer_waits_for_room_and_goes_on_when_there_is_some) {
    run_with_all(fill_and_write, NULL);
}

static int write_to_nobody(void *arg) {
    (void)arg;
    for (int i = 0; i < STREAMS; i++) {
        filch_fd ends[2];
        struct iovec part = {(void *)(uintptr_t) "x", 1};
        streams[i](ends);
        check_int(filch_fd_close(ends[0]), 0);
        ssize_t answer;
        while ((answer = filch_fd_write(ends[1], "x", 1, FILCH_NEVER)) > 0) continue; /* of TCP the first are taken */
        check(answer == -EPIPE || answer == -ECONNRESET);
        check_int(filch_fd_write(ends[1], "x", 1, FILCH_NEVER), -EPIPE);
        check_int(filch_fd_writev(ends[1], &part, 1, FILCH_NEVER), -EPIPE);
        check_int(filch_fd_write_all(ends[1], "xy", 2, NULL, FILCH_NEVER), -EPIPE);
        if (streams[i] != make_pipe) check_int(filch_fd_send(ends[1], "x", 1, 0, FILCH_NEVER), -EPIPE);
        check_int(filch_fd_close(ends[1]), 0);
    }
    return 0;
}

TEST(fd, writing_to_what_nobody_reads_is_answered_and_no_signal) {
    run_with_all(write_to_nobody, NULL);
}

/* On a thread that is no worker, for sockets. */
TEST(fd, writing_to_a_socket_that_nobody_reads_is_no_signal_on_other_threads_either) {
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1}), 0);
    int numbers[2];
    filch_fd fd;
    make_numbers(numbers);
    check_int(filch_fd_adopt(&fd, numbers[0], &(filch_fd_options){.runtime = runtime}), 0);
    close(numbers[1]);
    struct iovec part = {(void *)(uintptr_t) "x", 1};
    check_int(filch_fd_write(fd, "x", 1, FILCH_NEVER), -EPIPE);
    check_int(filch_fd_writev(fd, &part, 1, FILCH_NEVER), -EPIPE);
    check_int(filch_fd_send(fd, "x", 1, 0, FILCH_NEVER), -EPIPE);
    check_int(filch_fd_close(fd), 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* ------------------------------------------------------------------------------------------- from one to the other */

static int send_a_file(void *arg) {
    (void)arg;
    char path[] = "/tmp/filch-fd-test-XXXXXX", got[64];
    int number = mkstemp(path);
    check(number >= 0);
    unlink(path);
    check_int(write(number, alphabet, 26), 26);
    for (int i = 0; i < STREAMS; i++) {
        filch_fd ends[2];
        int64_t offset = 20;
        streams[i](ends);
        check_int(filch_fd_sendfile(ends[1], number, &offset, 100, FILCH_NEVER), 6);
        check_int(offset, 26);
        check_int(filch_fd_sendfile(ends[1], number, &offset, 100, FILCH_NEVER), 0);
        check_int(lseek(number, 1, SEEK_SET), 1);
        check_int(filch_fd_sendfile(ends[1], number, NULL, 3, FILCH_NEVER), 3);
        check_int(lseek(number, 0, SEEK_CUR), 4);
        check_int(filch_fd_read_exactly(ends[0], got, 9, NULL, FILCH_NEVER), 0);
        check(memcmp(got, "uvwxyzbcd", 9) == 0);
        fill(ends[1]);
        offset = 0;
        if (streams[i] != make_tcp) /* which may find room yet */
            check_int(filch_fd_sendfile(ends[1], number, &offset, 26, filch_after(FILCH_MS(1))), -ETIMEDOUT);
        check_int(offset, 0);
        close_both(ends);
    }
    close(number);
    return 0;
}

TEST(fd, a_file_is_sent_from_an_offset_or_from_its_position) {
    run_with_all(send_a_file, NULL);
}

static int splice_some(void *arg) {
    (void)arg;
    for (int i = 0; i < STREAMS; i++) {
        filch_fd ends[2], pipe[2];
        char got[64];
        streams[i](ends);
        make_pipe(pipe);
        check_int(filch_fd_splice(ends[0], pipe[1], 10, filch_after(FILCH_MS(1))), -ETIMEDOUT); /* nothing there */
        check_int(filch_fd_write(ends[1], alphabet, 26, FILCH_NEVER), 26);
        check_int(filch_fd_splice(ends[0], pipe[1], 10, FILCH_NEVER), 10);
        check_int(filch_fd_splice(ends[0], pipe[1], 0, FILCH_NEVER), 0);
        check_int(filch_fd_read(pipe[0], got, sizeof got, FILCH_NEVER), 10);
        check(memcmp(got, alphabet, 10) == 0);
        fill(pipe[1]);
        check_int(filch_fd_splice(ends[0], pipe[1], 10, filch_after(FILCH_MS(1))), -ETIMEDOUT); /* no room */
        check_int(filch_fd_close(pipe[0]), 0);
        check_int(filch_fd_splice(ends[0], pipe[1], 10, FILCH_NEVER), -EPIPE);
        check_int(filch_fd_close(pipe[1]), 0);
        make_pipe(pipe);
        drain(ends[0], 16);
        check_int(filch_fd_close(ends[1]), 0);
        check_int(filch_fd_splice(ends[0], pipe[1], 10, FILCH_NEVER), 0); /* the end */
        check_int(filch_fd_close(ends[0]), 0);
        close_both(pipe);
    }
    return 0;
}

TEST(fd, splice_moves_what_is_there_and_waits_for_the_one_that_holds_it_up) {
    run_with_all(splice_some, NULL);
}

enum { RELAYED = 4 << 20 };

struct relay {
    filch_fd from[2], pipe[2];
    int result;
};

static int write_much(void *arg) {
    struct relay *relay = arg;
    char block[1000];
    for (size_t i = 0; i < sizeof block; i++) block[i] = (char)(i * 7);
    for (size_t done = 0; done < RELAYED / TEST_SCALE; done += sizeof block) {
        check_int(filch_fd_write_all(relay->from[1], block, sizeof block, NULL, FILCH_NEVER), 0);
    }
    return filch_fd_close(relay->from[1]);
}

static int relay_much(void *arg) {
    struct relay *relay = arg;
    ssize_t moved;
    while ((moved = filch_fd_splice(relay->from[0], relay->pipe[1], 1 << 16, FILCH_NEVER)) > 0) continue;
    check_int(moved, 0);
    return filch_fd_close(relay->pipe[1]);
}

static int splice_much(void *arg) {
    (void)arg;
    for (int i = 0; i < STREAMS; i++) {
        struct relay relay;
        streams[i](relay.from);
        make_pipe(relay.pipe);
        filch_task *tasks[2] = {start(write_much, &relay), start(relay_much, &relay)};
        char got[777];
        ssize_t moved;
        size_t total = 0;
        while ((moved = filch_fd_read(relay.pipe[0], got, sizeof got, FILCH_NEVER)) > 0) {
            for (ssize_t k = 0; k < moved; k++, total++) check(got[k] == (char)(total % 1000 * 7));
        }
        check_int(moved, 0);
        check_int(total, (RELAYED / TEST_SCALE + 999) / 1000 * 1000);
        for (int k = 0; k < 2; k++) check_int(result_of(tasks[k]), 0);
        check_int(filch_fd_close(relay.from[0]), 0);
        check_int(filch_fd_close(relay.pipe[0]), 0);
    }
    return 0;
}

TEST(fd, splice_loses_nothing_between_three_that_hold_one_another_up) {
    run_with_all(splice_much, NULL);
}
