/* SPDX-License-Identifier: MIT */
/*
 * The Criterion runner. Its arguments are Criterion's own (--help). Criterion is content where no test ran at all; this
 * one is not. The last line is "totals: N passed, N failed".
 */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <stdio.h>

static size_t passed, failed;

ReportHook(POST_ALL)(struct criterion_global_stats *stats) {
    passed = stats->tests_passed;
    /* A test that crashed or timed out is also among the failed ones. */
    failed = stats->tests_failed > stats->tests_crashed ? stats->tests_failed : stats->tests_crashed;
}

int main(int count, char **arguments) {
    struct criterion_test_set *tests = criterion_initialize();
    int status = 0;
    if (criterion_handle_args(count, arguments, true)) {
        int content = criterion_run_all_tests(tests);
        if (passed + failed == 0) fprintf(stderr, "no test ran\n");
        if (!content && failed == 0) failed = 1;
        fflush(stderr);
        printf("totals: %zu passed, %zu failed\n", passed, failed);
        status = passed > 0 && failed == 0 ? 0 : 1;
    }
    criterion_finalize(tests);
    return status;
}
