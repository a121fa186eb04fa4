// What a request sends that nobody shall read where its answer quotes it.
#pragma once

#include "reactor/base/json.h"
#include "reactor/drivers/http.h"

namespace musher {

/// Whether the text holds what may be one of the request's secrets: those it was told of, values of
/// headers, its URL's user, password and query, and its path where that is secret.
bool quotes_secrets(const HttpRequest& request, const std::string& text);
/// The same document, with *** for each of them in its texts, names and numbers.
Json without_secrets(const HttpRequest& request, const Json& value);

}  // namespace musher
