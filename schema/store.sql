-- Heap snapshots in SQLite, as snapload(1) keeps them. Version 1.
--
-- Texts, lines, frames and the tree of tracebacks are shared by all snapshots and only ever grow. What one
-- snapshot says stands in site, line_total, file_total and function_total. Questions are best put to the
-- views at the end.

PRAGMA application_id = 0x534e4150; -- "SNAP"
PRAGMA user_version = 1;            -- of this schema

-- One run of a program: snapshots of one process are a series. A filtered or edited copy of a series, loaded
-- beside it, is a series of its own, with another row here.
CREATE TABLE process (
	id      INTEGER PRIMARY KEY,
	host    TEXT,    -- metadata host, pid and start_time; NULL where they are not known: foreign files
	pid     INTEGER, -- that say nothing of all three belong to one series
	started TEXT
) STRICT;

-- One snapshot, or one diff of two.
CREATE TABLE snapshot (
	id            INTEGER PRIMARY KEY,
	digest        TEXT NOT NULL UNIQUE, -- of the content as it was loaded, without a time that is only the file's
	kind          TEXT NOT NULL CHECK (kind IN ('snapshot', 'diff')),
	process       INTEGER NOT NULL REFERENCES process(id),
	time          TEXT,             -- when it was taken (RFC 3339)
	time_s        REAL,             -- the same in seconds since 1970, to the millisecond
	seq           INTEGER,          -- its number in its series
	uptime_s      REAL,             -- seconds that the process had run
	rss_bytes     INTEGER,          -- memory that the system had given to the process
	traced_bytes  INTEGER,          -- memory that the tracer knew of
	blocks        INTEGER NOT NULL, -- of all sites together; of a diff, those of the newer side
	bytes         INTEGER NOT NULL,
	old_blocks    INTEGER,          -- the older side of a diff, else NULL
	old_bytes     INTEGER,
	sites         INTEGER NOT NULL, -- rows of table site
	has_functions INTEGER NOT NULL, -- 1 if any frame names its function, else 0
	source        TEXT,             -- the file it was first loaded from, as it was named; NULL for a pipe
	member        INTEGER           -- its number in that file, from 1
) STRICT;

-- The metadata of a snapshot, labels (label.NAME) included; see snap(7) for the keys.
CREATE TABLE meta (
	snapshot INTEGER NOT NULL REFERENCES snapshot(id) ON DELETE CASCADE,
	position INTEGER NOT NULL, -- in the order of the file, from 1
	key      TEXT NOT NULL,
	value    ANY NOT NULL,     -- text; a blob where it is not UTF-8
	PRIMARY KEY (snapshot, key)
) STRICT, WITHOUT ROWID;

-- A source file.
CREATE TABLE file (
	id      INTEGER PRIMARY KEY,
	path    TEXT NOT NULL, -- with U+FFFD for what is not UTF-8
	package TEXT NOT NULL, -- what is installed in site-packages, dist-packages or the metadata's root.site by its
	                       -- name there, '(stdlib)' for the standard library (also by root.stdlib), else the
	                       -- folder of the file; of several snapshots the last that names such roots decides
	raw     BLOB           -- the bytes of the name where it is not UTF-8, else NULL
) STRICT;
CREATE INDEX file_path ON file(path);

-- A line of a file.
CREATE TABLE line (
	id     INTEGER PRIMARY KEY,
	file   INTEGER NOT NULL REFERENCES file(id),
	number INTEGER NOT NULL -- 0 = not known
) STRICT;
CREATE UNIQUE INDEX line_place ON line(file, number);

-- A function of a file.
CREATE TABLE function (
	id   INTEGER PRIMARY KEY,
	file INTEGER NOT NULL REFERENCES file(id),
	name TEXT,    -- with U+FFFD for what is not UTF-8; NULL where the recorder did not know it:
	line INTEGER, -- then the line stands for it, else NULL
	raw  BLOB     -- the bytes of the name where it is not UTF-8, else NULL
) STRICT;
CREATE INDEX function_name ON function(name);

-- Where a call stands: a line, and the function it is in.
CREATE TABLE frame (
	id       INTEGER PRIMARY KEY,
	line     INTEGER NOT NULL REFERENCES line(id),
	function INTEGER REFERENCES function(id) -- NULL where it is not known
) STRICT;
CREATE INDEX frame_line ON frame(line);

