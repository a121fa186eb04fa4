// What PostgreSQL and libpq say of a failure, as an Error.
#pragma once

#include <string>
#include <string_view>

#include "reactor/base/error.h"

struct pg_conn;
struct pg_result;

namespace musher {

/// The nearest code for a SQLSTATE: of a class (23…) or, where it stands out, of the state itself.
Errc errc_from_sqlstate(std::string_view state) noexcept;
/// The server cannot do this on this connection any more (it became a standby): find another one.
bool sqlstate_ends_connection(std::string_view state) noexcept;
/// The five characters, empty when libpq itself failed.
std::string sqlstate_of(const pg_result* failed);
/// The server's message, its SQLSTATE, and the schema objects that it names; the server's hint.
/// Not its detail, which quotes rows.
Error postgres_error(const pg_result* failed);
/// Of a connection that could not be made; `server` says which.
Error postgres_connect_error(const pg_conn* conn, const std::string& server);
/// Of a connection that broke: always `unavailable`.
Error postgres_broken_error(const pg_conn* conn, const std::string& server);

}  // namespace musher
