# musher_embed_lua(OUT FOLDER): a source file with the text of each FOLDER/*.lua, so that the scripts
# are files of their own in the tree and part of the program when it runs.
function(musher_embed_lua out folder)
    file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.lua)
    set(rows "")
    foreach(script IN LISTS scripts)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${script})
        get_filename_component(name ${script} NAME_WE)
        file(READ ${script} text)
        string(APPEND rows "    {\"${name}\", R\"lua(${text})lua\"},\n")
    endforeach()
    file(CONFIGURE OUTPUT ${out} @ONLY CONTENT
"// Made by etc/cmake/embed_lua.cmake from ${folder}/*.lua.
#include \"pipelines/queue/scripts.h\"

namespace musher {
namespace {
struct Row {
    std::string_view name, text;
};
constexpr Row kRows[] = {
${rows}};
}  // namespace

std::string_view lua_text(std::string_view name) {
    for (const Row& row : kRows) {
        if (row.name == name) return row.text;
    }
    return {};
}
}  // namespace musher
")
endfunction()
