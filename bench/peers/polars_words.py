"""Word count by Polars, with as many threads as POLARS_MAX_THREADS says.

polars_words.py TEXT OUTPUT
"""

import sys

import polars as pl


def main(path, output):
    """Count by the streaming engine and write the words in order."""
    words = pl.scan_lines(path).select(pl.col("line").str.split(" ").alias("word")).explode("word")
    counted = words.group_by("word").agg(pl.len()).sort("word").collect(engine="streaming")
    counted.write_csv(output, include_header=False, separator="\t", quote_style="never")


if __name__ == "__main__":
    main(*sys.argv[1:])
