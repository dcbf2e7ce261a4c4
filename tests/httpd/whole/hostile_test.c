/* SPDX-License-Identifier: MIT */
/* Proves that the server puts an end to clients that send too much, too slowly, or nonsense, and to those that do not read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#define GET "GET /hello.txt HTTP/1.1\r\nHost: a\r\n"

/* Sends `text`, is told `status`, and then the connection ends. */
static void check_refused(const struct served *served, const char *text, int status) {
    struct reply reply;
    int socket = dial(served);
    say(socket, text);
    check(hear(socket, false, &reply));
    check_int(reply.status, status);
    check(strcmp(field_of(&reply, "Connection"), "close") == 0);
    forget(&reply);
    check_end(socket);
}

TEST(hostile, nonsense_is_refused_and_nothing_after_it_is_looked_at) {
    struct served served = serve(NULL);
    check_refused(&served, "\x16\x03\x01\x02\n" GET "\r\n", 400);
    check_refused(&served, "GET / HTTP/1.1\n" GET "\r\n", 400);
    check_refused(&served, "GET / HTTP/1.1\r\n\r\n" GET "\r\n", 400);
    check_refused(&served, GET "A : b\r\n\r\n" GET "\r\n", 400);
    check_refused(&served, GET "A: b\r\n c\r\n\r\n" GET "\r\n", 400);
    check_refused(&served, GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    check_refused(&served, GET "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501);
    check_refused(&served, GET "Expect: miracles\r\n\r\n", 417);
    check_refused(&served, "GET / HTTP/3.0\r\n\r\n", 505);
    stop_serving(&served);
}

TEST(hostile, a_body_that_is_not_chunked_as_it_says_ends_the_connection) {
    struct served served = serve(NULL);
    struct reply reply;
    int socket = dial(&served);
    say(socket, GET "Transfer-Encoding: chunked\r\n\r\nxyz\r\n" GET "\r\n");
    check(hear(socket, false, &reply));
    check_int(reply.status, 200);
    forget(&reply);
    check_end(socket);
    stop_serving(&served);
}

/* `count` times `piece` between `begin` and `end`. From malloc. */
static char *repeat(const char *begin, const char *piece, size_t count, const char *end) {
    char *text = malloc(strlen(begin) + strlen(piece) * count + strlen(end) + 1), *at;
    check(text != NULL);
    at = stpcpy(text, begin);
    for (size_t i = 0; i < count; i++) at = stpcpy(at, piece);
    strcpy(at, end);
    return text;
}

TEST(hostile, what_is_too_long_is_refused) {
    static const struct {
        const char *begin, *piece, *end;
        size_t count;
        int status;
    } cases[] = {
        {"GET /", "a", " HTTP/1.1\r\nHost: a\r\n\r\n", 1 << 20, 414},
        {"", "G", "", 1 << 20, 414},
        {GET "X: ", "a", "\r\n\r\n", 1 << 20, 431},
        {GET, "X: a\r\n", "\r\n", 100, 431},
        {GET, "Y: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "\r\n", 100000, 431},
        {GET "Content-Length: 1000000\r\n\r\n", "a", "", 1000000, 413},
    };
    struct served served = serve(NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = repeat(cases[i].begin, cases[i].piece, cases[i].count, cases[i].end);
        check_refused(&served, text, cases[i].status);
        free(text);
    }
    stop_serving(&served);
}

/* A reset that is on its way has time to come; later ones would be missed, not taken for something else. */
static bool is_reset(int socket) {
    struct timespec pause = {.tv_nsec = 200000000};
    int error;
    socklen_t length = sizeof(error);
    nanosleep(&pause, NULL);
    check(getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) == 0);
    return error != 0;
}

TEST(hostile, who_is_refused_while_it_sends_is_not_reset) {
    struct served served = serve((const char *const[]){"--body-max", "10", NULL});
    char *text = repeat(GET "Content-Length: 100000\r\n\r\n", "a", 100000, "");
    struct reply reply;
    int socket = dial(&served);
    check(say(socket, text));
    check(hear(socket, false, &reply));
    check_int(reply.status, 413);
    check(!is_reset(socket));
    forget(&reply);
    free(text);
    close(socket);
    stop_serving(&served);
}

TEST(hostile, limits_are_those_of_the_options) {
    struct served served = serve(
        (const char *const[]){"--line-max", "100", "--head-max", "200", "--fields-max", "3", "--body-max", "10", NULL});
    char *text = repeat("GET /", "a", 100, " HTTP/1.1\r\nHost: a\r\n\r\n");
    check_refused(&served, text, 414);
    free(text);
    text = repeat(GET, "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 2,
                  "\r\n");
    check_refused(&served, text, 431);
    free(text);
    check_refused(&served, GET "A: b\r\nB: c\r\nC: d\r\n\r\n", 431);
    check_refused(&served, GET "Content-Length: 11\r\n\r\n12345678901", 413);
    check_int(status_of(&served, GET "Content-Length: 10\r\n\r\n1234567890"), 200);
    stop_serving(&served);
}

TEST(hostile, a_head_that_does_not_end_in_time_is_refused) {
    struct served served = serve((const char *const[]){"--header-time", "0.2", NULL});
    check_refused(&served, "GET / HTT", 408);
    check_refused(&served, GET, 408);
    stop_serving(&served);
}

TEST(hostile, a_head_that_trickles_has_no_more_time_for_it) {
    struct served served = serve((const char *const[]){"--header-time", "0.5", NULL});
    int socket = dial(&served);
    struct reply reply;
    check(say(socket, GET "X: "));
    /* Each byte comes long before the time is over, counted from the one before; the answer comes all the same. */
    bool is_answered = false;
    for (int i = 0; i < 2000 && !is_answered && say(socket, "a"); i++) {
        struct timespec pause = {.tv_nsec = 10000000};
        char byte;
        nanosleep(&pause, NULL);
        is_answered = recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
    }
    check(is_answered);
    check(hear(socket, false, &reply));
    check_int(reply.status, 408);
    forget(&reply);
    check_end(socket);
    stop_serving(&served);
}

TEST(hostile, a_body_that_does_not_come_ends_the_connection) {
    struct served served = serve((const char *const[]){"--header-time", "0.2", NULL});
    int socket = dial(&served);
    struct reply reply;
    check(say(socket, GET "Content-Length: 10\r\n\r\n123"));
    check(hear(socket, false, &reply));
    check_int(reply.status, 200);
    forget(&reply);
    check_end(socket);
    stop_serving(&served);
}

TEST(hostile, who_asks_for_nothing_is_let_go) {
    struct served served = serve((const char *const[]){"--idle-time", "0.2", NULL});
    check_end(dial(&served));
    /* Until the request comes in time. */
    struct reply reply;
    int socket = dial(&served);
    while (!say(socket, GET "\r\n") || !hear(socket, false, &reply)) {
        close(socket);
        socket = dial(&served);
    }
    check_int(reply.status, 200);
    forget(&reply);
    check_end(socket);
    stop_serving(&served);
}

/* Waits until the log says that `text` was answered, which it does when the answer is over, whatever its end. */
static void await_log(const struct served *served, const char *text) {
    for (;;) {
        struct timespec pause = {.tv_nsec = 20000000};
        char *log = read_log(served);
        bool is_there = strstr(log, text) != NULL;
        free(log);
        if (is_there) return;
        nanosleep(&pause, NULL);
    }
}

TEST(hostile, who_does_not_read_is_given_up) {
    struct served served = serve((const char *const[]){"--send-time", "0.2", NULL});
    int socket = dial(&served);
    char *requests = repeat("", "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n", 10, "");
    check(say(socket, requests));
    free(requests);
    /* More than fits between the two: the server must have given up by itself. */
    await_log(&served, "\"GET /large.bin HTTP/1.1\" 200 ");
    stop_serving(&served);
    size_t total = 0;
    static char bytes[1 << 16];
    for (ssize_t length; (length = recv(socket, bytes, sizeof(bytes), 0)) > 0;) total += (size_t)length;
    check(total < 10 * (size_t)LARGE_SIZE);
    close(socket);
}
