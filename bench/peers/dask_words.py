"""Word count by a Dask bag, with two processes.

dask_words.py TEXT OUTPUT
"""

import sys

import dask.bag as db


def main(path, output):
    """Count and write the words in order."""
    words = db.read_text(path, blocksize=2**25).map(str.split).flatten()
    counted = words.frequencies().compute(scheduler="processes", num_workers=2)
    with open(output, "w", encoding="utf-8") as out:
        out.writelines(f"{word}\t{times}\n" for word, times in sorted(counted))


if __name__ == "__main__":
    main(*sys.argv[1:])
