"""Word count by DuckDB, with two threads.

duckdb_words.py TEXT OUTPUT
"""

import sys

import duckdb

# A line is one column: its separator is a character that no text has.
QUERY = """
COPY (
    SELECT word, count(*) AS times
    FROM (
        SELECT unnest(string_split(line, ' ')) AS word
        FROM read_csv('{path}', columns = {{'line': 'VARCHAR'}}, delim = '\\x01', quote = '', escape = '',
                      header = false, auto_detect = false)
    )
    GROUP BY word ORDER BY word
) TO '{output}' (FORMAT csv, DELIMITER '\\t', HEADER false, QUOTE '', ESCAPE '')
"""


def main(path, output):
    """Count and write the words in order."""
    connection = duckdb.connect(config={"threads": 2})
    connection.execute(QUERY.format(path=path, output=output))


if __name__ == "__main__":
    main(*sys.argv[1:])
