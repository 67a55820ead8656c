# The image that is shipped: one static program on a base without a shell.
#
#   docker build --build-arg VERSION="$(git describe --tags --always)" -t ai-worker .
#
# Both bases are pinned by the digest of their multi-platform index. The tag
# beside it is for people and for tools that propose updates. To use other
# bases, such as a mirror's, set the build arguments.
ARG GO_IMAGE=golang:1.26.9-trixie@sha256:f89535b7caea67fa9ff0ba009894bff8f3be915e49cb635477c8ce04e045db5d
ARG BASE_IMAGE=gcr.io/distroless/static-debian13:nonroot@sha256:e2e927ec666bae08560abb3c55d0659eceabb657f56b6782ab500a9fc7f555e3

# Go compiles for any platform by itself, so that nothing is built in emulation.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS source
WORKDIR /src
# Dependencies come before the sources, so that only a change of them fetches
# them again. A builder without cache mounts keeps them in this layer.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
ENV CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH

FROM source AS build
ARG VERSION=dev
# The program depends only on the sources and on VERSION. Because its time is
# set, so does the layer. The flags are those of `make build`.
ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/ai-worker ./cmd/ai-worker && \
    touch --date="@$SOURCE_DATE_EPOCH" /out/ai-worker

FROM source AS build-dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -o /out/dev ./cmd/dev && \
    mkdir -p /out/.data

# What compose.yaml runs: the service with its stand-ins, for one machine.
FROM ${BASE_IMAGE} AS dev
COPY --from=build-dev /out/dev /dev-server
# A volume that is mounted here gets the same owner.
COPY --from=build-dev --chown=65532:65532 /out/.data /home/nonroot/.data
WORKDIR /home/nonroot
USER 65532:65532
EXPOSE 8080 8123
ENTRYPOINT ["/dev-server"]

FROM source AS build-emulator
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -ldflags "-s -w" -o /out/cloud-tasks-emulator ./cmd/cloud-tasks-emulator && \
    mkdir -p /out/state

# The Cloud Tasks emulator by itself, see docs/emulator.md:
#
#   docker build --target cloud-tasks-emulator -t cloud-tasks-emulator .
FROM ${BASE_IMAGE} AS cloud-tasks-emulator
COPY --from=build-emulator /out/cloud-tasks-emulator /cloud-tasks-emulator
# For --state-dir /state. A volume that is mounted here gets the same owner.
COPY --from=build-emulator --chown=65532:65532 /out/state /state
USER 65532:65532
EXPOSE 8123
HEALTHCHECK --interval=5s --start-period=1s CMD ["/cloud-tasks-emulator", "--check"]
# Inside of a container, localhost is nobody else's.
ENTRYPOINT ["/cloud-tasks-emulator", "--host", "0.0.0.0"]

# This stage is last, and so the default. The base has CA certificates; time
# zones are linked into the program.
FROM ${BASE_IMAGE} AS production
ARG VERSION=dev
ARG REVISION
LABEL org.opencontainers.image.title="ai-worker" \
      org.opencontainers.image.description="Image-generation jobs: Cloud Tasks pushes, Gemini draws, R2 stores" \
      org.opencontainers.image.source="https://github.com/ai-worker/ai-worker" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/ai-worker /ai-worker
# The user is a number, so that the platform can see that it is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/ai-worker"]
CMD ["serve"]
