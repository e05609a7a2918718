"""pgx: the APOE diplotype of a VCF, paired with the published evidence on Cerebrolysin."""

__version__ = "0.1.0"
