/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: httpd [OPTION ...] DIRECTORY\n"
    "\n"
    "Serves the files of DIRECTORY by HTTP/1.1, until SIGINT or SIGTERM; a second one ends it at once.\n"
    "\n"
    "  --address ADDRESS      where to listen: 127.0.0.1:8080 (the default), [::]:80 ...\n"
    "  --port N               the port alone; 0: a free one, which is printed\n"
    "  --certificate FILE     serve by TLS with this certificate (PEM), and\n"
    "  --key FILE             with this key; default: the certificate's file\n"
    "  --workers N            default: what the process may use\n"
    "  --connections N        at once, others wait; default: 10000\n"
    "  --log FILE             access log, appended to; \"-\": standard output\n"
    "  --keep-files SECONDS   how long a file is kept open for the next who asks for it: what was renamed meanwhile "
    "is\n"
    "                         seen so late; 0: files are not kept; default: 1\n"
    "  --hidden               serve files and directories whose names begin with \".\" too\n"
    "\n"
    "Limits. SECONDS may have a fraction.\n"
    "\n"
    "  --header-time SECONDS  for the head of a request, from its first byte on; default: 10\n"
    "  --idle-time SECONDS    between two requests on a connection; default: 60\n"
    "  --send-time SECONDS    for each 256 KiB of an answer to be taken; default: 30\n"
    "  --stop-time SECONDS    for requests to end when the server is stopped; default: 10\n"
    "  --line-max BYTES       of the request line, and of each field; default: 8192\n"
    "  --head-max BYTES       of the head of a request; default: 32768\n"
    "  --fields-max N         fields in it; at most and by default: 100\n"
    "  --body-max BYTES       of the body of a request, which is skipped; default: 65536\n"
    "  --help                 show this\n"
    "\n"
    "Exit status: 0 when it was stopped and all requests had ended, 1 when some were cut off, 2 when it could not "
    "begin.\n";

static _Noreturn void refuse(const char *what, const char *text) {
    fprintf(stderr, "httpd: %s%s%s\nTry 'httpd --help'.\n", what, text == NULL ? "" : ": ", text == NULL ? "" : text);
    exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "httpd: --%s wants a number from %llu to %llu, not \"%s\"\n", option, (unsigned long long)least,
                (unsigned long long)most, text);
        exit(2);
    }
    return value;
}

static int64_t seconds(const char *option, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0.001 && value <= 1e6)) {
        fprintf(stderr, "httpd: --%s wants seconds from 0.001 to 1000000, not \"%s\"\n", option, text);
        exit(2);
    }
    return (int64_t)(value * 1e9);
}

enum { ADDRESS = 256, PORT, CERTIFICATE, KEY, WORKERS, CONNECTIONS, KEEP_FILES, LOG, HIDDEN, HELP };
enum { HEADER_TIME = 512, IDLE_TIME, SEND_TIME, STOP_TIME, LINE_MAX_OPTION, HEAD_MAX, FIELDS_MAX, BODY_MAX };

