"""`python -m kdbench` is `kdbench`."""

from kdbench.cli import main

main()
