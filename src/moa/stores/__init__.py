"""Stores keep the events of runs: in memory, in a JSON Lines file, in an SQLite file.

All three keep every event but deltas and offer the same: `add` (returns at once, never loses a fact), `events`, `runs`,
`find`, `delete`, `delete_all`, `prune`, `flush`, `close` and `full`; the SQLite file also `rate` and `ratings`.
This folder owns what is written to disk: its format, who may read it, how long it stays, and that it is gone when deleted.
"""
