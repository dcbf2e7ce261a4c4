/* SPDX-License-Identifier: MIT */
/* Proves that the server answers what clients ask for with the right status, fields and bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

#define END "Host: a\r\n\r\n"

static void check_reply(struct reply reply, int status, const char *body) {
    check_int(reply.status, status);
    check(strcmp(reply.body, body) == 0);
    forget(&reply);
}

TEST(answers, files_and_the_index_of_directories) {
    struct served served = serve(NULL);
    check_reply(get(&served, "/", ""), 200, "<p>index</p>\n");
    check_reply(get(&served, "/hello.txt", ""), 200, "hello, world\n");
    check_reply(get(&served, "/a/../%68ello.txt?query", ""), 200, "hello, world\n");
    check_reply(get(&served, "http://a/hello.txt", ""), 200, "hello, world\n");
    check_reply(get(&served, "/empty", ""), 200, "");
    check_reply(get(&served, "/a/", ""), 200, "<p>a</p>\n");
    check_reply(get(&served, "/inside", ""), 200, "hello, world\n");
    stop_serving(&served);
}

TEST(answers, all_bytes_of_a_large_file) {
    struct served served = serve(NULL);
    struct reply reply = get(&served, "/large.bin", "");
    check_int(reply.status, 200);
    check_int(reply.length, LARGE_SIZE);
    for (size_t i = 0; i < LARGE_SIZE; i++) check(reply.body[i] == large_byte(i));
    forget(&reply);
    stop_serving(&served);
}

TEST(answers, fields_say_what_it_is) {
    struct served served = serve(NULL);
    struct reply reply = get(&served, "/hello.txt", "");
    check(strcmp(field_of(&reply, "Content-Type"), "text/plain; charset=utf-8") == 0);
    check(strcmp(field_of(&reply, "Content-Length"), "13") == 0);
    check(strcmp(field_of(&reply, "Accept-Ranges"), "bytes") == 0);
    check(strcmp(field_of(&reply, "Connection"), "") == 0);
    check(strlen(field_of(&reply, "Date")) == 29);
    check(strlen(field_of(&reply, "Last-Modified")) == 29);
    check(field_of(&reply, "ETag")[0] == '"');
    forget(&reply);
    reply = get(&served, "/a/", "");
    check(strcmp(field_of(&reply, "Content-Type"), "text/html; charset=utf-8") == 0);
    forget(&reply);
    reply = get(&served, "/large.bin", "");
    check(strcmp(field_of(&reply, "Content-Type"), "application/octet-stream") == 0);
    forget(&reply);
    stop_serving(&served);
}

TEST(answers, head_is_get_without_the_body) {
    struct served served = serve(NULL);
    struct reply reply;
    int socket = dial(&served);
    say(socket, "HEAD /hello.txt HTTP/1.1\r\n" END "HEAD /none HTTP/1.1\r\n" END "GET /hello.txt HTTP/1.1\r\n" END);
    check(hear(socket, true, &reply));
    check_int(reply.status, 200);
    check(strcmp(field_of(&reply, "Content-Length"), "13") == 0);
    forget(&reply);
    check(hear(socket, true, &reply));
    check_int(reply.status, 404);
    check(strcmp(field_of(&reply, "Content-Length"), "15") == 0);
    forget(&reply);
    check(hear(socket, false, &reply));
    check_reply(reply, 200, "hello, world\n");
    close(socket);
    stop_serving(&served);
}

TEST(answers, what_is_not_there_or_not_to_be_had) {
    static const struct {
        const char *target;
        int status;
    } cases[] = {
        {"/none", 404},  {"/hello.txt/", 404}, {"/hello.txt/a", 404}, {"/none/", 404},          {"/bare/", 403},
        {"/pipe", 403},  {"/outside", 404},    {"/.hidden", 404},     {"/../etc", 400},         {"/%2e%2e/etc", 400},
        {"/a%2fb", 404}, {"/a%00", 400},       {"/%", 400},           {"/a%2findex.html", 404}, {"/outside/x", 404},
    };
    struct served served = serve(NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply = get(&served, cases[i].target, "");
        check_int(reply.status, cases[i].status);
        check(strtol(reply.body, NULL, 10) == cases[i].status);
        forget(&reply);
    }
    stop_serving(&served);
    served = serve((const char *const[]){"--hidden", NULL});
    check_reply(get(&served, "/.hidden", ""), 200, "hidden\n");
    stop_serving(&served);
}

TEST(answers, a_directory_is_asked_for_with_its_slash) {
    struct served served = serve(NULL);
    struct reply reply = get(&served, "/a", "");
    check_int(reply.status, 301);
    check(strcmp(field_of(&reply, "Location"), "/a/") == 0);
    check(strcmp(reply.body, "301 Moved Permanently\r\n") == 0);
    forget(&reply);
    reply = get(&served, "///%61/../bare?x=y&z", "");
    check_int(reply.status, 301);
    check(strcmp(field_of(&reply, "Location"), "/bare/?x=y&z") == 0);
    forget(&reply);
    stop_serving(&served);
}

TEST(answers, methods_that_are_not_served) {
    struct served served = serve(NULL);
    struct reply reply = ask(&served, "POST /hello.txt HTTP/1.1\r\nContent-Length: 3\r\n" END "abc");
    check_int(reply.status, 405);
    check(strcmp(field_of(&reply, "Allow"), "GET, HEAD") == 0);
    forget(&reply);
    check_int(status_of(&served, "OPTIONS * HTTP/1.1\r\n" END), 405);
    check_int(status_of(&served, "BREW / HTTP/1.1\r\n" END), 501);
    stop_serving(&served);
}

TEST(answers, parts) {
    static const struct {
        const char *range;
        int status;
        const char *body, *content_range;
    } cases[] = {
        {"bytes=0-4", 206, "hello", "bytes 0-4/13"},
        {"bytes=7-", 206, "world\n", "bytes 7-12/13"},
        {"bytes=-6", 206, "world\n", "bytes 7-12/13"},
        {"bytes=0-1000", 206, "hello, world\n", "bytes 0-12/13"},
        {"bytes=13-", 416, "416 Range Not Satisfiable\r\n", "bytes */13"},
        {"bytes=0-1,3-4", 200, "hello, world\n", ""},
        {"bytes=4-3", 200, "hello, world\n", ""},
        {"nonsense", 200, "hello, world\n", ""},
    };
    struct served served = serve(NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char fields[100];
        snprintf(fields, sizeof(fields), "Range: %s\r\n", cases[i].range);
        struct reply reply = get(&served, "/hello.txt", fields);
        check(strcmp(field_of(&reply, "Content-Range"), cases[i].content_range) == 0);
        check_reply(reply, cases[i].status, cases[i].body);
    }
    struct reply reply = get(&served, "/large.bin", "Range: bytes=1000001-2000000\r\n");
    check_int(reply.status, 206);
    check_int(reply.length, 1000000);
    for (size_t i = 0; i < reply.length; i++) check(reply.body[i] == large_byte(1000001 + i));
    forget(&reply);
    check_int(status_of(&served, "HEAD /hello.txt HTTP/1.1\r\nRange: bytes=0-1\r\n" END), 200);
    stop_serving(&served);
}

