/* SPDX-License-Identifier: MIT */
/* Every node forks all of its children. */
#include <stdlib.h>

#include "../common/filch.h"
#include "uts.h"

/* Children of a node; more than a few stand on the heap. */
enum { FEW = 8 };

struct walk {
    const struct uts_tree *tree;
    struct uts_node node;
    int64_t nodes;
    filch_frame frame;
};

static int visit(void *arg) {
    struct walk *walk = arg;
    int count = uts_children(walk->tree, &walk->node);
    int64_t nodes = 1;
    if (count > 0) {
        struct walk few[FEW];
        struct walk *children = count <= FEW ? few : must_alloc((uint64_t)count * sizeof *children);
        for (int i = 0; i < count; i++) {
            children[i].tree = walk->tree;
            uts_child(&walk->node, i, &children[i].node);
            filch_fork(&children[i].frame, visit, &children[i]);
        }
        for (int i = count - 1; i >= 0; i--) {
            filch_join(&children[i].frame);
            nodes += children[i].nodes;
        }
        if (children != few) free(children);
    }
    walk->nodes = nodes;
    return 0;
}

static uint64_t walk_all(struct uts_tree tree) {
    struct walk root = {.tree = &tree, .node = uts_root(&tree)};
    visit(&root);
    return (uint64_t)root.nodes;
}

uint64_t uts_t1_filch(struct run *run) {
    return walk_all(uts_tree_t1(run->n));
}

uint64_t uts_t3_filch(struct run *run) {
    return walk_all(uts_tree_t3(run->n));
}