static const struct option table[] = {
    {"address", required_argument, NULL, ADDRESS},
    {"port", required_argument, NULL, PORT},
    {"certificate", required_argument, NULL, CERTIFICATE},
    {"key", required_argument, NULL, KEY},
    {"workers", required_argument, NULL, WORKERS},
    {"connections", required_argument, NULL, CONNECTIONS},
    {"keep-files", required_argument, NULL, KEEP_FILES},
    {"log", required_argument, NULL, LOG},
    {"hidden", no_argument, NULL, HIDDEN},
    {"header-time", required_argument, NULL, HEADER_TIME},
    {"idle-time", required_argument, NULL, IDLE_TIME},
    {"send-time", required_argument, NULL, SEND_TIME},
    {"stop-time", required_argument, NULL, STOP_TIME},
    {"line-max", required_argument, NULL, LINE_MAX_OPTION},
    {"head-max", required_argument, NULL, HEAD_MAX},
    {"fields-max", required_argument, NULL, FIELDS_MAX},
    {"body-max", required_argument, NULL, BODY_MAX},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static void read_address(struct options *options, const char *text) {
    filch_address address;
    if (filch_address_parse(&address, text) != 0 || address.any.sa_family == AF_UNIX) {
        refuse("--address wants an address with a port, as 127.0.0.1:80 or [::1]:80, not", text);
    }
    options->address = address;
}

static void set_port(filch_address *address, uint16_t port) {
    if (address->any.sa_family == AF_INET6) {
        address->ip6.sin6_port = htons(port);
    } else {
        address->ip4.sin_port = htons(port);
    }
}

/* What is said by options that are limits. False: it is none of them. */
static bool read_limit(struct options *options, int option, const char *name, const char *text) {
    switch (option) {
    case HEADER_TIME:
        options->header_ns = seconds(name, text);
        return true;
    case IDLE_TIME:
        options->idle_ns = seconds(name, text);
        return true;
    case SEND_TIME:
        options->send_ns = seconds(name, text);
        return true;
    case STOP_TIME:
        options->stop_ns = seconds(name, text);
        return true;
    case LINE_MAX_OPTION:
        options->limits.line_max = number(name, text, 64, 1 << 20);
        return true;
    case HEAD_MAX:
        options->limits.head_max = number(name, text, 64, 1 << 20);
        return true;
    case FIELDS_MAX:
        options->limits.fields_max = number(name, text, 1, REQUEST_FIELDS_MAX);
        return true;
    case BODY_MAX:
        options->body_max = number(name, text, 0, UINT64_C(1) << 40);
        return true;
    default:
        return false;
    }
}

/* The others. `*port` is what --port says. */
static void read_other(struct options *options, int option, const char *text, int *port) {
    switch (option) {
    case ADDRESS:
        read_address(options, text);
        break;
    case PORT:
        *port = (int)number("port", text, 0, 65535);
        break;
    case CERTIFICATE:
        options->certificate = text;
        break;
    case KEY:
        options->key = text;
        break;
    case WORKERS:
        options->workers = (unsigned)number("workers", text, 1, FILCH_WORKERS_MAX);
        break;
    case CONNECTIONS:
        options->connections = number("connections", text, 1, 1000000);
        break;
    case KEEP_FILES:
        options->kept_seconds = (int64_t)number("keep-files", text, 0, 86400);
        break;
    case LOG:
        options->log = text;
        break;
    case HIDDEN:
        options->shows_hidden = true;
        break;
    case HELP:
        fputs(help, stdout);
        exit(0);
    default:
        fputs("Try 'httpd --help'.\n", stderr);
        exit(2);
    }
}

void options_read(struct options *options, int argc, char **argv) {
    int port = -1, index = 0;
    *options = (struct options){
        .address = filch_address_ip4_loopback(8080),
        .connections = 10000,
        .kept_seconds = 1,
        .limits = {.line_max = 8192, .head_max = 32768, .fields_max = REQUEST_FIELDS_MAX},
        .body_max = 65536,
        .header_ns = FILCH_SEC(10),
        .idle_ns = FILCH_SEC(60),
        .send_ns = FILCH_SEC(30),
        .stop_ns = FILCH_SEC(10),
    };
    for (int option; (option = getopt_long(argc, argv, "", table, &index)) != -1;) {
        if (!read_limit(options, option, table[index].name, optarg)) read_other(options, option, optarg, &port);
    }
    if (port >= 0) set_port(&options->address, (uint16_t)port);
    if (optind == argc) refuse("which directory?", NULL);
    if (optind + 1 < argc) refuse("one directory only, not also", argv[optind + 1]);
    if (options->key != NULL && options->certificate == NULL) refuse("--key without --certificate", NULL);
    options->root = argv[optind];
}
