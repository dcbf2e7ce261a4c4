/* SPDX-License-Identifier: MIT */
/*
 * Proves that addresses are read and written in one form, and that what is read back is the same; that what is of no such
 * form is refused and writes nothing; that text is cut where there is no room; and what is equal.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <filch/address.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

static void check_text(const filch_address *address, const char *expected) {
    char text[FILCH_ADDRESS_TEXT_MAX];
    check(filch_address_format(address, text, sizeof text) == text);
    if (strcmp(text, expected) != 0) fprintf(stderr, "\"%s\" is not \"%s\"\n", text, expected);
    check(strcmp(text, expected) == 0);
}

static filch_address parse(const char *text) {
    filch_address address;
    check_int(filch_address_parse(&address, text), 0);
    return address;
}

TEST(address, what_is_read_is_written_the_same) {
    static const char *const texts[] = {
        "127.0.0.1:80",     "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80", "[2001:db8::42]:443",  "[fe80::1%7777]:1",
        "unix:/run/a.sock", "unix:x",    "unix:@abstract",        "unix:@",   "[::ffff:10.0.0.1]:5",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        filch_address address = parse(texts[i]), again = parse(texts[i]);
        check_text(&address, texts[i]);
        check(filch_address_equal(&address, &again));
    }
}

TEST(address, a_zone_is_an_interface_by_name_or_number) {
    unsigned number = if_nametoindex("lo");
    char by_number[64];
    filch_address by_name = parse("[fe80::1%lo]:9");
    snprintf(by_number, sizeof by_number, "[fe80::1%%%u]:9", number);
    filch_address same = parse(by_number), other = parse("[fe80::1%7777]:9"), none = parse("[fe80::1]:9");
    check_int(by_name.ip6.sin6_scope_id, number);
    check(filch_address_equal(&by_name, &same));
    check(!filch_address_equal(&by_name, &other));
    check(!filch_address_equal(&by_name, &none));
    check_text(&same, "[fe80::1%lo]:9");
}

TEST(address, what_is_of_no_such_form_is_refused) {
    static const char *const texts[] = {
        "",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1: 80",
        "127.0.0.1:80 ",
        "127.1:80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "[127.0.0.1]:80",
        "[::1%]:80",
        "host:80",
        "[]:80",
        ":80",
        "unix:",
        "unix",
        "[fe80::1%no-such-if]:1",
        "1.2.3.4:8x",
        "1.2.3.4.5:8",
        "1.2.3.4:999999999999",
        "[1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7]:1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        filch_address address;
        memset(&address, 0x5a, sizeof address);
        filch_address before = address;
        if (filch_address_parse(&address, texts[i]) != -EINVAL) fprintf(stderr, "\"%s\" was read\n", texts[i]);
        check_int(filch_address_parse(&address, texts[i]), -EINVAL);
        check(memcmp(&before, &address, sizeof address) == 0);
    }
    filch_address address;
    check_int(filch_address_parse(NULL, "127.0.0.1:80"), -EINVAL);
    check_int(filch_address_parse(&address, NULL), -EINVAL);
}

TEST(address, paths_of_every_length_that_there_is_room_for) {
    char text[FILCH_ADDRESS_TEXT_MAX + 8] = "unix:";
    for (size_t length = 1; length <= 107; length++) {
        memset(text + 5, 'p', length);
        text[5 + length] = '\0';
        filch_address address = parse(text);
        check_int(address.length, offsetof(struct sockaddr_un, sun_path) + length + 1);
        check_int(strlen(address.local.sun_path), length);
        check_text(&address, text);
        text[5] = '@';
        address = parse(text);
        check_int(address.length, offsetof(struct sockaddr_un, sun_path) + length);
        check_int(address.local.sun_path[0], 0);
        check_text(&address, text);
    }
    memset(text + 5, 'p', 108);
    text[5 + 108] = '\0';
    filch_address address;
    check_int(filch_address_parse(&address, text), -EINVAL);
}

TEST(address, text_is_cut_off_where_there_is_no_room) {
    filch_address address = parse("127.0.0.1:80");
    char text[8] = "xxxxxxx";
    check(strcmp(filch_address_format(&address, text, 4), "127") == 0);
    check(strcmp(text + 4, "xxx") == 0);
    check(strcmp(filch_address_format(&address, text, 1), "") == 0);
    text[0] = 'y';
    check(filch_address_format(&address, text, 0) == text);
    check_int(text[0], 'y');
    check(filch_address_format(&address, NULL, 0) == NULL);
}

TEST(address, none_and_unbound_ones_have_a_text_too) {
    filch_address none = {0}, unbound = {.length = sizeof(sa_family_t), .local = {.sun_family = AF_UNIX}};
    check_text(&none, "");
    check_text(NULL, "");
    check_text(&unbound, "unix:");
    filch_address zeros = {.length = offsetof(struct sockaddr_un, sun_path) + 4, .local = {.sun_family = AF_UNIX}};
    memcpy(zeros.local.sun_path, "\0a\0b", 4);
    check_text(&zeros, "unix:@a?b");
}

TEST(address, those_that_are_made_have_host_and_port) {
    filch_address made[] = {filch_address_ip4_any(1), filch_address_ip6_any(2), filch_address_ip4_loopback(3),
                            filch_address_ip6_loopback(65535)};
    check_text(&made[0], "0.0.0.0:1");
    check_text(&made[1], "[::]:2");
    check_text(&made[2], "127.0.0.1:3");
    check_text(&made[3], "[::1]:65535");
    check_int(filch_address_port(&made[3]), 65535);
    filch_address local = parse("unix:/a"), none = {0};
    check_int(filch_address_port(&local), 0);
    check_int(filch_address_port(&none), 0);
    check_int(filch_address_port(NULL), 0);
}

TEST(address, equal_are_those_of_the_same_family_host_port_and_path) {
    static const char *const different[] = {
        "127.0.0.1:80", "127.0.0.1:81", "127.0.0.2:80", "[::1]:80", "[::2]:80", "[::1]:81",
        "unix:/a",      "unix:/b",      "unix:/ab",     "unix:@a",  "unix:@b",  "[::ffff:127.0.0.1]:80",
    };
    enum { COUNT = sizeof different / sizeof different[0] };
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            filch_address a = parse(different[i]), b = parse(different[j]);
            check_int(filch_address_equal(&a, &b), i == j);
        }
    }
    filch_address some = parse(different[0]), none = {0}, padded = parse("unix:/a"), path = parse("unix:/a");
    padded.length = sizeof padded.local; /* as a kernel or a program may say it */
    check(filch_address_equal(&padded, &path));
    check(filch_address_equal(&none, &none));
    check(!filch_address_equal(&some, &none));
    check(!filch_address_equal(&some, NULL));
    check(!filch_address_equal(NULL, &some));
}
