#include "sources/work_path.h"

#include "reactor/base/text.h"
#include "reactor/base/uuid.h"

namespace musher::hotfolder {

namespace {
constexpr std::size_t kIdBytes = 36;
constexpr std::size_t kNameMax = 255;
}  // namespace

std::string work_folder(std::string_view pipeline, std::string_view node) {
    std::string folder(kWorkRoot);
    folder.append("/").append(pipeline);
    if (!node.empty()) folder.append("@").append(node);
    return folder;
}

std::string mirror_of(std::string_view subfolder) {
    std::string mirror;
    while (!subfolder.empty()) {
        const std::size_t slash = subfolder.find('/');
        mirror.append("=").append(subfolder.substr(0, slash)).append("/");
        subfolder.remove_prefix(slash == std::string_view::npos ? subfolder.size() : slash + 1);
    }
    return mirror;
}

std::string unmirror(std::string_view mirror) {
    std::string folder;
    while (!mirror.empty()) {
        const std::size_t slash = mirror.find('/');
        const std::string_view part = mirror.substr(0, slash);
        if (!folder.empty()) folder += '/';
        folder += part.substr(part.starts_with('=') ? 1 : 0);
        mirror.remove_prefix(slash == std::string_view::npos ? mirror.size() : slash + 1);
    }
    return folder;
}

std::string claim_name(std::string_view id, std::string_view name, bool whole_folder) {
    const bool plain = is_utf8(name);
    // An escaped claim keeps the path valid UTF-8, so that `${event.path}` can be opened.
    const std::string shown = plain ? std::string(name) : escape_name(name);
    std::string entry(id);
    if (whole_folder || kIdBytes + 1 + shown.size() > kNameMax) {
        entry.append("/").append(name);
    } else {
        entry.append(plain ? "." : "%").append(shown);
    }
    return entry;
}

std::optional<ClaimName> parse_claim_name(std::string_view entry) {
    if (!is_uuid(entry.substr(0, kIdBytes))) return std::nullopt;
    ClaimName claim;
    claim.id = entry.substr(0, kIdBytes);
    if (entry.size() == kIdBytes) {
        claim.own_folder = true;
        return claim;
    }
    const std::string_view rest = entry.substr(kIdBytes + 1);
    if (rest.empty()) return std::nullopt;
    switch (entry[kIdBytes]) {
        case '.':
            claim.name = rest;
            return claim;
        case '%':
            claim.name = unescape_name(rest);
            return claim;
        default:
            return std::nullopt;
    }
}

std::optional<WorkPath> parse_work_path(const std::string& path) {
    // The last one: a hot folder may itself lie below another's work folder.
    const std::string root = "/" + std::string(kWorkRoot) + "/";
    const std::size_t at = path.rfind(root);
    if (at == std::string::npos) return std::nullopt;
    WorkPath found;
    found.folder = at == 0 ? "/" : path.substr(0, at);
    std::string_view rest = std::string_view(path).substr(at + root.size());
    const std::size_t slash = rest.find('/');
    const std::string_view first = rest.substr(0, slash);
    if (!first.starts_with('=') && !parse_claim_name(first)) {
        if (slash == std::string_view::npos) return std::nullopt;
        const std::size_t sign = first.find('@');
        found.pipeline = first.substr(0, sign);
        if (sign != std::string_view::npos) found.node = first.substr(sign + 1);
        rest.remove_prefix(slash + 1);
    }
    std::size_t mirrored = 0;
    while (mirrored < rest.size() && rest[mirrored] == '=') {
        const std::size_t end = rest.find('/', mirrored);
        if (end == std::string_view::npos) return std::nullopt;
        mirrored = end + 1;
    }
    found.subfolder = unmirror(rest.substr(0, mirrored == 0 ? 0 : mirrored - 1));
    rest.remove_prefix(mirrored);
    const std::size_t inner = rest.find('/');
    const std::optional<ClaimName> claim = parse_claim_name(rest.substr(0, inner));
    if (!claim || claim->own_folder != (inner != std::string_view::npos)) return std::nullopt;
    found.id = claim->id;
    found.name = claim->own_folder ? std::string(rest.substr(inner + 1)) : claim->name;
    if (found.name.empty() || found.name.find('/') != std::string::npos) return std::nullopt;
    return found;
}

}  // namespace musher::hotfolder
