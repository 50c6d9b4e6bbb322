# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
# dev for a quick image.
ARG PROFILE=release
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY config config
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo install --locked --no-track --path . --bin scimgate --profile "$PROFILE" --root out

# The C library and the authorities of the web, and neither a shell nor packages. Its user has the number 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="scimgate" \
      org.opencontainers.image.description="SCIM 2.0 in front of the LDAP directory you already have" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /build/out/bin/scimgate /usr/bin/scimgate
USER 65532:65532
EXPOSE 8443 9090
# By /etc/scimgate/scimgate.toml, as the server itself; exit 0 while it is ready.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/usr/bin/scimgate", "health"]
ENTRYPOINT ["/usr/bin/scimgate"]
CMD ["serve"]
