/* SPDX-License-Identifier: MIT */
/* filch-top on core files: of the kernel, cut short, and with anything in them. */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sight/looking.h"
#include "tests/test.h"

static void check_refused(const char *path, const char *why) {
    struct said said = top_file("--ps", path);
    check_int(said.status, 1);
    check_contains(said.err, why);
    said_drop(&said);
}

static void write_file(const char *path, const void *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(fd >= 0);
    check_int(write(fd, bytes, size), size);
    close(fd);
}

TEST(core, files_that_are_no_core_are_told) {
    char path[] = "/tmp/filch-core-XXXXXX";
    close(mkstemp(path));
    check_refused(path, "is no core file");
    char garbage[8192];
    for (size_t i = 0; i < sizeof garbage; i++) garbage[i] = (char)(i * 7 + i / 251);
    write_file(path, garbage, sizeof garbage);
    check_refused(path, "is no core file");
    Elf64_Ehdr header = {.e_ident = ELFMAG, .e_type = ET_CORE, .e_phoff = sizeof header, .e_phnum = 100};
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    write_file(path, &header, sizeof header / 2);
    check_refused(path, "it was cut short");
    write_file(path, &header, sizeof header);
    check_refused(path, "it was cut short");
    header.e_ident[EI_CLASS] = ELFCLASS32;
    write_file(path, &header, sizeof header);
    check_refused(path, "32-bit program");
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_type = ET_EXEC;
    write_file(path, &header, sizeof header);
    check_refused(path, "but no core");
    header.e_ident[EI_DATA] = ELFDATA2MSB;
    write_file(path, &header, sizeof header);
    check_refused(path, "another byte order");
    unlink(path);
}

/* A sanitizer's shadow would make it a core of terabytes. */
#ifndef SANITIZED

static void check_core(const char *path) {
    struct said said = top_file("--tree", path);
    check_int(said.status, 0);
    check_int(strlen(said.err), 0);
    check_contains(said.out, "of the core of process");
    check_contains(said.out, "DEADLOCK");
    check_contains(line_with(said.out, "\"main\""), "runs, or can: worker");
    check_contains(line_with(said.out, "-\"receiver\""), "x 40  waits for channel receive 0x");
    check_contains(line_with(said.out, "-\"wanter\""), "held by \"holder\"");
    said_drop(&said);
}

TEST(core, a_core_shows_what_the_process_would) {
    static const char *const programs[] = {STATIC_PROGRAM, SHARED_PROGRAM, STRIPPED_PROGRAM};
    for (size_t i = 0; i < 3; i++) {
        char *core = make_core(programs[i]);
        if (core == NULL) return;
        check_core(core);
        struct said said = top_file("--json", core);
        check_int(said.status, 0);
        check(is_json(said.out));
        said_drop(&said);
        said = top_file("--workers", core);
        check_int(said.status, 0);
        check_contains(said.out, "runs task");
        said_drop(&said);
        drop_core(core);
    }
}

/* Where the descriptor's bytes begin in the core. */
static off_t find_descriptor(int fd) {
    static char bytes[1 << 20];
    static const char magic[] = "filch\n1\0\1\0\0\0"; /* and version 1 */
    for (off_t at = 0;; at += (off_t)(sizeof bytes - sizeof magic)) {
        ssize_t got = pread(fd, bytes, sizeof bytes, at);
        check(got > 0);
        char *found = memmem(bytes, (size_t)got, magic, sizeof magic - 1);
        if (found != NULL) return at + (found - bytes);
    }
}

TEST(core, another_version_and_a_descriptor_that_lies_are_told) {
    char *core = make_core(STATIC_PROGRAM);
    if (core == NULL) return;
    int fd = open(core, O_RDWR | O_CLOEXEC);
    check(fd >= 0);
    off_t at = find_descriptor(fd);
    check_int(pwrite(fd, "\2", 1, at + 8), 1);
    check_refused(core, "has a descriptor of version 2; this filch-top reads version 1");
    check_int(pwrite(fd, "\1", 1, at + 8), 1);
    check_int(pwrite(fd, "?", 1, at + 40), 1); /* the first name */
    check_refused(core, "does not tell where ");
    check_int(pwrite(fd, "r", 1, at + 40), 1);
    check_int(pwrite(fd, "\377\377\377\377", 4, at + 40 + 32 + 28), 4); /* the second value */
    check_refused(core, "contradicts itself");
    check_int(pwrite(fd, "!", 1, at), 1);
    check_refused(core, "is no descriptor");
    close(fd);
    drop_core(core);
}

TEST(core, a_core_that_was_cut_short_is_told) {
    char *core = make_core(STATIC_PROGRAM);
    if (core == NULL) return;
    struct said whole = top_file("--ps", core);
    check_int(whole.status, 0);
    int fd = open(core, O_RDWR | O_CLOEXEC);
    check(fd >= 0);
    off_t size = lseek(fd, 0, SEEK_END);
    bool told = false;
    for (off_t left = size - 4096; left >= 64; left = left * 2 / 3) {
        check_int(ftruncate(fd, left), 0);
        struct said said = top_file("--ps", core);
        check(said.status == 0 || said.status == 1);
        check_contains(said.err, "cut short");
        told |= said.status == 1;
        said_drop(&said);
    }
    check(told);
    close(fd);
    said_drop(&whole);
    drop_core(core);
}

/* It may show anything, or refuse; but it ends by itself. */
TEST(core, a_core_with_anything_in_it_does_no_harm) {
    enum { ROUNDS = 60, HEADERS = 16384 };
    char *core = make_core(STATIC_PROGRAM);
    if (core == NULL) return;
    int fd = open(core, O_RDWR | O_CLOEXEC);
    check(fd >= 0);
    off_t size = lseek(fd, 0, SEEK_END), descriptor = find_descriptor(fd);
    unsigned seed = (unsigned)getpid();
    fprintf(stderr, "seed %u\n", seed);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t word, wrong = (uint64_t)rand_r(&seed) << 32 | (uint64_t)rand_r(&seed);
        off_t at = i % 3 == 0   ? (off_t)(rand_r(&seed) % HEADERS)
                   : i % 3 == 1 ? descriptor + (off_t)(rand_r(&seed) % 4096)
                                : (off_t)((uint64_t)wrong % (uint64_t)(size - 8));
        check_int(pread(fd, &word, sizeof word, at), sizeof word);
        if (i % 2 == 0) wrong = word ^ 1ull << rand_r(&seed) % 64;
        check_int(pwrite(fd, &wrong, sizeof wrong, at), sizeof wrong);
        struct said said = top_file(i % 4 == 0 ? "--json" : "--tree", core);
        if (said.status != 0 && said.status != 1) fprintf(stderr, "at %jd: %s\n", (intmax_t)at, said.err);
        check(said.status == 0 || said.status == 1);
        said_drop(&said);
        check_int(pwrite(fd, &word, sizeof word, at), sizeof word);
    }
    check_core(core);
    close(fd);
    drop_core(core);
}

#endif
