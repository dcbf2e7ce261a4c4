/* SPDX-License-Identifier: MIT */
/* The live screen of filch-top, on a terminal that is the test's. */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sight/looking.h"
#include "tests/test.h"

enum { MANY_MS = 40000 };

struct terminal {
    int fd;
    pid_t process;
    char text[1 << 18]; /* all that it was sent since it was last cleared */
    size_t length;
};

static void open_terminal(struct terminal *terminal, const char *program, pid_t process) {
    char number[16];
    snprintf(number, sizeof number, "%d", process);
    struct winsize size = {.ws_row = 30, .ws_col = 200};
    terminal->length = 0;
    terminal->process = forkpty(&terminal->fd, NULL, NULL, &size);
    check(terminal->process >= 0);
    if (terminal->process == 0) {
        setenv("TERM", "xterm", 1);
        execl(program, program, "--delay", "0.2", number, (char *)NULL);
        _exit(127);
    }
}

static void press(struct terminal *terminal, const char *keys) {
    terminal->length = 0;
    check_int(write(terminal->fd, keys, strlen(keys)), strlen(keys));
}

/* Reads some more; false: the terminal's other end is closed. */
static bool read_more(struct terminal *terminal, int timeout_ms) {
    struct pollfd ready = {.fd = terminal->fd, .events = POLLIN};
    if (poll(&ready, 1, timeout_ms) == 0) return true;
    if (terminal->length > sizeof terminal->text / 2) terminal->length = 0;
    ssize_t got = read(terminal->fd, terminal->text + terminal->length, 4096);
    if (got <= 0) return false;
    for (ssize_t i = 0; i < got; i++) {
        if (terminal->text[terminal->length + (size_t)i] == '\0') terminal->text[terminal->length + (size_t)i] = '?';
    }
    terminal->length += (size_t)got;
    terminal->text[terminal->length] = '\0';
    return true;
}

/* Until what was sent contains `part`. */
static void await_text(struct terminal *terminal, const char *part) {
    terminal->text[terminal->length] = '\0';
    for (int waited = 0; strstr(terminal->text, part) == NULL; waited += 100) {
        if (waited > MANY_MS || !read_more(terminal, 100)) {
            size_t end = terminal->length < 2000 ? 0 : terminal->length - 2000;
            fprintf(stderr, "waited for \"%s\"; the terminal's last:\n%s\n", part, terminal->text + end);
            check(!"it came");
        }
    }
}

static int await_end(struct terminal *terminal) {
    while (read_more(terminal, 100)) continue;
    int status;
    while (waitpid(terminal->process, &status, 0) < 0) check_int(errno, EINTR);
    close(terminal->fd);
    check(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Then all of it anew by Ctrl-L: otherwise only those letters are sent that differ from what stood in their places. */
static void press_and_redraw(struct terminal *terminal, const char *keys) {
    char all[16];
    snprintf(all, sizeof all, "%s\f", keys);
    press(terminal, all);
}

static void press_keys(const char *program) {
    static struct terminal terminal;
    if (!may_trace()) return;
    pid_t process = start_waiting(STATIC_PROGRAM, "hang");
    open_terminal(&terminal, program, process);
    await_text(&terminal, "SPAWNED AT");
    await_text(&terminal, "\"receiver\"");
    press_and_redraw(&terminal, "2");
    await_text(&terminal, "DEADLOCK");
    press_and_redraw(&terminal, "4");
    await_text(&terminal, "SPAWNED/s");
    press_and_redraw(&terminal, "3");
    await_text(&terminal, "LONGEST");
    press_and_redraw(&terminal, "h");
    await_text(&terminal, "tasks that are alike in one line");
    press_and_redraw(&terminal, "x");
    await_text(&terminal, "LONGEST");
    press_and_redraw(&terminal, " ");
    await_text(&terminal, "PAUSED");
    press_and_redraw(&terminal, " 1f");
    await_text(&terminal, "each task");
    press_and_redraw(&terminal, "G");
    await_text(&terminal, "hanger"); /* the only one that does not wait is the last */
    press_and_redraw(&terminal, "sr");
    await_text(&terminal, "reversed");
    press(&terminal, "q");
    check_int(await_end(&terminal), 0);
    stop_waiting(process);
}

static void change_size(const char *program) {
    static struct terminal terminal;
    if (!may_trace()) return;
    pid_t process = start_waiting(STATIC_PROGRAM, "");
    open_terminal(&terminal, program, process);
    await_text(&terminal, "SPAWNED AT");
    for (unsigned short rows = 1; rows < 60; rows += 7) {
        terminal.length = 0;
        check_int(ioctl(terminal.fd, TIOCSWINSZ, &(struct winsize){.ws_row = rows, .ws_col = 10 + rows}), 0);
        await_text(&terminal, rows > 3 ? "filch-top" : "");
        press(&terminal, "jjj4");
    }
    press(&terminal, "\003");
    check_int(await_end(&terminal), 0);
    stop_waiting(process);
}

TEST(screen, keys_change_what_is_shown) {
    press_keys(TOP_PROGRAM);
}

TEST(screen, keys_change_what_is_shown_without_ncurses) {
    press_keys(PLAIN_PROGRAM);
}

TEST(screen, it_fits_into_a_terminal_that_changes_its_size) {
    change_size(TOP_PROGRAM);
}

TEST(screen, it_fits_into_a_terminal_that_changes_its_size_without_ncurses) {
    change_size(PLAIN_PROGRAM);
}

TEST(screen, a_process_that_ends_meanwhile_is_told_of) {
    static struct terminal terminal;
    if (!may_trace()) return;
    pid_t process = start_waiting(STATIC_PROGRAM, "");
    open_terminal(&terminal, TOP_PROGRAM, process);
    await_text(&terminal, "SPAWNED AT");
    stop_waiting(process);
    check_int(await_end(&terminal), 1);
    check_contains(terminal.text, "has ended");
}
