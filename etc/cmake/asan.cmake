# AddressSanitizer and UndefinedBehaviorSanitizer.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(MUSHER_SANITIZE "address,undefined" CACHE STRING "")
