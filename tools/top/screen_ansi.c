/* SPDX-License-Identifier: MIT */
/* Sequences that every terminal of today understands; a key that sends one is told by the letter that ends it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "tools/top/screen.h"

enum {
    CONTROL_C = 3,
    CONTROL_L = 12,
    ESCAPE = 27,
    ESCAPE_MS = 25, /* what follows an escape within that time belongs to it */
};

static struct termios before;
static volatile sig_atomic_t resized, ended;

static void note_size(int number) {
    (void)number;
    resized = 1;
}

static void note_end(int number) {
    (void)number;
    ended = 1;
}

/* Without SA_RESTART: the wait for a key ends. */
static void watch(void) {
    sigaction(SIGWINCH, &(struct sigaction){.sa_handler = note_size}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = note_end}, NULL);
    sigaction(SIGHUP, &(struct sigaction){.sa_handler = note_end}, NULL);
}

const char *screen_open(void) {
    if (tcgetattr(STDIN_FILENO, &before) != 0) return "standard input is no terminal";
    struct termios now = before;
    cfmakeraw(&now);
    if (tcsetattr(STDIN_FILENO, TCSANOW, &now) != 0) return strerror(errno);
    watch();
    fputs("\033[?1049h\033[?25l\033[2J", stdout); /* the other page of the terminal, no cursor, clear */
    fflush(stdout);
    return NULL;
}

void screen_close(void) {
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void screen_size(int *rows, int *columns) {
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
    *rows = known ? size.ws_row : 24;
    *columns = known ? size.ws_col : 80;
}

void screen_line(int row, const char *text, enum screen_style style) {
    int rows, columns;
    screen_size(&rows, &columns);
    printf("\033[%d;1H%s", row + 1, style == STYLE_BOLD ? "\033[1m" : style == STYLE_REVERSE ? "\033[7m" : "");
    if (style == STYLE_REVERSE) {
        printf("%-*.*s", columns, columns, text);
    } else {
        printf("%.*s\033[K", columns, text);
    }
    fputs("\033[0m", stdout);
}

void screen_show(void) {
    fflush(stdout);
}

/* A letter, SCREEN_NOTHING, or SCREEN_QUIT. */
static int letter(int timeout_ms) {
    unsigned char byte;
    int ready = poll(&(struct pollfd){.fd = STDIN_FILENO, .events = POLLIN}, 1, timeout_ms);
    if (ended) return SCREEN_QUIT;
    if (ready <= 0) return SCREEN_NOTHING;
    return read(STDIN_FILENO, &byte, 1) == 1 ? byte : SCREEN_QUIT;
}

/* After ESC [ or ESC O: numbers, and a letter at the end. */
static int sequence(void) {
    int number = 0, key = letter(ESCAPE_MS);
    if (key != '[' && key != 'O') return SCREEN_NOTHING;
    while ((key = letter(ESCAPE_MS)) >= '0' && key <= '9') number = 10 * number + key - '0';
    switch (key) {
    case 'A':
        return SCREEN_UP;
    case 'B':
        return SCREEN_DOWN;
    case 'C':
        return SCREEN_RIGHT;
    case 'D':
        return SCREEN_LEFT;
    case 'H':
        return SCREEN_HOME;
    case 'F':
        return SCREEN_END;
    case '~':
        return number == 5   ? SCREEN_PAGE_UP
               : number == 6 ? SCREEN_PAGE_DOWN
               : number == 1 ? SCREEN_HOME
               : number == 4 ? SCREEN_END
                             : SCREEN_NOTHING;
    default:
        return SCREEN_NOTHING;
    }
}

int screen_key(int timeout_ms) {
    int key = letter(timeout_ms);
    if (resized) {
        resized = 0;
        return SCREEN_REDRAW;
    }
    if (key == CONTROL_L) {
        fputs("\033[2J", stdout); /* shown with what is written next */
        return SCREEN_REDRAW;
    }
    return key == ESCAPE ? sequence() : key == CONTROL_C ? SCREEN_QUIT : key;
}
