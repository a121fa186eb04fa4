#include "pipelines/expr/letter_case.h"

#include <clocale>
#include <cwchar>
#include <cwctype>

namespace musher {

namespace {
/// Puts the thread into a UTF-8 locale: a daemon's own is "C", which knows ASCII only.
class Utf8Here {
  public:
    Utf8Here() {
        static const locale_t kUtf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
        if (kUtf8) before_ = uselocale(kUtf8);
    }
    Utf8Here(const Utf8Here&) = delete;
    ~Utf8Here() {
        if (before_) uselocale(before_);
    }

  private:
    locale_t before_ = nullptr;
};

template <class Convert>
std::string convert(std::string_view text, Convert letter) {
    const Utf8Here here;
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        std::mbstate_t state{};
        wchar_t wide = 0;
        std::size_t used = std::mbrtowc(&wide, text.data(), text.size(), &state);
        char bytes[16];
        if (used == 0 || used > text.size()) {  // a NUL, or no UTF-8
            used = 1;
            bytes[0] = text.front();
        }
        state = {};
        const bool known = used > 1 || wide != 0;
        const std::size_t made =
            known ? std::wcrtomb(bytes, static_cast<wchar_t>(letter(static_cast<wint_t>(wide))),
                                 &state)
                  : 1;
        result.append(bytes, made);
        text.remove_prefix(used);
    }
    return result;
}
}  // namespace

std::string lower_case(std::string_view text) {
    return convert(text, [](std::wint_t c) { return std::towlower(c); });
}
std::string upper_case(std::string_view text) {
    return convert(text, [](std::wint_t c) { return std::towupper(c); });
}

}  // namespace musher