-- The tree of all tracebacks, from the oldest known call. A node stands for the calls from its root down to
-- itself, and so for the traceback that ends with it. Everything below a node, itself included:
-- WHERE pre BETWEEN the node's pre AND its post. These numbers may change when snapshots are loaded.
CREATE TABLE node (
	id             INTEGER PRIMARY KEY,
	parent         INTEGER REFERENCES node(id), -- the caller; NULL for a root
	frame          INTEGER NOT NULL REFERENCES frame(id),
	depth          INTEGER NOT NULL,            -- 1 for a root
	pre            INTEGER NOT NULL,            -- where it begins
	post           INTEGER NOT NULL,            -- where it ends
	outer_line     INTEGER NOT NULL,            -- 1 if no node above it has the same line, else 0: what is below
	outer_file     INTEGER NOT NULL,            -- nodes with 1 has each block once, however often a line recurs;
	outer_function INTEGER NOT NULL             -- likewise for the file, and the function of the frame
) STRICT;
CREATE INDEX node_parent ON node(parent);
CREATE INDEX node_frame ON node(frame);
CREATE INDEX node_pre ON node(pre);

-- Live blocks of one size at one traceback.
CREATE TABLE site (
	snapshot     INTEGER NOT NULL REFERENCES snapshot(id) ON DELETE CASCADE,
	node         INTEGER NOT NULL REFERENCES node(id), -- the newest call
	total_frames INTEGER NOT NULL,                     -- that the stack really had; 0 = not known
	domain       INTEGER NOT NULL,                     -- which allocator: 0 = Python's own, 389047 = numpy's data
	size         INTEGER NOT NULL,                     -- bytes of one block
	blocks       INTEGER NOT NULL,                     -- how many there are; of a diff, on the newer side
	bytes        INTEGER NOT NULL,
	old_blocks   INTEGER,                              -- on the older side of a diff, else NULL
	old_bytes    INTEGER,
	PRIMARY KEY (snapshot, node, total_frames, domain, size)
) STRICT, WITHOUT ROWID;

-- What each line of a snapshot holds.
CREATE TABLE line_total (
	snapshot       INTEGER NOT NULL REFERENCES snapshot(id) ON DELETE CASCADE,
	line           INTEGER NOT NULL REFERENCES line(id),
	blocks         INTEGER NOT NULL, -- allocated at the line itself
	bytes          INTEGER NOT NULL,
	cum_blocks     INTEGER NOT NULL, -- allocated at the line or in what it called, each block once
	cum_bytes      INTEGER NOT NULL,
	old_blocks     INTEGER,          -- the same on the older side of a diff, else NULL
	old_bytes      INTEGER,
	old_cum_blocks INTEGER,
	old_cum_bytes  INTEGER,
	step_bytes     INTEGER,          -- bytes more (or, below 0, less) than in the snapshot of the process before it;
	                                 -- NULL in the first one and in diffs
	PRIMARY KEY (snapshot, line)
) STRICT, WITHOUT ROWID;

-- What each file of a snapshot holds; columns as in line_total.
CREATE TABLE file_total (
	snapshot       INTEGER NOT NULL REFERENCES snapshot(id) ON DELETE CASCADE,
	file           INTEGER NOT NULL REFERENCES file(id),
	blocks         INTEGER NOT NULL, -- allocated in the file itself
	bytes          INTEGER NOT NULL,
	cum_blocks     INTEGER NOT NULL, -- allocated in the file or in what it called, each block once
	cum_bytes      INTEGER NOT NULL,
	old_blocks     INTEGER,          -- the same on the older side of a diff, else NULL
	old_bytes      INTEGER,
	old_cum_blocks INTEGER,
	old_cum_bytes  INTEGER,
	PRIMARY KEY (snapshot, file)
) STRICT, WITHOUT ROWID;

-- What each function of a snapshot holds; columns as in line_total. No rows for a snapshot that knows no
-- functions: there, lines stand for them.
CREATE TABLE function_total (
	snapshot       INTEGER NOT NULL REFERENCES snapshot(id) ON DELETE CASCADE,
	function       INTEGER NOT NULL REFERENCES function(id),
	blocks         INTEGER NOT NULL, -- allocated in the function itself
	bytes          INTEGER NOT NULL,
	cum_blocks     INTEGER NOT NULL, -- allocated in the function or in what it called, each block once
	cum_bytes      INTEGER NOT NULL,
	old_blocks     INTEGER,          -- the same on the older side of a diff, else NULL
	old_bytes      INTEGER,
	old_cum_blocks INTEGER,
	old_cum_bytes  INTEGER,
	PRIMARY KEY (snapshot, function)
) STRICT, WITHOUT ROWID;

