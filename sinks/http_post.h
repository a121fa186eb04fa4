// http_post: tells an HTTP server, with JSON, a form or the body.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& http_post_spec();
std::unique_ptr<Step> make_http_post();
}  // namespace musher
