/* SPDX-License-Identifier: MIT */
/*
 * The sanitizers' options for tests and stress programs, read by their runtimes before main. What the environment says
 * (ASAN_OPTIONS and its kin) goes over it.
 *
 * Tests expect programs to be killed by SIGSEGV and SIGABRT: the sanitizers leave these signals alone. They leave the
 * signal stacks alone too: at a thread's end they would unmap whatever signal stack it has, and it is the library's.
 */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__ubsan_default_options(void);

#define SIGNALS "handle_segv=0:handle_sigbus=0:handle_abort=0:use_sigaltstack=0"

__attribute__((no_sanitize("address", "thread", "undefined"))) const char *__asan_default_options(void) {
    return SIGNALS ":detect_stack_use_after_return=0:strict_string_checks=1";
}

__attribute__((no_sanitize("address", "thread", "undefined"))) const char *__tsan_default_options(void) {
    return SIGNALS;
}

__attribute__((no_sanitize("address", "thread", "undefined"))) const char *__ubsan_default_options(void) {
    return SIGNALS ":print_stacktrace=1";
}
