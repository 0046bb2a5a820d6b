"""Word count by an RDD of PySpark, with two processes.

spark_words.py TEXT OUTPUT
"""

import sys
from operator import add

from pyspark import SparkConf, SparkContext


def main(path, output):
    """Count and write the words in order."""
    settings = SparkConf().setMaster("local[2]").setAppName("words").set("spark.ui.enabled", "false")
    context = SparkContext(conf=settings)
    context.setLogLevel("ERROR")
    words = context.textFile(path).flatMap(str.split)
    counted = words.map(lambda word: (word, 1)).reduceByKey(add).sortByKey().collect()
    context.stop()
    with open(output, "w", encoding="utf-8") as out:
        out.writelines(f"{word}\t{times}\n" for word, times in counted)


if __name__ == "__main__":
    main(*sys.argv[1:])
