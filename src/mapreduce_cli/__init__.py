"""The command line: `mapreduce`."""
