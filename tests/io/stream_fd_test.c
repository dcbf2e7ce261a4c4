/* SPDX-License-Identifier: MIT */
/*
 * Proves that streams do over descriptors what they do over everything: sockets of the machine itself, and pipes; and
 * that files go by sendfile(2).
 */
#include <fcntl.h>
#include <unistd.h>

#include "tests/io/flow.h"

static filch_stream *open_number(int number, const filch_stream_options *options) {
    filch_fd fd;
    filch_stream *stream;
    check_int(filch_fd_adopt(&fd, number, NULL), 0);
    check_int(filch_stream_open_fd(&stream, fd, options), 0);
    return stream;
}

/* Two streams over the ends of a socket pair, in whose buffers the kernel keeps little. */
static void socket_pair(filch_stream *streams[2], const filch_stream_options *options) {
    int numbers[2], little = 1;
    check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, numbers), 0);
    for (int i = 0; i < 2; i++) {
        check_int(setsockopt(numbers[i], SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
        streams[i] = open_number(numbers[i], options);
    }
}

/* The lowest number that is free: the same before and after, if all was given back. */
static int next_number(void) {
    int number = open("/dev/null", O_RDONLY | O_CLOEXEC);
    check(number >= 0);
    check_int(close(number), 0);
    return number;
}

/* ------------------------------------------------------------------------------------------------------------ owner */

static int hand_over(void *arg) {
    (void)arg;
    filch_transport transport = {0};
    filch_stream *stream = NULL;
    filch_fd fds[2];
    check_int(filch_pipe_open(&fds[0], &fds[1], NULL), 0);
    check_int(filch_transport_open_fd(NULL, fds[0]), -EINVAL);
    check_int(filch_transport_open_fd(&transport, FILCH_FD_NONE), -EBADF);
    check_int(filch_stream_open_fd(NULL, fds[0], NULL), -EINVAL);
    check_int(filch_stream_open_fd(&stream, FILCH_FD_NONE, NULL), -EBADF);
    check_int(filch_stream_open_fd(&stream, fds[0], &(filch_stream_options){.low_water = SIZE_MAX}), -EINVAL);
    size_t before = filch__heap_objects();
    for (uint64_t nth = 1; nth <= 2; nth++) {
        filch__alloc_fail(nth, false);
        check_int(filch_stream_open_fd(&stream, fds[0], NULL), -ENOMEM);
        filch__alloc_fail(0, false);
        check_int(filch__heap_objects(), before);
    }
    check(stream == NULL && transport.ops == NULL);
    check(filch_fd_number(fds[0]) >= 0); /* still ours */
    check_int(filch_stream_open_fd(&stream, fds[0], NULL), 0);
    filch_stream_destroy(stream);
    check_int(filch_fd_number(fds[0]), -EBADF);
    check_int(filch_stream_open_fd(&stream, fds[0], NULL), -EBADF);
    check_int(filch_fd_close(fds[1]), 0);
    check_int(filch__heap_objects(), before);
    return 0;
}

TEST(stream_fd, a_descriptor_is_the_stream_s_only_if_there_is_one) {
    run_with(1, hand_over, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- sockets */

static int over_tcp(void *arg) {
    (void)arg;
    filch_address address = {.length = sizeof address.ip4}, own, other;
    address.ip4.sin_family = AF_INET;
    address.ip4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    check(listener >= 0 && client >= 0);
    check_int(bind(listener, &address.any, address.length), 0);
    check_int(listen(listener, 1), 0);
    check_int(getsockname(listener, &address.any, &address.length), 0);
    check_int(connect(client, &address.any, address.length), 0);
    int server = accept(listener, NULL, NULL);
    check(server >= 0);
    check_int(close(listener), 0);
    filch_stream *streams[2] = {open_number(client, NULL), open_number(server, NULL)};
    check_int(filch_stream_address(streams[0], true, &own), 0);
    check_int(filch_stream_address(streams[1], false, &other), 0);
    check_int(own.length, other.length);
    check_int(own.ip4.sin_port, address.ip4.sin_port);
    check_int(other.ip4.sin_port, address.ip4.sin_port);
    check_int(filch_stream_address(streams[0], false, &own), 0);
    check_int(filch_stream_address(streams[1], true, &other), 0);
    check_int(own.ip4.sin_port, other.ip4.sin_port);
    char line[20];
    check_int(filch_stream_write(streams[0], "question\r\n", 10, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_shutdown(streams[0], FILCH_NEVER), 0);
    check_int(filch_stream_read_line(streams[1], line, sizeof line, FILCH_NEVER), 10);
    check(strcmp(line, "question") == 0);
    check_int(filch_stream_read_line(streams[1], line, sizeof line, FILCH_NEVER), 0); /* the half-close */
    check_int(filch_stream_write(streams[1], "answer\n", 7, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_close(streams[1], FILCH_NEVER), 0);
    check_int(filch_stream_read_line(streams[0], line, sizeof line, FILCH_NEVER), 7);
    check_int(filch_stream_read_line(streams[0], line, sizeof line, FILCH_NEVER), 0);
    destroy_both(streams);
    return 0;
}

TEST(stream_fd, over_tcp_with_addresses_and_half_close) {
    int before = next_number();
    run_with_each(over_tcp, NULL);
    check_int(next_number(), before);
}

static int other_side_gone(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    static const char much[100000];
    char got[10];
    socket_pair(streams, NULL);
    filch_stream_abort(streams[1]);
    check_int(filch_stream_write(streams[0], "a", 1, NULL, FILCH_NEVER), 0); /* buffered */
    check_int(filch_stream_read(streams[0], got, 10, FILCH_NEVER), 0);
    check_int(filch_stream_write(streams[0], much, sizeof much, NULL, FILCH_NEVER), -EPIPE); /* and no signal */
    check_int(filch_stream_close(streams[0], FILCH_NEVER), -EPIPE);
    destroy_both(streams);
    return 0;
}

TEST(stream_fd, writing_to_nobody_is_an_error_and_no_signal) {
    run_with_each(other_side_gone, NULL);
}

static int over_pipes(void *arg) {
    (void)arg;
    filch_fd fds[2];
    filch_stream *streams[2];
    filch_address address;
    char got[100];
    check_int(filch_pipe_open(&fds[0], &fds[1], NULL), 0);
    for (int i = 0; i < 2; i++) check_int(filch_stream_open_fd(&streams[i], fds[i], NULL), 0);
    check(strcmp(filch_stream_transport(streams[0]).ops->kind, "descriptor") == 0);
    check_int(filch_stream_write(streams[1], "through a pipe\n", 15, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_drain(streams[1], FILCH_NEVER), 0);
    check_int(filch_stream_read_line(streams[0], got, sizeof got, FILCH_NEVER), 15);
    check_int(filch_stream_shutdown(streams[1], FILCH_NEVER), -EOPNOTSUPP);
    check_int(filch_stream_address(streams[1], true, &address), -EOPNOTSUPP);
    check_int(filch_stream_close(streams[1], FILCH_NEVER), 0);
    check_int(filch_stream_read(streams[0], got, sizeof got, FILCH_NEVER), 0);
    destroy_both(streams);
    return 0;
}

TEST(stream_fd, over_pipes_which_cannot_do_all) {
    run_with_each(over_pipes, NULL);
}

/* ----------------------------------------------------------------------------------------------------- conservation */

static int cancel_often(void *arg) {
    bool cut = *(bool *)arg;
    filch_stream *streams[2];
    struct flow flows[2];
    filch_task *tasks[4];
    socket_pair(streams, &(filch_stream_options){.high_water = 8000, .low_water = 1000});
    begin_flows(flows, streams, 400000 / TEST_SCALE, cut);
    for (int i = 0; i < 4; i++) {
        tasks[i] = start(i % 2 == 0 ? write_cancelled_often : read_cancelled_often, &flows[i / 2]);
    }
    for (int i = 0; i < 4; i++) check_int(result_of(tasks[i]), 0);
    check_flows(flows);
    destroy_both(streams);
    return 0;
}

TEST(stream_fd, cancellation_and_deadlines_neither_lose_nor_double_a_byte) {
    run_with_each(cancel_often, &(bool){false});
    run_with_each(cancel_often, &(bool){true});
}

enum { MUCH = 60000 };

static int write_then_read(void *arg) {
    filch_stream *stream = arg;
    unsigned char bytes[1000];
    for (uint64_t at = 0; at < MUCH; at += sizeof bytes) {
        fill_bytes(bytes, sizeof bytes, at);
        check_int(filch_stream_write(stream, bytes, sizeof bytes, NULL, FILCH_NEVER), 0);
    }
    for (uint64_t at = 0; at < MUCH; at += sizeof bytes) {
        check_int(filch_stream_read_exactly(stream, bytes, sizeof bytes, NULL, FILCH_NEVER), 0);
        check_bytes(bytes, sizeof bytes, at);
    }
    return filch_stream_drain(stream, FILCH_NEVER);
}

static int both_write_first(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    socket_pair(streams, NULL);
    filch_task *task = start(write_then_read, streams[0]);
    check_int(write_then_read(streams[1]), 0);
    check_int(result_of(task), 0);
    destroy_both(streams);
    return 0;
}

TEST(stream_fd, a_read_does_not_wait_for_room_to_send_in) {
    run_with_each(both_write_first, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ files */

enum { FILE_SIZE = 300000 };

static int flow_file(void) {
    char name[] = "/tmp/filch-stream-XXXXXX";
    int file = mkstemp(name);
    check(file >= 0);
    unlink(name);
    unsigned char bytes[1000];
    for (size_t at = 0; at < FILE_SIZE; at += sizeof bytes) {
        fill_bytes(bytes, sizeof bytes, at);
        check_int(write(file, bytes, sizeof bytes), sizeof bytes);
    }
    return file;
}

struct sender {
    filch_stream *stream;
    int file;
};

/* 500 bytes that were written, a large piece, a small one, and what is left, which ends early. */
static int send_pieces(void *arg) {
    struct sender *sender = arg;
    unsigned char bytes[500];
    size_t moved;
    fill_bytes(bytes, 500, 0);
    check_int(filch_stream_write(sender->stream, bytes, 500, NULL, FILCH_NEVER), 0);
    check_int(filch_stream_send_file(sender->stream, sender->file, 500, 199500, &moved, FILCH_NEVER), 0);
    check_int(moved, 199500);
    check_int(filch_stream_unsent(sender->stream), 0);
    check_int(filch_stream_send_file(sender->stream, sender->file, 200000, 10000, &moved, FILCH_NEVER), 0);
    check_int(filch_stream_unsent(sender->stream), 10000);
    check_int(filch_stream_send_file(sender->stream, sender->file, 210000, FILE_SIZE, &moved, FILCH_NEVER), -ENODATA);
    check_int(moved, FILE_SIZE - 210000);
    return filch_stream_close(sender->stream, FILCH_NEVER);
}

static int send_a_file(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    unsigned char bytes[1000];
    socket_pair(streams, NULL);
    struct sender sender = {.stream = streams[0], .file = flow_file()};
    filch_task *task = start(send_pieces, &sender);
    for (uint64_t at = 0; at < FILE_SIZE; at += sizeof bytes) {
        check_int(filch_stream_read_exactly(streams[1], bytes, sizeof bytes, NULL, FILCH_NEVER), 0);
        check_bytes(bytes, sizeof bytes, at);
    }
    check_int(filch_stream_read(streams[1], bytes, 1, FILCH_NEVER), 0);
    check_int(result_of(task), 0);
    check_int(lseek(sender.file, 0, SEEK_CUR), FILE_SIZE); /* where the test's own writes left it */
    close(sender.file);
    destroy_both(streams);
    return 0;
}

TEST(stream_fd, a_file_arrives_behind_what_was_written) {
    run_with_each(send_a_file, NULL);
}

/* Sends as much as goes at once, again and again, and reads some of it in between. */
static int send_cut_short(void *arg) {
    (void)arg;
    filch_stream *streams[2];
    unsigned char bytes[1000];
    size_t moved = 0, done = 0, read = 0;
    int file = flow_file(), error;
    socket_pair(streams, NULL);
    do {
        error = filch_stream_send_file(streams[0], file, (int64_t)done, 100000 - done, &moved, at_once());
        done += moved;
        ssize_t count = filch_stream_read(streams[1], bytes, 500, filch_after(FILCH_MS(1)));
        check(count > 0 || count == -ETIMEDOUT);
        if (count > 0) check_bytes(bytes, (size_t)count, read);
        if (count > 0) read += (size_t)count;
    } while (error == -ETIMEDOUT);
    check_int(error, 0);
    check_int(done, 100000);
    close(file);
    destroy_both(streams);
    return 0;
}

TEST(stream_fd, a_file_that_is_cut_short_says_how_much_went) {
    run_with(1, send_cut_short, NULL);
}

static int send_to_what_cannot(void *arg) {
    (void)arg;
    int file = flow_file(), other = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    check(other >= 0);
    filch_stream *stream = open_number(other, NULL);
    unsigned char bytes[1000];
    check_int(filch_stream_send_file(stream, file, 0, FILE_SIZE, NULL, FILCH_NEVER), 0); /* sendfile will not append */
    check_int(filch_stream_drain(stream, FILCH_NEVER), 0);
    check_int(lseek(other, 0, SEEK_END), FILE_SIZE);
    for (uint64_t at = 0; at < FILE_SIZE; at += sizeof bytes) {
        check_int(pread(other, bytes, sizeof bytes, (off_t)at), sizeof bytes);
        check_bytes(bytes, sizeof bytes, at);
    }
    close(file);
    filch_stream_destroy(stream);
    return 0;
}

TEST(stream_fd, where_sendfile_cannot_the_file_goes_through_the_buffer) {
    run_with(1, send_to_what_cannot, NULL);
}
