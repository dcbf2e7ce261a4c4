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

# Crates' sources, where the distribution's packages put them: nothing is fetched.
find_program(CARGO cargo)
set(CRATES /usr/share/cargo/registry)
function(add_crate name package)
    file(GLOB crate "${CRATES}/${name}-1*")
    if(NOT CARGO OR NOT crate)
        miss_peer(${name} "cargo ${package}")
        return()
    endif()
    set(folder "${CMAKE_CURRENT_BINARY_DIR}/${name}")
    set(program "${CMAKE_CURRENT_BINARY_DIR}/filch-bench-${name}")
    file(GLOB sources CONFIGURE_DEPENDS peers/${name}/Cargo.toml peers/${name}/src/*.rs)
    # Built from a copy: cargo writes its lock file beside the manifest.
    add_custom_command(OUTPUT "${program}" DEPENDS ${sources}
                       COMMAND ${CMAKE_COMMAND} -E copy_directory "${CMAKE_CURRENT_SOURCE_DIR}/peers/${name}" "${folder}"
                       COMMAND ${CMAKE_COMMAND} -E chdir "${folder}" "${CARGO}" build --release --offline --quiet
                               --config "source.crates-io.replace-with='distribution'"
                               --config "source.distribution.directory='${CRATES}'"
                       COMMAND ${CMAKE_COMMAND} -E copy "${folder}/target/release/filch-bench-${name}" "${program}"
                       COMMENT "Building filch-bench-${name}" VERBATIM)
    add_custom_target(bench_peer_${name} ALL DEPENDS "${program}")
    message(STATUS "bench: ${name}")
endfunction()
add_crate(rayon librust-rayon-dev)
add_crate(tokio librust-tokio-dev)

# ------------------------------------------------------------------------------ servers alone (see net/serve.h)

find_path(UV_INCLUDE uv.h)
find_library(UV_LIBRARY uv)
if(UV_INCLUDE AND UV_LIBRARY)
    add_executable(filch-bench-libuv peers/libuv/main.c)
    target_link_libraries(filch-bench-libuv PRIVATE filch_flags "${UV_LIBRARY}")
    target_include_directories(filch-bench-libuv SYSTEM PRIVATE "${UV_INCLUDE}")
    message(STATUS "bench: libuv")
else()
    miss_peer(libuv libuv1-dev)
endif()

if(FILCH_PYTHON)
    set(program "${CMAKE_CURRENT_BINARY_DIR}/filch-bench-asyncio")
    add_custom_command(OUTPUT "${program}" DEPENDS peers/asyncio/server.py
                       COMMAND ${CMAKE_COMMAND} -E copy "${CMAKE_CURRENT_SOURCE_DIR}/peers/asyncio/server.py" "${program}"
                       COMMAND chmod 755 "${program}" VERBATIM)
    add_custom_target(bench_peer_asyncio ALL DEPENDS "${program}")
    message(STATUS "bench: asyncio")
else()
    miss_peer(asyncio python3)
endif()

# nginx is looked for by filch-bench when it runs.
if(NOT EXISTS /usr/sbin/nginx)
    miss_peer(nginx nginx-light)
endif()
