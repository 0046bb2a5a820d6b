"""Convert an access log to JSON lines."""

import access_log

import mapreduce as mr


class Convert(mr.Job):
    """Yields (address, entry) for each line that is an entry, and counts the others."""

    def map(self, line):
        entry = access_log.parse(line)
        if entry is None:
            self.counters["no entry"] += 1
        else:
            yield entry.pop("address"), entry
