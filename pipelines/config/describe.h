// Describes components from their tables: for terminals, REFERENCE.md and editors.
#pragma once

#include <string>

#include "reactor/component/schema.h"

namespace musher {

/// Every component in its catalogue's order: sources, steps, sinks.
std::vector<const Spec*> all_specs();
std::string_view kind_name(ComponentKind kind);
/// A component's page in Markdown, which also reads well on a terminal.
std::string describe(const Spec& spec);
/// The same for programs: {kind, name, summary, description, repeats, options: [{name, type, help,
/// default, required, templated, choices, at_least, at_most, one_of, options}], scalar, fields:
/// [{name, help, sample}], example}; what an option does not have is left out.
Json describe_json(const Spec& spec);
/// etc/doc/REFERENCE.md.
std::string reference();
/// What expressions see and call, in Markdown.
std::string describe_expressions();

}  // namespace musher
