// The text of a YAML file by lines: what the parser's byte offsets mean, and what it overlooks.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/component/value.h"

namespace musher {

class YamlText {
  public:
    /// `text` is kept by reference; a byte order mark at its start is passed over.
    YamlText(const std::string& text, const std::string& file);

    std::string_view text() const { return text_; }
    std::string_view line(int number) const;  // from 1, without its line break
    /// Counts code points, as editors do. `line` and `byte_column` count from 0, as yaml-cpp does.
    Position at(int line, int byte_column) const;
    Position at_offset(std::size_t offset) const;
    /// Where the file begins.
    Position start() const { return Position{file_, 1, 1}; }

    /// Reports bytes that are not UTF-8 and control characters; yaml-cpp would end the file at
    /// some. False when there are any.
    bool check_characters(std::vector<Problem>& problems) const;
    /// Whether the quoted text that begins at or after `offset` (behind tag and anchor) has its
    /// closing quote: yaml-cpp takes the end of the file for one.
    bool is_closed(std::size_t offset) const;
    /// Whether the scalar at `offset` is quoted and ends on its first line.
    bool is_quoted_line(std::size_t offset) const;
    bool stands_at(std::size_t offset, std::string_view text) const {
        return offset <= text_.size() && text_.substr(offset).starts_with(text);
    }
    /// The column in which the lines of the | block at `offset` begin; 0: it is no such block.
    int block_column(std::size_t offset) const;

  private:
    std::size_t skip_properties(std::size_t offset) const;
    std::size_t closing_quote(std::size_t open) const;  // npos: none

    std::string_view text_;
    std::shared_ptr<const std::string> file_;
    std::vector<std::size_t> lines_;  // offset of each line's first byte
    struct Mark {
        int line = -1;
        std::size_t bytes = 0;  // before it in the line
        int column = 1;
    };
    mutable Mark last_;  // counting goes on from here: one line may be the whole file
};

}  // namespace musher
