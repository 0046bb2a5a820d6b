"""A package of ours, as it would be developed and tested on its own."""
