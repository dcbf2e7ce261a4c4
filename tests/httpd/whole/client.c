/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPTIONS_MAX = 32, PATIENCE_S = 200 };

/* ------------------------------------------------------------------------------------------------------- the folder */

char large_byte(size_t i) {
    return (char)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static void path_of(const struct served *served, const char *name, char *path, size_t size) {
    check(snprintf(path, size, "%s/%s", served->folder, name) < (int)size);
}

static void put_bytes(const struct served *served, const char *name, const char *bytes, size_t length) {
    char path[200];
    path_of(served, name, path, sizeof(path));
    FILE *file = fopen(path, "wb");
    check(file != NULL);
    check(fwrite(bytes, 1, length, file) == length);
    check(fclose(file) == 0);
}

void put_file(const struct served *served, const char *name, const char *content) {
    put_bytes(served, name, content, strlen(content));
}

static void put_large(const struct served *served) {
    char *bytes = malloc(LARGE_SIZE);
    check(bytes != NULL);
    for (size_t i = 0; i < LARGE_SIZE; i++) bytes[i] = large_byte(i);
    put_bytes(served, "large.bin", bytes, LARGE_SIZE);
    free(bytes);
}

static void make_folder(struct served *served) {
    char path[200];
    strcpy(served->folder, "/tmp/filch-httpd-XXXXXX");
    check(mkdtemp(served->folder) != NULL);
    snprintf(served->log, sizeof(served->log), "%s.log", served->folder);
    path_of(served, "a", path, sizeof(path));
    check(mkdir(path, 0755) == 0);
    path_of(served, "bare", path, sizeof(path));
    check(mkdir(path, 0755) == 0);
    path_of(served, "outside", path, sizeof(path));
    check(symlink("/etc/passwd", path) == 0);
    path_of(served, "inside", path, sizeof(path));
    check(symlink("hello.txt", path) == 0);
    path_of(served, "pipe", path, sizeof(path));
    check(mkfifo(path, 0644) == 0);
    put_file(served, "index.html", "<p>index</p>\n");
    put_file(served, "hello.txt", "hello, world\n");
    put_file(served, "empty", "");
    put_file(served, "a/index.html", "<p>a</p>\n");
    put_file(served, ".hidden", "hidden\n");
    put_large(served);
}

void clean_up(const struct served *served) {
    static const char *const names[] = {"index.html", "hello.txt", "empty",   "a/index.html",
                                        ".hidden",    "large.bin", "outside", "inside",
                                        "pipe",       "a",         "bare",    "."};
    char path[200];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        path_of(served, strcmp(names[i], ".") == 0 ? "" : names[i], path, sizeof(path));
        remove(path);
    }
    remove(served->log);
}

/* ------------------------------------------------------------------------------------------------------- the process */

/* Reads where the server listens, from the line that it prints. */
static uint16_t read_port(int output) {
    char line[300];
    size_t length = 0;
    while (length < sizeof(line) - 1 && read(output, &line[length], 1) == 1 && line[length] != '\n') length++;
    line[length] = '\0';
    const char *colon = strrchr(line, ':');
    check(colon != NULL);
    return (uint16_t)atoi(colon + 1);
}

/* In the child: becomes the server, which ends with the test that has started it, however that ends. */
static _Noreturn void become_server(char **arguments, int output, pid_t parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && dup2(output, STDOUT_FILENO) >= 0) {
        execv(HTTPD_PROGRAM, arguments);
    }
    _exit(127);
}

/* A machine that is busy with something else must not make a test fail: what is about time says so by its options. */
static const char *const unhurried[] = {"--header-time", "1000",        "--idle-time", "1000", "--send-time",
                                        "1000",          "--stop-time", "1000",        NULL};

struct served serve(const char *const *options) {
    struct served served = {0};
    make_folder(&served);
    const char *arguments[OPTIONS_MAX] = {HTTPD_PROGRAM, "--port", "0", "--workers", "2", "--log", served.log};
    size_t count = 7;
    for (const char *const *option = unhurried; *option != NULL; option++) arguments[count++] = *option;
    for (; options != NULL && *options != NULL; options++) arguments[count++] = *options;
    check(count + 2 < OPTIONS_MAX);
    arguments[count++] = served.folder;
    arguments[count] = NULL;