TEST(answers, what_the_client_has_already_is_not_sent) {
    struct served served = serve(NULL);
    struct reply reply = get(&served, "/hello.txt", "");
    char tag[200], date[200], later[200];
    snprintf(tag, sizeof(tag), "If-None-Match: \"x\", %s\r\n", field_of(&reply, "ETag"));
    snprintf(date, sizeof(date), "If-Modified-Since: %s\r\n", field_of(&reply, "Last-Modified"));
    snprintf(later, sizeof(later), "If-Range: %s\r\nRange: bytes=0-4\r\n", field_of(&reply, "ETag"));
    forget(&reply);
    reply = get(&served, "/hello.txt", tag);
    check_int(reply.status, 304);
    check(field_of(&reply, "ETag")[0] == '"');
    check(reply.body == NULL);
    forget(&reply);
    reply = get(&served, "/hello.txt", date);
    check_int(reply.status, 304);
    forget(&reply);
    check_reply(get(&served, "/hello.txt", later), 206, "hello");
    check_reply(get(&served, "/hello.txt", "If-Range: \"x\"\r\nRange: bytes=0-4\r\n"), 200, "hello, world\n");
    check_reply(get(&served, "/hello.txt", "If-Match: \"x\"\r\n"), 412, "412 Precondition Failed\r\n");

    put_file(&served, "hello.txt", "changed\n");
    check_reply(get(&served, "/hello.txt", tag), 200, "changed\n");
    check_reply(get(&served, "/hello.txt", later), 200, "changed\n");
    stop_serving(&served);
}

TEST(answers, nothing_follows_the_head_that_says_that_nothing_has_changed) {
    struct served served = serve(NULL);
    struct reply reply;
    int socket = dial(&served);
    say(socket, "GET /hello.txt HTTP/1.1\r\nIf-None-Match: *\r\n" END "GET /hello.txt HTTP/1.1\r\n" END);
    check(hear(socket, false, &reply));
    check_int(reply.status, 304);
    check(strcmp(field_of(&reply, "Content-Length"), "") == 0);
    forget(&reply);
    check(hear(socket, false, &reply));
    check_reply(reply, 200, "hello, world\n");
    close(socket);
    stop_serving(&served);
}

TEST(answers, the_log_has_a_line_for_each) {
    struct served served = serve(NULL);
    check_reply(get(&served, "/hello.txt", ""), 200, "hello, world\n");
    check_int(status_of(&served, "GET /none\" HTTP/1.1\r\n" END), 404);
    check_int(status_of(&served, "GET /\x01 HTTP/1.1\r\n" END), 400);
    check_int(status_of(&served, "nonsense\r\n"), 400);
    check(kill(served.process, SIGTERM) == 0);
    check_int(await_end(&served), 0);
    char *log = read_log(&served);
    check(strstr(log, "\"GET /hello.txt HTTP/1.1\" 200 13 ") != NULL);
    check(strstr(log, "\"GET /none\\x22 HTTP/1.1\" 404 15 ") != NULL);
    check(strstr(log, "\"GET /\\x01 HTTP/1.1\" 400 ") != NULL);
    check(strstr(log, "\"nonsense\" 400 ") != NULL);
    check(strncmp(log, "127.0.0.1:", 10) == 0);
    free(log);
    clean_up(&served);
}
