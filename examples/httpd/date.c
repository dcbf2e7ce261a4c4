/* SPDX-License-Identifier: MIT */
#include "date.h"

/* By hand, since the C library's functions for it look up the time zone, under a lock. */

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct date {
    int64_t year;
    int month, day, hour, minute, second; /* month and day from 1 on */
};

static bool is_leap(int64_t year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of(int month, int64_t year) {
    static const int table[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return table[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* Days from 1 January of the year 0 to that of `year`, which is not negative. */
static int64_t days_before_year(int64_t year) {
    return year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

static int64_t days_to_1970(void) {
    return days_before_year(1970);
}

static int64_t seconds_of(const struct date *date) {
    int64_t day = days_before_year(date->year) - days_to_1970() + date->day - 1;
    for (int month = 1; month < date->month; month++) day += days_of(month, date->year);
    return ((day * 24 + date->hour) * 60 + date->minute) * 60 + date->second;
}

static struct date date_of(int64_t seconds, int *weekday) {
    int64_t day = seconds / 86400 - (seconds % 86400 < 0 ? 1 : 0), rest = seconds - day * 86400;
    day += days_to_1970();
    struct date date = {.hour = (int)(rest / 3600), .minute = (int)(rest / 60 % 60), .second = (int)(rest % 60)};
    *weekday = (int)((day + 6) % 7); /* the first day of the year 0 was a Saturday */
    date.year = day / 366;           /* at most too small */
    while (days_before_year(date.year + 1) <= day) date.year++;
    day -= days_before_year(date.year);
    for (date.month = 1; day >= days_of(date.month, date.year); date.month++) day -= days_of(date.month, date.year);
    date.day = (int)day + 1;
    return date;
}

/* ------------------------------------------------------------------------------------------------------------- write */

static char *put_number(char *at, int64_t number, int digits) {
    for (int i = digits - 1; i >= 0; i--, number /= 10) at[i] = (char)('0' + number % 10);
    return at + digits;
}

static char *put_text(char *at, const char *text, size_t length) {
    memcpy(at, text, length);
    return at + length;
}

void date_format(char text[DATE_SIZE], int64_t seconds) {
    int64_t least = -days_to_1970() * 86400, most = (days_before_year(10000) - days_to_1970()) * 86400 - 1;
    int weekday;
    struct date date = date_of(seconds < least ? least : seconds > most ? most : seconds, &weekday);
    char *at = put_text(text, &days[weekday * 3], 3);
    at = put_number(put_text(at, ", ", 2), date.day, 2);
    at = put_text(put_text(at, " ", 1), &months[(date.month - 1) * 3], 3);
    at = put_number(put_text(at, " ", 1), date.year, 4);
    at = put_number(put_text(at, " ", 1), date.hour, 2);
    at = put_number(put_text(at, ":", 1), date.minute, 2);
    at = put_number(put_text(at, ":", 1), date.second, 2);
    put_text(at, " GMT", 5);
}

/* -------------------------------------------------------------------------------------------------------------- read */

/* Takes `wanted` off the front. */
static bool take(struct text *text, const char *wanted) {
    size_t length = strlen(wanted);
    if (text->length < length || memcmp(text->at, wanted, length) != 0) return false;
    *text = text_from(*text, length);
    return true;
}

/* Takes a number of just that many digits off the front. */
static bool take_number(struct text *text, int digits, int *number) {
    if (text->length < (size_t)digits || !text_is_digits((struct text){text->at, (size_t)digits})) return false;
    *number = 0;
    for (int i = 0; i < digits; i++) *number = *number * 10 + (text->at[i] - '0');
    *text = text_from(*text, (size_t)digits);
    return true;
}

/* Takes one of the names of three letters of `names` off the front; `*index` counts from 0. */
static bool take_name(struct text *text, const char *names, int *index) {
    for (*index = 0; names[*index * 3] != '\0'; (*index)++) {
        if (text->length < 3 || memcmp(text->at, &names[*index * 3], 3) != 0) continue;
        *text = text_from(*text, 3);
        return true;
    }
    return false;
}

static bool take_month(struct text *text, struct date *date) {
    if (!take_name(text, months, &date->month)) return false;
    date->month++;
    return true;
}

static bool take_clock(struct text *text, struct date *date) {
    return take_number(text, 2, &date->hour) && take(text, ":") && take_number(text, 2, &date->minute) &&
           take(text, ":") && take_number(text, 2, &date->second);
}

/* ", 06 Nov 1994 08:49:37 GMT", after the day's name */
static bool take_fixed(struct text text, struct date *date) {
    int year;
    if (!(take(&text, ", ") && take_number(&text, 2, &date->day) && take(&text, " ") && take_month(&text, date) &&
          take(&text, " ") && take_number(&text, 4, &year) && take(&text, " ") && take_clock(&text, date) &&
          take(&text, " GMT"))) {
        return false;
    }
    date->year = year;
    return text.length == 0;
}

/* "day, 06-Nov-94 08:49:37 GMT", after the first three letters of the day's name */
static bool take_dashed(struct text text, int weekday, int64_t now, struct date *date) {
    static const char *const endings[] = {"day", "day", "sday", "nesday", "rsday", "day", "urday"};
    int year, today;
    if (!(take(&text, endings[weekday]) && take(&text, ", ") && take_number(&text, 2, &date->day) && take(&text, "-") &&
          take_month(&text, date) && take(&text, "-") && take_number(&text, 2, &year) && take(&text, " ") &&
          take_clock(&text, date) && take(&text, " GMT"))) {
        return false;
    }
    int64_t this_year = date_of(now, &today).year;
    date->year = this_year - this_year % 100 + year;
    if (date->year > this_year + 50) date->year -= 100;
    return text.length == 0;
}

/* " Nov  6 08:49:37 1994", after the day's name */
static bool take_asctime(struct text text, struct date *date) {
    int year;
    if (!(take(&text, " ") && take_month(&text, date) && take(&text, " ") &&
          (take(&text, " ") ? take_number(&text, 1, &date->day) : take_number(&text, 2, &date->day)) &&
          take(&text, " ") && take_clock(&text, date) && take(&text, " ") && take_number(&text, 4, &year))) {
        return false;
    }
    date->year = year;
    return text.length == 0;
}

bool date_parse(struct text text, int64_t now, int64_t *seconds) {
    struct date date = {0};
    int weekday;
    if (!take_name(&text, days, &weekday)) return false;
    if (!take_fixed(text, &date) && !take_dashed(text, weekday, now, &date) && !take_asctime(text, &date)) return false;
    /* A minute may have a second 60, which counts as the first of the next. */
    if (date.day < 1 || date.day > days_of(date.month, date.year) || date.hour > 23 || date.minute > 59 ||
        date.second > 60) {
        return false;
    }
    *seconds = seconds_of(&date);
    return true;
}
