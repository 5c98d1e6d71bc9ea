"""Where rows are kept. SQL lives in files; one writer thread owns the connection."""
