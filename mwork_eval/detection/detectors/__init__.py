"""Detectors: finished tables in, the neurons of each language out; a file each."""