-- Deleting a snapshot deletes what it says, whether foreign keys are on or not. (The step_bytes of the snapshot
-- behind it stay as they are until that is loaded again, with --replace.)
CREATE TRIGGER snapshot_deleted BEFORE DELETE ON snapshot BEGIN
	DELETE FROM meta WHERE snapshot = old.id;
	DELETE FROM site WHERE snapshot = old.id;
	DELETE FROM line_total WHERE snapshot = old.id;
	DELETE FROM file_total WHERE snapshot = old.id;
	DELETE FROM function_total WHERE snapshot = old.id;
END;

-- Views. Each names the snapshot it speaks of in a column, to be chosen by WHERE.

-- Labels of snapshots (snapload --label, snapcat --set label.NAME=...).
CREATE VIEW label AS
SELECT snapshot, substr(key, 7) AS name, value FROM meta WHERE key GLOB 'label.?*';

-- Snapshots of a process in time order, with hours since its first.
CREATE VIEW series AS
SELECT id AS snapshot, process, time, (time_s - min(time_s) OVER process) / 3600.0 AS hours,
	row_number() OVER (process ORDER BY time_s, seq, id) AS position,
	lag(id) OVER (process ORDER BY time_s, seq, id) AS previous,
	count(*) OVER process AS snapshots
FROM snapshot WHERE kind = 'snapshot'
WINDOW process AS (PARTITION BY process);

-- RSS against traced bytes over time; what the tracer does not know of is in neither table of blocks.
CREATE VIEW memory AS
SELECT s.process, e.position, s.id AS snapshot, s.time, e.hours, s.rss_bytes,
	coalesce(s.traced_bytes, s.bytes) AS traced_bytes,
	s.rss_bytes - coalesce(s.traced_bytes, s.bytes) AS untraced_bytes, s.blocks, s.bytes
FROM series e JOIN snapshot s ON s.id = e.snapshot;

-- Blocks and bytes by line: allocated there, and (cum) also in what it called.
CREATE VIEW top_line AS
SELECT t.snapshot, f.path, l.number AS line, t.blocks, t.bytes, t.cum_blocks, t.cum_bytes,
	t.old_blocks, t.old_bytes, t.old_cum_blocks, t.old_cum_bytes
FROM line_total t CROSS JOIN line l ON l.id = t.line CROSS JOIN file f ON f.id = l.file;

-- Blocks and bytes by file.
CREATE VIEW top_file AS
SELECT t.snapshot, f.path, f.package, t.blocks, t.bytes, t.cum_blocks, t.cum_bytes,
	t.old_blocks, t.old_bytes, t.old_cum_blocks, t.old_cum_bytes
FROM file_total t CROSS JOIN file f ON f.id = t.file;

-- Blocks and bytes by function; where names of functions are not known, by line.
CREATE VIEW top_function AS
SELECT t.snapshot, f.path, n.name AS function, n.line, t.blocks, t.bytes, t.cum_blocks, t.cum_bytes,
	t.old_blocks, t.old_bytes, t.old_cum_blocks, t.old_cum_bytes
FROM function_total t CROSS JOIN function n ON n.id = t.function CROSS JOIN file f ON f.id = n.file
UNION ALL
SELECT t.snapshot, f.path, NULL, l.number, t.blocks, t.bytes, t.cum_blocks, t.cum_bytes,
	t.old_blocks, t.old_bytes, t.old_cum_blocks, t.old_cum_bytes
FROM snapshot s CROSS JOIN line_total t ON t.snapshot = s.id
CROSS JOIN line l ON l.id = t.line CROSS JOIN file f ON f.id = l.file
WHERE s.has_functions = 0;

-- Blocks and bytes by package: the biggest dependencies.
CREATE VIEW top_package AS
SELECT t.snapshot, f.package, count(*) AS files, sum(t.blocks) AS blocks, sum(t.bytes) AS bytes,
	sum(t.old_blocks) AS old_blocks, sum(t.old_bytes) AS old_bytes
FROM file_total t CROSS JOIN file f ON f.id = t.file
GROUP BY t.snapshot, f.package;

