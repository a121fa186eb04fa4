// What http_post and http_get have in common: how URLs, headers and answers are judged.
#pragma once

#include "reactor/component/schema.h"
#include "reactor/drivers/http.h"

namespace musher {

/// Options of the same meaning in both.
Option http_url_option();
Option http_headers_option();
Option http_retry_on_option();
Option http_ca_file_option();
/// Their faults as written, for a Spec's check.
Faults check_http_options(const Options& options);

/// Fold-case, as names of headers are compared.
bool has_header(const Json& headers, std::string_view name);
/// Tells the request what of its options is secret.
void hide_secrets(HttpRequest& request, const Options& options);
/// Adds what the user wrote under `headers`.
void add_headers(HttpRequest& request, const Json& headers);
/// A value as one line of text: strings as they are, the rest as JSON.
std::string http_text(const Json& value);

/// Success, or an error whose code says whether a retry can help and who is at fault. Its message
/// quotes the answer, unless that repeats a header or what is secret in the URL.
Result<void> judge_answer(const HttpRequest& request, const HttpResponse& response,
                          const std::vector<std::string>& retry_on);

}  // namespace musher
