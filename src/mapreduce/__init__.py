"""MapReduce on Kubernetes, in Python: what a job is written with.

Import it as `import mapreduce as mr`; see `mapreduce.api.Job`, and `mapreduce.testing` for its tests.
"""

from mapreduce import testing
from mapreduce.api import Job
from mapreduce.errors import MapReduceError
from mapreduce.reducers import Count, Mean, Sum
from mapreduce.selection import Collect, Each, First, Max, Min, Top, Unique

__all__ = [
    "Collect",
    "Count",
    "Each",
    "First",
    "Job",
    "MapReduceError",
    "Max",
    "Mean",
    "Min",
    "Sum",
    "Top",
    "Unique",
    "__version__",
    "testing",
]

__version__ = "0.1.0"