    int output[2];
    check(pipe2(output, O_CLOEXEC) == 0);
    pid_t self = getpid();
    served.process = fork();
    check(served.process >= 0);
    if (served.process == 0) become_server((char **)arguments, output[1], self);
    close(output[1]);
    served.port = read_port(output[0]);
    close(output[0]);
    return served;
}

int await_end(const struct served *served) {
    int status;
    while (waitpid(served->process, &status, 0) < 0) check(errno == EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int end_serving(const struct served *served, int signal) {
    check(kill(served->process, signal) == 0);
    int status = await_end(served);
    clean_up(served);
    return status;
}

void stop_serving(const struct served *served) {
    check_int(end_serving(served, SIGTERM), 0);
}

char *read_log(const struct served *served) {
    FILE *file = fopen(served->log, "rb");
    check(file != NULL);
    char *text = calloc(1, 1 << 20);
    check(text != NULL);
    size_t length = fread(text, 1, (1 << 20) - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

/* -------------------------------------------------------------------------------------------------------- clients */

int dial(const struct served *served) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(served->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(number >= 0);
    check(setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    check(setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0);
    check(connect(number, (struct sockaddr *)&address, sizeof(address)) == 0);
    return number;
}

bool say(int socket, const char *text) {
    for (size_t left = strlen(text); left > 0;) {
        ssize_t sent = send(socket, text, left, MSG_NOSIGNAL);
        if (sent < 0) {
            check(errno == EPIPE || errno == ECONNRESET);
            return false;
        }
        text += sent;
        left -= (size_t)sent;
    }
    return true;
}

/* One byte, or false: the end, or a reset. */
static bool hear_byte(int socket, char *byte) {
    ssize_t length = recv(socket, byte, 1, 0);
    if (length < 0) check(errno == ECONNRESET);
    return length == 1;
}

/* The head, byte by byte: nothing of what follows is taken. */
static bool hear_head(int socket, struct reply *reply) {
    size_t length = 0, size = 64 << 10;
    reply->head = calloc(1, size);
    check(reply->head != NULL);
    while (length < 4 || memcmp(&reply->head[length - 4], "\r\n\r\n", 4) != 0) {
        check(length + 1 < size);
        if (!hear_byte(socket, &reply->head[length])) {
            check_int(length, 0);
            return false;
        }
        length++;
    }
    check(strncmp(reply->head, "HTTP/1.1 ", 9) == 0);
    reply->status = atoi(reply->head + 9);
    return true;
}

bool hear(int socket, bool is_head, struct reply *reply) {
    *reply = (struct reply){0};
    if (!hear_head(socket, reply)) {
        forget(reply);
        return false;
    }
    if (is_head || reply->status == 304) return true;
    const char *length = field_of(reply, "Content-Length");
    check(length[0] != '\0');
    reply->length = (size_t)atoll(length);
    reply->body = malloc(reply->length + 1);
    check(reply->body != NULL);
    for (size_t at = 0; at < reply->length;) {
        ssize_t some = recv(socket, &reply->body[at], reply->length - at, 0);
        check(some > 0);
        at += (size_t)some;
    }
    reply->body[reply->length] = '\0';
    return true;
}

void forget(struct reply *reply) {
    free(reply->head);
    free(reply->body);
    *reply = (struct reply){0};
}

const char *field_of(const struct reply *reply, const char *name) {
    static _Thread_local char value[1000];
    size_t length = strlen(name);
    for (const char *line = reply->head; (line = strstr(line, "\r\n")) != NULL;) {
        line += 2;
        if (strncasecmp(line, name, length) != 0 || strncmp(line + length, ": ", 2) != 0) continue;
        size_t size = strcspn(line + length + 2, "\r");
        check(size < sizeof(value));
        memcpy(value, line + length + 2, size);
        value[size] = '\0';
        return value;
    }
    return "";
}

void check_end(int socket) {
    char byte;
    check(!hear_byte(socket, &byte));
    close(socket);
}

struct reply ask(const struct served *served, const char *request) {
    struct reply reply;
    int socket = dial(served);
    say(socket, request);
    check(hear(socket, strncmp(request, "HEAD ", 5) == 0, &reply));
    close(socket);
    return reply;
}

int status_of(const struct served *served, const char *request) {
    struct reply reply = ask(served, request);
    int status = reply.status;
    forget(&reply);
    return status;
}

struct reply get(const struct served *served, const char *target, const char *fields) {
    char request[2000];
    int size = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, fields);
    check(size < (int)sizeof(request));
    return ask(served, request);
}
