/* SPDX-License-Identifier: MIT */
#include <tbb/task_group.h>

#include <vector>

#include "../peers/tbb/jobs.h"
#include "uts.h"

struct walk {
    uts_node node;
    int64_t nodes;
};

static int64_t visit(const uts_tree &tree, const uts_node &node) {
    int count = uts_children(&tree, &node);
    int64_t nodes = 1;
    if (count == 0) return nodes;
    std::vector<walk> children(static_cast<size_t>(count));
    tbb::task_group group;
    for (int i = 0; i < count; i++) {
        walk &child = children[static_cast<size_t>(i)];
        uts_child(&node, i, &child.node);
        group.run([&tree, &child] { child.nodes = visit(tree, child.node); });
    }
    group.wait();
    for (const walk &child : children) nodes += child.nodes;
    return nodes;
}

static uint64_t walk_all(uts_tree tree) {
    return static_cast<uint64_t>(visit(tree, uts_root(&tree)));
}

uint64_t uts_t1_tbb(run *run) {
    return walk_all(uts_tree_t1(run->n));
}

uint64_t uts_t3_tbb(run *run) {
    return walk_all(uts_tree_t3(run->n));
}
