"""Tables of the records, and the steps that lead to them from every earlier version."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, Table, Text

metadata = MetaData()

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

session = Table(
    "session",
    metadata,
    Column("session", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("started", Integer, nullable=False),
    Column("finished", Integer),
    Column("peer", Text, nullable=False),
    Column("told", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("duplicates", Integer, nullable=False),
    Column("new_versions", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
)

reference = Table(
    "reference",
    metadata,
    Column("path", Text, primary_key=True),
    Column("offset", Integer, primary_key=True),
    Column("length", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("file_digest", Text, nullable=False),
    Column("dataset_digest", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("received", Integer, nullable=False),
)

trash = Table(
    "trash",
    metadata,
    Column("level", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("at", Integer, nullable=False),
    Column("by", Text, nullable=False),
)

# What was in the trash and was then removed for good: copies of it that turn up, such as in a pack that came out of a
# backup, are in the trash from the start.
purged = Table(
    "purged",
    metadata,
    Column("level", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("at", Integer, nullable=False),
    Column("by", Text, nullable=False),
)

# Packs that are taking the place of others just now; while both are there, the old one counts.
rewrite = Table(
    "rewrite",
    metadata,
    Column("new", Text, primary_key=True),
    Column("old", Text, nullable=False),
    Column("series_key", Text, nullable=False),
)

# Tags, notes, ratings, and members of collections: what people say of a patient, a study or a series.
mark = Table(
    "mark",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("level", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Column("by", Text, nullable=False),
)

# Searches under a name, and collections whose members are what a search finds.
saved = Table(
    "saved",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("criteria", Text, nullable=False),
    Column("order", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Column("by", Text, nullable=False),
)

# What people set right; `keys` and `values` as JSON. One that was undone stays, to tell of it.
correction = Table(
    "correction",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("keys", Text, nullable=False),
    Column("to", Text, nullable=False),
    Column("values", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Column("by", Text, nullable=False),
    Column("undone", Integer),
    Column("undone_by", Text, nullable=False),
)

# Objects for which a peer was promised an answer whether they are kept safely (PS3.4 Annex J); `objects` as JSON.
commitment = Table(
    "commitment",
    metadata,
    Column("transaction", Text, primary_key=True),
    Column("peer", Text, primary_key=True),
    Column("objects", Text, nullable=False),
    Column("at", Integer, nullable=False),
)

# Step n leads from version n to n + 1. Steps are history: they are added to, never changed.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
        "CREATE TABLE session (session TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, collection TEXT NOT NULL,"
        " started INTEGER NOT NULL, finished INTEGER)",
        "CREATE TABLE reference (path TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,"
        " size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, file_digest TEXT NOT NULL, dataset_digest TEXT NOT NULL,"
        " collection TEXT NOT NULL, received INTEGER NOT NULL, PRIMARY KEY (path, offset))",
        'CREATE TABLE trash (level TEXT NOT NULL, "key" TEXT NOT NULL, at INTEGER NOT NULL, "by" TEXT NOT NULL,'
        ' PRIMARY KEY (level, "key"))',
    ),
    (
        'CREATE TABLE purged (level TEXT NOT NULL, "key" TEXT NOT NULL, at INTEGER NOT NULL, "by" TEXT NOT NULL,'
        ' PRIMARY KEY (level, "key"))',
        "CREATE TABLE rewrite (new TEXT NOT NULL PRIMARY KEY, old TEXT NOT NULL, series_key TEXT NOT NULL)",
    ),
    (
        'CREATE TABLE mark (kind TEXT NOT NULL, level TEXT NOT NULL, "key" TEXT NOT NULL, name TEXT NOT NULL,'
        ' value TEXT NOT NULL, uid TEXT NOT NULL, at INTEGER NOT NULL, "by" TEXT NOT NULL,'
        ' PRIMARY KEY (kind, level, "key", name))',
        'CREATE TABLE saved (kind TEXT NOT NULL, name TEXT NOT NULL, criteria TEXT NOT NULL, "order" TEXT NOT NULL,'
        ' at INTEGER NOT NULL, "by" TEXT NOT NULL, PRIMARY KEY (kind, name))',
    ),
    (
        "CREATE TABLE correction (number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
        ' level TEXT NOT NULL, "keys" TEXT NOT NULL, "to" TEXT NOT NULL, "values" TEXT NOT NULL,'
        " reason TEXT NOT NULL, at INTEGER NOT NULL,"
        ' "by" TEXT NOT NULL, undone INTEGER, undone_by TEXT NOT NULL)',
    ),
    (
        'CREATE TABLE commitment ("transaction" TEXT NOT NULL, peer TEXT NOT NULL, objects TEXT NOT NULL,'
        ' at INTEGER NOT NULL, PRIMARY KEY ("transaction", peer))',
    ),
    (
        "ALTER TABLE session ADD COLUMN peer TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE session ADD COLUMN told INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE session ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE session ADD COLUMN duplicates INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE session ADD COLUMN new_versions INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE session ADD COLUMN refused INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE session ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0",
    ),
)
VERSION = len(MIGRATIONS)
