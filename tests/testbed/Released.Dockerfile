# The operator of a version that is kept: as operator/Dockerfile builds it, from its wheel in place of the sources.
ARG BASE

FROM ${BASE} AS build
COPY bootstrap.txt operator.txt afray-*.whl /src/
RUN python3 -m venv /opt/afray \
 && /opt/afray/bin/pip install --no-cache-dir --disable-pip-version-check --no-index --find-links /wheels \
      --require-hashes --requirement /src/bootstrap.txt --requirement /src/operator.txt \
 && /opt/afray/bin/pip install --no-cache-dir --no-deps --no-index /src/afray-*.whl

FROM ${BASE}
COPY --from=build /opt/afray /opt/afray
ENV PATH=/opt/afray/bin:${PATH} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["afray-operator"]
