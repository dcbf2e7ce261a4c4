/* SPDX-License-Identifier: MIT */
#include <curses.h>
#include <locale.h>
#include <stdlib.h>

#include "tools/top/screen.h"

enum { CONTROL_C = 3, CONTROL_L = 12 };

static SCREEN *screen;

const char *screen_open(void) {
    setlocale(LC_CTYPE, "");
    screen = newterm(NULL, stdout, stdin);
    if (screen == NULL) return "ncurses does not know this terminal: TERM names none that it has";
    raw(); /* Ctrl-C is a key */
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    curs_set(0);
    return NULL;
}

void screen_close(void) {
    endwin();
    delscreen(screen);
}

void screen_size(int *rows, int *columns) {
    getmaxyx(stdscr, *rows, *columns);
}

void screen_line(int row, const char *text, enum screen_style style) {
    attr_t attributes = style == STYLE_BOLD ? A_BOLD : style == STYLE_REVERSE ? A_REVERSE : A_NORMAL;
    int rows, columns;
    screen_size(&rows, &columns);
    attrset(attributes);
    move(row, 0);
    clrtoeol();
    addnstr(text, columns);
    if (style == STYLE_REVERSE) {
        for (int at = getcurx(stdscr); getcury(stdscr) == row && at < columns; at++) addch(' ');
    }
    attrset(A_NORMAL);
}

void screen_show(void) {
    refresh();
}

int screen_key(int timeout_ms) {
    timeout(timeout_ms);
    int key = getch();
    switch (key) {
    case ERR:
        return SCREEN_NOTHING;
    case CONTROL_L:
        clearok(curscr, TRUE); /* with the next refresh */
        return SCREEN_REDRAW;
    case KEY_RESIZE:
        return SCREEN_REDRAW;
    case KEY_UP:
        return SCREEN_UP;
    case KEY_DOWN:
        return SCREEN_DOWN;
    case KEY_LEFT:
        return SCREEN_LEFT;
    case KEY_RIGHT:
        return SCREEN_RIGHT;
    case KEY_PPAGE:
        return SCREEN_PAGE_UP;
    case KEY_NPAGE:
        return SCREEN_PAGE_DOWN;
    case KEY_HOME:
        return SCREEN_HOME;
    case KEY_END:
        return SCREEN_END;
    case CONTROL_C:
        return SCREEN_QUIT;
    default:
        return key;
    }
}
