-- SPDX-License-Identifier: Apache-2.0
-- Copies at the destination that are being taken out of their folder. A row is there before anything is done, and goes when it
-- is done or undone, so that no copy keeps a \Deleted that is ours, or stays behind where a move began.

CREATE TABLE removal (
	folder INTEGER NOT NULL,      -- the message row whose copy it is, …
	uid INTEGER NOT NULL,         -- … as it was called when this began
	copy_uid INTEGER NOT NULL,    -- at the destination
	uidvalidity INTEGER NOT NULL, -- … and what that belongs to
	was_deleted INTEGER NOT NULL, -- 1: it had \Deleted before, which is its user's
	stage INTEGER NOT NULL,       -- 1 is deleted, 2 is moved, 3 was moved: what is left here goes
	new_folder INTEGER NOT NULL,  -- 2, 3: the message row that it becomes; 1: 0
	new_uid INTEGER NOT NULL,
	PRIMARY KEY (folder, uid)
) STRICT, WITHOUT ROWID;
