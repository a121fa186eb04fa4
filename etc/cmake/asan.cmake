# AddressSanitizer and UndefinedBehaviorSanitizer.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(MUSHER_SANITIZE "address,undefined" CACHE STRING "")
# The checks' data holds 10 million addresses: each child would move all of them at its start.
set(CMAKE_EXE_LINKER_FLAGS "-no-pie" CACHE STRING "")
