"""Word count by mrjob, its local runner with two processes.

mrjob_words.py TEXT OUTPUT
"""

import sys

from mrjob.job import MRJob


class Words(MRJob):
    """Adds up ones, also on the side of the map."""

    def mapper(self, _, line):
        """Yield each word with 1."""
        for word in line.split():
            yield word, 1

    def combiner(self, word, times):
        """Yield the word with a sum."""
        yield word, sum(times)

    def reducer(self, word, times):
        """Yield the word with the sum."""
        yield word, sum(times)


def main(path, output):
    """Count, and write the words in order."""
    job = Words(["-r", "local", "--num-cores", "2", path])
    with job.make_runner() as runner:
        runner.run()
        counted = sorted(job.parse_output(runner.cat_output()))
    with open(output, "w", encoding="utf-8") as out:
        out.writelines(f"{word}\t{times}\n" for word, times in counted)


if __name__ == "__main__":
    # The runner calls this file again for each step, with options; a comparison calls it with two paths.
    if any(argument.startswith("--") for argument in sys.argv[1:]):
        Words.run()
    else:
        main(*sys.argv[1:])
