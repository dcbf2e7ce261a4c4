# Tests, stress programs, examples and benches. A folder that has a CMakeLists.txt of its own is left to that.

# What private programs are compiled with: the library's own flags, its private headers, the static library.
add_library(filch_private INTERFACE)
target_link_libraries(filch_private INTERFACE filch_flags filch_static)
target_include_directories(filch_private INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include")
if(FILCH_JEMALLOC)
    target_link_libraries(filch_private INTERFACE filch::jemalloc)
endif()

set(FILCH_JUDGE "${PROJECT_SOURCE_DIR}/tests/harness/judge")
set(FILCH_JUDGE_ENVIRONMENT "")
set(FILCH_SANITIZER_OPTIONS "")
if(FILCH_SANITIZE)
    set(FILCH_JUDGE_ENVIRONMENT "FILCH_SANITIZED=yes")
    set(FILCH_SANITIZER_OPTIONS "${PROJECT_SOURCE_DIR}/tests/harness/sanitizer.c")
endif()

# ------------------------------------------------------------------------------------------------------------- tests

if(FILCH_SANITIZE MATCHES "thread" AND NOT FILCH_PLAIN_RUNNER)
    message(STATUS "filch: Criterion cannot start under ThreadSanitizer, hence the plain runner")
    set(FILCH_PLAIN_RUNNER ON)
endif()
if(NOT FILCH_PLAIN_RUNNER)
    find_path(FILCH_CRITERION_INCLUDE criterion/criterion.h)
    find_library(FILCH_CRITERION_LIBRARY criterion)
    if(NOT FILCH_CRITERION_INCLUDE OR NOT FILCH_CRITERION_LIBRARY)
        message(WARNING "Criterion was not found (Debian and Ubuntu: libcriterion-dev): the tests use the plain runner")
        set(FILCH_PLAIN_RUNNER ON)
    endif()
endif()

add_library(filch_test_runner INTERFACE)
target_link_libraries(filch_test_runner INTERFACE filch_private)
target_sources(filch_test_runner INTERFACE "${PROJECT_SOURCE_DIR}/tests/harness/harness.c" ${FILCH_SANITIZER_OPTIONS})
if(FILCH_PLAIN_RUNNER)
    target_compile_definitions(filch_test_runner INTERFACE FILCH_PLAIN_RUNNER)
    target_sources(filch_test_runner INTERFACE "${PROJECT_SOURCE_DIR}/tests/harness/plain.c")
else()
    target_include_directories(filch_test_runner SYSTEM INTERFACE "${FILCH_CRITERION_INCLUDE}")
    target_link_libraries(filch_test_runner INTERFACE "${FILCH_CRITERION_LIBRARY}")
    target_sources(filch_test_runner INTERFACE "${PROJECT_SOURCE_DIR}/tests/harness/criterion.c")
endif()

# All test programs and nothing else, for builds that only serve to run them.
add_custom_target(unit_tests)

# One test program of the sources given, and the ctest test of the same name that runs it.
function(filch_test_program name)
    add_executable(test_${name} ${ARGN})
    target_link_libraries(test_${name} PRIVATE filch_test_runner)
    set_target_properties(test_${name} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY
                                                  "${PROJECT_BINARY_DIR}/tests" C_EXTENSIONS OFF)
    add_dependencies(unit_tests test_${name})
    filch_judged(${name} --tests -- $<TARGET_FILE:test_${name}>)
    set_tests_properties(${name} PROPERTIES LABELS unit)
endfunction()

# A ctest test: what tests/harness/judge says to the arguments.
function(filch_judged name)
    add_test(NAME ${name} COMMAND "${FILCH_JUDGE}" --name ${name} ${ARGN})
    set_tests_properties(${name} PROPERTIES ENVIRONMENT "${FILCH_JUDGE_ENVIRONMENT}")
endfunction()

file(GLOB FILCH_TEST_FILES CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/tests"
     "${PROJECT_SOURCE_DIR}/tests/*/*_test.c")
set(FILCH_TEST_FOLDERS "")
foreach(file ${FILCH_TEST_FILES})
    get_filename_component(folder "${file}" DIRECTORY)
    list(APPEND FILCH_TEST_FOLDERS ${folder})
endforeach()
list(REMOVE_DUPLICATES FILCH_TEST_FOLDERS)
list(REMOVE_ITEM FILCH_TEST_FOLDERS harness)
foreach(folder ${FILCH_TEST_FOLDERS})
    if(NOT EXISTS "${PROJECT_SOURCE_DIR}/tests/${folder}/CMakeLists.txt")
        set(files ${FILCH_TEST_FILES})
        list(FILTER files INCLUDE REGEX "^${folder}/")
        if(NOT FILCH_URING)
            list(FILTER files EXCLUDE REGEX "^io/uring_")
        endif()
        list(TRANSFORM files PREPEND "${PROJECT_SOURCE_DIR}/tests/")
        filch_test_program(${folder} ${files})
    endif()
endforeach()

# Which names each metric.
set_source_files_properties("${PROJECT_SOURCE_DIR}/tests/io/metrics_test.c" PROPERTIES COMPILE_DEFINITIONS
                            "METRICS_DOCS=\"${PROJECT_SOURCE_DIR}/docs/METRICS.md\"")

# Reports of the debug mode are told by place: each line of these tests is to be one, in builds that inline and unroll too.
file(GLOB FILCH_DEBUG_TEST_FILES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/debug/*_test.c")
set_source_files_properties(${FILCH_DEBUG_TEST_FILES} PROPERTIES COMPILE_OPTIONS "-O0;-fno-lto")

# With the library that stands before pthread's locks, linked: that it is found is the test.
if(TARGET test_debug AND FILCH_DEBUG_LIBRARY)
    target_link_libraries(test_debug PRIVATE -Wl,--no-as-needed filch_debug)
    target_compile_definitions(test_debug PRIVATE FILCH_DEBUG_LINKED)
endif()

# Input and output once more, watched by io_uring.
if(TARGET test_io AND FILCH_URING)
    filch_judged(io-uring --tests -- $<TARGET_FILE:test_io>)
    set_tests_properties(io-uring PROPERTIES LABELS unit
                         ENVIRONMENT "${FILCH_JUDGE_ENVIRONMENT};FILCH_POLLER=io_uring")
endif()

# The runner itself: that a failing test fails, and that no test at all is a failure.
filch_test_program(harness "${PROJECT_SOURCE_DIR}/tests/harness/harness_test.c")
add_executable(planted_failures "${PROJECT_SOURCE_DIR}/tests/canary/planted_failures.c")
target_link_libraries(planted_failures PRIVATE filch_test_runner)
filch_judged(planted-failures --totals "1 passed, 7 failed" -- $<TARGET_FILE:planted_failures>)
filch_judged(planted-no-tests --totals "0 passed, 0 failed" -- $<TARGET_FILE:planted_failures> --filter "no_such/test")
set_tests_properties(planted-failures planted-no-tests PROPERTIES LABELS canary)

# Each sanitizer must report the bugs that are planted for it: of each kind that it is there to find, and in tasks.
function(filch_canary name report)
    add_executable(canary_${name} "${PROJECT_SOURCE_DIR}/tests/canary/${name}.c")
    target_link_libraries(canary_${name} PRIVATE filch_private)
    filch_judged(canary-${name} --canary "${report}" -- $<TARGET_FILE:canary_${name}>)
    set_tests_properties(canary-${name} PROPERTIES LABELS canary)
endfunction()
if(FILCH_SANITIZE)
    filch_canary(task_stack "filch: stack overflow in task")
endif()
if(FILCH_SANITIZE MATCHES "thread")
    filch_canary(data_race "WARNING: ThreadSanitizer: data race")
    filch_canary(task_race "WARNING: ThreadSanitizer: data race")
endif()
if(FILCH_SANITIZE MATCHES "address")
    filch_canary(heap_overflow "ERROR: AddressSanitizer: heap-buffer-overflow")
    filch_canary(use_after_free "ERROR: AddressSanitizer: heap-use-after-free")
    filch_canary(task_overflow "ERROR: AddressSanitizer: stack-buffer-overflow")
    filch_canary(task_return "ERROR: AddressSanitizer: stack-use-after-return")
    filch_canary(leak "ERROR: LeakSanitizer: detected memory leaks")
    filch_canary(task_leak "ERROR: LeakSanitizer: detected memory leaks")
    # The same under the tests' runner, which by itself may be content.
    add_executable(planted_leak "${PROJECT_SOURCE_DIR}/tests/canary/planted_leak.c")
    target_link_libraries(planted_leak PRIVATE filch_test_runner)
    filch_judged(planted-leak --canary "a sanitizer reported" -- env -u FILCH_TALLY "${FILCH_JUDGE}" --tests --
                 $<TARGET_FILE:planted_leak>)
    set_tests_properties(planted-leak PROPERTIES LABELS canary)
endif()
if(FILCH_SANITIZE MATCHES "undefined")
    filch_canary(overflow "runtime error: signed integer overflow")
    filch_canary(shift "runtime error: shift exponent 40 is too large")
    filch_canary(null "runtime error: member access within null pointer")
endif()

if(NOT FILCH_SANITIZE)
    filch_judged(shared-library -- "${PROJECT_SOURCE_DIR}/tests/consume/shared_library"
                 $<TARGET_FILE:filch_shared> ${FILCH_HEADERS})
    if(FILCH_USDT)
        filch_judged(probes -- "${PROJECT_SOURCE_DIR}/tests/trace/probes" $<TARGET_FILE:filch_shared>
                     "${PROJECT_SOURCE_DIR}/docs/TRACE.md")
    endif()
endif()

# ------------------------------------------------------------------------------------------------------------ stress

file(GLOB FILCH_STRESS_FILES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/stress/*.c")
foreach(file ${FILCH_STRESS_FILES})
    get_filename_component(name "${file}" NAME_WE)
    add_executable(stress_${name} "${file}" ${FILCH_SANITIZER_OPTIONS})
    target_link_libraries(stress_${name} PRIVATE filch_private)
    set_target_properties(stress_${name} PROPERTIES OUTPUT_NAME ${name} C_EXTENSIONS OFF
                                                    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/stress")
endforeach()

# ---------------------------------------------------------------------------------------------------------- examples

# Examples see what a user sees: the public headers, and what the shared library exports.
function(filch_example name)
    add_executable(example_${name} ${ARGN})
    target_link_libraries(example_${name} PRIVATE filch_flags filch::filch)
    set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name} C_EXTENSIONS OFF
                                                     RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples")
endfunction()

# What each prints stands in tests/examples.
set(FILCH_EXAMPLE_ARGUMENT_map_reduce "${PROJECT_SOURCE_DIR}/tests/examples/words/*.txt")
file(GLOB FILCH_EXAMPLE_FILES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.c")
foreach(file ${FILCH_EXAMPLE_FILES})
    get_filename_component(name "${file}" NAME_WE)
    filch_example(${name} "${file}")
    filch_judged(example-${name} --seconds 120 --output "${PROJECT_SOURCE_DIR}/tests/examples/${name}.txt" --
                 $<TARGET_FILE:example_${name}> ${FILCH_EXAMPLE_ARGUMENT_${name}})
endforeach()

find_program(FILCH_PYTHON python3)
if(FILCH_PYTHON)
    filch_judged(trace-svg --seconds 120 -- "${PROJECT_SOURCE_DIR}/tests/trace/draw"
                 "${PROJECT_SOURCE_DIR}/tools/trace-svg" $<TARGET_FILE:example_sieve>)
endif()

file(GLOB FILCH_TREESUM_FILES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/treesum/*.c")
if(FILCH_TREESUM_FILES)
    find_path(FILCH_XXHASH_INCLUDE xxhash.h)
    find_library(FILCH_XXHASH_LIBRARY xxhash)
    if(FILCH_XXHASH_INCLUDE AND FILCH_XXHASH_LIBRARY)
        filch_example(treesum ${FILCH_TREESUM_FILES})
        target_include_directories(example_treesum SYSTEM PRIVATE "${FILCH_XXHASH_INCLUDE}")
        target_link_libraries(example_treesum PRIVATE "${FILCH_XXHASH_LIBRARY}")
        filch_judged(example-treesum --seconds 120 -- $<TARGET_FILE:example_treesum> "${PROJECT_SOURCE_DIR}/include")
    else()
        message(WARNING "SKIPPED: examples/treesum needs xxhash (Debian and Ubuntu: libxxhash-dev)")
    endif()
endif()

# System calls that fail from outside. A sanitizer's leak check may not be traced.
if(NOT FILCH_SANITIZE)
    foreach(poller epoll io_uring)
        filch_judged(inject-${poller} --seconds 300 --skip 77 -- "${PROJECT_SOURCE_DIR}/tests/inject/run.sh"
                     $<TARGET_FILE:example_echo> ${poller})
    endforeach()
endif()

# Programs with bugs that only a simulation shows (docs/SIMULATION.md).
foreach(name lost_update missed_signal deadlock)
    filch_example(planted_${name} "${PROJECT_SOURCE_DIR}/examples/planted/${name}.c")
    filch_judged(planted-${name} --seconds 300 -- "${PROJECT_SOURCE_DIR}/tests/planted/find"
                 $<TARGET_FILE:example_planted_${name}> 5 500)
endforeach()

# A server and a client of HTTP; tests/httpd runs both.
file(GLOB FILCH_HTTPD_FILES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/httpd/*.c")
file(GLOB FILCH_FETCH_FILES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/parallel_fetch/*.c")
filch_example(httpd ${FILCH_HTTPD_FILES})
filch_example(parallel_fetch ${FILCH_FETCH_FILES})
if(TARGET filch_tls_shared)
    target_link_libraries(example_httpd PRIVATE filch::tls)
    target_compile_definitions(example_httpd PRIVATE HTTPD_TLS)
endif()

# Guests: libraries that open descriptors of their own, driven from tasks, against the real servers. The thread sanitizer
# does not see how a library that it has not compiled keeps its own threads and memory in order.
function(filch_guest name library header package server)
    string(TOUPPER ${library} upper)
    find_path(FILCH_${upper}_INCLUDE ${header} PATH_SUFFIXES postgresql)
    find_library(FILCH_${upper}_LIBRARY ${library})
    if(FILCH_SANITIZE MATCHES "thread")
        message(STATUS "filch: ${library} is not compiled for ThreadSanitizer: examples/guests/${name} is not in this build")
    elseif(FILCH_${upper}_INCLUDE AND FILCH_${upper}_LIBRARY)
        list(TRANSFORM ARGN PREPEND "${PROJECT_SOURCE_DIR}/examples/guests/")
        filch_example(${name} ${ARGN})
        target_include_directories(example_${name} SYSTEM PRIVATE "${FILCH_${upper}_INCLUDE}")
        target_link_libraries(example_${name} PRIVATE "${FILCH_${upper}_LIBRARY}")
        filch_judged(example-${name} --seconds 300 --skip 77 --output "${PROJECT_SOURCE_DIR}/tests/examples/${name}.txt" --
                     "${PROJECT_SOURCE_DIR}/tests/guests/${server}" $<TARGET_FILE:example_${name}>)
    else()
        message(WARNING "SKIPPED: examples/guests/${name} needs ${library} (Debian and Ubuntu: ${package})")
    endif()
endfunction()
filch_guest(postgres pq libpq-fe.h libpq-dev postgres postgres.c pg.c)
filch_guest(fetch curl curl/curl.h libcurl4-openssl-dev http fetch.c multi.c)

# ------------------------------------------------------------------------------------------------ folders of their own

foreach(folder bench tests/explore tests/history tests/migrate tests/httpd tests/faults tests/sight tests/fuzz)
    if(EXISTS "${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt")
        add_subdirectory("${PROJECT_SOURCE_DIR}/${folder}" "${PROJECT_BINARY_DIR}/${folder}")
    endif()
endforeach()

# Not a folder of the build: its program has that name.
if(TARGET filch_tls_static)
    include("${PROJECT_SOURCE_DIR}/tests/tls/CMakeLists.txt")
endif()

add_subdirectory("${PROJECT_SOURCE_DIR}/tests/mutants" "${PROJECT_BINARY_DIR}/tests/mutants")

# What ./dev run needs, and what ./dev bench needs: the peers' programs too.
add_custom_target(programs_to_run)
add_custom_target(programs_to_bench)
foreach(program example_treesum filch-bench)
    if(TARGET ${program})
        add_dependencies(programs_to_run ${program})
    endif()
endforeach()
if(EXISTS "${PROJECT_SOURCE_DIR}/bench/CMakeLists.txt")
    get_property(FILCH_BENCH_TARGETS DIRECTORY "${PROJECT_SOURCE_DIR}/bench" PROPERTY BUILDSYSTEM_TARGETS)
    foreach(program ${FILCH_BENCH_TARGETS})
        add_dependencies(programs_to_bench ${program})
    endforeach()
endif()
if(TARGET example_httpd)
    add_dependencies(programs_to_bench example_httpd) # which http-file measures too
endif()
