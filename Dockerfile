# The images of Lineshape; --target chooses one:
#
#   edge         run bundles by command          docker run -v "$PWD:/work" IMAGE transfer BUNDLE FILE -o out.csv
#   serving      serve every bundle in /bundles  docker run -v "$PWD:/bundles:ro" -p 3000:3000 IMAGE
#   serving-gpu  the same on an NVIDIA GPU       docker run --gpus all -v "$PWD:/bundles:ro" -p 3000:3000 IMAGE
#   training     every room: fit, export, run    docker run -v "$PWD:/work" IMAGE fit RECIPE --data FILE --out RUN
#
# They run as an ordinary user (any number will do) and write nothing but /tmp, and /work where a person mounts it:
# --read-only --tmpfs /tmp --cap-drop ALL is how to run them. Nothing is compiled: every package comes as a wheel.
# Another package index, a certificate or a choice of torch (the default index gives the CUDA one) comes in a pip.conf:
# --secret id=pip,src=pip.conf. Podman and buildah keep the health check only with --format docker.

ARG BASE_IMAGE=python:3.11-slim

# ---- built here, left behind ------------------------------------------------------------------------------------------
FROM ${BASE_IMAGE} AS wheel
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m pip wheel --no-deps --wheel-dir /dist .

FROM ${BASE_IMAGE} AS packages
ENV PIP_CONSTRAINT=/constraints.txt \
    PIP_ONLY_BINARY=:all: \
    PIP_PYTHON=/opt/lineshape/bin/python3
RUN python3 -m venv --without-pip /opt/lineshape
COPY constraints.txt /
COPY --from=wheel /dist /dist

FROM packages AS edge-packages
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m pip install "$(ls /dist/*.whl)[edge,plot,baseline]"

FROM packages AS serving-packages
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m pip install "$(ls /dist/*.whl)[serving]"

FROM packages AS serving-gpu-packages
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m pip install "$(ls /dist/*.whl)[serving-gpu]"

FROM packages AS training-packages
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m pip install "$(ls /dist/*.whl)[all]"

# ---- what every image is ----------------------------------------------------------------------------------------------
FROM ${BASE_IMAGE} AS runtime
ENV PATH=/opt/lineshape/bin:$PATH \
    HOME=/tmp \
    BENTOML_HOME=/tmp/bentoml \
    MPLCONFIGDIR=/tmp/matplotlib \
    BENTOML_DO_NOT_TRACK=true \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /work
USER 10001:10001
ENTRYPOINT ["lineshape"]

# ---- the images -------------------------------------------------------------------------------------------------------
FROM runtime AS edge
COPY --from=edge-packages /opt/lineshape /opt/lineshape
CMD ["doctor"]

FROM runtime AS training
COPY --from=training-packages /opt/lineshape /opt/lineshape
CMD ["--help"]

FROM runtime AS serving-any
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python3", "-ISc", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 3000, timeout=2); c.request('GET', '/v2/health/ready'); exit(c.getresponse().status != 200)"]
CMD ["serve", "/bundles", "--host", "0.0.0.0", "--port", "3000"]

FROM serving-any AS serving
COPY --from=serving-packages /opt/lineshape /opt/lineshape
