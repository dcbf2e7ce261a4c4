/* SPDX-License-Identifier: MIT */
/*
 * Unbalanced tree search (Olivier, Huan, Liu, Prins, Dinan, Sadayappan, Tseng, LCPC 2006): counts the nodes of a tree
 * that is known only as it is walked. A node is the SHA-1 of its parent and its own number among the children; how many
 * children it has is drawn from that. The two small sample trees of the published program:
 *
 *   T1  geometric, 4 children expected above a fixed depth, seed 19. n is the depth, 10: 4,130,071 nodes
 *   T3  binomial, 8 children with probability 0.124875, seed 42. n is the root's children, 2000: 4,112,897 nodes
 */
#ifndef BENCH_UTS_UTS_H
#define BENCH_UTS_UTS_H

#include "../common/bench.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { STATE_BYTES = 20 };

/* Which tree, and how large. */
struct uts_tree {
    bool binomial;
    int n;
};

struct uts_node {
    unsigned char state[STATE_BYTES];
    int height;
};

struct uts_tree uts_tree_t1(int64_t n);
struct uts_tree uts_tree_t3(int64_t n);

struct uts_node uts_root(const struct uts_tree *tree);
int uts_children(const struct uts_tree *tree, const struct uts_node *node);
void uts_child(const struct uts_node *node, int number, struct uts_node *child);

/* The SHA-1 of `size` bytes, at most 55. */
void uts_sha1(const unsigned char *data, int size, unsigned char digest[STATE_BYTES]);

#ifdef __cplusplus
}
#else
round_fn uts_t1_serial, uts_t1_pthread, uts_t1_pool, uts_t1_filch;
round_fn uts_t3_serial, uts_t3_pthread, uts_t3_pool, uts_t3_filch;
#endif

#endif
