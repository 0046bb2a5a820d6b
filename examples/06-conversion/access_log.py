"""One line of an access log as a dictionary."""

import re

ENTRY = re.compile(r'(\S+) \[([^\]]+)\] "(\S+) (\S+)" (\d+) (\d+)')


def parse(line):
    """Return the fields of an entry, or None for a line that is none."""
    match = ENTRY.fullmatch(line)
    if match is None:
        return None
    address, date, method, path, status, size = match.groups()
    return {
        "address": address,
        "date": date,
        "method": method,
        "path": path,
        "status": int(status),
        "bytes": int(size),
    }
