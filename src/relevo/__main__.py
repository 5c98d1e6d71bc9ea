"""`python -m relevo` is the same as the command `relevo`."""

from relevo.cli import main

main()
