/* SPDX-License-Identifier: MIT */
#include "head.h"

#include <stdlib.h>
#include <string.h>

#include "date.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *head_reason(int status) {
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) return reasons[i].reason;
    }
    return "";
}

static void put_bytes(struct head *head, const char *bytes, size_t length) {
    /* All that is put here is of bounded length, and together shorter than that: a bug otherwise. */
    if (length > HEAD_SIZE - head->length) abort();
    memcpy(&head->bytes[head->length], bytes, length);
    head->length += length;
}

void head_put(struct head *head, const char *text) {
    put_bytes(head, text, strlen(text));
}

static void put_number(struct head *head, uint64_t number) {
    char digits[20];
    size_t at = sizeof(digits);
    do digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    put_bytes(head, &digits[at], sizeof(digits) - at);
}

static void put_field(struct head *head, const char *name, const char *value) {
    head_put(head, name);
    head_put(head, value);
    head_put(head, "\r\n");
}

static void put_date_field(struct head *head, const char *name, int64_t seconds) {
    char date[DATE_SIZE];
    date_format(date, seconds);
    put_field(head, name, date);
}

void head_put_message(struct head *head, int status) {
    put_number(head, (uint64_t)status);
    head_put(head, " ");
    put_field(head, head_reason(status), "");
}

size_t head_message_length(int status) {
    return strlen("404 \r\n") + strlen(head_reason(status));
}

uint64_t head_content_length(const struct answer *answer) {
    return answer->status == 200 || answer->status == 206 ? answer->range.count : head_message_length(answer->status);
}

/* "bytes 0-9/100", or of a range outside of it "bytes 'star'/100". */
static void put_content_range(struct head *head, const struct answer *answer) {
    head_put(head, "Content-Range: bytes ");
    if (answer->status == 416) {
        head_put(head, "*");
    } else {
        put_number(head, answer->range.first);
        head_put(head, "-");
        put_number(head, answer->range.first + answer->range.count - 1);
    }
    head_put(head, "/");
    put_number(head, answer->file.size);
    head_put(head, "\r\n");
}

static void put_file_fields(struct head *head, const struct answer *answer) {
    put_field(head, "ETag: ", answer->file.tag);
    put_date_field(head, "Last-Modified: ", answer->file.modified);
    if (answer->status != 304) head_put(head, "Accept-Ranges: bytes\r\n");
}

void head_begin(struct head *head, const struct answer *answer, int64_t date) {
    int status = answer->status;
    head->length = 0;
    head_put(head, "HTTP/1.1 ");
    head_put_message(head, status);
    put_date_field(head, "Date: ", date);
    head_put(head, "Server: filch-httpd\r\n");
    if (status != 304) {
        bool is_file = status == 200 || status == 206;
        put_field(head, "Content-Type: ", is_file ? answer->type : "text/plain; charset=utf-8");
        head_put(head, "X-Content-Type-Options: nosniff\r\nContent-Length: ");
        put_number(head, head_content_length(answer));
        head_put(head, "\r\n");
    }
    if (status == 200 || status == 206 || status == 304) put_file_fields(head, answer);
    if (status == 206 || status == 416) put_content_range(head, answer);
    if (status == 405) head_put(head, "Allow: GET, HEAD\r\n");
}
