"""A small web shop, the patient of `make demo`: ordinary code with one leak, found by reading its snapshots."""
