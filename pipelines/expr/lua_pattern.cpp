#include "pipelines/expr/lua_pattern.h"

#include <cctype>

namespace musher {

namespace {
bool in_class(unsigned char c, unsigned char name) {
    bool hit = false;
    switch (std::tolower(name)) {
        case 'a':
            hit = std::isalpha(c) != 0;
            break;
        case 'c':
            hit = std::iscntrl(c) != 0;
            break;
        case 'd':
            hit = std::isdigit(c) != 0;
            break;
        case 'g':
            hit = std::isgraph(c) != 0;
            break;
        case 'l':
            hit = std::islower(c) != 0;
            break;
        case 'p':
            hit = std::ispunct(c) != 0;
            break;
        case 's':
            hit = std::isspace(c) != 0;
            break;
        case 'u':
            hit = std::isupper(c) != 0;
            break;
        case 'w':
            hit = std::isalnum(c) != 0;
            break;
        case 'x':
            hit = std::isxdigit(c) != 0;
            break;
        default:
            return name == c;
    }
    return std::isupper(name) ? !hit : hit;
}
}  // namespace

std::size_t LuaPattern::match(std::size_t from) {
    level_ = 0;
    return spend(1) ? run(from, 0) : kNone;
}

std::size_t LuaPattern::run(std::size_t s, std::size_t p) {
    if (depth_ == kMostDepth) return stop("the pattern is too complex");
    ++depth_;
    const std::size_t end = walk(s, p);
    --depth_;
    return end;
}

std::size_t LuaPattern::walk(std::size_t s, std::size_t p) {
    while (p < pattern_.size()) {
        if (!spend(1)) return kNone;
        const char head = pattern_[p];
        if (head == '(') {
            return pattern_at(p + 1) == ')' ? open_capture(s, p + 2, kPosition)
                                            : open_capture(s, p + 1, kOpen);
        }
        if (head == ')') return close_capture(s, p + 1);
        if (head == '$' && p + 1 == pattern_.size()) return s == subject_.size() ? s : kNone;
        if (head == '%') {
            bool taken = false;
            if (!escape(s, p, taken)) return kNone;
            if (taken) continue;
        }
        const std::size_t end = class_end(p);
        if (fault_) return kNone;
        switch (pattern_at(end)) {
            case '?':
                if (one(s, p, end)) {
                    const std::size_t taken = run(s + 1, end + 1);
                    if (taken != kNone || fault_) return taken;
                }
                p = end + 1;
                break;
            case '+':
                return one(s, p, end) ? most(s + 1, p, end) : kNone;
            case '*':
                return most(s, p, end);
            case '-':
                return fewest(s, p, end);
            default:
                if (!one(s, p, end)) return kNone;
                ++s;
                p = end;
        }
    }
    return s;
}

/// %b, %f and %1 … %9: advances both and sets `taken`; false when they do not match.
bool LuaPattern::escape(std::size_t& s, std::size_t& p, bool& taken) {
    const char kind = pattern_at(p + 1);
    if (kind == 'b') {
        s = balance(s, p + 2);
        p += 4;
    } else if (kind == 'f') {
        p += 2;
        if (!frontier(s, p)) return false;
    } else if (std::isdigit(static_cast<unsigned char>(kind))) {
        s = repeat_capture(s, kind);
        p += 2;
    } else {
        return true;
    }
    taken = true;
    return s != kNone;
}

std::size_t LuaPattern::most(std::size_t s, std::size_t p, std::size_t end) {
    std::size_t count = 0;
    while (one(s + count, p, end)) ++count;
    for (;; --count) {
        if (fault_) return kNone;
        const std::size_t taken = run(s + count, end + 1);
        if (taken != kNone || count == 0) return taken;
    }
}

std::size_t LuaPattern::fewest(std::size_t s, std::size_t p, std::size_t end) {
    for (;; ++s) {
        const std::size_t taken = run(s, end + 1);
        if (taken != kNone || fault_) return taken;
        if (!one(s, p, end)) return kNone;
    }
}

std::size_t LuaPattern::open_capture(std::size_t s, std::size_t p, std::size_t length) {
    if (level_ == kMostCaptures) return stop("the pattern has too many captures");
    captures_[level_++] = Capture{s, length};
    const std::size_t end = run(s, p);
    if (end == kNone) --level_;
    return end;
}

std::size_t LuaPattern::close_capture(std::size_t s, std::size_t p) {
    std::size_t index = level_;
    while (index > 0 && captures_[index - 1].length != kOpen) --index;
    if (index == 0) return stop("malformed pattern (a ')' without its '(')");
    Capture& capture = captures_[index - 1];
    capture.length = s - capture.at;
    const std::size_t end = run(s, p);
    if (end == kNone) capture.length = kOpen;
    return end;
}

std::size_t LuaPattern::balance(std::size_t s, std::size_t p) {
    if (p + 1 >= pattern_.size()) return stop("malformed pattern (missing arguments to '%b')");
    const char open = pattern_[p];
    const char close = pattern_[p + 1];
    if (s >= subject_.size() || subject_[s] != open) return kNone;
    std::size_t nested = 1;
    for (std::size_t at = s + 1; at < subject_.size(); ++at) {
        if (!spend(1)) return kNone;
        if (subject_[at] == close) {
            if (--nested == 0) return at + 1;
        } else if (subject_[at] == open) {
            ++nested;
        }
    }
    return kNone;
}

std::size_t LuaPattern::repeat_capture(std::size_t s, char digit) {
    const std::size_t index = static_cast<std::size_t>(digit - '0');
    if (index == 0 || index > level_ || captures_[index - 1].length == kOpen) {
        return stop("invalid capture index in the pattern");
    }
    const Capture& capture = captures_[index - 1];
    if (capture.length == kPosition) return kNone;
    if (!spend(capture.length)) return kNone;
    const std::string_view again = subject_.substr(capture.at, capture.length);
    return subject_.substr(s, again.size()) == again ? s + again.size() : kNone;
}

bool LuaPattern::frontier(std::size_t s, std::size_t& p) {
    if (pattern_at(p) != '[') {
        stop("missing '[' after '%f' in the pattern");
        return false;
    }
    const std::size_t end = class_end(p);
    if (fault_) return false;
    const auto byte = [&](std::size_t at) -> unsigned char {
        return at < subject_.size() ? static_cast<unsigned char>(subject_[at]) : 0;
    };
    // Before the first byte (s - 1 wraps around) and behind the last one stands a NUL.
    const bool here = !in_set(byte(s - 1), p, end - 1) && in_set(byte(s), p, end - 1);
    p = end;
    return here;
}

std::size_t LuaPattern::class_end(std::size_t p) {
    const char head = pattern_[p++];
    if (head == '%') {
        if (p >= pattern_.size()) return stop("malformed pattern (ends with '%')");
        return p + 1;
    }
    if (head != '[') return p;
    if (pattern_at(p) == '^') ++p;
    do {  // a ']' that comes first is an ordinary character
        if (p >= pattern_.size() || !spend(1)) return stop("malformed pattern (missing ']')");
        if (pattern_[p++] == '%') ++p;
    } while (pattern_at(p) != ']');
    return p + 1;
}

bool LuaPattern::one(std::size_t s, std::size_t p, std::size_t end) {
    if (s >= subject_.size() || !spend(1)) return false;
    const auto c = static_cast<unsigned char>(subject_[s]);
    switch (pattern_[p]) {
        case '.':
            return true;
        case '%':
            return in_class(c, static_cast<unsigned char>(pattern_[p + 1]));
        case '[':
            return in_set(c, p, end - 1);
        default:
            return static_cast<unsigned char>(pattern_[p]) == c;
    }
}

/// `p` stands on '[', `last` on its ']'.
bool LuaPattern::in_set(unsigned char c, std::size_t p, std::size_t last) {
    if (!spend(last - p)) return false;
    const bool negated = pattern_[p + 1] == '^';
    if (negated) ++p;
    while (++p < last) {
        const auto low = static_cast<unsigned char>(pattern_[p]);
        if (low == '%') {
            ++p;
            if (in_class(c, static_cast<unsigned char>(pattern_[p]))) return !negated;
        } else if (pattern_[p + 1] == '-' && p + 2 < last) {
            p += 2;
            if (low <= c && c <= static_cast<unsigned char>(pattern_[p])) return !negated;
        } else if (low == c) {
            return !negated;
        }
    }
    return negated;
}

bool LuaPattern::spend(std::size_t count) {
    if (count <= steps_) {
        steps_ -= count;
        return true;
    }
    steps_ = 0;
    stop("the pattern takes too many steps on this text");
    return false;
}

std::size_t LuaPattern::stop(const char* fault) {
    if (!fault_) fault_ = fault;
    return kNone;
}

}  // namespace musher
