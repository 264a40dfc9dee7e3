-- SPDX-License-Identifier: Apache-2.0
-- The ledger's first schema. Once released, this file never changes: what comes later is 002 and so on.
-- docs/design/ledger.md explains it to those who read a ledger with sqlite3.

PRAGMA application_id = 1298549863; -- "MfLg"

-- Comes first so that its page is the first that a checkpoint writes.
CREATE TABLE state (
	one INTEGER PRIMARY KEY CHECK (one = 1), -- there is one row
	source TEXT NOT NULL,                    -- imaps://user@host:port
	destination TEXT NOT NULL,
	began INTEGER NOT NULL,                  -- µs since 1970
	checked INTEGER NOT NULL,                -- µs since 1970: when all of the file was last checked
	in_order INTEGER NOT NULL                -- 1: closed in order, 0: in use, or whoever used it ended otherwise
) STRICT;

CREATE TABLE fact (
	name TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE flags (
	id INTEGER PRIMARY KEY, -- 1, 2, 3 … without holes
	text TEXT NOT NULL      -- "\Seen Work"
) STRICT;

CREATE TABLE folder (
	id INTEGER PRIMARY KEY,
	current INTEGER NOT NULL,             -- 0: the source has it no more, or under another UIDVALIDITY
	source_name TEXT NOT NULL,            -- as on the wire (RFC 3501: modified UTF-7)
	destination_name TEXT NOT NULL,
	source_object TEXT NOT NULL,          -- MAILBOXID (RFC 8474)
	source_uidvalidity INTEGER NOT NULL,  -- its rows' UIDs belong to these
	destination_uidvalidity INTEGER NOT NULL,
	complete INTEGER NOT NULL,            -- 1: the last pass over it went through, and saw:
	source_seen_uidvalidity INTEGER NOT NULL,
	source_seen_uidnext INTEGER NOT NULL,
	source_seen_messages INTEGER NOT NULL,
	source_seen_modseq INTEGER NOT NULL,
	destination_seen_uidvalidity INTEGER NOT NULL,
	destination_seen_uidnext INTEGER NOT NULL,
	destination_seen_messages INTEGER NOT NULL,
	destination_seen_modseq INTEGER NOT NULL,
	since INTEGER,                        -- seconds since 1970; NULL: no bound
	before INTEGER,
	mark INTEGER NOT NULL,                -- not 0: copies with UIDs from here on may be in no row
	copied INTEGER NOT NULL,              -- the last count of its rows
	bytes INTEGER NOT NULL,
	excepted INTEGER NOT NULL,
	gone INTEGER NOT NULL,
	removed INTEGER NOT NULL
) STRICT;

CREATE TABLE noted (
	folder INTEGER NOT NULL,
	cause INTEGER NOT NULL,
	messages INTEGER NOT NULL, -- the last count, by cause
	PRIMARY KEY (folder, cause)
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
	folder INTEGER NOT NULL,
	uid INTEGER NOT NULL,        -- at the source
	copy_uid INTEGER NOT NULL,   -- at the destination; 0: not known, or none
	state INTEGER NOT NULL,      -- 1 copied, 2 excepted, 3 gone, 4 removed, 5 sending
	cause INTEGER NOT NULL,      -- 0: none
	has INTEGER NOT NULL,        -- 1 digest, 2 copy_digest, 4 header, 8 adopted, 16 mirrored, 32 verified
	flags INTEGER NOT NULL,      -- flags.id, or 0
	copy_flags INTEGER NOT NULL,
	size INTEGER NOT NULL,       -- bytes
	copy_size INTEGER NOT NULL,
	date INTEGER,                -- INTERNALDATE, seconds since 1970
	zone INTEGER NOT NULL,       -- minutes east
	digest BLOB,                 -- SHA-256 of the source's bytes
	copy_digest BLOB,            -- … of the destination's, where they differ
	header BLOB,                 -- 16 bytes of the SHA-256 of the header block
	message_id TEXT NOT NULL,
	detail TEXT NOT NULL,
	PRIMARY KEY (folder, uid)
) STRICT, WITHOUT ROWID;

CREATE INDEX message_copy ON message (folder, copy_uid) WHERE copy_uid <> 0;
CREATE INDEX message_cause ON message (folder, uid) WHERE cause <> 0;
CREATE INDEX message_state ON message (state, folder, uid, has) WHERE state <> 1;

CREATE TABLE pass (
	number INTEGER PRIMARY KEY,
	began INTEGER NOT NULL, -- µs since 1970
	ended INTEGER NOT NULL, -- 0: it never did
	kind TEXT NOT NULL,
	copied INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	flags_changed INTEGER NOT NULL,
	moved INTEGER NOT NULL,
	deleted INTEGER NOT NULL,
	excepted INTEGER NOT NULL,
	exit_status INTEGER NOT NULL,
	error TEXT NOT NULL
) STRICT;

CREATE TABLE accepted (
	number INTEGER PRIMARY KEY,
	cause TEXT NOT NULL,
	folder TEXT NOT NULL,  -- "": all
	uid INTEGER NOT NULL,  -- 0: all
	reason TEXT NOT NULL,
	who TEXT NOT NULL,
	at INTEGER NOT NULL    -- µs since 1970
) STRICT;
