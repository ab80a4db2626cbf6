# syntax of the classic builder: no RUN --mount, no COPY --link, so that an
# engine 20.10 without buildx builds it too.

ARG GO_VERSION=1.26.8

FROM golang:${GO_VERSION}-bookworm AS rollbackbot-build
WORKDIR /src
# The modules first: they change less often than the source.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unversioned
RUN VERSION=${VERSION} scripts/rootfs.sh /out

# The last stage needs nothing but the folder /out of an image or stage named
# rollbackbot-build. Where no base image can be pulled, scripts/image.sh makes
# such an image from a binary built outside and builds this stage alone.
FROM scratch
LABEL org.opencontainers.image.title="Rollbackbot" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=rollbackbot-build /out/rollbackbot /rollbackbot
COPY --from=rollbackbot-build /out/etc /etc
# 65532 is nobody's number on the host and owns its data only, so that a bot
# that is taken over cannot change its own program.
COPY --from=rollbackbot-build --chown=65532:65532 /out/data /data
COPY --from=rollbackbot-build --chown=65532:65532 /out/tmp /tmp
USER 65532:65532
WORKDIR /data
VOLUME /data
ENTRYPOINT ["/rollbackbot"]
CMD ["serve"]
