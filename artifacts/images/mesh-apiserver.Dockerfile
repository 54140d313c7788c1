# mesh-apiserver, and mesh-helper for the pods of the mesh, as `make images` builds it without a container engine:
#   docker build -f artifacts/images/mesh-apiserver.Dockerfile -t REGISTRY/mesh-apiserver:TAG .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=auto -ldflags "-s -w" -o /root-of-image/usr/local/bin/ ./apiserver/cmd/... \
 && mkdir -m 1777 /root-of-image/tmp

FROM scratch
COPY --from=build /root-of-image/ /
ENV PATH=/usr/local/bin
USER 65532
ENTRYPOINT ["/usr/local/bin/mesh-apiserver"]
