/* SPDX-License-Identifier: MIT */
#include "respond.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "date.h"

/* A file is sent in pieces of that size, each of which must have gone within a time: so a slow client has a least rate. */
#define PIECE ((uint64_t)256 << 10)

static int write_bytes(struct connection *connection, const void *bytes, size_t length) {
    filch_deadline deadline = filch_after(connection->server->options->send_ns);
    return filch_stream_write(connection->stream, bytes, length, NULL, deadline);
}

/* "Location: /directory/?query" of a path without the last slash. What stands in the path is encoded anew. */
static int write_location(struct connection *connection, const struct exchange *exchange) {
    char *url = malloc(3 * PATH_SIZE);
    if (url == NULL) return -ENOMEM;
    size_t length = path_encode(&exchange->path, true, url, 3 * PATH_SIZE);
    struct text query = exchange->request.query;
    int error = length == 0 ? -ENAMETOOLONG : write_bytes(connection, "Location: ", 10);
    if (error == 0) error = write_bytes(connection, url, length);
    if (error == 0 && query.length > 0) error = write_bytes(connection, "?", 1);
    if (error == 0) error = write_bytes(connection, query.at, query.length);
    if (error == 0) error = write_bytes(connection, "\r\n", 2);
    free(url);
    return error;
}

/* Where the file has become shorter meanwhile, what was promised cannot be kept: -ENODATA. */
static int send_file(struct connection *connection, struct exchange *exchange) {
    const struct answer *answer = &exchange->answer;
    uint64_t count = answer->range.count;
    int error = 0;
    while (error == 0 && exchange->sent < count) {
        size_t moved, piece = (size_t)(count - exchange->sent < PIECE ? count - exchange->sent : PIECE);
        filch_deadline deadline = filch_after(connection->server->options->send_ns);
        error = filch_stream_send_file(connection->stream, answer->file.number,
                                       (int64_t)(answer->range.first + exchange->sent), piece, &moved, deadline);
        exchange->sent += moved;
    }
    return error;
}

static void end_head(struct exchange *exchange) {
    struct head *head = &exchange->head;
    if (!exchange->is_kept) {
        head_put(head, "Connection: close\r\n");
    } else if (exchange->request.minor == 0) {
        head_put(head, "Connection: keep-alive\r\n");
    }
    head_put(head, "\r\n");
}

int respond(struct connection *connection, struct exchange *exchange) {
    struct answer *answer = &exchange->answer;
    struct head *head = &exchange->head;
    bool has_body = exchange->request.method != METHOD_HEAD && answer->status != 304;
    exchange->sent = 0;
    head_begin(head, answer, time(NULL));
    if (answer->status == 301) {
        int error = write_bytes(connection, head->bytes, head->length);
        if (error == 0) error = write_location(connection, exchange);
        if (error != 0) return error;
        head->length = 0;
    }
    end_head(exchange);
    if (has_body && answer->file.number < 0) {
        head_put_message(head, answer->status);
        exchange->sent = head_message_length(answer->status);
    }
    int error = write_bytes(connection, head->bytes, head->length);
    return error == 0 && answer->file.number >= 0 ? send_file(connection, exchange) : error;
}

/* --------------------------------------------------------------------------------------------------------------- log */

enum { LINE_SIZE = 1024 };

/* Appends `text` so that it can neither end the line nor the quotes that it stands in, cut off where it is too long. */
static size_t put_quoted(char *line, size_t at, size_t most, struct text text) {
    for (size_t i = 0; i < text.length && at + 4 <= most; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
            line[at++] = (char)byte;
        } else {
            at += (size_t)snprintf(&line[at], 5, "\\x%02x", byte);
        }
    }
    return at;
}

/* host - - [date] "request line" status bytes microseconds: the common format, and the time that the answer took. */
void respond_log(struct connection *connection, const struct exchange *exchange, int64_t began_ns) {
    struct access_log *log = &connection->server->log;
    if (log->number < 0) return;
    int64_t duration_ns = filch_now() - began_ns;
    char line[LINE_SIZE], host[FILCH_ADDRESS_TEXT_MAX], date[DATE_SIZE];
    date_format(date, time(NULL)); /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    filch_address_format(&connection->peer, host, sizeof(host));
    size_t at = (size_t)snprintf(line, sizeof(line), "%s - - [%.2s/%.3s/%.4s:%.8s +0000] \"", host, &date[5], &date[8],
                                 &date[12], &date[17]);
    at = put_quoted(line, at, sizeof(line) - 80, exchange->request.line);
    at += (size_t)snprintf(&line[at], sizeof(line) - at, "\" %d %llu %lld\n", exchange->answer.status,
                           (unsigned long long)exchange->sent, (long long)(duration_ns / 1000));
    log_add(log, line, at);
}
