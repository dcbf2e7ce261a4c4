/* SPDX-License-Identifier: MIT */
/*
 * The head of an HTTP/1.1 request: the request line and the fields, up to the empty line (RFC 9112).
 *
 * The parser is given what has been read so far, again and again as more comes, and goes on where it stopped; how the
 * bytes were cut into pieces makes no difference to what it says. It is strict where two readers could understand a request
 * differently, which is what request smuggling lives on: lines end by CR LF and in no other way, a name is followed by its
 * colon at once, no line is folded, a length is said once and in one way.
 *
 * Answers below 0 are the status that the client is to be told, as -400; the connection cannot be used any further then.
 */
#ifndef HTTPD_REQUEST_H
#define HTTPD_REQUEST_H

#include <stdint.h>

#include "text.h"

enum { REQUEST_FIELDS_MAX = 100 };

struct request_limits {
    size_t line_max;   /* bytes of the request line, and of each field, without the line's end */
    size_t head_max;   /* bytes of the whole head */
    size_t fields_max; /* at most REQUEST_FIELDS_MAX */
};

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_OTHER,   /* of those that HTTP defines: is not allowed here */
    METHOD_UNKNOWN, /* not implemented */
};

/* Those that this server looks at. */
enum field_name {
    FIELD_OTHER,
    FIELD_CONNECTION,
    FIELD_CONTENT_LENGTH,
    FIELD_EXPECT,
    FIELD_HOST,
    FIELD_IF_MATCH,
    FIELD_IF_MODIFIED_SINCE,
    FIELD_IF_NONE_MATCH,
    FIELD_IF_RANGE,
    FIELD_IF_UNMODIFIED_SINCE,
    FIELD_RANGE,
    FIELD_TRANSFER_ENCODING,
    FIELD_NAMES, /* how many there are */
};

struct request_field {
    enum field_name name;
    struct text value;
};

enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED };

/* A request. Texts are in the buffer that was parsed last. */
struct request {
    /* of the parser */
    const char *base; /* that buffer */
    size_t line_at;   /* where the first line begins that is not parsed */
    size_t scanned;   /* up to where there is no end of it */
    enum { REQUEST_BEFORE, REQUEST_LINE, REQUEST_FIELDS, REQUEST_COMPLETE } state;

    /* of the request line */
    enum method method;
    unsigned minor;          /* 0 or 1: of HTTP/1.x */
    struct text line;        /* all of it */
    struct text target;      /* as it was sent */
    struct text path, query; /* its parts: the path begins with "/", or is "*"; the query is without "?" */
    struct text authority;   /* of a target "http://authority/path", else empty */

    /* of the fields; complete only when the head is */
    size_t field_count, line_count;                  /* those kept, and all */
    struct request_field fields[REQUEST_FIELDS_MAX]; /* those with a name above, in their order */
    bool keep_alive;                                 /* the client would use the connection further */
    bool expects_continue;                           /* it waits for "100 Continue" before it sends the body */
    enum body_kind body;
    uint64_t body_length; /* BODY_LENGTH; UINT64_MAX where it is too long for a number */
};

/* Begins a request, of which nothing has come yet. */
void request_begin(struct request *request);

/*
 * Parses what has come: `length` bytes at `buffer`, which begin with those of the calls before. They may stand at another
 * address than before, to which all texts of the request are moved. More than `limits->head_max` bytes are never asked for.
 *
 * Returns  the length of the head, which is complete
 *          0      there must be more to come
 *          -400   it is no request; -414, -431: it is longer than the limits; -417, -501, -505: it cannot be served
 */
int request_parse(struct request *request, const char *buffer, size_t length, const struct request_limits *limits);

/*
 * The first field of that name from field number `*from` on, which is moved behind it: for fields that are lists, and may
 * stand in several lines. False: there is none.
 */
bool request_next_field(const struct request *request, enum field_name name, size_t *from, struct text *value);

/* The first field of that name; false: there is none. */
bool request_field(const struct request *request, enum field_name name, struct text *value);

/* How often there is a field of that name. */
size_t request_count(const struct request *request, enum field_name name);

#endif
