"""Word count by PySpark, an RDD of words, in a JVM of this machine with two cores.

spark_words.py TEXT OUTPUT
"""

import sys
from operator import add

from pyspark import SparkConf, SparkContext


def main(path, output):
    """Count, sort, and write the words in order."""
    settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    context = SparkContext(conf=SparkConf().setMaster("local[2]").setAppName("words").setAll(settings.items()))
    context.setLogLevel("ERROR")
    pairs = context.textFile(path).flatMap(str.split).map(lambda word: (word, 1))
    counted = pairs.reduceByKey(add).sortByKey().collect()
    with open(output, "w", encoding="utf-8") as out:
        out.writelines(f"{word}\t{times}\n" for word, times in counted)
    context.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
