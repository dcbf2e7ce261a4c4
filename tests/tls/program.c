/* SPDX-License-Identifier: MIT */
/* Other programs and sockets. */
#include "tests/tls/program.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

extern char **environ;

static void make_pipe(int ends[2]) {
    check_int(pipe2(ends, O_CLOEXEC), 0);
}

bool program_start(struct program *program, const char *const *arguments) {
    int in[2], out[2];
    posix_spawn_file_actions_t actions;
    *program = (struct program){.process = 0};
    make_pipe(in);
    make_pipe(out);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDERR_FILENO);
    int error = posix_spawnp(&program->process, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (error != 0) {
        close(in[1]);
        close(out[0]);
        check_int(error, ENOENT);
        return false;
    }
    check_int(filch_fd_adopt(&program->in, in[1], NULL), 0);
    check_int(filch_fd_adopt(&program->out, out[0], NULL), 0);
    return true;
}

const char *program_wait_for(struct program *program, const char *text) {
    const char *found;
    while ((found = strstr(program->text, text)) == NULL) {
        size_t room = sizeof program->text - 1 - program->length;
        ssize_t length = filch_fd_read(program->out, program->text + program->length, room, SOON);
        if (length <= 0) fprintf(stderr, "waited for \"%s\" (%zd), and read:\n%s\n", text, length, program->text);
        check(length > 0);
        for (ssize_t i = 0; i < length; i++) {
            char *byte = &program->text[program->length++];
            if (*byte == '\0') *byte = '?';
        }
        program->text[program->length] = '\0';
    }
    return found;
}

void program_tell(struct program *program, const char *text) {
    check_int(filch_fd_write_all(program->in, text, strlen(text), NULL, SOON), 0);
}

void program_end(struct program *program) {
    filch_fd_close(program->in);
    filch_fd_close(program->out);
    kill(program->process, SIGKILL);
    while (waitpid(program->process, NULL, 0) < 0) check_int(errno, EINTR);
}

static struct sockaddr_in here(unsigned port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int listen_somewhere(unsigned *port) {
    struct sockaddr_in address = here(0);
    socklen_t size = sizeof address;
    int number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(number >= 0);
    check_int(bind(number, (struct sockaddr *)&address, size), 0);
    check_int(listen(number, 16), 0);
    check_int(getsockname(number, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return number;
}

static filch_transport socket_transport(int number) {
    filch_fd fd;
    filch_transport transport;
    check_int(filch_fd_adopt(&fd, number, NULL), 0);
    check_int(filch_transport_open_fd(&transport, fd), 0);
    return transport;
}

filch_transport accept_one(int listener) {
    check(filch_poll(listener, FILCH_READABLE, SOON) > 0);
    int number = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    check(number >= 0);
    return socket_transport(number);
}

filch_transport connect_to(unsigned port) {
    struct sockaddr_in address = here(port);
    int number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(number >= 0);
    check_int(connect(number, (struct sockaddr *)&address, sizeof address), 0);
    return socket_transport(number);
}
