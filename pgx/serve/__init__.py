"""The same reports on a page of this computer, for people without a terminal."""
