# kwsd for amd64 and arm64. By default it serves wake words to Home Assistant (docs/home-assistant.md):
#
#   docker build -t kwsd .
#   docker run --init -p 10400:10400 -v ~/words:/models:ro kwsd
#
# Any other command of kwsd follows the image's name; for `kwsd listen` it needs a sound server's socket.
FROM debian:trixie-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
RUN python3 -m venv /opt/kwsd
COPY . /src
RUN /opt/kwsd/bin/pip install --no-cache-dir --constraint /src/constraints.txt '/src[zeroconf]'

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 libpulse0 libasound2t64 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home kwsd \
    && mkdir /models
COPY --from=build /opt/kwsd /opt/kwsd
ENV PATH=/opt/kwsd/bin:$PATH
USER kwsd
EXPOSE 10400
ENTRYPOINT ["kwsd"]
CMD ["wyoming", "--uri", "tcp://0.0.0.0:10400", "--models", "/models"]
