"""The door for aligned reads (BAM, CRAM): templates over the two sites, and how likely each diplotype makes them."""
