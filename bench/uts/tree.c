/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "uts.h"

/* Of the published samples. */
static const int geometric_seed = 19, binomial_seed = 42;
static const double geometric_branching = 4;
static const double binomial_probability = 0.124875;
enum { BINOMIAL_CHILDREN = 8, CHILDREN_MAX = 100 };

static void store_number(unsigned char *bytes, int number) {
    for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)((unsigned)number >> (24 - 8 * i));
}

struct uts_tree uts_tree_t1(int64_t n) {
    return (struct uts_tree){.binomial = false, .n = (int)n};
}

struct uts_tree uts_tree_t3(int64_t n) {
    return (struct uts_tree){.binomial = true, .n = (int)n};
}

struct uts_node uts_root(const struct uts_tree *tree) {
    unsigned char seed[STATE_BYTES] = {0};
    struct uts_node root = {.height = 0};
    store_number(seed + 16, tree->binomial ? binomial_seed : geometric_seed);
    uts_sha1(seed, sizeof seed, root.state);
    return root;
}

void uts_child(const struct uts_node *node, int number, struct uts_node *child) {
    unsigned char message[STATE_BYTES + 4];
    memcpy(message, node->state, STATE_BYTES);
    store_number(message + STATE_BYTES, number);
    uts_sha1(message, sizeof message, child->state);
    child->height = node->height + 1;
}

/* The last 31 bits of the state as a number from 0 to below 1. */
static double chance(const struct uts_node *node) {
    const unsigned char *end = node->state + STATE_BYTES - 4;
    uint32_t bits = (uint32_t)end[0] << 24 | (uint32_t)end[1] << 16 | (uint32_t)end[2] << 8 | end[3];
    return (double)(bits & 0x7fffffff) / 2147483648.0;
}

int uts_children(const struct uts_tree *tree, const struct uts_node *node) {
    if (tree->binomial) {
        if (node->height == 0) return tree->n;
        return chance(node) < binomial_probability ? BINOMIAL_CHILDREN : 0;
    }
    if (node->height >= tree->n) return 0;
    double stop = 1 / (1 + geometric_branching);
    int count = (int)floor(log(1 - chance(node)) / log(1 - stop));
    return count < CHILDREN_MAX ? count : CHILDREN_MAX;
}
