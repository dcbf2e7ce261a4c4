/* SPDX-License-Identifier: MIT */
/* Proves that no path of a URL leads out of the root, however it is written, and that names come out as they were meant. */
#include "examples/httpd/path.h"

#include <stdlib.h>

#include "tests/test.h"

static int resolve(const char *url, struct path *path) {
    return path_resolve(path, text_of(url), true);
}

TEST(path, names_are_decoded_and_put_in_order) {
    static const struct {
        const char *url, *name;
        bool is_directory;
    } cases[] = {
        {"/", "", true},
        {"/a", "a", false},
        {"/a/", "a", true},
        {"/a/b.html", "a/b.html", false},
        {"//a///b", "a/b", false},
        {"/./a/./b/.", "a/b", true},
        {"/a/../b", "b", false},
        {"/a/b/..", "a", true},
        {"/a/b/../../c/", "c", true},
        {"/a/..", "", true},
        {"/%61%2Eb", "a.b", false},
        {"/a%20b", "a b", false},
        {"/%2e/a", "a", false},
        {"/a/%2E%2e/b", "b", false},
        {"/a/.%2e/b", "b", false},
        {"/a%5Cb", "a\\b", false},
        {"/...", "...", false},
        {"/a..", "a..", false},
        {"/.a", ".a", false},
        {"/%25", "%", false},
        {"/%252e%252e/", "%2e%2e", true},
        {"/a/%2e", "a", true},
        {"/%ff%0a", "\xff\n", false},
        {"/a//", "a", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct path path;
        check_int(resolve(cases[i].url, &path), 0);
        check(strcmp(path.name, cases[i].name) == 0);
        check_int(path.length, strlen(cases[i].name));
        check_int(path.is_directory, cases[i].is_directory);
    }
}

TEST(path, what_leads_out_of_the_root_or_is_broken_is_refused) {
    static const struct {
        const char *url;
        int status;
    } cases[] = {
        {"/..", -400},  {"/../a", -400}, {"/a/../../a", -400}, {"/%2e%2e/a", -400},  {"/.%2E", -400},
        {"", -400},     {"a", -400},     {"/%", -400},         {"/%4", -400},        {"/%4g", -400},
        {"/%g4", -400}, {"/%00", -400},  {"/a%00.txt", -400},  {"/a%2Fb", -404},     {"/..%2f..%2fa", -404},
        {"/%2f", -404}, {"*", -400},     {"/./..", -400},      {"/a/./../..", -400}, {"//..", -400},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct path path;
        check_int(resolve(cases[i].url, &path), cases[i].status);
    }
}

TEST(path, names_with_a_point_in_front_are_hidden_if_they_are_to_be) {
    struct path path;
    check_int(path_resolve(&path, text_of("/.git/config"), false), -404);
    check_int(path_resolve(&path, text_of("/a/%2ehidden"), false), -404);
    check_int(path_resolve(&path, text_of("/..a"), false), -404);
    check_int(path_resolve(&path, text_of("/a/./b"), false), 0);
}

TEST(path, what_is_too_long_is_refused_to_the_byte) {
    char url[PATH_SIZE + 20];
    struct path path;
    for (size_t length = PATH_SIZE - 8; length < PATH_SIZE + 8; length++) {
        memset(url, 'a', length + 1);
        url[0] = '/';
        url[length + 1] = '\0';
        check_int(resolve(url, &path), length < PATH_SIZE ? 0 : -414);
        for (size_t i = 2; i < length; i += 2) url[i] = '/';
        int status = resolve(url, &path);
        check_int(status, length < PATH_SIZE ? 0 : -414);
        if (status == 0) check_int(strlen(path.name), path.length);
    }
}

TEST(path, a_name_is_appended_where_there_is_room) {
    struct path path;
    check_int(resolve("/", &path), 0);
    check(path_append(&path, "index.html"));
    check(strcmp(path.name, "index.html") == 0);
    check(!path.is_directory);
    check_int(resolve("/a/b/", &path), 0);
    check(path_append(&path, "index.html"));
    check(strcmp(path.name, "a/b/index.html") == 0);
    check(strcmp(path_file_name(&path), "index.html") == 0);
    path.length = PATH_SIZE - 11;
    memset(path.name, 'a', path.length);
    check(!path_append(&path, "index.html"));
    check_int(path.length, PATH_SIZE - 11);
    check(path_append(&path, "index.htm"));
    check_int(strlen(path.name), PATH_SIZE - 1);
}

TEST(path, encoding_and_decoding_are_inverse) {
    struct path path, again;
    char url[3 * PATH_SIZE];
    unsigned seed = 12345;
    for (int round = 0; round < 2000; round++) {
        path.length = 0;
        for (int i = 0; i < 20; i++) {
            char c;
            do c = (char)rand_r(&seed);
            while (c == '\0' || c == '/');
            path.name[path.length++] = i == 7 ? '/' : c;
        }
        path.name[path.length] = '\0';
        check(path_encode(&path, false, url, sizeof(url)) == strlen(url));
        check_int(resolve(url, &again), 0);
        check(again.length == path.length && memcmp(again.name, path.name, path.length) == 0);
        for (const char *c = url; *c != '\0'; c++) check(*c > ' ' && *c < 0x7f && *c != '"' && *c != '?' && *c != '#');
    }
}

TEST(path, an_encoded_directory_begins_and_ends_with_one_slash) {
    struct path path;
    char url[40];
    check_int(resolve("//evil.example/%0d%0a", &path), 0);
    check_int(path_encode(&path, true, url, sizeof(url)), strlen("/evil.example/%0D%0A/"));
    check(strcmp(url, "/evil.example/%0D%0A/") == 0);
    check_int(resolve("/", &path), 0);
    check_int(path_encode(&path, true, url, sizeof(url)), 1);
    check(strcmp(url, "/") == 0);
    check_int(resolve("/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &path), 0);
    check_int(path_encode(&path, true, url, sizeof(url)), 0);
}
