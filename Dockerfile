# Two images from one file, for amd64 and arm64 (docs/containers.md):
#
#   docker build -t kwsd .                          serves wake words to Home Assistant
#   docker build -t kwsd-listen --target listen .   listens to this machine's microphone
FROM debian:trixie-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
RUN python3 -m venv /opt/kwsd
COPY . /src
RUN /opt/kwsd/bin/pip install --no-cache-dir --constraint /src/constraints.txt '/src[zeroconf]'

FROM debian:trixie-slim AS kwsd
# HOME and XDG_RUNTIME_DIR, for the control socket, can be written by whichever user the container runs as
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 libpulse0 libasound2t64 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --home-dir /tmp kwsd \
    && install -d -m 1777 /run/kwsd /models
COPY --from=build /opt/kwsd /opt/kwsd
ENV PATH=/opt/kwsd/bin:$PATH HOME=/tmp XDG_RUNTIME_DIR=/run/kwsd
USER kwsd
ENTRYPOINT ["kwsd"]

FROM kwsd AS listen
# where the host's sound server is mounted; without it kwsd listens to /dev/snd
ENV PULSE_SERVER=unix:/run/pulse/native
HEALTHCHECK --interval=1m --timeout=10s --start-period=10s CMD ["kwsd", "ctl", "status"]
CMD ["listen"]

FROM kwsd AS wyoming
EXPOSE 10400
HEALTHCHECK --interval=1m --timeout=10s --start-period=10s CMD ["python3", "-c", "import socket; \
    client = socket.create_connection(('127.0.0.1', 10400), 5); \
    client.sendall(b'{\"type\": \"describe\"}\\n'); assert client.recv(1)"]
CMD ["wyoming", "--uri", "tcp://0.0.0.0:10400", "--models", "/models"]
