#include "pipelines/app/request_body.h"

#include <fmt/format.h>

#include <algorithm>

#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr int kMostRevision = 1'000'000'000;

Result<void> check_member(const Json& body, std::string_view key, Json::value_t type) {
    const auto found = body.find(key);
    if (found == body.end() || found->type() == type) return {};
    return fail(Errc::usage, fmt::format("`{}` wants {}, found {}", key, Json(type).type_name(),
                                         found->type_name()));
}
}  // namespace

Result<void> check_known(std::string_view name, std::initializer_list<std::string_view> known) {
    if (std::find(known.begin(), known.end(), name) != known.end()) return {};
    const auto meant = nearest(name, std::span(known.begin(), known.size()));
    return fail(Errc::usage, fmt::format("`{}` is unknown here", escape_name(name)),
                meant ? fmt::format("did you mean `{}`?", *meant)
                      : fmt::format("{} are known", fmt::join(known, ", ")));
}

Result<Json> read_body(const std::string& body, std::initializer_list<std::string_view> known) {
    if (body.empty()) return Json::object();
    MUSHER_TRY(Json read, parse_json(body));
    if (!read.is_object()) return fail(Errc::usage, "the body wants a JSON object");
    for (const auto& [name, value] : read.items()) MUSHER_DO(check_known(name, known));
    return read;
}

Result<EmitRequest> read_emit(const std::string& body) {
    MUSHER_TRY(const Json read, read_body(body, {"file", "set", "dry_run"}));
    MUSHER_DO(check_member(read, "file", Json::value_t::string));
    MUSHER_DO(check_member(read, "set", Json::value_t::object));
    MUSHER_DO(check_member(read, "dry_run", Json::value_t::boolean));
    EmitRequest request;
    request.file = text_in(read, "file");
    if (read.contains("set")) request.facts = read["set"];
    request.dry_run = flag_in(read, "dry_run");
    return request;
}

Result<int> read_rollback(const std::string& body) {
    MUSHER_TRY(const Json read, read_body(body, {"revision"}));
    if (!read.contains("revision")) return 0;
    const Json& number = read["revision"];
    if (number.is_number_unsigned() && number > 0 && number <= kMostRevision) {
        return number.get<int>();
    }
    return fail(Errc::usage, "`revision` wants a whole number from 1 on, found " + to_line(number));
}

Result<std::string> read_purge(const std::string& body) {
    MUSHER_TRY(const Json read, read_body(body, {"state"}));
    MUSHER_DO(check_member(read, "state", Json::value_t::string));
    return text_in(read, "state", "done");
}

}  // namespace musher
