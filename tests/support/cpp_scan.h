// Reads C++ just well enough to find statements, functions and lambdas; no preprocessor, no types.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace musher::test {

/// What a statement holds, its nested blocks not counted. `for (…) {` ends at its brace.
struct Statement {
    int line = 0;
    bool awaits = false;
    bool braces = false;  // a braced value
    bool lambda = false;
    bool conditional = false;  // ?:
};
struct Function {
    std::string name;
    int line = 0;
    int lines = 0;  // from its signature to its closing brace
};
struct CppScan {
    std::vector<Statement> statements;
    std::vector<Function> functions;
    std::vector<int> lambda_coroutines;  // lines
    std::vector<std::string> types;      // names of classes, structs, unions and enumerations
};
CppScan scan_cpp(std::string_view text);

struct Token {
    std::string_view text;  // literals are "" and ''
    int line = 0;
};
/// Without comments, preprocessor lines and the insides of literals.
std::vector<Token> cpp_tokens(std::string_view text);

}  // namespace musher::test
