// SPDX-License-Identifier: MIT
// What somebody writes in C++ who has installed filch: forks, a loop, a spawned task, an exception inside a task.
#include <filch/filch.h>

#include <cstdio>
#include <stdexcept>
#include <vector>

namespace {

struct fib_of {
    int n;
    long result;
};

int fib(void *arg) {
    auto *of = static_cast<fib_of *>(arg);
    if (of->n < 2) {
        of->result = of->n;
        return 0;
    }
    fib_of left{of->n - 1, 0}, right{of->n - 2, 0};
    filch_frame frame;
    filch_fork(&frame, fib, &left);
    int failed = fib(&right);
    if (filch_join(&frame) != 0) failed = 1;
    of->result = left.result + right.result;
    return failed;
}

int throw_and_catch(void *) {
    try {
        throw std::runtime_error("thrown in a task");
    } catch (const std::runtime_error &) {
        return 7;
    }
}

int program(void *) {
    fib_of twenty{20, 0};
    if (fib(&twenty) != 0 || twenty.result != 6765) return 1;

    std::vector<long> squares(10000);
    auto square = [](int64_t first, int64_t last, void *arg) {
        auto &all = *static_cast<std::vector<long> *>(arg);
        for (int64_t i = first; i < last; i++) all[static_cast<size_t>(i)] = static_cast<long>(i * i);
        return 0;
    };
    if (filch_parallel_for(0, 10000, 0, square, &squares) != 0) return 2;
    for (long i = 0; i < 10000; i++) {
        if (squares[static_cast<size_t>(i)] != i * i) return 3;
    }

    filch_task *task;
    int result = 0;
    if (filch_spawn(&task, throw_and_catch, nullptr, nullptr) != 0) return 4;
    if (filch_await(task, &result, FILCH_NEVER) != 0 || result != 7) return 5;
    return 0;
}

} // namespace

int main() {
    filch_options options{};
    options.name = "consume";
    options.workers = 2;
    int result = filch_run(program, nullptr, &options);
    std::printf("filch %s from C++: %s (%d)\n", filch_version(), result == 0 ? "right" : "wrong", result);
    return result != 0;
}
