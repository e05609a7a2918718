"""Aligned reads (BAM, CRAM): templates over the two sites, and how likely they make each diplotype."""
