# ThreadSanitizer.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(MUSHER_SANITIZE "thread" CACHE STRING "")
