# AddressSanitizer and UndefinedBehaviorSanitizer.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(MUSHER_SANITIZE "address,undefined" CACHE STRING "")
# UBSan's findings trap: as texts with their addresses they would be half of the compiler's time and
# 500 MiB of the program, of which each child of an exec step would move 10 million at its start.
set(CMAKE_CXX_FLAGS "-fsanitize-undefined-trap-on-error" CACHE STRING "")
