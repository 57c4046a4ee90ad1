# autocall as an image: the server's binary, a non-root user, nothing else.
# Unverified where no container engine was at hand; its steps are those of docs/deploy/README.md.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p autocall-server --bin autocall && strip target/release/autocall

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data autocall && install -d -o autocall -m 0700 /data
COPY --from=build /src/target/release/autocall /usr/local/bin/autocall
USER 10001
ENV HOST=0.0.0.0 PORT=3000 DATA_DIR=/data
VOLUME /data
EXPOSE 3000
ENTRYPOINT ["/usr/local/bin/autocall"]
CMD ["serve"]
