/* SPDX-License-Identifier: MIT */
/* Which of the planted bugs lives: the one that FILCH_MUTANT names, or none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mutant {
    const char *name, *layer, *run, *shows, *what;
};

#include "mutants_table.h"

extern int filch__mutant;
int filch__mutant;

__attribute__((constructor(101))) static void wake_mutant(void) {
    const char *name = getenv("FILCH_MUTANT");
    if (name == NULL) return;
    for (int i = 0; mutants[i].name != NULL; i++) {
        if (strcmp(mutants[i].name, name) == 0) filch__mutant = i + 1;
    }
    if (filch__mutant != 0) return;
    fprintf(stderr, "no mutant \"%s\"\n", name);
    _Exit(2);
}
