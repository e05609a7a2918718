"""What the variants around the two sites say of the diplotype: an estimate, never part of the call."""
