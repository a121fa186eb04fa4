# `ninja deb` makes musher_VERSION_ARCH.deb in the build tree; `cmake --install` puts the same files
# in place. Man pages and completions come from the program's own tables.
include(GNUInstallDirs)

# The package is of musher alone: no test is built for it.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
    GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(MUSHER_MAINTAINER "musher maintainers <maintainers@musher.invalid>" CACHE STRING
    "Name and address in the package's control file")

set(made ${CMAKE_BINARY_DIR}/package)
set(debian ${CMAKE_SOURCE_DIR}/etc/debian)
file(MAKE_DIRECTORY ${made})

# musher_says(FILE ARGUMENTS…): what the program prints, as a file of the package.
function(musher_says file)
    add_custom_command(OUTPUT ${made}/${file}
        COMMAND $<TARGET_FILE:musher> ${ARGN} > ${made}/${file}
        DEPENDS musher VERBATIM)
endfunction()
musher_says(musher.1 describe --manual)
musher_says(musher.yml.5 describe --manual musher.yml)
musher_says(completion.bash completion bash)
musher_says(completion.zsh completion zsh)
musher_says(completion.fish completion fish)
foreach(page musher.1 musher.yml.5)
    add_custom_command(OUTPUT ${made}/${page}.gz
        COMMAND gzip -9nc ${made}/${page} > ${made}/${page}.gz DEPENDS ${made}/${page} VERBATIM)
endforeach()

# The same sources give the same package: its date is that of their last commit.
execute_process(COMMAND git log -1 --format=%cD WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT date)
    string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
endif()
add_custom_command(OUTPUT ${made}/changelog.gz
    COMMAND awk -v "date=${date}" -v "maintainer=${MUSHER_MAINTAINER}" -f ${debian}/changelog.awk
        ${CMAKE_SOURCE_DIR}/etc/CHANGELOG.md > ${made}/changelog
    COMMAND gzip -9nc ${made}/changelog > ${made}/changelog.gz
    DEPENDS ${debian}/changelog.awk ${CMAKE_SOURCE_DIR}/etc/CHANGELOG.md VERBATIM)

add_custom_target(package_documents DEPENDS ${made}/musher.1.gz ${made}/musher.yml.5.gz
    ${made}/completion.bash ${made}/completion.zsh ${made}/completion.fish ${made}/changelog.gz)

install(TARGETS musher RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# As Debian strips.
install(CODE "if(NOT \"\$ENV{DESTDIR}\" STREQUAL \"\")
    execute_process(COMMAND ${CMAKE_STRIP} --remove-section=.comment --remove-section=.note
        \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/musher
        COMMAND_ERROR_IS_FATAL ANY)
endif()")
install(FILES etc/systemd/musher.service DESTINATION /lib/systemd/system)
install(FILES etc/systemd/sysusers.conf DESTINATION lib/sysusers.d RENAME musher.conf)
install(FILES etc/systemd/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME musher.conf)
install(FILES etc/debian/default DESTINATION /etc/default RENAME musher)
install(FILES etc/musher.yml DESTINATION /etc/musher)
install(FILES etc/pipelines/inbox.yml DESTINATION /etc/musher/pipelines)
file(GLOB examples CONFIGURE_DEPENDS etc/pipelines/*.yml)
file(GLOB packs CONFIGURE_DEPENDS pipelines/packs/*/*.yml)
install(FILES ${examples} ${packs} etc/secrets.example DESTINATION share/doc/musher/examples)
install(FILES etc/debian/copyright etc/doc/openapi.yaml ${made}/changelog.gz
    DESTINATION share/doc/musher)
install(FILES etc/debian/lintian-overrides DESTINATION share/lintian/overrides RENAME musher)
install(FILES ${made}/musher.1.gz DESTINATION share/man/man1)
install(FILES ${made}/musher.yml.5.gz DESTINATION share/man/man5)
install(FILES ${made}/completion.bash DESTINATION share/bash-completion/completions RENAME musher)
install(FILES ${made}/completion.zsh DESTINATION share/zsh/vendor-completions RENAME _musher)
install(FILES ${made}/completion.fish DESTINATION share/fish/vendor_completions.d
    RENAME musher.fish)
# Programs that musher replaces; see pipelines/app/drop_in.cpp.
foreach(name shard_to_ssd shard_to_ssd.py)
    install(CODE "file(CREATE_LINK musher
        \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/${name} SYMBOLIC)
        file(CREATE_LINK musher.1.gz
        \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/man/man1/${name}.1.gz SYMBOLIC)")
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME musher)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "${MUSHER_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "event-driven reactor for files, queues and databases")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "musher turns events (files that appear in folders, times that come) into
durable jobs, runs each through the steps of a pipeline that is described in
YAML, and keeps what happened.
.
Without further configuration it keeps its jobs in a private redis-server.")
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# The packaged configuration does not start without these; see etc/doc/decisions/packaging.md.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "redis-server, tzdata")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${debian}/conffiles ${debian}/postinst ${debian}/prerm
    ${debian}/postrm)
include(CPack)

add_custom_target(deb COMMAND ${CMAKE_CPACK_COMMAND} -G DEB WORKING_DIRECTORY ${CMAKE_BINARY_DIR}
    DEPENDS musher package_documents USES_TERMINAL VERBATIM)
