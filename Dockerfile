# syntax=docker/dockerfile:1
# The gateway as an image: one binary on a base that has glibc and certificates, and neither a shell nor a package manager.
# `make image` carries out these steps without a Docker engine.
#
#   docker build --tag shelfcast .
#   docker run --read-only --publish 3003:3003 --env INTERNAL_API_KEY="$(openssl rand -hex 32)" \
#     --env FRONTEND_URL=https://shop.example shelfcast

# What rust-toolchain.toml pins; `make check` compares them.
ARG RUST_VERSION=1.95.0

# === every crate of the workspace, with nothing in it ===
# This stage runs after each change; what it leaves changes only with the manifests, and so does the layer made of it.
FROM rust:${RUST_VERSION}-bookworm AS manifests
WORKDIR /all
COPY . .
RUN echo 'fn main() {}' > /empty.rs \
    && find . -name 'Cargo.*' -exec install -D -m 644 {} /manifests/{} ';' \
    && find . '(' -path '*/src/main.rs' -o -path '*/src/lib.rs' -o -path './benches/*.rs' ')' \
        -exec install -D -m 644 /empty.rs /manifests/{} ';'

# === the binary ===
FROM rust:${RUST_VERSION}-bookworm AS build
# `dev` builds faster, and is what the checks use.
ARG PROFILE=release
# Function names stay, for whoever looks at a crash; lines of source would be six times the rest.
ENV CARGO_PROFILE_RELEASE_STRIP=debuginfo
WORKDIR /src
COPY --from=manifests /manifests .
RUN cargo build --locked --profile "$PROFILE" --bin shelfcast
COPY src src
# Cargo compares times, and the empty crate is younger than the sources.
RUN touch src/lib.rs src/main.rs \
    && cargo build --locked --profile "$PROFILE" --bin shelfcast \
    && install -D target/*/shelfcast /out/shelfcast

# === what is in it ===
FROM rust:${RUST_VERSION}-bookworm AS sbom
WORKDIR /src
RUN cargo install --locked cargo-cyclonedx --version 0.5.9
COPY --from=manifests /manifests .
RUN cargo cyclonedx --format json --spec-version 1.5 --describe crate \
    && install -D -m 644 shelfcast.cdx.json /out/shelfcast.cdx.json

# === the image ===
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Shelfcast" \
    org.opencontainers.image.description="Real-time product-sync gateway: tells every browser that looks at a product that it changed" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/shelfcast/
COPY --from=sbom /out/shelfcast.cdx.json /usr/share/doc/shelfcast/
COPY --from=build /out/shelfcast /usr/local/bin/
# Production refuses to start without a key and serves no console.
ENV APP_ENV=production LOG_FORMAT=json
# The number and not the name, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 3003
# The command gives up after 3 s by itself. An orchestrator with probes of its own ignores this.
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 CMD ["/usr/local/bin/shelfcast", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/shelfcast"]
