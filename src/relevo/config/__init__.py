"""`relevo.toml`: its schema, its exact errors, its defaults. Knows files and the environment, nothing else."""
