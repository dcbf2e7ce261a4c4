# fcontext: the three assembly objects of Boost.Context's static library, which need neither Boost nor a C++ runtime.
# They become part of libfilch, so that who links it needs nothing of Boost. Sets FILCH_FCONTEXT_OBJECTS.

find_library(FILCH_BOOST_CONTEXT_ARCHIVE NAMES libboost_context.a libboost_context-mt.a
             DOC "Boost.Context's static library")
if(NOT FILCH_BOOST_CONTEXT_ARCHIVE)
    message(FATAL_ERROR "libboost_context.a was not found (Debian and Ubuntu: libboost-context-dev; "
                        "Fedora: boost-static). -DFILCH_BOOST_CONTEXT_ARCHIVE=PATH names it.")
endif()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${FILCH_BOOST_CONTEXT_ARCHIVE}")

set(FILCH_FCONTEXT_FOLDER "${PROJECT_BINARY_DIR}/fcontext")
file(REMOVE_RECURSE "${FILCH_FCONTEXT_FOLDER}")
file(MAKE_DIRECTORY "${FILCH_FCONTEXT_FOLDER}")
execute_process(COMMAND "${CMAKE_AR}" t "${FILCH_BOOST_CONTEXT_ARCHIVE}" OUTPUT_VARIABLE FILCH_MEMBERS
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "(make|jump|ontop)_[^\n]*\\.o" FILCH_MEMBERS "${FILCH_MEMBERS}")
list(LENGTH FILCH_MEMBERS FILCH_MEMBER_COUNT)
if(NOT FILCH_MEMBER_COUNT EQUAL 3)
    message(FATAL_ERROR "${FILCH_BOOST_CONTEXT_ARCHIVE} does not hold make_, jump_ and ontop_fcontext as three objects; "
                        "it has: ${FILCH_MEMBERS}")
endif()
execute_process(COMMAND "${CMAKE_AR}" x "${FILCH_BOOST_CONTEXT_ARCHIVE}" ${FILCH_MEMBERS}
                WORKING_DIRECTORY "${FILCH_FCONTEXT_FOLDER}" COMMAND_ERROR_IS_FATAL ANY)

set(FILCH_FCONTEXT_OBJECTS ${FILCH_MEMBERS})
list(TRANSFORM FILCH_FCONTEXT_OBJECTS PREPEND "${FILCH_FCONTEXT_FOLDER}/")
set_source_files_properties(${FILCH_FCONTEXT_OBJECTS} PROPERTIES EXTERNAL_OBJECT ON)
