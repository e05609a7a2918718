"""What an input is, what it says at each site, and what a call would still need."""
