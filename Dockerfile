# docker build -t pgx-annotator .
# docker run --rm -v "$PWD:/data:ro" pgx-annotator annotate /data/sample.vcf.gz
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml hatch_build.py constraints.txt README.md LICENSE ./
COPY sample_vcfs/LICENSE.peddy sample_vcfs/
COPY pgx pgx
COPY reference reference
RUN python -m venv /opt/pgx \
    && /opt/pgx/bin/pip install --no-cache-dir --constraint constraints.txt '.[pdf]'

FROM python:3.11-slim
# htslib reads URLs through the system's libcurl, and needs certificates for it.
# The newest of both is wanted, so no versions are pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libcurl4 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 pgx
COPY --from=build /opt/pgx /opt/pgx
ENV PATH=/opt/pgx/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /data
ENTRYPOINT ["pgx"]
CMD ["--help"]
