# A static binary, alone in its image: no shell, no package manager, no root.
#
#   docker build --build-arg VERSION=v1.2.3 -t recorderbot:v1.2.3 .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     --stop-timeout 660 -p 9441:9441 -v recorderbot:/data \
#     -v "$PWD/recorderbot.yaml:/etc/recorderbot/recorderbot.yaml:ro" recorderbot:v1.2.3
#
# The stop timeout must be longer than shutdown.drainLimit, or the engine cuts
# live calls off: it kills after ten seconds unless told otherwise.

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download && go mod verify
COPY cmd ./cmd
COPY internal ./internal
ARG TARGETOS=linux
ARG TARGETARCH=amd64
ARG VERSION=devel
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -mod=readonly -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/recorderbot ./cmd/recorderbot
RUN mkdir -p /out/data /out/etc \
 && echo 'recorderbot:x:65532:65532:recorderbot:/data:/sbin/nologin' > /out/etc/passwd \
 && echo 'recorderbot:x:65532:' > /out/etc/group

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build /out/etc/passwd /out/etc/group /etc/
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/recorderbot /recorderbot
# Spool, catalogue and archive; all that is ever written, but for /tmp.
VOLUME ["/data"]
WORKDIR /data
USER 65532:65532
# 9441: Teams' callbacks, TLS. 9440: /metrics, /livez, /readyz.
EXPOSE 9441 9442 9440
# The first signal drains, the second ends at once.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/recorderbot"]
CMD ["serve", "--config", "/etc/recorderbot/recorderbot.yaml"]
