"""`make bench`: what is measured, as medians, on this machine. Tests assert, the bench only measures."""
