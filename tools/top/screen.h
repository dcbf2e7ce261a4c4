/* SPDX-License-Identifier: MIT */
/* The terminal, a line at a time: by ncurses (screen_curses.c), or by plain ANSI sequences (screen_ansi.c). */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include <stdbool.h>

enum screen_style {
    STYLE_PLAIN,
    STYLE_BOLD,
    STYLE_REVERSE,
};

/* What a key is that is no letter. */
enum screen_key {
    SCREEN_NOTHING = -1,  /* the time was up */
    SCREEN_REDRAW = 1000, /* all of it: the size has changed, or Ctrl-L */
    SCREEN_UP,
    SCREEN_DOWN,
    SCREEN_LEFT,
    SCREEN_RIGHT,
    SCREEN_PAGE_UP,
    SCREEN_PAGE_DOWN,
    SCREEN_HOME,
    SCREEN_END,
    SCREEN_QUIT, /* Ctrl-C, or a signal that ends programs, or the terminal is gone */
};

/* Takes the terminal. NULL, or why not. */
const char *screen_open(void);
void screen_close(void);

void screen_size(int *rows, int *columns);

/* What stands in a row from now on, from the left edge to the right one. */
void screen_line(int row, const char *text, enum screen_style style);

/* Shows what has been written. */
void screen_show(void);

/* A letter, or one of enum screen_key. */
int screen_key(int timeout_ms);

#endif
