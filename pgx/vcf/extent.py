"""Placeholder until the branch with it is merged."""


def extents(path: str) -> dict[str, tuple[int, int]]:
    """."""
    import pysam

    out: dict[str, tuple[int, int]] = {}
    with pysam.VariantFile(path) as f:
        for r in f:
            a, b = out.get(r.chrom, (r.pos, r.pos))
            out[r.chrom] = (min(a, r.pos), max(b, r.pos))
    return out