-- Every node as readable text, oldest call first: "a.py:1 -> b.py:2" with an arrow.
CREATE VIEW traceback AS
SELECT n.id AS node, n.depth AS frames, (
	WITH RECURSIVE up(parent, text) AS (
		SELECT o.parent, f.path || ':' || l.number
		FROM node o JOIN frame r ON r.id = o.frame JOIN line l ON l.id = r.line JOIN file f ON f.id = l.file
		WHERE o.id = n.id
		UNION ALL
		SELECT o.parent, f.path || ':' || l.number || ' → ' || up.text
		FROM up CROSS JOIN node o ON o.id = up.parent CROSS JOIN frame r ON r.id = o.frame
		CROSS JOIN line l ON l.id = r.line CROSS JOIN file f ON f.id = l.file)
	SELECT text FROM up WHERE parent IS NULL) AS traceback
FROM node n;

-- Blocks and bytes by traceback; rank 1 has most bytes (of a diff: changed most). Ask for the first ones by
-- rank: only those have their text made.
CREATE VIEW top_traceback AS
SELECT g.snapshot, g.rank, g.blocks, g.bytes, g.old_blocks, g.old_bytes, b.frames, b.traceback, g.node
FROM (
	SELECT snapshot, node, sum(blocks) AS blocks, sum(bytes) AS bytes, sum(old_blocks) AS old_blocks,
		sum(old_bytes) AS old_bytes,
		row_number() OVER (PARTITION BY snapshot
			ORDER BY abs(sum(bytes) - ifnull(sum(old_bytes), 0)) DESC, sum(bytes) DESC, node) AS rank
	FROM site GROUP BY snapshot, node) g
CROSS JOIN traceback b ON b.node = g.node;

-- What changed by line from any snapshot to any other.
CREATE VIEW diff_line AS
SELECT o.id AS old, t.snapshot AS new, f.path, l.number AS line,
	t.blocks - ifnull(p.blocks, 0) AS blocks_diff, t.bytes - ifnull(p.bytes, 0) AS bytes_diff,
	t.cum_blocks - ifnull(p.cum_blocks, 0) AS cum_blocks_diff, t.cum_bytes - ifnull(p.cum_bytes, 0) AS cum_bytes_diff,
	t.blocks, t.bytes, ifnull(p.blocks, 0) AS old_blocks, ifnull(p.bytes, 0) AS old_bytes
FROM snapshot o CROSS JOIN line_total t LEFT JOIN line_total p ON p.snapshot = o.id AND p.line = t.line
	JOIN line l ON l.id = t.line JOIN file f ON f.id = l.file
UNION ALL
SELECT p.snapshot, n.id, f.path, l.number, -p.blocks, -p.bytes, -p.cum_blocks, -p.cum_bytes, 0, 0, p.blocks, p.bytes
FROM snapshot n CROSS JOIN line_total p JOIN line l ON l.id = p.line JOIN file f ON f.id = l.file
WHERE NOT EXISTS (SELECT 1 FROM line_total t WHERE t.snapshot = n.id AND t.line = p.line);

-- Each process that has snapshots: its first and last, and sums for straight lines over time.
CREATE VIEW span AS
SELECT process, count(*) AS snapshots, count(hours) AS timed, sum(hours) AS h, sum(hours * hours) AS hh,
	max(CASE position WHEN 1 THEN snapshot END) AS first, max(CASE position WHEN snapshots THEN snapshot END) AS last
FROM series GROUP BY process;

-- How each line grew over the snapshots of a process: bytes at the first and the last, the slope of a straight
-- line through all (least squares, 0 where the line is not there), and how many of the steps went up.
CREATE VIEW growth_line AS
SELECT p.process, f.path, l.number AS line, ifnull(a.bytes, 0) AS first_bytes, ifnull(z.bytes, 0) AS last_bytes,
	ifnull(z.bytes, 0) - ifnull(a.bytes, 0) AS growth_bytes,
	CASE p.timed WHEN p.snapshots THEN
		round((p.timed * g.hv - p.h * g.v) / nullif(p.timed * p.hh - p.h * p.h, 0)) END AS bytes_per_hour,
	g.steps_up, p.snapshots - 1 AS steps
FROM (
	SELECT e.process, t.line, total(t.bytes) AS v, sum(e.hours * t.bytes) AS hv, sum(t.step_bytes > 0) AS steps_up
	FROM series e CROSS JOIN line_total t ON t.snapshot = e.snapshot
	WHERE t.bytes <> 0
	GROUP BY t.line, e.process) g
CROSS JOIN span p ON p.process = g.process
CROSS JOIN line l ON l.id = g.line CROSS JOIN file f ON f.id = l.file
LEFT JOIN line_total a ON a.snapshot = p.first AND a.line = g.line
LEFT JOIN line_total z ON z.snapshot = p.last AND z.line = g.line;

