# libFuzzer's coverage with AddressSanitizer and UndefinedBehaviorSanitizer; any finding is fatal.
set(CMAKE_CXX_COMPILER clang++-19 CACHE STRING "")
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS "-fno-sanitize-recover=all" CACHE STRING "")
set(MUSHER_SANITIZE "fuzzer-no-link,address,undefined" CACHE STRING "")
