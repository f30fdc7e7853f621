"""Provider in, Provider out. This room owns what stands between a flow's call and the wire: cache, attempts, limit, timeout."""
