"""Nothing: what it costs is the start and the end of the interpreter."""
