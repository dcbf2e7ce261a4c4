// SPDX-License-Identifier: MIT
// Proves that an exception that is handled while its task waits is the task's own: many tasks each wait inside a `catch`,
// are resumed on whatever worker, and throw again what they have caught.
#include <filch/filch.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

namespace {

struct Probe {
    int number;
    int wrong;
};

// Waits in the handler, in nested ones too, and looks each time whether what is handled is still its own.
int handle(void *arg) {
    Probe *probe = static_cast<Probe *>(arg);
    std::string mine = std::to_string(probe->number);
    for (int round = 0; round < 20; round++) {
        try {
            try {
                throw std::runtime_error(mine);
            } catch (const std::exception &) {
                filch_yield();
                try {
                    throw std::logic_error("inner " + mine);
                } catch (const std::exception &inner) {
                    (void)filch_sleep(FILCH_US(probe->number % 7));
                    if (inner.what() != "inner " + mine) probe->wrong++;
                }
                if (std::uncaught_exceptions() != 0) probe->wrong++;
                filch_yield();
                throw; // what this handler handles, not what another task does
            }
        } catch (const std::exception &again) {
            if (again.what() != mine) probe->wrong++;
        }
        if (std::current_exception() != nullptr) probe->wrong++;
    }
    return 0;
}

int run(void *arg) {
    (void)arg;
    enum { TASKS = 200 };
    static Probe probes[TASKS];
    static filch_task *tasks[TASKS];
    int wrong = 0;
    for (int i = 0; i < TASKS; i++) {
        probes[i] = Probe{i, 0};
        if (filch_spawn(&tasks[i], handle, &probes[i], nullptr) != 0) return 1000;
    }
    for (int i = 0; i < TASKS; i++) {
        if (filch_await(tasks[i], nullptr, FILCH_NEVER) != 0) return 1000;
        wrong += probes[i].wrong;
    }
    return wrong;
}

} // namespace

int main() {
    for (unsigned workers : {1u, 2u, 8u}) {
        filch_options options = {};
        options.workers = workers;
        int wrong = filch_run(run, nullptr, &options);
        if (wrong != 0) {
            std::fprintf(stderr, "%d exceptions were another task's, with %u workers\n", wrong, workers);
            return 1;
        }
    }
    std::puts("each exception was its own task's");
    return 0;
}
