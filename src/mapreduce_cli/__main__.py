"""`python -m mapreduce_cli` is the command `mapreduce`."""

from mapreduce_cli.main import main

main()
