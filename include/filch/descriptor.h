/* SPDX-License-Identifier: MIT */
/*
 * What a reader from outside (filch-top, a debugger's script) needs to find the runtimes of a process and what their tasks
 * do, in the memory of a living process or in a core file: addresses, offsets and numbers, each by a name. Nothing in the
 * process takes part in it; a wedged one is read like any other.
 *
 * Where it is. It is exported by libfilch.so, and every image that contains filch, a stripped static one too, has a note
 * (of the kind that a PT_NOTE program header leads to) with the owner "filch" and type 1. What that holds is the distance,
 * 8 bytes, from its own address to the descriptor's. A process may have more than one.
 *
 * A reader knows the version, and looks for the names that it needs; one that is missing has no meaning in that build. What
 * a name means does not change within a version, and names are added without a new one. The names are those of the
 * fields in the sources, "task.wait"; sched/descriptor.c lists them. Lists change while they are read: a reader bounds
 * every walk and checks every pointer.
 */
#ifndef FILCH_DESCRIPTOR_H
#define FILCH_DESCRIPTOR_H

#include <filch/base.h>

FILCH_BEGIN_DECLS

enum {
    FILCH_DESCRIPTOR_VERSION = 1,
    FILCH_DESCRIPTOR_FIELDS = 120, /* room for names */
    FILCH_DESCRIPTOR_WORDS = 6,
    FILCH_DESCRIPTOR_NOTE = 1, /* the note's type */
};

#define FILCH_DESCRIPTOR_OWNER "filch"    /* the note's owner */
#define FILCH_DESCRIPTOR_MAGIC "filch\n1" /* 8 bytes */

/* An offset, a size or a number. */
struct filch_descriptor_field {
    char name[28]; /* "task.wait"; "" after the last */
    uint32_t value;
};

/* How reports put a state: "task.state.2" is "waits". */
struct filch_descriptor_word {
    char name[16];
    char text[16];
};

/* Read-only; all of it stands in one piece, and so in a core file. */
struct filch_descriptor {
    char magic[8];
    uint32_t version;
    uint32_t size;          /* of all this */
    uint32_t word_size;     /* of a pointer */
    uint32_t runtimes_room; /* how many the table has room for */
    const void *runtimes;   /* the table: pointers to runtimes; NULL: none */
    const void *process;    /* 4 bytes; a runtime whose runtime.process is another number is a copy of the parent's */
    struct filch_descriptor_field fields[FILCH_DESCRIPTOR_FIELDS];
    struct filch_descriptor_word words[FILCH_DESCRIPTOR_WORDS];
};

extern FILCH_API const struct filch_descriptor filch_descriptor;

FILCH_END_DECLS

#endif
