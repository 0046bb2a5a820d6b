"""The most expensive sales of each city."""

import mapreduce as mr


class TopSales(mr.Job):
    """Yields (city, [price, item]); Top keeps the three largest, which the map side does already."""

    def map(self, sale):
        yield sale["city"], [sale["price"], sale["item"]]

    reduce = mr.Top(3)
