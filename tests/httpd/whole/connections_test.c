/* SPDX-License-Identifier: MIT */
/* Proves what becomes of connections: kept, closed, used for many requests at once, and by many clients. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

#define GET "GET /hello.txt HTTP/1.1\r\nHost: a\r\n"

static void hear_hello(int socket) {
    struct reply reply;
    check(hear(socket, false, &reply));
    check_int(reply.status, 200);
    check(strcmp(reply.body, "hello, world\n") == 0);
    forget(&reply);
}

TEST(connections, one_serves_many_requests) {
    struct served served = serve(NULL);
    int socket = dial(&served);
    for (int i = 0; i < 100; i++) {
        check(say(socket, GET "\r\n"));
        hear_hello(socket);
    }
    close(socket);
    stop_serving(&served);
}

TEST(connections, requests_that_come_together_are_answered_in_order) {
    enum { COUNT = 300 };
    struct served served = serve(NULL);
    char *requests = malloc(COUNT * 200), *at = requests;
    check(requests != NULL);
    for (int i = 0; i < COUNT; i++) {
        static const char *const targets[] = {"/hello.txt", "/none", "/empty"};
        at += sprintf(at, "%s %s HTTP/1.1\r\nHost: a\r\n\r\n", i % 7 == 6 ? "HEAD" : "GET", targets[i % 3]);
    }
    int socket = dial(&served);
    check(say(socket, requests));
    for (int i = 0; i < COUNT; i++) {
        struct reply reply;
        check(hear(socket, i % 7 == 6, &reply));
        check_int(reply.status, i % 3 == 1 ? 404 : 200);
        if (i % 7 != 6) check_int(reply.length, i % 3 == 0 ? 13 : i % 3 == 1 ? 15 : 0);
        forget(&reply);
    }
    free(requests);
    close(socket);
    stop_serving(&served);
}

TEST(connections, a_request_may_come_byte_by_byte) {
    struct served served = serve(NULL);
    int socket = dial(&served);
    for (const char *c = GET "\r\n" GET "\r\n"; *c != '\0'; c++) check(say(socket, (char[]){*c, '\0'}));
    hear_hello(socket);
    hear_hello(socket);
    close(socket);
    stop_serving(&served);
}

TEST(connections, bodies_are_skipped_to_just_their_end) {
    struct served served = serve(NULL);
    int socket = dial(&served);
    check(say(socket, GET "Content-Length: 5\r\n\r\n12345" GET "Transfer-Encoding: chunked\r\n\r\n"
                          "5\r\nGET /\r\n2;a=b\r\n\r\n\r\n0\r\nA: b\r\n\r\n" GET "\r\n"));
    for (int i = 0; i < 3; i++) hear_hello(socket);
    struct reply reply;
    check(say(socket, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" GET "\r\n"));
    check(hear(socket, false, &reply));
    check_int(reply.status, 405);
    forget(&reply);
    hear_hello(socket);
    close(socket);
    stop_serving(&served);
}

TEST(connections, who_expects_to_be_told_to_go_on_is_told_the_answer) {
    struct served served = serve(NULL);
    int socket = dial(&served);
    struct reply reply;
    check(say(socket, "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"));
    check(hear(socket, false, &reply));
    check_int(reply.status, 405);
    check(strcmp(field_of(&reply, "Connection"), "close") == 0);
    forget(&reply);
    check_end(socket);
    stop_serving(&served);
}

TEST(connections, end_when_the_client_says_so) {
    struct served served = serve(NULL);
    int socket = dial(&served);
    struct reply reply;
    check(say(socket, GET "Connection: close\r\n\r\n" GET "\r\n"));
    check(hear(socket, false, &reply));
    check(strcmp(field_of(&reply, "Connection"), "close") == 0);
    forget(&reply);
    check_end(socket);

    socket = dial(&served);
    check(say(socket, "GET /hello.txt HTTP/1.0\r\n\r\n"));
    hear_hello(socket);
    check_end(socket);

    socket = dial(&served);
    check(say(socket, "GET /hello.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    check(hear(socket, false, &reply));
    check(strcmp(field_of(&reply, "Connection"), "keep-alive") == 0);
    forget(&reply);
    check(say(socket, GET "\r\n"));
    hear_hello(socket);
    close(socket);
    stop_serving(&served);
}

TEST(connections, a_client_that_writes_no_more_is_still_answered) {
    struct served served = serve(NULL);
    int socket = dial(&served);
    check(say(socket, GET "\r\n" GET "\r\n"));
    check(shutdown(socket, SHUT_WR) == 0);
    hear_hello(socket);
    hear_hello(socket);
    check_end(socket);
    stop_serving(&served);
}

TEST(connections, many_at_once) {
    enum { COUNT = 200 };
    struct served served = serve(NULL);
    int sockets[COUNT];
    for (int i = 0; i < COUNT; i++) sockets[i] = dial(&served);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) check(say(sockets[i], GET "\r\n"));
        for (int i = 0; i < COUNT; i++) hear_hello(sockets[i]);
    }
    for (int i = 0; i < COUNT; i++) close(sockets[i]);
    stop_serving(&served);
}

TEST(connections, beyond_the_limit_they_wait_and_the_others_are_not_kept) {
    struct served served = serve((const char *const[]){"--connections", "2", NULL});
    struct reply reply;
    int first = dial(&served), second = dial(&served), third;
    /* Each has its place once it is answered. */
    check(say(first, GET "\r\n"));
    hear_hello(first);
    check(say(second, GET "\r\n"));
    check(hear(second, false, &reply));
    check(strcmp(field_of(&reply, "Connection"), "close") == 0);
    forget(&reply);
    check_end(second);
    third = dial(&served);
    check(say(third, GET "\r\n"));
    check(hear(third, false, &reply));
    check_int(reply.status, 200);
    forget(&reply);
    close(first);
    close(third);
    stop_serving(&served);
}

TEST(connections, clients_that_vanish_leave_nothing_behind) {
    struct served served = serve(NULL);
    for (int i = 0; i < 100; i++) {
        int socket = dial(&served);
        struct linger reset = {.l_onoff = 1};
        if (i % 2 == 0) check(setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0);
        if (i % 3 > 0) say(socket, i % 3 == 1 ? "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n" : "GET /lar");
        close(socket);
    }
    int socket = dial(&served);
    check(say(socket, GET "\r\n"));
    hear_hello(socket);
    close(socket);
    stop_serving(&served);
}