-- The same for each traceback, with its text. All but first and last is found out row by row: asked for the few that
-- grew most, it is soon there.
CREATE VIEW growth_traceback AS
WITH e AS MATERIALIZED (SELECT * FROM series)
SELECT p.process,
	(SELECT ifnull(sum(bytes), 0) FROM site WHERE snapshot = p.first AND node = g.node) AS first_bytes,
	(SELECT ifnull(sum(bytes), 0) FROM site WHERE snapshot = p.last AND node = g.node) AS last_bytes,
	(SELECT ifnull(sum(bytes), 0) FROM site WHERE snapshot = p.last AND node = g.node) -
		(SELECT ifnull(sum(bytes), 0) FROM site WHERE snapshot = p.first AND node = g.node) AS growth_bytes,
	CASE p.timed WHEN p.snapshots THEN (
		SELECT round((p.timed * sum(e.hours * t.bytes) - p.h * total(t.bytes)) / nullif(p.timed * p.hh - p.h * p.h, 0))
		FROM e CROSS JOIN site t ON t.snapshot = e.snapshot AND t.node = g.node
		WHERE e.process = p.process) END AS bytes_per_hour,
	(SELECT count(*) FROM e
		WHERE e.process = p.process AND e.previous IS NOT NULL
		AND (SELECT ifnull(sum(bytes), 0) FROM site WHERE snapshot = e.snapshot AND node = g.node) >
			(SELECT ifnull(sum(bytes), 0) FROM site WHERE snapshot = e.previous AND node = g.node)) AS steps_up,
	p.snapshots - 1 AS steps, b.frames, b.traceback, g.node
FROM span p CROSS JOIN (
	SELECT DISTINCT s.process, t.node
	FROM snapshot s CROSS JOIN site t ON t.snapshot = s.id
	WHERE s.kind = 'snapshot') g ON g.process = p.process
CROSS JOIN traceback b ON b.node = g.node;

-- Lines that grew in most of the steps of a series, largest first.
CREATE VIEW steady_growth AS
SELECT * FROM growth_line WHERE growth_bytes > 0 AND 2 * steps_up > steps
ORDER BY growth_bytes DESC, path, line;

-- What a line has called: where its cum_bytes are. A block counts once, for what the outermost call of the line
-- has called; callee_path is NULL for what that call has allocated itself.
CREATE VIEW callees AS
SELECT s.id AS snapshot, f.path, l.number AS line, cf.path AS callee_path, cl.number AS callee_line,
	sum(t.blocks) AS blocks, sum(t.bytes) AS bytes, sum(t.old_blocks) AS old_blocks, sum(t.old_bytes) AS old_bytes
FROM snapshot s CROSS JOIN file f CROSS JOIN line l ON l.file = f.id CROSS JOIN frame r ON r.line = l.id
CROSS JOIN node n ON n.frame = r.id AND n.outer_line = 1
CROSS JOIN node c ON c.id = n.id OR c.parent = n.id
CROSS JOIN node d ON d.pre BETWEEN c.pre AND CASE c.id WHEN n.id THEN c.pre ELSE c.post END
CROSS JOIN site t ON t.snapshot = s.id AND t.node = d.id
LEFT JOIN frame cr ON cr.id = c.frame AND c.id <> n.id LEFT JOIN line cl ON cl.id = cr.line
LEFT JOIN file cf ON cf.id = cl.file
GROUP BY s.id, f.path, l.number, cf.path, cl.number;

-- What has called a line, likewise: a block counts once, for the caller of the outermost call of the line;
-- caller_path is NULL where that is the oldest known call.
CREATE VIEW callers AS
SELECT s.id AS snapshot, f.path, l.number AS line, cf.path AS caller_path, cl.number AS caller_line,
	sum(t.blocks) AS blocks, sum(t.bytes) AS bytes, sum(t.old_blocks) AS old_blocks, sum(t.old_bytes) AS old_bytes
FROM snapshot s CROSS JOIN file f CROSS JOIN line l ON l.file = f.id CROSS JOIN frame r ON r.line = l.id
CROSS JOIN node n ON n.frame = r.id AND n.outer_line = 1
CROSS JOIN node d ON d.pre BETWEEN n.pre AND n.post
CROSS JOIN site t ON t.snapshot = s.id AND t.node = d.id
LEFT JOIN node c ON c.id = n.parent LEFT JOIN frame cr ON cr.id = c.frame LEFT JOIN line cl ON cl.id = cr.line
LEFT JOIN file cf ON cf.id = cl.file
GROUP BY s.id, f.path, l.number, cf.path, cl.number;
