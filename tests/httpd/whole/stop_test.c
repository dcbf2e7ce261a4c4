/* SPDX-License-Identifier: MIT */
/* Proves that a server that is stopped finishes what it has begun, and ends in time whatever its clients do. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#define GET "GET /hello.txt HTTP/1.1\r\nHost: a\r\n"

TEST(stop, idle_connections_do_not_hold_it_up) {
    struct served served = serve(NULL);
    struct reply reply;
    int silent = dial(&served), used = dial(&served);
    check(say(used, GET "\r\n"));
    check(hear(used, false, &reply));
    forget(&reply);
    stop_serving(&served);
    check_end(silent);
    check_end(used);
}

TEST(stop, by_sigint_as_well) {
    struct served served = serve(NULL);
    check_int(end_serving(&served, SIGINT), 0);
}

/* One whole answer. Returns whether it says that it is the last one. */
static bool hear_large(int socket) {
    struct reply reply;
    check(hear(socket, false, &reply));
    check_int(reply.status, 200);
    check_int(reply.length, LARGE_SIZE);
    bool is_last = strcmp(field_of(&reply, "Connection"), "close") == 0;
    forget(&reply);
    return is_last;
}

/* Waits until the server has read a signal that was sent to it, and has had time to do something about it. */
static void await_taken(const struct served *served, int signal) {
    struct timespec pause = {.tv_nsec = 100000000};
    char name[40], line[200];
    bool is_pending = true;
    snprintf(name, sizeof(name), "/proc/%d/status", (int)served->process);
    while (is_pending) {
        FILE *file = fopen(name, "r");
        check(file != NULL);
        while (fgets(line, sizeof(line), file) != NULL && strncmp(line, "ShdPnd:", 7) != 0) continue;
        fclose(file);
        is_pending = (strtoull(line + 7, NULL, 16) >> (signal - 1) & 1) != 0;
        nanosleep(&pause, NULL);
    }
}

TEST(stop, an_answer_under_way_is_sent_to_its_end_and_the_next_is_the_last) {
    enum { COUNT = 12 };
    struct served served = serve(NULL);
    int socket = dial(&served), heard = 1;
    char byte;
    /* More than the system keeps for a client that does not read: when the signal is sent, some are still to come. */
    for (int i = 0; i < COUNT; i++) check(say(socket, "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n"));
    check(recv(socket, &byte, 1, MSG_PEEK) == 1);
    check(kill(served.process, SIGTERM) == 0);
    await_taken(&served, SIGTERM);
    while (!hear_large(socket)) heard++;
    check(heard <= COUNT);
    check_end(socket);
    check_int(await_end(&served), 0);
    clean_up(&served);
}

TEST(stop, what_takes_too_long_is_cut_off_and_the_exit_status_says_so) {
    struct served served = serve((const char *const[]){"--stop-time", "0.2", NULL});
    int socket = dial(&served);
    char byte;
    check(say(socket, "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 8; i++) check(say(socket, "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n"));
    check(recv(socket, &byte, 1, MSG_PEEK) == 1);
    check_int(end_serving(&served, SIGTERM), 1);
    close(socket);
}

TEST(stop, a_second_signal_ends_it_at_once) {
    struct served served = serve(NULL);
    int socket = dial(&served);
    char byte;
    for (int i = 0; i < 8; i++) check(say(socket, "GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n"));
    check(recv(socket, &byte, 1, MSG_PEEK) == 1);
    check(kill(served.process, SIGTERM) == 0);
    /* Again until it has an effect, so that nothing is said about how soon. */
    siginfo_t info = {0};
    while (info.si_pid == 0) {
        struct timespec pause = {.tv_nsec = 10000000};
        nanosleep(&pause, NULL);
        check(kill(served.process, SIGINT) == 0);
        check(waitid(P_PID, (id_t)served.process, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
    }
    check_int(await_end(&served), 128 + SIGINT);
    clean_up(&served);
    close(socket);
}

/* What the program says to bad arguments: its exit status. */
static int exit_status(const char *arguments) {
    char command[1000];
    snprintf(command, sizeof(command), "%s %s >/dev/null 2>&1", HTTPD_PROGRAM, arguments);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(stop, bad_arguments_are_refused_before_it_begins) {
    static const char *const wrong[] = {
        "",
        "--port 0",
        "--port 65536 /tmp",
        "--port x /tmp",
        "--port",
        "/tmp /tmp",
        "--port 0 /no/such/folder",
        "--port 0 /etc/passwd",
        "--address nowhere /tmp",
        "--address unix:/tmp/a /tmp",
        "--idle-time 0 /tmp",
        "--idle-time -1 /tmp",
        "--idle-time nan /tmp",
        "--connections 0 /tmp",
        "--fields-max 101 /tmp",
        "--line-max 1 /tmp",
        "--key /tmp/a /tmp",
        "--certificate /no/such/file --port 0 /tmp",
        "--log /no/such/folder/log --port 0 /tmp",
        "--address 192.0.2.1:1 /tmp",
        "--no-such-option /tmp",
        "--workers 0 /tmp",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) check_int(exit_status(wrong[i]), 2);
    check_int(exit_status("--help"), 0);
}
