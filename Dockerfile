# The images of Lineshape; --target chooses one:
#
#   edge         run bundles by command          docker run -v "$PWD:/work" IMAGE transfer BUNDLE FILE -o out.csv
#   serving      serve the bundles in /bundles   docker run -v "$PWD/bundles:/bundles:ro" -v "$PWD/keys.toml:/keys.toml:ro"
#                to who has a key (lineshape keys)    -p 3000:3000 IMAGE
#   serving-gpu  the same on an NVIDIA GPU       docker run --gpus all ... IMAGE
#   training     every room: fit, export, run    docker run -v "$PWD:/work" IMAGE fit RECIPE --data FILE --out RUN
#
# They run as an ordinary user (any number will do: -u "$(id -u)" where they write to /work) and need no more than
# --read-only --tmpfs /tmp --cap-drop ALL. Nothing is compiled: every package comes as a wheel.
# Another package index, or a choice of torch (the default index gives the CUDA one), comes in a pip.conf:
# --secret id=pip,src=pip.conf. Podman and buildah keep the health check only with --format docker.

ARG BASE_IMAGE=python:3.11-slim

# ---- built here, left behind -----------------------------------------------------------------------------------------
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
    python3 -m pip install "$(ls /dist/*.whl)[edge,plot,baseline,signing]" \
    && find /opt/lineshape -type d -name tests -prune -exec rm -r {} +

FROM packages AS serving-packages
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m pip install "$(ls /dist/*.whl)[serving]" \
    && find /opt/lineshape -type d -name tests -prune -exec rm -r {} +

# CUDA and cuDNN come as wheels too, so the GPU image stands on the same Python as the others; the host gives the driver
FROM packages AS serving-gpu-packages
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m pip install "$(ls /dist/*.whl)[serving-gpu]" "onnxruntime-gpu[cuda,cudnn]" \
    && find /opt/lineshape -type d -name tests -prune -exec rm -r {} +

FROM packages AS training-packages
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m pip install "$(ls /dist/*.whl)[all]" \
    && find /opt/lineshape -type d -name tests -prune -exec rm -r {} +

# ---- what every image is ---------------------------------------------------------------------------------------------
FROM ${BASE_IMAGE} AS runtime
# slim Pythons come without their bytecode, and nobody may write it later: that costs each start a second
RUN python3 -m compileall -q -x '/(tests?|site-packages|dist-packages)/' \
    "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
ENV PATH=/opt/lineshape/bin:$PATH \
    HOME=/tmp \
    BENTOML_HOME=/tmp/bentoml \
    MPLCONFIGDIR=/tmp/matplotlib \
    BENTOML_DO_NOT_TRACK=true \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /work
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Lineshape" \
      org.opencontainers.image.description="Generative models of spectra: train, seal into one bundle, serve" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
ENTRYPOINT ["lineshape"]

FROM runtime AS service
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["python3", "-Ic", \
    "from http.client import HTTPConnection; c = HTTPConnection('127.0.0.1', 3000, timeout=2); \
     c.request('GET', '/v2/health/ready'); exit(c.getresponse().status != 200)"]
CMD ["serve", "/bundles", "--host", "0.0.0.0", "--port", "3000", "--keys", "/keys.toml"]

# ---- the images ------------------------------------------------------------------------------------------------------
FROM runtime AS edge
COPY --from=edge-packages /opt/lineshape /opt/lineshape
CMD ["doctor"]

FROM runtime AS training
COPY --from=training-packages /opt/lineshape /opt/lineshape
CMD ["--help"]

FROM service AS serving-gpu
COPY --from=serving-gpu-packages /opt/lineshape /opt/lineshape
USER root
RUN find /opt/lineshape -path '*/nvidia/*' -name lib -type d > /etc/ld.so.conf.d/lineshape.conf && ldconfig
USER 10001:10001
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
CMD ["serve", "/bundles", "--host", "0.0.0.0", "--port", "3000", "--keys", "/keys.toml", "--device", "cuda"]

FROM service AS serving
COPY --from=serving-packages /opt/lineshape /opt/lineshape
