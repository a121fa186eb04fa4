// mail: a message to people, with the body attached.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& mail_spec();
std::unique_ptr<Step> make_mail();
}  // namespace musher
