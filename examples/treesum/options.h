/* SPDX-License-Identifier: MIT */
/* The command line. */
#ifndef TREESUM_OPTIONS_H
#define TREESUM_OPTIONS_H

struct options {
    char *root;       /* without symbolic links; from malloc */
    unsigned workers; /* 0: as many as filch chooses */
    unsigned repeat;
};

/* Reads the command line. Ends the process with a message where it is wrong or asks for help. */
void options_read(struct options *options, int argc, char **argv);

#endif
