/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of link-frames.h. Both ends are the same program, so tags may change. */
#include "gateway/link-frames.h"

#define TABLE(name) const struct field_table name##_table = FIELD_TABLE(name##_lines, name)

static const struct field_line link_word_lines[] = { FIELD(1, FIELD_BYTES, link_word, text) };
TABLE(link_word);

static const struct field_line keep_offer_lines[] = {
	FIELD(1, FIELD_U64, keep_offer, offered),
	FIELD(2, FIELD_U64, keep_offer, max_message),
};
TABLE(keep_offer);

static const struct field_line keep_stop_lines[] = {
	FIELD(1, FIELD_U64, keep_stop, within_us),
	FIELD(2, FIELD_U64, keep_stop, idle_too),
};
TABLE(keep_stop);

static const struct field_line edge_ask_lines[] = { FIELD(1, FIELD_BYTES, edge_ask, key) };
TABLE(edge_ask);

static const struct field_line edge_token_lines[] = { FIELD(1, FIELD_BYTES, edge_token, text) };
static const struct field_table edge_token_table = FIELD_TABLE(edge_token_lines, edge_token);

static const struct field_line edge_finish_lines[] = {
	FIELD(1, FIELD_BYTES, edge_finish, accept),
	FIELD_LIST_OF(2, edge_finish, tokens, &edge_token_table),
	FIELD(3, FIELD_U64, edge_finish, esmtp),
};
TABLE(edge_finish);

static const struct field_line edge_counts_lines[] = {
	FIELD(1, FIELD_U64, edge_counts, sessions),
	FIELD(2, FIELD_U64, edge_counts, tls_sessions),
	FIELD(3, FIELD_U64, edge_counts, connections),
	FIELD(4, FIELD_U64, edge_counts, turned_away),
	FIELD(5, FIELD_U64, edge_counts, recipients_refused),
	FIELD(6, FIELD_U64, edge_counts, accept_errors),
	FIELD(7, FIELD_U64, edge_counts, recipients_known),
};
TABLE(edge_counts);

static const struct field_line keep_network_lines[] = { FIELD(1, FIELD_BYTES, keep_network, text) };
static const struct field_table keep_network_table = FIELD_TABLE(keep_network_lines, keep_network);

static const struct field_line keep_setup_lines[] = {
	FIELD(1, FIELD_BYTES, keep_setup, hostname),
	FIELD(2, FIELD_BYTES, keep_setup, cert_file),
	FIELD(3, FIELD_BYTES, keep_setup, key_file),
	FIELD(4, FIELD_U64, keep_setup, max_message),
	FIELD(5, FIELD_U64, keep_setup, max_recipients),
	FIELD(6, FIELD_U64, keep_setup, sessions),
	FIELD(7, FIELD_U64, keep_setup, sessions_per_address),
	FIELD(8, FIELD_U64, keep_setup, normalise),
	FIELD(9, FIELD_U64, keep_setup, proxy),
	FIELD(10, FIELD_U64, keep_setup, offered),
	FIELD_LIST_OF(11, keep_setup, trusted, &keep_network_table),
};
TABLE(keep_setup);

static const struct field_line keep_say_lines[] = {
	FIELD(1, FIELD_U64, keep_say, code),
	FIELD(2, FIELD_BYTES, keep_say, enhanced),
	FIELD(3, FIELD_BYTES, keep_say, text),
};
TABLE(keep_say);
