# SPDX-License-Identifier: MIT
# The peers' programs. What is not installed is named here, and again by filch-bench when it runs.

# What the programs in C and C++ share with filch-bench.
file(GLOB SHARED CONFIGURE_DEPENDS common/measure.c common/memory.c */shared.c uts/sha1.c uts/tree.c)
add_library(filch-bench-shared OBJECT ${SHARED})
target_link_libraries(filch-bench-shared PRIVATE filch_flags)

function(add_peer name)
    add_executable(filch-bench-${name} ${ARGN} $<TARGET_OBJECTS:filch-bench-shared>)
    target_link_libraries(filch-bench-${name} PRIVATE Threads::Threads m)
    target_compile_definitions(filch-bench-${name} PRIVATE _GNU_SOURCE)
    target_compile_options(filch-bench-${name} PRIVATE -Wall -Wextra)
    message(STATUS "bench: ${name}")
endfunction()

function(miss_peer name package)
    message(STATUS "bench: ${name} is skipped: not installed (Debian and Ubuntu: ${package})")
endfunction()

# A language is enabled for the whole project: not in a function.
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
    enable_language(CXX)
endif()

find_package(OpenMP QUIET COMPONENTS C)
if(OpenMP_C_FOUND)
    file(GLOB sources CONFIGURE_DEPENDS */openmp.c peers/openmp/*.c)
    add_peer(openmp ${sources})
    target_link_libraries(filch-bench-openmp PRIVATE OpenMP::OpenMP_C)
else()
    miss_peer(openmp libgomp1)
endif()

if(CMAKE_CXX_COMPILER)
    find_package(TBB QUIET)
    find_package(Boost QUIET COMPONENTS fiber context)
endif()

if(TBB_FOUND)
    file(GLOB sources CONFIGURE_DEPENDS */tbb.cc peers/tbb/*.cc)
    add_peer(tbb ${sources})
    target_compile_features(filch-bench-tbb PRIVATE cxx_std_17)
    target_link_libraries(filch-bench-tbb PRIVATE TBB::tbb)
else()
    miss_peer(tbb libtbb-dev)
endif()

if(Boost_FIBER_FOUND)
    file(GLOB sources CONFIGURE_DEPENDS */boost_fiber.cc peers/boost_fiber/*.cc)
    add_peer(boost-fiber ${sources})
    target_compile_features(filch-bench-boost-fiber PRIVATE cxx_std_17)
    target_link_libraries(filch-bench-boost-fiber PRIVATE Boost::fiber Boost::context)
else()
    miss_peer(boost-fiber libboost-fiber-dev)
endif()

find_program(GO go)
if(GO)
    file(GLOB sources CONFIGURE_DEPENDS peers/go/*.go)
    set(program "${CMAKE_CURRENT_BINARY_DIR}/filch-bench-go")
    add_custom_command(OUTPUT "${program}" DEPENDS ${sources}
                       COMMAND ${CMAKE_COMMAND} -E env GOPROXY=off GOFLAGS=-mod=mod GO111MODULE=off
                               "GOCACHE=${CMAKE_CURRENT_BINARY_DIR}/go-cache" "${GO}" build -o "${program}" ${sources}
                       COMMENT "Building filch-bench-go" VERBATIM)
    add_custom_target(bench_peer_go ALL DEPENDS "${program}")
    message(STATUS "bench: go")
else()
    miss_peer(go golang-go)
endif()

# Rayon's sources, where the distribution's package puts them: nothing is fetched.
find_program(CARGO cargo)
set(CRATES /usr/share/cargo/registry)
file(GLOB rayon "${CRATES}/rayon-1*")
if(CARGO AND rayon)
    set(folder "${CMAKE_CURRENT_BINARY_DIR}/rayon")
    set(program "${CMAKE_CURRENT_BINARY_DIR}/filch-bench-rayon")
    file(GLOB sources CONFIGURE_DEPENDS peers/rayon/Cargo.toml peers/rayon/src/*.rs)
    # Built from a copy: cargo writes its lock file beside the manifest.
    add_custom_command(OUTPUT "${program}" DEPENDS ${sources}
                       COMMAND ${CMAKE_COMMAND} -E copy_directory "${CMAKE_CURRENT_SOURCE_DIR}/peers/rayon" "${folder}"
                       COMMAND ${CMAKE_COMMAND} -E chdir "${folder}" "${CARGO}" build --release --offline --quiet
                               --config "source.crates-io.replace-with='distribution'"
                               --config "source.distribution.directory='${CRATES}'"
                       COMMAND ${CMAKE_COMMAND} -E copy "${folder}/target/release/filch-bench-rayon" "${program}"
                       COMMENT "Building filch-bench-rayon" VERBATIM)
    add_custom_target(bench_peer_rayon ALL DEPENDS "${program}")
    message(STATUS "bench: rayon")
else()
    miss_peer(rayon "cargo librust-rayon-dev")
endif()
