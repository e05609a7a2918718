"""What a cohort looks like: counts, what of them may be shown, what they mean."""
